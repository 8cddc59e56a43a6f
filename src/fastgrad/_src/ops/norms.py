"""Norms of vectors and matrices, and division by norms: norm, normalize, l2_normalize."""

from __future__ import annotations

import operator
from typing import Any

from fastgrad._src.core import dtypes
from fastgrad._src.core.operation import INEXACT_DTYPES
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.ops.arguments import check_dtype, nonnegative_axis, tensor_of
from fastgrad._src.ops.arithmetic import abs as absolute
from fastgrad._src.ops.arithmetic import conjugate, maximum
from fastgrad._src.ops.casting import cast
from fastgrad._src.ops.complex_numbers import imag, real
from fastgrad._src.ops.decompositions import svd
from fastgrad._src.ops.power import pow as power
from fastgrad._src.ops.power import rsqrt, sqrt, square
from fastgrad._src.ops.reduction import reduce_euclidean_norm, reduce_max, reduce_sum
from fastgrad._src.ops.shaping import reshape, squeeze, transpose

_MATRIX_NORMS = ("euclidean", "fro", 1, 2, float("inf"))


def norm(
    tensor: Any, ord: Any = "euclidean", axis: Any = None, keepdims: bool | None = None, name: str | None = None
) -> Tensor:
    """Norms of vectors or matrices.

    Args:
        tensor: a float or complex tensor; for complex tensors the result is complex, too.
        ord: for vectors ``"euclidean"``, a positive number p for the p-th root of the sum of p-th powers, or ``inf``;
            for matrices ``"euclidean"`` or ``"fro"``, 1 (the largest column sum), ``inf`` (the largest row sum) or 2
            (the largest singular value).
        axis: an int, the axis of vectors; two ints, the axes of rows and columns of matrices; or None: all elements are
            one vector.
        keepdims: whether the reduced dimensions stay, of size 1.
        name: kept for TensorFlow's signature.

    Returns:
        Norms, of the shape of ``tensor`` without the reduced dimensions. The gradient of the Euclidean norm at 0 is NaN.

    Raises:
        ValueError: ``ord`` is unknown, or ``axis`` is neither one axis nor two different axes.
        InvalidArgumentError: an axis is out of range, or the dtype has no norms.
    """
    x = tensor_of(tensor)
    check_dtype("norm", x._array.dtype, INEXACT_DTYPES)
    axes = _norm_axes(axis)
    if isinstance(axes, tuple):
        if ord not in _MATRIX_NORMS:
            raise ValueError(f"norm: 'ord' must be a supported matrix norm in {list(_MATRIX_NORMS)}, got {ord}")
    elif ord != "euclidean" and (isinstance(ord, str) or not ord > 0):
        raise ValueError(f"norm: 'ord' must be a supported vector norm ('euclidean', inf or above 0), got {ord}")
    keepdims = bool(keepdims)
    if isinstance(axes, tuple) and ord == 2:
        return _largest_singular_value(x, axes, keepdims)
    if ord in ("euclidean", "fro", 2):
        if x._array.dtype.kind != "c":
            return reduce_euclidean_norm(x, axes, keepdims)
        return sqrt(reduce_sum(x * conjugate(x), axes, keepdims))
    sizes = absolute(x)
    if isinstance(axes, tuple):
        summed_axis, compared_axis = axes if ord == 1 else axes[::-1]
        y = reduce_max(reduce_sum(sizes, summed_axis, True), compared_axis, True)
        return y if keepdims else squeeze(y, axes)
    if ord == 1:
        return reduce_sum(sizes, axes, keepdims)
    if ord == float("inf"):
        return reduce_max(sizes, axes, keepdims)
    return power(reduce_sum(power(sizes, ord), axes, keepdims), 1.0 / ord)


def _norm_axes(axis: Any) -> int | tuple[int, int] | None:
    if axis is None:
        return None
    if isinstance(axis, (list, tuple)):
        if len(axis) == 2 and axis[0] != axis[1]:
            return operator.index(axis[0]), operator.index(axis[1])
    else:
        try:
            return operator.index(axis)
        except TypeError:
            pass
    raise ValueError(f"norm: 'axis' must be None, an integer, or a tuple of 2 unique integers, got {axis}")


def _largest_singular_value(x: Tensor, axes: tuple[int, int], keepdims: bool) -> Tensor:
    rank = x._array.ndim
    rows, columns = (nonnegative_axis(axis, rank, "norm") for axis in axes)
    other_axes = [axis for axis in range(rank) if axis not in (rows, columns)]
    y = reduce_max(svd(transpose(x, (*other_axes, rows, columns)), compute_uv=False), -1)
    if not keepdims:
        return y
    return reshape(y, tuple([1 if axis in (rows, columns) else size for axis, size in enumerate(x._array.shape)]))


def normalize(tensor: Any, ord: Any = "euclidean", axis: Any = None, name: str | None = None) -> tuple[Tensor, Tensor]:
    """``tensor`` divided by its norm, and the norm.

    Args:
        tensor, ord, axis: as in ``tf.norm``.
        name: kept for TensorFlow's signature.

    Returns:
        ``(normalized, norm)``; the reduced dimensions of the norm stay, of size 1.

    Raises:
        ValueError, InvalidArgumentError: as in ``tf.norm``.
    """
    x = tensor_of(tensor)
    length = norm(x, ord, axis, True)
    return x / cast(length, x.dtype), length


def l2_normalize(x: Any, axis: Any = None, epsilon: float = 1e-12, name: str | None = None, dim: Any = None) -> Tensor:
    """``x / sqrt(max(sum(|x|^2), epsilon))``: scales vectors to length 1; 0 stays 0.

    Args:
        x: a float or complex tensor.
        axis: the axes of the vectors, an int or several; None: all elements are one vector.
        epsilon: the smallest sum of squares to divide by.
        name: kept for TensorFlow's signature.
        dim: an older name of ``axis``.

    Raises:
        ValueError: both ``axis`` and ``dim`` are given.
        InvalidArgumentError: an axis is out of range.
        TypeError: the dtype is an integer dtype.
    """
    if dim is not None:
        if axis is not None:
            raise ValueError("l2_normalize: Cannot specify both 'dim' and 'axis'.")
        axis = dim
    x = tensor_of(x)
    if not x.dtype.is_differentiable:
        raise TypeError(f"l2_normalize: x must be float or complex, got {x.dtype.name}; convert it with tf.cast.")
    wide = cast(x, dtypes.float32) if x.dtype is dtypes.float16 else x  # squares of 300 are beyond float16
    squares = square(real(wide)) + square(imag(wide)) if x._array.dtype.kind == "c" else square(wide)
    inverse = rsqrt(maximum(reduce_sum(squares, axis, True), epsilon))
    return cast(wide * cast(inverse, wide.dtype), x.dtype)
