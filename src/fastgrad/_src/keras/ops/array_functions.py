"""The functions of ``keras.ops`` that NumPy has, by name: with NumPy's arguments, and Keras's dtypes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.keras import settings
from fastgrad._src.keras.ops import order_statistics, signal_functions
from fastgrad._src.keras.ops.function import common, floats, tensor
from fastgrad._src.ops import arithmetic, bitwise, complex_numbers, creation, rounding, shape_query
from fastgrad._src.ops import power as power_ops
from fastgrad._src.ops.arithmetic import add, maximum, minimum, multiply, negative, nextafter, sign, subtract
from fastgrad._src.ops.casting import cast
from fastgrad._src.ops.clipping import clip_by_value
from fastgrad._src.ops.comparison import (
    equal,
    greater,
    greater_equal,
    is_finite,
    is_inf,
    is_nan,
    less,
    less_equal,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    not_equal,
)
from fastgrad._src.ops.complex_numbers import angle, conj, imag, real
from fastgrad._src.ops.composed.bucketize import bucketize
from fastgrad._src.ops.contraction import matmul
from fastgrad._src.ops.control_flow import while_loop
from fastgrad._src.ops.creation import constant, eye, identity, linspace, ones, ones_like, zeros, zeros_like
from fastgrad._src.ops.diagonals import diag, diag_part
from fastgrad._src.ops.division import divide, divide_no_nan, floordiv, floormod, truncatemod
from fastgrad._src.ops.einsum import einsum, tensordot
from fastgrad._src.ops.exponential import (
    acos,
    acosh,
    asin,
    asinh,
    atan,
    atan2,
    atanh,
    cos,
    cosh,
    exp,
    expm1,
    hypot,
    log,
    log1p,
    sin,
    sinh,
    tan,
    tanh,
)
from fastgrad._src.ops.indexing import gather, unravel_index
from fastgrad._src.ops.inspection import argmax, argmin
from fastgrad._src.ops.joining import concat, split, stack, unstack
from fastgrad._src.ops.linear_algebra import cross, slogdet
from fastgrad._src.ops.padding import pad
from fastgrad._src.ops.power import reciprocal, sqrt, square
from fastgrad._src.ops.reduction import (
    reduce_all,
    reduce_any,
    reduce_max,
    reduce_mean,
    reduce_min,
    reduce_prod,
    reduce_sum,
)
from fastgrad._src.ops.reordering import reverse, roll
from fastgrad._src.ops.repeating import meshgrid, repeat, tile
from fastgrad._src.ops.rounding import ceil, floor
from fastgrad._src.ops.scan import cumprod, cumsum
from fastgrad._src.ops.selection import where
from fastgrad._src.ops.shape_query import broadcast_static_shape
from fastgrad._src.ops.shaping import bitcast, broadcast_to, expand_dims, reshape, squeeze, transpose
from fastgrad._src.ops.sorting import argsort, searchsorted, sort
from fastgrad._src.ops.special import bessel_i0
from fastgrad._src.ops.statistics import bincount, reduce_std, reduce_variance

_INF, _NAN = math.inf, math.nan


def _unary(function: Callable[..., Any], convert: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x: function(convert(x))


def _binary(function: Callable[..., Any], convert: Callable[..., Any] = common) -> Callable[..., Any]:
    return lambda x1, x2: function(*convert(x1, x2))


def _bitwise(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x, y: function(*common(x, y))


def _truth(x: Any) -> Any:
    return tensor(x, "bool")


def _truths(x1: Any, x2: Any) -> Any:
    return _truth(x1), _truth(x2)


def _is_nan(x: Any) -> Any:
    return is_nan(x) if x.dtype.is_floating else zeros(x.shape, dtypes.bool)


def _both_floats(x1: Any, x2: Any) -> Any:
    return [floats(x) for x in common(x1, x2)]


def _summable(x: Any) -> Any:
    """Small integers are summed in 32 bits."""
    x = tensor(x)
    small = {"bool": "int32", "int8": "int32", "int16": "int32", "uint8": "uint32", "uint16": "uint32"}
    return cast(x, small.get(x.dtype.name, x.dtype))


def _numbers(x: Any, dtype: Any) -> Any:
    """Converts ``x`` to a tensor of ``dtype``; without one, truth values become int32."""
    x = tensor(x, dtype)
    return cast(x, dtypes.int32) if x.dtype is dtypes.bool else x


def _flat(x: Any, axis: Any) -> tuple[Any, Any]:
    """Returns ``x`` and the axis; without an axis, the elements in a vector and axis 0."""
    x = tensor(x)
    return (reshape(x, [-1]), 0) if axis is None else (x, axis)


def _arg(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        x = tensor(x)
        values, place = _flat(x, axis)
        y = cast(function(cast(values, dtypes.uint8) if x.dtype is dtypes.bool else values, place), dtypes.int32)
        if not keepdims:
            return y
        return reshape(y, [1] * x.ndim) if axis is None else expand_dims(y, axis)

    return call


def _moveaxis(x: Any, source: Any, destination: Any) -> Any:
    x = tensor(x)
    sources, targets = [[axis % x.ndim for axis in np.atleast_1d(axes).tolist()] for axes in (source, destination)]
    order = [axis for axis in range(x.ndim) if axis not in sources]
    for target, axis in sorted(zip(targets, sources, strict=True)):
        order.insert(target, axis)
    return transpose(x, order)


def _extreme(function: Callable[..., Any], combine: Callable[..., Any]) -> Callable[..., Any]:
    def call(x: Any, axis: Any = None, keepdims: bool = False, initial: Any = None) -> Any:
        x = tensor(x)
        y = (
            cast(function(cast(x, dtypes.uint8), axis, keepdims), dtypes.bool)
            if x.dtype is dtypes.bool
            else function(x, axis, keepdims)
        )
        return y if initial is None else combine(y, cast(initial, y.dtype))

    return call


def _positive(indices: Any, size: int) -> Any:
    indices = tensor(indices)
    return where(indices < 0, indices + size, indices)


def _take(x: Any, indices: Any, axis: Any = None) -> Any:
    x, axis = _flat(x, axis)
    return gather(x, _positive(indices, x.shape[axis]), axis=axis)


def _take_along_axis(x: Any, indices: Any, axis: Any = None) -> Any:
    x, place = _flat(x, axis)
    indices = _positive(reshape(indices, [-1]) if axis is None else indices, x.shape[place])
    rows, places = _moveaxis(x, place, -1), _moveaxis(indices, place, -1)
    shape = np.broadcast_shapes(rows.shape[:-1], places.shape[:-1])
    rows, places = [broadcast_to(a, [*shape, a.shape[-1]]) for a in (rows, places)]
    return _moveaxis(gather(rows, places, axis=-1, batch_dims=len(shape)), -1, place)


def _split(x: Any, indices_or_sections: Any, axis: int = 0) -> Any:
    x = tensor(x)
    if isinstance(indices_or_sections, int):
        return split(x, indices_or_sections, axis)
    edges = [0, *np.asarray(indices_or_sections).tolist(), x.shape[axis]]
    return split(x, np.diff(edges).tolist(), axis)


def _pad(x: Any, pad_width: Any, mode: str = "constant", constant_values: Any = None) -> Any:
    if constant_values is not None and mode != "constant":
        raise ValueError(
            f"pad: `constant_values` can only be provided when `mode == 'constant'`. Received: mode={mode}"
        )
    x = tensor(x)
    widths = np.broadcast_to(np.asarray(pad_width), (x.ndim, 2)).tolist()
    return pad(x, widths, mode.upper(), 0 if constant_values is None else constant_values)


def _tile(x: Any, repeats: Any) -> Any:
    x, repeats = tensor(x), np.atleast_1d(repeats).tolist()
    rank = max(x.ndim, len(repeats))
    return tile(reshape(x, [1] * (rank - x.ndim) + [*x.shape]), [1] * (rank - len(repeats)) + repeats)


def _where(condition: Any, x1: Any = None, x2: Any = None) -> Any:
    if (x1 is None) != (x2 is None):
        raise ValueError("where: `x1` and `x2` either both should be `None` or both should have non-None value.")
    return _nonzero(condition) if x1 is None else where(_truth(condition), *common(x1, x2))


def _nonzero(x: Any) -> Any:
    return [cast(positions, dtypes.int32) for positions in unstack(where(_truth(x)), axis=-1)]


def _dot(x1: Any, x2: Any) -> Any:
    a, b = common(x1, x2)
    return a * b if not (a.ndim and b.ndim) else tensordot(a, b, [[-1], [max(b.ndim - 2, 0)]])


def _matmul(a: Any, b: Any) -> Any:
    left, right = a[None] if a.ndim == 1 else a, b[:, None] if b.ndim == 1 else b
    y = matmul(left, right)
    y = y[..., 0, :] if a.ndim == 1 else y
    return y[..., 0] if b.ndim == 1 else y


def _searchsorted(sorted_sequence: Any, values: Any, side: str = "left") -> Any:
    sequence, x = common(sorted_sequence, values)
    return searchsorted(sequence, x, side)


def _tensordot(x1: Any, x2: Any, axes: Any = 2) -> Any:
    a, b = common(x1, x2)
    return tensordot(a, b, axes)


def _diagonal(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    x = _moveaxis(x, (axis1, axis2), (-2, -1))
    rows, columns = x.shape[-2:]
    numbers = np.arange(max(min(rows + min(offset, 0), columns - max(offset, 0)), 0))
    places = (numbers - min(offset, 0)) * columns + numbers + max(offset, 0)
    return gather(reshape(x, [*x.shape[:-2], rows * columns]), places.astype(np.int32), axis=-1)


def _arange(start: Any, stop: Any = None, step: Any = None, dtype: Any = None) -> Any:
    given = [value for value in (start, stop, step) if value is not None]
    dtype = common(*given)[0].dtype if dtype is None else settings.standardize_dtype(dtype)
    first, last = (0, start) if stop is None else (start, stop)
    return cast(creation.range(first, last, 1 if step is None else step), dtype)


def _linspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, retstep: bool = False, dtype: Any = None, axis: int = 0
) -> Any:
    first, last = _both_floats(start, stop)
    step = (last - first) / max(num - 1 if endpoint else num, 1)
    y = stack([first + step * number for number in range(num)], axis)
    if endpoint and num > 1:
        y = linspace(first, last, num, axis=axis)
    y = y if dtype is None else cast(y, settings.standardize_dtype(dtype))
    return (y, step) if retstep else y


def _nan(
    function: Callable[..., Any], fill: Callable[..., Any], convert: Callable[..., Any] = floats
) -> Callable[..., Any]:
    """Returns a reduction without the NaNs, in place of which there is ``fill(x)``."""

    def call(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        x = convert(x)
        return function(where(is_nan(x), cast(fill(x), x.dtype), x) if x.dtype.is_floating else x, axis, keepdims)

    return call


def _triangle(lower: int | None, upper: int | None) -> Callable[..., Any]:
    def call(x: Any, k: int = 0) -> Any:
        x = tensor(x)
        rows, columns = np.arange(x.shape[-2])[:, None], np.arange(x.shape[-1])
        keeps = columns - rows <= k if lower is None else columns - rows >= k
        return where(constant(keeps), x, zeros((), x.dtype))

    return call


def _filled(value: int) -> Callable[..., Any]:
    return lambda shape, dtype=None: creation.fill(shape, constant(value, settings.standardize_dtype(dtype)))


def _like(value: int) -> Callable[..., Any]:
    return lambda x, dtype=None: creation.fill(
        tensor(x).shape, constant(value, tensor(x).dtype if dtype is None else dtype)
    )


def _stacked(axis: int, rank: int) -> Callable[..., Any]:
    def call(xs: Any) -> Any:
        arrays = [reshape(x, [-1] if rank == 1 and not x.ndim else x.shape) for x in common(*xs)]
        if rank == 3:
            arrays = [
                x if x.ndim > 2 else reshape(x, [*(x.shape if x.ndim > 1 else (1, x.shape[0])), 1]) for x in arrays
            ]
        return concat(arrays, 0 if rank == 1 and arrays[0].ndim == 1 else axis)

    return call


def _count(x: Any, axis: Any) -> Any:
    return reduce_sum(cast(logical_not(is_nan(x)), x.dtype), axis, True)


def _nan_variance(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    x = floats(x)
    mean = reduce_sum(where(is_nan(x), zeros((), x.dtype), x), axis, True) / _count(x, axis)
    squares = where(is_nan(x), zeros((), x.dtype), (x - mean) ** 2)
    y = reduce_sum(squares, axis, True) / _count(x, axis)
    return y if keepdims else squeeze(y, axis)


def _isclose(x1: Any, x2: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Any:
    a, b = _both_floats(x1, x2)
    y = logical_or(arithmetic.abs(a - b) <= atol + rtol * arithmetic.abs(b), equal(a, b))
    return logical_or(y, logical_and(_is_nan(a), _is_nan(b))) if equal_nan else y


def _isin(x1: Any, x2: Any, assume_unique: bool = False, invert: bool = False) -> Any:
    x, values = common(x1, x2)
    return logical_xor(reduce_any(equal(expand_dims(x, -1), reshape(values, [-1])), -1), invert)


def _nan_to_num(x: Any, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None) -> Any:
    x = tensor(x)
    if x.dtype.is_integer or x.dtype is dtypes.bool:
        return x
    for is_replaced, value in (
        (is_nan(x), nan),
        (equal(x, _INF), x.dtype.max if posinf is None else posinf),
        (equal(x, -_INF), x.dtype.min if neginf is None else neginf),
    ):
        x = where(is_replaced, constant(value, x.dtype), x)
    return x


def _clip(x: Any, x_min: Any, x_max: Any) -> Any:
    values, low, high = common(x, x_min, x_max)
    return minimum(maximum(values, low), high)


def _diff(a: Any, n: int = 1, axis: int = -1) -> Any:
    x = _moveaxis(a, axis, -1)
    for _ in range(n):
        after, before = x[..., 1:], x[..., :-1]
        x = not_equal(after, before) if x.dtype is dtypes.bool else after - before
    return _moveaxis(x, -1, axis)


def _average(x: Any, axis: Any = None, weights: Any = None) -> Any:
    if weights is None:
        return reduce_mean(floats(x), axis)
    values, factors = _both_floats(x, weights)
    return reduce_sum(values * factors, axis) / reduce_sum(broadcast_to(factors, values.shape), axis)


def _expand_dims(x: Any, axis: Any) -> Any:
    x = tensor(x)
    if isinstance(axis, int):
        return expand_dims(x, axis)
    rank = x.ndim + len(axis)
    for place in sorted(place % rank for place in axis):
        x = expand_dims(x, place)
    return x


def _rot90(array: Any, k: int = 1, axes: Any = (0, 1)) -> Any:
    x = tensor(array)
    first, second = axes
    if k % 2 == 0:
        return reverse(x, [first, second]) if k % 4 else x
    return reverse(_swapaxes(x, first, second), [first if k % 4 == 1 else second])


def _swapaxes(x: Any, axis1: int, axis2: int) -> Any:
    x = tensor(x)
    order = list(range(x.ndim))
    order[axis1], order[axis2] = order[axis2], order[axis1]
    return transpose(x, order)


def _select(condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    y = default
    for condition, choice in zip(reversed(condlist), reversed(choicelist), strict=True):
        y = _where(condition, choice, y)
    return y


def _cross(x1: Any, x2: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Any:
    a, b, c = (axisa, axisb, axisc) if axis is None else (axis, axis, axis)
    return _moveaxis(cross(*common(_moveaxis(x1, a, -1), _moveaxis(x2, b, -1))), -1, c)


def _kron(x1: Any, x2: Any) -> Any:
    a, b = common(x1, x2)
    rank = max(a.ndim, b.ndim)
    rows = [(1,) * (rank - x.ndim) + tuple(x.shape) for x in (a, b)]
    left = reshape(a, [size for length in rows[0] for size in (length, 1)])
    right = reshape(b, [size for length in rows[1] for size in (1, length)])
    return reshape(left * right, [m * n for m, n in zip(*rows, strict=True)])


def _trapezoid(y: Any, x: Any = None, dx: float = 1.0, axis: int = -1) -> Any:
    values = _moveaxis(floats(y), axis, -1)
    return reduce_sum((values[..., 1:] + values[..., :-1]) / 2.0 * (dx if x is None else _diff(floats(x))), -1)


def _vander(x: Any, N: int | None = None, increasing: bool = False) -> Any:
    x = tensor(x)
    powers = np.arange(x.shape[0] if N is None else N)
    return power_ops.pow(x[:, None], cast(powers if increasing else powers[::-1], x.dtype))


def _integers(name: str, *operands: Any) -> Any:
    """Converts operands to a list of non-negative integers of their common dtype."""
    arrays = common(*operands)
    if not arrays[0].dtype.is_integer:
        raise TypeError(f"Arguments to {name} must be integers. Received: {[tensor(x).dtype.name for x in operands]}")
    return arrays if arrays[0].dtype.name.startswith("u") else [arithmetic.abs(x) for x in arrays]


def _gcd(x1: Any, x2: Any) -> Any:
    """Euclid's algorithm, on all elements at once."""
    a, b = _integers("gcd", x1, x2)
    shape = broadcast_static_shape(a.shape, b.shape)

    def step(a: Any, b: Any) -> Any:
        is_going = not_equal(b, 0)
        divisor = where(is_going, b, ones_like(b))
        return where(is_going, b, a), where(is_going, floormod(a, divisor), b)

    operands = broadcast_to(a, shape), broadcast_to(b, shape)
    return while_loop(lambda a, b: reduce_any(not_equal(b, 0)), step, operands)[0]


