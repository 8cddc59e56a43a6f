"""Derivatives of scalar functions of ``math`` and NumPy: from the table in scalars/terms.py, with exceptions for Numba code."""

from __future__ import annotations

import cmath
import functools
import math
import operator
from collections.abc import Sequence
from typing import Any

import numba
import numpy as np
from numba import types

from fastgrad._src.derivatives.ir.operands import Constant
from fastgrad._src.derivatives.ir.partials import (
    GUARDS,
    PRODUCTS,
    ZERO_PRODUCT,
    Partial,
    call_operation,
    float_constant,
    where,
)
from fastgrad._src.derivatives.ir.scalar_operations import GLOBALS_OF_CODE, POWER_OF_FLOAT
from fastgrad._src.scalars import terms
from fastgrad._src.scalars.formulas import (
    ANYWHERE,
    AT_INFINITY,
    CHEAP_COST,
    COTANGENT,
    FUNCTION_COST,
    NO_SINGULARITY,
    OPERANDS,
    OPERATORS,
    RESULT,
    Number,
    ScalarOperation,
    Singularity,
    Term,
    expand,
    partials_of,
    transform,
)
from fastgrad._src.scalars.terms import FUNCTIONS, NOT, OTHER_NAMES, POSITIVE, POWER, SELECT

_OPERATIONS: dict[Any, ScalarOperation] = {
    **{
        getattr(module, name): FUNCTIONS[OTHER_NAMES.get(name, name)]
        for module in (math, cmath, np)
        for name in (*FUNCTIONS, *OTHER_NAMES)
        if callable(getattr(module, name, None))
    },
    **OPERATORS,
    **dict.fromkeys([float, np.float64, np.float32, np.conjugate, np.positive], POSITIVE),
    **dict.fromkeys([pow, math.pow, np.power, np.float_power], POWER),
    abs: terms.abs,
    np.add: terms.ADD,
    np.subtract: terms.SUBTRACT,
    np.multiply: terms.MULTIPLY,
    np.divide: terms.DIVIDE,
    np.negative: terms.NEGATIVE,
    np.remainder: terms.REMAINDER,
}
"""The operations of functions of numbers."""

