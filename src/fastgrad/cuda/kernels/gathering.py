"""Gathers with a thread for each element, so that neighbouring threads have neighbouring elements."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy import int64

from fastgrad.cuda.codegen.kernel import on_device
from fastgrad.cuda.kernels.replacement import Replacement, ScratchMemory, device_launch
from fastgrad.kernels.codegen.build import kernel
from fastgrad.kernels.movement.gathering import INDEX_DTYPES, UNIT_DTYPES, gather_blocks
from fastgrad.kernels.runtime.launch import Launch


@kernel(
    "x: in[T], ids: in[I], out: out[T], size: int, count: int, width: int, middle: int, zeros: int, first: int, "
    "last: int -> int",
    T=UNIT_DTYPES,
    I=INDEX_DTYPES,
    noalias=True,
)
def gather_elements(x, ids, out, size, count, width, middle, zeros, first, last):
    """Gathers rows by ids, as the CPU's `gather_blocks`. Units are elements."""
    for unit in range(first, last):
        row = unit // width
        block = row // count
        k = row - block * count
        number = int64(ids[block // middle * count + k])
        if number >= size or (number < 0 and zeros == 0):
            return k
        out[unit] = x[(block * size + number) * width + unit - row * width] if number >= 0 else T(0)
    return -1


_gather_on_gpu = on_device(gather_elements)


def _gather_replacement(launch: Launch, dtypes: Mapping[str, str], memory: ScratchMemory) -> list[Launch]:
    """Returns the replacement of `gather_blocks`."""
    width: Any = launch.operands[5]
    return [device_launch(_gather_on_gpu, dtypes, launch.operands, launch.units * width)]


REPLACEMENTS: dict[Any, Replacement] = {gather_blocks.function: _gather_replacement}
"""The table of `choice`."""
