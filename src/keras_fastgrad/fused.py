"""Attention and layer normalization by one operation each, where Keras's backend has ten."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import fastgrad as fg
from fastgrad._src.ops.attention import attention
from fastgrad._src.ops.normalization import layer_normalization

_DTYPES = (fg.float32, fg.float64)


def override_attention(module: ModuleType) -> None:
    """Replaces the computation of ``dot_product_attention``, which has checked and cast its arguments."""
    by_operations = module._dot_product_attention_xla

    def dot_product_attention(
        query: Any, key: Any, value: Any, bias: Any, mask: Any, is_causal: bool, scale: Any
    ) -> fg.Tensor:
        if bias is not None or query.dtype not in _DTYPES:
            return by_operations(query, key, value, bias, mask, is_causal, scale)
        if fg.is_tensor(scale):
            query, scale = query * fg.cast(scale, query.dtype), 1.0
        mask = None if mask is None else fg.convert_to_tensor(mask)
        return attention(query, key, value, mask, scale=scale, causal=is_causal)

    vars(module)["_dot_product_attention_xla"] = dot_product_attention


def override_normalization(module: ModuleType) -> None:
    """Replaces the computation of ``layer_normalization`` over the last axis."""
    by_operations = module._layer_normalization

    def normalize(
        x: Any, gamma: Any = None, beta: Any = None, axis: Any = -1, epsilon: Any = None, rms_scaling: bool = False
    ) -> fg.Tensor:
        x = fg.convert_to_tensor(x)
        last = x.shape.rank - 1
        is_last = axis in (-1, last, [-1], [last], (-1,), (last,))
        if rms_scaling or not is_last or gamma is None or beta is None or x.dtype not in _DTYPES:
            return by_operations(x, gamma, beta, axis, epsilon, rms_scaling)
        gamma, beta = fg.cast(gamma, x.dtype), fg.cast(beta, x.dtype)
        if gamma.shape != x.shape[-1:] or beta.shape != x.shape[-1:]:
            return by_operations(x, gamma, beta, axis, epsilon, rms_scaling)
        return layer_normalization(x, gamma, beta, module.backend.epsilon() if epsilon is None else epsilon)

    vars(module)["_layer_normalization"] = normalize
