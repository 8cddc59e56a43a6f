"""Reductions over axes: sums, means, products, extremes, any and all, and what is made of them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastgrad.errors import InvalidArgumentError
from fastgrad.operation import NUMERIC, Form, operation, refuse_dtype
from fastgrad.ops.arguments import integers, tensor_of
from fastgrad.ops.arithmetic import multiply
from fastgrad.tensor import Tensor

_HALVES = frozenset(np.dtype(name) for name in ("float16", "bfloat16"))
_FLOAT32 = np.dtype(np.float32)


def reduction_axes(name: str, axis: Any, rank: int) -> tuple[int, ...]:
    """``axis`` of a reduction as sorted axes counted from the front; None means all.

    Args:
        name: the operation, for the error.
        axis: None, an int, a list, tuple, array or tensor of ints.
        rank: how many dimensions the tensor has.

    Raises:
        InvalidArgumentError: there is no such axis, or one comes twice.
    """
    if axis is None:
        return tuple(range(rank))
    if type(axis) is int and -rank <= axis < rank:
        return (axis + rank if axis < 0 else axis,)
    numbers = integers(axis, f"{name}: axis")
    axes = set()
    for number in numbers:
        if not -rank <= number < rank:
            raise InvalidArgumentError(
                f"{name}: Invalid reduction dimension ({number} for input with {rank} dimension(s)); "
                f"axes are in [{-rank}, {rank})."
            )
        axes.add(number + rank if number < 0 else number)
    if len(axes) < len(numbers):
        raise InvalidArgumentError(f"{name}: Invalid reduction arguments: Axes contains duplicate dimension: {axis}.")
    return tuple(sorted(axes))


# ---- sums ----------------------------------------------------------------------------------------


def sum_over(x: np.ndarray, axes: tuple[int, ...], keepdims: bool) -> Any:
    """The sum over axes, in the dtype of ``x`` but for half precision, whose sums are float32.

    Rounding errors grow with the logarithm of the number of terms, whichever axes are summed.
    """
    dtype = x.dtype
    if dtype in _HALVES:
        dtype = _FLOAT32
    return np.add.reduce(x, axes, dtype, None, keepdims)


def _reduce_sum(x: np.ndarray, axes: tuple[int, ...], keepdims: bool) -> Any:
    y = sum_over(x, axes, keepdims)
    return y if y.dtype is x.dtype else y.astype(x.dtype)


def _spread(g: np.ndarray, shape: tuple[int, ...], axes: tuple[int, ...]) -> np.ndarray:
    """``g`` of a reduction's result at all elements that were reduced, as a view."""
    if g.ndim != len(shape):
        g = g.reshape(tuple([1 if axis in axes else size for axis, size in enumerate(shape)]))
    strides = list(g.strides)
    for axis in axes:
        strides[axis] = 0
    return np.lib.stride_tricks.as_strided(g, shape, strides, writeable=False)


spread = operation(
    "spread",
    Form.INDEX_MAP,
    run=_spread,
    gradient=lambda g, y, x, shape, axes: _sum_row(g, axes=axes, keepdims=x._array.ndim == len(shape)),
    dtypes=NUMERIC,
)
_sum_row = operation(
    "reduce_sum",
    Form.REDUCE,
    run=_reduce_sum,
    gradient=lambda g, y, x, axes, keepdims: spread(g, shape=x._array.shape, axes=axes),
    dtypes=NUMERIC,
)


def reduce_sum(input_tensor: Any, axis: Any = None, keepdims: bool = False, name: str | None = None) -> Tensor:
    """The sum over axes.

    Args:
        input_tensor: a numeric tensor. Sums of integers wrap around in their dtype, sums of half precision
            are taken in float32.
        axis: an int or several; None sums everything.
        keepdims: whether the reduced dimensions stay, with size 1.
        name: kept for TensorFlow's signature.

    Raises:
        InvalidArgumentError: a dtype without sums, or no such axis.
    """
    x = input_tensor if type(input_tensor) is Tensor else tensor_of(input_tensor)
    if x._array.dtype not in NUMERIC:
        raise refuse_dtype("reduce_sum", x._array.dtype, NUMERIC)
    return _sum_row(x, axes=reduction_axes("reduce_sum", axis, x._array.ndim), keepdims=bool(keepdims))


def _count(shape: tuple[int, ...], axes: tuple[int, ...]) -> int:
    return math.prod([shape[axis] for axis in axes])


def _reduce_mean(x: np.ndarray, axes: tuple[int, ...], keepdims: bool) -> Any:
    total = sum_over(x, axes, keepdims)
    count = _count(x.shape, axes)
    if x.dtype.kind in "iu":
        if not count:
            raise InvalidArgumentError("reduce_mean: the mean of no integers does not exist.")
        return np.trunc(np.true_divide(total, count)).astype(x.dtype) if count < 0 else _truncated(total, count)
    y = np.divide(total, total.dtype.type(count))
    return y if y.dtype is x.dtype else y.astype(x.dtype)


def _truncated(total: np.ndarray, count: int) -> np.ndarray:
    """``total / count`` rounded towards zero, in integers."""
    return np.where(total < 0, -(-total // count), total // count).astype(total.dtype)


def _mean_gradient(g: Tensor, y: Tensor, x: Tensor, axes: tuple[int, ...], keepdims: bool) -> Tensor:
    shape = x._array.shape
    count = _count(shape, axes)
    return spread(multiply(g, 1.0 / count if count else 0.0), shape=shape, axes=axes)


_mean_row = operation("reduce_mean", Form.REDUCE, run=_reduce_mean, gradient=_mean_gradient, dtypes=NUMERIC)


def reduce_mean(input_tensor: Any, axis: Any = None, keepdims: bool = False, name: str | None = None) -> Tensor:
    """The mean over axes.

    Args:
        input_tensor: a numeric tensor; means of integers are integers, rounded towards zero.
        axis: an int or several; None takes the mean of everything.
        keepdims: whether the reduced dimensions stay, with size 1.
        name: kept for TensorFlow's signature.

    Raises:
        InvalidArgumentError: a dtype without means, or no such axis.
    """
    x = input_tensor if type(input_tensor) is Tensor else tensor_of(input_tensor)
    if x._array.dtype not in NUMERIC:
        raise refuse_dtype("reduce_mean", x._array.dtype, NUMERIC)
    return _mean_row(x, axes=reduction_axes("reduce_mean", axis, x._array.ndim), keepdims=bool(keepdims))
