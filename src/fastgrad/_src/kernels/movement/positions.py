"""Positions of the extremes of lines: the first of several; NaN is skipped."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from math import prod

from numpy import int32, int64

from fastgrad._src.jit.body import by_dtype, local_array, scalar_function
from fastgrad._src.jit.build import kernel
from fastgrad._src.kernels.elementwise.half import with_half_floats
from fastgrad._src.kernels.math.vector_math import least
from fastgrad._src.kernels.movement.ordering import INTEGERS, POSITION_DTYPES, REAL_DTYPES
from fastgrad._src.kernels.runtime.launch import Input, Launches, Output, Spec, single_launch

ROW_BLOCK_ELEMENTS = 1024  # elements of a block of a long row; the position is searched in one block only
TILE_COLUMNS = 64


def _float_nan_as_worst(value, sign):
    return value if value == value else T(-sign) * T(math.inf)  # noqa: PLR0124 - false of NaN


def _unchanged(value, sign):
    return value


nan_as_worst = by_dtype(
    float32=_float_nan_as_worst, float64=_float_nan_as_worst, **dict.fromkeys(INTEGERS, _unchanged)
)  # the replacement of a NaN is no better than any number


@scalar_function
def keep_better_of_halves(numbers, half_size, largest):
    """Writes the larger (or smaller) of numbers[i] and numbers[half_size + i] to numbers[i], for i < half_size."""
    for i in range(half_size):
        value, top = numbers[half_size + i], numbers[i]
        wins = value > top if largest else value < top
        numbers[i] = value if wins else top


@scalar_function
def best_of_16(numbers, largest):
    """Returns the largest (or smallest) of 16 numbers, without its position, so that it vectorises; overwrites them."""
    keep_better_of_halves(numbers, 8, largest)
    keep_better_of_halves(numbers, 4, largest)
    keep_better_of_halves(numbers, 2, largest)
    keep_better_of_halves(numbers, 1, largest)
    return numbers[0]


@scalar_function
def extreme_position_in_row(x, at, size, lane_best, scratch, lane_positions, largest, sign):
    """Returns the first position of the largest (or smallest) of `size` >= 16 contiguous elements, by 16 lanes."""
    for i in range(16):
        lane_best[i] = nan_as_worst(x[at + i], sign)
        lane_positions[i] = int32(i)
    for start in range(16, size, 16):
        begin = least(start, size - 16)  # the last elements overlap
        for i in range(16):
            value, top = x[at + begin + i], lane_best[i]
            wins = value > top if largest else value < top
            lane_best[i] = value if wins else top
            lane_positions[i] = int32(begin + i) if wins else lane_positions[i]
    for i in range(16):
        scratch[i] = lane_best[i]
    top = best_of_16(lane_best, largest)
    for i in range(16):
        lane_positions[i] = lane_positions[i] if scratch[i] == top else int32(0x7FFFFFFF)
    return int64(best_of_16(lane_positions, False))


@scalar_function
def start_of_best_block(x, at, size, scratch, largest, sign):
    """Returns the start of the first block of a row that contains the row's largest (or smallest) element."""
    kernel = 0
    top = nan_as_worst(x[at], sign)
    for start in range(0, size, ROW_BLOCK_ELEMENTS):
        begin = least(start, size - ROW_BLOCK_ELEMENTS)
        for i in range(64):
            scratch[i] = nan_as_worst(x[at + begin + i], sign)
        for c in range(64, ROW_BLOCK_ELEMENTS, 64):
            for i in range(64):
                value, high = x[at + begin + c + i], scratch[i]
                wins = value > high if largest else value < high
                scratch[i] = value if wins else high
        keep_better_of_halves(scratch, 32, largest)
        keep_better_of_halves(scratch, 16, largest)
        most = best_of_16(scratch, largest)
        further = most > top if largest else most < top
        kernel = begin if further else kernel
        top = most if further else top
    return kernel


@scalar_function
def extreme_positions_in_rows(x, out, size, first, last, scratch, largest, sign):
    """Writes the position of the largest (or smallest) element of each row."""
    where, kept = local_array(int32, 16), local_array(T, 16)
    for row in range(first, last):
        at = row * size
        if size < 16:
            top, place = nan_as_worst(x[at], sign), 0
            for i in range(1, size):
                wins = x[at + i] > top if largest else x[at + i] < top
                top = x[at + i] if wins else top
                place = i if wins else place
            out[row] = place
        elif size < 2 * ROW_BLOCK_ELEMENTS:
            out[row] = extreme_position_in_row(x, at, size, scratch, kept, where, largest, sign)
        else:
            begin = start_of_best_block(x, at, size, scratch, largest, sign)
            out[row] = begin + extreme_position_in_row(
                x, at + begin, ROW_BLOCK_ELEMENTS, scratch, kept, where, largest, sign
            )


@kernel(
    "x: in[T], out: out[I], size: int, inner: int, sign: int, first: int, last: int",
    T=(*REAL_DTYPES, "bool"),
    I=POSITION_DTYPES,
)
def extreme_positions(x, out, size, inner, sign, first, last):
    """Writes the position of the first largest element of each line, or smallest for a sign of -1; NaN is skipped.

    A unit of work is one index of outer and `TILE_COLUMNS` of inner.
    """
    best, where = local_array(T, 64), local_array(int64, 64)
    if inner == 1 and sign > 0:
        extreme_positions_in_rows(x, out, size, first, last, best, True, sign)
        return
    if inner == 1:
        extreme_positions_in_rows(x, out, size, first, last, best, False, sign)
        return
    tiles = (inner + TILE_COLUMNS - 1) // TILE_COLUMNS
    for unit in range(first, last):
        outer = unit // tiles
        left = (unit - outer * tiles) * TILE_COLUMNS
        width = least(TILE_COLUMNS, inner - left)
        at = outer * size * inner + left
        for i in range(width):
            best[i] = nan_as_worst(x[at + i], sign)
            where[i] = 0
        for k in range(1, size):
            at += inner
            for i in range(width):
                value, top = x[at + i], best[i]
                if value > top if sign > 0 else value < top:
                    best[i] = value
                    where[i] = k
        for i in range(width):
            out[outer * inner + left + i] = where[i]


def argmax_work(shape: tuple[int, ...], axis: int) -> tuple[int, float]:
    """Returns the number of units of work of `extreme_positions`, and about how many nanoseconds a unit takes."""
    inner = prod(shape[axis + 1 :])
    cost = 0.2 if inner == 1 else 0.7 * min(inner, TILE_COLUMNS)
    return prod(shape[:axis]) * -(-inner // TILE_COLUMNS), cost * shape[axis]


def _make_argmax_launches(sign: int) -> Callable[..., Launches | None]:
    @with_half_floats
    def extreme_launches(
        inputs: Sequence[Spec], outputs: Sequence[Spec], axis: int, output_type: str
    ) -> Launches | None:
        (x,) = inputs
        if (
            x.dtype.name not in (*REAL_DTYPES, "bool")
            or outputs[0].dtype.name not in POSITION_DTYPES
            or x.shape[axis] >= 1 << 31
        ):
            return None
        units, cost = argmax_work(x.shape, axis)
        kernel = extreme_positions[x.dtype, outputs[0].dtype]
        sizes = x.shape[axis], prod(x.shape[axis + 1 :])
        return single_launch(kernel, Input(0), Output(0), *sizes, sign, units=units, unit_cost=cost)

    return extreme_launches


argmax_launches = _make_argmax_launches(1)
argmin_launches = _make_argmax_launches(-1)
