"""Mean and variance of the columns of a matrix, read once.

A block of rows is small enough to be read twice from the first cache: for its mean, and for the squares around it.
Blocks of a part, and then parts, are combined by the formula for the moments of a union (Chan, Golub and LeVeque,
1979). Parts follow from the shape alone, so bits do not depend on the threads.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy import float64

from fastgrad._src.jit.body import local_array, scalar_function
from fastgrad._src.jit.build import kernel
from fastgrad._src.kernels.elementwise.half import with_half_floats
from fastgrad._src.kernels.math.vector_math import least
from fastgrad._src.kernels.runtime.launch import Input, Launch, Launches, Output, Scratch, Spec

FLOATS = ("float32", "float64")
MOST_PARTS = 16
LEAST_PART_ROWS = 512  # least rows of a part
BLOCK_ROWS = 64  # of a block: the bodies' literal
ELEMENT_NANOSECONDS = 0.1  # about, for an element


@scalar_function
def add_block_to_moments(x, at, columns, rows, rows_before, moments, mean_at, square_at, total, square, rest, lanes):
    """Adds a block of rows to the moments of the `rows_before` rows before it, for some columns.

    `total` is the mean rounded to T; `rest` is the sum of the distances from it, whose mean corrects the rounding.
    """
    for o in range(lanes):
        total[o] = T(0)
        square[o] = T(0)
        rest[o] = T(0)
    for r in range(rows):
        for o in range(lanes):
            total[o] += x[at + r * columns + o]
    for o in range(lanes):
        total[o] /= T(rows)
    for r in range(rows):
        for o in range(lanes):
            off = x[at + r * columns + o] - total[o]
            square[o] += off * off
            rest[o] += off
    share = rows / (rows_before + rows)
    for o in range(lanes):
        lacks = float64(rest[o]) / rows
        apart = total[o] + lacks - moments[mean_at + o]
        moments[mean_at + o] += apart * share
        moments[square_at + o] += square[o] - lacks * rest[o] + apart * apart * (rows_before * share)


@scalar_function
def write_moments_of_rows(x, start, rows, columns, moments, mean_at):
    """Writes the mean of each column of `rows` rows from the element `start` on, then the sums of squares around it."""
    total = local_array(T, 16)
    square = local_array(T, 16)
    rest = local_array(T, 16)
    square_at = mean_at + columns
    for c in range(2 * columns):
        moments[mean_at + c] = 0.0
    for block in range((rows + 63) // 64):
        before = block * 64
        some = least(64, rows - before)
        at = start + before * columns
        for c in range(0, columns - 15, 16):
            add_block_to_moments(
                x, at + c, columns, some, before, moments, mean_at + c, square_at + c, total, square, rest, 16
            )
        c = columns // 16 * 16
        if c < columns:
            lanes = columns - c
            add_block_to_moments(
                x, at + c, columns, some, before, moments, mean_at + c, square_at + c, total, square, rest, lanes
            )


@kernel("x: in[T], moments: out[float64], rows: int, columns: int, parts: int, first: int, last: int", T=FLOATS)
def moments_of_parts(x, moments, rows, columns, parts, first, last):
    """Writes the mean and the sum of squares around it of each column, for each part of x's rows. A unit is a part."""
    for part in range(first, last):
        begin, end = rows * part // parts, rows * (part + 1) // parts
        write_moments_of_rows(x, begin * columns, end - begin, columns, moments, 2 * part * columns)


@kernel(
    "moments: in[float64], mean: out[T], variance: out[T], rows: int, columns: int, parts: int, first: int, last: int",
    T=FLOATS,
)
def combine_moments(moments, mean, variance, rows, columns, parts, first, last):
    """Writes mean and population variance, from the moments of parts. A unit is a column; without rows both are NaN."""
    for c in range(first, last):
        so_far, squares = 0.0, 0.0
        for part in range(parts):
            begin, end = rows * part // parts, rows * (part + 1) // parts
            share = (end - begin) / end
            apart = moments[2 * part * columns + c] - so_far
            so_far += apart * share
            squares += moments[(2 * part + 1) * columns + c] + apart * apart * (begin * share)
        mean[c] = T(so_far)
        variance[c] = T(squares / rows)


@with_half_floats
def batch_moments_launches(inputs: Sequence[Spec], outputs: Sequence[Spec]) -> Launches | None:
    """Returns the launches for mean and population variance of each column of a matrix."""
    (x,) = inputs
    rows, columns = x.shape
    if x.dtype.name not in FLOATS:
        return None
    parts = max(1, min(MOST_PARTS, rows // LEAST_PART_ROWS))
    sizes = rows, columns, parts
    work = Launch(
        moments_of_parts[x.dtype], (Input(0), Scratch(0), *sizes), parts, ELEMENT_NANOSECONDS * rows * columns / parts
    )
    join = Launch(combine_moments[x.dtype], (Scratch(0), Output(0), Output(1), *sizes), columns, parts)
    return Launches((work, join), ((np.dtype(np.float64), 2 * parts * columns),))
