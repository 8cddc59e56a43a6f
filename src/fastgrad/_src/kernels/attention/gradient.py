"""Cotangents of queries, keys and values; tiles of weights are recomputed from each query's peak and share."""

from numpy import float64

from fastgrad._src.jit.body import local_array, scalar_function
from fastgrad._src.jit.build import kernel
from fastgrad._src.kernels.attention.forward import FLOATS, SIZE_PARAMETERS
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
    transpose_rows_of_tile,
)
from fastgrad._src.kernels.math.vector_math import exp, least
from fastgrad._src.kernels.reduction.row_blocks import row_product_sums, rows_per_block

DQ_FLAG = 1  # bits of `cotangent_flags`
DK_DV_FLAG = 2


@kernel("g: in[T], y: in[T], deltas: out[T], queries: int, heads: int, width: int, first: int, last: int", T=FLOATS)
def row_products(g, y, deltas, queries, heads, width, first, last):
    """Computes the sums of g * y over the last axis of (batch, queries, heads, width), as (batch, heads, queries)."""
    parts, across, totals = local_array(T, 256), local_array(T, 256), local_array(float64, 16)
    last_g, last_y = local_array(T, 256), local_array(T, 256)
    together = rows_per_block(width)
    for top in range(first, last, together):
        rows = least(together, last - top)
        row_product_sums(g, y, top, rows, width, last_g, last_y, parts, across, totals)
        for r in range(rows):
            place = (top + r) // heads
            head = top + r - place * heads
            batch = place // queries
            deltas[(batch * heads + head) * queries + place - batch * queries] = T(totals[r])


@scalar_function
def score_cotangents(scores, weight_cotangents, dropout, query_count, key_count, maxima, inverse_sums, deltas, scale):
    """Replaces scores by weights and `weight_cotangents` by the scores' cotangents, which are 0 for hidden keys."""
    hidden = T(MASKED_SCORE)
    wide = padded_stride(query_count)
    for key in range(key_count):
        for left in range(0, wide, CHUNK_QUERIES):
            for i in range(CHUNK_QUERIES):
                at, query = TILE_QUERIES * key + left + i, left + i
                score, factor = scores[at], dropout[at]
                weight = exp(score - maxima[query]) * inverse_sums[query]
                slope = weight * (weight_cotangents[at] * factor - deltas[query]) * scale
                weight_cotangents[at] = T(0) if score == hidden else slope
                scores[at] = weight * factor


@scalar_function
def read_statistics(peaks, shares, deltas, at, rows, highest, share, delta):
    """Copies what is known of each of a tile's queries; columns without a query get 0."""
    for i in range(TILE_QUERIES):
        highest[i] = peaks[at + i] if i < rows else T(0)
        share[i] = shares[at + i] if i < rows else T(0)
        delta[i] = deltas[at + i] if i < rows else T(0)


@scalar_function
def multiply_by_queries(x, at, row_stride, queries, products, depth, count, rows, room):
    """Computes the tile of the products of `count` rows of x and the transposed rows of queries."""
    multiply_tile(
        x, at, row_stride, 1, queries, 0, TILE_QUERIES, products, 0, TILE_QUERIES, 0, depth, count, rows, room
    )


@scalar_function
def add_rows_of_keys(tile, x, at, row_stride, sums, begun, rows, count, columns, room):
    """Adds to the sums of each key, which begin with 0, the rows of x times the key's numbers in a tile."""
    multiply_tile(
        tile, 0, TILE_QUERIES, 1, x, at, row_stride, sums, 0, padded_stride(columns), begun, rows, count, columns, room
    )


@scalar_function
def copy_rows_or_zeros(sums, begun, out, at, row_stride, count, columns):
    """Copies the sums of keys to rows of `out`: zeros where no tile has begun them."""
    if begun == 0:
        for i in range(count * padded_stride(columns)):
            sums[i] = T(0)
    copy_rows(sums, padded_stride(columns), out, at, row_stride, count, columns)


