"""Copies of kernels' bodies whose globals are what a compiler, or Python itself, can run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import FunctionType
from typing import Any

import numpy as np

from fastgrad.kernels.codegen.body import ByDtype, Special, is_scalar_function


class NotForGpus(RuntimeError):
    """A body has something that no GPU does."""


def rebound(function: FunctionType, types: Mapping[str, Any], substitute: Callable[[Any], Any]) -> FunctionType:
    """A copy of a function with globals of its own.

    Args:
        function: a body, or a function that it calls.
        types: the value of each name that stands for a type, and by dtype's name that of NumPy's types.
        substitute: gives what stands for a special, a scalar function or a choice of these.
    """
    scope = {name: value for name, value in function.__globals__.items() if name.startswith("__")}
    for name in function.__code__.co_names:
        value = function.__globals__.get(name)
        if isinstance(value, (Special, ByDtype)) or is_scalar_function(value):
            value = substitute(value)
        elif isinstance(value, type) and issubclass(value, np.generic):
            value = types[np.dtype(value).name]
        if name in function.__globals__:
            scope[name] = value
    return FunctionType(function.__code__, {**scope, **types}, function.__name__)


def bits_of(dtype: str) -> str:
    """The integers that `T_bits` stands for where T is this dtype."""
    return "int32" if dtype in ("float32", "int32") else "int64"
