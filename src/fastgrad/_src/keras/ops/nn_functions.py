"""The functions of ``keras.ops`` for neural networks, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.tensor import convert_to_tensor
from fastgrad._src.keras import activations, legacy_backend, settings
from fastgrad._src.keras.layers.convolution.transposed import transposed_sizes
from fastgrad._src.keras.layers.window_arguments import joined_shape, spatial_integers, split_shape, tensor_format
from fastgrad._src.keras.losses import cross_entropy
from fastgrad._src.keras.ops.function import as_common_dtype, as_floats, tensor
from fastgrad._src.ops import namespace as ops
from fastgrad._src.structures.sparse.conversion import from_dense
from fastgrad._src.structures.sparse.label_sequences import ctc_loss

_ACTIVATIONS = (
    "celu elu glu hard_shrink hard_sigmoid hard_silu hard_swish hard_tanh leaky_relu log_sigmoid log_softmax relu6 selu "
    "sigmoid silu soft_shrink softmax softplus softsign sparse_plus sparse_sigmoid sparsemax squareplus swish tanh_shrink threshold"
)


def _binary_crossentropy(target: Any, output: Any, from_logits: bool = False) -> Any:
    return cross_entropy.binary_losses(convert_to_tensor(target), convert_to_tensor(output), from_logits)


def _relu(x: Any) -> Any:
    """``activations.relu`` has options; Keras's operation, and its class in files, have none."""
    return activations.relu(x)


def _windows(x: Any, data_format: str | None, **sizes: Any) -> tuple[int, str, dict[str, Any]]:
    """Returns the number of spatial axes, TensorFlow's name of the data format, and a size for each spatial axis."""
    rank = x.ndim - 2
    layout = tensor_format(settings.standardize_data_format(data_format), rank)
    return rank, layout, {name: spatial_integers(size, rank, name) for name, size in sizes.items()}


def _pool_function(kind: str) -> Callable[..., Any]:
    def pool(
        inputs: Any, pool_size: Any, strides: Any = None, padding: str = "valid", data_format: str | None = None
    ) -> Any:
        x = tensor(inputs)
        steps = pool_size if strides is None else strides
        _, layout, sizes = _windows(x, data_format, pool_size=pool_size, strides=steps)
        return ops.pool(x, sizes["pool_size"], kind, sizes["strides"], padding.upper(), layout)

    return pool


def _conv_transpose(
    inputs: Any,
    kernel: Any,
    strides: Any = 1,
    padding: str = "valid",
    output_padding: Any = None,
    data_format: str | None = None,
    dilation_rate: Any = 1,
) -> Any:
    x, weights = as_common_dtype(inputs, kernel)
    rank, layout, sizes = _windows(x, data_format, strides=strides, dilation_rate=dilation_rate)
    steps, rates = sizes["strides"], sizes["dilation_rate"]
    form = settings.standardize_data_format(data_format)
    extra = None if output_padding is None else spatial_integers(output_padding, rank, "output_padding", min_value=0)
    spatial = transposed_sizes(split_shape(x.shape, form)[0], weights.shape[:-2], steps, rates, padding, extra)
    shape = joined_shape(x.shape[0], spatial, weights.shape[-2], form)
    return ops.conv_transpose(x, weights, shape, steps, padding.upper(), layout, rates)


def _ctc_loss(target: Any, output: Any, target_length: Any, output_length: Any, mask_index: int = 0) -> Any:
    logits = as_floats(output)
    dtype = dtypes.float64 if logits.dtype is dtypes.float64 else dtypes.float32
    labels, logits = tensor(target, "int32"), ops.cast(logits, dtypes.float32)
    loss = ctc_loss(labels, logits, target_length, output_length, False, blank_index=mask_index)
    return ops.cast(loss, dtype)


def _polar(abs_: Any, angle: Any) -> Any:
    radius, phase = [as_floats(x) for x in as_common_dtype(abs_, angle)]
    return ops.complex(radius * ops.cos(phase), radius * ops.sin(phase))


def _depthwise_conv(
    inputs: Any,
    kernel: Any,
    strides: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = 1,
) -> Any:
    x, weights = as_common_dtype(inputs, kernel)
    rank, layout, sizes = _windows(x, data_format, strides=strides, dilation_rate=dilation_rate)
    steps, rates = sizes["strides"], sizes["dilation_rate"]
    if rank == 1:  # a picture of one row
        axis = 2 if layout == "NCW" else 1
        x, weights, steps, rates = ops.expand_dims(x, axis), weights[None], steps * 2, (1, *rates)
        layout = layout.replace("W", "HW")
    window = (1, 1, *steps) if layout == "NCHW" else (1, *steps, 1)
    y = ops.depthwise_conv2d(x, weights, window, padding.upper(), layout, rates)
    return ops.squeeze(y, axis) if rank == 1 else y


def _one_hot(x: Any, num_classes: int, axis: int = -1, dtype: Any = None, sparse: bool = False) -> Any:
    rows = ops.one_hot(tensor(x, "int64"), num_classes, axis=axis, dtype=settings.standardize_dtype(dtype))
    return from_dense(rows) if sparse else rows


