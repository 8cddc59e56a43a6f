"""Products of bfloat16 matrices with float32 sums and terms in pairs: twice as fast as `gemm` on capable processors.

As in `gemm`, each element is a sum of chains whose lengths follow from k, and its bits depend only on its row of A and
its column of B. (Processors without an instruction for pairs may give other bits where numbers below 2^-126 occur; see
`jit/pair_emission.py`.)
"""

from __future__ import annotations

from numpy import int32, int64

from fastgrad._src.jit.body import (
    call_step,
    local_array,
    multiply_pairs,
    pack_pairs,
    panel_array,
    panel_columns,
    scalar_function,
    vector_lanes,
)
from fastgrad._src.jit.build import kernel
from fastgrad._src.kernels.gemm.gemm import chains_of
from fastgrad._src.kernels.math.vector_math import least

ROWS_COPIED_TOGETHER = 128  # of A that are copied together if the terms of a row are not adjacent
COPY_PADDING_ELEMENTS = 16  # elements between the terms of a copy, so that they do not compete for one cache set


@scalar_function
def interleave(x, at, step, target, target_row, pairs, columns):
    """Copies pairs of rows, whose columns are contiguous, to rows of pairs.

    Args:
        x, at, step: uint16 numbers; the start of the first row, and the stride between rows.
        target, target_row: int32 numbers; the stride between rows of pairs.
        pairs, columns: their numbers.
    """
    for pair in range(pairs):
        here, to = at + 2 * pair * step, pair * target_row
        for j in range(columns):
            target[to + j] = int32(int64(x[here + j]) | (int64(x[here + step + j]) << 16))


@scalar_function
def widen_with_zeros(x, at, step, target, count):
    """Writes each of `count` strided bfloat16 numbers as a 32-bit pair: the number and a zero."""
    for i in range(count):
        target[i] = int32(x[at + i * step])


@kernel(
    "a: in[uint16], b: in[uint16], c: out[float32], m: int, n: int, k: int, a_row: int, a_k: int, b_k: int, "
    "b_column: int, a_batch: int, b_batch: int, unit_rows: int, unit_panels: int, most_merged_units: int, "
    "epilogue_step: int, epilogue_words: int, epilogue_units: int, first: int, last: int"
)
def gemm_pairs(  # one kernel
    a, b, c, m, n, k, a_row, a_k, b_k, b_column, a_batch, b_batch, unit_rows, unit_panels, most_merged_units,
    epilogue_step, epilogue_words, epilogue_units, first, last,
):  # fmt: skip
    """C = A B for a batch of matrices of shape (m, k) and (k, n); C is contiguous, of shape (batches, m, n).

    Args:
        a, b: the bits of bfloat16 numbers.
        c: float32, not rounded.
        m, n, k: sizes, k >= 1.
        a_row, a_k: strides of A, in elements; one of them is 1.
        b_k, b_column: strides of B; one of them is 1.
        a_batch, b_batch: strides from one matrix to the next; 0 for a matrix that all share.
        unit_rows: the rows of a unit of work: it is as many rows of C, or the rest of them, by some panels of its
            columns. Units are counted down the rows, then along the panels, then along the batch.
        unit_panels: the panels of a unit.
        most_merged_units: how many units, one below the other, may be done as one: at most `ROWS_COPIED_TOGETHER` rows
            if a_k is not 1.
        epilogue_step, epilogue_words, epilogue_units: as in `gemm`.
        first, last: the units to do.
    """
    packed, copy, lasts = panel_array(int32, 416), local_array(int32, 59904), local_array(int32, 128)
    width = panel_columns(int32)
    lanes = vector_lanes(int32)
    copy_row = ROWS_COPIED_TOGETHER + COPY_PADDING_ELEMENTS
    panels = (n + width - 1) // width
    across = (panels + unit_panels - 1) // unit_panels
    blocks = (m + unit_rows - 1) // unit_rows
    pairs = (k + 1) // 2
    chains = chains_of(pairs)
    at = first
    while at < last:
        place = at // blocks
        block = at - place * blocks
        count = least(least(blocks - block, last - at), most_merged_units)
        at += count
        row, end = block * unit_rows, least(m, (block + count) * unit_rows)
        batch = place // across
        first_panel = (place - batch * across) * unit_panels
        top, bottom = batch * m + row, batch * m + end
        for chain in range(chains):
            pair = pairs * chain // chains
            depth = pairs * (chain + 1) // chains - pair
            a_at = batch * a_batch + row * a_row + 2 * pair * a_k
            is_odd = 2 * (pair + depth) > k
            if is_odd:  # the last term is a chain of its own
                depth -= 1
            if a_k != 1:
                interleave(a, a_at, a_k, copy, copy_row, depth, end - row)
            for panel in range(first_panel, least(first_panel + unit_panels, panels)):
                column = panel * width
                columns = least(width, n - column)
                stride = (columns + lanes - 1) // lanes * lanes
                b_at = batch * b_batch + column * b_column + 2 * pair * b_k
                if b_column == 1:
                    interleave(b, b_at, b_k, packed, stride, depth, columns)
                elif depth > 0:
                    pack_pairs(b, b_at, b_column, packed, stride, depth, columns)
                c_at = (batch * m + row) * n + column
                if depth > 0:
                    if a_k != 1:
                        multiply_pairs(
                            copy, 0, 1, copy_row, packed, 0, stride, c, c_at, n, chain, depth, end - row, columns
                        )
                    else:
                        multiply_pairs(
                            a, a_at, a_row, 2, packed, 0, stride, c, c_at, n, chain, depth, end - row, columns
                        )
                if is_odd:
                    widen_with_zeros(b, b_at + 2 * depth * b_k, b_column, packed, columns)
                    for start in range(0, end - row, ROWS_COPIED_TOGETHER):
                        rows, c_there = least(ROWS_COPIED_TOGETHER, end - row - start), c_at + start * n
                        widen_with_zeros(a, a_at + start * a_row + 2 * depth * a_k, a_row, lasts, rows)
                        multiply_pairs(
                            lasts, 0, 1, 1, packed, 0, stride, c, c_there, n, chain + depth, 1, rows, columns
                        )
        if epilogue_step != 0:
            call_step(epilogue_step, epilogue_words, top * epilogue_units, bottom * epilogue_units)
