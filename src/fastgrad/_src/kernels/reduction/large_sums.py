"""Sums and means of large arrays in eager mode, with the bits of a compiled step (compiler/fusion/emit_reduction.py).

An array is (outer, terms, inner); the terms are added. If inner is 1, a unit is a row, or a part of a long row: element
i of each block goes to lane i % `LANES`, and a block's total is added to the row's in float64. Otherwise a unit is a
tile of `LANES` columns, or a part of its terms. If there are few long sums, each is cut into parts of a size that the
shape gives, and a second kernel adds their totals. So bits depend on the shape alone.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy import float64

from fastgrad._src.jit.body import local_array, scalar_function
from fastgrad._src.jit.build import kernel
from fastgrad._src.kernels.math.vector_math import least
from fastgrad._src.kernels.reduction.lanes import (
    ENOUGH_UNITS,
    LANE_DEPTH,
    LANES,
    LEAST_SPLIT_ELEMENTS,
    PART_ELEMENTS,
    SHORT_ROW_ELEMENTS,
    lanes_sum,
    padded_lane_count,
)
from fastgrad._src.kernels.reduction.row_blocks import add_parts_to_totals, clear_totals
from fastgrad._src.kernels.runtime.launch import Input, Launch, Launches, Output, Scratch

FLOATS = ("float32", "float64")
BLOCK_ELEMENTS = LANES * LANE_DEPTH
ELEMENT_NANOSECONDS = 0.2  # about, for an element of an array in a far cache


@scalar_function
def sums_of_16_lanes(x, at, count, lanes, sums):
    """Sets the 16 numbers `sums` to the sums of every 16th of x's `count` elements from `at` on; `lanes` is scratch."""
    for i in range(16):
        sums[i] = T(0)
    if count <= LANES:
        whole = count // 16 * 16
        for c in range(0, whole, 16):
            for i in range(16):
                sums[i] += x[at + c + i]
        for i in range(count - whole):
            sums[i] += x[at + whole + i]
    else:
        whole = count // LANES * LANES
        for i in range(LANES):
            lanes[i] = x[at + i]
        for start in range(LANES, whole, LANES):
            for i in range(LANES):
                lanes[i] += x[at + start + i]
        for i in range(count - whole):
            lanes[i] += x[at + whole + i]
        for c in range(0, LANES, 16):
            for i in range(16):
                sums[i] += lanes[c + i]


@kernel(
    "x: in[T], out: out[V], columns: int, size: int, parts: int, divisor: int, first: int, last: int",
    T=FLOATS,
    V=FLOATS,
)
def sum_along(x, out, columns, size, parts, divisor, first, last):
    """Sums rows, or parts of `size` elements if there are several parts, and divides by a number."""
    lanes, part = local_array(T, 256), local_array(T, 16)
    sums, across, totals = local_array(T, 256), local_array(T, 256), local_array(float64, 16)
    together = 16 if parts == 1 else 1
    for top in range(first, last, together):
        rows = least(together, last - top)
        clear_totals(totals)
        begin = top // parts * columns + top % parts * size
        count = least(size, columns - top % parts * size)
        for block in range(0, count, BLOCK_ELEMENTS):
            for k in range(rows):
                sums_of_16_lanes(x, begin + k * columns + block, least(BLOCK_ELEMENTS, count - block), lanes, part)
                for i in range(16):
                    sums[16 * k + i] = part[i]
            add_parts_to_totals(sums, rows, across, totals)
        for k in range(rows):
            out[top + k] = V(T(totals[k]) / T(divisor)) if parts == 1 else V(totals[k])


@kernel("x: in[T], out: out[T], columns: int, divisor: int, first: int, last: int", T=FLOATS)
def sum_short_rows(x, out, columns, divisor, first, last):
    """Sums rows of few elements and divides by a number."""
    for r in range(first, last):
        total = T(0)
        for c in range(r * columns, (r + 1) * columns):
            total += x[c]
        out[r] = total / T(divisor)


