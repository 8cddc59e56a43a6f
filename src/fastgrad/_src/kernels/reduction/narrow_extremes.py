"""Largest and smallest elements of short rows and of few columns, for which NumPy's loops would be short, and of large arrays.

An array is (outer, terms, inner); the terms are reduced. The result is NaN if any element is NaN. If there are few long
rows, each is cut into parts of a size that does not depend on the number of threads.
"""

from __future__ import annotations

import numpy as np

from fastgrad._src.jit.body import local_array, pack_panel, scalar_function
from fastgrad._src.jit.build import kernel
from fastgrad._src.kernels.math.vector_math import least, nan_greatest, nan_least
from fastgrad._src.kernels.reduction.lanes import ENOUGH_UNITS, PART_ELEMENTS
from fastgrad._src.kernels.reduction.row_blocks import ROW_PARTS
from fastgrad._src.kernels.runtime.launch import Input, Launch, Launches, Output, Scratch

FLOATS = ("float32", "float64")
MOST_NARROW_COLUMNS = 512
LEAST_WIDE_ELEMENTS = 1 << 17
"""The elements of an array of longer rows, or of more columns, from which all threads are faster than NumPy."""
LEAST_LONG_ELEMENTS = 1 << 21
"""The same for rows of more than `PART_ELEMENTS`."""
WIDE = 4 * ROW_PARTS
TILE_COLUMNS = 256
ELEMENT_NANOSECONDS = 0.15  # of an element


@scalar_function
def extreme(a, b, largest):
    """Returns the larger or the smaller of two numbers, NaN if one is NaN."""
    return nan_greatest(a, b) if largest else nan_least(a, b)


@scalar_function
def extremes_of_16_parts(x, at, count, part, largest):
    """Sets the 16 numbers `part` to the extremes of every 16th of x's `count` elements from `at` on, count > 0."""
    whole = count // ROW_PARTS * ROW_PARTS
    if whole > 0:
        for i in range(ROW_PARTS):
            part[i] = x[at + i]
    else:
        for i in range(ROW_PARTS):
            part[i] = x[at]
    done = ROW_PARTS
    if whole >= 2 * WIDE:  # several chains of comparisons, so that one need not wait for another
        second, third, fourth = local_array(T, 16), local_array(T, 16), local_array(T, 16)
        for i in range(ROW_PARTS):
            second[i] = x[at + ROW_PARTS + i]
            third[i] = x[at + 2 * ROW_PARTS + i]
            fourth[i] = x[at + 3 * ROW_PARTS + i]
        done = whole // WIDE * WIDE
        for c in range(at + WIDE, at + done, WIDE):
            for i in range(ROW_PARTS):
                part[i] = extreme(part[i], x[c + i], largest)
            for i in range(ROW_PARTS):
                second[i] = extreme(second[i], x[c + ROW_PARTS + i], largest)
            for i in range(ROW_PARTS):
                third[i] = extreme(third[i], x[c + 2 * ROW_PARTS + i], largest)
            for i in range(ROW_PARTS):
                fourth[i] = extreme(fourth[i], x[c + 3 * ROW_PARTS + i], largest)
        for i in range(ROW_PARTS):
            part[i] = extreme(extreme(part[i], second[i], largest), extreme(third[i], fourth[i], largest), largest)
    for c in range(done, whole, ROW_PARTS):
        for i in range(ROW_PARTS):
            part[i] = extreme(part[i], x[at + c + i], largest)
    for i in range(count - whole):
        part[i] = extreme(part[i], x[at + whole + i], largest)


@scalar_function
def extremes_along(x, out, columns, size, parts, first, last, largest):
    """Writes the extremes of rows, for `ROW_PARTS` rows at a time; or of parts of `size` elements, one at a time."""
    part, all_parts, across = local_array(T, 16), local_array(T, 256), local_array(T, 256)
    together = ROW_PARTS if parts == 1 else 1
    for top in range(first, last, together):
        rows = least(together, last - top)
        begin = top // parts * columns + top % parts * size
        count = least(size, columns - top % parts * size)
        for k in range(rows):
            extremes_of_16_parts(x, begin + k * columns, count, part, largest)
            for i in range(ROW_PARTS):
                all_parts[ROW_PARTS * k + i] = part[i]
        pack_panel(all_parts, 0, 1, ROW_PARTS, across, ROW_PARTS, ROW_PARTS, rows)
        for i in range(1, ROW_PARTS):
            for k in range(ROW_PARTS):
                across[k] = extreme(across[k], across[ROW_PARTS * i + k], largest)
        for k in range(rows):
            out[top + k] = across[k]


