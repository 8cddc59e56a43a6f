"""Kernels of groups without a reduction: the scalar source of the CPU's, in loops for a GPU.

Neighbouring threads have neighbouring elements. A thread has up to four, as many as one access of 128 bits holds, if rows are a
multiple of that. One loop does all steps, so no value goes through memory.
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Sequence
from math import prod
from typing import Any

from fastgrad.compiler.fusion.emit import in_place_pairs
from fastgrad.compiler.fusion.fused import Fused
from fastgrad.compiler.fusion.kernel_writer import KernelWriter, function_of
from fastgrad.compiler.fusion.stages import ElementLoops
from fastgrad.cuda.codegen.body import shared_array, thread, threads
from fastgrad.cuda.codegen.kernel import DEFAULT_THREADS_PER_BLOCK, DeviceKernel, OnDevice, variant
from fastgrad.cuda.kernels.block_reductions import REDUCTIONS
from fastgrad.kernels.codegen.signature import parse_signature
from fastgrad.kernels.runtime.launch import Launch, Launches, Operand, Output

WIDEST_ACCESS_IN_BYTES = 16
"""The bytes of the widest access."""

_NAMES_IN_SOURCE: dict[str, Any] = {
    "thread": thread,
    "threads": threads,
    "shared_array": shared_array,
    **{f"block_{name}": reduction.block for name, reduction in REDUCTIONS.items()},
    **{f"lines_{name}": reduction.lines for name, reduction in REDUCTIONS.items()},
}


class DeviceWriter(KernelWriter):
    """Generates a GPU kernel of a group.

    Attributes:
        width: the number of neighbouring elements of a thread; it divides the innermost size.
        linear: the row-major number of the element, if the text has it; else None.
        together: whether the threads of a block share a unit of work.
        threads: the number of threads of a block.
    """

    def __init__(self, fused: Fused) -> None:
        super().__init__(fused)
        self.width = 1
        self.linear: str | None = None
        self.together = False
        self.threads = DEFAULT_THREADS_PER_BLOCK

    def set_width(self, rows_in_accesses: bool = True) -> int:
        """Sets the width to one access of the widest array, if rows (`rows_in_accesses`) or all elements divide so."""
        steps = [self.dtypes[number] for number in self.fused.outputs]
        arrays = [source.dtype for source in self.fused.inputs if source.strides[-1:] == (1,)]
        width = WIDEST_ACCESS_IN_BYTES // max(
            [dtype.itemsize for dtype in (*arrays, *steps)], default=WIDEST_ACCESS_IN_BYTES
        )
        while width > 1 and (self.fused.sizes[-1] % width if rows_in_accesses else self.fused.sizes[-1] < width):
            width //= 2
        self.width = min(width, 8)
        return self.width

    def size_parameter(self, dim: int) -> str:
        """Returns the name that the generated source has for the size of a dimension of the loop."""
        if dim < len(self.fused.sizes) - 1 or self.width == 1 or self.fused.sizes[dim] % self.width:
            return super().size_parameter(dim)
        self.line_at_top(
            f"n{dim} = {self.pieces()} * {self.width}"
        )  # a product, so that the compiler knows it is a multiple
        return f"n{dim}"

    def pieces(self) -> str:
        """Returns the name that the generated source has for the innermost size divided by the width."""
        return self.integer_parameter("pieces", self.fused.sizes[-1] // self.width)

    def element_index(
        self, array_name: str, dims: Sequence[int], strides: Sequence[int], offset: int, inner: str
    ) -> str:
        """Returns the source text of an element's index, in a form that shows multiples of the width."""
        whole = len(dims) == len(self.fused.sizes) and tuple(strides) == self.fused.c_strides and not offset
        if whole and self.linear is not None:
            return self.linear
        return super().element_index(array_name, dims, strides, offset, inner)

    def launch(self, units: int, natural: Collection[Operand] = ()) -> Launch:
        """Returns a launch of the generated kernel over ``units`` units of work."""
        parameters, source, operands = self.parameters_source_operands()
        kernel = _group_kernel(parameters, source, self.fused.number.name, self.together)
        kernel = variant(kernel, threads=self.threads)
        return Launch(OnDevice(kernel, {"T": self.fused.number.name}), operands, units)  # type: ignore[arg-type]


@functools.lru_cache(maxsize=1024)
def _group_kernel(parameters: str, source: str, dtype_name: str, units_go_to_blocks: bool) -> DeviceKernel:
    function, _ = function_of(parameters, source, dtype_name, _NAMES_IN_SOURCE)
    return DeviceKernel(function, parse_signature(parameters), {"T": (dtype_name,)}, together=units_go_to_blocks)


def map_launches(fused: Fused) -> Launches:
    """Returns the launches of a group without a reduction. Its units are runs of neighbouring elements."""
    writer = DeviceWriter(fused)
    dims = range(len(fused.sizes))
    width = writer.set_width(rows_in_accesses=len(dims) > 1)
    same, outer, inner = writer.inputs_by_loop_level(kept=False)
    writer.load(same, dims, "0")
    writes: list[tuple[int, Operand]] = [(number, Output(output)) for output, number in enumerate(fused.outputs)]
    steps = [*range(len(fused.inputs), len(fused.inputs) + len(fused.steps))]
    elements = ElementLoops(writer, inner, {}, steps, [], writes)
    elements.stages = [steps]
    with writer.block("for unit in range(first, last)"):
        if len(dims) == 1:
            n = writer.size_parameter(0)
            if width == 1 or fused.sizes[0] % width == 0:
                elements.write(f"for j in range(unit * {width}, unit * {width} + {width})", None)
            else:
                with writer.block(f"if unit * {width} + {width} <= {n}"):
                    elements.write(f"for j in range(unit * {width}, unit * {width} + {width})", None)
                with writer.block("else"):
                    elements.write(f"for j in range(unit * {width}, {n})", None)
        else:
            writer.line(f"r = unit // {writer.pieces()}")
            writer.line(f"left = unit - r * {writer.pieces()}")
            writer.write_dimension_indices("r", dims[:-1])
            writer.load(outer, dims, "0")
            writer.linear = f"unit * {width} + i"
            elements.write(f"for i in range({width})", f"j = left * {width} + i")
    launch = writer.launch(-(-prod(fused.sizes) // width))
    return Launches((launch,), in_place=in_place_pairs(fused))
