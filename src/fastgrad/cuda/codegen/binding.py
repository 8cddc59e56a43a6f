"""Copies of kernel bodies whose globals a GPU compiler, or plain Python, can run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import FunctionType
from typing import Any

import numpy as np

from fastgrad.kernels.codegen.body import ByDtype, DtypeConstant, Special, is_scalar_function


class NotForGpus(RuntimeError):
    """The error for a body that uses something a GPU can't do."""


def copy_with_globals(
    function: FunctionType, types: Mapping[str, Any], substitute: Callable[[Any], Any]
) -> FunctionType:
    """Returns a copy of a function with its own globals.

    Args:
        function: a body, or a function that it calls.
        types: the value of each name of a type: of type variables, and of NumPy's types by dtype name.
        substitute: returns the replacement of a special, of a scalar function, or of a choice of scalar functions or numbers by dtype.
    """
    scope = {name: value for name, value in function.__globals__.items() if name.startswith("__")}
    for name in function.__code__.co_names:
        value = function.__globals__.get(name)
        if isinstance(value, (Special, ByDtype, DtypeConstant)) or is_scalar_function(value):
            value = substitute(value)
        elif isinstance(value, type) and issubclass(value, np.generic):
            value = types[np.dtype(value).name]
        if name in function.__globals__:
            scope[name] = value
    return FunctionType(function.__code__, {**scope, **types}, function.__name__)


def bits_of(dtype: str) -> str:
    """Returns the integer type that `T_bits` means if T is ``dtype``."""
    return "int32" if dtype in ("float32", "int32") else "int64"
