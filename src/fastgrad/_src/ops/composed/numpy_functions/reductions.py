"""NumPy's reductions and cumulative sums on tensors: functions have the arguments ``(x, axis, keepdims)``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastgrad._src.core import dtypes
from fastgrad._src.ops import complex_numbers
from fastgrad._src.ops.casting import cast
from fastgrad._src.ops.clipping import clip_by_value
from fastgrad._src.ops.comparison import is_nan, logical_not
from fastgrad._src.ops.complex_numbers import imag, real
from fastgrad._src.ops.composed.numpy_functions.elementwise import INF, NAN, nan_positions, without_nan
from fastgrad._src.ops.composed.numpy_functions.operands import flattened, tensor
from fastgrad._src.ops.contraction import matmul
from fastgrad._src.ops.creation import constant, zeros
from fastgrad._src.ops.diagonals import diag_part
from fastgrad._src.ops.inspection import argmax as _argmax
from fastgrad._src.ops.inspection import argmin as _argmin
from fastgrad._src.ops.power import sqrt
from fastgrad._src.ops.reduction import reduce_all, reduce_max, reduce_mean, reduce_min, reduce_sum
from fastgrad._src.ops.scan import cumprod as _cumprod
from fastgrad._src.ops.scan import cumsum as _cumsum
from fastgrad._src.ops.selection import where
from fastgrad._src.ops.shaping import broadcast_to, expand_dims, reshape, squeeze


def _position_function(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        x = tensor(x)
        values, place = flattened(x, axis)
        y = cast(function(cast(values, dtypes.uint8) if x.dtype is dtypes.bool else values, place), dtypes.int32)
        if not keepdims:
            return y
        return reshape(y, [1] * x.ndim) if axis is None else expand_dims(y, axis)

    return call


def _nan_position_function(function: Callable[..., Any], fill: float) -> Callable[..., Any]:
    """Returns ``argmax`` or ``argmin`` without the NaNs; -1 where all elements are NaN."""

    def call(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        x = tensor(x)
        y = function(without_nan(x, fill), axis, keepdims)
        return where(reduce_all(is_nan(x), axis, keepdims), constant(-1), y) if x.dtype.is_floating else y

    return call


def _nan_extreme(function: Callable[..., Any], fill: float) -> Callable[..., Any]:
    """Returns a maximum or minimum without the NaNs; NaN where all elements are NaN."""

    def call(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        x = tensor(x)
        y = function(without_nan(x, fill), axis, keepdims)
        return where(reduce_all(nan_positions(x), axis, keepdims), NAN, y) if x.dtype.is_floating else y

    return call


argmax, argmin = _position_function(_argmax), _position_function(_argmin)
nanargmax, nanargmin = _nan_position_function(argmax, -INF), _nan_position_function(argmin, INF)
nanmax, nanmin = _nan_extreme(reduce_max, -INF), _nan_extreme(reduce_min, INF)


def nanmean(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The mean of the elements that are not NaN; of integers as float32."""
    x = x if x.dtype.is_floating or x.dtype.is_complex else cast(x, dtypes.float32)
    return reduce_sum(without_nan(x, 0), axis, keepdims) / reduce_sum(cast(~is_nan(x), x.dtype), axis, keepdims)


def nanvar(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The variance of the elements of a tensor of floats that are not NaN."""
    count = reduce_sum(cast(logical_not(is_nan(x)), x.dtype), axis, True)
    mean = reduce_sum(where(is_nan(x), zeros((), x.dtype), x), axis, True) / count
    squares = where(is_nan(x), zeros((), x.dtype), (x - mean) ** 2)
    y = reduce_sum(squares, axis, True) / count
    return y if keepdims else squeeze(y, axis)


def weighted_average(x: Any, weights: Any, axis: Any) -> tuple[Any, Any]:
    """Returns the average of ``x``, and the sum of the weights, of the same dtype."""
    weighted_sum = reduce_sum(x * weights, axis)
    total = reduce_sum(broadcast_to(weights, x.shape), axis)
    return weighted_sum / total, total


def _booleans_as_int32(x: Any) -> Any:
    x = tensor(x)
    return cast(x, dtypes.int32) if x.dtype is dtypes.bool else x


def cumsum(x: Any, axis: Any) -> Any:
    """Cumulative sums; of truth values in int32."""
    return _cumsum(*flattened(_booleans_as_int32(x), axis))


def cumprod(x: Any, axis: Any) -> Any:
    """Cumulative products; of truth values in int32."""
    return _cumprod(*flattened(_booleans_as_int32(x), axis))


def corrcoef(x: Any) -> Any:
    """Correlation coefficients of the rows of a matrix of floats or complex numbers."""
    x = x - reduce_mean(x, -1, keepdims=True)
    covariance = matmul(x, x, adjoint_b=True) / (x.shape[-1] - 1)
    deviation = sqrt(real(diag_part(covariance)))
    y = covariance / cast(deviation[:, None] * deviation[None, :], x.dtype)
    parts = [clip_by_value(part, -1.0, 1.0) for part in (real(y), imag(y))]
    return complex_numbers.complex(*parts) if x.dtype.is_complex else parts[0]


TABLE: dict[str, Callable[..., Any]] = {
    "argmax": argmax, "argmin": argmin, "nanargmax": nanargmax, "nanargmin": nanargmin, "nanmax": nanmax, "nanmin": nanmin,
    "cumsum": cumsum, "cumprod": cumprod,
}  # fmt: skip
"""The functions that take what converts to tensors, by name."""
