"""Attention (Vaswani et al. 2017): means of values, weighted by the softmax of products of queries and keys."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import ml_dtypes
import numpy as np

from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.operation import TABLE, Form, Operation, joint
from fastgrad._src.core.result_rules import ArraySpec, Rule, like_inputs
from fastgrad._src.core.tensor import Tensor, constant_tensor
from fastgrad._src.kernels.runtime.launch import Spec
from fastgrad._src.ops import random_draws as draws
from fastgrad._src.ops.kernel_launches import KERNEL_FLOATS, kernel_operation, launches_from
from fastgrad._src.ops.references import cotangents_by_tape, gradient_of_reference
from fastgrad._src.ops.softmax import softmax
from fastgrad._src.scalars.formulas import FUNCTION_COST

MAX_HEAD_WIDTH = 256
"""The largest number of columns of a head that the kernels take."""


def _attention_result(q: Any, k: Any, v: Any, *more: Any, **attributes: Any) -> tuple[ArraySpec, ...]:
    batch, queries, heads, _depth = q.shape
    statistics = ArraySpec((batch, heads, queries), q.dtype)  # the peaks and the sums of the scores
    return ArraySpec((batch, queries, heads, v.shape[3]), q.dtype), statistics, statistics


def _attention_gradient_rule(
    needs: Any, g: Any, y: Any, *inputs: Tensor, **attributes: Any
) -> tuple[Tensor | None, ...]:
    gradients = (None, None, None) if g[0] is None else _attention_gradient(g[0], *y, *inputs, **attributes)
    return (*gradients, *(None,) * (len(inputs) - 3))


def _attention_result_by_operations(
    q: Tensor, k: Tensor, v: Tensor, *more: Tensor, scale: float, causal: bool, masked: bool, rate: float, blank: bool
) -> Tensor:
    mask, words = more[0] if masked else None, more[-1] if rate else None
    return unfused_attention(q, k, v, mask, words, scale, causal, rate, blank)[0]


def _attention_by_operations(
    q: Tensor, k: Tensor, v: Tensor, *more: Tensor, scale: float, causal: bool, masked: bool, rate: float, blank: bool
) -> tuple[Tensor, ...]:
    result = _attention_result_by_operations(
        q, k, v, *more, scale=scale, causal=causal, masked=masked, rate=rate, blank=blank
    )
    scores = _masked_scores(q, k, more[0] if masked else None, scale, causal)[0]
    peaks = TABLE["reduce_max"](scores, axes=(3,), keepdims=True)
    sums = TABLE["reduce_sum"](TABLE["exp"](scores - peaks), axes=(3,), keepdims=False)
    return result, TABLE["reshape"](peaks, shape=sums._array.shape), TABLE["reciprocal"](sums)


def _attention_gradient_by_operations(
    g: Tensor, y: Tensor, peaks: Tensor, shares: Tensor, *inputs: Tensor, **attributes: Any
) -> tuple[Tensor | None, ...]:
    needs = [number < 3 for number in range(len(inputs))]
    # y, peaks and shares are functions of the other inputs.
    return cotangents_by_tape(partial(_attention_result_by_operations, **attributes), inputs, needs, (g,))[:3]


def _attention_flops(products: int, q: Spec, k: Spec, causal: bool) -> int:
    """The arithmetic of so many products of matrices of scores and rows of heads, and of the exponential of each score."""
    batch, queries, heads, depth = q.shape
    scores = batch * heads * queries * k.shape[1] // (2 if causal else 1)
    return scores * (2 * products * depth + FUNCTION_COST)


def _attention_operation(
    name: str, gradient: Any, result: Rule, reference: Any, flops: Callable[..., int]
) -> Operation:
    launches = launches_from("attention.steps", f"{name}_launches")
    return kernel_operation(
        name,
        Form.FUSED,
        gradient=gradient,
        dtypes=KERNEL_FLOATS,
        launches=launches,
        result=result,
        reference=reference,
        flops=flops,
    )


_attention_gradient = _attention_operation(
    "attention_gradient",
    gradient_of_reference(_attention_gradient_by_operations),
    like_inputs(4, 5, 6),
    _attention_gradient_by_operations,
    lambda inputs, outputs, *, causal, **_: _attention_flops(5, inputs[4], inputs[5], causal),
)
_attention = _attention_operation(
    "attention",
    joint(_attention_gradient_rule, zeros=False),
    _attention_result,
    _attention_by_operations,
    lambda inputs, outputs, *, causal, **_: _attention_flops(2, inputs[0], inputs[1], causal),
)


def attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None = None,
    *,
    scale: float,
    causal: bool = False,
    rate: float = 0.0,
    drawn: Any = None,
    blank: bool = False,
) -> Tensor:
    """Computes ``softmax(scale * query key^T) value`` for each head, without all scores or weights in memory.

    Args:
        query: floating, shape (batch, queries, heads, depth).
        key: shape (batch, keys, groups, depth), of the dtype of ``query``; ``groups`` divides ``heads``, and ``heads / groups``
            consecutive heads share one group of keys and values.
        value: shape (batch, keys, groups, width).
        mask: bool, broadcasts with (batch, heads, queries, keys); True where a query sees a key.
        scale: the factor of the scores.
        causal: whether query i sees keys up to i only.
        rate: the fraction of weights to drop, in [0, 1).
        drawn: a function of a shape that returns the random words of a draw; needed for a rate above 0.
        blank: whether the result of a query that sees no key is 0, not the mean of all values. (Keras gives 0 if it keeps
            the weights, else the mean.)

    Returns:
        Shape (batch, queries, heads, width).

    Raises:
        InvalidArgumentError: the shapes do not go together. Keras: keras.ops.dot_product_attention.
    """
    mask, words = _checked_mask(query, key, value, mask), _draw_dropout_words(query, key, rate, drawn)
    dtype = query._array.dtype
    if dtype not in KERNEL_FLOATS:
        q, k, v = (TABLE["cast"](x, dtype="float32") for x in (query, key, value))
        draw_words = None if words is None else lambda shape: words
        result = attention(q, k, v, mask, scale=scale, causal=causal, rate=rate, drawn=draw_words, blank=blank)
        return TABLE["cast"](result, dtype=query.dtype.name)
    sizes = (*query._array.shape, *value._array.shape)
    if 0 in sizes or max(query._array.shape[3], value._array.shape[3]) > MAX_HEAD_WIDTH:
        return unfused_attention(query, key, value, mask, words, scale, causal, rate, blank)[0]
    optional_inputs = [x for x in (mask, words) if x is not None]
    settings = {"scale": float(scale), "causal": bool(causal), "rate": float(rate), "blank": bool(blank)}
    result, _, _ = _attention(query, key, value, *optional_inputs, masked=mask is not None, **settings)
    return result


def attention_and_weights(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None = None,
    *,
    scale: float,
    causal: bool = False,
    rate: float = 0.0,
    drawn: Any = None,
    blank: bool = False,
) -> tuple[Tensor, Tensor]:
    """Computes the result of ``attention`` and the weights before dropout, of shape (batch, heads, queries, keys)."""
    mask, words = _checked_mask(query, key, value, mask), _draw_dropout_words(query, key, rate, drawn)
    return unfused_attention(query, key, value, mask, words, scale, causal, rate, blank)


def unfused_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None,
    random_words: Tensor | None,
    scale: float,
    causal: bool,
    dropout_rate: float,
    zero_hidden_rows: bool,
) -> tuple[Tensor, Tensor]:
    """Computes attention and its weights by matrix products and a softmax, with all scores and weights in memory."""
    scores, visible = _masked_scores(query, key, mask, scale, causal)
    weights = softmax(scores) if scores._array.size else scores
    if zero_hidden_rows and visible is not None:
        weights = TABLE["where"](visible, weights, constant_tensor(np.zeros((), weights._array.dtype)))
    weights_after_dropout = (
        weights if random_words is None else weights * _dropout_factors(weights, random_words, dropout_rate)
    )
    v = _heads_first(value, query._array.shape[2])
    result = TABLE["matmul"](weights_after_dropout, v, transpose_a=False, transpose_b=False)
    return TABLE["transpose"](result, perm=(0, 2, 1, 3)), weights


def _masked_scores(
    query: Tensor, key: Tensor, mask: Tensor | None, scale: float, causal: bool
) -> tuple[Tensor, Tensor | None]:
    """Returns the scores, very low where a query does not see a key, and where it does; None if it sees all."""
    heads = query._array.shape[2]
    q, k = _heads_first(query, heads), _heads_first(key, heads)
    scores = TABLE["matmul"](q * scale, k, transpose_a=False, transpose_b=True)
    visible = _causal_mask(scores._array.shape, causal)
    if mask is not None:
        visible = mask if visible is None else TABLE["logical_and"](mask, visible)
    if visible is not None:
        dtype = scores._array.dtype
        lowest_score = constant_tensor(np.array(-0.7 * float(ml_dtypes.finfo(dtype).max), dtype))
        scores = TABLE["where"](visible, scores, lowest_score)
    return scores, visible


def _heads_first(x: Tensor, heads: int) -> Tensor:
    """Returns ``x`` with the axis of heads before that of positions; groups are repeated until there are ``heads``."""
    x = TABLE["transpose"](x, perm=(0, 2, 1, 3))
    batch, groups, length, width = x._array.shape
    if groups == heads:
        return x
    times = heads // groups
    repeated = TABLE["broadcast_to"](
        TABLE["reshape"](x, shape=(batch, groups, 1, length, width)), shape=(batch, groups, times, length, width)
    )
    return TABLE["reshape"](repeated, shape=(batch, groups * times, length, width))


def _causal_mask(scores_shape: tuple[int, ...], is_causal: bool) -> Tensor | None:
    """Returns the causal mask, True for keys up to the query's position; None if not ``is_causal``."""
    return constant_tensor(np.tri(scores_shape[2], scores_shape[3], dtype=bool)) if is_causal else None


