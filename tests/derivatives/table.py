"""The programs that the gradient compiler must differentiate rightly or refuse, each with the arguments it is asked at."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numba
import numpy as np

X = np.array([0.3, -1.2, 0.7, 1.9])
Y = np.array([1.1, 0.4, -0.6, 0.8])
P = np.array([0.5, 1.3, 2.1, 0.9])
"""Positive numbers."""
A = np.array([[1.2, 0.3, -0.5], [0.7, 2.1, 0.4], [-0.2, 0.6, 1.7]])
B = np.array([[0.4, -1.1, 0.8], [1.3, 0.2, -0.7], [0.9, 0.5, 1.6]])
V = np.array([0.6, -0.9, 1.4])
N = np.array([2, 0, 3, 2, 1])
"""Indices into arrays of four elements, one of them twice."""


@dataclass(frozen=True)
class Program:
    """A function, where to differentiate it, and what to expect.

    Attributes:
        function: compiled by Numba; returns one real float.
        cases: the arguments of each call.
        refused: whether its derivative must be refused; with None it may be, and must be right otherwise.
        kink: whether the cases are where the function has no derivative: each derivative between the one-sided ones is right.
        gradient: the right gradients of each case, where differences can't tell them; None for a case where they can.
        nan: whether NaN is right, too.
        tags: names of what the program tests; the first is the name of its module.
    """

    function: Any
    cases: tuple[tuple[Any, ...], ...]
    refused: bool | None
    kink: bool
    gradient: tuple[Any, ...] | None
    nan: bool
    tags: tuple[str, ...]

    def written(self, place: int) -> Any:
        """The gradients that are written down for a case."""
        return self.gradient[place] if self.gradient else None

    def is_single(self, place: int) -> bool:
        """True if a case is computed in float32."""
        return "float32" in self.tags or any(
            isinstance(value, (np.ndarray, np.generic)) and value.dtype in (np.float32, np.complex64)
            for value in self.cases[place]
        )

    @property
    def name(self) -> str:
        return f"{self.tags[0]}.{self.function.py_func.__name__}"

    @property
    def file(self) -> str:
        return self.function.py_func.__code__.co_filename

    @property
    def lines(self) -> range:
        """The lines of the function and its decorators."""
        lines, first = inspect.getsourcelines(self.function.py_func)
        return range(first, first + len(lines))


PROGRAMS: dict[str, Program] = {}


def program(
    *cases: Any,
    refused: bool | None = False,
    kink: bool = False,
    gradient: tuple[Any, ...] | None = None,
    nan: bool = False,
    tags: tuple[str, ...] = (),
    parallel: bool = False,
    **options: Any,
) -> Callable[[Callable[..., Any]], Any]:
    """Compiles a function with Numba and puts it into the table.

    Args:
        *cases: for each call a tuple of arguments, or the only argument.
        refused, kink, gradient, nan, tags: see `Program`.
        parallel: whether the function's `prange` loops run in parallel.
        **options: more options of Numba.
    """

    def register(function: Callable[..., Any]) -> Any:
        compiled = numba.njit(parallel=parallel, **options)(function)
        entry = Program(
            compiled,
            tuple(case if isinstance(case, tuple) else (case,) for case in cases),
            refused,
            kink,
            gradient,
            nan,
            (function.__module__.rpartition(".")[2], *tags),
        )
        assert entry.name not in PROGRAMS, entry.name
        PROGRAMS[entry.name] = entry
        return compiled

    return register


def formula(name: str, function: Callable[..., Any], *cases: Any, **options: Any) -> Any:
    """Puts a function that is one expression, a lambda, into the table under ``name``: see `program`."""
    function.__name__ = function.__qualname__ = name
    return program(*cases, **options)(function)


def all_programs() -> dict[str, Program]:
    """Returns the programs of all modules by name."""
    for path in sorted((Path(__file__).parent / "programs").glob("*.py")):
        importlib.import_module(f"tests.derivatives.programs.{path.stem}")
    return PROGRAMS


def copy_of(value: Any, dtype: Any = None) -> Any:
    """Returns a copy of an argument; a strided array stays strided."""
    if not isinstance(value, np.ndarray):
        return value
    dtype = dtype or value.dtype
    if value.flags.c_contiguous or value.flags.f_contiguous:
        return value.astype(dtype, order="K", copy=True)
    strided = np.empty((*value.shape, 2), dtype)[..., 0]
    strided[...] = value
    return strided


def active(arguments: tuple[Any, ...]) -> tuple[int, ...]:
    """Returns the positions of the real and complex floats, and of their arrays."""
    return tuple(
        place
        for place, value in enumerate(arguments)
        if isinstance(value, (float, complex, np.inexact))
        or (isinstance(value, np.ndarray) and value.dtype.kind in "fc")
    )
