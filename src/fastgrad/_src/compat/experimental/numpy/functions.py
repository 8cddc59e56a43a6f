"""The functions of ``tf.experimental.numpy``, by name: TensorFlow's operations with NumPy's arguments and dtypes."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

import fastgrad as tf
from fastgrad._src.compat.experimental.numpy.promotion import asarray, inexact, promoted, result_type
from fastgrad._src.keras.ops.array_functions import FLOAT_FUNCTIONS
from fastgrad._src.keras.ops.array_functions import TABLE as KERAS_FUNCTIONS

_INF = float("inf")


def _unary(function: Callable[..., Any], convert: Callable[..., Any] = inexact) -> Callable[..., Any]:
    return lambda x: function(convert(x))


def _binary(function: Callable[..., Any], of_booleans: Callable[..., Any] | None = None) -> Callable[..., Any]:
    """Returns a function of two operands of a common dtype.

    Args:
        function: of numbers.
        of_booleans: of truth values; default ``function``.
    """

    def call(x1: Any, x2: Any) -> Any:
        a, b = promoted(x1, x2)
        return (of_booleans if of_booleans is not None and a.dtype is tf.bool else function)(a, b)

    return call


def _of_integers(function: Callable[..., Any], dtype: Any) -> Callable[..., Any]:
    """Returns a function of truth values that computes with integers of ``dtype``."""
    return lambda a, b: function(tf.cast(a, dtype), tf.cast(b, dtype))


def _true_divide(a: Any, b: Any) -> Any:
    if a.dtype in (tf.int32, tf.int64):
        a, b = inexact(a), inexact(b)
    return tf.divide(a, b)


def _array_function(name: str) -> Callable[..., Any]:
    """Returns the function of ``keras.ops`` that keeps the dtype of its first argument."""
    return lambda a, *args, **kwargs: KERAS_FUNCTIONS[name](asarray(a), *args, **kwargs)


def _reduction(
    function: Callable[..., Any],
    promotion: str | None,
    of_booleans: Callable[..., Any] | None = None,
    preserves_booleans: bool = False,
) -> Callable[..., Any]:
    """Returns a reduction.

    Args:
        function: ``function(x, axis, keepdims)``.
        promotion: ``"integer"`` if small integers are reduced in 64 bits, ``"float"`` if integers are reduced as floats.
        of_booleans: the reduction of truth values to a truth value.
        preserves_booleans: whether ``of_booleans`` is used without ``dtype=bool``, too.
    """

    def call(a: Any, axis: Any = None, dtype: Any = None, keepdims: Any = None) -> Any:
        x = asarray(a, dtype)
        if x.dtype is tf.bool and of_booleans is not None and (dtype is not None or preserves_booleans):
            return of_booleans(x, axis, bool(keepdims))
        if dtype is None and (x.dtype.is_integer or x.dtype is tf.bool):
            if promotion == "float":
                x = tf.cast(x, result_type(float))
            elif promotion == "integer":
                x = tf.cast(x, tf.uint64 if x.dtype.name.startswith("u") else tf.int64)
        return function(x, axis, bool(keepdims))

    return call


_sum = _reduction(tf.reduce_sum, "integer", tf.reduce_any)
_mean = _reduction(tf.reduce_mean, "float")
_std = _reduction(tf.math.reduce_std, "float")
_max = _reduction(tf.reduce_max, None, tf.reduce_any, True)
_min = _reduction(tf.reduce_min, None, tf.reduce_all, True)


def _var(a: Any, axis: Any = None, dtype: Any = None, out: Any = None, ddof: int = 0, keepdims: Any = None) -> Any:
    _one_of(out, None)

    def variance(x: Any, axis: Any, keepdims: bool) -> Any:
        y = tf.math.reduce_variance(x, axis, keepdims)
        if not ddof:
            return y
        axes = range(x.ndim) if axis is None else np.atleast_1d(axis).tolist()
        count = math.prod(x.shape[place] for place in axes)
        return y * (count / (count - ddof))

    y = _reduction(variance, "float")(a, axis, None if dtype is None else result_type(a, dtype), keepdims)
    return y if dtype is None else tf.cast(y, result_type(dtype))


def _array(val: Any, dtype: Any = None, copy: bool = True, ndmin: int = 0) -> Any:
    x = tf.identity(asarray(val, dtype))
    return tf.reshape(x, [1] * max(ndmin - x.ndim, 0) + [*x.shape])


def _arange(start: Any, stop: Any = None, step: Any = 1, dtype: Any = None) -> Any:
    if not step:
        raise ValueError("arange: step must be non-zero.")
    first, last = (0, start) if stop is None else (start, stop)
    kind = result_type(start, step, *([] if stop is None else [stop])) if dtype is None else result_type(dtype)
    return tf.constant(np.arange(first, last, step, dtype=kind.numpy))


def _atleast(rank: int, shape_of: Callable[[tuple[int, ...]], Any]) -> Callable[..., Any]:
    def call(*arys: Any) -> Any:
        arrays = [asarray(a) for a in arys]
        results = [x if x.ndim >= rank else tf.reshape(x, shape_of(tuple(x.shape))) for x in arrays]
        return results[0] if len(results) == 1 else results

    return call


_atleast_1d = _atleast(1, lambda shape: [1])
_atleast_2d = _atleast(2, lambda shape: [1] * (2 - len(shape)) + [*shape])
_atleast_3d = _atleast(3, lambda shape: [1, *shape, 1] if len(shape) == 1 else [*shape, 1] if shape else [1, 1, 1])


def _stacked(convert: Callable[..., Any], axis: int) -> Callable[..., Any]:
    def call(tup: Any) -> Any:
        arrays = promoted(*[convert(a) for a in tup])
        return tf.concat(arrays, axis if arrays[0].ndim > axis else 0)

    return call


def _stack(arrays: Any, axis: int = 0) -> Any:
    return tf.stack(promoted(*arrays), axis)


def _concatenate(arys: Any, axis: int = 0) -> Any:
    if not len(arys):
        raise ValueError("Need at least one array to concatenate. Received an empty list.")
    return tf.concat(promoted(*arys), axis)


def _take(a: Any, indices: Any, axis: int | None = None, out: Any = None, mode: str = "clip") -> Any:
    _one_of(out, None)
    _one_of(mode, "clip", "wrap")
    x, places = asarray(a), asarray(indices)
    x, axis = (tf.reshape(x, [-1]), 0) if axis is None else (x, axis)
    size = x.shape[axis]
    places = tf.clip_by_value(places, 0, size - 1) if mode == "clip" else tf.math.floormod(places, size)
    return tf.gather(x, places, axis=axis)


def _where(condition: Any, x: Any = None, y: Any = None) -> Any:
    if (x is None) != (y is None):
        raise ValueError("where: both x and y must be arrays, or both must be None.")
    return TABLE["nonzero"](condition) if x is None else tf.where(asarray(condition, bool), *promoted(x, y))


def _reshape(a: Any, newshape: Any, order: str = "C") -> Any:
    _one_of(order, "C", "F")
    shape = [newshape] if isinstance(newshape, int) else newshape
    x = asarray(a)
    return tf.reshape(x, shape) if order == "C" else tf.transpose(tf.reshape(tf.transpose(x), list(shape)[::-1]))


def _linspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: Any = float,
    axis: int = 0,
) -> Any:
    if num < 0:
        raise ValueError(f"Argument `num` (number of samples) must be a non-negative integer. Received: num={num}")
    kind = result_type(inexact(start), inexact(stop))
    first, last = asarray(start, kind), asarray(stop, kind)
    count = num - 1 if endpoint else num
    step = (last - first) / max(count, 1) if count > 0 else tf.constant(math.nan, kind)
    y = tf.linspace(first, last if endpoint or num < 2 else last - step, num, axis=axis)
    return (y, step) if retstep else y


def _matmul(a: Any, b: Any) -> Any:
    try:
        if b.ndim == 1:
            return tf.tensordot(a, b, 1)
        return tf.tensordot(a, b, [[0], [-2]]) if a.ndim == 1 else tf.matmul(a, b)
    except tf.errors.InvalidArgumentError as error:
        raise ValueError(str(error)) from None


def _clip(a: Any, a_min: Any, a_max: Any) -> Any:
    _one_of(a_min is None and a_max is None, False)
    if a_min is None or a_max is None:
        return TABLE["minimum"](a, a_max) if a_min is None else TABLE["maximum"](a, a_min)
    x, low, high = promoted(a, a_min, a_max)
    return tf.minimum(tf.maximum(x, low), high)


def _average(a: Any, axis: int | None = None, weights: Any = None, returned: bool = False) -> Any:
    x = inexact(a)
    x, factors = (x, tf.ones_like(x)) if weights is None else promoted(x, weights)
    if factors.ndim != x.ndim and axis is not None:
        factors = tf.reshape(factors, [-1 if place == axis % x.ndim else 1 for place in range(x.ndim)])
    factors = tf.broadcast_to(factors, x.shape)
    y = tf.reduce_sum(x * factors, axis) / tf.reduce_sum(factors, axis)
    return (y, tf.reduce_sum(factors, axis)) if returned else y


def _diff(a: Any, n: int = 1, axis: int = -1) -> Any:
    x = asarray(a)
    if n < 0 or not -x.ndim <= axis < x.ndim:
        raise ValueError(f"diff: n must not be negative, axis one of {x.ndim} axes. Received: n={n}, axis={axis}")
    return KERAS_FUNCTIONS["diff"](x, n, axis)


def _meshgrid(*xi: Any, sparse: bool = False, copy: bool = True, indexing: str = "xy") -> Any:
    if sparse or not copy:
        raise ValueError(f"meshgrid: sparse must be False and copy True. Received: sparse={sparse}, copy={copy}")
    arrays = [asarray(x) for x in xi]
    places = tf.meshgrid(*[tf.range(x.shape[0]) for x in arrays], indexing=indexing)
    return [tf.gather(x, place) for x, place in zip(arrays, places, strict=True)]


def _ix(*args: Any) -> list[Any]:
    arrays = [asarray(x) for x in args]
    for position, x in enumerate(arrays):
        if x.ndim != 1:
            raise ValueError(f"ix_: arguments must be 1-d, got argument {position} of rank {x.ndim}")
        if not (x.dtype.is_integer or x.dtype is tf.bool):
            raise ValueError(
                f"ix_: only integer and bool dtypes are supported, got {x.dtype.name} in argument {position}"
            )
    places = [tf.where(x)[:, 0] if x.dtype is tf.bool else x for x in arrays]
    return [tf.reshape(x, [-1 if i == axis else 1 for i in range(len(places))]) for axis, x in enumerate(places)]


def _isclose(a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Any:
    x, y = promoted(a, b)
    if not (x.dtype.is_floating or x.dtype.is_complex):
        return tf.equal(x, y)
    is_near = tf.abs(x - y) <= atol + rtol * tf.abs(y)
    return tf.logical_or(is_near, tf.logical_and(tf.math.is_nan(x), tf.math.is_nan(y))) if equal_nan else is_near


def _over_log(x: Any, base: float) -> Any:
    """Divides by the logarithm of ``base``, a NumPy number: the result is float64, as in TensorFlow."""
    return tf.divide(*promoted(x, np.log(base)))


def _filled(value: int) -> Callable[..., Any]:
    def call(shape: Any, dtype: Any = float) -> Any:
        return tf.fill(np.atleast_1d(shape) if np.size(shape) else [], tf.cast(value, result_type(dtype or float)))

    return call


def _select(condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    if not condlist:
        raise ValueError("select: condlist must be non-empty.")
    *choices, y = promoted(*choicelist, default)
    for condition, choice in reversed(list(zip(condlist, choices, strict=True))):
        y = _where(condition, choice, y)
    return y


def _compress(condition: Any, a: Any, axis: int | None = None) -> Any:
    if np.ndim(condition) != 1:
        raise ValueError(f"compress: condition must be a 1-d array. Received one of rank {np.ndim(condition)}.")
    x = asarray(a) if axis is not None else tf.reshape(asarray(a), [-1])
    return tf.gather(x, TABLE["nonzero"](condition)[0], axis=axis or 0)


def _without_nan(a: Any, fill: int) -> Any:
    x = asarray(a)
    return tf.where(tf.math.is_nan(x), tf.constant(fill, x.dtype), x) if x.dtype.is_floating else x


def _sum_dtype(a: Any, dtype: Any) -> Any:
    return result_type(a, np.int64) if dtype is None and asarray(a).dtype.is_integer else dtype


def _one_of(value: Any, *allowed: Any) -> Any:
    if value not in allowed:
        raise ValueError(f"Argument must be one of {allowed}. Received: {value!r}")
    return value


_PLAIN_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "abs": tf.abs, "absolute": tf.abs, "conj": tf.math.conj, "conjugate": tf.math.conj, "fabs": tf.abs, "imag": lambda x: tf.math.imag(x) if x.dtype is not tf.bool else tf.zeros_like(x),
    "negative": tf.negative, "positive": tf.identity, "real": tf.math.real, "reciprocal": tf.math.reciprocal, "square": tf.square,
    "bitwise_not": lambda x: tf.logical_not(x) if x.dtype is tf.bool else tf.bitwise.invert(x), "ravel": lambda x: tf.reshape(x, [-1]),
    "signbit": lambda x: tf.zeros(x.shape, tf.bool) if x.dtype is tf.bool else x < 0, "copy": tf.identity,
    "isreal": lambda x: tf.equal(tf.math.imag(x), 0) if x.dtype.is_complex else tf.ones(x.shape, tf.bool), "iscomplex": lambda x: tf.not_equal(tf.math.imag(x), 0) if x.dtype.is_complex else tf.zeros(x.shape, tf.bool), "fliplr": lambda x: tf.reverse(x, [1]), "flipud": lambda x: tf.reverse(x, [0]),
}  # fmt: skip
_ADDED_FLOAT_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "fix": lambda x: tf.where(x < 0, tf.math.ceil(x), tf.floor(x)), "isfinite": tf.math.is_finite, "isinf": tf.math.is_inf, "isnan": tf.math.is_nan,
    "isposinf": lambda x: tf.equal(x, _INF), "isneginf": lambda x: tf.equal(x, -_INF),
}  # fmt: skip
_SHARED_FLOAT_FUNCTIONS = (
    "arccos arccosh arcsin arcsinh arctan arctanh cbrt ceil cos cosh deg2rad exp exp2 expm1 floor log log10 log1p log2 "
    "rad2deg sin sinc sinh sqrt tan tanh"
)
_SHARED_ARRAY_FUNCTIONS = (
    "broadcast_to diag diagflat diagonal dsplit expand_dims flip hsplit moveaxis repeat roll rot90 split squeeze "
    "swapaxes tile transpose tril triu vsplit"
)
_BINARY_FUNCTIONS: dict[str, tuple[Callable[..., Any], ...]] = {
    "add": (tf.add, tf.logical_or), "subtract": (tf.subtract,), "multiply": (tf.multiply, tf.logical_and), "divide": (_true_divide,),
    "true_divide": (_true_divide,), "floor_divide": (tf.math.floordiv, _of_integers(tf.math.floordiv, tf.int8)),
    "mod": (tf.math.floormod, _of_integers(tf.math.floormod, tf.int8)), "remainder": (tf.math.floormod, _of_integers(tf.math.floormod, tf.int8)),
    "maximum": (tf.maximum, tf.logical_or), "minimum": (tf.minimum, tf.logical_and), "power": (tf.pow,), "float_power": (tf.pow,),
    "arctan2": (lambda a, b: tf.atan2(inexact(a), inexact(b)),), "nextafter": (tf.math.nextafter,), "heaviside": (lambda a, b: inexact(tf.where(a < 0, tf.zeros_like(b), tf.where(a > 0, tf.ones_like(b), b))),), "dot": (KERAS_FUNCTIONS["dot"],), "matmul": (_matmul,),
    "kron": (KERAS_FUNCTIONS["kron"],), "inner": (KERAS_FUNCTIONS["inner"],), "outer": (lambda a, b: tf.reshape(a, [-1, 1]) * tf.reshape(b, [-1]),),
    "vdot": (lambda a, b: tf.tensordot(tf.math.conj(tf.reshape(a, [-1])), tf.reshape(b, [-1]), 1),),
    "gcd": (KERAS_FUNCTIONS["gcd"],), "lcm": (KERAS_FUNCTIONS["lcm"],), "equal": (tf.equal,), "not_equal": (tf.not_equal,),
    **{name: (function, _of_integers(function, tf.int32)) for name, function in {"less": tf.less, "less_equal": tf.less_equal, "greater": tf.greater, "greater_equal": tf.greater_equal}.items()},
    **{f"bitwise_{name}": (getattr(tf.bitwise, f"bitwise_{name}"), getattr(tf.math, f"logical_{name}")) for name in ("and", "or", "xor")},
}  # fmt: skip
TABLE: dict[str, Callable[..., Any]] = {
    **{name: _unary(FLOAT_FUNCTIONS[name]) for name in _SHARED_FLOAT_FUNCTIONS.split()}, **{name: _unary(function) for name, function in _ADDED_FLOAT_FUNCTIONS.items()},
    **{name: _unary(function, asarray) for name, function in _PLAIN_FUNCTIONS.items()}, **{name: _array_function(name) for name in _SHARED_ARRAY_FUNCTIONS.split()},
    **{name: _binary(*functions) for name, functions in _BINARY_FUNCTIONS.items()},
    **{f"logical_{name}": lambda x1, x2, name=name: getattr(tf.math, f"logical_{name}")(asarray(x1, bool), asarray(x2, bool)) for name in ("and", "or", "xor")}, "logical_not": lambda x: tf.logical_not(asarray(x, bool)),
    "logaddexp": _binary(lambda a, b: KERAS_FUNCTIONS["logaddexp"](inexact(a), inexact(b))), "logaddexp2": _binary(lambda a, b: tf.cast(KERAS_FUNCTIONS["logaddexp2"](inexact(a), inexact(b)), result_type(a, np.float64))), "log2": lambda x: _over_log(TABLE["log"](x), 2.0), "log10": lambda x: _over_log(TABLE["log"](x), 10.0), "hypot": lambda x1, x2: TABLE["sqrt"](TABLE["add"](TABLE["square"](x1), TABLE["square"](x2))), "divmod": lambda x1, x2: (TABLE["floor_divide"](x1, x2), TABLE["mod"](x1, x2)),
    "tensordot": lambda a, b, axes=2: _binary(functools.partial(tf.tensordot, axes=axes))(a, b), "isclose": _isclose, "allclose": lambda a, b, rtol=1e-5, atol=1e-8, equal_nan=False: tf.reduce_all(_isclose(a, b, rtol, atol, equal_nan)),
    "array_equal": _binary(lambda a, b: tf.reduce_all(tf.equal(a, b)) if a.shape == b.shape else tf.constant(False)), "polyval": _binary(lambda p, x: tf.broadcast_to(tf.math.polyval(tf.unstack(tf.reshape(p, [-1])), x), x.shape)), "clip": _clip,
    "angle": lambda z, deg=False: tf.math.angle(inexact(z)) * (180.0 / math.pi if deg else 1.0), "sign": lambda x: tf.sign(asarray(x)), "around": lambda a, decimals=0: tf.cast(tf.round(inexact(a) * 10.0**decimals) / 10.0**decimals, asarray(a).dtype),
    "round": lambda a, decimals=0: TABLE["around"](a, decimals), "diff": _diff, "cross": lambda a, b, axisa=-1, axisb=-1, axisc=-1, axis=None: KERAS_FUNCTIONS["cross"](*promoted(a, b), axisa, axisb, axisc, axis),
    "einsum": lambda subscripts, *operands, casting="safe", optimize=False: tf.einsum(subscripts, *(promoted(*operands) if _one_of(casting, "safe", "no") == "safe" else map(asarray, operands))),
    "all": lambda a, axis=None, keepdims=None: tf.reduce_all(asarray(a, bool), axis, bool(keepdims)), "any": lambda a, axis=None, keepdims=None: tf.reduce_any(asarray(a, bool), axis, bool(keepdims)),
    "sum": _sum, "prod": _reduction(tf.reduce_prod, "integer", tf.reduce_all), "mean": lambda a, axis=None, dtype=None, out=None, keepdims=None: _mean(a, axis, _one_of(out, None) or dtype, keepdims), "var": _var, "std": lambda a, axis=None, keepdims=None: _std(a, axis, None, keepdims),
    "amax": lambda a, axis=None, out=None, keepdims=None: _max(a, axis, _one_of(out, None), keepdims), "amin": lambda a, axis=None, out=None, keepdims=None: _min(a, axis, _one_of(out, None), keepdims),
    "max": lambda a, axis=None, keepdims=None: _max(a, axis, None, keepdims), "min": lambda a, axis=None, keepdims=None: _min(a, axis, None, keepdims),
    "ptp": lambda a, axis=None, keepdims=None: TABLE["max"](a, axis, keepdims) - TABLE["min"](a, axis, keepdims),
    "nansum": lambda a, axis=None, dtype=None, keepdims=False: _sum(_without_nan(a, 0), axis, dtype, keepdims), "nanprod": lambda a, axis=None, dtype=None, keepdims=False: TABLE["prod"](_without_nan(a, 1), axis, dtype, keepdims),
    "nanmean": lambda a, axis=None, dtype=None, keepdims=None: KERAS_FUNCTIONS["nanmean"](asarray(a, dtype), axis, bool(keepdims)) if asarray(a).dtype.is_floating else _mean(a, axis, dtype, keepdims), **{name: lambda a, axis=None, dtype=None, name=name: KERAS_FUNCTIONS[name](asarray(a, _sum_dtype(a, dtype)), axis) for name in ("cumsum", "cumprod")},
    "count_nonzero": lambda a, axis=None: tf.math.count_nonzero(asarray(a), axis), **{name: lambda a, axis=None, name=name: tf.cast(KERAS_FUNCTIONS[name](asarray(a), axis), tf.int64) for name in ("argmax", "argmin")}, "average": _average, "trace": lambda a, offset=0, axis1=0, axis2=1, dtype=None: tf.reduce_sum(KERAS_FUNCTIONS["diagonal"](asarray(a, dtype), offset, axis1, axis2), -1) if not offset and axis1 == 0 else _sum(KERAS_FUNCTIONS["diagonal"](asarray(a, dtype), offset, axis1, axis2), -1, dtype),
    "array": _array, "asarray": asarray, "asanyarray": asarray, "ascontiguousarray": lambda a, dtype=None: _array(a, dtype, ndmin=1), "arange": _arange, "linspace": _linspace, "logspace": lambda start, stop, num=50, endpoint=True, base=10.0, dtype=None, axis=0: base ** _linspace(start, stop, num, endpoint, axis=axis),
    "geomspace": lambda start, stop, num=50, endpoint=True, dtype=None, axis=0: tf.cast(tf.sign(inexact(start)) * TABLE["logspace"](TABLE["log10"](abs(start)), TABLE["log10"](abs(stop)), num, endpoint, axis=axis), result_type(start, stop, float) if dtype is None else dtype),
    "zeros": _filled(0), "empty": _filled(0), "ones": _filled(1), **{f"{name}_like": lambda a, dtype=None, name=name: TABLE[name](asarray(a).shape, result_type(a if dtype is None else dtype)) for name in ("zeros", "empty", "ones")},
    "full": lambda shape, fill_value, dtype=None: tf.broadcast_to(asarray(fill_value, dtype), tf.reshape(asarray(shape, np.int32), [-1])), "full_like": lambda a, fill_value, dtype=None, order="K": TABLE["full"](asarray(a).shape, fill_value, _one_of(order, "K") and (dtype or asarray(a).dtype)),
    "eye": lambda N, M=None, k=0, dtype=float: tf.constant(np.eye(N, M, k), result_type(dtype or float)), "identity": lambda n, dtype=float: TABLE["eye"](n, dtype=dtype),
    "tri": lambda N, M=None, k=0, dtype=None: tf.constant(np.tri(N, M, k), result_type(dtype or float)), "vander": lambda x, N=None, increasing=False: KERAS_FUNCTIONS["vander"](asarray(x), N, increasing), "meshgrid": _meshgrid, "ix_": _ix, "diag_indices": lambda n, ndim=2: (tf.constant(np.diag_indices(n, 1)[0], tf.int32),) * ndim, "broadcast_arrays": lambda *args: [tf.broadcast_to(asarray(a), np.broadcast_shapes(*[tuple(asarray(b).shape) for b in args])) for a in args],
    "atleast_1d": _atleast_1d, "atleast_2d": _atleast_2d, "atleast_3d": _atleast_3d, "hstack": _stacked(_atleast_1d, 1), "vstack": _stacked(_atleast_2d, 0), "dstack": _stacked(_atleast_3d, 2),
    "stack": _stack, "concatenate": _concatenate, "append": lambda arr, values, axis=None: _concatenate([tf.reshape(asarray(x), [-1]) if axis is None else x for x in (arr, values)], axis or 0), "reshape": _reshape, "flatten": lambda a, order="C": _reshape(a, -1, "F" if _one_of(order, "C", "A", "K", "F") == "F" else "C"),
    "pad": lambda array, pad_width, mode, constant_values=0: tf.pad(asarray(array), asarray(pad_width, np.int32), _one_of(mode, "constant", "reflect", "symmetric").upper(), constant_values), "take": _take, "take_along_axis": lambda arr, indices, axis: KERAS_FUNCTIONS["take_along_axis"](asarray(arr), asarray(indices), axis),
    "where": _where, "nonzero": lambda a: tf.unstack(tf.where(tf.cast(_atleast_1d(a), tf.bool)), axis=1), "select": _select, "compress": _compress, "sort": lambda a, axis=-1, kind="quicksort": KERAS_FUNCTIONS["sort"](asarray(a), _one_of(kind, "quicksort") and axis), "argsort": lambda a, axis=-1, kind="quicksort": tf.cast(KERAS_FUNCTIONS["argsort"](asarray(a), _one_of(kind, "quicksort", "stable") and axis), tf.int64),
    "ndim": lambda a: a.ndim if hasattr(a, "ndim") else asarray(a).ndim, "shape": lambda a: asarray(a).shape, "size": lambda x: np.prod(asarray(x).shape, dtype=int) if np.ndim(x) else 1,
    "isscalar": np.isscalar, "iscomplexobj": lambda x: asarray(x).dtype.is_complex, "isrealobj": lambda x: not asarray(x).dtype.is_complex,
}  # fmt: skip
"""The functions by NumPy's name."""
