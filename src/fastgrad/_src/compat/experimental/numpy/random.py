"""``tf.experimental.numpy.random``: draws with NumPy's arguments, float64 or int64; the numbers are those of ``tf.random``."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastgrad._src.compat.experimental.numpy.promotion import result_type as _result_type
from fastgrad._src.core import dtypes as _dtypes
from fastgrad._src.ops import namespace as ops


def _shape(size: Any) -> Any:
    return () if size is None else (size,) if np.isscalar(size) else size


def seed(s: Any) -> None:
    """Sets the seed of all draws, an integer, as ``tf.random.set_seed``; ValueError for something else."""
    try:
        ops.set_seed(int(s))
    except TypeError:
        raise ValueError(f"Argument `s` got an invalid value {s}. Only integers are supported.") from None


def randn(*args: int) -> Any:
    """Returns normally distributed numbers of shape ``args``."""
    return ops.normal(args, dtype=_result_type(float))


def randint(low: Any, high: Any = None, size: Any = None, dtype: Any = np.int64) -> Any:
    """Returns integers from ``low`` (or 0, without ``high``) up to, but without ``high``; ``dtype`` is int32 or int64."""
    if _result_type(dtype) not in (_dtypes.int32, _dtypes.int64):
        raise ValueError(f"Argument `dtype` got an invalid value {dtype}. Only int32 and int64 are supported.")
    first, last = (0, int(low)) if high is None else (int(low), int(high))
    return ops.uniform(_shape(size), first, last, _result_type(dtype))
