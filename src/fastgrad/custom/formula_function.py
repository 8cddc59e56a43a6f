"""Functions that kernels can call, generated from the formulas of users' scalar functions."""

from __future__ import annotations

import linecache
import types
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fastgrad.compiler.fusion.scalar_code import NAMES, constant, translated
from fastgrad.custom.formula import Formula, Term, in_order
from fastgrad.custom.symbols import NotFollowedError
from fastgrad.custom.tracer import traced
from fastgrad.kernels.codegen.body import ByDtype, by_dtype, digest
from fastgrad.operation import BOOLEAN

FLOATS = ("float32", "float64")


def formulas_of(function: types.FunctionType) -> dict[str, list[Formula]] | None:
    """Returns the formulas of a function's results by float dtype name; None if a trace can't follow the function.

    All inputs have that dtype.

    Args:
        function: takes numbers and returns a number or a tuple.
    """
    arity = function.__code__.co_argcount
    try:
        found = {name: traced(function, (np.dtype(name),) * arity) for name in FLOATS}
    except NotFollowedError:
        return None
    return {name: [formula for formula in formulas if formula is not None] for name, formulas in found.items()}


def formula_function(name: str, formulas: Mapping[str, Sequence[Formula]]) -> ByDtype | None:
    """Makes a function that kernels can call from formulas by dtype; None if a term has no expression in a kernel.

    Numbers in the formulas have that dtype. Calls go to the functions of kernels, which LLVM vectorises.
    """
    try:
        choices = {dtype: _written(name, of_dtype, np.dtype(dtype)) for dtype, of_dtype in formulas.items()}
    except NotFollowedError:
        return None
    return by_dtype(**choices)


def _written(name: str, formulas: Sequence[Formula], dtype: np.dtype) -> types.FunctionType:
    """Generates the function that computes formulas of numbers of one dtype."""
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
    """Returns the expression of a term."""
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
