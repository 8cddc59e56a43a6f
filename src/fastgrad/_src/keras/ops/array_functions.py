"""The functions of ``keras.ops`` that NumPy has, by name: with NumPy's arguments, and Keras's dtypes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.keras import settings
from fastgrad._src.keras.ops import signal_functions
from fastgrad._src.keras.ops.function import as_common_dtype, as_floats, described, tensor
from fastgrad._src.ops import namespace as ops
from fastgrad._src.ops.composed.numpy_functions import (
    elementwise,
    order_statistics,
    products,
    rearrangement,
    reductions,
)
from fastgrad._src.ops.composed.numpy_functions.elementwise import nan_positions
from fastgrad._src.ops.composed.numpy_functions.operands import flattened


def _unary(function: Callable[..., Any], convert: Callable[..., Any]) -> Callable[..., Any]:
    return described(lambda x: function(convert(x)), function)


def _binary(function: Callable[..., Any], convert: Callable[..., Any] = as_common_dtype) -> Callable[..., Any]:
    return described(lambda x1, x2: function(*convert(x1, x2)), function)


def _bitwise(function: Callable[..., Any]) -> Callable[..., Any]:
    return described(lambda x, y: function(*as_common_dtype(x, y)), function)


def _call_with_common_dtype(function: Callable[..., Any], *operands: Any, **options: Any) -> Any:
    return function(*as_common_dtype(*operands), **options)


def _as_boolean(x: Any) -> Any:
    return tensor(x, "bool")


def _as_booleans(x1: Any, x2: Any) -> Any:
    return _as_boolean(x1), _as_boolean(x2)


def _as_common_floats(x1: Any, x2: Any) -> Any:
    return [as_floats(x) for x in as_common_dtype(x1, x2)]


def _as_summable(x: Any) -> Any:
    """Small integers are summed in 32 bits."""
    x = tensor(x)
    small = {"bool": "int32", "int8": "int32", "int16": "int32", "uint8": "uint32", "uint16": "uint32"}
    return ops.cast(x, small.get(x.dtype.name, x.dtype))


def _extreme(function: Callable[..., Any], combine: Callable[..., Any]) -> Callable[..., Any]:
    def call(x: Any, axis: Any = None, keepdims: bool = False, initial: Any = None) -> Any:
        x = tensor(x)
        y = (
            ops.cast(function(ops.cast(x, dtypes.uint8), axis, keepdims), dtypes.bool)
            if x.dtype is dtypes.bool
            else function(x, axis, keepdims)
        )
        return y if initial is None else combine(y, ops.cast(initial, y.dtype))

    return call


def _arange(start: Any, stop: Any = None, step: Any = None, dtype: Any = None) -> Any:
    given = [value for value in (start, stop, step) if value is not None]
    dtype = as_common_dtype(*given)[0].dtype if dtype is None else settings.standardize_dtype(dtype)
    first, last = (0, start) if stop is None else (start, stop)
    return ops.cast(ops.range(first, last, 1 if step is None else step), dtype)


def _linspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, retstep: bool = False, dtype: Any = None, axis: int = 0
) -> Any:
    first, last = _as_common_floats(start, stop)
    step = (last - first) / max(num - 1 if endpoint else num, 1)
    y = ops.stack([first + step * number for number in range(num)], axis)
    if endpoint and num > 1:
        y = ops.linspace(first, last, num, axis=axis)
    y = y if dtype is None else ops.cast(y, settings.standardize_dtype(dtype))
    return (y, step) if retstep else y


def _fill_function(value: int) -> Callable[..., Any]:
    return lambda shape, dtype=None: ops.fill(shape, ops.constant(value, settings.standardize_dtype(dtype)))


def _like_function(value: int) -> Callable[..., Any]:
    return lambda x, dtype=None: ops.fill(
        tensor(x).shape, ops.constant(value, tensor(x).dtype if dtype is None else dtype)
    )


def _reduction(function: Callable[..., Any], convert: Callable[..., Any]) -> Callable[..., Any]:
    return described(lambda x, axis=None, keepdims=False: function(convert(x), axis, keepdims), function)


def _joining_function(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda xs: function(as_common_dtype(*xs))


def _where(condition: Any, x1: Any = None, x2: Any = None) -> Any:
    if (x1 is None) != (x2 is None):
        raise ValueError("where: `x1` and `x2` either both should be `None` or both should have non-None value.")
    return TABLE["nonzero"](condition) if x1 is None else ops.where(_as_boolean(condition), *as_common_dtype(x1, x2))


def _isclose(x1: Any, x2: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Any:
    a, b = _as_common_floats(x1, x2)
    y = ops.logical_or(elementwise.is_close_elementwise(a, b, rtol, atol), ops.equal(a, b))
    return ops.logical_or(y, ops.logical_and(nan_positions(a), nan_positions(b))) if equal_nan else y


def _ldexp(x1: Any, x2: Any) -> Any:
    if not tensor(x2).dtype.is_integer:
        raise TypeError(f"ldexp exponent must be an integer type. Received: x2 dtype={tensor(x2).dtype.name}")
    return elementwise.ldexp(*_as_common_floats(x1, x2))


def _round(x: Any, decimals: int = 0) -> Any:
    x = tensor(x)
    if decimals >= 0 and x.dtype.is_integer:
        return x
    if not decimals:
        return ops.round(x)
    if x.dtype.is_integer:
        unit = ops.constant(10.0**-decimals, dtypes.float64)
        return ops.cast(ops.round(ops.cast(x, dtypes.float64) / unit) * unit, x.dtype)
    return elementwise.rounded(as_floats(x), decimals)


def _average(x: Any, axis: Any = None, weights: Any = None) -> Any:
    if weights is None:
        return ops.reduce_mean(as_floats(x), axis)
    values, factors = _as_common_floats(x, weights)
    return reductions.weighted_average(values, factors, axis)[0]


def _corrcoef(x: Any) -> Any:
    x = as_floats(x)
    return reductions.corrcoef(x) if x.ndim else ops.constant(math.nan, settings.floatx())


def _view(x: Any, dtype: Any = None) -> Any:
    x = tensor(x)
    return rearrangement.view(x, x.dtype if dtype is None else settings.standardize_dtype(dtype))


def _quantile_function(whole: float, skips_nan: bool) -> Callable[..., Any]:
    """Returns the function of quantiles that are parts of ``whole``."""

    def call(x: Any, q: Any, axis: Any = None, method: str = "linear", keepdims: bool = False) -> Any:
        parts = as_floats(q) if whole == 1.0 else as_floats(q) / whole
        return order_statistics.quantile(as_floats(x), parts, axis, method, keepdims, skips_nan)

    return call


def _median(skips_nan: bool) -> Callable[..., Any]:
    return lambda x, axis, keepdims: order_statistics.quantile(x, as_floats(0.5), axis, "linear", keepdims, skips_nan)


_PLAIN_FUNCTIONS: dict[str, Callable[..., Any]] = {
    **elementwise.PLAIN_FUNCTIONS,
    "ndim": lambda x: x.ndim, "size": ops.size, "signbit": elementwise.signbit,
    "trunc": lambda x: elementwise.truncated(x) if x.dtype.is_floating else x,
}  # fmt: skip
_BINARY_FUNCTIONS: dict[str, Callable[..., Any]] = {
    **elementwise.BINARY_FUNCTIONS, **products.TABLE, "matmul": products.matmul, "fmod": ops.truncatemod,
    "vdot": lambda a, b: ops.reduce_sum(ops.reshape(a, [-1]) * ops.reshape(b, [-1])),
    "fmax": lambda a, b: ops.where(nan_positions(a), b, ops.where(nan_positions(b), a, ops.maximum(a, b))),
    "fmin": lambda a, b: ops.where(nan_positions(a), b, ops.where(nan_positions(b), a, ops.minimum(a, b))),
}  # fmt: skip
_FLOAT_BINARY_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "divide": ops.divide, "true_divide": ops.divide, "divide_no_nan": ops.divide_no_nan, "arctan2": ops.atan2, "hypot": ops.hypot, "nextafter": ops.nextafter,
    "logaddexp": elementwise.logaddexp, "logaddexp2": elementwise.logaddexp2, "heaviside": elementwise.heaviside,
}  # fmt: skip
_BITWISE_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "bitwise_and": ops.bitwise_and, "bitwise_or": ops.bitwise_or, "bitwise_xor": ops.bitwise_xor, "left_shift": ops.left_shift,
    "right_shift": ops.right_shift,
}  # fmt: skip
_REDUCTIONS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "all": (ops.reduce_all, _as_boolean), "any": (ops.reduce_any, _as_boolean), "sum": (ops.reduce_sum, _as_summable), "mean": (ops.reduce_mean, as_floats), "var": (ops.reduce_variance, as_floats),
    "std": (ops.reduce_std, as_floats), "amax": (ops.reduce_max, tensor), "amin": (ops.reduce_min, tensor), "nanmean": (reductions.nanmean, as_floats), "nanvar": (reductions.nanvar, as_floats),
}  # fmt: skip
"""Functions of ``(x, axis, keepdims)``, and what converts ``x``."""
TABLE: dict[str, Callable[..., Any]] = {
    **rearrangement.TABLE,
    **reductions.TABLE,
    **{name: _unary(function, as_floats) for name, function in elementwise.FLOAT_FUNCTIONS.items()},
    **{name: _unary(function, tensor) for name, function in _PLAIN_FUNCTIONS.items()},
    **{name: _binary(function) for name, function in _BINARY_FUNCTIONS.items()},
    **{name: _binary(function, _as_common_floats) for name, function in _FLOAT_BINARY_FUNCTIONS.items()},
    **{name: _bitwise(function) for name, function in _BITWISE_FUNCTIONS.items()},
    **{name: _reduction(*row) for name, row in _REDUCTIONS.items()},
    "logical_and": _binary(ops.logical_and, _as_booleans), "logical_or": _binary(ops.logical_or, _as_booleans), "logical_xor": _binary(ops.logical_xor, _as_booleans),
    "logical_not": lambda x: ops.logical_not(_as_boolean(x)),
    "prod": lambda x, axis=None, keepdims=False, dtype=None: ops.reduce_prod(_as_summable(x) if dtype is None else tensor(x, dtype), axis, keepdims),
    "max": _extreme(ops.reduce_max, ops.maximum), "min": _extreme(ops.reduce_min, ops.minimum),
    "ptp": lambda x, axis=None, keepdims=False: ops.reduce_max(tensor(x), axis, keepdims) - ops.reduce_min(tensor(x), axis, keepdims),
    "cumsum": lambda x, axis=None, dtype=None: reductions.cumsum(tensor(x, dtype), axis),
    "cumprod": lambda x, axis=None, dtype=None: reductions.cumprod(tensor(x, dtype), axis),
    "corrcoef": _corrcoef, "ldexp": _ldexp, "view": _view, "average": _average, "slogdet": lambda x: tuple(ops.slogdet(as_floats(x))),
    "count_nonzero": lambda x, axis=None: ops.reduce_sum(ops.cast(_as_boolean(x), dtypes.int32), axis),
    "clip": lambda x, x_min, x_max: elementwise.clip(*as_common_dtype(x, x_min, x_max)),
    "isclose": _isclose,
    "isin": lambda x1, x2, assume_unique=False, invert=False: _call_with_common_dtype(elementwise.isin, x1, x2, invert=invert),
    "nan_to_num": elementwise.nan_to_num,
    "round": _round,
    "allclose": lambda x1, x2, rtol=1e-5, atol=1e-8, equal_nan=False: ops.reduce_all(_isclose(x1, x2, rtol, atol, equal_nan)),
    "array": tensor, "arange": _arange, "linspace": _linspace, "zeros": _fill_function(0), "empty": _fill_function(0), "ones": _fill_function(1), "zeros_like": _like_function(0), "empty_like": _like_function(0), "ones_like": _like_function(1),
    "full": lambda shape, fill_value, dtype=None: ops.broadcast_to(tensor(fill_value, settings.floatx() if dtype is None else dtype), shape),
    "full_like": lambda x, fill_value, dtype=None: ops.broadcast_to(tensor(fill_value, tensor(x).dtype if dtype is None else dtype), tensor(x).shape),
    "eye": lambda N, M=None, k=0, dtype=None: ops.constant(np.eye(N, M, k), settings.standardize_dtype(dtype)),
    "identity": lambda n, dtype=None: ops.eye(n, dtype=settings.standardize_dtype(dtype)),
    "tri": lambda N, M=None, k=0, dtype=None: ops.constant(np.tri(N, M, k), settings.standardize_dtype(dtype)),
    "meshgrid": lambda *x, indexing="xy": ops.meshgrid(*map(tensor, x), indexing=indexing),
    "trace": lambda x, offset=0, axis1=0, axis2=1: ops.reduce_sum(rearrangement.diagonal(_as_summable(x), offset, axis1, axis2), -1),
    "concatenate": described(lambda xs, axis=0: ops.concat(as_common_dtype(*xs), axis), ops.concat), "stack": described(lambda x, axis=0: ops.stack(as_common_dtype(*x), axis), ops.stack),
    "append": lambda x1, x2, axis=None: ops.concat([flattened(x, axis)[0] for x in as_common_dtype(x1, x2)], 0 if axis is None else axis),
    "hstack": _joining_function(rearrangement.hstack), "vstack": lambda xs: ops.concat(as_common_dtype(*xs), 0), "dstack": _joining_function(rearrangement.dstack),
    "where": _where, "nonzero": lambda x: [ops.cast(positions, dtypes.int32) for positions in rearrangement.nonzero(_as_boolean(x))],
    "select": lambda condlist, choicelist, default=0: elementwise.select(_where, condlist, choicelist, default), "get_item": lambda x, key: tensor(x)[key],
    "searchsorted": lambda sorted_sequence, values, side="left": _call_with_common_dtype(ops.searchsorted, sorted_sequence, values, side=side),
    "bincount": lambda x, weights=None, minlength=0, sparse=False: ops.bincount(tensor(x), weights, minlength, axis=-1),
    "tensordot": lambda x1, x2, axes=2: _call_with_common_dtype(ops.tensordot, x1, x2, axes=axes), "einsum": described(lambda subscripts, *operands, **kwargs: ops.einsum(subscripts, *as_common_dtype(*operands), **kwargs), ops.einsum),
    "cross": lambda x1, x2, axisa=-1, axisb=-1, axisc=-1, axis=None: _call_with_common_dtype(products.cross, x1, x2, axisa=axisa, axisb=axisb, axisc=axisc, axis=axis), "vander": products.vander,
    "trapezoid": lambda y, x=None, dx=1.0, axis=-1: products.trapezoid(as_floats(y), None if x is None else as_floats(x), dx, axis),
    "argpartition": order_statistics.argpartition, "histogram": order_statistics.histogram, "unique": order_statistics.unique,
    **{f"{prefix}{name}": _quantile_function(share, bool(prefix)) for prefix in ("", "nan") for name, share in (("quantile", 1.0), ("percentile", 100.0))},
    **{f"{prefix}median": _reduction(_median(bool(prefix)), as_floats) for prefix in ("", "nan")},
    **signal_functions.ARRAY_TABLE,
}  # fmt: skip
