"""Largest and smallest elements of short rows, and of few columns, for which NumPy's loops would be short.

An array is (outer, terms, inner); the terms are reduced. The result is NaN if any element is NaN.
"""

from __future__ import annotations

import numpy as np

from fastgrad.kernels.codegen.body import local_array, pack_panel, scalar_function
from fastgrad.kernels.codegen.build import kernel
from fastgrad.kernels.math.vector_math import least, nan_greatest, nan_least
from fastgrad.kernels.reduction.row_blocks import ROW_PARTS
from fastgrad.kernels.runtime.launch import Input, Launches, Output, single_launch

FLOATS = ("float32", "float64")
MOST_NARROW_ELEMENTS = 512
TILE_COLUMNS = 256
ELEMENT_NANOSECONDS = 0.15  # of an element


@scalar_function
def extreme(a, b, largest):
    """Returns the larger or the smaller of two numbers, NaN if one is NaN."""
    return nan_greatest(a, b) if largest else nan_least(a, b)


@scalar_function
def extremes_along(x, out, columns, first, last, largest):
    """Writes the extreme of each row, for `ROW_PARTS` rows at a time."""
    part, parts, across = local_array(T, 16), local_array(T, 256), local_array(T, 256)
    whole = columns // ROW_PARTS * ROW_PARTS
    for top in range(first, last, ROW_PARTS):
        rows = least(ROW_PARTS, last - top)
        for k in range(rows):
            at = (top + k) * columns
            if whole > 0:
                for i in range(ROW_PARTS):
                    part[i] = x[at + i]
            else:
                for i in range(ROW_PARTS):
                    part[i] = x[at]
            for c in range(ROW_PARTS, whole, ROW_PARTS):
                for i in range(ROW_PARTS):
                    part[i] = extreme(part[i], x[at + c + i], largest)
            for i in range(columns - whole):
                part[i] = extreme(part[i], x[at + whole + i], largest)
            for i in range(ROW_PARTS):
                parts[ROW_PARTS * k + i] = part[i]
        pack_panel(parts, 0, 1, ROW_PARTS, across, ROW_PARTS, ROW_PARTS, rows)
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
        for q in range(1, terms):
            for i in range(used):
                best[i] = extreme(best[i], x[at + q * inner + i], largest)
        for i in range(used):
            out[outer * inner + left + i] = best[i]


@kernel("x: in[T], out: out[T], columns: int, sign: int, first: int, last: int", T=FLOATS)
def row_extremes(x, out, columns, sign, first, last):
    """Writes the largest elements of rows, or the smallest for a sign of -1."""
    if sign > 0:
        extremes_along(x, out, columns, first, last, True)
    else:
        extremes_along(x, out, columns, first, last, False)


@kernel("x: in[T], out: out[T], terms: int, inner: int, sign: int, first: int, last: int", T=FLOATS)
def column_extremes(x, out, terms, inner, sign, first, last):
    """Writes the largest elements of columns, or the smallest for a sign of -1; a unit is a tile of columns."""
    if sign > 0:
        extremes_across(x, out, terms, inner, first, last, True)
    else:
        extremes_across(x, out, terms, inner, first, last, False)


def narrow_extremes(dtype: np.dtype, outer: int, terms: int, inner: int, sign: int) -> Launches | None:
    """Returns the launch that reduces the middle dimension of an array, if it is faster than NumPy, else None.

    Args:
        dtype: float32 or float64.
        outer, terms, inner: its shape, without zeros.
        sign: 1 for the largest elements, -1 for the smallest.
    """
    if (terms if inner == 1 else inner) > MOST_NARROW_ELEMENTS:
        return None
    sizes: tuple[int, ...]
    found, sizes, units = row_extremes[dtype], (terms, sign), outer
    if inner != 1:
        found, sizes, units = column_extremes[dtype], (terms, inner, sign), outer * -(-inner // TILE_COLUMNS)
    return single_launch(
        found, Input(0), Output(0), *sizes, units=units, unit_cost=ELEMENT_NANOSECONDS * outer * terms * inner / units
    )
