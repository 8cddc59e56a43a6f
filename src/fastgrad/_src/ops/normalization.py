"""Normalisation: layer normalisation, one operation forward and one backward; batch normalisation by given moments."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.operand_errors import dtype_error
from fastgrad._src.core.operation import TABLE, Form, joint, operation
from fastgrad._src.core.result_rules import ArraySpec, like_inputs, same_as_first
from fastgrad._src.core.tensor import Tensor, constant_tensor, convert_to_tensor
from fastgrad._src.kernels.reduction import normalization as kernels
from fastgrad._src.ops.arguments import as_python_int
from fastgrad._src.ops.batching import first_rows_into_batch_rule
from fastgrad._src.ops.casting import cast
from fastgrad._src.ops.kernel_launches import KERNEL_FLOATS, launches_from
from fastgrad._src.ops.references import cotangents_by_tape, gradient_of_reference
from fastgrad._src.ops.rows import as_column, row_sum


def _run_layer_norm(x: np.ndarray, gamma: np.ndarray, beta: np.ndarray, epsilon: float) -> tuple[np.ndarray, ...]:
    rows, columns = x.shape
    y = np.empty(x.shape, x.dtype)
    mean, inverse = np.empty(rows, x.dtype), np.empty(rows, x.dtype)
    kernels.layer_norm[x.dtype](x, gamma, beta, y, mean, inverse, columns, epsilon, 0, rows)
    return y, mean, inverse


def _run_layer_norm_gradient(
    g: np.ndarray, x: np.ndarray, gamma: np.ndarray, mean: np.ndarray, inverse: np.ndarray
) -> tuple[np.ndarray, ...]:
    dx = np.empty(x.shape, x.dtype)
    dgamma, dbeta = np.empty(gamma.shape, x.dtype), np.empty(gamma.shape, x.dtype)
    rows, columns = x.shape
    kernels.layer_norm_parameters_gradient[x.dtype](
        g, x, mean, inverse, dgamma, dbeta, rows, columns, 0, -(-columns // kernels.LANES)
    )
    kernels.layer_norm_gradient[x.dtype](g, x, gamma, mean, inverse, dx, columns, 0, rows)
    return dx, dgamma, dbeta


def _row_mean(x: Tensor) -> Tensor:
    return row_sum(x, keepdims=True) * (1.0 / x._array.shape[1])


def _column_sum(x: Tensor) -> Tensor:
    return TABLE["reduce_sum"](x, axes=(0,), keepdims=False)


def _layer_norm_by_operations(x: Tensor, gamma: Tensor, beta: Tensor, epsilon: float) -> tuple[Tensor, ...]:
    # The mean is computed from distances to the first element, which lose no digits.
    start = x[:, :1]
    mean = start + _row_mean(x - start)
    centred = x - mean
    inverse = TABLE["rsqrt"](_row_mean(centred * centred) + epsilon)
    statistics = [TABLE["reshape"](column, shape=(x._array.shape[0],)) for column in (mean, inverse)]
    return centred * inverse * gamma + beta, *statistics


def _layer_norm_gradient_by_operations(
    g: Tensor, x: Tensor, gamma: Tensor, mean: Tensor, inverse: Tensor
) -> tuple[Tensor, ...]:
    s = as_column(inverse)
    h = (x - as_column(mean)) * s
    u = g * gamma
    return s * (u - _row_mean(u) - h * _row_mean(u * h)), _column_sum(g * h), _column_sum(g)


def _layer_norm_gradient_rule(
    needs: Any, g: Any, y: Any, x: Tensor, gamma: Tensor, beta: Tensor, epsilon: float
) -> tuple[Tensor | None, ...]:
    if g[1] is not None or g[2] is not None:  # the statistics have cotangents only in second derivatives
        return cotangents_by_tape(partial(_layer_norm_by_operations, epsilon=epsilon), (x, gamma, beta), needs, g)
    return _layer_norm_gradient(g[0], x, gamma, *y[1:])


def _recomputed_layer_norm(builder: Any, statistics: Any, x: Any, gamma: Any, beta: Any, epsilon: float) -> Any:
    # The same operations in the same order as in the kernel (kernels/reduction/normalization.py).
    (mean, inverse), rows = statistics, (x.shape[0], 1)
    y = builder.add("subtract", x, builder.reshaped(mean, rows), shape=x.shape)
    y = builder.add("multiply", y, builder.reshaped(inverse, rows), shape=x.shape)
    y = builder.add("multiply", y, gamma, shape=x.shape)
    return builder.add("add", y, beta, shape=x.shape)


_layer_norm_gradient = operation(
    "layer_normalization_gradient",
    Form.FUSED,
    run=_run_layer_norm_gradient,
    gradient=gradient_of_reference(_layer_norm_gradient_by_operations),
    dtypes=KERNEL_FLOATS,
    launches=launches_from("reduction.normalization", "layer_norm_gradient_launches"),
    rounds_as_run=True,
    reference=_layer_norm_gradient_by_operations,
    result=like_inputs(1, 2, 2),
)
_layer_norm_operation = operation(
    "layer_normalization",
    Form.FUSED,
    run=_run_layer_norm,
    gradient=joint(_layer_norm_gradient_rule, zeros=False),
    dtypes=KERNEL_FLOATS,
    launches=launches_from("reduction.normalization", "layer_norm_launches"),
    rounds_as_run=True,
    batched=first_rows_into_batch_rule,
    recomputation=_recomputed_layer_norm,
    reference=_layer_norm_by_operations,
    result=lambda x, *inputs, **attributes: (same_as_first(x), *(ArraySpec(x.shape[:1], x.dtype),) * 2),
)


def layer_normalization(x: Any, gamma: Any, beta: Any, epsilon: float = 1e-3) -> Tensor:
    """``gamma * (x - mean) / sqrt(variance + epsilon) + beta`` over the last axis (Ba et al. 2016).

    Args:
        x: floating, shape (..., features); half-width dtypes are computed in float32.
        gamma, beta: shape (features,), of the dtype of ``x``.
        epsilon: added to the variance.

    Returns:
        A tensor of the shape and dtype of ``x``.

    Raises:
        InvalidArgumentError: the shapes do not fit, or the dtype is not floating.
    """
    x = convert_to_tensor(x)
    gamma, beta = (convert_to_tensor(v, dtype_hint=x.dtype) for v in (gamma, beta))
    shape = x._array.shape
    if not x.dtype.is_floating:
        raise dtype_error("layer_normalization", x._array.dtype, KERNEL_FLOATS)
    if not shape or gamma._array.shape != shape[-1:] or beta._array.shape != shape[-1:]:
        raise InvalidArgumentError(
            f"layer_normalization: gamma and beta must have the shape of x's last axis; x has shape {list(shape)}, "
            f"gamma {list(gamma.shape)}, beta {list(beta.shape)}."
        )
    if x._array.dtype not in KERNEL_FLOATS:
        half_dtype, cast = x.dtype.name, TABLE["cast"]
        x, gamma, beta = (cast(v, dtype="float32") for v in (x, gamma, beta))
        normalized = layer_normalization(x, gamma, beta, epsilon)
        return cast(normalized, dtype=half_dtype)
    if len(shape) == 2:
        return _layer_norm_operation(x, gamma, beta, epsilon=epsilon)[0]
    flat = TABLE["reshape"](x, shape=(int(np.prod(shape[:-1])), shape[-1]))
    return TABLE["reshape"](_layer_norm_operation(flat, gamma, beta, epsilon=epsilon)[0], shape=shape)


def batch_normalization(
    x: Any, mean: Any, variance: Any, offset: Any, scale: Any, variance_epsilon: float, name: str | None = None
) -> Tensor:
    """``scale * (x - mean) / sqrt(variance + variance_epsilon) + offset``, broadcast.

    Args:
        x: floating.
        mean, variance: moments that broadcast with ``x``. Their dtype may differ, such as float32 for a float16 ``x``; then
            scale and offset are computed in that dtype.
        offset, scale: tensors that broadcast with ``x``, or None for 0 and 1.
        variance_epsilon: added to the variance.
        name: kept for TensorFlow's signature.

    Returns:
        A tensor like ``x``. TensorFlow: tf.nn.batch_normalization.
    """
    x = convert_to_tensor(x)
    inverse = TABLE["rsqrt"](convert_to_tensor(variance, dtype_hint=x.dtype) + variance_epsilon)
    if scale is not None:
        inverse = inverse * scale
    shift = TABLE["negative"](inverse * mean)
    if offset is not None:
        shift = shift + offset
    return x * cast(inverse, x.dtype) + cast(shift, x.dtype)


def local_response_normalization(
    input: Any,  # TensorFlow's name
    depth_radius: int = 5,
    bias: float = 1,
    alpha: float = 1,
    beta: float = 0.5,
    name: str | None = None,
) -> Tensor:
    """``input / (bias + alpha * sum of squares of the neighbouring channels) ** beta`` (Krizhevsky et al. 2012).

    Args:
        input: floating, shape (batch, height, width, channels).
        depth_radius: the number of neighbouring channels on each side.
        bias, alpha, beta: the numbers of the formula.
        name: kept for TensorFlow's signature.

    Raises:
        InvalidArgumentError: the rank of ``input`` is not 4. TensorFlow: tf.nn.local_response_normalization.
    """
    x = convert_to_tensor(input)
    if x.ndim != 4:
        raise InvalidArgumentError(f"local_response_normalization: in must be 4-dimensional, got {list(x.shape)}.")
    depth_radius = as_python_int(depth_radius, "local_response_normalization: depth_radius")
    if depth_radius < 0:
        raise InvalidArgumentError(f"local_response_normalization: depth_radius must be >= 0, got {depth_radius}.")
    channels = x._array.shape[-1]
    is_neighbour = np.abs(np.subtract.outer(np.arange(channels), np.arange(channels))) <= depth_radius
    band = alpha * constant_tensor(is_neighbour.astype(x._array.dtype))
    flat = TABLE["reshape"](x * x, shape=(x._array.size // max(channels, 1), channels))
    neighbour_sums = TABLE["matmul"](flat, band, transpose_a=False, transpose_b=False)
    scale = bias + TABLE["reshape"](neighbour_sums, shape=x._array.shape)
    return x * (TABLE["rsqrt"](scale) if beta == 0.5 else TABLE["pow"](scale, -beta))
