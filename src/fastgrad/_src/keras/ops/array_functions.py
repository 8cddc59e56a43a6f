"""The functions of ``keras.ops`` that NumPy has, by name: with NumPy's arguments, and Keras's dtypes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

import fastgrad as tf
from fastgrad._src.keras import settings
from fastgrad._src.keras.ops import order_statistics, signal_functions
from fastgrad._src.keras.ops.function import common, floats, tensor
from fastgrad._src.ops.exponential import hypot

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
    return tf.math.is_nan(x) if x.dtype.is_floating else tf.zeros(x.shape, tf.bool)


def _both_floats(x1: Any, x2: Any) -> Any:
    return [floats(x) for x in common(x1, x2)]


def _summable(x: Any) -> Any:
    """Small integers are summed in 32 bits."""
    x = tensor(x)
    small = {"bool": "int32", "int8": "int32", "int16": "int32", "uint8": "uint32", "uint16": "uint32"}
    return tf.cast(x, small.get(x.dtype.name, x.dtype))


def _numbers(x: Any, dtype: Any) -> Any:
    """Converts ``x`` to a tensor of ``dtype``; without one, truth values become int32."""
    x = tensor(x, dtype)
    return tf.cast(x, tf.int32) if x.dtype is tf.bool else x


def _flat(x: Any, axis: Any) -> tuple[Any, Any]:
    """Returns ``x`` and the axis; without an axis, the elements in a vector and axis 0."""
    x = tensor(x)
    return (tf.reshape(x, [-1]), 0) if axis is None else (x, axis)


def _arg(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        x = tensor(x)
        values, place = _flat(x, axis)
        y = tf.cast(function(tf.cast(values, tf.uint8) if x.dtype is tf.bool else values, place), tf.int32)
        if not keepdims:
            return y
        return tf.reshape(y, [1] * x.ndim) if axis is None else tf.expand_dims(y, axis)

    return call


def _moveaxis(x: Any, source: Any, destination: Any) -> Any:
    x = tensor(x)
    sources, targets = [[axis % x.ndim for axis in np.atleast_1d(axes).tolist()] for axes in (source, destination)]
    order = [axis for axis in range(x.ndim) if axis not in sources]
    for target, axis in sorted(zip(targets, sources, strict=True)):
        order.insert(target, axis)
    return tf.transpose(x, order)


def _extreme(function: Callable[..., Any], combine: Callable[..., Any]) -> Callable[..., Any]:
    def call(x: Any, axis: Any = None, keepdims: bool = False, initial: Any = None) -> Any:
        x = tensor(x)
        y = (
            tf.cast(function(tf.cast(x, tf.uint8), axis, keepdims), tf.bool)
            if x.dtype is tf.bool
            else function(x, axis, keepdims)
        )
        return y if initial is None else combine(y, tf.cast(initial, y.dtype))

    return call


def _positive(indices: Any, size: int) -> Any:
    indices = tensor(indices)
    return tf.where(indices < 0, indices + size, indices)


def _take(x: Any, indices: Any, axis: Any = None) -> Any:
    x, axis = _flat(x, axis)
    return tf.gather(x, _positive(indices, x.shape[axis]), axis=axis)


def _take_along_axis(x: Any, indices: Any, axis: Any = None) -> Any:
    x, place = _flat(x, axis)
    indices = _positive(tf.reshape(indices, [-1]) if axis is None else indices, x.shape[place])
    rows, places = _moveaxis(x, place, -1), _moveaxis(indices, place, -1)
    shape = np.broadcast_shapes(rows.shape[:-1], places.shape[:-1])
    rows, places = [tf.broadcast_to(a, [*shape, a.shape[-1]]) for a in (rows, places)]
    return _moveaxis(tf.gather(rows, places, axis=-1, batch_dims=len(shape)), -1, place)


def _split(x: Any, indices_or_sections: Any, axis: int = 0) -> Any:
    x = tensor(x)
    if isinstance(indices_or_sections, int):
        return tf.split(x, indices_or_sections, axis)
    edges = [0, *np.asarray(indices_or_sections).tolist(), x.shape[axis]]
    return tf.split(x, np.diff(edges).tolist(), axis)


def _pad(x: Any, pad_width: Any, mode: str = "constant", constant_values: Any = None) -> Any:
    if constant_values is not None and mode != "constant":
        raise ValueError(
            f"pad: `constant_values` can only be provided when `mode == 'constant'`. Received: mode={mode}"
        )
    x = tensor(x)
    widths = np.broadcast_to(np.asarray(pad_width), (x.ndim, 2)).tolist()
    return tf.pad(x, widths, mode.upper(), 0 if constant_values is None else constant_values)


def _tile(x: Any, repeats: Any) -> Any:
    x, repeats = tensor(x), np.atleast_1d(repeats).tolist()
    rank = max(x.ndim, len(repeats))
    return tf.tile(tf.reshape(x, [1] * (rank - x.ndim) + [*x.shape]), [1] * (rank - len(repeats)) + repeats)


def _where(condition: Any, x1: Any = None, x2: Any = None) -> Any:
    if (x1 is None) != (x2 is None):
        raise ValueError("where: `x1` and `x2` either both should be `None` or both should have non-None value.")
    return _nonzero(condition) if x1 is None else tf.where(_truth(condition), *common(x1, x2))


def _nonzero(x: Any) -> Any:
    return [tf.cast(positions, tf.int32) for positions in tf.unstack(tf.where(_truth(x)), axis=-1)]


def _dot(x1: Any, x2: Any) -> Any:
    a, b = common(x1, x2)
    return a * b if not (a.ndim and b.ndim) else tf.tensordot(a, b, [[-1], [max(b.ndim - 2, 0)]])


def _matmul(a: Any, b: Any) -> Any:
    left, right = a[None] if a.ndim == 1 else a, b[:, None] if b.ndim == 1 else b
    y = tf.matmul(left, right)
    y = y[..., 0, :] if a.ndim == 1 else y
    return y[..., 0] if b.ndim == 1 else y


def _searchsorted(sorted_sequence: Any, values: Any, side: str = "left") -> Any:
    sequence, x = common(sorted_sequence, values)
    return tf.searchsorted(sequence, x, side)


def _tensordot(x1: Any, x2: Any, axes: Any = 2) -> Any:
    a, b = common(x1, x2)
    return tf.tensordot(a, b, axes)


def _diagonal(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    x = _moveaxis(x, (axis1, axis2), (-2, -1))
    rows, columns = x.shape[-2:]
    numbers = np.arange(max(min(rows + min(offset, 0), columns - max(offset, 0)), 0))
    places = (numbers - min(offset, 0)) * columns + numbers + max(offset, 0)
    return tf.gather(tf.reshape(x, [*x.shape[:-2], rows * columns]), places.astype(np.int32), axis=-1)


def _arange(start: Any, stop: Any = None, step: Any = None, dtype: Any = None) -> Any:
    given = [value for value in (start, stop, step) if value is not None]
    dtype = common(*given)[0].dtype if dtype is None else settings.standardize_dtype(dtype)
    first, last = (0, start) if stop is None else (start, stop)
    return tf.cast(tf.range(first, last, 1 if step is None else step), dtype)


def _linspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, retstep: bool = False, dtype: Any = None, axis: int = 0
) -> Any:
    first, last = _both_floats(start, stop)
    step = (last - first) / max(num - 1 if endpoint else num, 1)
    y = tf.stack([first + step * number for number in range(num)], axis)
    if endpoint and num > 1:
        y = tf.linspace(first, last, num, axis=axis)
    y = y if dtype is None else tf.cast(y, settings.standardize_dtype(dtype))
    return (y, step) if retstep else y


def _nan(
    function: Callable[..., Any], fill: Callable[..., Any], convert: Callable[..., Any] = floats
) -> Callable[..., Any]:
    """Returns a reduction without the NaNs, in place of which there is ``fill(x)``."""

    def call(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        x = convert(x)
        return function(
            tf.where(tf.math.is_nan(x), tf.cast(fill(x), x.dtype), x) if x.dtype.is_floating else x, axis, keepdims
        )

    return call


def _triangle(lower: int | None, upper: int | None) -> Callable[..., Any]:
    def call(x: Any, k: int = 0) -> Any:
        x = tensor(x)
        rows, columns = np.arange(x.shape[-2])[:, None], np.arange(x.shape[-1])
        keeps = columns - rows <= k if lower is None else columns - rows >= k
        return tf.where(tf.constant(keeps), x, tf.zeros((), x.dtype))

    return call


def _filled(value: int) -> Callable[..., Any]:
    return lambda shape, dtype=None: tf.fill(shape, tf.constant(value, settings.standardize_dtype(dtype)))


def _like(value: int) -> Callable[..., Any]:
    return lambda x, dtype=None: tf.fill(
        tensor(x).shape, tf.constant(value, tensor(x).dtype if dtype is None else dtype)
    )


def _stacked(axis: int, rank: int) -> Callable[..., Any]:
    def call(xs: Any) -> Any:
        arrays = [tf.reshape(x, [-1] if rank == 1 and not x.ndim else x.shape) for x in common(*xs)]
        if rank == 3:
            arrays = [
                x if x.ndim > 2 else tf.reshape(x, [*(x.shape if x.ndim > 1 else (1, x.shape[0])), 1]) for x in arrays
            ]
        return tf.concat(arrays, 0 if rank == 1 and arrays[0].ndim == 1 else axis)

    return call


def _count(x: Any, axis: Any) -> Any:
    return tf.reduce_sum(tf.cast(tf.logical_not(tf.math.is_nan(x)), x.dtype), axis, True)


def _nan_variance(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    x = floats(x)
    mean = tf.reduce_sum(tf.where(tf.math.is_nan(x), tf.zeros((), x.dtype), x), axis, True) / _count(x, axis)
    squares = tf.where(tf.math.is_nan(x), tf.zeros((), x.dtype), (x - mean) ** 2)
    y = tf.reduce_sum(squares, axis, True) / _count(x, axis)
    return y if keepdims else tf.squeeze(y, axis)


def _isclose(x1: Any, x2: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Any:
    a, b = _both_floats(x1, x2)
    y = tf.logical_or(tf.abs(a - b) <= atol + rtol * tf.abs(b), tf.equal(a, b))
    return tf.logical_or(y, tf.logical_and(_is_nan(a), _is_nan(b))) if equal_nan else y


def _isin(x1: Any, x2: Any, assume_unique: bool = False, invert: bool = False) -> Any:
    x, values = common(x1, x2)
    return tf.math.logical_xor(tf.reduce_any(tf.equal(tf.expand_dims(x, -1), tf.reshape(values, [-1])), -1), invert)


def _nan_to_num(x: Any, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None) -> Any:
    x = tensor(x)
    if x.dtype.is_integer or x.dtype is tf.bool:
        return x
    for is_replaced, value in (
        (tf.math.is_nan(x), nan),
        (tf.equal(x, _INF), x.dtype.max if posinf is None else posinf),
        (tf.equal(x, -_INF), x.dtype.min if neginf is None else neginf),
    ):
        x = tf.where(is_replaced, tf.constant(value, x.dtype), x)
    return x


def _clip(x: Any, x_min: Any, x_max: Any) -> Any:
    values, low, high = common(x, x_min, x_max)
    return tf.minimum(tf.maximum(values, low), high)


def _diff(a: Any, n: int = 1, axis: int = -1) -> Any:
    x = _moveaxis(a, axis, -1)
    for _ in range(n):
        after, before = x[..., 1:], x[..., :-1]
        x = tf.not_equal(after, before) if x.dtype is tf.bool else after - before
    return _moveaxis(x, -1, axis)


def _average(x: Any, axis: Any = None, weights: Any = None) -> Any:
    if weights is None:
        return tf.reduce_mean(floats(x), axis)
    values, factors = _both_floats(x, weights)
    return tf.reduce_sum(values * factors, axis) / tf.reduce_sum(tf.broadcast_to(factors, values.shape), axis)


def _expand_dims(x: Any, axis: Any) -> Any:
    x = tensor(x)
    if isinstance(axis, int):
        return tf.expand_dims(x, axis)
    rank = x.ndim + len(axis)
    for place in sorted(place % rank for place in axis):
        x = tf.expand_dims(x, place)
    return x


def _rot90(array: Any, k: int = 1, axes: Any = (0, 1)) -> Any:
    x = tensor(array)
    first, second = axes
    if k % 2 == 0:
        return tf.reverse(x, [first, second]) if k % 4 else x
    return tf.reverse(_swapaxes(x, first, second), [first if k % 4 == 1 else second])


def _swapaxes(x: Any, axis1: int, axis2: int) -> Any:
    x = tensor(x)
    order = list(range(x.ndim))
    order[axis1], order[axis2] = order[axis2], order[axis1]
    return tf.transpose(x, order)


def _select(condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    y = default
    for condition, choice in zip(reversed(condlist), reversed(choicelist), strict=True):
        y = _where(condition, choice, y)
    return y


def _cross(x1: Any, x2: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Any:
    a, b, c = (axisa, axisb, axisc) if axis is None else (axis, axis, axis)
    return _moveaxis(tf.linalg.cross(*common(_moveaxis(x1, a, -1), _moveaxis(x2, b, -1))), -1, c)


def _kron(x1: Any, x2: Any) -> Any:
    a, b = common(x1, x2)
    rank = max(a.ndim, b.ndim)
    rows = [(1,) * (rank - x.ndim) + tuple(x.shape) for x in (a, b)]
    left = tf.reshape(a, [size for length in rows[0] for size in (length, 1)])
    right = tf.reshape(b, [size for length in rows[1] for size in (1, length)])
    return tf.reshape(left * right, [m * n for m, n in zip(*rows, strict=True)])


def _trapezoid(y: Any, x: Any = None, dx: float = 1.0, axis: int = -1) -> Any:
    values = _moveaxis(floats(y), axis, -1)
    return tf.reduce_sum((values[..., 1:] + values[..., :-1]) / 2.0 * (dx if x is None else _diff(floats(x))), -1)


def _vander(x: Any, N: int | None = None, increasing: bool = False) -> Any:
    x = tensor(x)
    powers = np.arange(x.shape[0] if N is None else N)
    return tf.pow(x[:, None], tf.cast(powers if increasing else powers[::-1], x.dtype))


def _integers(name: str, *operands: Any) -> Any:
    """Converts operands to a list of non-negative integers of their common dtype."""
    arrays = common(*operands)
    if not arrays[0].dtype.is_integer:
        raise TypeError(f"Arguments to {name} must be integers. Received: {[tensor(x).dtype.name for x in operands]}")
    return arrays if arrays[0].dtype.name.startswith("u") else [tf.abs(x) for x in arrays]


def _gcd(x1: Any, x2: Any) -> Any:
    """Euclid's algorithm, on all elements at once."""
    a, b = _integers("gcd", x1, x2)
    shape = tf.broadcast_static_shape(a.shape, b.shape)

    def step(a: Any, b: Any) -> Any:
        is_going = tf.not_equal(b, 0)
        divisor = tf.where(is_going, b, tf.ones_like(b))
        return tf.where(is_going, b, a), tf.where(is_going, tf.math.floormod(a, divisor), b)

    operands = tf.broadcast_to(a, shape), tf.broadcast_to(b, shape)
    return tf.while_loop(lambda a, b: tf.reduce_any(tf.not_equal(b, 0)), step, operands)[0]


