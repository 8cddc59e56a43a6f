"""Attention and its gradient in tiles of 32 queries and 32 keys, without a matrix of all weights.

A block computes 32 queries and 64 columns of the result, or of a gradient, in a loop over keys; a block for keys loops over queries.
Each block computes the scores again. A thread has eight queries of a tile and one key; a warp has all keys of its queries. So shuffles
reduce the greatest score and the sum of weights of a query. Sums have the order of the keys, or of heads and queries.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from numpy import int64, uint64

from fastgrad.cuda.codegen.body import shared_array, synchronize, thread
from fastgrad.cuda.codegen.kernel import device_kernel
from fastgrad.cuda.kernels.block_reductions import warp_greatest, warp_sum
from fastgrad.cuda.kernels.replacement import Replacement, ScratchMemory, device_launch
from fastgrad.cuda.kernels.rows import FLOATS
from fastgrad.cuda.kernels.tiles import TILE_SIDE, add_stretch, add_wide_stretch, sum_number
from fastgrad.kernels.attention import forward as on_cpu
from fastgrad.kernels.attention import gradient as gradient_on_cpu
from fastgrad.kernels.attention.tiles import MASKED_SCORE
from fastgrad.kernels.codegen.body import scalar_function
from fastgrad.kernels.math.vector_math import exp, greatest, least, nan_greatest
from fastgrad.kernels.random.random import block_words
from fastgrad.kernels.runtime.launch import Launch

COLUMNS_PER_UNIT = 64
"""The result columns of a unit of work."""

QUERIES, KEYS, VALUES = 0, 1, 2
"""The inputs whose cotangents a launch computes."""

# Sizes that threads read from shared memory at each use: with what follows from them, they would fill the registers.
Q_AT, Q_ROW, K_AT, K_ROW, V_AT, V_ROW, G_AT, G_ROW, DEPTH, WIDTH, WEIGHTS = range(11)
CAUSAL, MASKED, MASK_AT, MASK_HEAD, MASK_ROW, MASK_KEY, LEAST_KEPT, ALL_KEYS, ALL_QUERIES, TOP, ROWS, COLUMN, END = (
    range(11, 24)
)
SIZE_PARAMETERS = (
    "queries: int, keys: int, heads: int, shared: int, depth: int, width: int, scale: float, causal: int, masked: int, "
    "mask_batch: int, mask_head: int, mask_row: int, mask_key: int, least_kept: int, growth: float, blank: int"
)


@scalar_function
def fetch_terms(x, start, row_stride, row_count, first_term, term_count, factor, tile):
    """Copies 32 terms of up to 32 rows of x from `first_term` on, times a factor, to a tile by term; pads with 0."""
    lane = thread() % 32
    for r in range(thread() // 32, 32, 4):
        tile[lane * 33 + r] = (
            x[start + r * row_stride + first_term + lane] * factor
            if r < row_count and first_term + lane < term_count
            else T(0)
        )


@scalar_function
def fetch_64_columns(x, start, row_stride, row_count, first_column, column_count, left_tile, right_tile):
    """Copies columns [first_column, first_column + 64) of up to 32 rows of x to two tiles by row; pads with 0."""
    lane = thread() % 32
    for r in range(thread() // 32, 32, 4):
        place = start + r * row_stride + first_column + lane
        left_tile[r * 33 + lane] = x[place] if r < row_count and first_column + lane < column_count else T(0)
        right_tile[r * 33 + lane] = x[place + 32] if r < row_count and first_column + lane + 32 < column_count else T(0)


@scalar_function
def store_two_columns(out, row_start, column, column_count, value, value_32_columns_on):
    """Writes a thread's two elements of a row of the result, 32 columns apart."""
    if column < column_count:
        out[row_start + column] = value
    if column + 32 < column_count:
        out[row_start + column + 32] = value_32_columns_on


@scalar_function
def multiply_to_tile(x, x_at, x_row, x_count, y, y_at, y_row, y_count, depth, factor, left, right, tile):
    """Writes the products of up to 32 rows of x, times a factor, with up to 32 rows of y to a tile.

    The product of row r of x and row c of y goes to 33 c + r. The tile may be `left` or `right`.
    """
    row, lane = thread() // 32, thread() % 32
    s0, s1, s2, s3, s4, s5, s6, s7 = T(0), T(0), T(0), T(0), T(0), T(0), T(0), T(0)
    for term in range(0, depth, 32):
        fetch_terms(x, x_at, x_row, x_count, term, depth, factor, left)
        fetch_terms(y, y_at, y_row, y_count, term, depth, T(1), right)
        synchronize()
        s0, s1, s2, s3, s4, s5, s6, s7 = add_stretch(left, right, row, lane, s0, s1, s2, s3, s4, s5, s6, s7)
        synchronize()
    for i in range(8):
        tile[lane * 33 + row + 4 * i] = sum_number(i, s0, s1, s2, s3, s4, s5, s6, s7)


