"""softmax(Q K^T) V over blocks of keys (Dao, Fu, Ermon, Rudra and Ré 2022; Rabe and Staats 2021).

A block of queries loops over blocks of keys; its partial sums are scaled down whenever the greatest score increases.
"""

import math

from fastgrad._src.jit.body import local_array, scalar_function
from fastgrad._src.jit.build import kernel
from fastgrad._src.kernels.attention.tiles import (
    CHUNK_QUERIES,
    MASKED_SCORE,
    TILE_KEYS,
    TILE_QUERIES,
    apply_dropout,
    clear_tile,
    copy_rows,
    hide_scores,
    multiply_tile,
    padded_stride,
    scale_rows,
    transpose_rows_of_tile,
)
from fastgrad._src.kernels.math.vector_math import exp, greatest, least

FLOATS = ("float32", "float64")
SIZE_PARAMETERS = (
    "queries: int, keys: int, heads: int, group_heads: int, depth: int, width: int, scale: float, causal: int, "
    "masked: int, mask_batch: int, mask_head: int, mask_row: int, mask_key: int, rate: float, zero_if_unseen: int"
)


@scalar_function
def score_exponentials(scores, rows, count, peaks, totals, factors):
    """Replaces scores by exp(score - peak), for the greatest scores so far, and adds the tile's sums to the totals.

    Returns whether a peak has changed; `factors` then scales the earlier partial sums.
    """
    highest, sums = local_array(T, 16), local_array(T, 16)
    moved = False
    for left in range(0, rows, CHUNK_QUERIES):
        for i in range(CHUNK_QUERIES):
            highest[i] = peaks[left + i]
        for key in range(count):
            for i in range(CHUNK_QUERIES):
                highest[i] = greatest(scores[TILE_QUERIES * key + left + i], highest[i])
        for i in range(CHUNK_QUERIES):
            before = peaks[left + i]
            factors[left + i] = T(1) if before == highest[i] else exp(before - highest[i])
            peaks[left + i] = highest[i]
            highest[i] = highest[i] if highest[i] > T(-math.inf) else T(0)
            sums[i] = T(0)
        for key in range(count):
            for i in range(CHUNK_QUERIES):
                e = exp(scores[TILE_QUERIES * key + left + i] - highest[i])
                scores[TILE_QUERIES * key + left + i] = e
                sums[i] += e
        for i in range(CHUNK_QUERIES):
            totals[left + i] = totals[left + i] * factors[left + i] + sums[i]
        for i in range(least(CHUNK_QUERIES, rows - left)):
            moved = moved or factors[left + i] != T(1)
    return moved


@kernel(
    "q: in[T], k: in[T], v: in[T], mask: in[bool], dropout_words: in[int64], out: out[T], peaks: out[T], "
    f"shares: out[T], {SIZE_PARAMETERS}, first: int, last: int",
    noalias=True,
    T=FLOATS,
)
def attention(
    q, k, v, mask, dropout_words, out, peaks, shares, queries, keys, heads, group_heads, depth, width, scale, causal,
    masked, mask_batch, mask_head, mask_row, mask_key, rate, zero_if_unseen, first, last,
):  # fmt: skip
    """Computes the results of queries, and for each its greatest score and the inverse of the sum of its weights.

    Args:
        q, k, v: (batch, queries, heads, depth), (batch, keys, heads // group_heads, depth), (batch, keys, heads //
            group_heads, width).
        mask: the visible keys, with strides for batch, head, query and key; read if `masked`.
        dropout_words: the state of the generator that draws the dropped weights; read if rate > 0.
        out: (batch, queries, heads, width).
        peaks, shares: (batch, heads, queries).
        queries, keys, heads, depth, width: sizes, none of them 0, the last two at most 256.
        group_heads: the number of query heads for each key head.
        scale: the factor of the scores.
        causal: whether query i sees only the keys up to i.
        zero_if_unseen: whether the result of a query that sees no key is 0, not the mean of all values.
        first, last: the units to do; each is `TILE_QUERIES` queries of a head.
    """
    turned, room, found = local_array(T, 16384), local_array(T, 16384), local_array(T, 16384)
    scores = local_array(T, 4096)
    highest, totals, factors = local_array(T, 64), local_array(T, 64), local_array(T, 64)
    clear_tile(scores, queries)
    found_row = padded_stride(width)
    blocks = (queries + TILE_QUERIES - 1) // TILE_QUERIES
    key_row, value_row, out_row = heads // group_heads * depth, heads // group_heads * width, heads * width
    for unit in range(first, last):
        place = unit // blocks
        batch = place // heads
        head = place - batch * heads
        top = (unit - place * blocks) * TILE_QUERIES
        rows = least(TILE_QUERIES, queries - top)
        key_at = batch * keys * key_row + head // group_heads * depth
        value_at = batch * keys * value_row + head // group_heads * width
        out_at = (batch * queries + top) * out_row + head * width
        transpose_rows_of_tile(
            q, ((batch * queries + top) * heads + head) * depth, heads * depth, depth, rows, T(scale), turned
        )
        for i in range(TILE_QUERIES):
            highest[i] = T(-math.inf)
            totals[i] = T(0)
        end = least(keys, top + rows) if causal != 0 and masked == 0 else keys
        for left in range(0, end, TILE_KEYS):
            count = least(TILE_KEYS, end - left)
            multiply_tile(
                k, key_at + left * key_row, key_row, 1, turned, 0, TILE_QUERIES, scores, 0, TILE_QUERIES, 0, depth, count,
                rows, room,
            )  # fmt: skip
            mask_at = batch * mask_batch + head * mask_head
            hide_scores(scores, top, left, rows, count, causal, masked, mask, mask_at, mask_row, mask_key)
            moved = score_exponentials(scores, rows, count, highest, totals, factors)
            if moved and left > 0:
                scale_rows(found, found_row, rows, width, factors)
            if rate > 0:
                apply_dropout(scores, dropout_words, place * queries + top, (keys + 3) // 4, left, rows, count, rate)
            multiply_tile(
                scores, 0, 1, TILE_QUERIES, v, value_at + left * value_row, value_row, found, 0, found_row, left, count,
                rows, width, room,
            )  # fmt: skip
        for i in range(rows):
            factors[i] = T(0) if zero_if_unseen != 0 and highest[i] == T(MASKED_SCORE) else T(1) / totals[i]
            peaks[place * queries + top + i] = highest[i]
            shares[place * queries + top + i] = factors[i]
        scale_rows(found, found_row, rows, width, factors)
        copy_rows(found, found_row, out, out_at, out_row, rows, width)
