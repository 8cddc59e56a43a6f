"""Symbols: stand-ins for numbers. A user's scalar function runs on symbols, which gives its formula.

Arithmetic, comparisons and functions of ``math`` and NumPy give symbols. The truth value of a symbol is a fork of the
formula; the trace follows both branches.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from fastgrad import dtypes
from fastgrad.core.operation import FLOATING, INTEGER
from fastgrad.custom.formula import BOOL, FLOAT64, Term, Terms, promoted

_PYTHON_NUMBERS = (bool, int, float)
INT64: np.dtype = np.dtype(np.int64)


class NotFollowedError(Exception):
    """The error for a function that no formula can express. The message has the reason."""


MAX_CONDITIONS = 10_000
"""The limit on conditions that a run may evaluate: a loop whose condition does not change would never end."""


class Trace:
    """One run of a user's scalar function on symbols, with the outcomes of its conditions.

    Args:
        terms: makes the terms.
        turns: the outcomes of the first forks. At later forks the condition holds.
        most_forks: the limit on conditions in a run. A loop that depends on values exceeds it.

    Attributes:
        terms: as given.
        forks: the conditions so far, each with its outcome.
    """

    def __init__(self, terms: Terms, turns: tuple[bool, ...], most_forks: int) -> None:
        self.terms = terms
        self._first_outcomes = turns
        self._most_forks = most_forks
        self._asked = 0
        self.forks: dict[Term, bool] = {}

    def outcome_of(self, condition: Term) -> bool:
        """Returns the outcome of ``condition`` in this run."""
        if isinstance(condition.value, np.ndarray):
            return bool(condition.value)
        self._asked += 1
        if self._asked > MAX_CONDITIONS:
            raise NotFollowedError(
                f"it asks for conditions more than {MAX_CONDITIONS} times, as a loop that may never end does"
            )
        if condition not in self.forks:
            fork_number = len(self.forks)
            if fork_number >= self._most_forks:
                raise NotFollowedError(
                    f"it asks for more than {self._most_forks} conditions, as a loop that goes on by values does"
                )
            self.forks[condition] = fork_number >= len(self._first_outcomes) or self._first_outcomes[fork_number]
        return self.forks[condition]


class Symbol:
    """A stand-in for a number of a dtype; operators and functions of it build a formula.

    Python numbers take the dtype of the symbol that they meet. Other numbers are promoted to the wider dtype.
    """

    __slots__ = ("_term", "_trace")

    def __init__(self, term: Term, trace: Trace) -> None:
        self._term = term
        self._trace = trace

    __hash__ = None  # type: ignore[assignment]

    @property
    def dtype(self) -> np.dtype:
        """The dtype of the number that the symbol stands for."""
        return self._term.dtype

    def __bool__(self) -> bool:
        return self._trace.outcome_of(_as_condition(self._term, self._trace.terms))

    def __float__(self) -> float:
        raise NotFollowedError("it needs the value of a number")

    __int__ = __index__ = __complex__ = __len__ = __iter__ = __float__

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        if method != "__call__" or options:
            raise NotFollowedError(f"it calls numpy.{ufunc.__name__}.{method} with {[*options]}")
        return apply(ufunc.__name__, *inputs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if kwargs:
            raise NotFollowedError(f"it calls numpy.{function.__name__} with {[*kwargs]}")
        return apply(function.__name__, *args)

    def __round__(self, digits: int | None = None) -> Any:
        return apply("rint", self) if digits is None else apply("round to digits")

    def __pow__(self, other: Any, modulus: Any = None) -> Any:
        return apply("power", self, other) if modulus is None else apply("pow with a modulus")

    def __rpow__(self, other: Any) -> Any:
        return apply("power", other, self)


def trace_of(*values: Any) -> Trace:
    """Returns the traced run of a function that symbols among the values belong to."""
    return next(x._trace for x in values if type(x) is Symbol)


def apply(name: str, *values: Any) -> Any:
    """Applies a function of ``math`` or NumPy, given by its name, to symbols and numbers.

    Raises:
        NotFollowedError: no formula can express the function.
    """
    rule = FUNCTIONS.get(name)
    if rule is None:
        raise NotFollowedError(f"it calls {name}, which has no rule here")
    trace = trace_of(*values)
    return Symbol(rule(trace.terms, *values), trace)


def term_of(value: Any, terms: Terms, dtype_beside: np.dtype) -> Term:
    """Converts a value to a term of a formula. A Python number takes the dtype ``dtype_beside`` if possible."""
    if type(value) is Symbol:
        return value._term
    if isinstance(value, _PYTHON_NUMBERS):  # np.float64 is a float, too
        dtype = dtype_beside
        if isinstance(value, bool):
            dtype = BOOL
        elif isinstance(value, float) and dtype_beside not in FLOATING:
            dtype = FLOAT64
        elif isinstance(value, int) and dtype_beside not in FLOATING:
            integer_range = np.iinfo(dtype_beside) if dtype_beside in INTEGER else None
            dtype = (
                dtype_beside if integer_range is not None and integer_range.min <= value <= integer_range.max else INT64
            )
        return terms.constant(value, dtype)
    if isinstance(value, np.generic) and value.dtype in dtypes.OF_NUMPY:
        return terms.constant(value, value.dtype)
    raise NotFollowedError(f"it computes with {value!r}, which is no number")


def terms_of(terms: Terms, *values: Any) -> list[Term]:
    """Converts values to terms of a formula, all of one dtype."""
    strong_dtypes = [x.dtype for x in values if isinstance(x, (Symbol, np.generic)) and not isinstance(x, float)]
    common_dtype = promoted(*strong_dtypes)
    operands = [term_of(value, terms, common_dtype) for value in values]
    common_dtype = promoted(*[term.dtype for term in operands])
    return [terms.cast(term, common_dtype) for term in operands]


def _as_condition(term: Term, terms: Terms) -> Term:
    return term if term.dtype == BOOL else terms.of("not_equal", term, terms.constant(0, term.dtype), dtype=BOOL)


# ---- rules: from (terms, *values) to a term of a formula ------------------------------------------------

Rule = Callable[..., Term]


def _number_terms(terms: Terms, *values: Any) -> list[Term]:
    """Converts values to terms of a formula, all of one dtype other than bool."""
    operands = terms_of(terms, *values)
    return [terms.cast(x, INT64) for x in operands] if operands[0].dtype == BOOL else operands


def _float_terms(terms: Terms, *values: Any) -> list[Term]:
    """Converts values to terms of a formula, all of one floating dtype; integers become float64."""
    operands = terms_of(terms, *values)
    return operands if operands[0].dtype in FLOATING else [terms.cast(x, FLOAT64) for x in operands]


def _condition_terms(terms: Terms, *values: Any) -> list[Term]:
    """Converts values to terms of a formula, all of dtype bool."""
    return [_as_condition(term_of(x, terms, BOOL), terms) for x in values]


def _row_rule(row: str, converted: Callable[..., list[Term]], dtype: np.dtype | None = None) -> Rule:
    """Returns the rule of a function that is the operation ``row`` of ``converted(terms, *values)``."""
    return lambda terms, *values: terms.of(row, *converted(terms, *values), dtype=dtype)


def _bitwise_rule(row: str, row_of_bools: str) -> Rule:
    def rule(terms: Terms, *values: Any) -> Term:
        operands = terms_of(terms, *values)
        if operands[0].dtype in FLOATING:
            raise NotFollowedError(f"it takes {row} of {operands[0].dtype}")
        return terms.of(row_of_bools if operands[0].dtype == BOOL else row, *operands)

    return rule


def _rounding_rule(row: str) -> Rule:
    """Returns the rule of a rounding function. Integers do not change."""

    def rule(terms: Terms, x: Any) -> Term:
        (operand,) = _number_terms(terms, x)
        return terms.of(row, operand) if operand.dtype in FLOATING else operand

    return rule


def _scaled_rule(row: str | None, factor: float) -> Rule:
    """Returns the rule of a function times a factor."""

    def rule(terms: Terms, x: Any) -> Term:
        (operand,) = _float_terms(terms, x)
        operand = operand if row is None else terms.of(row, operand)
        return terms.of("multiply", operand, terms.constant(factor, operand.dtype))

    return rule


def _quotient_rule(terms: Terms, x: Any, y: Any) -> Term:
    """Returns ``x / y``; ``x / (1 + exp(u))`` as ``x * sigmoid(-u)``: one division with its gradient, not three."""
    x, y = _float_terms(terms, x, y)
    if y.row is not None and y.row.name == "add":
        constant_operand, other_operand = sorted(y.operands, key=lambda term: term.row is not None)
        if (
            isinstance(constant_operand.value, np.ndarray)
            and constant_operand.value == 1
            and other_operand.row is not None
            and other_operand.row.name == "exp"
        ):
            (exponent,) = other_operand.operands
            is_negative = exponent.row is not None and exponent.row.name == "negative"
            factor = terms.of("sigmoid", exponent.operands[0] if is_negative else terms.of("negative", exponent))
            return factor if isinstance(x.value, np.ndarray) and x.value == 1 else terms.of("multiply", x, factor)
    return terms.of("divide", x, y)


def _power_rule(terms: Terms, x: Any, y: Any) -> Term:
    if isinstance(y, int) and not isinstance(y, bool) and 0 < y <= 4:
        (base,) = _number_terms(terms, x)
        square = terms.of("square", base)
        return (base, square, terms.of("multiply", square, base), terms.of("square", square))[y - 1]
    base, exponent = _number_terms(terms, x, y)
    if base.dtype.kind == "u":
        raise NotFollowedError(f"it takes powers of {base.dtype}")
    return terms.of("pow", base, exponent)


def _log_rule(terms: Terms, x: Any, base: Any = None) -> Term:
    logarithm = terms.of("log", *_float_terms(terms, x))
    if base is None:
        return logarithm
    if not isinstance(base, (int, float)):
        raise NotFollowedError("it takes a logarithm to a base that is no Python number")
    return terms.of("multiply", logarithm, terms.constant(1.0 / math.log(base), logarithm.dtype))


def _exp2_rule(terms: Terms, x: Any) -> Term:
    (exponent,) = _float_terms(terms, x)
    return terms.of("pow", terms.constant(2.0, exponent.dtype), exponent)


def _hypot_rule(terms: Terms, x: Any, y: Any) -> Term:
    x, y = _float_terms(terms, x, y)
    return terms.of("sqrt", terms.of("add", terms.of("square", x), terms.of("square", y)))


def _copysign_rule(terms: Terms, x: Any, y: Any) -> Term:
    x, y = _float_terms(terms, x, y)
    zero, magnitude = terms.constant(0, x.dtype), terms.of("abs", x)
    # True for -0 too.
    is_negative = terms.of("less", terms.of("atan2", y, terms.constant(-1, x.dtype)), zero, dtype=BOOL)
    return terms.select(is_negative, terms.of("negative", magnitude), magnitude)


def _where_rule(terms: Terms, condition: Any, x: Any, y: Any) -> Term:
    if not isinstance(x, (Symbol, np.generic)) and not isinstance(y, (Symbol, np.generic)):
        dtype = FLOAT64 if isinstance(x, float) or isinstance(y, float) else INT64
        x, y = terms.constant(x, dtype), terms.constant(y, dtype)
    else:
        x, y = terms_of(terms, x, y)
    return terms.select(_as_condition(term_of(condition, terms, BOOL), terms), x, y)


def _clip_rule(terms: Terms, x: Any, low: Any, high: Any) -> Term:
    x, low, high = _number_terms(terms, x, low, high)
    return terms.of("minimum", terms.of("maximum", x, low), high)


def cast_rule(dtype: np.dtype) -> Rule:
    """Returns the rule of the conversion to a dtype."""
    return lambda terms, x: terms.cast(term_of(x, terms, dtype), dtype)


_ROWS_OF_ONE_FLOAT = (
    *("exp", "expm1", "log1p", "sqrt", "sin", "cos", "tan", "sinh", "cosh", "tanh"),
    *("erf", "erfc", "lgamma"),
)
_ROWS_WITH_INVERSE = ("sin", "cos", "tan", "sinh", "cosh", "tanh")
_ROWS_OF_TWO_NUMBERS = {
    "add": "add",
    "subtract": "subtract",
    "multiply": "multiply",
    "floor_divide": "floor_divide",
    "remainder": "floormod",
    "mod": "floormod",
    "fmod": "truncatemod",
    "maximum": "maximum",
    "minimum": "minimum",
}

FUNCTIONS: dict[str, Rule] = {
    **{name: _row_rule(name, _float_terms) for name in _ROWS_OF_ONE_FLOAT},
    **{f"a{name}": _row_rule(f"a{name}", _float_terms) for name in _ROWS_WITH_INVERSE},
    **{f"arc{name}": _row_rule(f"a{name}", _float_terms) for name in _ROWS_WITH_INVERSE},
    **{name: _row_rule("atan2", _float_terms) for name in ("atan2", "arctan2")},
    **dict.fromkeys(("divide", "true_divide"), _quotient_rule),
    **{name: _row_rule(row, _number_terms) for name, row in _ROWS_OF_TWO_NUMBERS.items()},
    **{name: _row_rule("abs", _number_terms) for name in ("abs", "absolute", "fabs")},
    **{name: _row_rule(name, _number_terms) for name in ("negative", "square", "sign")},
    **{name: _rounding_rule(name) for name in ("floor", "ceil", "rint")},
    **{
        name: _row_rule(name, terms_of, BOOL)
        for name in ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal")
    },
    **{name: _row_rule(name, _condition_terms) for name in ("logical_and", "logical_or", "logical_xor", "logical_not")},
    **{name: _row_rule(f"is_{name[2:]}", _float_terms, BOOL) for name in ("isnan", "isinf", "isfinite")},
    **{f"bitwise_{name}": _bitwise_rule(f"bitwise_{name}", f"logical_{name}") for name in ("and", "or", "xor")},
    "invert": _bitwise_rule("invert", "logical_not"),
    "expit": _row_rule("sigmoid", _float_terms),
    "gammaln": _row_rule("lgamma", _float_terms),
    "psi": _row_rule("digamma", _float_terms),
    "reciprocal": _row_rule("reciprocal", _float_terms),
    "left_shift": _bitwise_rule("left_shift", "left_shift"),
    "right_shift": _bitwise_rule("right_shift", "right_shift"),
    "positive": lambda terms, x: _number_terms(terms, x)[0],
    "power": _power_rule,
    "pow": _power_rule,
    "log": _log_rule,
    "log2": _scaled_rule("log", 1.0 / math.log(2.0)),
    "log10": _scaled_rule("log", 1.0 / math.log(10.0)),
    "exp2": _exp2_rule,
    "degrees": _scaled_rule(None, 180.0 / math.pi),
    "radians": _scaled_rule(None, math.pi / 180.0),
    "hypot": _hypot_rule,
    "copysign": _copysign_rule,
    "where": _where_rule,
    "clip": _clip_rule,
    "float": cast_rule(FLOAT64),
    "int": cast_rule(INT64),
}
"""The rules of functions by their names in ``math``, NumPy and ``scipy.special``."""


def _operator_method(name: str) -> Callable[..., Any]:
    return lambda self, *other: apply(name, self, *other)


def _reflected_operator_method(name: str) -> Callable[..., Any]:
    return lambda self, other: apply(name, other, self)


_OPERATORS = {
    "add": "add",
    "sub": "subtract",
    "mul": "multiply",
    "truediv": "divide",
    "floordiv": "floor_divide",
    "mod": "remainder",
    "and": "bitwise_and",
    "or": "bitwise_or",
    "xor": "bitwise_xor",
    "lshift": "left_shift",
    "rshift": "right_shift",
}
_COMPARISON_OPERATORS = {
    "eq": "equal",
    "ne": "not_equal",
    "lt": "less",
    "le": "less_equal",
    "gt": "greater",
    "ge": "greater_equal",
}
_UNARY_OPERATORS = {
    "neg": "negative",
    "pos": "positive",
    "abs": "abs",
    "invert": "invert",
    "floor": "floor",
    "ceil": "ceil",
}

for _name, _function in (_OPERATORS | _COMPARISON_OPERATORS | _UNARY_OPERATORS).items():
    setattr(Symbol, f"__{_name}__", _operator_method(_function))
for _name, _function in _OPERATORS.items():
    setattr(Symbol, f"__r{_name}__", _reflected_operator_method(_function))
