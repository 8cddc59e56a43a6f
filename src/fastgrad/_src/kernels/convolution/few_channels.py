"""Convolutions with few output channels: first the products of all positions with all cells, then their sums.

The products fill vectors, which few channels would not.

For example, the gradient of an image with one channel has nine products for each position of the result's cotangent:
one for each cell that the position has read. A position of the gradient is the sum of nine products.
"""

from __future__ import annotations

from fastgrad._src.jit.body import local_array, multiply_windows, panel_columns
from fastgrad._src.jit.build import kernel
from fastgrad._src.kernels.convolution.patches import (
    MOST_CHAIN_TERMS,
    SUM_DTYPES,
    block_position,
    block_position_count,
    copy_patch,
    target_offset,
)
from fastgrad._src.kernels.math.vector_math import least

MOST_OUTPUT_CHANNELS = 4  # most output channels
LEAST_WINDOW_CELLS = 4  # least cells of a window, and least terms of a position
MOST_BLOCK_PRODUCTS = 16384  # products that a block keeps: the literal in the body

# Words of a table from `TARGET_WORD` on: products of a position, channels of a result, rows of a patch, their offsets,
# terms.
(
    WIDTH_WORD, COLUMNS_WORD, PATCH_ROWS_WORD, PATCH_ROWS_AT_WORD,
    DEPTH_WORD, TERMS_AT_WORD, PHASES_WORD, HEADER_WORDS,
) = 26, 27, 28, 29, 30, 31, 32, 33  # fmt: skip
# Words of a phase: positions, rows, cells and their number, its start. Rows alternate offsets of products and of
# results; cells are offsets of products.
POSITIONS_WORD, ROWS_AT_WORD, CELLS_AT_WORD, CELL_COUNT_WORD, TARGET_AT_WORD, PHASE_WORDS = 0, 3, 4, 5, 6, 7


@kernel(
    "filters: in[T], spread: out[T], cells: int, columns: int, from_cell: int, from_term: int, from_column: int, first: int, "
    "last: int",
    T=SUM_DTYPES,
)
def spread_filters(filters, spread, cells, columns, from_cell, from_term, from_column, first, last):
    """spread[term, cell, column] = the filter of cell, term and column: a copy in another order. A unit is a term."""
    for term in range(first, last):
        for cell in range(cells):
            for c in range(columns):
                at = cell * from_cell + term * from_term + c * from_column
                spread[(term * cells + cell) * columns + c] = filters[at]


@kernel("source: in[T], filters: in[T], target: out[T], table: in[int64], first: int, last: int", T=SUM_DTYPES)
def slide_few_channels(source, filters, target, table, first, last):
    """target = a convolution of source with filters of `spread_filters`. A unit of work is a block of positions."""
    patch = local_array(T, 32768)
    products = local_array(T, 16384)
    panel = panel_columns(T)
    width, count = table[WIDTH_WORD], table[COLUMNS_WORD]
    chains = (table[DEPTH_WORD] + MOST_CHAIN_TERMS - 1) // MOST_CHAIN_TERMS
    length = (table[DEPTH_WORD] + chains - 1) // chains
    for unit in range(first, last):
        image, images, a, b, c = block_position(table, unit)
        copy_patch(source, patch, table, image, images, a, b, c)
        for column in range(0, width, panel):
            for chain in range(chains):
                term = chain * length
                multiply_windows(
                    patch, 0, filters, column, products, column, term, table, table[TERMS_AT_WORD] + 2 * term,
                    least(length, table[DEPTH_WORD] - term), table[PATCH_ROWS_AT_WORD],
                    images * table[PATCH_ROWS_WORD], least(panel, width - column),
                )  # fmt: skip
        home = target_offset(table, image, a, b, c)
        for number in range(table[PHASES_WORD]):
            phase = HEADER_WORDS + number * PHASE_WORDS
            rows = images * block_position_count(table, phase + POSITIONS_WORD, a, b, c)
            rows_at, cells_at, cells = (
                table[phase + ROWS_AT_WORD],
                table[phase + CELLS_AT_WORD],
                table[phase + CELL_COUNT_WORD],
            )
            for r in range(rows):
                at = table[rows_at + 2 * r]
                to = home + table[phase + TARGET_AT_WORD] + table[rows_at + 2 * r + 1]
                for q in range(count):
                    total = T(0)
                    for cell in range(cells):
                        total += products[at + table[cells_at + cell] + q]
                    target[to + q] = total
