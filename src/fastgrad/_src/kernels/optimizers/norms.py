"""Sums of squares, for clipping by norm.

A sum is the sum of the sums of its blocks, in order. So its bits do not depend on the threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from fastgrad._src.jit.body import local_array
from fastgrad._src.jit.build import kernel
from fastgrad._src.kernels.math.vector_math import greatest, least
from fastgrad._src.kernels.reduction.reductions import BLOCK_ELEMENTS, sum_of_block_squares
from fastgrad._src.kernels.runtime.launch import Input, Launch, Launches, Output, Scratch, Spec

FLOATS = ("float32", "float64")
ELEMENT_NANOSECONDS = 0.1  # of an element
LEAST_SHARED_ELEMENTS = 1 << 16  # fewer elements are added up by one thread


@kernel("g: ins[T], count: count, sizes: sizes, out: out[float64]", T=FLOATS)
def sums_of_squares(g, count, sizes, out):
    """Writes the sum of the squares of each array; out has one element an array."""
    lanes = local_array(T, 256)
    for k in range(count):
        x, n = g[k], sizes[k]
        total = 0.0
        for start in range(0, n, BLOCK_ELEMENTS):
            total += sum_of_block_squares(x, start, least(start + BLOCK_ELEMENTS, n), lanes)
        out[k] = total


@kernel("g: ins[T], count: count, sizes: sizes, out: out[float64], first: int, last: int", T=FLOATS)
def sums_of_squares_of_blocks(g, count, sizes, out, first, last):
    """Writes the sums of the squares of blocks of several arrays, whose blocks are numbered array after array."""
    lanes = local_array(T, 256)
    begin = 0
    for k in range(count):
        x, n = g[k], sizes[k]
        end = begin + (n + BLOCK_ELEMENTS - 1) // BLOCK_ELEMENTS
        for block in range(greatest(first, begin), least(last, end)):
            start = (block - begin) * BLOCK_ELEMENTS
            out[block] = sum_of_block_squares(x, start, least(start + BLOCK_ELEMENTS, n), lanes)
        begin = end


@kernel("g: ins[T], count: count, sizes: sizes, sums: in[float64], out: out[float64]", T=FLOATS)
def sums_of_squares_of_arrays(g, count, sizes, sums, out):
    """Writes the results of `sums_of_squares` from the sums of `sums_of_squares_of_blocks`."""
    begin = 0
    for k in range(count):
        end = begin + (sizes[k] + BLOCK_ELEMENTS - 1) // BLOCK_ELEMENTS
        total = 0.0
        for block in range(begin, end):
            total += sums[block]
        out[k] = total
        begin = end


@kernel("sums: in[float64], out: out[T], count: int", T=FLOATS)
def total_of_blocks(sums, out, count):
    """Writes the sum of the sums of blocks, in order."""
    total = 0.0
    for block in range(count):
        total += sums[block]
    out[0] = T(total)


def sum_of_squares_launches(inputs: Sequence[Spec], outputs: Sequence[Spec]) -> Launches:
    """Returns the launches for the sum of squares of one array, in its dtype."""
    dtype, size = inputs[0].dtype, prod(inputs[0].shape)
    blocks = block_count(size)
    operands = (Input(0),), Scratch(0)
    first = Launch(sums_of_squares_of_blocks[dtype], operands, blocks, BLOCK_ELEMENTS * ELEMENT_NANOSECONDS)
    last = Launch(total_of_blocks[dtype], (Scratch(0), Output(0), blocks))
    return Launches((first, last), ((np.dtype(np.float64), blocks),))


def sums_of_squares_launches(inputs: Sequence[Spec], outputs: Sequence[Spec]) -> Launches:
    """Returns the launches for a vector of sums of squares of arrays of one dtype; any threads give the same bits."""
    dtype, sizes = inputs[0].dtype, [prod(x.shape) for x in inputs]
    arrays = tuple([Input(i) for i in range(len(inputs))])
    if sum(sizes) < LEAST_SHARED_ELEMENTS:
        return Launches((Launch(sums_of_squares[dtype], (arrays, Output(0))),))
    blocks = sum(map(block_count, sizes))
    first = Launch(
        sums_of_squares_of_blocks[dtype], (arrays, Scratch(0)), blocks, sum(sizes) * ELEMENT_NANOSECONDS / blocks
    )
    last = Launch(sums_of_squares_of_arrays[dtype], (arrays, Scratch(0), Output(0)))
    return Launches((first, last), ((np.dtype(np.float64), blocks),))


def block_count(size: int) -> int:
    """Returns the number of blocks of an array of `size` elements."""
    return -(-size // BLOCK_ELEMENTS)
