"""Kernels of groups: the scalar source of the CPU's, in loops for a GPU. A unit is an element of the group or of its result."""

from __future__ import annotations

import functools
from collections.abc import Collection
from math import prod
from typing import Any

from fastgrad._src.compiler.fusion.emit import in_place_pairs
from fastgrad._src.compiler.fusion.fused import Fused
from fastgrad._src.compiler.fusion.kernel_writer import KernelWriter, function_of
from fastgrad._src.compiler.fusion.stages import ElementLoops
from fastgrad._src.cuda.codegen.body import block_size, shared_array, thread_index
from fastgrad._src.cuda.codegen.kernel import DeviceKernel, TypedDeviceKernel
from fastgrad._src.cuda.kernels.block_reductions import BLOCK_REDUCTIONS
from fastgrad._src.jit.signature import parse_signature
from fastgrad._src.kernels.runtime.launch import Launch, Launches, Operand, Output

_NAMES_IN_SOURCE: dict[str, Any] = {
    "thread_index": thread_index,
    "block_size": block_size,
    "shared_array": shared_array,
    **{f"block_{name}": function for name, function in BLOCK_REDUCTIONS.items()},
}


class DeviceWriter(KernelWriter):
    """Generates a GPU kernel of a group.

    Attributes:
        together: whether the threads of a block share a unit of work.
    """

    def __init__(self, fused: Fused) -> None:
        super().__init__(fused)
        self.together = False

    def launch(self, units: int, unit_operands: Collection[Operand] = ()) -> Launch:
        parameters, source, operands = self.parameters_source_operands()
        kernel = _group_kernel(parameters, source, self.fused.number.name, self.together)
        return Launch(TypedDeviceKernel(kernel, {"T": self.fused.number.name}), operands, units)  # type: ignore[arg-type]


@functools.lru_cache(maxsize=1024)
def _group_kernel(parameters: str, source: str, dtype_name: str, units_go_to_blocks: bool) -> DeviceKernel:
    function, _ = function_of(parameters, source, dtype_name, _NAMES_IN_SOURCE)
    return DeviceKernel(function, parse_signature(parameters), {"T": (dtype_name,)}, together=units_go_to_blocks)


def map_launches(fused: Fused) -> Launches:
    """Returns the launches of a group without a reduction. Its units are elements."""
    writer = DeviceWriter(fused)
    dims = range(len(fused.sizes))
    same, outer, inner = writer.inputs_by_loop_level()
    writer.load(same, dims, "0")
    writes: list[tuple[int, Operand]] = [(number, Output(output)) for output, number in enumerate(fused.outputs)]
    steps = [*range(len(fused.inputs), len(fused.inputs) + len(fused.steps))]
    elements = ElementLoops(writer, inner, {}, steps, [], writes)
    elements.stages = [steps]
    if len(dims) == 1:
        elements.write("for j in range(first, last)", None)
    else:
        with writer.block("for unit in range(first, last)"):
            n = writer.size_parameter(dims[-1])
            writer.line(f"r = unit // {n}")
            writer.line(f"left = unit - r * {n}")
            writer.write_dimension_indices("r", dims[:-1])
            writer.load(outer, dims, "0")
            elements.write("for j in range(left, left + 1)", None)
    return Launches((writer.launch(prod(fused.sizes)),), in_place=in_place_pairs(fused))
