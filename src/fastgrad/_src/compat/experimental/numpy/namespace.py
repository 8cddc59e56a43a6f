"""``tf.experimental.numpy``: NumPy's functions of tensors, which are recorded by tapes and compiled functions."""

from __future__ import annotations

import inspect as _inspect
from collections.abc import Callable as _Callable
from typing import Any as _Any

import numpy as np

from fastgrad._src.compat.experimental.numpy.behavior import (
    experimental_enable_numpy_behavior as experimental_enable_numpy_behavior,
)
from fastgrad._src.compat.experimental.numpy.functions import TABLE as _TABLE
from fastgrad._src.compat.experimental.numpy.promotion import promote_types as promote_types
from fastgrad._src.compat.experimental.numpy.promotion import result_type as result_type
from fastgrad._src.core.names import namespace_hooks as _namespace_hooks
from fastgrad._src.core.tensor import Tensor as _Tensor


def _public_function(name: str, function: _Callable[..., _Any]) -> _Callable[..., _Any]:
    def call(*args: _Any, **kwargs: _Any) -> _Any:
        return function(*args, **kwargs)

    call.__name__ = call.__qualname__ = name
    call.__module__ = __package__
    call.__signature__ = _inspect.signature(function)  # type: ignore[attr-defined]
    call.__doc__ = f"NumPy's ``{name}``, for tensors and what converts to tensors."
    return call


_CONSTANTS = {
    **{name: getattr(np, name) for name in ["bool_", "complex64", "complex128", "float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "inexact", "object_", "e", "pi", "inf", "newaxis", "finfo", "iinfo"]},
    "complex_": np.complex128, "float_": np.float64, "int_": np.int64, "string_": np.bytes_, "unicode_": np.str_,
}  # fmt: skip

globals().update({name: _public_function(name, function) for name, function in _TABLE.items()})
globals().update(_CONSTANTS)
ndarray = _Tensor
_missing, _present = _namespace_hooks("tf.experimental.numpy", globals(), submodules=("random",))


def __getattr__(name: str) -> _Any:
    return _missing(name)


def __dir__() -> list[str]:
    return sorted({*_present(), *_CONSTANTS, "ndarray"})