@scalar_function
def score_tile(q, q_at, rows, k, k_at, count, scale, tile, scratch, sizes):
    """Writes the scores of up to 32 queries and up to 32 keys to a tile."""
    q_row, k_row, depth = sizes[Q_ROW], sizes[K_ROW], sizes[DEPTH]
    multiply_to_tile(q, q_at, q_row, rows, k, k_at, k_row, count, depth, scale, tile, scratch, tile)


@scalar_function
def store_common_sizes(sizes, depth, width, causal, masked, mask_row, mask_key, least_kept, keys):
    """Stores in `sizes` the sizes that both attention and its gradient read."""
    sizes[DEPTH], sizes[WIDTH] = depth, width
    sizes[CAUSAL], sizes[MASKED] = causal, masked
    sizes[MASK_ROW], sizes[MASK_KEY] = mask_row, mask_key
    sizes[LEAST_KEPT], sizes[ALL_KEYS] = least_kept, keys


@scalar_function
def scaled_by_row(factors, row, s0, s1, s2, s3, s4, s5, s6, s7):
    """Returns eight sums of the rows `row`, `row` + 4, ..., each times the factor of its row."""
    s0, s1, s2, s3 = s0 * factors[row], s1 * factors[row + 4], s2 * factors[row + 8], s3 * factors[row + 12]
    s4, s5 = s4 * factors[row + 16], s5 * factors[row + 20]
    return s0, s1, s2, s3, s4, s5, s6 * factors[row + 24], s7 * factors[row + 28]


@scalar_function
def is_hidden(query, key, mask, mask_at, sizes):
    """True if the mask hides a key from a query."""
    if sizes[CAUSAL] != 0 and key > query:
        return True
    return sizes[MASKED] != 0 and mask[mask_at + query * sizes[MASK_ROW] + key * sizes[MASK_KEY]] == 0