def _nonnegative_axes(axis: Any, rank: int) -> list[int]:
    return [place % rank for place in np.atleast_1d(axis).tolist()]


def _scaled(y: Any, axis: Any, scale: Any, offset: Any = None) -> Any:
    """Multiplies and adds weights of the axes ``axis``."""
    places = _nonnegative_axes(axis, y.ndim)
    shape = [size if place in places else 1 for place, size in enumerate(y.shape)]
    y = y if scale is None else y * ops.cast(ops.reshape(scale, shape), y.dtype)
    return y if offset is None else y + ops.cast(ops.reshape(offset, shape), y.dtype)


def _batch_normalization(
    x: Any, mean: Any, variance: Any, axis: int, offset: Any = None, scale: Any = None, epsilon: float = 1e-3
) -> Any:
    x = tensor(x)
    y = _scaled(x, axis, None, -tensor(mean, x.dtype))
    return _scaled(y, axis, ops.rsqrt(tensor(variance, x.dtype) + epsilon) * (1.0 if scale is None else scale), offset)


def _layer_normalization(
    x: Any, gamma: Any = None, beta: Any = None, axis: Any = -1, epsilon: float | None = None
) -> Any:
    x = as_floats(x)
    mean, variance = ops.moments(x, _nonnegative_axes(axis, x.ndim), keepdims=True)
    y = (x - mean) * ops.rsqrt(variance + (settings.epsilon() if epsilon is None else epsilon))
    return _scaled(y, axis, gamma, beta)


def _normalize(x: Any, axis: Any = -1, order: int = 2, epsilon: float | None = None) -> Any:
    x = as_floats(x)
    least = settings.epsilon() if epsilon is None else epsilon
    if order == 2:
        return ops.l2_normalize(x, axis, least**2)
    return x / ops.maximum(ops.norm(x, order, axis, keepdims=True), least)


def _attention(
    query: Any,
    key: Any,
    value: Any,
    bias: Any = None,
    mask: Any = None,
    scale: float | None = None,
    is_causal: bool = False,
    flash_attention: bool | None = None,
    attn_logits_soft_cap: float | None = None,
) -> Any:
    """Attention of heads: (batch, words, heads, depth). Heads of keys may be fewer: each serves a group of those of queries."""
    if flash_attention:
        raise ValueError("dot_product_attention: Flash attention is not supported; leave `flash_attention` out.")
    if attn_logits_soft_cap is not None:
        raise ValueError(f"dot_product_attention: attn_logits_soft_cap must be None, got {attn_logits_soft_cap!r}.")
    q, k, v = as_common_dtype(query, key, value)
    if q.ndim != 4:
        raise ValueError(f"`dot_product_attention` only supports 4D inputs, got {q.shape=}, {k.shape=}, {v.shape=}.")
    heads, key_heads = q.shape[2], k.shape[2]
    if 0 < key_heads < heads:
        k, v = [ops.repeat(x, heads // key_heads, 2) for x in (k, v)]
    scores = ops.einsum("bthd,bshd->bhts", q, k) * (q.shape[-1] ** -0.5 if scale is None else scale)
    scores = scores if bias is None else scores + ops.cast(bias, scores.dtype)
    allowed = None if mask is None else tensor(mask, "bool")
    if is_causal:
        earlier = ops.constant(np.tri(q.shape[1], k.shape[1], dtype=bool))
        allowed = earlier if allowed is None else ops.logical_and(allowed, earlier)
    if allowed is not None:
        scores = ops.where(allowed, scores, ops.constant(-0.7, scores.dtype) * scores.dtype.max)
    return ops.einsum("bhts,bshd->bthd", ops.softmax(scores), v)


def _moments(x: Any, axes: Any, keepdims: bool = False, synchronized: bool = False) -> Any:
    return ops.moments(tensor(x), axes, keepdims=keepdims)


TABLE: dict[str, Callable[..., Any]] = {
    **{name: getattr(activations, name) for name in _ACTIVATIONS.split()},
    "binary_crossentropy": _binary_crossentropy,
    "categorical_crossentropy": legacy_backend.categorical_crossentropy,
    "sparse_categorical_crossentropy": legacy_backend.sparse_categorical_crossentropy,
    "relu": _relu,
    "gelu": lambda x, approximate=True: activations.gelu(x, approximate),
    "max_pool": _pool_function("MAX"),
    "average_pool": _pool_function("AVG"),
    "conv_transpose": _conv_transpose,
    "ctc_loss": _ctc_loss,
    "polar": _polar,
    "depthwise_conv": _depthwise_conv,
    "one_hot": _one_hot,
    "moments": _moments,
    "batch_normalization": _batch_normalization,
    "layer_normalization": _layer_normalization,
    "normalize": _normalize,
    "dot_product_attention": _attention,
    "depth_to_space": lambda x, block_size, data_format="channels_last": ops.depth_to_space(
        tensor(x), block_size, tensor_format(data_format, 2)
    ),
    "space_to_depth": lambda x, block_size, data_format="channels_last": ops.space_to_depth(
        tensor(x), block_size, tensor_format(data_format, 2)
    ),
}
