"""Strided copies: neighbouring threads write neighbouring elements.

A thread copies as many elements as one access of 128 bits holds, if both sides have whole runs of them. Transposes go through tiles of
shared memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np

from fastgrad.cuda.codegen.body import shared_array, synchronize, thread
from fastgrad.cuda.codegen.kernel import OnDevice, device_kernel, on_device
from fastgrad.cuda.kernels.instead import Instead, Memory, with_kernel
from fastgrad.kernels.codegen.body import by_dtype
from fastgrad.kernels.codegen.build import kernel
from fastgrad.kernels.movement import strided
from fastgrad.kernels.movement.strided import RANK, WIDTHS
from fastgrad.kernels.runtime.launch import Launch
from fastgrad.kernels.runtime.moving import copy_bytes

ACCESS = 16
"""The bytes of the widest access."""


def _eight_bits(zero):
    return 16


def _sixteen_bits(zero):
    return 8


def _thirty_two_bits(zero):
    return 4


def _sixty_four_bits(zero):
    return 2


run_length = by_dtype(uint8=_eight_bits, uint16=_sixteen_bits, uint32=_thirty_two_bits, uint64=_sixty_four_bits)
"""The number of elements in one access."""


@kernel(
    "x: in[uint64], y: out[uint64], n1: int, n2: int, n3: int, n4: int, n5: int, x_from: int, x0: int, x1: int, x2: int, x3: int, "
    "x4: int, y_from: int, y0: int, y1: int, y2: int, y3: int, y4: int, first: int, last: int",
    noalias=True,
)
def move_runs(x, y, n1, n2, n3, n4, n5, x_from, x0, x1, x2, x3, x4, y_from, y0, y1, y2, y3, y4, first, last):
    """y = x over six dimensions; the last is contiguous on both sides. All numbers and units are runs of 16 bytes."""
    for unit in range(first, last):
        row = unit // n5
        k5 = unit - row * n5
        rest = row // n4
        k4 = row - rest * n4
        a, b = x_from + k4 * x4 + k5, y_from + k4 * y4 + k5
        if rest > 0:
            k3, rest = rest % n3, rest // n3
            k2, rest = rest % n2, rest // n2
            k1, k0 = rest % n1, rest // n1
            a += k0 * x0 + k1 * x1 + k2 * x2 + k3 * x3
            b += k0 * y0 + k1 * y1 + k2 * y2 + k3 * y3
        for j in range(2):
            y[2 * b + j] = x[2 * a + j]


@device_kernel(
    "x: in[T], y: out[T], rows: int, columns: int, x_from: int, xb: int, xr: int, xc: int, y_from: int, yb: int, yr: int, "
    "yc: int, first: int, last: int",
    threads=256,
    exact=True,
    T=WIDTHS,
)
def turn_tiles(x, y, rows, columns, x_from, xb, xr, xc, y_from, yb, yr, yc, first, last):
    """y = x for matrices, read along the dimension of rows and written along that of columns. Units are tiles."""
    tile = shared_array(T, 1056)
    across, down = (columns + 31) // 32, (rows + 31) // 32
    lane, line = thread() % 32, thread() // 32
    for unit in range(first, last):
        band = unit // across
        left = (unit - band * across) * 32
        batch = band // down
        top = (band - batch * down) * 32
        a, b = x_from + batch * xb + (top + lane) * xr, y_from + batch * yb + (left + lane) * yc
        for i in range(line, 32, 8):
            if top + lane < rows and left + i < columns:
                tile[i * 33 + lane] = x[a + (left + i) * xc]
        synchronize()
        for i in range(line, 32, 8):
            if top + i < rows and left + lane < columns:
                y[b + (top + i) * yr] = tile[lane * 33 + i]
        synchronize()


@kernel("y: out[T], size: int, first: int, last: int", T=WIDTHS)
def clear_runs(y, size, first, last):
    """y = 0. Units are runs."""
    many = run_length(T(0))
    for unit in range(first, last):
        at = unit * many
        if at + many <= size:
            for j in range(many):
                y[at + j] = T(0)
        else:
            for j in range(at, size):
                y[j] = T(0)


@kernel("x: in[T], y: out[T], size: int, first: int, last: int", noalias=True, T=WIDTHS)
def copy_runs(x, y, size, first, last):
    """y = x for `size` elements. Units are runs."""
    many = run_length(T(0))
    for unit in range(first, last):
        at = unit * many
        if at + many <= size:
            for j in range(many):
                y[at + j] = x[at + j]
        else:
            for j in range(at, size):
                y[j] = x[j]


_move, _runs = on_device(strided.move), on_device(move_runs)
_clear, _copy = on_device(clear_runs), on_device(copy_runs)


def _moved(launch: Launch, dtypes: Mapping[str, str], memory: Memory) -> list[Launch]:
    operands: Any = launch.operands
    x, y, *numbers = operands
    sizes, x_from, reads = numbers[:RANK], numbers[RANK], numbers[RANK + 1 : 2 * RANK + 1]
    y_from, writes = numbers[2 * RANK + 1], numbers[2 * RANK + 2 :]
    many = run_of(dtypes["T"])
    runs = [sizes[-1], x_from, *reads[:-1], y_from, *writes[:-1]]
    if reads[-1] == writes[-1] == 1 and all(number % many == 0 for number in runs):
        n5, *places = [number // many for number in runs]
        given: Any = OnDevice(_runs, {})
        return [Launch(given, (x, y, *sizes[1:-1], n5, *places), prod(sizes[:-1]) * n5)]
    return [with_kernel(launch, OnDevice(_move, dtypes))]


def run_of(dtype: str) -> int:
    """Returns the number of unsigned integers of this dtype name in one access."""
    return ACCESS * 8 // int(dtype.removeprefix("uint"))


def _turned(launch: Launch, dtypes: Mapping[str, str], memory: Memory) -> list[Launch]:
    operands: Any = launch.operands
    x, y, batch, rows, columns, *places = operands
    given: Any = OnDevice(turn_tiles, dtypes)
    return [Launch(given, (x, y, rows, columns, *places), batch * -(-rows // 32) * -(-columns // 32))]


def _cleared(launch: Launch, dtypes: Mapping[str, str], memory: Memory) -> list[Launch]:
    dtype, count = _widest(launch.units * np.dtype(dtypes["T"]).itemsize)
    given: Any = OnDevice(_clear, {"T": dtype})
    return [Launch(given, (*launch.operands, count), -(-count // run_of(dtype)))]


def _copied(launch: Launch, dtypes: Mapping[str, str], memory: Memory) -> list[Launch]:
    operands: Any = launch.operands
    x, y, size = operands
    dtype, count = _widest(size)
    given: Any = OnDevice(_copy, {"T": dtype})
    return [Launch(given, (x, y, count), -(-size // ACCESS))]


def _widest(size: int) -> tuple[str, int]:
    """Returns the widest unsigned integer type that divides ``size`` bytes, and the number of integers."""
    width = next(width for width in (8, 4, 2, 1) if size % width == 0)
    return f"uint{8 * width}", size // width


INSTEAD: dict[Any, Instead] = {
    strided.move.function: _moved,
    strided.move_tiles.function: _turned,
    strided.transpose_tiles.function: _turned,
    strided.clear.function: _cleared,
    copy_bytes.function: _copied,
}
"""The table of `choice`."""
