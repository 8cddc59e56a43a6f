"""Positions of extremes in lines: a block for each contiguous line, else a thread for each line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy import int64

from fastgrad.cuda.codegen.body import shared_array, shuffle_xor, synchronize, thread, threads
from fastgrad.cuda.codegen.kernel import OnDevice, device_kernel, on_device
from fastgrad.cuda.kernels.instead import Instead, Memory, threads_for
from fastgrad.kernels.codegen.body import scalar_function
from fastgrad.kernels.codegen.build import kernel
from fastgrad.kernels.movement.ordering import POSITIONS, REAL
from fastgrad.kernels.movement.positions import TILE, extreme_positions, without_nan
from fastgrad.kernels.runtime.launch import Launch

KINDS = (*REAL, "bool")


@scalar_function
def better_of(x, at, step, here, there, sign):
    """Returns the position of the larger element, or of the smaller for a sign of -1; of equal elements the first."""
    mine, other = without_nan(x[at + here * step], sign), without_nan(x[at + there * step], sign)
    further = other > mine if sign > 0 else other < mine
    return there if further or (other == mine and there < here) else here


@device_kernel("x: in[T], out: out[I], size: int, sign: int, first: int, last: int", T=KINDS, I=POSITIONS)
def extreme_of_rows(x, out, size, sign, first, last):
    """The position of the first largest element of each row, or smallest for a sign of -1. NaN is skipped."""
    parts = shared_array(int64, 32)
    for row in range(first, last):
        at = row * size
        where = 0
        for i in range(thread(), size, threads()):
            where = better_of(x, at, 1, where, i, sign)
        where = better_of(x, at, 1, where, shuffle_xor(where, 16), sign)
        where = better_of(x, at, 1, where, shuffle_xor(where, 8), sign)
        where = better_of(x, at, 1, where, shuffle_xor(where, 4), sign)
        where = better_of(x, at, 1, where, shuffle_xor(where, 2), sign)
        where = better_of(x, at, 1, where, shuffle_xor(where, 1), sign)
        if thread() % 32 == 0:
            parts[thread() // 32] = where
        synchronize()
        if thread() == 0:
            for i in range(1, threads() // 32):
                where = better_of(x, at, 1, where, parts[i], sign)
            out[row] = where
        synchronize()


@kernel(
    "x: in[T], out: out[I], size: int, inner: int, sign: int, first: int, last: int", noalias=True, T=KINDS, I=POSITIONS
)
def extreme_of_lines(x, out, size, inner, sign, first, last):
    """The extremes of `extreme_of_rows` for lines along the middle axis of (outer, size, inner)."""
    for line in range(first, last):
        at = line // inner * size * inner + line % inner
        where = 0
        for i in range(1, size):
            where = better_of(x, at, inner, where, i, sign)
        out[line] = where


def _positions(launch: Launch, dtypes: Mapping[str, str], memory: Memory) -> list[Launch]:
    operands: Any = launch.operands
    x, out, size, inner, sign = operands
    if inner == 1:
        rows: Any = OnDevice(extreme_of_rows.with_threads(threads_for(size)), dtypes)
        return [Launch(rows, (x, out, size, sign), launch.units)]
    lines: Any = OnDevice(_lines, dtypes)
    outer = launch.units // -(-inner // TILE)
    return [Launch(lines, (x, out, size, inner, sign), outer * inner)]


_lines = on_device(extreme_of_lines)

INSTEAD: dict[Any, Instead] = {extreme_positions.function: _positions}
"""The table of `choice`."""
