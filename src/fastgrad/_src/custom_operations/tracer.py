"""Traces a scalar function to its formula: runs the function on symbols, once for each path through its branches.

Substitutes replace two kinds of outer values: ``math``, because its functions do not accept symbols, and functions
compiled by Numba, because the tracer needs their Python functions.
"""

from __future__ import annotations

import math
import sys
import types
from collections.abc import Callable
from typing import Any

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.custom_operations.formula import (
    BOOL,
    FLOAT64,
    Branch,
    Formula,
    TermPool,
    TermTree,
    leaves_of,
    promoted_dtype,
)
from fastgrad._src.custom_operations.symbols import (
    NotFollowedError,
    Symbol,
    Trace,
    apply_function,
    cast_rule,
    ieee_remainder_rule,
    term_of,
    trace_of_symbols,
)
from fastgrad._src.derivatives.functions.snapshot import (
    globals_and_closure_values,
    has_fixed_types,
    has_own_adjoint,
    is_user_function,
)
from fastgrad._src.scalars.formulas import Term

MAX_PATHS = 16
"""The limit on paths through a function's branches. A loop that depends on values exceeds it."""
MAX_FORMULA_TERMS = 512
"""The limit on terms of a function's formulas. Numba compiles longer functions."""


def trace(function: types.FunctionType, inputs: tuple[np.dtype, ...]) -> list[Formula | None]:
    """Returns the formulas of a function's results.

    Args:
        function: takes numbers and returns a number or a tuple. None in a tuple is no result.
        inputs: the dtypes of the numbers.

    Raises:
        NotFollowedError: no formula can express the function; the message has the line.
    """
    terms = TermPool()
    symbolic_function = _with_stand_ins(function)
    arguments = [terms.input(number, dtype) for number, dtype in enumerate(inputs)]
    leaves = 0

    def run_path(outcomes: tuple[bool, ...]) -> tuple[list[Any], dict[Term, bool]]:
        nonlocal leaves
        leaves += 1
        if leaves > MAX_PATHS:
            raise NotFollowedError(f"there are more than {MAX_PATHS} paths through its branches")
        trace = Trace(terms, outcomes, MAX_PATHS)
        value = symbolic_function(*[Symbol(term, trace) for term in arguments])
        results = list(value) if isinstance(value, tuple) else [value]
        for value in results:
            if type(value) is not Symbol and not isinstance(value, (bool, int, float, np.generic, types.NoneType)):
                raise NotFollowedError(f"it returns {value!r}, which is no number")
        return results, trace.decisions

    def trees_of_path(outcomes: tuple[bool, ...]) -> Any:
        """Returns a decision tree for each result. Its leaves are values."""
        results, decisions = run_path(outcomes)
        conditions = [*decisions]
        for number in range(len(conditions) - 1, len(outcomes) - 1, -1):
            other_results = trees_of_path((*[decisions[condition] for condition in conditions[:number]], False))
            if len(other_results) != len(results):
                raise NotFollowedError(
                    f"it returns {len(results)} numbers in one branch and {len(other_results)} in another"
                )
            results = [Branch(conditions[number], a, b) for a, b in zip(results, other_results, strict=True)]
        return results

    try:
        trees = trees_of_path(())
    except NotFollowedError as error:
        raise NotFollowedError(f"{_last_user_line(error, function)[0]}: {error}") from None
    except Exception as error:
        line, is_raised_there = _last_user_line(error, function)
        if not (is_raised_there or isinstance(error, _ERRORS_OF_SYMBOLS)):
            raise
        raise NotFollowedError(f"{line}: {error}") from error
    if len(terms) > MAX_FORMULA_TERMS:
        raise NotFollowedError(f"its formula has {len(terms)} terms, more than {MAX_FORMULA_TERMS}")
    return [_formula_of_tree(branches, tuple(arguments), terms) for branches in trees]


def _formula_of_tree(tree: Any, inputs: tuple[Term, ...], terms: TermPool) -> Formula | None:
    values = leaves_of(tree)
    if all(value is None for value in values):
        return None
    if any(value is None for value in values):
        raise NotFollowedError("it returns None in one branch and a number in another")
    strong_dtypes = [x.dtype for x in values if isinstance(x, (Symbol, np.generic)) and not isinstance(x, float)]
    if not strong_dtypes and all(isinstance(value, bool) for value in values):
        strong_dtypes = [BOOL]
    common_dtype = promoted_dtype(*(strong_dtypes or [x.dtype for x in inputs if x.dtype != BOOL] or [FLOAT64]))
    common_dtype = promoted_dtype(*[term_of(value, terms, common_dtype).dtype for value in values])

    def tree_of_terms(part: Any) -> TermTree:
        if isinstance(part, Branch):
            return Branch(part.condition, tree_of_terms(part.then), tree_of_terms(part.otherwise))
        return terms.cast(term_of(part, terms, common_dtype), common_dtype)

    return Formula(inputs, tree_of_terms(tree), terms)


