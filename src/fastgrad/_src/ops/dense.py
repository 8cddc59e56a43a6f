"""A dense layer's arithmetic in one operation: ``activation(x @ kernel + bias)``."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastgrad._src.core.argument_checks import refuse
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.operation import TABLE, Form, joint, operation
from fastgrad._src.core.result_rules import ArraySpec, require_fitting_shapes, same_as_first
from fastgrad._src.core.tensor import Tensor, convert_to_tensor
from fastgrad._src.kernels.gemm import dense as kernels
from fastgrad._src.ops.contraction import matrix_product, runs_product_kernel
from fastgrad._src.ops.kernel_launches import KERNEL_FLOATS
from fastgrad._src.ops.references import gradient_of_reference

FUSED_ACTIVATIONS = tuple(kernels.BIAS_KERNELS)
"""The names of the activations that run in the kernel that adds the bias. Their gradient follows from their result, so no other
value is kept for it."""


def _product_spec(x: Any, kernel: Any) -> ArraySpec:
    require_fitting_shapes(len(x.shape) == len(kernel.shape) == 2 and x.shape[1] == kernel.shape[0])
    return ArraySpec((x.shape[0], kernel.shape[1]), x.dtype)


def _run_dense(x: np.ndarray, kernel: np.ndarray, bias: np.ndarray, activation: str) -> np.ndarray:
    y = matrix_product(x, kernel)
    kernels.BIAS_KERNELS[activation][y.dtype](y, bias, y.shape[1], 0, y.size)
    return y


def _run_dense_gradient(g: np.ndarray, y: np.ndarray, activation: str) -> tuple[np.ndarray, np.ndarray]:
    dz, db = np.empty(y.shape, y.dtype), np.empty(y.shape[1], y.dtype)
    kernels.DENSE_GRADIENT_KERNELS[activation][y.dtype](g, y, dz, db, *y.shape)
    return dz, db


def _dense_gradient_by_operations(g: Tensor, y: Tensor, activation: str) -> tuple[Tensor, Tensor]:
    dz = g if activation == "linear" else TABLE[activation].gradient(g, y, None)  # these rules read only the result
    return dz, TABLE["reduce_sum"](dz, axes=(0,), keepdims=False)


def _decomposed_dense_gradient(builder: Any, g: Any, y: Any, activation: str) -> tuple[Any, Any]:
    shape = g.shape
    if activation == "relu":
        g = builder.add("relu_gradient", g, y, shape=shape)
    elif activation == "tanh":
        square = builder.add("multiply", y, y, shape=shape)
        slope = builder.add("subtract", builder.number(1.0, g.dtype), square, shape=shape)
        g = builder.add("multiply", g, slope, shape=shape)
    return g, builder.add("reduce_sum", g, shape=shape[1:], axes=(0,), keepdims=False)


_dense_gradient = operation(
    "dense_gradient",
    Form.FUSED,
    run=_run_dense_gradient,
    gradient=gradient_of_reference(_dense_gradient_by_operations),
    dtypes=KERNEL_FLOATS,
    launches=kernels.dense_gradient_launches,
    rounds_as_run=True,
    decomposition=_decomposed_dense_gradient,
    result=lambda g, y, activation: (same_as_first(y), ArraySpec(y.shape[1:], y.dtype)),
)


def _dense_gradient_rule(
    needs: Any, g: Tensor, y: Tensor, x: Tensor, kernel: Tensor, bias: Tensor, activation: str
) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    dz, db = _dense_gradient(g, y, activation=activation)
    matmul = TABLE["matmul"]
    return (
        matmul(dz, kernel, transpose_a=False, transpose_b=True) if needs[0] else None,
        matmul(x, dz, transpose_a=True, transpose_b=False) if needs[1] else None,
        db if needs[2] else None,
    )


def _decomposed_dense(builder: Any, x: Any, kernel: Any, bias: Any, activation: str) -> tuple[Any]:
    shape = x.shape[0], kernel.shape[1]
    y = builder.add("matmul", x, kernel, shape=shape, transpose_a=False, transpose_b=False)
    y = builder.add("add", y, bias, shape=shape)
    return (y if activation == "linear" else builder.add(activation, y, shape=shape),)


_dense_operation = operation(
    "dense",
    Form.FUSED,
    run=_run_dense,
    gradient=joint(_dense_gradient_rule),
    dtypes=KERNEL_FLOATS,
    launches=kernels.dense_launches,
    rounds_as_run=lambda inputs, outputs, activation: runs_product_kernel(inputs[:2], outputs, False, False),
    decomposition=_decomposed_dense,
    result=lambda x, kernel, bias, activation: _product_spec(x, kernel),
)


def dense(x: Tensor, kernel: Tensor, bias: Tensor | None, activation: str = "linear") -> Tensor:
    """Computes ``activation(x @ kernel + bias)``: besides the matrix products, one pass forward and one backward.

    Args:
        x: floating, shape (..., features).
        kernel: shape (features, units), of the dtype of ``x``.
        bias: shape (units,) or one that broadcasts to it, or None.
        activation: one of ``FUSED_ACTIVATIONS``.

    Returns:
        Shape (..., units). The calling layer checks shapes and dtypes.
    """
    shape = x._array.shape
    if len(shape) != 2:
        flat = TABLE["reshape"](x, shape=(int(np.prod(shape[:-1])), shape[-1]))
        return TABLE["reshape"](dense(flat, kernel, bias, activation), shape=(*shape[:-1], kernel._array.shape[1]))
    if (
        bias is None
        or x._array.dtype not in KERNEL_FLOATS
        or bias._array.shape != kernel._array.shape[1:]  # the kernel below reads as many elements
        or bias._array.dtype != x._array.dtype
    ):
        y = TABLE["matmul"](x, kernel, transpose_a=False, transpose_b=False)
        y = y if bias is None else y + bias
    else:
        fused: Tensor = _dense_operation(x, kernel, bias, activation=activation)
        return fused
    return y if activation == "linear" else TABLE[activation](y)


def bias_add(value: Any, bias: Any, data_format: str | None = None, name: str | None = None) -> Tensor:
    """``value`` plus a vector along the channels.

    Args:
        value: rank 2 or more.
        bias: shape (channels,), of the dtype of ``value``.
        data_format: ``"N...C"`` (default; also "NHWC") if the channels are last, ``"NC..."`` (also "NCHW") if second.
        name: kept for TensorFlow's signature.

    Raises:
        ValueError: an unknown data format.
        InvalidArgumentError: the shapes do not go together. TensorFlow: tf.nn.bias_add.
    """
    if data_format is not None and not data_format.startswith("N"):
        raise ValueError(f"`data_format` must be of the form `N...C` or `NC...`. Received: data_format={data_format}")
    value = convert_to_tensor(value)
    bias = convert_to_tensor(bias, dtype_hint=value.dtype)
    channels_first = data_format is not None and data_format.startswith("NC")
    if value.ndim < 2 or bias.ndim != 1 or bias.shape[0] != value.shape[1 if channels_first else -1]:
        refuse("bias_add", "needs one bias per channel", InvalidArgumentError, value=value.shape, bias=bias.shape)
    if channels_first and value.ndim > 2:
        bias = TABLE["reshape"](bias, shape=(bias._array.size, *(1,) * (value.ndim - 2)))
    return TABLE["add"](value, bias)
