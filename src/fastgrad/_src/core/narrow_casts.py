"""Casts from and to the dtypes of ``dtypes.NARROW``, as TensorFlow rounds. Casts that TensorFlow lacks are refused."""

from __future__ import annotations

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.dtypes import DType
from fastgrad._src.core.errors import UnimplementedError

_FLOATS = ("float8_e5m2", "float8_e4m3fn")
_INTEGERS = ("int4", "uint4")
_SOURCES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(_FLOATS, (*_FLOATS, "float16", "bfloat16", "float32", "float64")),
    **dict.fromkeys(_INTEGERS, (*(dtype.name for dtype in dtypes.ALL if dtype.is_integer), *_INTEGERS)),
}
"""The dtypes that are cast to each narrow one. TensorFlow casts no dtype to the other narrow ones, and these to no dtype."""


def check_narrow_cast(what: str, source: DType, target: DType) -> None:
    """Raises UnimplementedError if TensorFlow does not cast ``source`` to ``target``, one of which is narrow."""
    if target.is_narrow:
        sources = _SOURCES.get(target.name, ())
        is_allowed = source.name in sources
        remedy = f"{target.name} is cast from {', '.join(sources)}" if sources else "NumPy's x.astype(dtype) does it"
    else:
        is_allowed = source.name in _FLOATS or (source.name in _INTEGERS and target.is_integer)
        remedy = f"cast {source.name} to int32 first" if source.name in _INTEGERS else "x.numpy() has the elements"
    if not is_allowed or target is dtypes.string:
        raise UnimplementedError(f"{what}: Cast {source.name} to {target.name} is not supported; {remedy}.")


def cast_narrow(x: np.ndarray, target: np.dtype) -> np.ndarray:
    """Returns ``x`` in the dtype ``target``. One of the two dtypes is narrow, and ``check_narrow_cast`` allows the cast."""
    if x.dtype == np.float64:  # ml_dtypes rounds to float32 first
        return _rounded_to_odd(x).astype(target)
    # ml_dtypes casts its integers to int8 and back, which keeps the low bits. From its floats, it casts infinities and NaN
    # to other integers than NumPy does.
    is_of_integers = x.dtype.name in _INTEGERS or target.name in _INTEGERS
    return x.astype(np.int8 if is_of_integers else np.float32).astype(target)


def _rounded_to_odd(x: np.ndarray) -> np.ndarray:
    """Returns float64 numbers as float32, inexact ones as the neighbour whose last bit is 1: a second rounding is then exact."""
    rounded = np.asarray(x.astype(np.float32))
    bits = rounded.view(np.uint32)
    bits -= np.abs(rounded) > np.abs(x)
    bits |= (rounded != x) & ~np.isnan(x)
    return rounded
