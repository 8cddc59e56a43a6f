"""``tf.experimental.numpy.random``: draws with NumPy's arguments, float64 or int64; the numbers are those of ``tf.random``."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastgrad._src.compat.experimental.numpy.promotion import asarray as _asarray
from fastgrad._src.compat.experimental.numpy.promotion import result_type as _result_type
from fastgrad._src.core import dtypes as _dtypes
from fastgrad._src.ops.default_generators import set_seed as _set_seed
from fastgrad._src.ops.random_ops import normal as _normal
from fastgrad._src.ops.random_ops import poisson as _poisson
from fastgrad._src.ops.random_ops import uniform as _uniform
from fastgrad._src.ops.shape_query import broadcast_static_shape as _broadcast_static_shape


def _shape(size: Any) -> Any:
    return () if size is None else (size,) if np.isscalar(size) else size


def seed(s: Any) -> None:
    """Sets the seed of all draws, an integer, as ``tf.random.set_seed``; ValueError for something else."""
    try:
        _set_seed(int(s))
    except TypeError:
        raise ValueError(f"Argument `s` got an invalid value {s}. Only integers are supported.") from None


def standard_normal(size: Any = None) -> Any:
    """Returns normally distributed numbers of shape ``size``, a scalar for None."""
    return _normal(_shape(size), dtype=_result_type(float))


def randn(*args: int) -> Any:
    """Returns normally distributed numbers of shape ``args``."""
    return standard_normal(args)


def uniform(low: Any = 0.0, high: Any = 1.0, size: Any = None) -> Any:
    """Returns numbers from ``low`` up to ``high``, of shape ``size``; default: that of ``low`` and ``high``."""
    first, last = _asarray(low, float), _asarray(high, float)
    shape = _broadcast_static_shape(first.shape, last.shape) if size is None else _shape(size)
    return _uniform(shape, dtype=first.dtype) * (last - first) + first


def random(size: Any = None) -> Any:
    """Returns numbers from 0 up to 1, of shape ``size``; ``rand`` takes the sizes as arguments."""
    return uniform(0.0, 1.0, size)


def rand(*size: int) -> Any:
    """Returns numbers from 0 to 1, of shape ``size``."""
    return random(size)


def poisson(lam: Any = 1.0, size: Any = None) -> Any:
    """Returns Poisson distributed integers of mean ``lam``, of shape ``size``."""
    return _poisson(_shape(size), lam, dtype=_dtypes.int64)


def randint(low: Any, high: Any = None, size: Any = None, dtype: Any = np.int64) -> Any:
    """Returns integers from ``low`` (or 0, without ``high``) up to, but without ``high``; ``dtype`` is int32 or int64."""
    if _result_type(dtype) not in (_dtypes.int32, _dtypes.int64):
        raise ValueError(f"Argument `dtype` got an invalid value {dtype}. Only int32 and int64 are supported.")
    first, last = (0, int(low)) if high is None else (int(low), int(high))
    return _uniform(_shape(size), first, last, _result_type(dtype))
