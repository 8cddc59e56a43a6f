"""Casts in the bodies of kernels, with the same bits as NumPy's.

Half-width floats are float32 numbers in a body; only their arrays are uint16.
"""

from __future__ import annotations

import functools
import math

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.operation import FLOAT_DTYPES, HALF_DTYPES, INTEGER_DTYPES

BOOL: np.dtype = np.dtype(bool)
FLOAT32: np.dtype = np.dtype(np.float32)
FLOAT64: np.dtype = np.dtype(np.float64)
FLOAT16: np.dtype = np.dtype(np.float16)
BFLOAT16: np.dtype = dtypes.bfloat16.numpy


@functools.cache
def compute_type(dtype: np.dtype) -> str:
    """Returns the name of the dtype in which kernels compute with numbers of a dtype: float32 for half-width floats."""
    return "float32" if dtype in HALF_DTYPES else dtype.name


@functools.cache  # NumPy computes the name of a dtype at each access
def element_type(dtype: np.dtype) -> str:
    """Returns the name of the dtype that kernels read and write for a dtype: uint16 for half-width floats."""
    return "uint16" if dtype in HALF_DTYPES else dtype.name


def load_code(element: str, dtype: np.dtype) -> str:
    """Returns the expression that converts an element of an array to a number."""
    if dtype == BOOL:
        return f"{element} != 0"
    return f"of_{dtype.name}({element})" if dtype in HALF_DTYPES else element


def store_code(value: str, dtype: np.dtype) -> str:
    """Returns the expression that converts a number to an element of an array."""
    if dtype == BOOL:
        return f"1 if {value} else 0"
    return f"to_{dtype.name}({value})" if dtype in HALF_DTYPES else value


def cast_code(x: str, from_dtype: np.dtype, to_dtype: np.dtype) -> str | None:
    """Returns the expression that casts a number; None if NumPy's results depend on the elements' positions.

    Args:
        x: the name of the number.
        from_dtype, to_dtype: dtypes.
    """
    if from_dtype == to_dtype:
        return x
    if to_dtype == BOOL:
        return f"({x} != {compute_type(from_dtype)}(0))"
    if from_dtype == BOOL:
        return f"({compute_type(to_dtype)}(1) if {x} else {compute_type(to_dtype)}(0))"
    if to_dtype in HALF_DTYPES:
        narrow = "rounded_to_odd" if from_dtype == FLOAT64 and to_dtype == FLOAT16 else "float32"
        return f"rounded_to_{to_dtype.name}({narrow}({x}))"
    if to_dtype in INTEGER_DTYPES and from_dtype in FLOAT_DTYPES:
        is_numpy_cast = _casts_like_numpy(FLOAT32 if from_dtype == BFLOAT16 else from_dtype, to_dtype)
        return _cast_to_integer(x, compute_type(from_dtype), to_dtype) if is_numpy_cast else None
    return f"{to_dtype.name}({x})"


def _cast_to_integer(x: str, float_type: str, wanted: np.dtype) -> str:
    """Returns x86's cast to integers: numbers out of range become the smallest int32 or int64, then its low bits."""
    if wanted == np.uint64:
        half = f"{float_type}({2.0**63!r})"
        above = f"(uint64({_cast_to_signed(f'({x} - {half})', float_type, 64)}) ^ uint64({2**63}))"
        return f"({above} if {x} >= {half} else uint64({_cast_to_signed(x, float_type, 64)}))"
    return f"{wanted.name}({_cast_to_signed(x, float_type, 64 if wanted.itemsize > 4 else 32)})"


def _cast_to_signed(x: str, float_type: str, bits: int) -> str:
    lowest = -(2 ** (bits - 1))
    inside = f"{x} > {float_type}({float(lowest - 1)!r}) and {x} < {float_type}({float(-lowest)!r})"
    return f"(int{bits}({x}) if {inside} else int{bits}({lowest}))"


_CAST_SAMPLES = (math.nan, math.inf, -math.inf, 1e30, -1e30, 3e9, -3e9, 300.0, -1.0, -1.5, 1.5e19)


@functools.cache
def _casts_like_numpy(from_dtype: np.dtype, to_dtype: np.dtype) -> bool:
    """True if NumPy casts numbers out of range on this machine as ``_cast_to_integer`` does."""
    if to_dtype == np.uint32:  # NumPy's vector loop and its scalar loop differ
        return False
    with np.errstate(all="ignore"):
        numbers = np.array(_CAST_SAMPLES).astype(from_dtype)
        actual = np.repeat(numbers, 20).astype(to_dtype).reshape(-1, 20)
    expected = np.array([_x86_cast(float(x), to_dtype) for x in numbers], to_dtype)
    return bool((actual == expected[:, None]).all())


def _x86_cast(x: float, to_dtype: np.dtype) -> int:
    width = 8 * to_dtype.itemsize
    if to_dtype == np.uint64 and x >= 2.0**63:
        return _x86_cast(x - 2.0**63, np.dtype(np.int64)) % 2**64 ^ 2**63
    limit = 2.0 ** (63 if width == 64 else 31)
    low_bits = (int(x) if -limit <= x < limit else -int(limit)) % 2**width
    return low_bits if to_dtype.kind == "u" or low_bits < 2 ** (width - 1) else low_bits - 2**width