@scalar_function
def draw_dropout_factors(words, first_row, first_key, growth, tile, sizes):
    """Draws dropout's factors of a tile's weights, 0 or `growth`, to `tile`. A thread draws for four keys at a time."""
    if sizes[LEAST_KEPT] != 0:
        for place in range(thread(), 256, 128):
            r, four = place % 32, place // 32
            block = (first_row + r) * ((sizes[ALL_KEYS] + 3) // 4) + first_key // 4 + four
            w0, w1, w2, w3 = block_words(words[2], words[0], words[1], block)
            limit, at = uint64(sizes[LEAST_KEPT]), four * 132 + r
            tile[at] = growth if w0 >= limit else T(0)
            tile[at + 33] = growth if w1 >= limit else T(0)
            tile[at + 66] = growth if w2 >= limit else T(0)
            tile[at + 99] = growth if w3 >= limit else T(0)


@device_kernel(
    "q: in[T], k: in[T], v: in[T], mask: in[bool], words: in[int64], out: out[T], peaks: out[T], shares: out[T], "
    f"{SIZE_PARAMETERS}, first: int, last: int",
    threads=128,
    exact=True,
    T=FLOATS,
)
def attention(
    q, k, v, mask, words, out, peaks, shares, queries, keys, heads, shared, depth, width, scale, causal, masked,
    mask_batch, mask_head, mask_row, mask_key, least_kept, growth, blank, first, last,
):  # fmt: skip
    """Attention results, greatest scores and inverse sums of weights; see `kernels.attention.forward`.

    Words that are drawn from `least_kept` on keep a weight, which is multiplied by `growth`; nothing is drawn if `least_kept` is 0.
    Units are tiles of 32 queries of a head by 64 columns.
    """
    near, right, further = shared_array(T, 1056), shared_array(T, 1056), shared_array(T, 1056)
    kept = shared_array(T, 1056)
    sizes = shared_array(int64, 32)
    highest, totals, factors = shared_array(T, 64), shared_array(T, 64), shared_array(T, 32)
    panels, blocks = (width + 63) // 64, (queries + 31) // 32
    key_row, value_row = heads // shared * depth, heads // shared * width
    lane, row = thread() % 32, thread() // 32
    for unit in range(first, last):
        tile = unit // panels
        column = (unit - tile * panels) * 64
        place = tile // blocks
        top = (tile - place * blocks) * 32
        batch = place // heads
        head = place - batch * heads
        rows = least(32, queries - top)
        key_at = batch * keys * key_row + head // shared * depth
        value_at = batch * keys * value_row + head // shared * width
        if thread() < 32:
            highest[lane] = T(-math.inf)
            totals[lane] = T(0)
        if thread() == 0:
            sizes[Q_AT], sizes[Q_ROW] = ((batch * queries + top) * heads + head) * depth, heads * depth
            sizes[K_AT], sizes[K_ROW] = key_at, key_row
            sizes[V_AT], sizes[V_ROW] = value_at, value_row
            sizes[G_AT], sizes[G_ROW] = ((batch * queries + top) * heads + head) * width, heads * width
            sizes[COLUMN], sizes[END] = column, least(keys, top + rows) if causal != 0 and masked == 0 else keys
            sizes[WEIGHTS], sizes[TOP], sizes[ROWS] = place * queries + top, top, rows
            sizes[MASK_AT] = batch * mask_batch + head * mask_head
            store_common_sizes(sizes, depth, width, causal, masked, mask_row, mask_key, least_kept, keys)
        synchronize()
        s0, s1, s2, s3, s4, s5, s6, s7 = T(0), T(0), T(0), T(0), T(0), T(0), T(0), T(0)
        t0, t1, t2, t3, t4, t5, t6, t7 = T(0), T(0), T(0), T(0), T(0), T(0), T(0), T(0)
        end = sizes[END]
        for left in range(0, end, 32):
            count = least(32, sizes[END] - left)
            before, after = left & 32, 32 - (left & 32)
            draw_dropout_factors(words, sizes[WEIGHTS], left, T(growth), kept, sizes)
            k_at = sizes[K_AT] + left * sizes[K_ROW]
            score_tile(q, sizes[Q_AT], sizes[ROWS], k, k_at, count, T(scale), near, right, sizes)
            for r in range(row, 32, 4):
                score = near[lane * 33 + r]
                if lane >= count:
                    score = T(-math.inf)
                elif r < sizes[ROWS] and is_hidden(sizes[TOP] + r, left + lane, mask, sizes[MASK_AT], sizes):
                    score = T(MASKED_SCORE)
                peak = nan_greatest(warp_greatest(score), highest[before + r])
                factor = T(1) if peak == highest[before + r] else exp(highest[before + r] - peak)
                weight = exp(score - (peak if peak > T(-math.inf) else T(0)))
                total = warp_sum(weight)
                if lane == 0:
                    highest[after + r] = peak
                    totals[after + r] = totals[before + r] * factor + total
                    factors[r] = factor
                if sizes[LEAST_KEPT] != 0:
                    weight *= kept[lane * 33 + r]
                near[lane * 33 + r] = weight
            v_at = sizes[V_AT] + left * sizes[V_ROW]
            fetch_64_columns(v, v_at, sizes[V_ROW], count, sizes[COLUMN], sizes[WIDTH], right, further)
            synchronize()
            s0, s1, s2, s3, s4, s5, s6, s7 = scaled_by_row(factors, row, s0, s1, s2, s3, s4, s5, s6, s7)
            t0, t1, t2, t3, t4, t5, t6, t7 = scaled_by_row(factors, row, t0, t1, t2, t3, t4, t5, t6, t7)
            s0, s1, s2, s3, s4, s5, s6, s7, t0, t1, t2, t3, t4, t5, t6, t7 = add_wide_stretch(
                near, right, further, row, lane, s0, s1, s2, s3, s4, s5, s6, s7, t0, t1, t2, t3, t4, t5, t6, t7
            )
            synchronize()
        at = (sizes[END] + 31) // 32 * 32 & 32
        for r in range(row, sizes[ROWS], 4):
            peak = highest[at + r]
            share = T(0) if blank != 0 and peak == T(MASKED_SCORE) else T(1) / totals[at + r]
            s = sum_number(r // 4, s0, s1, s2, s3, s4, s5, s6, s7) * share
            t = sum_number(r // 4, t0, t1, t2, t3, t4, t5, t6, t7) * share
            store_two_columns(out, sizes[G_AT] + r * sizes[G_ROW], sizes[COLUMN] + lane, sizes[WIDTH], s, t)
            if lane == 0 and sizes[COLUMN] == 0:
                peaks[sizes[WEIGHTS] + r] = peak
                shares[sizes[WEIGHTS] + r] = share
        synchronize()


@device_kernel(
    "g: in[T], q: in[T], k: in[T], v: in[T], mask: in[bool], words: in[int64], peaks: in[T], shares: in[T], "
    f"deltas: in[T], out: out[T], {SIZE_PARAMETERS}, wanted: int, first: int, last: int",
    threads=128,
    exact=True,
    T=FLOATS,
)
def attention_gradient(
    g, q, k, v, mask, words, peaks, shares, deltas, out, queries, keys, heads, shared, depth, width, scale, causal,
    masked, mask_batch, mask_head, mask_row, mask_key, least_kept, growth, blank, wanted, first, last,
):  # fmt: skip
    """Cotangents of queries, keys or values, as `wanted` selects; see `kernels.attention.gradient` for formulas.

    Units are tiles of 32 queries of a head, or of 32 keys of a head of keys, by 64 columns.
    """
    near, right, further = shared_array(T, 1056), shared_array(T, 1056), shared_array(T, 1056)
    kept = shared_array(T, 1056)
    sizes = shared_array(int64, 32)
    groups = heads // shared
    query_row, result_row, key_row, value_row = heads * depth, heads * width, groups * depth, groups * width
    many, across, length = (heads, depth, queries) if wanted == 0 else (groups, depth if wanted == 1 else width, keys)
    panels, blocks = (across + 63) // 64, (length + 31) // 32
    by_query, by_key = (1, 33) if wanted == 0 else (33, 1)  # sums are over keys, or over queries
    lane, row = thread() % 32, thread() // 32
    for unit in range(first, last):
        tile = unit // panels
        column = (unit - tile * panels) * 64
        place = tile // blocks
        corner = (tile - place * blocks) * 32
        batch = place // many
        mine = place - batch * many
        group = mine // shared if wanted == 0 else mine
        size = least(32, length - corner)
        first_head, last_head = (mine, mine + 1) if wanted == 0 else (mine * shared, (mine + 1) * shared)
        from_query, to_query = (corner, corner + size) if wanted == 0 else (0, queries)
        from_key, to_key = (0, keys) if wanted == 0 else (corner, corner + size)
        if causal != 0 and masked == 0:
            from_query = greatest(from_query, from_key)
            to_key = least(to_key, to_query)
        s0, s1, s2, s3, s4, s5, s6, s7 = T(0), T(0), T(0), T(0), T(0), T(0), T(0), T(0)
        t0, t1, t2, t3, t4, t5, t6, t7 = T(0), T(0), T(0), T(0), T(0), T(0), T(0), T(0)
        if thread() == 0:
            sizes[Q_AT], sizes[Q_ROW] = batch * queries * query_row, query_row
            sizes[G_AT], sizes[G_ROW] = batch * queries * result_row, result_row
            sizes[K_AT], sizes[K_ROW] = batch * keys * key_row + group * depth, key_row
            sizes[V_AT], sizes[V_ROW] = batch * keys * value_row + group * width, value_row
            sizes[WEIGHTS], sizes[ALL_QUERIES] = batch * heads * queries, queries
            sizes[MASK_AT], sizes[MASK_HEAD] = batch * mask_batch, mask_head
            store_common_sizes(sizes, depth, width, causal, masked, mask_row, mask_key, least_kept, keys)
        synchronize()
        for left in range(from_key, to_key, 32):
            count = least(32, to_key - left)
            for head in range(first_head, last_head):
                for top in range(from_query, to_query, 32):
                    rows = least(32, to_query - top)
                    weights = sizes[WEIGHTS] + head * sizes[ALL_QUERIES] + top
                    draw_dropout_factors(words, weights, left, T(growth), kept, sizes)
                    if wanted != 2:
                        g_at = sizes[G_AT] + top * sizes[G_ROW] + head * sizes[WIDTH]
                        v_at = sizes[V_AT] + left * sizes[V_ROW]
                        multiply_to_tile(
                            g, g_at, sizes[G_ROW], rows, v, v_at, sizes[V_ROW], count, sizes[WIDTH], T(1),
                            near, right, further,
                        )  # fmt: skip
                    q_at = sizes[Q_AT] + top * sizes[Q_ROW] + head * sizes[DEPTH]
                    k_at = sizes[K_AT] + left * sizes[K_ROW]
                    score_tile(q, q_at, rows, k, k_at, count, T(scale), near, right, sizes)
                    weights = sizes[WEIGHTS] + head * sizes[ALL_QUERIES] + top
                    mask_at = sizes[MASK_AT] + head * sizes[MASK_HEAD]
                    for r in range(row, 32, 4):
                        at = lane * 33 + r
                        factor = T(1)
                        if sizes[LEAST_KEPT] != 0:
                            factor = kept[at]
                        x = T(0)
                        if r < rows and lane < count:
                            hidden = is_hidden(top + r, left + lane, mask, mask_at, sizes)
                            score = T(MASKED_SCORE) if hidden else near[at]
                            weight = exp(score - peaks[weights + r]) * shares[weights + r]
                            if wanted == 2:
                                x = weight * factor
                            elif not hidden:
                                slope = further[at] * factor
                                x = weight * (slope - deltas[weights + r]) * T(scale)
                        right[r * by_query + lane * by_key] = x
                    synchronize()
                    if wanted == 0:
                        k_at = sizes[K_AT] + left * sizes[K_ROW]
                        fetch_64_columns(k, k_at, sizes[K_ROW], count, column, sizes[DEPTH], near, further)
                    elif wanted == 1:
                        q_at = sizes[Q_AT] + top * sizes[Q_ROW] + head * sizes[DEPTH]
                        fetch_64_columns(q, q_at, sizes[Q_ROW], rows, column, sizes[DEPTH], near, further)
                    else:
                        g_at = sizes[G_AT] + top * sizes[G_ROW] + head * sizes[WIDTH]
                        fetch_64_columns(g, g_at, sizes[G_ROW], rows, column, sizes[WIDTH], near, further)
                    synchronize()
                    s0, s1, s2, s3, s4, s5, s6, s7, t0, t1, t2, t3, t4, t5, t6, t7 = add_wide_stretch(
                        right, near, further, row, lane, s0, s1, s2, s3, s4, s5, s6, s7, t0, t1, t2, t3, t4, t5, t6, t7
                    )
                    synchronize()
        for r in range(row, size, 4):
            s, t = (
                sum_number(r // 4, s0, s1, s2, s3, s4, s5, s6, s7),
                sum_number(r // 4, t0, t1, t2, t3, t4, t5, t6, t7),
            )
            store_two_columns(out, ((batch * length + corner + r) * many + mine) * across, column + lane, across, s, t)
        synchronize()


# ---- replacements of CPU kernels -------------------------------------------------------------------------


def _numbers_of_gpu_kernel(cpu_numbers: Any) -> tuple[Any, ...]:
    """Returns the number operands of a GPU attention kernel; the last two of `cpu_numbers` are the rate and `blank`."""
    *sizes, rate, blank = cpu_numbers
    return *sizes, math.ceil(rate * 2**32), 1.0 / (1.0 - rate), blank


def _tile_count(batch: int, length: int, columns: int) -> int:
    return batch * -(-length // TILE_SIDE) * -(-columns // COLUMNS_PER_UNIT)


def _attention_replacement(launch: Launch, dtypes: Mapping[str, str], memory: ScratchMemory) -> list[Launch]:
    operands: Any = launch.operands
    arrays, numbers = operands[:8], operands[8:]
    queries, _, _, _, _, width, *_ = numbers
    places = launch.units // -(-queries // on_cpu.TILE_QUERIES)
    return [
        device_launch(
            attention, dtypes, (*arrays, *_numbers_of_gpu_kernel(numbers)), _tile_count(places, queries, width)
        )
    ]


def _gradient_replacement(launch: Launch, dtypes: Mapping[str, str], memory: ScratchMemory) -> list[Launch]:
    operands: Any = launch.operands
    arrays, outputs, (*numbers, wanted) = operands[:9], operands[9:12], operands[12:]
    queries, keys, _, shared, depth, width, *_ = numbers
    blocks = {
        gradient_on_cpu.DQ_FLAG: -(-queries // on_cpu.TILE_QUERIES),
        gradient_on_cpu.DK_DV_FLAG: -(-keys // on_cpu.TILE_KEYS),
    }
    places = launch.units // blocks.get(wanted, 1)
    launches = []
    for whose, units in (
        (QUERIES, _tile_count(places * shared, queries, depth)),
        (KEYS, _tile_count(places, keys, depth)),
        (VALUES, _tile_count(places, keys, width)),
    ):
        if wanted & (gradient_on_cpu.DQ_FLAG if whose == QUERIES else gradient_on_cpu.DK_DV_FLAG):
            given = (*arrays, outputs[whose], *_numbers_of_gpu_kernel(numbers), whose)
            launches.append(device_launch(attention_gradient, dtypes, given, units))
    return launches


REPLACEMENTS: dict[Any, Replacement] = {
    on_cpu.attention.function: _attention_replacement,
    gradient_on_cpu.attention_gradient.function: _gradient_replacement,
}
"""The table of `choice`."""
