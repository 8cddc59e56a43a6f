"""The functions of ``tf.experimental.numpy``, by name: TensorFlow's operations with NumPy's arguments and dtypes."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from fastgrad._src.compat.experimental.numpy.promotion import as_inexact, asarray, promote_operands, result_type
from fastgrad._src.core import dtypes
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.ops import arithmetic, bitwise, comparison, creation, power
from fastgrad._src.ops.arithmetic import nextafter, polyval, sign
from fastgrad._src.ops.bitwise import invert
from fastgrad._src.ops.casting import cast
from fastgrad._src.ops.clipping import clip_by_value
from fastgrad._src.ops.comparison import equal, is_nan, logical_and, logical_not, logical_or, logical_xor, not_equal
from fastgrad._src.ops.complex_numbers import angle, conj, imag
from fastgrad._src.ops.composed.numpy_functions import elementwise, products, rearrangement, reductions
from fastgrad._src.ops.composed.numpy_functions.operands import flattened
from fastgrad._src.ops.contraction import matmul
from fastgrad._src.ops.creation import constant, identity, linspace, ones_like, zeros, zeros_like
from fastgrad._src.ops.division import divide, floormod
from fastgrad._src.ops.einsum import einsum, tensordot
from fastgrad._src.ops.exponential import atan2
from fastgrad._src.ops.indexing import gather
from fastgrad._src.ops.inspection import count_nonzero
from fastgrad._src.ops.joining import concat, stack, unstack
from fastgrad._src.ops.padding import pad
from fastgrad._src.ops.power import reciprocal
from fastgrad._src.ops.reduction import (
    reduce_all,
    reduce_any,
    reduce_max,
    reduce_mean,
    reduce_min,
    reduce_prod,
    reduce_sum,
)
from fastgrad._src.ops.repeating import meshgrid
from fastgrad._src.ops.selection import where
from fastgrad._src.ops.shaping import broadcast_to, reshape, transpose
from fastgrad._src.ops.statistics import reduce_std, reduce_variance

_INF = float("inf")


def _unary(function: Callable[..., Any], convert: Callable[..., Any] = as_inexact) -> Callable[..., Any]:
    return lambda x: function(convert(x))


def _binary(function: Callable[..., Any], of_booleans: Callable[..., Any] | None = None) -> Callable[..., Any]:
    """Returns a function of two operands of a common dtype.

    Args:
        function: of numbers.
        of_booleans: of truth values; default ``function``.
    """

    def call(x1: Any, x2: Any) -> Any:
        a, b = promote_operands(x1, x2)
        return (of_booleans if of_booleans is not None and a.dtype is dtypes.bool else function)(a, b)

    return call


def _cast_booleans_first(function: Callable[..., Any], dtype: Any) -> Callable[..., Any]:
    """Returns a function of truth values that computes with integers of ``dtype``."""
    return lambda a, b: function(cast(a, dtype), cast(b, dtype))


def _true_divide(a: Any, b: Any) -> Any:
    if a.dtype in (dtypes.int32, dtypes.int64):
        a, b = as_inexact(a), as_inexact(b)
    return divide(a, b)


def _array_function(name: str) -> Callable[..., Any]:
    """Returns the function that keeps the dtype of its first argument."""
    return lambda a, *args, **kwargs: rearrangement.TABLE[name](asarray(a), *args, **kwargs)


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
        if x.dtype is dtypes.bool and of_booleans is not None and (dtype is not None or preserves_booleans):
            return of_booleans(x, axis, bool(keepdims))
        if dtype is None and (x.dtype.is_integer or x.dtype is dtypes.bool):
            if promotion == "float":
                x = cast(x, result_type(float))
            elif promotion == "integer":
                x = cast(x, dtypes.uint64 if x.dtype.name.startswith("u") else dtypes.int64)
        return function(x, axis, bool(keepdims))

    return call


_sum = _reduction(reduce_sum, "integer", reduce_any)
_mean = _reduction(reduce_mean, "float")
_std = _reduction(reduce_std, "float")
_max = _reduction(reduce_max, None, reduce_any, True)
_min = _reduction(reduce_min, None, reduce_all, True)


def _var(a: Any, axis: Any = None, dtype: Any = None, out: Any = None, ddof: int = 0, keepdims: Any = None) -> Any:
    _checked_choice(out, None)

    def variance(x: Any, axis: Any, keepdims: bool) -> Any:
        y = reduce_variance(x, axis, keepdims)
        if not ddof:
            return y
        axes = range(x.ndim) if axis is None else np.atleast_1d(axis).tolist()
        count = math.prod(x.shape[place] for place in axes)
        return y * (count / (count - ddof))

    y = _reduction(variance, "float")(a, axis, None if dtype is None else result_type(a, dtype), keepdims)
    return y if dtype is None else cast(y, result_type(dtype))


def _array(val: Any, dtype: Any = None, copy: bool = True, ndmin: int = 0) -> Any:
    x = identity(asarray(val, dtype))
    return reshape(x, [1] * max(ndmin - x.ndim, 0) + [*x.shape])


def _arange(start: Any, stop: Any = None, step: Any = 1, dtype: Any = None) -> Any:
    if not step:
        raise ValueError("arange: step must be non-zero.")
    first, last = (0, start) if stop is None else (start, stop)
    kind = result_type(start, step, *([] if stop is None else [stop])) if dtype is None else result_type(dtype)
    return constant(np.arange(first, last, step, dtype=kind.numpy))


def _atleast_function(shaped: Callable[[Any], Any]) -> Callable[..., Any]:
    def call(*arys: Any) -> Any:
        results = [shaped(asarray(a)) for a in arys]
        return results[0] if len(results) == 1 else results

    return call


_atleast_1d = _atleast_function(lambda x: x if x.ndim else reshape(x, [1]))
_atleast_2d = _atleast_function(lambda x: x if x.ndim > 1 else reshape(x, [1, -1]))
_atleast_3d = _atleast_function(rearrangement.atleast_3d)


def _stack(arrays: Any, axis: int = 0) -> Any:
    return stack(promote_operands(*arrays), axis)


def _concatenate(arys: Any, axis: int = 0) -> Any:
    if not len(arys):
        raise ValueError("Need at least one array to concatenate. Received an empty list.")
    return concat(promote_operands(*arys), axis)


def _take(a: Any, indices: Any, axis: int | None = None, out: Any = None, mode: str = "clip") -> Any:
    _checked_choice(out, None)
    _checked_choice(mode, "clip", "wrap")
    x, places = asarray(a), asarray(indices)
    x, axis = flattened(x, axis)
    size = x.shape[axis]
    places = clip_by_value(places, 0, size - 1) if mode == "clip" else floormod(places, size)
    return gather(x, places, axis=axis)


def _where(condition: Any, x: Any = None, y: Any = None) -> Any:
    if (x is None) != (y is None):
        raise ValueError("where: both x and y must be arrays, or both must be None.")
    return TABLE["nonzero"](condition) if x is None else where(asarray(condition, bool), *promote_operands(x, y))


def _reshape(a: Any, newshape: Any, order: str = "C") -> Any:
    _checked_choice(order, "C", "F")
    shape = [newshape] if isinstance(newshape, int) else newshape
    x = asarray(a)
    return reshape(x, shape) if order == "C" else transpose(reshape(transpose(x), list(shape)[::-1]))


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
    kind = result_type(as_inexact(start), as_inexact(stop))
    first, last = asarray(start, kind), asarray(stop, kind)
    count = num - 1 if endpoint else num
    step = (last - first) / max(count, 1) if count > 0 else constant(math.nan, kind)
    y = linspace(first, last if endpoint or num < 2 else last - step, num, axis=axis)
    return (y, step) if retstep else y


def _matmul(a: Any, b: Any) -> Any:
    try:
        if b.ndim == 1:
            return tensordot(a, b, 1)
        return tensordot(a, b, [[0], [-2]]) if a.ndim == 1 else matmul(a, b)
    except InvalidArgumentError as error:
        raise ValueError(str(error)) from None


def _clip(a: Any, a_min: Any, a_max: Any) -> Any:
    _checked_choice(a_min is None and a_max is None, False)
    if a_min is None or a_max is None:
        return TABLE["minimum"](a, a_max) if a_min is None else TABLE["maximum"](a, a_min)
    return elementwise.clip(*promote_operands(a, a_min, a_max))


def _average(a: Any, axis: int | None = None, weights: Any = None, returned: bool = False) -> Any:
    x = as_inexact(a)
    x, factors = (x, ones_like(x)) if weights is None else promote_operands(x, weights)
    if factors.ndim != x.ndim and axis is not None:
        factors = reshape(factors, [-1 if place == axis % x.ndim else 1 for place in range(x.ndim)])
    y, total = reductions.weighted_average(x, factors, axis)
    return (y, total) if returned else y


def _diff(a: Any, n: int = 1, axis: int = -1) -> Any:
    x = asarray(a)
    if n < 0 or not -x.ndim <= axis < x.ndim:
        raise ValueError(f"diff: n must not be negative, axis one of {x.ndim} axes. Received: n={n}, axis={axis}")
    return rearrangement.diff(x, n, axis)


def _meshgrid(*xi: Any, sparse: bool = False, copy: bool = True, indexing: str = "xy") -> Any:
    if sparse or not copy:
        raise ValueError(f"meshgrid: sparse must be False and copy True. Received: sparse={sparse}, copy={copy}")
    arrays = [asarray(x) for x in xi]
    places = meshgrid(*[creation.range(x.shape[0]) for x in arrays], indexing=indexing)
    return [gather(x, place) for x, place in zip(arrays, places, strict=True)]


def _ix(*args: Any) -> list[Any]:
    arrays = [asarray(x) for x in args]
    for position, x in enumerate(arrays):
        if x.ndim != 1:
            raise ValueError(f"ix_: arguments must be 1-d, got argument {position} of rank {x.ndim}")
        if not (x.dtype.is_integer or x.dtype is dtypes.bool):
            raise ValueError(
                f"ix_: only integer and bool dtypes are supported, got {x.dtype.name} in argument {position}"
            )
    places = [where(x)[:, 0] if x.dtype is dtypes.bool else x for x in arrays]
    return [reshape(x, [-1 if i == axis else 1 for i in range(len(places))]) for axis, x in enumerate(places)]


def _isclose(a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Any:
    x, y = promote_operands(a, b)
    if not (x.dtype.is_floating or x.dtype.is_complex):
        return equal(x, y)
    is_close_elementwise = elementwise.is_close_elementwise(x, y, rtol, atol)
    return logical_or(is_close_elementwise, logical_and(is_nan(x), is_nan(y))) if equal_nan else is_close_elementwise


def _divide_by_log(x: Any, base: float) -> Any:
    """Divides by the logarithm of ``base``, a NumPy number: the result is float64, as in TensorFlow."""
    return divide(*promote_operands(x, np.log(base)))


def _fill_function(value: int) -> Callable[..., Any]:
    def call(shape: Any, dtype: Any = float) -> Any:
        return creation.fill(np.atleast_1d(shape) if np.size(shape) else [], cast(value, result_type(dtype or float)))

    return call


def _select(condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    if not condlist:
        raise ValueError("select: condlist must be non-empty.")
    *choices, default = promote_operands(*choicelist, default)
    return elementwise.select(_where, condlist, choices, default)


def _compress(condition: Any, a: Any, axis: int | None = None) -> Any:
    if np.ndim(condition) != 1:
        raise ValueError(f"compress: condition must be a 1-d array. Received one of rank {np.ndim(condition)}.")
    x = asarray(a) if axis is not None else reshape(asarray(a), [-1])
    return gather(x, TABLE["nonzero"](condition)[0], axis=axis or 0)


def _sum_dtype(a: Any, dtype: Any) -> Any:
    return result_type(a, np.int64) if dtype is None and asarray(a).dtype.is_integer else dtype


def _checked_choice(value: Any, *allowed: Any) -> Any:
    if value not in allowed:
        raise ValueError(f"Argument must be one of {allowed}. Received: {value!r}")
    return value


_SHARED_PLAIN_FUNCTIONS = "abs absolute conj conjugate copy fliplr flipud isreal negative ravel real square"
_PLAIN_FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{name: elementwise.PLAIN_FUNCTIONS[name] for name in _SHARED_PLAIN_FUNCTIONS.split()},
    "fabs": arithmetic.abs, "reciprocal": reciprocal, "positive": identity, "imag": lambda x: imag(x) if x.dtype is not dtypes.bool else zeros_like(x),
    "bitwise_not": lambda x: logical_not(x) if x.dtype is dtypes.bool else invert(x), "signbit": lambda x: zeros(x.shape, dtypes.bool) if x.dtype is dtypes.bool else x < 0,
    "iscomplex": lambda x: not_equal(imag(x), 0) if x.dtype.is_complex else zeros(x.shape, dtypes.bool),
}  # fmt: skip
_SHARED_FLOAT_FUNCTIONS = (
    "arccos arccosh arcsin arcsinh arctan arctanh cbrt ceil cos cosh deg2rad exp exp2 expm1 floor isfinite isinf isnan isneginf isposinf log log10 log1p log2 "
    "rad2deg sin sinc sinh sqrt tan tanh"
)
_SHARED_ARRAY_FUNCTIONS = (
    "broadcast_to diag diagflat diagonal dsplit expand_dims flip hsplit moveaxis repeat roll rot90 split squeeze "
    "swapaxes tile transpose tril triu vsplit"
)
_BINARY_FUNCTIONS: dict[str, Callable[..., Any]] = {
    **elementwise.BINARY_FUNCTIONS, **products.TABLE, "matmul": _matmul, "divide": _true_divide, "true_divide": _true_divide, "remainder": floormod,
    "float_power": power.pow, "nextafter": nextafter, "arctan2": lambda a, b: atan2(as_inexact(a), as_inexact(b)), "heaviside": lambda a, b: as_inexact(elementwise.heaviside(a, b)),
    "vdot": lambda a, b: tensordot(conj(reshape(a, [-1])), reshape(b, [-1]), 1), "bitwise_and": bitwise.bitwise_and, "bitwise_or": bitwise.bitwise_or,
    "bitwise_xor": bitwise.bitwise_xor,
}  # fmt: skip
_BINARY_FUNCTIONS_OF_BOOLEANS: dict[str, Callable[..., Any]] = {
    "add": logical_or, "multiply": logical_and, "maximum": logical_or, "minimum": logical_and,
    "bitwise_and": logical_and, "bitwise_or": logical_or, "bitwise_xor": logical_xor,
    **{name: _cast_booleans_first(_BINARY_FUNCTIONS[name], dtypes.int8) for name in ("floor_divide", "mod", "remainder")},
    **{name: _cast_booleans_first(_BINARY_FUNCTIONS[name], dtypes.int32) for name in ("less", "less_equal", "greater", "greater_equal")},
}  # fmt: skip
TABLE: dict[str, Callable[..., Any]] = {
    **{name: _unary(elementwise.FLOAT_FUNCTIONS[name]) for name in _SHARED_FLOAT_FUNCTIONS.split()}, "fix": _unary(elementwise.truncated),
    **{name: _unary(function, asarray) for name, function in _PLAIN_FUNCTIONS.items()}, **{name: _array_function(name) for name in _SHARED_ARRAY_FUNCTIONS.split()},
    **{name: _binary(function, _BINARY_FUNCTIONS_OF_BOOLEANS.get(name)) for name, function in _BINARY_FUNCTIONS.items()},
    **{f"logical_{name}": lambda x1, x2, name=name: getattr(comparison, f"logical_{name}")(asarray(x1, bool), asarray(x2, bool)) for name in ("and", "or", "xor")}, "logical_not": lambda x: logical_not(asarray(x, bool)),
    "logaddexp": _binary(lambda a, b: elementwise.logaddexp(as_inexact(a), as_inexact(b))), "logaddexp2": _binary(lambda a, b: cast(elementwise.logaddexp2(as_inexact(a), as_inexact(b)), result_type(a, np.float64))), "log2": lambda x: _divide_by_log(TABLE["log"](x), 2.0), "log10": lambda x: _divide_by_log(TABLE["log"](x), 10.0), "hypot": lambda x1, x2: TABLE["sqrt"](TABLE["add"](TABLE["square"](x1), TABLE["square"](x2))), "divmod": lambda x1, x2: (TABLE["floor_divide"](x1, x2), TABLE["mod"](x1, x2)),
    "tensordot": lambda a, b, axes=2: _binary(functools.partial(tensordot, axes=axes))(a, b), "isclose": _isclose, "allclose": lambda a, b, rtol=1e-5, atol=1e-8, equal_nan=False: reduce_all(_isclose(a, b, rtol, atol, equal_nan)),
    "array_equal": _binary(lambda a, b: reduce_all(equal(a, b)) if a.shape == b.shape else constant(False)), "polyval": _binary(lambda p, x: broadcast_to(polyval(unstack(reshape(p, [-1])), x), x.shape)), "clip": _clip,
    "angle": lambda z, deg=False: angle(as_inexact(z)) * (180.0 / math.pi if deg else 1.0), "sign": lambda x: sign(asarray(x)), "around": lambda a, decimals=0: cast(elementwise.rounded(as_inexact(a), decimals), asarray(a).dtype),
    "round": lambda a, decimals=0: TABLE["around"](a, decimals), "diff": _diff, "cross": lambda a, b, axisa=-1, axisb=-1, axisc=-1, axis=None: _binary(functools.partial(products.cross, axisa=axisa, axisb=axisb, axisc=axisc, axis=axis))(a, b),
    "einsum": lambda subscripts, *operands, casting="safe", optimize=False: einsum(subscripts, *(promote_operands(*operands) if _checked_choice(casting, "safe", "no") == "safe" else map(asarray, operands))),
    "all": lambda a, axis=None, keepdims=None: reduce_all(asarray(a, bool), axis, bool(keepdims)), "any": lambda a, axis=None, keepdims=None: reduce_any(asarray(a, bool), axis, bool(keepdims)),
    "sum": _sum, "prod": _reduction(reduce_prod, "integer", reduce_all), "mean": lambda a, axis=None, dtype=None, out=None, keepdims=None: _mean(a, axis, _checked_choice(out, None) or dtype, keepdims), "var": _var, "std": lambda a, axis=None, keepdims=None: _std(a, axis, None, keepdims),
    "amax": lambda a, axis=None, out=None, keepdims=None: _max(a, axis, _checked_choice(out, None), keepdims), "amin": lambda a, axis=None, out=None, keepdims=None: _min(a, axis, _checked_choice(out, None), keepdims),
    "max": lambda a, axis=None, keepdims=None: _max(a, axis, None, keepdims), "min": lambda a, axis=None, keepdims=None: _min(a, axis, None, keepdims),
    "ptp": lambda a, axis=None, keepdims=None: TABLE["max"](a, axis, keepdims) - TABLE["min"](a, axis, keepdims),
    "nansum": lambda a, axis=None, dtype=None, keepdims=False: _sum(elementwise.without_nan(asarray(a), 0), axis, dtype, keepdims), "nanprod": lambda a, axis=None, dtype=None, keepdims=False: TABLE["prod"](elementwise.without_nan(asarray(a), 1), axis, dtype, keepdims),
    "nanmean": lambda a, axis=None, dtype=None, keepdims=None: reductions.nanmean(asarray(a, dtype), axis, bool(keepdims)) if asarray(a).dtype.is_floating else _mean(a, axis, dtype, keepdims), **{name: lambda a, axis=None, dtype=None, name=name: reductions.TABLE[name](asarray(a, _sum_dtype(a, dtype)), axis) for name in ("cumsum", "cumprod")},
    "count_nonzero": lambda a, axis=None: count_nonzero(asarray(a), axis), **{name: lambda a, axis=None, name=name: cast(reductions.TABLE[name](asarray(a), axis), dtypes.int64) for name in ("argmax", "argmin")}, "average": _average, "trace": lambda a, offset=0, axis1=0, axis2=1, dtype=None: reduce_sum(rearrangement.diagonal(asarray(a, dtype), offset, axis1, axis2), -1) if not offset and axis1 == 0 else _sum(rearrangement.diagonal(asarray(a, dtype), offset, axis1, axis2), -1, dtype),
    "array": _array, "asarray": asarray, "asanyarray": asarray, "ascontiguousarray": lambda a, dtype=None: _array(a, dtype, ndmin=1), "arange": _arange, "linspace": _linspace, "logspace": lambda start, stop, num=50, endpoint=True, base=10.0, dtype=None, axis=0: base ** _linspace(start, stop, num, endpoint, axis=axis),
    "geomspace": lambda start, stop, num=50, endpoint=True, dtype=None, axis=0: cast(sign(as_inexact(start)) * TABLE["logspace"](TABLE["log10"](abs(start)), TABLE["log10"](abs(stop)), num, endpoint, axis=axis), result_type(start, stop, float) if dtype is None else dtype),
    "zeros": _fill_function(0), "empty": _fill_function(0), "ones": _fill_function(1), **{f"{name}_like": lambda a, dtype=None, name=name: TABLE[name](asarray(a).shape, result_type(a if dtype is None else dtype)) for name in ("zeros", "empty", "ones")},
    "full": lambda shape, fill_value, dtype=None: broadcast_to(asarray(fill_value, dtype), reshape(asarray(shape, np.int32), [-1])), "full_like": lambda a, fill_value, dtype=None, order="K": TABLE["full"](asarray(a).shape, fill_value, _checked_choice(order, "K") and (dtype or asarray(a).dtype)),
    "eye": lambda N, M=None, k=0, dtype=float: constant(np.eye(N, M, k), result_type(dtype or float)), "identity": lambda n, dtype=float: TABLE["eye"](n, dtype=dtype),
    "tri": lambda N, M=None, k=0, dtype=None: constant(np.tri(N, M, k), result_type(dtype or float)), "vander": lambda x, N=None, increasing=False: products.vander(asarray(x), N, increasing), "meshgrid": _meshgrid, "ix_": _ix, "diag_indices": lambda n, ndim=2: (constant(np.diag_indices(n, 1)[0], dtypes.int32),) * ndim, "broadcast_arrays": lambda *args: [broadcast_to(asarray(a), np.broadcast_shapes(*[tuple(asarray(b).shape) for b in args])) for a in args],
    "atleast_1d": _atleast_1d, "atleast_2d": _atleast_2d, "atleast_3d": _atleast_3d, "hstack": lambda tup: rearrangement.hstack(promote_operands(*map(asarray, tup))), "vstack": lambda tup: concat(promote_operands(*map(_atleast_2d, tup)), 0), "dstack": lambda tup: rearrangement.dstack(promote_operands(*map(asarray, tup))),
    "stack": _stack, "concatenate": _concatenate, "append": lambda arr, values, axis=None: _concatenate([reshape(asarray(x), [-1]) if axis is None else x for x in (arr, values)], axis or 0), "reshape": _reshape, "flatten": lambda a, order="C": _reshape(a, -1, "F" if _checked_choice(order, "C", "A", "K", "F") == "F" else "C"),
    "pad": lambda array, pad_width, mode, constant_values=0: pad(asarray(array), asarray(pad_width, np.int32), _checked_choice(mode, "constant", "reflect", "symmetric").upper(), constant_values), "take": _take, "take_along_axis": lambda arr, indices, axis: rearrangement.take_along_axis(asarray(arr), asarray(indices), axis),
    "where": _where, "nonzero": lambda a: rearrangement.nonzero(cast(_atleast_1d(a), dtypes.bool)), "select": _select, "compress": _compress, "sort": lambda a, axis=-1, kind="quicksort": rearrangement.TABLE["sort"](asarray(a), _checked_choice(kind, "quicksort") and axis), "argsort": lambda a, axis=-1, kind="quicksort": cast(rearrangement.TABLE["argsort"](asarray(a), _checked_choice(kind, "quicksort", "stable") and axis), dtypes.int64),
    "ndim": lambda a: a.ndim if hasattr(a, "ndim") else asarray(a).ndim, "shape": lambda a: asarray(a).shape, "size": lambda x: np.prod(asarray(x).shape, dtype=int) if np.ndim(x) else 1,
    "isscalar": np.isscalar, "iscomplexobj": lambda x: asarray(x).dtype.is_complex, "isrealobj": lambda x: not asarray(x).dtype.is_complex,
}  # fmt: skip
"""The functions by NumPy's name."""
