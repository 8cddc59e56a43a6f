"""Users' scalar functions as functions that kernels can call."""

from __future__ import annotations

import linecache
import types
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fastgrad.custom.formula import Formula, Term, in_order
from fastgrad.custom.functions import python_function
from fastgrad.custom.symbols import NotFollowedError
from fastgrad.custom.tracing import traced
from fastgrad.kernels.building.body import ByDtype, by_dtype, digest, is_scalar_function, scalar_function
from fastgrad.operation import BOOLEAN
from fastgrad.trace.fusion.scalar_code import NAMES, constant, translated

FLOATS = ("float32", "float64")


def kernel_function(function: Any, owner: str) -> types.FunctionType:
    """A copy of a scalar function, and of the functions it calls, with the values that its globals have now.

    A number in it is a float64, as in Numba.

    Args:
        function: a Python function, or one that ``numba.njit`` made, of which the Python function is taken.
        owner: for errors.

    Raises:
        TypeError: it is no function, or it uses something that a kernel can't: default values, variables of an enclosing
            function, or globals other than numbers, modules and scalar functions.
    """
    return _copied(function, owner, {})


def formulas_of(function: types.FunctionType) -> dict[str, list[Formula]] | None:
    """The formulas of a scalar function's results, for floats of one dtype, by its name; None if a trace can't follow it.

    Args:
        function: takes numbers and returns one or a tuple.
    """
    arity = function.__code__.co_argcount
    try:
        found = {name: traced(function, (np.dtype(name),) * arity) for name in FLOATS}
    except NotFollowedError:
        return None
    return {name: [formula for formula in formulas if formula is not None] for name, formulas in found.items()}


def formula_function(name: str, formulas: Mapping[str, Sequence[Formula]]) -> ByDtype | None:
    """A function that kernels can call, from its formulas by dtype; None if one of them has no expression in a kernel.

    Numbers in the formulas have that dtype, and functions are those of kernels, which LLVM vectorises.
    """
    try:
        choices = {dtype: _written(name, of_dtype, np.dtype(dtype)) for dtype, of_dtype in formulas.items()}
    except NotFollowedError:
        return None
    return by_dtype(**choices)


def _written(name: str, formulas: Sequence[Formula], dtype: np.dtype) -> types.FunctionType:
    """The function of some formulas of numbers of one dtype."""
    results = [formula.result for formula in formulas]
    known: dict[int, str] = {}
    lines: list[str] = []
    for term in in_order(*results):
        known[id(term)] = _text(term, [known[id(operand)] for operand in term.operands], dtype)
        if term.row is not None:
            lines.append(f"    v{len(lines)} = {known[id(term)]}")
            known[id(term)] = f"v{len(lines) - 1}"
    arguments = ", ".join([f"x{position}" for position in range(len(formulas[0].inputs))])
    lines.append(f"    return {', '.join([known[id(term)] for term in results])}")
    source = "\n".join([f"def {name}({arguments}):", *lines]) + "\n"
    filename = f"<fastgrad function {name} {digest(source.encode())[:12]}>"
    linecache.cache[filename] = len(source), None, source.splitlines(keepends=True), filename
    scope: dict[str, Any] = dict(NAMES)
    exec(compile(source, filename, "exec"), scope)  # noqa: S102 - our own text
    found: types.FunctionType = scope[name]
    return found


def _text(term: Term, operands: list[str], dtype: np.dtype) -> str:
    """The expression of a term."""
    if isinstance(term.value, int):
        return f"x{term.value}"
    if term.row is None:
        value = np.asarray(term.value).item()
        return repr(value) if term.dtype in BOOLEAN else constant(value, term.dtype)
    inputs = [operand.dtype for operand in term.operands]
    found = translated(term.row.name, operands, inputs, term.dtype, term.attributes)
    if found is None or found[1] not in (None, dtype):
        raise NotFollowedError(f"{term.row.name} has no expression")
    return found[0]


def _copied(function: Any, owner: str, known: dict[types.CodeType, types.FunctionType]) -> types.FunctionType:
    try:
        given = python_function(function)
    except TypeError as error:
        raise TypeError(f"{owner}: {error}") from None
    if is_scalar_function(given):
        return given
    code = given.__code__
    if code in known:
        return known[code]
    _check_form(given, owner)
    names: dict[str, Any] = {}
    copy = known[code] = types.FunctionType(code, names, given.__name__)
    copy.__doc__, copy.__module__ = given.__doc__, given.__module__
    for name in code.co_names:
        if name in given.__globals__:
            names[name] = _as_global(given.__globals__[name], name, owner, known)
    scalar_function(copy)
    return copy


def _check_form(function: types.FunctionType, owner: str) -> None:
    code = function.__code__
    place = f"{function.__name__} ({code.co_filename}:{code.co_firstlineno})"
    if code.co_freevars:
        raise TypeError(
            f"{owner}: {place} uses {', '.join(code.co_freevars)} of an enclosing function. Pass it as a parameter, or define it at "
            "the top level of the module."
        )
    if function.__defaults__ or function.__kwdefaults__:
        raise TypeError(f"{owner}: {place} has default values. A kernel's functions take all arguments by position.")


def _as_global(value: Any, name: str, owner: str, known: dict[types.CodeType, types.FunctionType]) -> Any:
    if isinstance(value, (bool, int, float, types.ModuleType)):
        return value
    if isinstance(value, type) and issubclass(value, np.number):
        return value
    try:
        return _copied(python_function(value), owner, known)
    except TypeError as error:
        raise TypeError(
            f"{owner}: it uses the global {name}: {error} A kernel's functions may use numbers, modules (math.sqrt) and scalar "
            "functions; pass other values as parameters."
        ) from None