@kernel(
    "g: in[T], q: in[T], k: in[T], v: in[T], mask: in[bool], dropout_words: in[int64], peaks: in[T], shares: in[T], "
    f"deltas: in[T], dq: out[T], dk: out[T], dv: out[T], {SIZE_PARAMETERS}, cotangent_flags: int, "
    "first: int, last: int",
    noalias=True,
    T=FLOATS,
)
def attention_gradient(  # noqa: PLR0915  # one kernel
    g, q, k, v, mask, dropout_words, peaks, shares, deltas, dq, dk, dv, queries, keys, heads, group_heads, depth, width,
    scale, causal, masked, mask_batch, mask_head, mask_row, mask_key, rate, zero_if_unseen, cotangent_flags,
    first, last,
):  # fmt: skip
    """Computes the cotangents of q, k and v from the result's, g; other arguments as of `forward.attention`.

    With weights P, dP = g V^T and delta = the sum of P dP over the keys, which equals the sum of g times the result:
    dS = P (dP - delta), dQ = scale dS K, dK = scale dS^T Q, dV = P^T g.

    Args:
        peaks, shares: results of `forward.attention`.
        deltas: the result of `row_products` of g and the result.
        cotangent_flags: `DQ_FLAG` for dq, whose units are blocks of queries of a head of keys;
            `DK_DV_FLAG` for dk and dv, whose units are blocks of keys; or both, with a unit for each head
            of keys.
    """
    turned, turned_g, room = local_array(T, 16384), local_array(T, 16384), local_array(T, 16384)
    for_k, for_v = local_array(T, 16384), local_array(T, 16384)
    scores, slopes, kept = local_array(T, 4096), local_array(T, 4096), local_array(T, 4096)
    highest, share, delta = local_array(T, 64), local_array(T, 64), local_array(T, 64)
    for i in range(TILE_KEYS * TILE_QUERIES):
        kept[i] = T(1)
    clear_tile(scores, queries)
    clear_tile(slopes, queries)
    groups = heads // group_heads
    query_row, result_row, key_row, value_row = heads * depth, heads * width, groups * depth, groups * width
    for_queries, for_keys = cotangent_flags & DQ_FLAG != 0, cotangent_flags & DK_DV_FLAG != 0
    blocks = 1
    if not for_keys:
        blocks = (queries + TILE_QUERIES - 1) // TILE_QUERIES
    if not for_queries:
        blocks = (keys + TILE_KEYS - 1) // TILE_KEYS
    for unit in range(first, last):
        place = unit // blocks
        block = unit - place * blocks
        batch = place // groups
        group = place - batch * groups
        from_query = 0 if for_keys else block * TILE_QUERIES
        to_query = queries if for_keys else least(queries, from_query + TILE_QUERIES)
        from_key = 0 if for_queries else block * TILE_KEYS
        to_key = keys if for_queries else least(keys, from_key + TILE_KEYS)
        for left in range(from_key, to_key, TILE_KEYS):
            count = least(TILE_KEYS, to_key - left)
            key_at = (batch * keys + left) * key_row + group * depth
            value_at = (batch * keys + left) * value_row + group * width
            begun = 0
            for head in range(group * group_heads, (group + 1) * group_heads):
                for top in range(from_query, to_query, TILE_QUERIES):
                    rows = least(TILE_QUERIES, to_query - top)
                    if causal != 0 and masked == 0 and left > top + rows - 1:
                        continue
                    statistics = (batch * heads + head) * queries + top
                    read_statistics(peaks, shares, deltas, statistics, rows, highest, share, delta)
                    q_at = ((batch * queries + top) * heads + head) * depth
                    g_at = ((batch * queries + top) * heads + head) * width
                    transpose_rows_of_tile(q, q_at, query_row, depth, rows, T(scale), turned)
                    transpose_rows_of_tile(g, g_at, result_row, width, rows, T(1), turned_g)
                    multiply_by_queries(k, key_at, key_row, turned, scores, depth, count, rows, room)
                    multiply_by_queries(v, value_at, value_row, turned_g, slopes, width, count, rows, room)
                    mask_at = batch * mask_batch + head * mask_head
                    hide_scores(scores, top, left, rows, count, causal, masked, mask, mask_at, mask_row, mask_key)
                    if rate > 0:
                        for i in range(TILE_KEYS * TILE_QUERIES):
                            kept[i] = T(1)
                        apply_dropout(kept, dropout_words, statistics, (keys + 3) // 4, left, rows, count, rate)
                    score_cotangents(scores, slopes, kept, rows, count, highest, share, delta, T(scale))
                    if for_keys:
                        add_rows_of_keys(scores, g, g_at, result_row, for_v, begun, rows, count, width, room)
                        add_rows_of_keys(slopes, q, q_at, query_row, for_k, begun, rows, count, depth, room)
                        begun = 1
                    if for_queries:
                        multiply_tile(
                            slopes, 0, 1, TILE_QUERIES, k, key_at, key_row, dq, q_at, query_row, left, count, rows,
                            depth, room,
                        )  # fmt: skip
            if for_keys:
                copy_rows_or_zeros(for_k, begun, dk, key_at, key_row, count, depth)
                copy_rows_or_zeros(for_v, begun, dv, value_at, value_row, count, width)
