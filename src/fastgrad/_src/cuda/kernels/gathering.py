"""Gathers rows at ids, one block for each row; sorts ids, without the stack of the CPU kernel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from numpy import int64

from fastgrad._src.cuda.codegen.body import block_size, thread_index
from fastgrad._src.cuda.codegen.kernel import TypedDeviceKernel, device_kernel, device_kernel_of
from fastgrad._src.cuda.kernels.replacement import Replacement, ScratchMemory, same_operands_replacement, with_kernel
from fastgrad._src.jit.body import scalar_function, specialized
from fastgrad._src.kernels.math.vector_math import least
from fastgrad._src.kernels.movement.embedding import group_ids
from fastgrad._src.kernels.movement.gathering import INDEX_DTYPES, UNIT_DTYPES, gather_blocks
from fastgrad._src.kernels.runtime.launch import Launch


@device_kernel(
    "x: in[T], ids: in[I], out: out[T], size: int, count: int, width: int, middle: int, zeros: int, first: int, "
    "last: int -> int",
    T=UNIT_DTYPES,
    I=INDEX_DTYPES,
)
def gather_wide_blocks(x, ids, out, size, count, width, middle, zeros, first, last):
    """Gathers rows as `gather_blocks` does. A unit is a row, whose elements the threads of a block copy."""
    for r in range(first, last):
        block = r // count
        k = r - block * count
        number = int64(ids[block // middle * count + k])
        if number >= size or (number < 0 and zeros == 0):
            return k
        source = (block * size + number) * width
        for j in range(thread_index(), width, block_size()):
            out[r * width + j] = x[source + j] if number >= 0 else T(0)
    return -1


_LEAST_WIDTH_OF_A_BLOCK = 16
"""The least number of elements of a row that gets a block; a thread copies a shorter one."""


def _gather_replacement(launch: Launch, dtypes: Mapping[str, str], memory: ScratchMemory) -> list[Launch]:
    """Returns the launch of the kernel for the width of the rows."""
    operands: Any = launch.operands
    kernel = gather_wide_blocks if operands[5] >= _LEAST_WIDTH_OF_A_BLOCK else _gather_blocks
    return [with_kernel(launch, TypedDeviceKernel(kernel, dtypes))]


@scalar_function
def sort_ids(ids, order, scratch, id_count, table_rows):
    """Computes a stable argsort of ids by merging. The CPU's `sort_ids` counts digits in 16 KB of stack."""
    source, target = order, scratch
    width = 1
    while width < id_count:  # the last pass writes `order`
        source, target = target, source
        width *= 2
    for k in range(id_count):
        source[k] = k
    width = 1
    while width < id_count:
        for left in range(0, id_count, 2 * width):
            middle, end = least(left + width, id_count), least(left + 2 * width, id_count)
            i, j = left, middle
            for k in range(left, end):
                if j >= end or (i < middle and ids[source[i]] <= ids[source[j]]):
                    target[k] = source[i]
                    i += 1
                else:
                    target[k] = source[j]
                    j += 1
        source, target = target, source
        width *= 2
    return 0


_group_on_gpu = replace(
    device_kernel_of(group_ids),
    function=specialized(group_ids.function, "group_ids", group_ids.function.__doc__, sort_ids=sort_ids),
)


_gather_blocks = device_kernel_of(gather_blocks)

REPLACEMENTS: dict[Any, Replacement] = {
    gather_blocks.function: _gather_replacement,
    group_ids.function: same_operands_replacement(_group_on_gpu),
}
"""The GPU replacements of CPU kernels, by the body of the CPU kernel."""