def _lcm(x1: Any, x2: Any) -> Any:
    a, b = _integers("lcm", x1, x2)
    divisor = _gcd(a, b)
    return a * floordiv(b, maximum(divisor, ones_like(divisor)))


def _ldexp(x1: Any, x2: Any) -> Any:
    if not tensor(x2).dtype.is_integer:
        raise TypeError(f"ldexp exponent must be an integer type. Received: x2 dtype={tensor(x2).dtype.name}")
    a, exponent = _both_floats(x1, x2)
    third = floor(exponent / 3.0)  # 2**exponent alone may be out of range
    two = constant(2.0, a.dtype)
    power = power_ops.pow(two, third)
    y = a * power * power * power_ops.pow(two, exponent - 2.0 * third)
    return where(logical_or(is_inf(a), equal(a, 0.0)), broadcast_to(a, y.shape), y)


def _logaddexp(a: Any, b: Any, log_of_base: float = 1.0) -> Any:
    unit = constant(log_of_base, a.dtype)
    y = maximum(a, b) + log1p(exp(-arithmetic.abs(a - b) * unit)) / unit
    return where(is_nan(a - b), a + b, y)  # infinities of one sign have no difference


def _geomspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True, dtype: Any = None, axis: int = 0) -> Any:
    first, last = [tensor(x, settings.floatx() if dtype is None else dtype) for x in (start, stop)]
    exponents = [log(arithmetic.abs(x)) / math.log(10.0) for x in (first, last)]
    y = TABLE["logspace"](*exponents, num, endpoint, 10, dtype, axis)
    return y * cast(sign(first), y.dtype)


