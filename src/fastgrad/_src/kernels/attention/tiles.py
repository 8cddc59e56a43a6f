"""Tiles of the matrix of weights: a block of keys by a block of queries, which stays in the first cache.

Queries are contiguous in a tile. So maxima and sums over keys work on a vector of queries at a time, without additions
across a vector. Arrays are (batch, length, heads, width): no head is copied.
"""

from fastgrad._src.jit.body import (
    constant_by_dtype,
    fast_masked_loads,
    multiply_rows,
    pack_panel,
    panel_columns,
    scalar_function,
    vector_lanes,
)
from fastgrad._src.kernels.math.vector_math import least
from fastgrad._src.kernels.random.random import block_words, fraction_bits, least_kept_bits

TILE_QUERIES = 64  # of a tile
TILE_KEYS = 64
CHUNK_QUERIES = 16  # queries that are processed at a time


MASKED_SCORE = constant_by_dtype(float32=-2.3819763e38, float64=-1.2584853904500516e308)
"""The score of a key that a query must not see: 0.7 of the least finite number, as in Keras."""


@scalar_function
def padded_stride(columns):
    """Returns the row stride of a tile's copy: the number of columns, rounded up to a multiple of `CHUNK_QUERIES`."""
    return (columns + CHUNK_QUERIES - 1) // CHUNK_QUERIES * CHUNK_QUERIES


@scalar_function
def multiply_tile(a, a_at, a_row, a_k, b, b_at, b_k, c, c_at, c_row, accumulate, depth, rows, columns, scratch):
    """Multiplies matrices by `multiply_rows`, for any number of columns up to 256 (`MAX_HEAD_WIDTH` in `ops/attention.py`).

    Rows of b that are not contiguous are copied to `scratch`. With strides that are powers of two, they would evict
    each other from the first cache, from which every few rows of a read them again.
    """
    width = panel_columns(T)
    if b_k > padded_stride(columns) or (fast_masked_loads(T) == 0 and columns % vector_lanes(T) != 0):
        stride = padded_stride(columns)
        pack_panel(b, b_at, b_k, 1, scratch, stride, depth, columns)
        for column in range(0, columns, width):
            part = least(width, columns - column)
            multiply_rows(
                a, a_at, a_row, a_k, scratch, column, stride, c, c_at + column, c_row, accumulate, depth, rows, part
            )
    else:
        for column in range(0, columns, width):
            part = least(width, columns - column)
            multiply_rows(
                a, a_at, a_row, a_k, b, b_at + column, b_k, c, c_at + column, c_row, accumulate, depth, rows, part
            )


@scalar_function
def transpose_rows_of_tile(x, at, row_stride, depth, rows, scale, transposed):
    """Writes some rows of x as columns, times scale: element c of row r goes to transposed[TILE_QUERIES c + r]."""
    pack_panel(x, at, 1, row_stride, transposed, TILE_QUERIES, depth, rows)
    if scale != T(1):
        wide = padded_stride(rows)
        for c in range(depth):
            for left in range(0, wide, CHUNK_QUERIES):
                for i in range(CHUNK_QUERIES):
                    transposed[TILE_QUERIES * c + left + i] *= scale


@scalar_function
def hide_scores(scores, top, left, rows, count, causal, masked, mask, mask_at, mask_row, mask_key):
    """Sets scores of hidden keys to `MASKED_SCORE`: keys after the query, and keys for which the mask is False."""
    hidden = T(MASKED_SCORE)
    if causal != 0 and left + count - 1 > top:
        for key in range(count):
            behind = left + key - top
            for i in range(TILE_QUERIES):
                scores[TILE_QUERIES * key + i] = hidden if i < behind else scores[TILE_QUERIES * key + i]
    if masked != 0:
        for key in range(count):
            at = mask_at + (left + key) * mask_key + top * mask_row
            if mask_row == 0:
                if mask[at] == 0:
                    for i in range(TILE_QUERIES):
                        scores[TILE_QUERIES * key + i] = hidden
            else:
                for i in range(rows):
                    if mask[at + i * mask_row] == 0:
                        scores[TILE_QUERIES * key + i] = hidden


@scalar_function
def apply_dropout(tile, words, query_number, row_blocks, left, rows, count, rate):
    """Sets dropped weights to 0 and divides the others by 1 - rate.

    The weights of a query are drawn like a row of an array whose rows are padded to `row_blocks` times 4 elements.
    `query_number` is the number of the tile's first query among those of all batches and heads.
    """
    low, high, word = words[0], words[1], words[2]
    scale = T(1.0 / (1.0 - rate))
    least_kept = least_kept_bits(rate)
    for key in range(0, count, 4):
        for i in range(rows):
            w0, w1, w2, w3 = block_words(word, low, high, (query_number + i) * row_blocks + (left + key) // 4)
            at = TILE_QUERIES * key + i
            tile[at] = tile[at] * scale if fraction_bits(w0) >= least_kept else T(0)
            tile[at + TILE_QUERIES] = tile[at + TILE_QUERIES] * scale if fraction_bits(w1) >= least_kept else T(0)
            tile[at + 2 * TILE_QUERIES] = (
                tile[at + 2 * TILE_QUERIES] * scale if fraction_bits(w2) >= least_kept else T(0)
            )
            tile[at + 3 * TILE_QUERIES] = (
                tile[at + 3 * TILE_QUERIES] * scale if fraction_bits(w3) >= least_kept else T(0)
            )


@scalar_function
def clear_tile(tile, queries):
    """Sets a tile to 0 if the last chunk of queries has columns without a query, since kernels read them, too."""
    if queries % CHUNK_QUERIES != 0:
        for i in range(TILE_KEYS * TILE_QUERIES):
            tile[i] = T(0)


@scalar_function
def scale_rows(x, row_stride, rows, columns, factors):
    """Multiplies each of some rows by its own factor."""
    for r in range(rows):
        factor = factors[r]
        for c in range(columns):
            x[r * row_stride + c] *= factor


@scalar_function
def copy_rows(x, x_stride, out, at, out_stride, rows, columns):
    """Copies rows of a matrix to another matrix, whose rows have another stride."""
    for r in range(rows):
        for c in range(columns):
            out[at + r * out_stride + c] = x[r * x_stride + c]
