"""Users' functions: the Python function that Numba compiled, and the outside values that a function uses."""

from __future__ import annotations

import types
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

_name_counts: Counter[str] = Counter()


def unique_name(name: str) -> str:
    """Returns a name that no earlier operation has had, so that a name means one operation."""
    _name_counts[name] += 1
    return name if _name_counts[name] == 1 else f"{name}#{_name_counts[name]}"


def python_function(function: Any) -> types.FunctionType:
    """Returns the Python function that Numba compiled, or ``function`` itself.

    Raises:
        TypeError: there is no Python function.
    """
    if getattr(type(function), "compiles_function", False):  # of elementwise, kernel
        return function.python_function
    for name in ("", "_dispatcher", "gufunc_builder"):  # of njit, vectorize, guvectorize
        candidate = getattr(function, name, None) if name else function
        candidate = getattr(candidate, "py_func", candidate)
        if isinstance(candidate, types.FunctionType):
            return candidate
    raise TypeError(f"got {function!r}; give a Python function, or one that Numba has compiled.")


def names_in(code: types.CodeType) -> Iterator[str]:
    """Yields the names of all globals and attributes in a function's code and in the code nested in it."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from names_in(constant)


def outside_values(function: types.FunctionType) -> dict[str, Any]:
    """Returns the outside values that a function uses, by name: globals, and variables of enclosing functions."""
    values = {name: function.__globals__[name] for name in names_in(function.__code__) if name in function.__globals__}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            values[name] = cell.cell_contents
        except ValueError:  # assigned later, or the function's own name
            continue
    return values


class OutsideValue(NamedTuple):
    """A value that a function uses from outside.

    Attributes:
        place: the globals or the cell that holds the value.
        name: the name of a global.
        value: the value when this object was made.
    """

    place: dict[str, Any] | types.CellType
    name: str
    value: Any

    def has_changed(self) -> bool:
        """True if the place that the outside value came from holds another value now."""
        if isinstance(self.place, dict):
            return self.place.get(self.name) is not self.value
        return self.place.cell_contents is not self.value


def transitive_outside_values(function: types.FunctionType, known: set[int] | None = None) -> list[OutsideValue]:
    """Returns the outside values that a function and its callees use, without modules, types and built-in functions."""
    known = set() if known is None else known
    if id(function) in known:
        return []
    known.add(id(function))
    code, values = function.__code__, outside_values(function)
    cells = dict(zip(code.co_freevars, function.__closure__ or (), strict=True))
    used_values = []
    for name, value in values.items():
        if isinstance(value, (types.ModuleType, types.BuiltinFunctionType, type, np.ufunc)):
            continue
        used_values.append(OutsideValue(cells.get(name, function.__globals__), name, value))
        callee = getattr(value, "py_func", value)
        if isinstance(callee, types.FunctionType) and not (callee.__module__ or "").startswith("numpy"):
            used_values += transitive_outside_values(callee, known)
    return used_values
