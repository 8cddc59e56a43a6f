"""NumPy's type promotion for tensors: the dtype of a result, and operands of a common dtype."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np

from fastgrad._src.core import nest
from fastgrad._src.core.dtypes import DType, as_dtype
from fastgrad._src.core.tensor import as_tensor_or_none
from fastgrad._src.ops import namespace as ops

settings = {"prefers_float32": False}
"""Whether Python's floats are float32 and its complex numbers complex64, instead of twice the size."""


def _numpy_kind(x: Any) -> Any:
    """Returns what ``np.result_type`` takes in the place of ``x``."""
    if settings["prefers_float32"] and (isinstance(x, (float, complex)) or x is float or x is complex):
        return np.float32 if isinstance(x, float) or x is float else np.complex64
    if isinstance(x, (numbers.Number, np.ndarray)):
        return x
    if isinstance(x, DType):
        return np.dtype(x.numpy)
    dtype = getattr(x, "dtype", None)
    return np.dtype(dtype.numpy) if isinstance(dtype, DType) else x


def result_type(*arrays_and_dtypes: Any) -> Any:
    """Returns the DType of a result of arrays, tensors, dtypes and Python's numbers or types, by NumPy's rules.

    Raises:
        TypeError: an argument has no dtype.
    """
    kinds = [_numpy_kind(x) for x in nest.flatten(arrays_and_dtypes)]
    return as_dtype(np.result_type(*kinds) if kinds else np.float64)


def promote_types(type1: Any, type2: Any) -> Any:
    """Returns the smallest dtype that holds the values of both."""
    return np.promote_types(_numpy_kind(type1), _numpy_kind(type2))


def asarray(a: Any, dtype: Any = None) -> Any:
    """Returns ``a`` as a tensor; Python's integers are int64 and its floats float64.

    Args:
        a: a tensor, an array, a number or nested lists of these.
        dtype: the dtype of the result; None for that of ``a``.
    """
    wanted = None if dtype is None else result_type(dtype)
    tensor = as_tensor_or_none(a)
    if tensor is None and isinstance(a, (str, bytes)):
        return ops.constant(a)
    if tensor is None:
        leaves = nest.flatten(a)
        if wanted is None:
            wanted = result_type(a) if leaves else result_type(float)
        if any(as_tensor_or_none(leaf) is not None for leaf in leaves):
            tensor = ops.stack([asarray(item, wanted) for item in a])
        else:
            tensor = ops.constant(np.asarray(a).astype(wanted.numpy))
    return tensor if wanted is None else ops.cast(tensor, wanted)


def promote_operands(*operands: Any) -> list[Any]:
    """Converts operands to tensors of their common dtype."""
    dtype = result_type(*operands)
    return [asarray(x, dtype) for x in operands]


def as_inexact(a: Any) -> Any:
    """Converts ``a`` to a tensor of floats or complex numbers."""
    x = asarray(a)
    return x if x.dtype.is_floating or x.dtype.is_complex else ops.cast(x, result_type(float))