def _lcm(x1: Any, x2: Any) -> Any:
    a, b = _integers("lcm", x1, x2)
    divisor = _gcd(a, b)
    return a * tf.math.floordiv(b, tf.maximum(divisor, tf.ones_like(divisor)))


def _ldexp(x1: Any, x2: Any) -> Any:
    if not tensor(x2).dtype.is_integer:
        raise TypeError(f"ldexp exponent must be an integer type. Received: x2 dtype={tensor(x2).dtype.name}")
    a, exponent = _both_floats(x1, x2)
    third = tf.floor(exponent / 3.0)  # 2**exponent alone may be out of range
    two = tf.constant(2.0, a.dtype)
    power = tf.pow(two, third)
    y = a * power * power * tf.pow(two, exponent - 2.0 * third)
    return tf.where(tf.logical_or(tf.math.is_inf(a), tf.equal(a, 0.0)), tf.broadcast_to(a, y.shape), y)


def _logaddexp(a: Any, b: Any, log_of_base: float = 1.0) -> Any:
    unit = tf.constant(log_of_base, a.dtype)
    y = tf.maximum(a, b) + tf.math.log1p(tf.exp(-tf.abs(a - b) * unit)) / unit
    return tf.where(tf.math.is_nan(a - b), a + b, y)  # infinities of one sign have no difference


