"""Gather of elements, and sums of rows by ids.

In a gather neighbouring threads have neighbouring elements. A sum first sorts the ids; then each distinct id has one thread for each
column, which adds its rows in order. So no two threads write an element, and the bits are the CPU's. Other ways to join rows run in
the CPU's kernel.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy import int64

from fastgrad.cuda.codegen.kernel import device_kernel_of_native, on_device
from fastgrad.cuda.kernels.replacement import Replacement, ScratchMemory, device_launch, with_kernel
from fastgrad.cuda.kernels.sorting import sort_launches
from fastgrad.kernels.codegen.build import kernel
from fastgrad.kernels.movement import gathering, scattering
from fastgrad.kernels.movement.gathering import INDEX_DTYPES, UNIT_DTYPES
from fastgrad.kernels.movement.scattering import ADD, NUMBER_DTYPES, START_KEPT, TILE_COLUMNS
from fastgrad.kernels.movement.strided import clear_elements
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


@kernel(
    "rows: in[T], keys: in[int64], order: in[int64], out: inout[T], size: int, count: int, width: int, middle: int, "
    "first: int, last: int",
    T=NUMBER_DTYPES,
    noalias=True,
)
def add_sorted(rows, keys, order, out, size, count, width, middle, first, last):
    """Sums rows by sorted ids, as the CPU's `scatter_rows`. Units are columns of ids; the first of equal ids works."""
    for unit in range(first, last):
        row = unit // width
        column = unit - row * width
        block = row // count
        k = row - block * count
        line = block // middle * count
        key = keys[line + k]
        if 0 <= key < size and (k == 0 or keys[line + k - 1] != key):
            at = (block * size + key) * width + column
            total = out[at]
            while k < count and keys[line + k] == key:
                total = T(total + rows[(block * count + order[line + k]) * width + column])
                k += 1
            out[at] = total


_gather_on_gpu, _clear_on_gpu = on_device(gather_elements), on_device(clear_elements)
_add_on_gpu = on_device(add_sorted)


def _gather_replacement(launch: Launch, dtypes: Mapping[str, str], memory: ScratchMemory) -> list[Launch]:
    width: Any = launch.operands[5]
    return [device_launch(_gather_on_gpu, dtypes, launch.operands, launch.units * width)]


def _scatter_replacement(launch: Launch, dtypes: Mapping[str, str], memory: ScratchMemory) -> list[Launch]:
    operands: Any = launch.operands
    rows, ids, out, size, count, width, middle, mode, start = operands
    if mode != ADD or not count:
        return [with_kernel(launch, device_kernel_of_native(launch.kernel))]
    blocks = launch.units // max(-(-width // TILE_COLUMNS), 1)
    word = {"T": f"uint{8 * np.dtype(dtypes['T']).itemsize}"}
    launches = [] if start == START_KEPT else [device_launch(_clear_on_gpu, word, (out,), blocks * size * width)]
    found = sort_launches(ids, dtypes.get("I", "int64"), blocks // middle, count, size, memory)
    given = (rows, found.keys, found.order, out, size, count, width, middle)
    return [*found.launches, *launches, device_launch(_add_on_gpu, {"T": dtypes["T"]}, given, blocks * count * width)]


REPLACEMENTS: dict[Any, Replacement] = {
    gathering.gather_blocks.function: _gather_replacement,
    scattering.scatter_rows.function: _scatter_replacement,
    scattering.scatter_known_rows.function: _scatter_replacement,
}
"""The table of `choice`."""