@scalar_function
def extremes_across(x, out, terms, inner, first, last, largest):
    """Writes the extreme of each column, for a tile of columns at a time."""
    best = local_array(T, 256)
    tiles = (inner + TILE_COLUMNS - 1) // TILE_COLUMNS
    for unit in range(first, last):
        outer = unit // tiles
        left = (unit - outer * tiles) * TILE_COLUMNS
        used = least(TILE_COLUMNS, inner - left)
        at = outer * terms * inner + left
        for i in range(used):
            best[i] = x[at + i]
        pairs = 1 + (terms - 1) // 2 * 2
        for q in range(1, pairs, 2):
            row = at + q * inner
            for i in range(used):
                best[i] = extreme(best[i], extreme(x[row + i], x[row + inner + i], largest), largest)
        if pairs < terms:
            row = at + pairs * inner
            for i in range(used):
                best[i] = extreme(best[i], x[row + i], largest)
        for i in range(used):
            out[outer * inner + left + i] = best[i]


@kernel("x: in[T], out: out[T], columns: int, size: int, parts: int, sign: int, first: int, last: int", T=FLOATS)
def row_extremes(x, out, columns, size, parts, sign, first, last):
    """Writes the largest elements of rows, or of parts of `size` elements; the smallest for a sign of -1."""
    if sign > 0:
        extremes_along(x, out, columns, size, parts, first, last, True)
    else:
        extremes_along(x, out, columns, size, parts, first, last, False)


@kernel("x: in[T], out: out[T], terms: int, inner: int, sign: int, first: int, last: int", T=FLOATS)
def column_extremes(x, out, terms, inner, sign, first, last):
    """Writes the largest elements of columns, or the smallest for a sign of -1; a unit is a tile of columns."""
    if sign > 0:
        extremes_across(x, out, terms, inner, first, last, True)
    else:
        extremes_across(x, out, terms, inner, first, last, False)


def narrow_extremes_launches(dtype: np.dtype, outer: int, terms: int, inner: int, sign: int) -> Launches | None:
    """Returns the launches that reduce the middle dimension of an array, if they are faster than NumPy, else None.

    Args:
        dtype: float32 or float64.
        outer, terms, inner: its shape, without zeros.
        sign: 1 for the largest elements, -1 for the smallest.
    """
    count = outer * terms * inner
    if inner != 1:
        units = outer * -(-inner // TILE_COLUMNS)
        if inner > MOST_NARROW_COLUMNS and (units == 1 or count < LEAST_WIDE_ELEMENTS):
            return None
        cost = ELEMENT_NANOSECONDS * count / units
        return Launches((Launch(column_extremes[dtype], (Input(0), Output(0), terms, inner, sign), units, cost),))
    is_long = terms > PART_ELEMENTS
    if count < (LEAST_LONG_ELEMENTS if is_long else LEAST_WIDE_ELEMENTS) and terms > MOST_NARROW_COLUMNS:
        return None
    cost = ELEMENT_NANOSECONDS * terms
    found = row_extremes[dtype]
    if outer >= ENOUGH_UNITS or not is_long:
        return Launches((Launch(found, (Input(0), Output(0), terms, terms, 1, sign), outer, cost),))
    parts = -(-terms // PART_ELEMENTS)
    cut = Launch(found, (Input(0), Scratch(0), terms, PART_ELEMENTS, parts, sign), outer * parts, cost / parts)
    join = Launch(found, (Scratch(0), Output(0), parts, parts, 1, sign), outer, ELEMENT_NANOSECONDS * parts)
    return Launches((cut, join), ((dtype, outer * parts),))
