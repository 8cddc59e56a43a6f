"""Symbols: stand-ins for numbers. A user's scalar function runs on symbols, which gives its formula.

Arithmetic, comparisons and functions of ``math`` and NumPy give symbols. The truth value of a symbol is a fork of the
formula; the trace follows both branches.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.operation import FLOAT_DTYPES, INTEGER_DTYPES
from fastgrad._src.custom_operations.formula import BOOL, FLOAT64, TermPool, promoted_dtype
from fastgrad._src.scalars import terms
from fastgrad._src.scalars.formulas import CHEAP_COST, Number, Term

_PYTHON_NUMBERS = (bool, int, float)
INT64: np.dtype = np.dtype(np.int64)


class NotFollowedError(Exception):
    """The error for a function that no formula can express. The message has the reason."""


MAX_CONDITIONS = 10_000
"""The limit on conditions that a run may evaluate: a loop whose condition does not change would never end."""


class Trace:
    """One run of a user's scalar function on symbols, with the outcomes of its conditions.

    Args:
        pool: makes the terms.
        outcomes: the outcomes of the first conditions. Later conditions hold.
        max_decisions: the limit on conditions in a run. A loop that depends on values exceeds it.

    Attributes:
        pool: as given.
        decisions: the conditions so far, each with its outcome.
    """

    def __init__(self, pool: TermPool, outcomes: tuple[bool, ...], max_decisions: int) -> None:
        self.pool = pool
        self._first_outcomes = outcomes
        self._max_decisions = max_decisions
        self._asked = 0
        self.decisions: dict[Term, bool] = {}
        pool.decisions = self.decisions

    def outcome_of(self, condition: Term) -> bool:
        """Returns the outcome of ``condition`` in this run."""
        if isinstance(condition, Number):
            return bool(condition.value)
        self._asked += 1
        if self._asked > MAX_CONDITIONS:
            raise NotFollowedError(
                f"it asks for conditions more than {MAX_CONDITIONS} times, as a loop that may never end does"
            )
        if condition not in self.decisions:
            number = len(self.decisions)
            if number >= self._max_decisions:
                raise NotFollowedError(
                    f"it asks for more than {self._max_decisions} conditions, as a loop that goes on by values does"
                )
            self.decisions[condition] = number >= len(self._first_outcomes) or self._first_outcomes[number]
        return self.decisions[condition]


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
        return self._trace.outcome_of(_as_condition(self._term, self._trace.pool))

    def __float__(self) -> float:
        raise NotFollowedError("it needs the value of a number")

    __int__ = __index__ = __complex__ = __len__ = __iter__ = __float__

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        if method != "__call__" or options:
            raise NotFollowedError(f"it calls numpy.{ufunc.__name__}.{method} with {[*options]}")
        return apply_function(ufunc.__name__, *inputs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if kwargs:
            raise NotFollowedError(f"it calls numpy.{function.__name__} with {[*kwargs]}")
        return apply_function(function.__name__, *args)

    def __round__(self, digits: int | None = None) -> Any:
        return apply_function("rint", self) if digits is None else apply_function("round to digits")

    def __floor__(self) -> Any:
        return apply_function("floor", self)

    def __ceil__(self) -> Any:
        return apply_function("ceil", self)

    def __pow__(self, other: Any, modulus: Any = None) -> Any:
        return apply_function("power", self, other) if modulus is None else apply_function("pow with a modulus")

    def __rpow__(self, other: Any) -> Any:
        return apply_function("power", other, self)


def trace_of_symbols(*values: Any) -> Trace:
    """Returns the trace of the first symbol among ``values``; all symbols of a call have one trace."""
    return next(x._trace for x in values if type(x) is Symbol)


def apply_function(function_name: str, *values: Any) -> Any:
    """Applies a function of ``math`` or NumPy, given by its name, to symbols and numbers.

    Raises:
        NotFollowedError: no formula can express the function.
    """
    rule = FUNCTIONS.get(function_name)
    if rule is None:
        raise NotFollowedError(f"it calls {function_name}, which has no rule here")
    trace = trace_of_symbols(*values)
    return Symbol(rule(trace.pool, *values), trace)


def term_of(value: Any, pool: TermPool, dtype_beside: np.dtype) -> Term:
    """Converts a value to a term of a formula. A Python number takes the dtype ``dtype_beside`` if possible."""
    if type(value) is Symbol:
        return value._term
    if isinstance(value, _PYTHON_NUMBERS):  # np.float64 is a float, too
        dtype = dtype_beside
        if isinstance(value, bool):
            dtype = BOOL
        elif isinstance(value, float) and dtype_beside not in FLOAT_DTYPES:
            dtype = FLOAT64
        elif isinstance(value, int) and dtype_beside not in FLOAT_DTYPES:
            dtype = dtype_beside if dtype_beside in INTEGER_DTYPES and _is_in_range(value, dtype_beside) else INT64
            if not _is_in_range(value, dtype):
                raise InvalidArgumentError(
                    f"a function of numbers computes with {value} beside {dtype_beside.name}; it is out of the range of {dtype.name}. "
                    "Write it as a float."
                )
        return pool.constant(value, dtype)
    if isinstance(value, np.generic) and value.dtype in dtypes.DTYPE_OF_NUMPY:
        return pool.constant(value, value.dtype)
    raise NotFollowedError(f"it computes with {value!r}, which is no number")


def _is_in_range(value: int, dtype: np.dtype) -> bool:
    return bool(np.iinfo(dtype).min <= value <= np.iinfo(dtype).max)


def operand_terms(pool: TermPool, *values: Any) -> list[Term]:
    """Converts values to terms of a formula, all of one dtype."""
    strong_dtypes = [x.dtype for x in values if isinstance(x, (Symbol, np.generic)) and not isinstance(x, float)]
    common_dtype = promoted_dtype(*strong_dtypes)
    operands = [term_of(value, pool, common_dtype) for value in values]
    common_dtype = promoted_dtype(*[term.dtype for term in operands])
    return [pool.cast(term, common_dtype) for term in operands]


def _as_condition(term: Term, pool: TermPool) -> Term:
    return term if term.dtype == BOOL else pool.apply("not_equal", term, pool.constant(0, term.dtype))


# ---- rules: from (terms, *values) to a term of a formula ------------------------------------------------

TermRule = Callable[..., Term]


def _as_numbers(pool: TermPool, *values: Any) -> list[Term]:
    """Converts values to terms of a formula, all of one dtype other than bool."""
    operands = operand_terms(pool, *values)
    return [pool.cast(x, INT64) for x in operands] if operands[0].dtype == BOOL else operands


def _as_floats(pool: TermPool, *values: Any) -> list[Term]:
    """Converts values to terms of a formula, all of one floating dtype; integers become float64."""
    operands = operand_terms(pool, *values)
    return operands if operands[0].dtype in FLOAT_DTYPES else [pool.cast(x, FLOAT64) for x in operands]


def _as_bools(pool: TermPool, *values: Any) -> list[Term]:
    """Converts values to terms of a formula, all of dtype bool."""
    return [_as_condition(term_of(x, pool, BOOL), pool) for x in values]


def name_of_operation(term: Term) -> str | None:
    """Returns the name of the row that computes a term; None for inputs and constants."""
    return None if term.operation is None else term.operation.name


def _is_one(term: Term) -> bool:
    return isinstance(term, Number) and term.value == 1


def _operation_rule(operation_name: str, convert: Callable[..., list[Term]]) -> TermRule:
    """Returns the rule of a function that is the operation ``operation_name`` of ``convert(terms, *values)``."""
    return lambda pool, *values: pool.apply(operation_name, *convert(pool, *values))


def _bitwise_rule(operation_name: str, bool_operation_name: str) -> TermRule:
    def rule(pool: TermPool, *values: Any) -> Term:
        operands = operand_terms(pool, *values)
        if operands[0].dtype in FLOAT_DTYPES:
            raise NotFollowedError(f"it takes {operation_name} of {operands[0].dtype}")
        return pool.apply(bool_operation_name if operands[0].dtype == BOOL else operation_name, *operands)

    return rule


def _rounding_rule(operation_name: str) -> TermRule:
    """Returns the rule of a rounding function. Integers do not change."""

    def rule(pool: TermPool, x: Any) -> Term:
        (operand,) = _as_numbers(pool, x)
        return pool.apply(operation_name, operand) if operand.dtype in FLOAT_DTYPES else operand

    return rule


def _scaling_rule(factor: float) -> TermRule:
    """Returns the rule of a multiplication by a factor."""

    def rule(pool: TermPool, x: Any) -> Term:
        (operand,) = _as_floats(pool, x)
        return pool.apply("multiply", operand, pool.constant(factor, operand.dtype))

    return rule


def _quotient_rule(pool: TermPool, x: Any, y: Any) -> Term:
    """Returns ``x / y``; ``x / (1 + exp(u))`` as ``x * sigmoid(-u)``: one division with its gradient, not three."""
    x, y = _as_floats(pool, x, y)
    if name_of_operation(y) == "add":
        first, second = y.operands
        power = second if _is_one(first) else first
        if (_is_one(first) or _is_one(second)) and name_of_operation(power) == "exp":
            (exponent,) = power.operands
            is_negative = name_of_operation(exponent) == "negative"
            factor = pool.apply("sigmoid", exponent.operands[0] if is_negative else pool.apply("negative", exponent))
            return factor if _is_one(x) else pool.apply("multiply", x, factor)
    return pool.apply("divide", x, y)


OPERATIONS_THAT_MAY_FAIL = frozenset(["floor_divide", "floormod", "truncatemod", "pow"])
"""The operations that raise an error for some integers."""


def _division_rule(operation_name: str) -> TermRule:
    """Returns the rule of a whole quotient or its remainder, which fail for integers divided by 0."""

    def rule(pool: TermPool, x: Any, y: Any) -> Term:
        x, y = _as_numbers(pool, x, y)
        return pool.apply(operation_name, x, pool.guard(y, 1) if y.dtype in INTEGER_DTYPES else y)

    return rule


def _power_rule(pool: TermPool, x: Any, y: Any) -> Term:
    if isinstance(y, int) and not isinstance(y, bool) and 0 < y <= 4:
        (base,) = _as_numbers(pool, x)
        square = pool.apply("square", base)
        return (base, square, pool.apply("multiply", square, base), pool.apply("square", square))[y - 1]
    base, exponent = _as_numbers(pool, x, y)
    if base.dtype.kind == "u":
        raise NotFollowedError(f"it takes powers of {base.dtype}")
    if base.dtype in INTEGER_DTYPES:
        exponent = pool.guard(exponent, 0)
    return pool.apply("pow", base, exponent)


def _log_rule(pool: TermPool, x: Any, base: Any = None) -> Term:
    logarithm = pool.apply("log", *_as_floats(pool, x))
    if base is None:
        return logarithm
    if isinstance(base, (int, float)):
        return pool.apply("divide", logarithm, pool.constant(math.log(base), logarithm.dtype))
    return pool.apply("divide", *[pool.apply("log", operand) for operand in _as_floats(pool, x, base)])


def _exp2_rule(pool: TermPool, x: Any) -> Term:
    (exponent,) = _as_floats(pool, x)
    return pool.apply("pow", pool.constant(2.0, exponent.dtype), exponent)


def ieee_remainder_rule(pool: TermPool, x: Any, y: Any) -> Term:
    """Returns x - y n for the whole number n nearest to x / y, the even one of two (C: remainder)."""
    x, y = _as_floats(pool, x, y)
    size = pool.apply("abs", y)
    rest = pool.apply("truncatemod", pool.apply("abs", x), pool.apply("add", size, size))
    is_above_half = pool.apply("greater", pool.apply("add", rest, rest), size)
    near = pool.select(is_above_half, pool.apply("subtract", rest, size), rest)
    is_still_half = pool.apply("greater_equal", pool.apply("add", near, near), size)
    is_twice = pool.apply("logical_and", is_above_half, is_still_half)
    near = pool.select(is_twice, pool.apply("subtract", near, size), near)
    return pool.select(_has_minus_sign(x, pool), pool.apply("negative", near), near)


def _has_minus_sign(x: Term, pool: TermPool) -> Term:
    """Returns the condition that ``x`` is negative or -0."""
    angle = pool.apply("atan2", x, pool.constant(-1, x.dtype))
    return pool.apply("less", angle, pool.constant(0, x.dtype))


def _copysign_rule(pool: TermPool, x: Any, y: Any) -> Term:
    x, y = _as_floats(pool, x, y)
    magnitude = pool.apply("abs", x)
    return pool.select(_has_minus_sign(y, pool), pool.apply("negative", magnitude), magnitude)


def _where_rule(pool: TermPool, condition: Any, x: Any, y: Any) -> Term:
    if not isinstance(x, (Symbol, np.generic)) and not isinstance(y, (Symbol, np.generic)):
        dtype = FLOAT64 if isinstance(x, float) or isinstance(y, float) else INT64
        x, y = pool.constant(x, dtype), pool.constant(y, dtype)
    else:
        x, y = operand_terms(pool, x, y)
    return pool.select(_as_condition(term_of(condition, pool, BOOL), pool), x, y)


def _clip_rule(pool: TermPool, x: Any, low: Any, high: Any) -> Term:
    x, low, high = _as_numbers(pool, x, low, high)
    return pool.apply("minimum", pool.apply("maximum", x, low), high)


def cast_rule(dtype: np.dtype) -> TermRule:
    """Returns the rule of the conversion to a dtype."""
    return lambda pool, x: pool.cast(term_of(x, pool, dtype), dtype)


_UNARY_FLOAT_OPERATIONS = [
    name
    for name, function in terms.FUNCTIONS.items()
    if function.cost > CHEAP_COST and function.definition is None and function.arity == 1 and name != "cbrt"
]
_NUMBER_OPERATIONS = ("add", "subtract", "multiply", "maximum", "minimum", "negative", "square", "sign", "abs")

FUNCTIONS: dict[str, TermRule] = {
    **{name: _operation_rule(name, _as_floats) for name in _UNARY_FLOAT_OPERATIONS},
    **{name: _operation_rule(name, _as_floats) for name in ("atan2", "hypot")},
    **{
        name: _operation_rule(function, _as_floats)
        for name, function in terms.OTHER_NAMES.items()
        if function not in ("degrees", "radians")
    },
    **dict.fromkeys(("divide", "true_divide"), _quotient_rule),
    **{name: _operation_rule(name, _as_numbers) for name in _NUMBER_OPERATIONS},
    "absolute": _operation_rule("abs", _as_numbers),
    "floor_divide": _division_rule("floor_divide"),
    **{name: _division_rule("floormod") for name in ("remainder", "mod")},
    "fmod": _division_rule("truncatemod"),
    **{name: _rounding_rule(name) for name in ("floor", "ceil", "rint")},
    **{
        name: _operation_rule(name, operand_terms)
        for name in ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal")
    },
    **{name: _operation_rule(name, _as_bools) for name in ("logical_and", "logical_or", "logical_xor", "logical_not")},
    **{name: _operation_rule(f"is_{name[2:]}", _as_floats) for name in ("isnan", "isinf", "isfinite")},
    **{f"bitwise_{name}": _bitwise_rule(f"bitwise_{name}", f"logical_{name}") for name in ("and", "or", "xor")},
    "invert": _bitwise_rule("invert", "logical_not"),
    "reciprocal": _operation_rule("reciprocal", _as_floats),
    "left_shift": _bitwise_rule("left_shift", "left_shift"),
    "right_shift": _bitwise_rule("right_shift", "right_shift"),
    "positive": lambda pool, x: _as_numbers(pool, x)[0],
    "power": _power_rule,
    "pow": _power_rule,
    "log": _log_rule,
    "exp2": _exp2_rule,
    "degrees": _scaling_rule(180.0 / math.pi),
    "radians": _scaling_rule(math.pi / 180.0),
    "copysign": _copysign_rule,
    "where": _where_rule,
    "clip": _clip_rule,
    "float": cast_rule(FLOAT64),
    "int": cast_rule(INT64),
}
"""The rules of functions by their names in ``math``, NumPy and ``scipy.special``."""


def _operator_method(name: str) -> Callable[..., Any]:
    return lambda self, *other: apply_function(name, self, *other)


def _reflected_operator_method(name: str) -> Callable[..., Any]:
    return lambda self, other: apply_function(name, other, self)


_ARITHMETIC: dict[Any, str] = {
    operator.add: "add",
    operator.sub: "subtract",
    operator.mul: "multiply",
    operator.truediv: "divide",
    operator.floordiv: "floor_divide",
    operator.mod: "remainder",
    operator.and_: "bitwise_and",
    operator.or_: "bitwise_or",
    operator.xor: "bitwise_xor",
    operator.lshift: "left_shift",
    operator.rshift: "right_shift",
}
RULES_OF_OPERATORS: dict[Any, str] = {
    **_ARITHMETIC,
    operator.eq: "equal",
    operator.ne: "not_equal",
    operator.lt: "less",
    operator.le: "less_equal",
    operator.gt: "greater",
    operator.ge: "greater_equal",
    operator.neg: "negative",
    operator.pos: "positive",
    abs: "abs",
    operator.invert: "invert",
    operator.pow: "power",
}
"""The names of the rules of Python's operators."""

for _function, _name in RULES_OF_OPERATORS.items():
    if _function is not operator.pow:
        setattr(Symbol, f"__{_function.__name__.strip('_')}__", _operator_method(_name))
for _function, _name in _ARITHMETIC.items():
    setattr(Symbol, f"__r{_function.__name__.strip('_')}__", _reflected_operator_method(_name))
