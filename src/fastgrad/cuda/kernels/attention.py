"""Attention and its gradient, a thread for each query or key, without a matrix of all weights.

A CPU's kernel keeps tiles on the stack, which the many threads of a GPU have no memory for. Here a thread computes a score again
at each use, and adds to its row of the result in memory.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from numpy import uint64

from fastgrad.cuda.codegen.body import block_size, shared_array, thread_index
from fastgrad.cuda.codegen.kernel import device_kernel, device_kernel_of
from fastgrad.cuda.kernels.replacement import Replacement, ScratchMemory, device_launch, same_operands_replacement
from fastgrad.cuda.kernels.rows import block_sum
from fastgrad.kernels.attention import forward as on_cpu
from fastgrad.kernels.attention import gradient as gradient_on_cpu
from fastgrad.kernels.attention.forward import FLOATS
from fastgrad.kernels.attention.tiles import MASKED_SCORE
from fastgrad.kernels.codegen.body import fused_multiply_add, scalar_function
from fastgrad.kernels.codegen.build import kernel
from fastgrad.kernels.math.vector_math import exp, greatest, least
from fastgrad.kernels.random.random import block_words
from fastgrad.kernels.runtime.launch import Launch

SIZE_PARAMETERS = (
    "queries: int, keys: int, heads: int, shared: int, depth: int, width: int, scale: float, causal: int, masked: int, "
    "mask_batch: int, mask_head: int, mask_row: int, mask_key: int, least_kept: int, growth: float, blank: int"
)
GRADIENT_PARAMETERS = "g: in[T], q: in[T], k: in[T], v: in[T], mask: in[bool], words: in[int64], peaks: in[T], shares: in[T], deltas: in[T]"


@scalar_function
def scaled_dot(x, x_at, y, y_at, count, scale):
    """Returns the dot product of two array rows of `count` elements, the first scaled by `scale`."""
    total = T(0)
    for i in range(count):
        total = fused_multiply_add(x[x_at + i] * scale, y[y_at + i], total)
    return total


@scalar_function
def add_scaled_row(out, at, x, x_at, count, factor, out_factor):
    """Multiplies an array row of `out` by `out_factor` and adds an array row of x times `factor`."""
    for i in range(count):
        out[at + i] = fused_multiply_add(factor, x[x_at + i], out[at + i] * out_factor)


@scalar_function
def is_hidden(query, key, mask, mask_at, causal, masked, mask_row, mask_key):
    """True if the mask hides a key from a query."""
    if causal != 0 and key > query:
        return True
    return masked != 0 and mask[mask_at + query * mask_row + key * mask_key] == 0


@scalar_function
def dropout_factor(words, row, key, keys, least_kept, growth):
    """Returns the dropout factor of a weight: 0 or `growth`; 1 if `least_kept` is 0. `row` counts all queries."""
    if least_kept == 0:
        return T(1)
    w0, w1, w2, w3 = block_words(words[2], words[0], words[1], row * ((keys + 3) // 4) + key // 4)
    part = key % 4
    word = (w0 if part == 0 else w1) if part < 2 else (w2 if part == 2 else w3)
    return growth if word >= uint64(least_kept) else T(0)


@scalar_function
def weight_and_slope(q, q_at, g, g_at, k, k_at, v, v_at, depth, width, scale, hidden, factor, peak, share, delta):
    """Returns a weight times its dropout factor, and the cotangent of its score times `scale`."""
    score = T(MASKED_SCORE) if hidden else scaled_dot(q, q_at, k, k_at, depth, scale)
    weight = exp(score - peak) * share
    slope = weight * (scaled_dot(g, g_at, v, v_at, width, T(1)) * factor - delta) * scale
    return weight * factor, T(0) if hidden else slope


@kernel(
    "q: in[T], k: in[T], v: in[T], mask: in[bool], words: in[int64], out: out[T], peaks: out[T], shares: out[T], "
    f"{SIZE_PARAMETERS}, first: int, last: int",
    noalias=True,
    T=FLOATS,
)
def attention(
    q, k, v, mask, words, out, peaks, shares, queries, keys, heads, shared, depth, width, scale, causal, masked,
    mask_batch, mask_head, mask_row, mask_key, least_kept, growth, blank, first, last,
):  # fmt: skip
    """Attention results, greatest scores and inverse sums of weights; see `kernels.attention.forward`.

    Words that are drawn from `least_kept` on keep a weight, which is multiplied by `growth`; nothing is drawn if `least_kept` is 0.
    Units are queries of a head.
    """
    groups = heads // shared
    for unit in range(first, last):
        place = unit // queries
        query = unit - place * queries
        batch = place // heads
        head = place - batch * heads
        row = (batch * queries + query) * heads + head
        mask_at = batch * mask_batch + head * mask_head
        out_at = row * width
        for i in range(width):
            out[out_at + i] = T(0)
        peak, total = T(-math.inf), T(0)
        for key in range(least(keys, query + 1) if causal != 0 and masked == 0 else keys):
            key_row = (batch * keys + key) * groups + head // shared
            if is_hidden(query, key, mask, mask_at, causal, masked, mask_row, mask_key):
                score = T(MASKED_SCORE)
            else:
                score = scaled_dot(q, row * depth, k, key_row * depth, depth, T(scale))
            highest = greatest(score, peak)
            growing = T(1) if highest == peak else exp(peak - highest)
            weight = exp(score - (highest if highest > T(-math.inf) else T(0)))
            peak, total = highest, total * growing + weight
            weight *= dropout_factor(words, unit, key, keys, least_kept, T(growth))
            add_scaled_row(out, out_at, v, key_row * width, width, weight, growing)
        share = T(0) if blank != 0 and peak == T(MASKED_SCORE) else T(1) / total
        for i in range(width):
            out[out_at + i] *= share
        peaks[unit] = peak
        shares[unit] = share


@kernel(
    f"{GRADIENT_PARAMETERS}, dq: out[T], {SIZE_PARAMETERS}, first: int, last: int",
    noalias=True,
    T=FLOATS,
)
def query_cotangents(
    g, q, k, v, mask, words, peaks, shares, deltas, dq, queries, keys, heads, shared, depth, width, scale, causal,
    masked, mask_batch, mask_head, mask_row, mask_key, least_kept, growth, blank, first, last,
):  # fmt: skip
    """Cotangents of queries; see `kernels.attention.gradient` for formulas. A unit is a query of a head."""
    groups = heads // shared
    for unit in range(first, last):
        place = unit // queries
        query = unit - place * queries
        batch = place // heads
        head = place - batch * heads
        row = (batch * queries + query) * heads + head
        mask_at = batch * mask_batch + head * mask_head
        for i in range(depth):
            dq[row * depth + i] = T(0)
        for key in range(least(keys, query + 1) if causal != 0 and masked == 0 else keys):
            key_row = (batch * keys + key) * groups + head // shared
            hidden = is_hidden(query, key, mask, mask_at, causal, masked, mask_row, mask_key)
            factor = dropout_factor(words, unit, key, keys, least_kept, T(growth))
            _, slope = weight_and_slope(
                q, row * depth, g, row * width, k, key_row * depth, v, key_row * width, depth, width, T(scale),
                hidden, factor, peaks[unit], shares[unit], deltas[unit],
            )  # fmt: skip
            add_scaled_row(dq, row * depth, k, key_row * depth, depth, slope, T(1))


@kernel(
    f"{GRADIENT_PARAMETERS}, dk: out[T], dv: out[T], {SIZE_PARAMETERS}, first: int, last: int",
    noalias=True,
    T=FLOATS,
)
def key_and_value_cotangents(
    g, q, k, v, mask, words, peaks, shares, deltas, dk, dv, queries, keys, heads, shared, depth, width, scale, causal,
    masked, mask_batch, mask_head, mask_row, mask_key, least_kept, growth, blank, first, last,
):  # fmt: skip
    """Cotangents of keys and values; see `kernels.attention.gradient` for formulas. A unit is a key of a key head."""
    groups = heads // shared
    for unit in range(first, last):
        place = unit // keys
        key = unit - place * keys
        batch = place // groups
        group = place - batch * groups
        key_row = (batch * keys + key) * groups + group
        for i in range(depth):
            dk[key_row * depth + i] = T(0)
        for i in range(width):
            dv[key_row * width + i] = T(0)
        for head in range(group * shared, (group + 1) * shared):
            mask_at = batch * mask_batch + head * mask_head
            for query in range(key if causal != 0 and masked == 0 else 0, queries):
                row = (batch * queries + query) * heads + head
                number = (batch * heads + head) * queries + query
                hidden = is_hidden(query, key, mask, mask_at, causal, masked, mask_row, mask_key)
                factor = dropout_factor(words, number, key, keys, least_kept, T(growth))
                weight, slope = weight_and_slope(
                    q, row * depth, g, row * width, k, key_row * depth, v, key_row * width, depth, width, T(scale),
                    hidden, factor, peaks[number], shares[number], deltas[number],
                )  # fmt: skip
                add_scaled_row(dk, key_row * depth, q, row * depth, depth, slope, T(1))
                add_scaled_row(dv, key_row * width, g, row * width, width, weight, T(1))


# ---- replacements of CPU kernels -------------------------------------------------------------------------


def _gpu_kernel_numbers(cpu_numbers: Any) -> tuple[Any, ...]:
    """Returns the number operands of a GPU attention kernel; the last two of `cpu_numbers` are the rate and `blank`."""
    *sizes, rate, blank = cpu_numbers
    return *sizes, math.ceil(rate * 2**32), 1.0 / (1.0 - rate), blank


def _attention_replacement(launch: Launch, dtypes: Mapping[str, str], memory: ScratchMemory) -> list[Launch]:
    operands: Any = launch.operands
    arrays, numbers = operands[:8], operands[8:]
    queries = numbers[0]
    units = launch.units // -(-queries // on_cpu.TILE_QUERIES) * queries
    return [device_launch(_attention, dtypes, (*arrays, *_gpu_kernel_numbers(numbers)), units)]


def _gradient_replacement(launch: Launch, dtypes: Mapping[str, str], memory: ScratchMemory) -> list[Launch]:
    operands: Any = launch.operands
    arrays, (dq, dk, dv), (*cpu_numbers, wanted) = operands[:9], operands[9:12], operands[12:]
    queries, keys, _, shared, *_ = cpu_numbers
    blocks = {
        gradient_on_cpu.DQ_FLAG: -(-queries // on_cpu.TILE_QUERIES),
        gradient_on_cpu.DK_DV_FLAG: -(-keys // on_cpu.TILE_KEYS),
    }
    places, numbers = launch.units // blocks.get(wanted, 1), _gpu_kernel_numbers(cpu_numbers)
    launches = []
    if wanted & gradient_on_cpu.DQ_FLAG:
        units = places * shared * queries
        launches.append(device_launch(_query_cotangents, dtypes, (*arrays, dq, *numbers), units))
    if wanted & gradient_on_cpu.DK_DV_FLAG:
        given = (*arrays, dk, dv, *numbers)
        launches.append(device_launch(_key_and_value_cotangents, dtypes, given, places * keys))
    return launches


_attention, _query_cotangents = device_kernel_of(attention), device_kernel_of(query_cotangents)
_key_and_value_cotangents = device_kernel_of(key_and_value_cotangents)


@device_kernel(
    "g: in[T], y: in[T], deltas: out[T], queries: int, heads: int, width: int, first: int, last: int", T=FLOATS
)
def row_products(g, y, deltas, queries, heads, width, first, last):
    """Sums of g y over the last axis, as the CPU's `row_products`. A unit is an array row, for a block."""
    parts = shared_array(T, 256)
    for row in range(first, last):
        total = T(0)
        for i in range(row * width + thread_index(), (row + 1) * width, block_size()):
            total += g[i] * y[i]
        total = block_sum(total, parts)
        place = row // heads
        batch = place // queries
        if thread_index() == 0:
            deltas[(batch * heads + row - place * heads) * queries + place - batch * queries] = total


REPLACEMENTS: dict[Any, Replacement] = {
    on_cpu.attention.function: _attention_replacement,
    gradient_on_cpu.attention_gradient.function: _gradient_replacement,
    gradient_on_cpu.row_products.function: same_operands_replacement(row_products),
}
"""The GPU replacements of CPU kernels, by the body of the CPU kernel."""
