"""Sums of the columns of a matrix, from the sums of blocks of its rows."""

from __future__ import annotations

from numpy import float64

from fastgrad._src.jit.body import local_array
from fastgrad._src.jit.build import kernel
from fastgrad._src.kernels.math.vector_math import least

FLOATS = ("float32", "float64")
NANOSECONDS_PER_NUMBER = 0.1  # of a number, about


@kernel("sums: in[float64], out: out[T], blocks: int, columns: int, first: int, last: int", noalias=True, T=FLOATS)
def add_blocks(sums, out, blocks, columns, first, last):
    """Adds up the sums of blocks, an array of shape (blocks, columns), in order. A unit is a column."""
    totals = local_array(float64, 256)
    for left in range(first, last, 256):
        width = least(256, last - left)
        for i in range(width):
            totals[i] = sums[left + i]
        for block in range(1, blocks):
            at = block * columns + left
            for i in range(width):
                totals[i] += sums[at + i]
        for i in range(width):
            out[left + i] = T(totals[i])
