"""Matrix products C = op(A) op(B), in batches, with an epilogue on rows of C in the cache.

Sizes and strides are arguments: one compilation serves all shapes and transpositions. Each element of C is a sum of
chains of fused multiply-adds in the order of k, whose lengths follow from k. So its bits depend on its row of A and its
column of B alone: not on tiles, shares, the other rows and columns, or the vectors of the machine.
"""

from __future__ import annotations

from fastgrad._src.jit.body import (
    call_step,
    fast_masked_loads,
    multiply_rows,
    pack_panel,
    panel_array,
    scalar_function,
    vector_lanes,
)
from fastgrad._src.jit.build import kernel
from fastgrad._src.kernels.math.vector_math import least

MOST_CHAIN_TERMS = 416  # the longest chain: a longer sum is cut into 2^n chains of equal lengths, up to one term
LEAST_ROWS_FOR_PACKING_B = 96  # with so many rows of A, a copy of a panel of B pays
COPY_OF_A_PANEL_ROWS = 1768  # the length of a copy of A, in rows of a panel
CHAIN_SUM_BLOCK_ELEMENTS = 1024  # elements whose chains are added up at a time, within the first cache


@scalar_function
def chains_of(k):
    """Returns the number of chains of a sum of k terms, a power of two, so two or four threads get equally many."""
    chains = 1
    while chains * MOST_CHAIN_TERMS < k:
        chains *= 2
    return chains


@kernel(
    "a: in[T], b: in[T], c: out[T], m: int, n: int, k: int, a_row: int, a_k: int, b_k: int, b_column: int, "
    "a_batch: int, b_batch: int, unit_rows: int, unit_panels: int, most_merged_units: int, split_chains: int, "
    "copy_row_elements: int, panel_columns: int, "
    "epilogue_step: int, epilogue_words: int, epilogue_units: int, first: int, last: int",
    T=("float32", "float64"),
)
def gemm(
    a, b, c, m, n, k, a_row, a_k, b_k, b_column, a_batch, b_batch, unit_rows, unit_panels, most_merged_units,
    split_chains, copy_row_elements, panel_columns, epilogue_step, epilogue_words, epilogue_units, first, last,
):  # fmt: skip
    """C = A B for a batch of matrices of shape (m, k) and (k, n); C is contiguous, of shape (batches, m, n).

    Args:
        a, b, c: the arrays; C overlaps neither of the others.
        m, n, k: sizes, k >= 1.
        a_row, a_k: strides of A, in elements, of any value.
        b_k, b_column: strides of B; one of them is 1.
        a_batch, b_batch: strides from one matrix to the next; 0 for a matrix that all share.
        unit_rows: the rows of a unit of work: it is as many rows of C, or the rest of them, by some panels of its
            columns. Units are counted down the rows, then along the panels, then along the batch.
        unit_panels: the panels of a unit. All panels are best while B fits the second cache.
        most_merged_units: how many units, one below the other, may be done as one.
        split_chains: for one matrix that is not done in whole rows of panels: whether the chains of a sum are units of
            their own. They are counted in the place of the batch, each with its own C; `add_chains` adds the Cs up.
            Threads then read different rows of B.
        copy_row_elements: 0, or the number of elements for each term in a copy of the unit's part of A: more than a
            unit has rows, and at most ``COPY_OF_A_PANEL_ROWS`` times the columns of the widest panel over
            ``MOST_CHAIN_TERMS``.
            A copy pays if A is read for many panels and each of its terms is in another page.
        panel_columns: the columns of a panel, whole vectors.
        epilogue_step: the address of the step of a kernel that gets rows of C as soon as they are done, if a unit has
            all panels; else 0.
        epilogue_words: the address of that step's words.
        epilogue_units: how many of that kernel's units make a row of C.
        first, last: the units to do.
    """
    packed, copy = panel_array(T, 416), panel_array(T, 1768)
    lanes = vector_lanes(T)
    panels = (n + panel_columns - 1) // panel_columns
    across = (panels + unit_panels - 1) // unit_panels
    blocks = (m + unit_rows - 1) // unit_rows
    chains = chains_of(k)
    at = first
    while at < last:
        place = at // blocks
        block = at - place * blocks
        count = least(least(blocks - block, last - at), most_merged_units)
        at += count
        row, end = block * unit_rows, least(m, (block + count) * unit_rows)
        matrix = place // across
        first_panel = (place - matrix * across) * unit_panels
        batch, begin_chain, end_chain = matrix, 0, chains
        if split_chains != 0:
            batch, begin_chain, end_chain = 0, matrix, matrix + 1
        top, bottom = batch * m + row, batch * m + end
        for chain in range(begin_chain, end_chain):
            term = k * chain // chains
            depth = k * (chain + 1) // chains - term
            there, there_at, there_row, there_k = a, batch * a_batch + row * a_row + term * a_k, a_row, a_k
            if copy_row_elements != 0:
                pack_panel(a, there_at, a_k, a_row, copy, copy_row_elements, depth, end - row)
                there, there_at, there_row, there_k = copy, 0, 1, copy_row_elements
            for panel in range(first_panel, least(first_panel + unit_panels, panels)):
                column = panel * panel_columns
                columns = least(panel_columns, n - column)
                stride = (columns + lanes - 1) // lanes * lanes
                here, here_at, here_k = b, batch * b_batch + column * b_column + term * b_k, b_k
                if (
                    b_column != 1
                    or (end - row >= LEAST_ROWS_FOR_PACKING_B and n > columns)
                    or (fast_masked_loads(T) == 0 and stride > columns)
                ):
                    pack_panel(b, here_at, b_k, b_column, packed, stride, depth, columns)
                    here, here_at, here_k = packed, 0, stride
                at_c, more = (matrix * m + row) * n + column, chain - begin_chain
                multiply_rows(
                    there, there_at, there_row, there_k, here, here_at, here_k, c, at_c, n, more, depth, end - row,
                    columns,
                )  # fmt: skip
        if epilogue_step != 0:
            call_step(epilogue_step, epilogue_words, top * epilogue_units, bottom * epilogue_units)


@kernel(
    "sums: in[T], c: out[T], chains: int, size: int, step: int, words: int, first: int, last: int",
    T=("float32", "float64"),
)
def add_chains(sums, c, chains, size, step, words, first, last):
    """Adds up the chains of C, an array `sums` of shape (chains, size), in the order of `gemm`.

    `step` and `words` are a map over elements that runs afterwards and may write C; units are elements.
    """
    for start in range(first, last, CHAIN_SUM_BLOCK_ELEMENTS):
        end = least(start + CHAIN_SUM_BLOCK_ELEMENTS, last)
        for i in range(start, end):
            c[i] = sums[i] + sums[size + i]
        for chain in range(2, chains):
            for i in range(start, end):
                c[i] += sums[chain * size + i]
        if step != 0:
            call_step(step, words, start, end)