_MODULES_OF_STEPS: list[tuple[Any, tuple[str, ...]]] = [
    (operator, ("floordiv", "lt", "le", "gt", "ge", "eq", "ne", "not_", "is_", "is_not")),
    (operator, ("and_", "or_", "xor", "lshift", "rshift", "invert")),
    (math, ("floor", "ceil", "trunc", "isnan", "isinf", "isfinite", "gcd")),
    (np, ("floor", "ceil", "trunc", "rint", "round", "around", "sign", "signbit", "spacing", "floor_divide")),
    (np, ("isnan", "isinf", "isfinite", "less", "less_equal", "greater", "greater_equal", "equal", "not_equal")),
    (np, ("logical_and", "logical_or", "logical_not", "logical_xor", "bitwise_and", "bitwise_or", "bitwise_xor")),
    (np, ("invert", "left_shift", "right_shift", "gcd", "lcm")),
    (np, ("bool_", "intp", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")),
]
WITHOUT_DERIVATIVE: frozenset[Any] = frozenset(
    [int, bool, round, *[getattr(module, name) for module, names in _MODULES_OF_STEPS for name in names]]
)
"""The functions of numbers that are constant but for jumps."""

_DERIVATIVES_OF_QUOTIENT: list[Partial] = [COTANGENT / OPERANDS[1], ZERO_PRODUCT(COTANGENT, -(RESULT / OPERANDS[1]))]
"""A cotangent of 0 adds 0, also where the quotient is infinite."""
_DERIVATIVE_OF_EXP: list[Partial] = [ZERO_PRODUCT(RESULT, COTANGENT)]
"""Where the result is 0 the derivative is, also if the tangent is infinite."""
_DERIVATIVES_OF_HYPOT: list[Partial] = [COTANGENT * SELECT(RESULT != 0.0, x / RESULT, x) for x in OPERANDS[:2]]
"""At the origin it is 0, as that of the norm."""

PARTIALS: dict[Any, list[Partial]] = {
    **{product: [ZERO_PRODUCT(COTANGENT, OPERANDS[1]), ZERO_PRODUCT(OPERANDS[0], COTANGENT)] for product in PRODUCTS},
    **{sqrt: [COTANGENT / (RESULT + RESULT)] for sqrt in (math.sqrt, np.sqrt)},
    np.reciprocal: [ZERO_PRODUCT(COTANGENT, -(RESULT * RESULT))],
    **dict.fromkeys([operator.truediv, np.divide], _DERIVATIVES_OF_QUOTIENT),
    **dict.fromkeys([math.exp, np.exp], _DERIVATIVE_OF_EXP),
    **dict.fromkeys([math.hypot, np.hypot], _DERIVATIVES_OF_HYPOT),
    # Python takes the second number only if the comparison holds: of 1 and NaN the first.
    **{
        function: [terms.where(NOT(takes_second), COTANGENT, 0), terms.where(takes_second, COTANGENT, 0)]
        for function, takes_second in ((max, OPERANDS[0] < OPERANDS[1]), (min, OPERANDS[0] > OPERANDS[1]))
    },
    **{ldexp: [call_operation(math.ldexp, 2)(COTANGENT, OPERANDS[1]), None] for ldexp in (math.ldexp, np.ldexp)},
}
"""The partials that differ from those of the table: at kinks, at infinite results and at ties they are what loops of numbers need."""


def operation_of(function: Any) -> ScalarOperation | None:
    """Returns the operation that has the facts of an operator or a function of ``math``, ``cmath``, NumPy or Python, or None."""
    if isinstance(function, ScalarOperation):
        return function
    try:
        return _OPERATIONS.get(function)
    except TypeError:  # it has no hash
        return None


def cost_of(function: Any, numbers: Sequence[Any] = ()) -> int:
    """Returns the cost of a function of numbers, where an addition costs 1. Of a power with a small constant exponent LLVM makes products."""
    if function in (operator.pow, pow) and getattr(numbers[1], "value", None) in (2, 3, 4):
        return CHEAP_COST
    operation = operation_of(function)
    if operation is not None:
        return operation.cost
    is_cheap = getattr(function, "__module__", None) in ("_operator", "builtins") or isinstance(function, type)
    return CHEAP_COST if is_cheap or function in GUARDS.values() else FUNCTION_COST


def singularity_of(function: Any, numbers: Sequence[Any]) -> Singularity:
    """Returns where the derivative of a function of numbers is infinite at finite numbers."""
    operation = operation_of(function)
    if operation is None or (operation.is_singular_at_0_only and is_positive(numbers[0])):
        return NO_SINGULARITY
    if operation in (terms.POWER, terms.pow):
        exponent = getattr(numbers[1], "value", None)
        if exponent is None:
            is_integer = isinstance(numbers[1].type, types.Integer)
            return Singularity.POLE if is_integer else Singularity.ROOT | Singularity.POLE
        return Singularity.POLE if exponent < 0 else Singularity.ROOT if 0 < exponent < 1 else NO_SINGULARITY
    if operation is terms.DIVIDE:
        return NO_SINGULARITY if is_positive(numbers[1]) else Singularity.POLE
    return operation.singularity


def flat_at(function: Any, numbers: Sequence[Any]) -> Singularity:
    """Returns the singularities of its operands at which a derivative of a function of numbers may be 0, see `ScalarOperation`."""
    operation = operation_of(function)
    if operation in (terms.POWER, terms.pow) and isinstance(numbers[1], Constant):
        return Singularity.ROOT if numbers[1].value > 1 else AT_INFINITY
    return ANYWHERE if operation is None else operation.flat_at


def is_positive(number: Any, or_zero: bool = False) -> bool:
    """True if a number is known to be above 0, or with ``or_zero`` not below it, unless it is NaN: as a sum of squares and a positive constant is."""
    if isinstance(number, Constant):
        return bool(number.value >= 0 if or_zero else number.value > 0)
    operation, operands = number.operation, number.operands
    if operation is None:
        return False
    if operation is terms.ADD:
        first, second = operands
        is_certain = or_zero or is_positive(first) or is_positive(second)
        return is_certain and is_positive(first, or_zero=True) and is_positive(second, or_zero=True)
    if not or_zero:
        return False
    if operation is terms.MULTIPLY:
        return operands[0] is operands[1] or all(is_positive(operand, or_zero=True) for operand in operands)
    if operation in (terms.POWER, POWER_OF_FLOAT):
        return isinstance(operands[1], Constant) and operands[1].value % 2 == 0
    facts = operation if operation.function is None else operation_of(operation.function)
    return facts is not None and facts.is_never_negative


def is_known(function: Any) -> bool:
    """True if ``function`` is a function of numbers with a rule."""
    operation = operation_of(function)
    has_partials = operation is not None and bool(operation.partials)
    return has_partials or function in WITHOUT_DERIVATIVE or function in PARTIALS


@functools.cache
def partials(function: Any, type: types.Float) -> list[Partial] | None:
    """Returns the partial of each operand of a function of numbers, None if it is 0; None for a function without partials.

    Args:
        function: an operator, or a function of ``math``, NumPy or Python.
        type: that of the result.
    """
    if function in PARTIALS:
        return PARTIALS[function]
    operation = operation_of(function)
    if operation is None or not operation.partials:
        return None

    def in_type(node: Term) -> Term | None:
        return float_constant(float(node.value), type) if isinstance(node, Number) else None

    return [
        None if partial is None or isinstance(partial, Number) else transform(expand(partial), in_type)
        for partial in partials_of(operation)
    ]


def partial_of_power(exponent: int, type: types.Float) -> Partial:
    """Returns the partial of the base of a power with a constant whole exponent."""
    base, factor = OPERANDS[0], float_constant(float(exponent), type)
    if exponent == 0:
        return None
    if exponent == 1:
        return COTANGENT
    if exponent in (2, 3, 4):
        return COTANGENT * (factor * functools.reduce(operator.mul, [base] * (exponent - 1)))
    return COTANGENT * factor * terms.pow(base, float_constant(exponent - 1.0, type))


# ---- the functions that partials call ---------------------------------------------------------------------------


@numba.njit
def sign(x):  # type: ignore[no-untyped-def]
    """Returns -1, 0 or 1."""
    return 1.0 if x > 0 else -1.0 if x < 0 else 0.0


@numba.njit
def digamma(x):  # type: ignore[no-untyped-def]
    """Returns the derivative of the logarithm of the gamma function, by recurrence and its asymptotic series (Abramowitz and Stegun 6.3)."""
    shift = 0.0
    if x <= 0.0:
        if x == math.floor(x):
            return math.nan
        shift = -math.pi / math.tan(math.pi * x)
        x = 1.0 - x
    while x < 10.0:
        shift -= 1.0 / x
        x += 1.0
    s = 1.0 / (x * x)
    series = s * (1 / 12 - s * (1 / 120 - s * (1 / 252 - s * (1 / 240 - s * (1 / 132 - s * (691 / 32760 - s / 12))))))
    return shift + math.log(x) - 0.5 / x - series


NUMBA_FUNCTIONS: dict[Any, Any] = {
    **{name: getattr(math, name) for name in terms.FUNCTIONS if hasattr(math, name)},
    "floor": np.floor,
    "ceil": np.ceil,
    "rint": np.rint,
    "where": where,
    **GUARDS,
    "sign": sign,
    "digamma": digamma,
    "maximum": max,
    "minimum": min,
    **GLOBALS_OF_CODE,
}
"""What Numba calls for the scalar functions of terms, by their names."""
