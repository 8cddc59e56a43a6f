"""Matrix products in tiles of 32 rows and columns, by 128 threads, each with eight rows of a column in registers.

A stretch of terms is in shared memory. The element of row r and term k is at 33 k + r of `left`, that of column c at 33 k + c of
`right`. So both directions of writes are free of bank conflicts.
"""

from __future__ import annotations

from fastgrad.kernels.codegen.body import by_dtype, fused_multiply_add, scalar_function

TILE_SIDE = 32
"""The rows and columns of a tile, and the terms in shared memory at a time; bodies have it as a literal."""


def _multiply_add_floats(a, b, c):
    """Returns a b + c for floats, rounded once."""
    return fused_multiply_add(a, b, c)


def _multiply_add_integers(a, b, c):
    return T(a * b + c)


multiply_add = by_dtype(float32=_multiply_add_floats, float64=_multiply_add_floats, int32=_multiply_add_integers)


@scalar_function
def add_stretch(left, right, row, column, s0, s1, s2, s3, s4, s5, s6, s7):
    """Adds a stretch of 32 terms to eight sums, of the rows `row`, `row` + 4, ... and a column."""
    for k in range(32):
        b = right[k * 33 + column]
        at = k * 33 + row
        s0 = multiply_add(left[at], b, s0)
        s1 = multiply_add(left[at + 4], b, s1)
        s2 = multiply_add(left[at + 8], b, s2)
        s3 = multiply_add(left[at + 12], b, s3)
        s4 = multiply_add(left[at + 16], b, s4)
        s5 = multiply_add(left[at + 20], b, s5)
        s6 = multiply_add(left[at + 24], b, s6)
        s7 = multiply_add(left[at + 28], b, s7)
    return s0, s1, s2, s3, s4, s5, s6, s7


@scalar_function
def sum_number(i, s0, s1, s2, s3, s4, s5, s6, s7):
    """Returns number i of eight sums, which are separate variables and so stay in registers."""
    low = (s0 if i == 0 else s1) if i < 2 else (s2 if i == 2 else s3)
    high = (s4 if i == 4 else s5) if i < 6 else (s6 if i == 6 else s7)
    return low if i < 4 else high


@scalar_function
def add_wide_stretch(
    left, right_one, right_two, row, column, s0, s1, s2, s3, s4, s5, s6, s7, t0, t1, t2, t3, t4, t5, t6, t7
):
    """Adds a stretch to the sums of two columns, in `right_one` and `right_two`; each read of `left` serves both."""
    for k in range(32):
        b, c = right_one[k * 33 + column], right_two[k * 33 + column]
        at = k * 33 + row
        a = left[at]
        s0, t0 = multiply_add(a, b, s0), multiply_add(a, c, t0)
        a = left[at + 4]
        s1, t1 = multiply_add(a, b, s1), multiply_add(a, c, t1)
        a = left[at + 8]
        s2, t2 = multiply_add(a, b, s2), multiply_add(a, c, t2)
        a = left[at + 12]
        s3, t3 = multiply_add(a, b, s3), multiply_add(a, c, t3)
        a = left[at + 16]
        s4, t4 = multiply_add(a, b, s4), multiply_add(a, c, t4)
        a = left[at + 20]
        s5, t5 = multiply_add(a, b, s5), multiply_add(a, c, t5)
        a = left[at + 24]
        s6, t6 = multiply_add(a, b, s6), multiply_add(a, c, t6)
        a = left[at + 28]
        s7, t7 = multiply_add(a, b, s7), multiply_add(a, c, t7)
    return s0, s1, s2, s3, s4, s5, s6, s7, t0, t1, t2, t3, t4, t5, t6, t7
