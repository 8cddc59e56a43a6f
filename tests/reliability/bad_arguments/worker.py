"""Calls the rows of the table in a process of its own, which may crash.

It reads names of rows from its input, and writes a line of JSON before and after each call: the name of the call, then what it gave.
"""

from __future__ import annotations

import ctypes
import functools
import json
import math
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numba import njit
from numba.extending import get_cython_function_address
from scipy import special
from scipy.special import cython_special

import fastgrad as fg
from tests.reliability.bad_arguments.table import ROWS, Row


@njit
def assigned(x):  # type: ignore[no-untyped-def]
    out = np.zeros(4)
    out[:] = x
    return out.sum()


@njit(boundscheck=True)
def set_item(x, k):  # type: ignore[no-untyped-def]
    out = np.zeros(4)
    out[k] = x[0]
    return out.sum()


@njit
def ranged(x, k):  # type: ignore[no-untyped-def]
    total = 0.0
    for i in range(0, 4, k):
        total += x[i]
    return total


@njit
def unread(x, k):  # type: ignore[no-untyped-def]
    np.zeros(k)
    return x[0]


@njit
def unread_reshape(x, k):  # type: ignore[no-untyped-def]
    x.reshape((k, 2))
    return x[0]


@njit
def indexed(x, k):  # type: ignore[no-untyped-def]
    total = x[0]
    for i, j in np.ndindex(k, 2):
        total += x[1] * (i + j)
    return total


def tangent_of(value: Any) -> Any:
    """Returns a tangent: 1 for each number that has one."""
    return 0 if isinstance(value, int) else np.ones_like(value)


@functools.cache
def special_function(name: str) -> Any:
    """Returns SciPy's function of float64 numbers, which Numba calls by its address."""
    capsules, arity = cython_special.__pyx_capi__, getattr(special, name).nin
    signature = f'"double ({"double, " * arity}int '
    symbols = [name, f"__pyx_fuse_0{name}", f"__pyx_fuse_1{name}"]
    [symbol] = [symbol for symbol in symbols if signature in repr(capsules.get(symbol))]
    address = get_cython_function_address("scipy.special.cython_special", symbol)
    return ctypes.CFUNCTYPE(ctypes.c_double, *[ctypes.c_double] * arity)(address)


def function_of(row: Row, scope: dict[str, Any]) -> Callable[..., Any]:
    """Returns the Python function of a row: a lambda expression, or statements that define `function`."""
    if row.special:
        scope = {**scope, row.special: special_function(row.special)}
    if row.source.startswith("lambda"):
        return eval(row.source, scope)
    exec(row.source, scope)
    return scope["function"]


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "function": lambda f, *arguments: f(*arguments),
    "value_and_grad": lambda f, *arguments: fg.value_and_grad(f)(*arguments)[0],
    "jvp": lambda f, *arguments: fg.jvp(f, arguments, tuple(map(tangent_of, arguments)))[0],
}
"""The value of a call, by itself and beside its derivatives."""


def calls_of(name: str, row: Row) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Yields the calls of a row with their names: of the function, and of its derivatives."""
    function = njit(**row.options)(function_of(row, {**globals(), "math": math}))
    for arguments in row.arguments:
        for kind, call in FUNCTIONS.items():
            given = [np.copy(argument) if isinstance(argument, np.ndarray) else argument for argument in arguments]
            yield (
                f"{name}: {row.source} of {arguments} by {kind}",
                lambda call=call, given=given: call(function, *given),
            )


def outcome(call: Callable[[], Any]) -> str | list[float]:
    """Returns the value of a call, or the name of the class of its error."""
    try:
        value = complex(call())
    except Exception as error:  # noqa: BLE001  # any error is compared
        return type(error).__name__
    return [value.real, value.imag]


if __name__ == "__main__":
    for name in json.load(sys.stdin):
        for row in ROWS[name]:
            for text, call in calls_of(name, row):
                print(json.dumps(text), flush=True)
                print(json.dumps(outcome(call)), flush=True)
