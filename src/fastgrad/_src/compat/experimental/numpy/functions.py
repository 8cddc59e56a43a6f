"""The functions of ``tf.experimental.numpy``, by name: TensorFlow's operations with NumPy's arguments and dtypes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastgrad._src.compat.experimental.numpy.promotion import as_inexact, asarray, promote_operands, result_type
from fastgrad._src.core import dtypes
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.ops import namespace as ops
from fastgrad._src.ops.composed.numpy_functions import elementwise, products, rearrangement


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
    return lambda a, b: function(ops.cast(a, dtype), ops.cast(b, dtype))


def _true_divide(a: Any, b: Any) -> Any:
    if a.dtype in (dtypes.int32, dtypes.int64):
        a, b = as_inexact(a), as_inexact(b)
    return ops.divide(a, b)


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
                x = ops.cast(x, result_type(float))
            elif promotion == "integer":
                x = ops.cast(x, dtypes.uint64 if x.dtype.name.startswith("u") else dtypes.int64)
        return function(x, axis, bool(keepdims))

    return call


_max = _reduction(ops.reduce_max, None, ops.reduce_any, True)
_min = _reduction(ops.reduce_min, None, ops.reduce_all, True)


def _array(val: Any, dtype: Any = None, copy: bool = True, ndmin: int = 0) -> Any:
    x = ops.identity(asarray(val, dtype))
    return ops.reshape(x, [1] * max(ndmin - x.ndim, 0) + [*x.shape])


def _arange(start: Any, stop: Any = None, step: Any = 1, dtype: Any = None) -> Any:
    if not step:
        raise ValueError("arange: step must be non-zero.")
    first, last = (0, start) if stop is None else (start, stop)
    kind = result_type(start, step, *([] if stop is None else [stop])) if dtype is None else result_type(dtype)
    return ops.constant(np.arange(first, last, step, dtype=kind.numpy))


def _stack(arrays: Any, axis: int = 0) -> Any:
    return ops.stack(promote_operands(*arrays), axis)


def _concatenate(arys: Any, axis: int = 0) -> Any:
    if not len(arys):
        raise ValueError("Need at least one array to concatenate. Received an empty list.")
    return ops.concat(promote_operands(*arys), axis)


def _reshape(a: Any, newshape: Any, order: str = "C") -> Any:
    _checked_choice(order, "C", "F")
    shape = [newshape] if isinstance(newshape, int) else newshape
    x = asarray(a)
    return ops.reshape(x, shape) if order == "C" else ops.transpose(ops.reshape(ops.transpose(x), list(shape)[::-1]))


def _matmul(a: Any, b: Any) -> Any:
    try:
        if b.ndim == 1:
            return ops.tensordot(a, b, 1)
        return ops.tensordot(a, b, [[0], [-2]]) if a.ndim == 1 else ops.matmul(a, b)
    except InvalidArgumentError as error:
        raise ValueError(str(error)) from None


def _clip(a: Any, a_min: Any, a_max: Any) -> Any:
    _checked_choice(a_min is None and a_max is None, False)
    if a_min is None or a_max is None:
        return TABLE["minimum"](a, a_max) if a_min is None else TABLE["maximum"](a, a_min)
    return elementwise.clip(*promote_operands(a, a_min, a_max))


def _isclose(a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Any:
    x, y = promote_operands(a, b)
    if not (x.dtype.is_floating or x.dtype.is_complex):
        return ops.equal(x, y)
    is_close_elementwise = elementwise.is_close_elementwise(x, y, rtol, atol)
    return (
        ops.logical_or(is_close_elementwise, ops.logical_and(ops.is_nan(x), ops.is_nan(y)))
        if equal_nan
        else is_close_elementwise
    )


def _divide_by_log(x: Any, base: float) -> Any:
    """Divides by the logarithm of ``base``, a NumPy number: the result is float64, as in TensorFlow."""
    return ops.divide(*promote_operands(x, np.log(base)))


def _fill_function(value: int) -> Callable[..., Any]:
    def call(shape: Any, dtype: Any = float) -> Any:
        return ops.fill(np.atleast_1d(shape) if np.size(shape) else [], ops.cast(value, result_type(dtype or float)))

    return call


def _checked_choice(value: Any, *allowed: Any) -> Any:
    if value not in allowed:
        raise ValueError(f"Argument must be one of {allowed}. Received: {value!r}")
    return value


def _with_an_axis(x: Any) -> Any:
    """Returns a tensor with at least one axis."""
    return x if x.ndim else ops.reshape(x, [1])


_FLOAT_FUNCTIONS = (
    "arccos arccosh arcsin arcsinh arctan arctanh cbrt ceil cos cosh exp expm1 floor isfinite isinf isnan isneginf log log1p "
    "sin sinc sinh sqrt tan tanh"
)
_PLAIN_FUNCTIONS = "abs absolute conj conjugate copy fliplr flipud negative ravel real square"
_ARRAY_FUNCTIONS = (
    "broadcast_to diag diagflat diagonal dsplit expand_dims flip hsplit moveaxis repeat roll rot90 split squeeze "
    "swapaxes tile transpose tril triu vsplit"
)
_BINARY_FUNCTIONS = {**elementwise.BINARY_FUNCTIONS, **products.TABLE, "matmul": _matmul, "divide": _true_divide}
_OF_BOOLEANS: dict[str, Callable[..., Any]] = {
    "add": ops.logical_or,
    "multiply": ops.logical_and,
    "maximum": ops.logical_or,
    "minimum": ops.logical_and,
    **{name: _cast_booleans_first(_BINARY_FUNCTIONS[name], dtypes.int8) for name in ("floor_divide", "mod")},
    **{
        name: _cast_booleans_first(_BINARY_FUNCTIONS[name], dtypes.int32)
        for name in ("less", "less_equal", "greater", "greater_equal")
    },
}
_mean = _reduction(ops.reduce_mean, "float")
TABLE: dict[str, Callable[..., Any]] = {
    **{name: _unary(elementwise.FLOAT_FUNCTIONS[name]) for name in _FLOAT_FUNCTIONS.split()},
    **{name: _unary(elementwise.PLAIN_FUNCTIONS[name], asarray) for name in _PLAIN_FUNCTIONS.split()},
    **{name: _array_function(name) for name in _ARRAY_FUNCTIONS.split()},
    **{name: _binary(function, _OF_BOOLEANS.get(name)) for name, function in _BINARY_FUNCTIONS.items()},
    "all": lambda a, axis=None, keepdims=None: ops.reduce_all(asarray(a, bool), axis, bool(keepdims)),
    "allclose": lambda a, b, rtol=1e-5, atol=1e-8, equal_nan=False: ops.reduce_all(
        _isclose(a, b, rtol, atol, equal_nan)
    ),
    "any": lambda a, axis=None, keepdims=None: ops.reduce_any(asarray(a, bool), axis, bool(keepdims)),
    "arange": _arange,
    "around": lambda a, decimals=0: ops.cast(elementwise.rounded(as_inexact(a), decimals), asarray(a).dtype),
    "array": _array,
    "asarray": asarray,
    "clip": _clip,
    "concatenate": _concatenate,
    "flatten": lambda a, order="C": _reshape(a, -1, "F" if _checked_choice(order, "C", "A", "K", "F") == "F" else "C"),
    "log10": lambda x: _divide_by_log(TABLE["log"](x), 10.0),
    "log2": lambda x: _divide_by_log(TABLE["log"](x), 2.0),
    "max": lambda a, axis=None, keepdims=None: _max(a, axis, None, keepdims),
    "mean": lambda a, axis=None, dtype=None, out=None, keepdims=None: _mean(
        a, axis, _checked_choice(out, None) or dtype, keepdims
    ),
    "min": lambda a, axis=None, keepdims=None: _min(a, axis, None, keepdims),
    "nonzero": lambda a: rearrangement.nonzero(ops.cast(_with_an_axis(asarray(a)), dtypes.bool)),
    "ones": _fill_function(1),
    "prod": _reduction(ops.reduce_prod, "integer", ops.reduce_all),
    "reshape": _reshape,
    "size": lambda x: np.prod(asarray(x).shape, dtype=int) if np.ndim(x) else 1,
    "stack": _stack,
    "sum": _reduction(ops.reduce_sum, "integer", ops.reduce_any),
    "zeros": _fill_function(0),
}
"""The functions that programs use, those behind methods of tensors, and those that need no function of their own, by NumPy's name."""