def _nan_arg(function: Callable[..., Any], fill: float) -> Callable[..., Any]:
    """Returns ``argmax`` or ``argmin`` without the NaNs; -1 where all elements are NaN."""

    def call(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        x = tensor(x)
        if not x.dtype.is_floating:
            return function(x, axis, keepdims)
        is_missing = is_nan(x)
        y = function(where(is_missing, constant(fill, x.dtype), x), axis, keepdims)
        return where(reduce_all(is_missing, axis, keepdims), constant(-1), y)

    return call


def _nan_extreme(function: Callable[..., Any], fill: float) -> Callable[..., Any]:
    """Returns a maximum or minimum without the NaNs; NaN where all elements are NaN."""
    reduce = _nan(function, lambda x: fill, tensor)

    def call(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        x = tensor(x)
        y = reduce(x, axis, keepdims)
        return where(reduce_all(_is_nan(x), axis, keepdims), _NAN, y) if x.dtype.is_floating else y

    return call


def _signbit(x: Any) -> Any:
    return bitcast(x, f"int{8 * x.dtype.size}") < 0 if x.dtype.is_floating else cast(x, dtypes.int64) < 0


def _round(x: Any, decimals: int = 0) -> Any:
    x = tensor(x)
    if decimals >= 0 and x.dtype.is_integer:
        return x
    if not decimals:
        return rounding.round(x)
    if x.dtype.is_integer:
        unit = constant(10.0**-decimals, dtypes.float64)
        return cast(rounding.round(cast(x, dtypes.float64) / unit) * unit, x.dtype)
    return rounding.round(floats(x) * 10.0**decimals) / 10.0**decimals


def _without_nan(x: Any, value: float) -> Any:
    return _nan_to_num(x, value) if tensor(x).dtype.is_floating else tensor(x)


def _corrcoef(x: Any) -> Any:
    x = floats(x)
    if not x.ndim:
        return constant(math.nan, settings.floatx())
    x = x - reduce_mean(x, -1, keepdims=True)
    covariance = matmul(x, x, adjoint_b=True) / (x.shape[-1] - 1)
    deviation = sqrt(real(diag_part(covariance)))
    y = covariance / cast(deviation[:, None] * deviation[None, :], x.dtype)
    parts = [clip_by_value(part, -1.0, 1.0) for part in (real(y), imag(y))]
    return complex_numbers.complex(*parts) if x.dtype.is_complex else parts[0]


def _view(x: Any, dtype: Any = None) -> Any:
    x = tensor(x)
    other = x.dtype if dtype is None else settings.standardize_dtype(dtype)
    if x.dtype.size == other.size:
        return bitcast(x, other)
    if not x.ndim or x.shape[-1] * x.dtype.size % other.size:
        raise ValueError(
            f"Cannot view array of shape {tuple(x.shape)} and dtype {x.dtype.name} as dtype {other.name} because the "
            "total number of bytes is not divisible by the new itemsize."
        )
    if x.dtype.size > other.size:
        return reshape(bitcast(x, other), [*x.shape[:-1], x.shape[-1] * x.dtype.size // other.size])
    ratio = other.size // x.dtype.size
    return bitcast(reshape(x, [*x.shape[:-1], x.shape[-1] // ratio, ratio]), other)


FLOAT_FUNCTIONS = {
    "arccos": acos, "arccosh": acosh, "arcsin": asin, "arcsinh": asinh, "arctan": atan, "arctanh": atanh,
    "cos": cos, "cosh": cosh, "exp": exp, "expm1": expm1, "log": log, "log1p": log1p, "sin": sin,
    "sinh": sinh, "sqrt": sqrt, "tan": tan, "tanh": tanh, "ceil": ceil, "floor": floor, "fabs": arithmetic.abs,
    "reciprocal": reciprocal, "angle": angle, "i0": bessel_i0,
    "log10": lambda x: log(x) / math.log(10.0), "log2": lambda x: log(x) / math.log(2.0), "exp2": lambda x: 2.0**x,
    "cbrt": lambda x: sign(x) * arithmetic.abs(x) ** (1.0 / 3.0), "deg2rad": lambda x: x * (math.pi / 180.0), "rad2deg": lambda x: x * (180.0 / math.pi),
    "sinc": lambda x: where(equal(x, 0.0), ones_like(x), sin(math.pi * x) / (math.pi * x)),
}  # fmt: skip
SAME_FUNCTIONS = {
    "abs": arithmetic.abs, "absolute": arithmetic.abs, "negative": negative, "sign": sign, "square": square, "conj": conj,
    "conjugate": conj, "real": real, "imag": imag, "copy": identity, "bitwise_invert": bitwise.invert,
    "bitwise_not": bitwise.invert, "ravel": lambda x: reshape(x, [-1]), "isfinite": lambda x: is_finite(floats(x)),
    "isinf": lambda x: is_inf(floats(x)), "isnan": lambda x: is_nan(floats(x)), "isposinf": lambda x: equal(floats(x), _INF),
    "isneginf": lambda x: equal(floats(x), -_INF), "ndim": lambda x: x.ndim, "size": shape_query.size,
    "trunc": lambda x: where(x < 0, ceil(x), floor(x)) if x.dtype.is_floating else x, "signbit": _signbit,
    "isreal": lambda x: equal(imag(x), 0.0) if x.dtype.is_complex else ones(x.shape, dtypes.bool),
    "fliplr": lambda x: reverse(x, [1]), "flipud": lambda x: reverse(x, [0]),
}  # fmt: skip
BINARY_FUNCTIONS = {
    "add": add, "subtract": subtract, "multiply": multiply, "maximum": maximum, "minimum": minimum, "equal": equal,
    "not_equal": not_equal, "less": less, "less_equal": less_equal, "greater": greater, "greater_equal": greater_equal,
    "mod": floormod, "floor_divide": floordiv, "power": power_ops.pow, "matmul": _matmul,
    "outer": lambda a, b: reshape(a, [-1, 1]) * reshape(b, [1, -1]),
    "inner": lambda a, b: tensordot(a, b, [[-1], [-1]]) if a.ndim and b.ndim else a * b,
    "vdot": lambda a, b: reduce_sum(reshape(a, [-1]) * reshape(b, [-1])),
    "fmax": lambda a, b: where(_is_nan(a), b, where(_is_nan(b), a, maximum(a, b))),
    "fmin": lambda a, b: where(_is_nan(a), b, where(_is_nan(b), a, minimum(a, b))),
    "fmod": truncatemod,
}  # fmt: skip
FLOAT_BINARY_FUNCTIONS = {
    "divide": divide, "true_divide": divide, "divide_no_nan": divide_no_nan, "arctan2": atan2,
    "hypot": hypot, "logaddexp": _logaddexp, "logaddexp2": lambda a, b: _logaddexp(a, b, math.log(2.0)),
    "heaviside": lambda a, b: where(a < 0, zeros_like(a), where(a > 0, ones_like(a), b)),
}  # fmt: skip
_BITWISE = {"bitwise_and": "bitwise_and", "bitwise_or": "bitwise_or", "bitwise_xor": "bitwise_xor", "left_shift": "left_shift",
            "right_shift": "right_shift", "bitwise_left_shift": "left_shift", "bitwise_right_shift": "right_shift"}  # fmt: skip
TABLE: dict[str, Callable[..., Any]] = {
    **{name: _unary(function, floats) for name, function in FLOAT_FUNCTIONS.items()},
    **{name: _unary(function, tensor) for name, function in SAME_FUNCTIONS.items()},
    **{name: _binary(function) for name, function in BINARY_FUNCTIONS.items()},
    **{name: _binary(function, _both_floats) for name, function in FLOAT_BINARY_FUNCTIONS.items()},
    **{name: _bitwise(getattr(bitwise, other)) for name, other in _BITWISE.items()},
    "logical_and": _binary(logical_and, _truths), "logical_or": _binary(logical_or, _truths), "logical_xor": _binary(logical_xor, _truths),
    "logical_not": lambda x: logical_not(_truth(x)),
    "all": lambda x, axis=None, keepdims=False: reduce_all(_truth(x), axis, keepdims),
    "any": lambda x, axis=None, keepdims=False: reduce_any(_truth(x), axis, keepdims),
    "sum": lambda x, axis=None, keepdims=False: reduce_sum(_summable(x), axis, keepdims),
    "prod": lambda x, axis=None, keepdims=False, dtype=None: reduce_prod(_summable(x) if dtype is None else tensor(x, dtype), axis, keepdims),
    "mean": lambda x, axis=None, keepdims=False: reduce_mean(floats(x), axis, keepdims),
    "var": lambda x, axis=None, keepdims=False: reduce_variance(floats(x), axis, keepdims),
    "std": lambda x, axis=None, keepdims=False: reduce_std(floats(x), axis, keepdims),
    "max": _extreme(reduce_max, maximum), "min": _extreme(reduce_min, minimum),
    "amax": lambda x, axis=None, keepdims=False: reduce_max(tensor(x), axis, keepdims),
    "amin": lambda x, axis=None, keepdims=False: reduce_min(tensor(x), axis, keepdims),
    "ptp": lambda x, axis=None, keepdims=False: reduce_max(tensor(x), axis, keepdims) - reduce_min(tensor(x), axis, keepdims),
    "argmax": _arg(argmax), "argmin": _arg(argmin),
    "nanargmax": _nan_arg(_arg(argmax), -_INF), "nanargmin": _nan_arg(_arg(argmin), _INF),
    "nancumsum": lambda x, axis=None, dtype=None: TABLE["cumsum"](_without_nan(x, 0.0), axis, dtype),
    "nancumprod": lambda x, axis=None, dtype=None: TABLE["cumprod"](_without_nan(x, 1.0), axis, dtype),
    "corrcoef": _corrcoef, "gcd": _gcd, "lcm": _lcm, "ldexp": _ldexp, "geomspace": _geomspace, "view": _view,
    "slogdet": lambda x: tuple(slogdet(floats(x))),
    "nansum": _nan(reduce_sum, lambda x: 0, _summable), "nanprod": _nan(reduce_prod, lambda x: 1, _summable),
    "nanmax": _nan_extreme(reduce_max, -_INF), "nanmin": _nan_extreme(reduce_min, _INF), "nanvar": _nan_variance,
    "nanmean": lambda x, axis=None, keepdims=False: TABLE["nansum"](floats(x), axis, keepdims) / TABLE["sum"](cast(~is_nan(floats(x)), floats(x).dtype), axis, keepdims),
    "nanstd": lambda x, axis=None, keepdims=False: sqrt(_nan_variance(x, axis, keepdims)),
    "average": _average,
    "count_nonzero": lambda x, axis=None: reduce_sum(cast(_truth(x), dtypes.int32), axis),
    "cumsum": lambda x, axis=None, dtype=None: cumsum(*_flat(_numbers(x, dtype), axis)),
    "cumprod": lambda x, axis=None, dtype=None: cumprod(*_flat(_numbers(x, dtype), axis)),
    "diff": _diff,
    "round": _round,
    "clip": _clip,
    "isclose": _isclose,
    "allclose": lambda x1, x2, rtol=1e-5, atol=1e-8, equal_nan=False: reduce_all(TABLE["isclose"](x1, x2, rtol, atol, equal_nan)),
    "isin": _isin,
    "nan_to_num": _nan_to_num,
    "array": tensor, "arange": _arange, "linspace": _linspace, "zeros": _filled(0), "empty": _filled(0), "ones": _filled(1), "zeros_like": _like(0), "empty_like": _like(0), "ones_like": _like(1),
    "logspace": lambda start, stop, num=50, endpoint=True, base=10, dtype=None, axis=0: tensor(power_ops.pow(constant(base, settings.floatx()), _linspace(start, stop, num, endpoint, axis=axis)), dtype),
    "full": lambda shape, fill_value, dtype=None: broadcast_to(tensor(fill_value, settings.floatx() if dtype is None else dtype), shape),
    "full_like": lambda x, fill_value, dtype=None: broadcast_to(tensor(fill_value, tensor(x).dtype if dtype is None else dtype), tensor(x).shape),
    "eye": lambda N, M=None, k=0, dtype=None: constant(np.eye(N, M, k), settings.standardize_dtype(dtype)),
    "identity": lambda n, dtype=None: eye(n, dtype=settings.standardize_dtype(dtype)),
    "tri": lambda N, M=None, k=0, dtype=None: constant(np.tri(N, M, k), settings.standardize_dtype(dtype)),
    "meshgrid": lambda *x, indexing="xy": meshgrid(*map(tensor, x), indexing=indexing),
    "tril": _triangle(None, 0), "triu": _triangle(0, None), "diagonal": _diagonal,
    "diag": lambda x, k=0: _diagonal(x, k) if tensor(x).ndim == 2 else diag(tensor(x), k=k), "diagflat": lambda x, k=0: diag(reshape(x, [-1]), k=k),
    "trace": lambda x, offset=0, axis1=0, axis2=1: reduce_sum(_diagonal(_summable(x), offset, axis1, axis2), -1),
    "reshape": lambda x, newshape: reshape(tensor(x), newshape), "transpose": lambda x, axes=None: transpose(tensor(x), axes), "moveaxis": _moveaxis,
    "swapaxes": _swapaxes, "squeeze": lambda x, axis=None: squeeze(tensor(x), axis),
    "expand_dims": _expand_dims,
    "broadcast_to": lambda x, shape: broadcast_to(tensor(x), shape), "concatenate": lambda xs, axis=0: concat(common(*xs), axis), "stack": lambda x, axis=0: stack(common(*x), axis),
    "append": lambda x1, x2, axis=None: concat([_flat(x, axis)[0] for x in common(x1, x2)], 0 if axis is None else axis),
    "hstack": _stacked(1, 1), "vstack": lambda xs: concat(common(*xs), 0), "dstack": _stacked(2, 3), "split": _split, "hsplit": lambda x, indices_or_sections: _split(x, indices_or_sections, 1 if tensor(x).ndim > 1 else 0),
    "vsplit": lambda x, indices_or_sections: _split(x, indices_or_sections, 0), "dsplit": lambda x, indices_or_sections: _split(x, indices_or_sections, 2),
    "array_split": lambda x, indices_or_sections, axis=0: _split(x, np.cumsum([len(part) for part in np.array_split(np.arange(tensor(x).shape[axis]), indices_or_sections)])[:-1], axis),
    "flip": lambda x, axis=None: reverse(tensor(x), list(range(tensor(x).ndim)) if axis is None else np.atleast_1d(axis).tolist()),
    "roll": lambda x, shift, axis=None: roll(tensor(x), shift, axis) if axis is not None else reshape(roll(reshape(x, [-1]), shift, 0), tensor(x).shape),
    "rot90": _rot90,
    "repeat": lambda x, repeats, axis=None: repeat(tensor(x), repeats, axis), "tile": _tile, "pad": _pad, "where": _where, "nonzero": _nonzero, "take": _take, "take_along_axis": _take_along_axis,
    "select": _select,
    "get_item": lambda x, key: tensor(x)[key], "sort": lambda x, axis=-1: sort(*_flat(x, axis)), "argsort": lambda x, axis=-1: argsort(*_flat(x, axis), stable=True),
    "searchsorted": _searchsorted,
    "digitize": lambda x, bins: bucketize(floats(x), bins),
    "bincount": lambda x, weights=None, minlength=0, sparse=False: bincount(tensor(x), weights, minlength, axis=-1),
    "dot": _dot, "tensordot": _tensordot, "einsum": lambda subscripts, *operands, **kwargs: einsum(subscripts, *common(*operands), **kwargs),
    "cross": _cross,
    "kron": _kron,
    "trapezoid": _trapezoid,
    "vander": _vander,
    "unravel_index": lambda indices, shape: [cast(part, tensor(indices).dtype) for part in unstack(unravel_index(tensor(indices), shape))],
    "view_as_complex": lambda x: complex_numbers.complex(tensor(x)[..., 0], tensor(x)[..., 1]), "view_as_real": lambda x: stack([real(x), imag(x)], -1),
    **order_statistics.TABLE, **signal_functions.ARRAY_TABLE,
    "nextafter": lambda x1, x2: nextafter(*_both_floats(x1, x2)),
}  # fmt: skip
