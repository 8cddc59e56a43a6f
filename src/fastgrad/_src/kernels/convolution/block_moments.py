"""Mean and variance of each channel of a convolution's result, computed block by block while a block is in the cache.

After each block, the convolution (`slide`) calls a kernel that writes the block's mean and its sum of squares around
it. A second kernel combines the blocks in order. Blocks follow from shapes alone, so bits do not depend on the threads.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy import float64

from fastgrad._src.jit.body import local_array, scalar_function
from fastgrad._src.jit.build import kernel
from fastgrad._src.kernels.convolution.patches import (
    BLOCK_IMAGES_WORD,
    BLOCK_WORD,
    BLOCKS_WORD,
    IMAGES_WORD,
    TARGET_IMAGE_WORD,
    TARGET_WORD,
    result_sizes,
)
from fastgrad._src.kernels.gemm.epilogue import combined_maps
from fastgrad._src.kernels.math.vector_math import least
from fastgrad._src.kernels.reduction.batch_moments import ELEMENT_NANOSECONDS, FLOATS, write_moments_of_rows
from fastgrad._src.kernels.runtime.launch import Constant, KernelEntry, Launch, Operand


@scalar_function
def block_of_element(table, element):
    """Returns the number of the block of positions whose results begin at `element` of the convolution's result."""
    image = element // table[TARGET_IMAGE_WORD]
    rest = element - image * table[TARGET_IMAGE_WORD]
    a = rest // table[TARGET_WORD]
    rest -= a * table[TARGET_WORD]
    b = rest // table[TARGET_WORD + 1]
    c = (rest - b * table[TARGET_WORD + 1]) // table[TARGET_WORD + 2]
    number = image // table[BLOCK_IMAGES_WORD] * table[BLOCKS_WORD] + a // table[BLOCK_WORD]
    number = number * table[BLOCKS_WORD + 1] + b // table[BLOCK_WORD + 1]
    return number * table[BLOCKS_WORD + 2] + c // table[BLOCK_WORD + 2]


@kernel("x: in[T], moments: out[float64], table: in[int64], columns: int, first: int, last: int", T=FLOATS)
def block_moments(x, moments, table, columns, first, last):
    """Computes the mean of x's rows in a block, and the sum of squares around it, for each column.

    Args:
        x: the result of a convolution.
        moments: two rows of `columns` numbers for each block.
        table: the convolution's table.
        columns: the channels.
        first, last: the elements of the block.
    """
    mean_at = 2 * block_of_element(table, first) * columns
    write_moments_of_rows(x, first, (last - first) // columns, columns, moments, mean_at)


@scalar_function
def add_block_moments(moments, at, columns, mean, squares, share, weight, lanes):
    """Adds a block's mean and sum of squares to those of the blocks before it, for `lanes` columns."""
    for o in range(lanes):
        distance = moments[at + o] - mean[o]
        mean[o] += distance * share
        squares[o] += moments[at + columns + o] + distance * distance * weight


@kernel(
    "moments: in[float64], counts: in[int64], mean: out[T], variance: out[T], blocks: int, columns: int, first: int, last: int",
    T=FLOATS,
)
def moments_of_blocks(moments, counts, mean, variance, blocks, columns, first, last):
    """Computes mean and population variance from the moments of blocks of `counts` rows. A unit is 16 columns."""
    so_far = local_array(float64, 16)
    squares = local_array(float64, 16)
    for unit in range(first, last):
        c = unit * 16
        lanes = least(16, columns - c)
        for o in range(lanes):
            so_far[o] = 0.0
            squares[o] = 0.0
        seen = 0
        for block in range(blocks):
            share = counts[block] / (seen + counts[block])
            weight = seen * share
            at = 2 * block * columns + c
            if lanes == 16:
                add_block_moments(moments, at, columns, so_far, squares, share, weight, 16)
            else:
                add_block_moments(moments, at, columns, so_far, squares, share, weight, lanes)
            seen += counts[block]
        for o in range(lanes):
            mean[c + o] = T(so_far[o])
            variance[c + o] = T(squares[o] / seen)


def launches_with_moments(
    convolution: Launch,
    moments_source: Operand,
    dtype: np.dtype,
    columns: int,
    scratch: Operand,
    results: tuple[Operand, Operand],
) -> tuple[tuple[Launch, ...], int]:
    """Returns launches of a convolution that also compute its result's moments, and the size of their scratch memory.

    Args:
        convolution: a launch of `slide` or `slide_lanes`, perhaps with an epilogue.
        moments_source: the array whose moments are computed: the convolution's result, or the epilogue's.
        dtype, columns: of that array.
        scratch: float64.
        results: mean and variance.

    Returns:
        The launches, and the number of elements of `scratch`.
    """
    array, filters, target, table, _, following = convolution.operands
    assert isinstance(table, Constant)
    words = table.array
    counts = _rows_of_blocks(words)
    size = int(counts.sum()) * columns
    work = ELEMENT_NANOSECONDS * size / convolution.units
    moments = Launch(block_moments[dtype], (moments_source, scratch, table, columns), convolution.units, work)
    after = combined_maps(following, moments) if isinstance(following, Launch) else moments
    operands = array, filters, target, table, KernelEntry(after.kernel), after
    first = Launch(convolution.kernel, operands, convolution.units, convolution.unit_cost + work)
    units = -(-columns // 16)
    last = Launch(
        moments_of_blocks[dtype], (scratch, Constant(counts), *results, len(counts), columns), units, 8.0 * len(counts)
    )
    return (first, last), 2 * len(counts) * columns


def _rows_of_blocks(table: np.ndarray) -> np.ndarray:
    """Returns how many rows of the result each block of a table has."""
    sizes = [int(table[IMAGES_WORD]), *result_sizes(table)]
    steps = [int(table[BLOCK_IMAGES_WORD]), *table[BLOCK_WORD : BLOCK_WORD + 3].tolist()]
    found = [
        np.minimum(step, size - np.arange(0, size, step, dtype=np.int64))
        for size, step in zip(sizes, steps, strict=True)
    ]
    return np.ascontiguousarray(functools.reduce(np.multiply.outer, found).reshape(-1))
