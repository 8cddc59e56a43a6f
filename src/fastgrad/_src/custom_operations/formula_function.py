"""Functions that kernels can call, generated from the formulas of users' scalar functions."""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence

import numpy as np

from fastgrad._src.compiler.fusion.scalar_code import KERNEL_GLOBALS, constant_expression, scalar_code
from fastgrad._src.core.operation import BOOL_DTYPES
from fastgrad._src.custom_operations.formula import Formula, RowOperation
from fastgrad._src.custom_operations.symbols import NotFollowedError
from fastgrad._src.custom_operations.tracer import trace
from fastgrad._src.jit.body import ByDtype, by_dtype, digest
from fastgrad._src.jit.generated_source import function_from_source, name_in_source
from fastgrad._src.scalars.formulas import Number, Term, in_postorder

FLOAT_DTYPE_NAMES = ("float32", "float64")


def formulas_of(function: types.FunctionType) -> dict[str, list[Formula]] | None:
    """Returns the formulas of a function's results by float dtype name; None if a trace can't follow the function.

    All inputs have that dtype.

    Args:
        function: takes numbers and returns a number or a tuple.
    """
    arity = function.__code__.co_argcount
    try:
        formulas_by_dtype = {name: trace(function, (np.dtype(name),) * arity) for name in FLOAT_DTYPE_NAMES}
    except NotFollowedError:
        return None
    return {
        name: [formula for formula in formulas if formula is not None] for name, formulas in formulas_by_dtype.items()
    }


def formula_function(name: str, formulas: Mapping[str, Sequence[Formula]]) -> ByDtype | None:
    """Makes a function that kernels can call from formulas by dtype; None if a term has no expression in a kernel.

    Numbers in the formulas have that dtype. Calls go to the functions of kernels, which LLVM vectorises.
    """
    try:
        functions_by_dtype = {
            dtype: _generate_function(name, dtype_formulas, np.dtype(dtype))
            for dtype, dtype_formulas in formulas.items()
        }
    except NotFollowedError:
        return None
    return by_dtype(**functions_by_dtype)


def _generate_function(name: str, formulas: Sequence[Formula], dtype: np.dtype) -> types.FunctionType:
    """Generates the function that computes formulas of numbers of one dtype."""
    name, results = name_in_source(name), [formula.result for formula in formulas]
    inputs = formulas[0].inputs
    expressions = {term: f"x{position}" for position, term in enumerate(inputs)}
    lines: list[str] = []
    for term in in_postorder(*results):
        if isinstance(term, Number):
            value = term.value
            is_bool = term.dtype in BOOL_DTYPES
            expressions[term] = repr(value) if is_bool else constant_expression(value, term.dtype)
        elif isinstance(term.operation, RowOperation):
            text = _expression_text(term, term.operation, [expressions[operand] for operand in term.operands], dtype)
            expressions[term] = f"v{len(lines)}"
            lines.append(f"    v{len(lines)} = {text}")
    arguments = ", ".join([expressions[term] for term in inputs])
    lines.append(f"    return {', '.join([expressions[term] for term in results])}")
    source = "\n".join([f"def {name}({arguments}):", *lines]) + "\n"
    filename = f"<fastgrad function {name} {digest(source.encode())[:12]}>"
    return function_from_source(name, source, filename, dict(KERNEL_GLOBALS))


def _expression_text(term: Term, operation: RowOperation, operands: list[str], dtype: np.dtype) -> str:
    """Returns the Python expression of a term of a formula."""
    inputs = [operand.dtype for operand in term.operands]
    translation = scalar_code(operation.row.name, operands, inputs, term.dtype, operation.attributes)
    if translation is None or translation[1] not in (None, dtype):
        raise NotFollowedError(f"{operation.row.name} has no expression")
    return translation[0]