@kernel(
    "x: in[T], out: out[V], terms: int, inner: int, size: int, parts: int, outer: int, divisor: int, "
    "first: int, last: int",
    T=FLOATS,
    V=FLOATS,
)
def sum_across(x, out, terms, inner, size, parts, outer, divisor, first, last):
    """Sums over the terms, or over parts of them, and divides by a number; all first parts come first."""
    lanes, totals = local_array(T, 256), local_array(float64, 256)
    tiles = (inner + LANES - 1) // LANES
    for u in range(first, last):
        band = u // tiles
        left = (u - band * tiles) * LANES
        used = least(LANES, inner - left)
        begin = band // outer * size
        stop = least(begin + size, terms)
        base = band % outer * terms * inner + left
        for i in range(used):
            totals[i] = float64(0)
        for block in range(begin, stop, LANE_DEPTH):
            for i in range(used):
                lanes[i] = T(0)
            end = least(block + LANE_DEPTH, stop)
            whole = block + (end - block) // 4 * 4
            for q in range(block, whole, 4):
                at = base + q * inner
                for i in range(used):
                    one = lanes[i] + x[at + i] + x[at + inner + i]
                    lanes[i] = one + x[at + 2 * inner + i] + x[at + 3 * inner + i]
            for q in range(whole, end):
                at = base + q * inner
                for i in range(used):
                    lanes[i] += x[at + i]
            for i in range(used):
                totals[i] += float64(lanes[i])
        for i in range(used):
            out[band * inner + left + i] = V(T(totals[i]) / T(divisor)) if parts == 1 else V(totals[i])


@kernel(
    "totals: in[float64], out: out[T], parts: int, result_stride: int, part_stride: int, divisor: int, first: int, "
    "last: int",
    T=FLOATS,
)
def add_totals(totals, out, parts, result_stride, part_stride, divisor, first, last):
    """Adds up each result's partial sums, `part_stride` apart; first partial sums are `result_stride` apart."""
    lanes = local_array(float64, 256)
    for r in range(first, last):
        used = padded_lane_count(least(LANES, parts))
        for i in range(used):
            lanes[i] = float64(0)
        for start in range(0, parts, LANES):
            for i in range(least(LANES, parts - start)):
                lanes[i] += totals[r * result_stride + (start + i) * part_stride]
        out[r] = T(lanes_sum(lanes, used)) / T(divisor)


@lru_cache(4096)
def large_sum_launches(dtype: np.dtype, outer: int, terms: int, inner: int, divisor: int) -> Launches:
    """Returns the launches that sum the middle dimension of an array.

    Args:
        dtype: float32 or float64.
        outer, terms, inner: its shape, without zeros; terms > 1.
        divisor: the divisor of the sums.
    """
    count, wide = outer * terms * inner, np.dtype(float64)
    if inner == 1:
        units, size = outer, PART_ELEMENTS
    else:
        units, size = (
            outer * -(-inner // LANES),
            max(LANE_DEPTH, PART_ELEMENTS // min(inner, LANES) // LANE_DEPTH * LANE_DEPTH),
        )
    parts = 1 if units >= ENOUGH_UNITS or count < LEAST_SPLIT_ELEMENTS else -(-terms // size)
    place, kind = (Output(0), dtype) if parts == 1 else (Scratch(0), wide)
    size = terms if parts == 1 else size
    cost = ELEMENT_NANOSECONDS * count / (units * parts)
    operands: tuple[Any, ...] = (Input(0), place)
    if inner != 1:
        found: Any = sum_across[dtype, kind]
        launch = Launch(found, (*operands, terms, inner, size, parts, outer, divisor), units * parts, cost)
    elif terms <= SHORT_ROW_ELEMENTS:
        launch = Launch(sum_short_rows[dtype], (*operands, terms, divisor), units, cost)
    else:
        launch = Launch(sum_along[dtype, kind], (*operands, terms, size, parts, divisor), units * parts, cost)
    if parts == 1:
        return Launches((launch,))
    apart = (parts, 1) if inner == 1 else (1, outer * inner)
    join = Launch(add_totals[dtype], (Scratch(0), Output(0), parts, *apart, divisor), outer * inner, float(parts))
    return Launches((launch, join), ((wide, outer * inner * parts),))
