"""NumPy's products, and what is computed by them: functions of two tensors of one dtype."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.ops import linear_algebra
from fastgrad._src.ops import power as power_ops
from fastgrad._src.ops.casting import cast
from fastgrad._src.ops.composed.numpy_functions.operands import tensor
from fastgrad._src.ops.composed.numpy_functions.rearrangement import diff, moveaxis
from fastgrad._src.ops.contraction import matmul as _matmul
from fastgrad._src.ops.convolution import conv1d
from fastgrad._src.ops.einsum import tensordot
from fastgrad._src.ops.padding import pad
from fastgrad._src.ops.reduction import reduce_sum
from fastgrad._src.ops.shaping import reshape


def dot(a: Any, b: Any) -> Any:
    """The sum over the last axis of ``a`` and the last but one of ``b``; of a scalar, the product."""
    return a * b if not (a.ndim and b.ndim) else tensordot(a, b, [[-1], [max(b.ndim - 2, 0)]])


def inner(a: Any, b: Any) -> Any:
    """The sum over the last axes; of a scalar, the product."""
    return tensordot(a, b, [[-1], [-1]]) if a.ndim and b.ndim else a * b


def outer(a: Any, b: Any) -> Any:
    """The products of all pairs of elements, as a matrix."""
    return reshape(a, [-1, 1]) * reshape(b, [1, -1])


def matmul(a: Any, b: Any) -> Any:
    """The product of matrices, or of vectors as rows at the left and columns at the right."""
    left, right = a[None] if a.ndim == 1 else a, b[:, None] if b.ndim == 1 else b
    y = _matmul(left, right)
    y = y[..., 0, :] if a.ndim == 1 else y
    return y[..., 0] if b.ndim == 1 else y


def kron(a: Any, b: Any) -> Any:
    """The Kronecker product."""
    rank = max(a.ndim, b.ndim)
    rows = [(1,) * (rank - x.ndim) + tuple(x.shape) for x in (a, b)]
    left = reshape(a, [size for length in rows[0] for size in (length, 1)])
    right = reshape(b, [size for length in rows[1] for size in (1, length)])
    return reshape(left * right, [m * n for m, n in zip(*rows, strict=True)])


def cross(x1: Any, x2: Any, axisa: int, axisb: int, axisc: int, axis: int | None) -> Any:
    """The cross product of vectors in an axis of each operand."""
    a, b, c = (axisa, axisb, axisc) if axis is None else (axis, axis, axis)
    return moveaxis(linear_algebra.cross(moveaxis(x1, a, -1), moveaxis(x2, b, -1)), -1, c)


def trapezoid(y: Any, x: Any, dx: float, axis: int) -> Any:
    """The integral of floats ``y`` by the trapezoidal rule, at places ``x`` or, if these are None, in steps of ``dx``."""
    values = moveaxis(y, axis, -1)
    return reduce_sum((values[..., 1:] + values[..., :-1]) / 2.0 * (dx if x is None else diff(x)), -1)


def vander(x: Any, N: int | None = None, increasing: bool = False) -> Any:
    """The Vandermonde matrix: a row of powers for each element of ``x``."""
    x = tensor(x)
    powers = np.arange(x.shape[0] if N is None else N)
    return power_ops.pow(x[:, None], cast(powers if increasing else powers[::-1], x.dtype))


def correlate(a: Any, b: Any, mode: str) -> Any:
    """The cross-correlation of vectors; ValueError for another rank."""
    if a.ndim != 1 or b.ndim != 1:
        raise ValueError(f"correlate: expected two vectors. Received shapes {tuple(a.shape)} and {tuple(b.shape)}.")
    if not a.dtype.is_floating:
        a, b = [cast(x, dtypes.float64 if x.dtype is dtypes.int64 else dtypes.float32) for x in (a, b)]
    n, m = a.shape[0], b.shape[0]
    if mode != "valid":
        a = pad(a, [[m - 1, m - 1]])
    y = conv1d(a[None, :, None], b[:, None, None], 1, "VALID")[0, :, 0]
    if mode == "same":
        start = (n + m - 1 - max(n, m)) // 2
        return y[start : start + max(n, m)]
    return y


TABLE: dict[str, Callable[..., Any]] = {"dot": dot, "inner": inner, "kron": kron, "outer": outer}
"""Products of tensors of any rank, by name."""