def _geomspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True, dtype: Any = None, axis: int = 0) -> Any:
    first, last = [tensor(x, settings.floatx() if dtype is None else dtype) for x in (start, stop)]
    exponents = [tf.math.log(tf.abs(x)) / math.log(10.0) for x in (first, last)]
    y = TABLE["logspace"](*exponents, num, endpoint, 10, dtype, axis)
    return y * tf.cast(tf.sign(first), y.dtype)


def _nan_arg(function: Callable[..., Any], fill: float) -> Callable[..., Any]:
    """Returns ``argmax`` or ``argmin`` without the NaNs; -1 where all elements are NaN."""

    def call(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        x = tensor(x)
        if not x.dtype.is_floating:
            return function(x, axis, keepdims)
        is_missing = tf.math.is_nan(x)
        y = function(tf.where(is_missing, tf.constant(fill, x.dtype), x), axis, keepdims)
        return tf.where(tf.reduce_all(is_missing, axis, keepdims), tf.constant(-1), y)

    return call


def _nan_extreme(function: Callable[..., Any], fill: float) -> Callable[..., Any]:
    """Returns a maximum or minimum without the NaNs; NaN where all elements are NaN."""
    reduce = _nan(function, lambda x: fill, tensor)

    def call(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        x = tensor(x)
        y = reduce(x, axis, keepdims)
        return tf.where(tf.reduce_all(_is_nan(x), axis, keepdims), _NAN, y) if x.dtype.is_floating else y

    return call


def _signbit(x: Any) -> Any:
    return tf.bitcast(x, f"int{8 * x.dtype.size}") < 0 if x.dtype.is_floating else tf.cast(x, tf.int64) < 0


def _round(x: Any, decimals: int = 0) -> Any:
    x = tensor(x)
    if decimals >= 0 and x.dtype.is_integer:
        return x
    if not decimals:
        return tf.round(x)
    if x.dtype.is_integer:
        unit = tf.constant(10.0**-decimals, tf.float64)
        return tf.cast(tf.round(tf.cast(x, tf.float64) / unit) * unit, x.dtype)
    return tf.round(floats(x) * 10.0**decimals) / 10.0**decimals


def _without_nan(x: Any, value: float) -> Any:
    return _nan_to_num(x, value) if tensor(x).dtype.is_floating else tensor(x)


def _corrcoef(x: Any) -> Any:
    x = floats(x)
    if not x.ndim:
        return tf.constant(math.nan, settings.floatx())
    x = x - tf.reduce_mean(x, -1, keepdims=True)
    covariance = tf.matmul(x, x, adjoint_b=True) / (x.shape[-1] - 1)
    deviation = tf.sqrt(tf.math.real(tf.linalg.diag_part(covariance)))
    y = covariance / tf.cast(deviation[:, None] * deviation[None, :], x.dtype)
    parts = [tf.clip_by_value(part, -1.0, 1.0) for part in (tf.math.real(y), tf.math.imag(y))]
    return tf.complex(*parts) if x.dtype.is_complex else parts[0]


def _view(x: Any, dtype: Any = None) -> Any:
    x = tensor(x)
    other = x.dtype if dtype is None else settings.standardize_dtype(dtype)
    if x.dtype.size == other.size:
        return tf.bitcast(x, other)
    if not x.ndim or x.shape[-1] * x.dtype.size % other.size:
        raise ValueError(
            f"Cannot view array of shape {tuple(x.shape)} and dtype {x.dtype.name} as dtype {other.name} because the "
            "total number of bytes is not divisible by the new itemsize."
        )
    if x.dtype.size > other.size:
        return tf.reshape(tf.bitcast(x, other), [*x.shape[:-1], x.shape[-1] * x.dtype.size // other.size])
    ratio = other.size // x.dtype.size
    return tf.bitcast(tf.reshape(x, [*x.shape[:-1], x.shape[-1] // ratio, ratio]), other)


FLOAT_FUNCTIONS = {
    "arccos": tf.acos, "arccosh": tf.acosh, "arcsin": tf.asin, "arcsinh": tf.asinh, "arctan": tf.atan, "arctanh": tf.atanh,
    "cos": tf.cos, "cosh": tf.cosh, "exp": tf.exp, "expm1": tf.math.expm1, "log": tf.math.log, "log1p": tf.math.log1p, "sin": tf.sin,
    "sinh": tf.sinh, "sqrt": tf.sqrt, "tan": tf.tan, "tanh": tf.tanh, "ceil": tf.math.ceil, "floor": tf.floor, "fabs": tf.abs,
    "reciprocal": tf.math.reciprocal, "angle": tf.math.angle, "i0": tf.math.bessel_i0,
    "log10": lambda x: tf.math.log(x) / math.log(10.0), "log2": lambda x: tf.math.log(x) / math.log(2.0), "exp2": lambda x: 2.0**x,
    "cbrt": lambda x: tf.sign(x) * tf.abs(x) ** (1.0 / 3.0), "deg2rad": lambda x: x * (math.pi / 180.0), "rad2deg": lambda x: x * (180.0 / math.pi),
    "sinc": lambda x: tf.where(tf.equal(x, 0.0), tf.ones_like(x), tf.sin(math.pi * x) / (math.pi * x)),
}  # fmt: skip
SAME_FUNCTIONS = {
    "abs": tf.abs, "absolute": tf.abs, "negative": tf.negative, "sign": tf.sign, "square": tf.square, "conj": tf.math.conj,
    "conjugate": tf.math.conj, "real": tf.math.real, "imag": tf.math.imag, "copy": tf.identity, "bitwise_invert": tf.bitwise.invert,
    "bitwise_not": tf.bitwise.invert, "ravel": lambda x: tf.reshape(x, [-1]), "isfinite": lambda x: tf.math.is_finite(floats(x)),
    "isinf": lambda x: tf.math.is_inf(floats(x)), "isnan": lambda x: tf.math.is_nan(floats(x)), "isposinf": lambda x: tf.equal(floats(x), _INF),
    "isneginf": lambda x: tf.equal(floats(x), -_INF), "ndim": lambda x: x.ndim, "size": tf.size,
    "trunc": lambda x: tf.where(x < 0, tf.math.ceil(x), tf.floor(x)) if x.dtype.is_floating else x, "signbit": _signbit,
    "isreal": lambda x: tf.equal(tf.math.imag(x), 0.0) if x.dtype.is_complex else tf.ones(x.shape, tf.bool),
    "fliplr": lambda x: tf.reverse(x, [1]), "flipud": lambda x: tf.reverse(x, [0]),
}  # fmt: skip
BINARY_FUNCTIONS = {
    "add": tf.add, "subtract": tf.subtract, "multiply": tf.multiply, "maximum": tf.maximum, "minimum": tf.minimum, "equal": tf.equal,
    "not_equal": tf.not_equal, "less": tf.less, "less_equal": tf.less_equal, "greater": tf.greater, "greater_equal": tf.greater_equal,
    "mod": tf.math.floormod, "floor_divide": tf.math.floordiv, "power": tf.pow, "matmul": _matmul,
    "outer": lambda a, b: tf.reshape(a, [-1, 1]) * tf.reshape(b, [1, -1]),
    "inner": lambda a, b: tf.tensordot(a, b, [[-1], [-1]]) if a.ndim and b.ndim else a * b,
    "vdot": lambda a, b: tf.reduce_sum(tf.reshape(a, [-1]) * tf.reshape(b, [-1])),
    "fmax": lambda a, b: tf.where(_is_nan(a), b, tf.where(_is_nan(b), a, tf.maximum(a, b))),
    "fmin": lambda a, b: tf.where(_is_nan(a), b, tf.where(_is_nan(b), a, tf.minimum(a, b))),
    "fmod": tf.truncatemod,
}  # fmt: skip
FLOAT_BINARY_FUNCTIONS = {
    "divide": tf.divide, "true_divide": tf.divide, "divide_no_nan": tf.math.divide_no_nan, "arctan2": tf.atan2,
    "hypot": hypot, "logaddexp": _logaddexp, "logaddexp2": lambda a, b: _logaddexp(a, b, math.log(2.0)),
    "heaviside": lambda a, b: tf.where(a < 0, tf.zeros_like(a), tf.where(a > 0, tf.ones_like(a), b)),
}  # fmt: skip
_BITWISE = {"bitwise_and": "bitwise_and", "bitwise_or": "bitwise_or", "bitwise_xor": "bitwise_xor", "left_shift": "left_shift",
            "right_shift": "right_shift", "bitwise_left_shift": "left_shift", "bitwise_right_shift": "right_shift"}  # fmt: skip
TABLE: dict[str, Callable[..., Any]] = {
    **{name: _unary(function, floats) for name, function in FLOAT_FUNCTIONS.items()},
    **{name: _unary(function, tensor) for name, function in SAME_FUNCTIONS.items()},
    **{name: _binary(function) for name, function in BINARY_FUNCTIONS.items()},
    **{name: _binary(function, _both_floats) for name, function in FLOAT_BINARY_FUNCTIONS.items()},
    **{name: _bitwise(getattr(tf.bitwise, other)) for name, other in _BITWISE.items()},
    "logical_and": _binary(tf.logical_and, _truths), "logical_or": _binary(tf.logical_or, _truths), "logical_xor": _binary(tf.math.logical_xor, _truths),
    "logical_not": lambda x: tf.logical_not(_truth(x)),
    "all": lambda x, axis=None, keepdims=False: tf.reduce_all(_truth(x), axis, keepdims),
    "any": lambda x, axis=None, keepdims=False: tf.reduce_any(_truth(x), axis, keepdims),
    "sum": lambda x, axis=None, keepdims=False: tf.reduce_sum(_summable(x), axis, keepdims),
    "prod": lambda x, axis=None, keepdims=False, dtype=None: tf.reduce_prod(_summable(x) if dtype is None else tensor(x, dtype), axis, keepdims),
    "mean": lambda x, axis=None, keepdims=False: tf.reduce_mean(floats(x), axis, keepdims),
    "var": lambda x, axis=None, keepdims=False: tf.math.reduce_variance(floats(x), axis, keepdims),
    "std": lambda x, axis=None, keepdims=False: tf.math.reduce_std(floats(x), axis, keepdims),
    "max": _extreme(tf.reduce_max, tf.maximum), "min": _extreme(tf.reduce_min, tf.minimum),
    "amax": lambda x, axis=None, keepdims=False: tf.reduce_max(tensor(x), axis, keepdims),
    "amin": lambda x, axis=None, keepdims=False: tf.reduce_min(tensor(x), axis, keepdims),
    "ptp": lambda x, axis=None, keepdims=False: tf.reduce_max(tensor(x), axis, keepdims) - tf.reduce_min(tensor(x), axis, keepdims),
    "argmax": _arg(tf.argmax), "argmin": _arg(tf.argmin),
    "nanargmax": _nan_arg(_arg(tf.argmax), -_INF), "nanargmin": _nan_arg(_arg(tf.argmin), _INF),
    "nancumsum": lambda x, axis=None, dtype=None: TABLE["cumsum"](_without_nan(x, 0.0), axis, dtype),
    "nancumprod": lambda x, axis=None, dtype=None: TABLE["cumprod"](_without_nan(x, 1.0), axis, dtype),
    "corrcoef": _corrcoef, "gcd": _gcd, "lcm": _lcm, "ldexp": _ldexp, "geomspace": _geomspace, "view": _view,
    "slogdet": lambda x: tuple(tf.linalg.slogdet(floats(x))),
    "nansum": _nan(tf.reduce_sum, lambda x: 0, _summable), "nanprod": _nan(tf.reduce_prod, lambda x: 1, _summable),
    "nanmax": _nan_extreme(tf.reduce_max, -_INF), "nanmin": _nan_extreme(tf.reduce_min, _INF), "nanvar": _nan_variance,
    "nanmean": lambda x, axis=None, keepdims=False: TABLE["nansum"](floats(x), axis, keepdims) / TABLE["sum"](tf.cast(~tf.math.is_nan(floats(x)), floats(x).dtype), axis, keepdims),
    "nanstd": lambda x, axis=None, keepdims=False: tf.sqrt(_nan_variance(x, axis, keepdims)),
    "average": _average,
    "count_nonzero": lambda x, axis=None: tf.reduce_sum(tf.cast(_truth(x), tf.int32), axis),
    "cumsum": lambda x, axis=None, dtype=None: tf.cumsum(*_flat(_numbers(x, dtype), axis)),
    "cumprod": lambda x, axis=None, dtype=None: tf.math.cumprod(*_flat(_numbers(x, dtype), axis)),
    "diff": _diff,
    "round": _round,
    "clip": _clip,
    "isclose": _isclose,
    "allclose": lambda x1, x2, rtol=1e-5, atol=1e-8, equal_nan=False: tf.reduce_all(TABLE["isclose"](x1, x2, rtol, atol, equal_nan)),
    "isin": _isin,
    "nan_to_num": _nan_to_num,
    "array": tensor, "arange": _arange, "linspace": _linspace, "zeros": _filled(0), "empty": _filled(0), "ones": _filled(1), "zeros_like": _like(0), "empty_like": _like(0), "ones_like": _like(1),
    "logspace": lambda start, stop, num=50, endpoint=True, base=10, dtype=None, axis=0: tensor(tf.pow(tf.constant(base, settings.floatx()), _linspace(start, stop, num, endpoint, axis=axis)), dtype),
    "full": lambda shape, fill_value, dtype=None: tf.broadcast_to(tensor(fill_value, settings.floatx() if dtype is None else dtype), shape),
    "full_like": lambda x, fill_value, dtype=None: tf.broadcast_to(tensor(fill_value, tensor(x).dtype if dtype is None else dtype), tensor(x).shape),
    "eye": lambda N, M=None, k=0, dtype=None: tf.constant(np.eye(N, M, k), settings.standardize_dtype(dtype)),
    "identity": lambda n, dtype=None: tf.eye(n, dtype=settings.standardize_dtype(dtype)),
    "tri": lambda N, M=None, k=0, dtype=None: tf.constant(np.tri(N, M, k), settings.standardize_dtype(dtype)),
    "meshgrid": lambda *x, indexing="xy": tf.meshgrid(*map(tensor, x), indexing=indexing),
    "tril": _triangle(None, 0), "triu": _triangle(0, None), "diagonal": _diagonal,
    "diag": lambda x, k=0: _diagonal(x, k) if tensor(x).ndim == 2 else tf.linalg.diag(tensor(x), k=k), "diagflat": lambda x, k=0: tf.linalg.diag(tf.reshape(x, [-1]), k=k),
    "trace": lambda x, offset=0, axis1=0, axis2=1: tf.reduce_sum(_diagonal(_summable(x), offset, axis1, axis2), -1),
    "reshape": lambda x, newshape: tf.reshape(tensor(x), newshape), "transpose": lambda x, axes=None: tf.transpose(tensor(x), axes), "moveaxis": _moveaxis,
    "swapaxes": _swapaxes, "squeeze": lambda x, axis=None: tf.squeeze(tensor(x), axis),
    "expand_dims": _expand_dims,
    "broadcast_to": lambda x, shape: tf.broadcast_to(tensor(x), shape), "concatenate": lambda xs, axis=0: tf.concat(common(*xs), axis), "stack": lambda x, axis=0: tf.stack(common(*x), axis),
    "append": lambda x1, x2, axis=None: tf.concat([_flat(x, axis)[0] for x in common(x1, x2)], 0 if axis is None else axis),
    "hstack": _stacked(1, 1), "vstack": lambda xs: tf.concat(common(*xs), 0), "dstack": _stacked(2, 3), "split": _split, "hsplit": lambda x, indices_or_sections: _split(x, indices_or_sections, 1 if tensor(x).ndim > 1 else 0),
    "vsplit": lambda x, indices_or_sections: _split(x, indices_or_sections, 0), "dsplit": lambda x, indices_or_sections: _split(x, indices_or_sections, 2),
    "array_split": lambda x, indices_or_sections, axis=0: _split(x, np.cumsum([len(part) for part in np.array_split(np.arange(tensor(x).shape[axis]), indices_or_sections)])[:-1], axis),
    "flip": lambda x, axis=None: tf.reverse(tensor(x), list(range(tensor(x).ndim)) if axis is None else np.atleast_1d(axis).tolist()),
    "roll": lambda x, shift, axis=None: tf.roll(tensor(x), shift, axis) if axis is not None else tf.reshape(tf.roll(tf.reshape(x, [-1]), shift, 0), tensor(x).shape),
    "rot90": _rot90,
    "repeat": lambda x, repeats, axis=None: tf.repeat(tensor(x), repeats, axis), "tile": _tile, "pad": _pad, "where": _where, "nonzero": _nonzero, "take": _take, "take_along_axis": _take_along_axis,
    "select": _select,
    "get_item": lambda x, key: tensor(x)[key], "sort": lambda x, axis=-1: tf.sort(*_flat(x, axis)), "argsort": lambda x, axis=-1: tf.argsort(*_flat(x, axis), stable=True),
    "searchsorted": _searchsorted,
    "digitize": lambda x, bins: tf.raw_ops.Bucketize(input=floats(x), boundaries=bins),
    "bincount": lambda x, weights=None, minlength=0, sparse=False: tf.math.bincount(tensor(x), weights, minlength, axis=-1),
    "dot": _dot, "tensordot": _tensordot, "einsum": lambda subscripts, *operands, **kwargs: tf.einsum(subscripts, *common(*operands), **kwargs),
    "cross": _cross,
    "kron": _kron,
    "trapezoid": _trapezoid,
    "vander": _vander,
    "unravel_index": lambda indices, shape: [tf.cast(part, tensor(indices).dtype) for part in tf.unstack(tf.unravel_index(tensor(indices), shape))],
    "view_as_complex": lambda x: tf.complex(tensor(x)[..., 0], tensor(x)[..., 1]), "view_as_real": lambda x: tf.stack([tf.math.real(x), tf.math.imag(x)], -1),
    **order_statistics.TABLE, **signal_functions.ARRAY_TABLE,
    "nextafter": lambda x1, x2: tf.math.nextafter(*_both_floats(x1, x2)),
}  # fmt: skip
