"""Gather and scatter of elements and rows.

In a gather neighbouring threads have neighbouring elements. A scatter first sorts the ids; then each distinct id has one thread for each
column, which joins its rows in order. So no two threads write an element, and the bits are the CPU's.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy import int64

from fastgrad.cuda.codegen.kernel import DeviceKernel, OnDevice, on_device
from fastgrad.cuda.kernels.instead import Instead, Memory
from fastgrad.cuda.kernels.moving import run_of
from fastgrad.cuda.kernels.sorting import sorted_ids
from fastgrad.kernels.codegen.body import scalar_function
from fastgrad.kernels.codegen.build import kernel
from fastgrad.kernels.math.vector_math import nan_greatest
from fastgrad.kernels.movement import gathering, scattering
from fastgrad.kernels.movement.gathering import INDICES, UNITS
from fastgrad.kernels.movement.scattering import KEEP, NUMBERS, TILE, ZEROS, nan_least
from fastgrad.kernels.runtime.launch import Launch


@kernel(
    "x: in[T], ids: in[I], out: out[T], size: int, count: int, width: int, middle: int, zeros: int, first: int, "
    "last: int -> int",
    T=UNITS,
    I=INDICES,
    noalias=True,
)
def gather_elements(x, ids, out, size, count, width, middle, zeros, first, last):
    """The CPU's `gather_blocks`. Units are elements."""
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
    "x: in[uint64], ids: in[I], out: out[uint64], size: int, count: int, width: int, middle: int, first: int, last: int -> int",
    I=INDICES,
    noalias=True,
)
def gather_runs(x, ids, out, size, count, width, middle, first, last):
    """The CPU's `gather_blocks` for rows. Units are runs of 16 bytes, and so is the width."""
    for unit in range(first, last):
        row = unit // width
        block = row // count
        k = row - block * count
        number = int64(ids[block // middle * count + k])
        if number < 0 or number >= size:
            return k
        at = (block * size + number) * width + unit - row * width
        for j in range(2):
            out[2 * unit + j] = x[2 * at + j]
    return -1


@kernel("out: out[T], start: int, first: int, last: int", T=NUMBERS)
def begin_with(out, start, first, last):
    """Fills with zeros or ones. Units are elements."""
    for i in range(first, last):
        out[i] = T(0) if start == ZEROS else T(1)


def _join_sorted(rows, keys, order, out, size, count, width, middle, first, last):
    for unit in range(first, last):
        row = unit // width
        column = unit - row * width
        block = row // count
        k = row - block * count
        line = block // middle * count
        key = keys[line + k]
        if 0 <= key < size and (k == 0 or keys[line + k - 1] != key):
            at = (block * size + key) * width + column
            joined = out[at]
            while k < count and keys[line + k] == key:
                joined = T(join(joined, rows[(block * count + order[line + k]) * width + column]))
                k += 1
            out[at] = joined


@scalar_function
def join(before, row):
    """Returns the old element joined with a row's element. Each kernel has its own version."""
    return row


@scalar_function
def _sum(before, row):
    return before + row


@scalar_function
def _product(before, row):
    return before * row


@scalar_function
def _difference(before, row):
    return before - row


@scalar_function
def _quotient(before, row):
    return before / row


def _joining(name: str, join: Any) -> DeviceKernel:
    """Returns the kernel of the CPU's `scatter_rows` in one mode, for sorted ids.

    Units are columns of ids. The first of equal ids has the work.
    """
    function = types.FunctionType(_join_sorted.__code__, {**globals(), "join": join}, f"join_by_{name}")
    signature = (
        "rows: in[T], keys: in[int64], order: in[int64], out: inout[T], size: int, count: int, width: int, middle: int, "
        "first: int, last: int"
    )
    return on_device(kernel(signature, T=NUMBERS, noalias=True)(function))


@kernel(
    "ids: in[I], used: out[uint8], size: int, first: int, last: int -> int",
    I=INDICES,
)
def note_used(ids, used, size, first, last):
    """used[i] = 1 for the ids i. Units are ids. Threads that write the same element write the same value."""
    for k in range(first, last):
        number = int64(ids[k])
        if number >= size:
            return k
        if number >= 0:
            used[number] = 1
    return -1


_elements, _runs = on_device(gather_elements), on_device(gather_runs)
_begin, _note = on_device(begin_with), on_device(note_used)
_JOINS = {
    scattering.SET: _joining("set", join),
    scattering.ADD: _joining("sum", _sum),
    scattering.MULTIPLY: _joining("product", _product),
    scattering.SUBTRACT: _joining("difference", _difference),
    scattering.DIVIDE: _joining("quotient", _quotient),
    scattering.MAXIMUM: _joining("greatest", nan_greatest),
    scattering.MINIMUM: _joining("least", nan_least),
}


def _gathered(launch: Launch, dtypes: Mapping[str, str], memory: Memory) -> list[Launch]:
    operands: Any = launch.operands
    x, ids, out, size, count, width, middle, zeros = operands
    many = run_of(dtypes["T"])
    if width % many == 0 and not zeros:
        runs: Any = OnDevice(_runs, {"I": dtypes["I"]})
        given = (x, ids, out, size, count, width // many, middle)
        return [Launch(runs, given, launch.units * (width // many))]
    elements: Any = OnDevice(_elements, dtypes)
    return [Launch(elements, operands, launch.units * width)]


def _scattered(launch: Launch, dtypes: Mapping[str, str], memory: Memory) -> list[Launch]:
    operands: Any = launch.operands
    rows, ids, out, size, count, width, middle, mode, start = operands
    blocks = launch.units // max(-(-width // TILE), 1)
    begin: Any = OnDevice(_begin, {"T": dtypes["T"]})
    launches = [] if start == KEEP else [Launch(begin, (out, start), blocks * size * width)]
    if not count:
        return launches
    lowest = np.iinfo(np.int64).min
    found = sorted_ids(ids, dtypes.get("I", "int64"), blocks // middle, count, memory, lowest, size)
    join: Any = OnDevice(_JOINS[mode], {"T": dtypes["T"]})
    given = (rows, found.keys, found.order, out, size, count, width, middle)
    return [*found.launches, *launches, Launch(join, given, blocks * count * width)]


def _used(launch: Launch, dtypes: Mapping[str, str], memory: Memory) -> list[Launch]:
    operands: Any = launch.operands
    ids, used, size, count = operands
    begin: Any = OnDevice(_begin, {"T": "uint8"})
    note: Any = OnDevice(_note, dtypes)
    return [Launch(begin, (used, ZEROS), size), Launch(note, (ids, used, size), count)]


INSTEAD: dict[Any, Instead] = {
    gathering.gather_blocks.function: _gathered,
    scattering.scatter_rows.function: _scattered,
    scattering.scatter_known_rows.function: _scattered,
    scattering.used_ids.function: _used,
}
"""The table of `choice`."""