def _dropout_factors(weights: Tensor, random_words: Tensor, dropout_rate: float) -> Tensor:
    """Returns dropout factors, 0 or 1 / (1 - dropout_rate), of the shape of ``weights``.

    Rows are drawn as if their length were a multiple of 4, because one Philox block gives 4 numbers.
    """
    *outer, keys = weights._array.shape
    padded_length = -(-keys // 4) * 4
    ones = constant_tensor(np.ones((*outer, padded_length), weights._array.dtype))
    factors = draws.dropout(ones, random_words, rate=float(dropout_rate))
    return factors if padded_length == keys else factors[..., :keys]


def _draw_dropout_words(query: Tensor, key: Tensor, dropout_rate: float, draw_words: Any) -> Tensor | None:
    if not dropout_rate:
        return None
    batch, queries, heads, _ = query._array.shape
    words: Tensor = draw_words((batch, heads, queries, -(-key._array.shape[1] // 4) * 4))
    return words


def _checked_mask(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor | None:
    """Returns the mask with four dimensions; raises the errors of ``attention``."""
    q, k, v = (x._array.shape for x in (query, key, value))
    if not (
        len(q) == len(k) == len(v) == 4
        and q[0] == k[0] == v[0]
        and k[1:3] == v[1:3]
        and q[3] == k[3]
        and k[2]
        and q[2] % k[2] == 0
    ):
        raise InvalidArgumentError(
            f"attention: got a query of shape {list(q)}, a key of shape {list(k)} and a value of shape {list(v)}; wants "
            f"[batch, queries, heads, depth], [batch, keys, groups, depth] and [batch, keys, groups, width], where groups "
            f"divides heads."
        )
    if mask is None:
        return None
    full_shape = (q[0], q[2], q[1], k[1])
    shape = (1,) * (4 - mask.ndim) + mask._array.shape
    if len(shape) != 4 or any(n not in (1, full_size) for n, full_size in zip(shape, full_shape, strict=True)):
        raise InvalidArgumentError(
            f"attention: a mask of shape {list(mask.shape)} does not broadcast with [batch, heads, queries, keys], "
            f"which is {list(full_shape)} here."
        )
    if mask._array.dtype != np.bool_:
        mask = TABLE["cast"](mask, dtype="bool")
    return mask if mask.ndim == 4 else TABLE["reshape"](mask, shape=shape)
