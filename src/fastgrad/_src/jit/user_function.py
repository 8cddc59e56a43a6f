"""Users' scalar functions, plain or compiled by Numba, as functions that kernels can call."""

from __future__ import annotations

import inspect
import types
from typing import Any

import numpy as np

from fastgrad._src.jit.body import is_scalar_function, scalar_function

_MODULES = frozenset(["math", "numpy", "cmath"])
"""The modules that kernels may use. The numbers in a user's module are no part of a kernel's key in the disk cache."""


def kernel_function(function: Any, owner: str) -> types.FunctionType:
    """Returns a copy of a scalar function and of the functions it calls, with the present values of their globals.

    Args:
        function: a Python function, or a function that ``numba.njit`` made, whose Python function is used.
        owner: the name in error messages.

    Raises:
        TypeError: it is no function, or it uses an object that a kernel can't use: default values, variables of an
        enclosing function, or globals other than numbers, `math`, `numpy` and scalar functions.
    """
    return _kernel_copy(function, owner, {})


def python_function(function: Any) -> types.FunctionType | None:
    """Returns the Python function of a function, of Numba's dispatcher or of another wrapper; None for other values."""
    while not isinstance(function, types.FunctionType):
        inner = getattr(function, "py_func", None) or getattr(function, "__wrapped__", None)
        if (
            inner is None or inner is function or hasattr(function, "derive")
        ):  # the text of a derivative depends on types
            return None
        function = inner
    return function


def _kernel_copy(function: Any, owner: str, known: dict[types.FunctionType, types.FunctionType]) -> types.FunctionType:
    python_code = python_function(function)
    if python_code is None:
        raise TypeError(f"{owner}: expected a Python function or a function compiled by numba.njit, got {function!r}.")
    if is_scalar_function(python_code) and str(python_code.__module__).startswith("fastgrad."):
        return python_code  # also a user's function after its first copy, which shares its code
    if python_code in known:
        return known[python_code]
    code = python_code.__code__
    _check_parameters(python_code, owner)
    names: dict[str, Any] = {}
    copy = known[python_code] = types.FunctionType(code, names, python_code.__name__)
    copy.__doc__, copy.__module__ = python_code.__doc__, python_code.__module__
    for name in code.co_names:
        if name in python_code.__globals__:
            names[name] = _checked_global(python_code.__globals__[name], name, owner, known)
    scalar_function(copy)
    return copy


def _check_parameters(function: types.FunctionType, owner: str) -> None:
    code = function.__code__
    place = f"{function.__name__} ({code.co_filename}:{code.co_firstlineno})"
    if code.co_freevars:
        raise TypeError(
            f"{owner}: {place} uses {', '.join(code.co_freevars)} of an enclosing function. Pass it as a parameter, or define it at "
            "the top level of the module."
        )
    if function.__defaults__ or function.__kwdefaults__:
        raise TypeError(f"{owner}: {place} has default values. A kernel's functions take all arguments by position.")
    if code.co_kwonlyargcount or code.co_flags & (inspect.CO_VARARGS | inspect.CO_VARKEYWORDS):
        raise TypeError(f"{owner}: {place} has *args, **kwargs or keyword-only parameters. Give each parameter a name.")


def _checked_global(value: Any, name: str, owner: str, known: dict[types.FunctionType, types.FunctionType]) -> Any:
    if isinstance(value, (bool, int, float)) or (isinstance(value, types.ModuleType) and value.__name__ in _MODULES):
        return value
    if isinstance(value, type) and issubclass(value, np.number):
        return value
    if python_function(value) is not None:
        return _kernel_copy(value, owner, known)
    raise TypeError(
        f"{owner}: it uses the global {name} = {value!r}. A kernel's functions may use numbers, math, numpy and scalar "
        "functions; pass other values as parameters."
    )
