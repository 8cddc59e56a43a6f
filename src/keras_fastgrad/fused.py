"""Attention and normalization by one or two operations, where Keras's backend has ten."""

from __future__ import annotations

import functools
from types import ModuleType
from typing import Any

import fastgrad as fg
from fastgrad._src.ops.attention import attention
from fastgrad._src.ops.batch_moments import batch_moments, normalized
from fastgrad._src.ops.kernel_launches import KERNEL_FLOATS
from fastgrad._src.ops.normalization import layer_normalization


def override_backend(module: ModuleType) -> None:
    """Replaces attention, which has checked and cast its arguments, and batch normalization."""
    by_operations, moments_by_operations = module._dot_product_attention_xla, module._compute_moments
    normalization_by_operations = module.batch_normalization

    def dot_product_attention(
        query: Any, key: Any, value: Any, bias: Any, mask: Any, is_causal: bool, scale: Any
    ) -> fg.Tensor:
        if bias is not None or query.dtype.numpy not in KERNEL_FLOATS:
            return by_operations(query, key, value, bias, mask, is_causal, scale)
        if fg.is_tensor(scale):
            query, scale = query * fg.cast(scale, query.dtype), 1.0
        mask = None if mask is None else fg.convert_to_tensor(mask)
        return attention(query, key, value, mask, scale=scale, causal=is_causal)

    def moments(x: Any, axes: Any, keepdims: bool) -> tuple[fg.Tensor, fg.Tensor]:
        x = fg.convert_to_tensor(x)
        if keepdims or x.dtype.numpy not in KERNEL_FLOATS or list(axes) != [*range(x.shape.rank - 1)]:
            return moments_by_operations(x, axes, keepdims)
        return batch_moments(x, x.shape.rank - 1)

    @functools.wraps(normalization_by_operations)
    def batch_normalization(
        x: Any, mean: Any, variance: Any, axis: int, offset: Any = None, scale: Any = None, epsilon: float = 1e-3
    ) -> fg.Tensor:
        x, mean, variance = (fg.convert_to_tensor(each) for each in (x, mean, variance))
        scale, offset = (None if each is None else fg.convert_to_tensor(each) for each in (scale, offset))
        vectors = [each for each in (mean, variance, scale, offset) if each is not None]
        if x.dtype.numpy not in KERNEL_FLOATS or any(each.dtype != x.dtype or each.shape.rank != 1 for each in vectors):
            return normalization_by_operations(x, mean, variance, axis, offset, scale, epsilon)
        return normalized(x, mean, variance, scale, offset, epsilon, axis % x.shape.rank)

    vars(module).update(
        _dot_product_attention_xla=dot_product_attention,
        _compute_moments=moments,
        batch_normalization=batch_normalization,
    )


def override_layer_normalization(module: ModuleType) -> None:
    """Replaces the computation of ``layer_normalization`` over the last axis."""
    by_operations = module._layer_normalization

    def normalize(
        x: Any, gamma: Any = None, beta: Any = None, axis: Any = -1, epsilon: Any = None, rms_scaling: bool = False
    ) -> fg.Tensor:
        x = fg.convert_to_tensor(x)
        last = x.shape.rank - 1
        is_last = axis in (-1, last, [-1], [last], (-1,), (last,))
        if rms_scaling or not is_last or gamma is None or beta is None or x.dtype.numpy not in KERNEL_FLOATS:
            return by_operations(x, gamma, beta, axis, epsilon, rms_scaling)
        gamma, beta = fg.cast(gamma, x.dtype), fg.cast(beta, x.dtype)
        if gamma.shape != x.shape[-1:] or beta.shape != x.shape[-1:]:
            return by_operations(x, gamma, beta, axis, epsilon, rms_scaling)
        return layer_normalization(x, gamma, beta, module.backend.epsilon() if epsilon is None else epsilon)

    vars(module)["_layer_normalization"] = normalize
