"""The table from CPU kernels to the GPU kernels that replace them.

The operation table gives the launches of a row for a CPU (`launches=`). This module replaces each launch by one or more GPU launches.
A kernel that is not in the table runs unchanged, with one thread for each unit of work.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from fastgrad._src.compiler.fusion.emit import launches_of_group
from fastgrad._src.compiler.graph.graph import Node
from fastgrad._src.compiler.programs.aliasing import KernelCompiler
from fastgrad._src.compiler.programs.lowering import launches_of, launches_of_row
from fastgrad._src.compiler.programs.plan import DeviceTarget
from fastgrad._src.core.operation import Operation
from fastgrad._src.cuda.codegen.kernel import (
    DeviceKernel,
    TypedDeviceKernel,
    device_kernel_of_native,
    with_attributes,
)
from fastgrad._src.cuda.kernels import gathering, moves, pooling, products, recurrent, rows, windows
from fastgrad._src.cuda.kernels.groups import map_launches
from fastgrad._src.cuda.kernels.library import LibraryProduct
from fastgrad._src.cuda.kernels.reductions import gpu_reduction_launches
from fastgrad._src.cuda.kernels.replacement import Replacement, ScratchMemory, with_kernel
from fastgrad._src.cuda.kernels.updates import update_replacement
from fastgrad._src.jit.body import call_c_function, call_pair, call_step
from fastgrad._src.jit.build import source_of
from fastgrad._src.jit.signature import Signature
from fastgrad._src.kernels.runtime.launch import Input, Launch, Launches, Output, Scratch, Spec

REPLACEMENT_TABLES: tuple[Mapping[Any, Replacement], ...] = (
    products.REPLACEMENTS,
    windows.REPLACEMENTS,
    rows.REPLACEMENTS,
    gathering.REPLACEMENTS,
    recurrent.REPLACEMENTS,
    pooling.REPLACEMENTS,
    moves.REPLACEMENTS,
)
"""The GPU replacements of CPU kernels: a table for each file of `cuda.kernels`, by the body of the CPU kernel."""


@functools.cache
def _replacements_by_cpu_body() -> dict[Any, Replacement]:
    return {body: replacement for family in REPLACEMENT_TABLES for body, replacement in family.items()}


def launches_on_device(node: Node) -> Launches | None:
    """Returns the GPU launches of a program's node; None if the node runs as Python."""
    return converted_launches(launches_of(node, _group_launches))


def _group_launches(payload: Any) -> Launches:
    """Returns the launches of a FUSED node. Some kernels may be CPU kernels, which `converted_launches` replaces."""
    if isinstance(payload, LibraryProduct):
        return payload.launches
    if not payload.steps:
        return launches_of_group(payload)
    return gpu_reduction_launches(payload) if "r" in payload.roles else map_launches(payload)


def row_launches_on_device(
    row: Operation, inputs: Sequence[Spec], outputs: Sequence[Spec], attributes: dict[str, Any]
) -> Launches | None:
    """Returns the GPU launches of an operation outside groups, from the CPU's launches of `launches_of_row`; None without kernels."""
    if row.lowering.reference is not None:
        return None
    return converted_launches(launches_of_row(row, inputs, outputs, attributes))


def converted_launches(cpu_launches: Launches | None) -> Launches | None:
    """Converts CPU launches to GPU launches; None if there are none, or a GPU can't run one."""
    if cpu_launches is None:
        return None
    memory = ScratchMemory(cpu_launches.scratch)
    launches: list[Launch] = []

    def convert(launch: Launch) -> bool:
        kernel: Any = launch.kernel
        if isinstance(kernel, TypedDeviceKernel):
            launches.append(_with_numbers_in_memory(launch))
            return True
        source = source_of(kernel)
        if source is None:  # a user's function, which only the host has
            return False
        replacement = _replacements_by_cpu_body().get(source.function) or update_replacement(source.function)
        if replacement is not None:
            return all(map(convert, replacement(launch, source.variables, memory)))
        if _calls_host(source.function):
            return False
        launches.append(_with_numbers_in_memory(with_kernel(launch, device_kernel_of_native(kernel))))
        return not any(
            isinstance(operand, Launch) for operand in launch.operands
        )  # launches that it would call by address

    if not all(map(convert, cpu_launches.launches)):
        return None
    return Launches(
        tuple(launches), tuple(memory.arrays), cpu_launches.in_place, cpu_launches.alias, cpu_launches.starts_as
    )


def _calls_host(function: Any) -> bool:
    """True if a body calls functions by address, such as SciPy's, which only the host has."""
    used = [function.__globals__.get(name) for name in function.__code__.co_names]
    return any(one is call for one in used for call in (call_pair, call_c_function, call_step))


def _with_numbers_in_memory(launch: Launch) -> Launch:
    """Returns the launch with a kernel that reads numbers from memory where operands are in memory."""
    typed_kernel: Any = launch.kernel
    passed = [parameter for parameter in typed_kernel.kernel.entry_parameters if parameter.passed]
    pairs = zip(passed, launch.operands, strict=True)
    names = [p.name for p, operand in pairs if p.kind == "float" and isinstance(operand, (Input, Output, Scratch))]
    if not names:
        return launch
    kernel = with_attributes(typed_kernel.kernel, numbers_in_memory=frozenset(names))
    return with_kernel(launch, TypedDeviceKernel(kernel, typed_kernel.dtypes))


def _signature_of(kernel: Any) -> Signature:
    signature: Signature = kernel.kernel.signature
    return signature


def _is_noalias(kernel: Any) -> bool:
    return isinstance(kernel.kernel, DeviceKernel) and kernel.kernel.noalias


def _without_noalias(kernel: Any, in_place: tuple[tuple[int, int], ...]) -> Any:
    """Returns the kernel without the noalias promise, so its loads do not use the read-only cache."""
    return TypedDeviceKernel(with_attributes(kernel.kernel, noalias=False), kernel.dtypes)


GPU_TARGET = DeviceTarget(
    _group_launches, converted_launches, KernelCompiler(_signature_of, _is_noalias, _without_noalias)
)
"""The GPU as the target of plans: its launches, and its kernels without the promise `noalias`."""