# ---- stand-ins --------------------------------------------------------------------------------------------


class _ModuleStandIn:
    """A stand-in for a module in a traced function. Its functions take symbols."""

    def __init__(self, module: types.ModuleType) -> None:
        self._module = module

    def __getattr__(self, name: str) -> Any:
        return _stand_in(getattr(self._module, name), {})


def _extended_to_symbols(function: Callable[..., Any], name: str, rule: Any = None) -> Callable[..., Any]:
    """Returns ``function`` extended to symbols, for which ``rule`` or the rule of ``name`` makes a term."""

    def call(*values: Any) -> Any:
        if not any(type(value) is Symbol for value in values):
            return function(*values)
        if rule is None:
            return apply_function(name, *values)
        trace = trace_of_symbols(*values)
        return Symbol(rule(trace.pool, *values), trace)

    return call


_MATH_NAMES_BY_ID = {id(value): name for name, value in vars(math).items() if callable(value)}


def _stand_in(value: Any, known_copies: dict[int, Any]) -> Any:
    if isinstance(value, types.ModuleType):
        return _ModuleStandIn(value)
    if value is math.remainder:  # NumPy's is another
        return _extended_to_symbols(value, "remainder", ieee_remainder_rule)
    if id(value) in _MATH_NAMES_BY_ID:
        return _extended_to_symbols(value, _MATH_NAMES_BY_ID[id(value)])
    if value is float or value is int:
        return _extended_to_symbols(value, value.__name__)
    if isinstance(value, type) and issubclass(value, np.generic):
        dtype = np.dtype(value)
        return _extended_to_symbols(value, dtype.name, cast_rule(dtype)) if dtype in dtypes.DTYPE_OF_NUMPY else value
    if has_own_adjoint(value):  # the derivative of a formula would be another
        return _refuse_own_adjoint
    if has_fixed_types(value):
        return _refuse_given_types
    if is_user_function(value):
        return _with_stand_ins(value, known_copies)
    if hasattr(value, "derive"):  # a derivative of Numba's, whose text depends on the types
        return _refuse_derivative
    if hasattr(value, "py_func") and isinstance(value.py_func, types.FunctionType):
        return _with_stand_ins(value.py_func, known_copies)
    return value


def _refuse_derivative(*values: Any, **options: Any) -> None:
    raise NotFollowedError("it calls a derivative")


def _refuse_given_types(*values: Any, **options: Any) -> None:
    raise NotFollowedError("it calls a function to which numba.njit gave signatures or types of variables")


def _refuse_own_adjoint(*values: Any, **options: Any) -> None:
    raise NotFollowedError("it calls a function with an adjoint of its own")


def _refuse_print(*values: Any, **options: Any) -> None:
    raise NotFollowedError("it prints")


def _with_stand_ins(function: types.FunctionType, known_copies: dict[int, Any] | None = None) -> Callable[..., Any]:
    """Returns a copy of the function with stand-ins for the outside values that it uses."""
    known_copies = {} if known_copies is None else known_copies
    if id(function) in known_copies:
        return known_copies[id(function)]
    scope: dict[str, Any] = {"__builtins__": __builtins__, "print": _refuse_print}
    scope |= {"float": _stand_in(float, known_copies), "int": _stand_in(int, known_copies)}
    code = function.__code__
    cells = tuple([types.CellType() for _ in code.co_freevars])
    copy = types.FunctionType(code, scope, function.__name__, function.__defaults__, cells)
    copy.__kwdefaults__ = function.__kwdefaults__
    known_copies[id(function)] = copy
    values = globals_and_closure_values(function)
    for name, cell in zip(code.co_freevars, cells, strict=True):
        if name in values:
            cell.cell_contents = _stand_in(values[name], known_copies)
    scope.update(
        {name: _stand_in(value, known_copies) for name, value in values.items() if name not in code.co_freevars}
    )
    return copy


_ERRORS_OF_SYMBOLS = (TypeError, ValueError, AttributeError, NotImplementedError, AssertionError, RecursionError)
"""What Python, NumPy and Numba raise for symbols, which are no numbers."""


def _last_user_line(error: BaseException, function: types.FunctionType) -> tuple[str, bool]:
    """Returns the last line of the traceback in a file outside fastgrad, and whether that line itself raised the error."""
    traceback, line = error.__traceback__, f"{function.__code__.co_filename}:{function.__code__.co_firstlineno}"
    package_folder = sys.modules[__name__.partition(".")[0]].__path__[0]
    is_user_line = False
    while traceback is not None:
        name = traceback.tb_frame.f_code.co_filename
        is_user_line = not name.startswith(package_folder)
        if is_user_line:
            line = f"{name}:{traceback.tb_lineno}"
        traceback = traceback.tb_next
    return line, is_user_line
