"""Derivatives of scalar functions, taken from the gradient rules of the operation table."""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Mapping, Sequence
from typing import Any

import numba
import numpy as np
from numba import types

from fastgrad._src.core.errors import InternalError
from fastgrad._src.derivatives.functions.formula import FLOAT64, Branch, Formula, RowOperation, TermPool, TermTree
from fastgrad._src.derivatives.functions.symbols import (
    FUNCTIONS,
    RULES_OF_OPERATORS,
    Symbol,
    Trace,
    apply_function,
    name_of_operation,
)
from fastgrad._src.derivatives.ir.partials import (
    COTANGENT,
    GUARDS,
    PRODUCTS,
    RESULT,
    ZERO_PRODUCT,
    Partial,
    call_operation,
    where,
)
from fastgrad._src.derivatives.ir.representation import Compute, Constant
from fastgrad._src.derivatives.ir.scalar_operations import CASTS, POWER_OF_FLOAT, TEXT_GLOBALS
from fastgrad._src.scalars import terms
from fastgrad._src.scalars.terms import (
    ANYWHERE,
    AT_INFINITY,
    CHEAP_COST,
    FUNCTION_COST,
    NO_SINGULARITY,
    NOT,
    OPERANDS,
    OPERATORS,
    SELECT,
    Number,
    ScalarOperation,
    Singularity,
    Term,
    exp,
    expand,
    substitute,
    transform,
)

_RULES: dict[Any, str] = {
    **RULES_OF_OPERATORS,
    math.pow: "power",
    math.fabs: "fabs",
    pow: "power",
    float: "float",
    np.float64: "float",
    np.float32: "float",
    np.fabs: "fabs",
    np.conjugate: "positive",
    np.float_power: "power",
}
"""The names of the rules of operators and functions whose own names differ."""

_MODULES_OF_STEPS: list[tuple[Any, tuple[str, ...]]] = [
    (operator, ("floordiv", "lt", "le", "gt", "ge", "eq", "ne", "not_", "is_", "is_not")),
    (operator, ("and_", "or_", "xor", "lshift", "rshift", "invert")),
    (math, ("floor", "ceil", "trunc", "isnan", "isinf", "isfinite", "gcd")),
    (np, ("floor", "ceil", "trunc", "rint", "round", "around", "sign", "signbit", "spacing", "floor_divide")),
    (np, ("isnan", "isinf", "isfinite", "less", "less_equal", "greater", "greater_equal", "equal", "not_equal")),
    (np, ("logical_and", "logical_or", "logical_not", "bitwise_and", "bitwise_or", "bitwise_xor", "gcd", "lcm")),
    (np, ("bool_", "intp", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")),
]
WITHOUT_DERIVATIVE: frozenset[Any] = frozenset(
    [int, bool, round, *[getattr(module, name) for module, names in _MODULES_OF_STEPS for name in names]]
)
"""The functions of numbers that are constant but for jumps."""

_SLOPES_OF_QUOTIENT: list[Partial] = [COTANGENT / OPERANDS[1], ZERO_PRODUCT(COTANGENT, -(RESULT / OPERANDS[1]))]
"""A cotangent of 0 adds 0, also where the quotient is infinite."""
_SLOPE_OF_SQRT: list[Partial] = [COTANGENT / (RESULT + RESULT)]
_SLOPES_OF_ZERO_PRODUCT: list[Partial] = [ZERO_PRODUCT(COTANGENT, OPERANDS[1]), ZERO_PRODUCT(OPERANDS[0], COTANGENT)]
_SLOPE_OF_EXP: list[Partial] = [ZERO_PRODUCT(RESULT, COTANGENT)]
"""Where the result is 0 the slope is, also if the tangent is infinite."""
_SLOPES_OF_HYPOT: list[Partial] = [COTANGENT * SELECT(RESULT != 0.0, x / RESULT, x) for x in OPERANDS[:2]]
"""At the origin it is 0, as that of the norm."""
_IS_SECOND_LARGER, _IS_SECOND_SMALLER = OPERANDS[0] < OPERANDS[1], OPERANDS[0] > OPERANDS[1]
_SLOPES_OF_MAX: list[Partial] = [
    terms.where(NOT(_IS_SECOND_LARGER), COTANGENT, 0),
    terms.where(_IS_SECOND_LARGER, COTANGENT, 0),
]
_SLOPES_OF_MIN: list[Partial] = [
    terms.where(NOT(_IS_SECOND_SMALLER), COTANGENT, 0),
    terms.where(_IS_SECOND_SMALLER, COTANGENT, 0),
]
"""Python's ``max`` and ``min`` take the second number only if the comparison holds: of 1 and NaN the first."""
_SLOPES_OF_LDEXP: list[Partial] = [call_operation(math.ldexp, 2)(COTANGENT, OPERANDS[1]), None]

PARTIALS: dict[Any, list[Partial]] = {
    **dict.fromkeys(PRODUCTS, _SLOPES_OF_ZERO_PRODUCT),
    math.sqrt: _SLOPE_OF_SQRT,
    np.sqrt: _SLOPE_OF_SQRT,
    np.reciprocal: [ZERO_PRODUCT(COTANGENT, -(RESULT * RESULT))],
    **dict.fromkeys([operator.truediv, np.divide, np.true_divide], _SLOPES_OF_QUOTIENT),
    **dict.fromkeys([math.exp, np.exp], _SLOPE_OF_EXP),
    np.cbrt: [COTANGENT / (3.0 * RESULT * RESULT)],
    np.logaddexp: [
        SELECT(x != RESULT, COTANGENT * exp(x - RESULT), COTANGENT) for x in OPERANDS[:2]
    ],  # both may be -inf
    np.logaddexp2: [SELECT(x != RESULT, COTANGENT * 2.0 ** (x - RESULT), COTANGENT) for x in OPERANDS[:2]],
    math.hypot: _SLOPES_OF_HYPOT,
    np.hypot: _SLOPES_OF_HYPOT,
    max: _SLOPES_OF_MAX,
    min: _SLOPES_OF_MIN,
    math.ldexp: _SLOPES_OF_LDEXP,
    np.ldexp: _SLOPES_OF_LDEXP,
    math.nextafter: [COTANGENT, None],
    np.nextafter: [COTANGENT, None],
    np.deg2rad: [COTANGENT * (math.pi / 180)],
    np.rad2deg: [COTANGENT * (180 / math.pi)],
}
"""The partials of functions that the operation table does not have, or whose slope at a kink is NaN there."""


_WITHOUT_ROW: dict[str, ScalarOperation] = {
    "cbrt": ScalarOperation(
        "cbrt({0})",
        name="cbrt",
        cost=FUNCTION_COST,
        singularity=Singularity.ROOT,
        is_singular_at_0_only=True,
        flat_at=AT_INFINITY,
    ),
    "square": ScalarOperation("square({0})", name="square", is_never_negative=True, flat_at=Singularity.ROOT),
    "reciprocal": ScalarOperation(
        "reciprocal({0})", name="reciprocal", singularity=Singularity.POLE, flat_at=AT_INFINITY
    ),
    **{
        name: ScalarOperation(name + "({0}, {1})", name=name, cost=FUNCTION_COST, flat_at=Singularity.LOGARITHM)
        for name in ("logaddexp", "logaddexp2")
    },
}
"""The facts of functions that are no functions of terms."""


_OPERATORS_OF_FUNCTIONS: dict[Any, Any] = {
    pow: operator.pow,
    np.multiply: operator.mul,
    np.divide: operator.truediv,
    np.true_divide: operator.truediv,
}


def _operation_of(function: Any) -> ScalarOperation | None:
    """Returns the operation that has the facts of an operator or a function of ``math``, ``cmath``, NumPy or Python, or None."""
    if isinstance(function, ScalarOperation):
        return function
    function = _OPERATORS_OF_FUNCTIONS.get(function, function)
    operation = OPERATORS.get(function)
    if operation is not None:
        return operation
    name = rule_name(function) or str(getattr(function, "__name__", ""))
    return terms.function_named(name) or _WITHOUT_ROW.get(name)


def cost_of(function: Any, numbers: Sequence[Any] = ()) -> int:
    """Returns the cost of a function of numbers, where an addition costs 1. Of a power with a small constant exponent LLVM makes products."""
    if function in (operator.pow, pow) and getattr(numbers[1], "value", None) in (2, 3, 4):
        return CHEAP_COST
    operation = _operation_of(function)
    if operation is not None:
        return operation.cost
    is_cheap = getattr(function, "__module__", None) in ("_operator", "builtins") or isinstance(function, type)
    return CHEAP_COST if is_cheap or function in GUARDS.values() else FUNCTION_COST


def singularity_of(function: Any, numbers: Sequence[Any]) -> Singularity:
    """Returns where the slope of a function of numbers is infinite at finite numbers."""
    operation = _operation_of(function)
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
    """Returns the singularities of its operands at which a slope of a function of numbers may be 0, see `ScalarOperation`."""
    operation = _operation_of(function)
    if operation in (terms.POWER, terms.pow) and isinstance(numbers[1], Constant):
        return Singularity.ROOT if numbers[1].value > 1 else AT_INFINITY
    return ANYWHERE if operation is None else operation.flat_at


def is_positive(number: Any, or_zero: bool = False) -> bool:
    """True if a number is known to be above 0, or with ``or_zero`` not below it, unless it is NaN: as a sum of squares and a positive constant is."""
    if isinstance(number, Constant):
        return bool(number.value >= 0 if or_zero else number.value > 0)
    definition = number.definition
    if not isinstance(definition, Compute):
        return False
    operation, operands = definition.operation, definition.operands
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
    facts = operation if operation.function is None else _operation_of(operation.function)
    return facts is not None and facts.is_never_negative


def rule_name(function: Any) -> str | None:
    """Returns the name of a function's rule, or None."""
    try:
        name = _RULES.get(function) or str(getattr(function, "__name__", ""))
    except TypeError:
        return None
    return name if name in FUNCTIONS and (function in _RULES or _is_known_function(function)) else None


def _is_known_function(function: Any) -> bool:
    name = getattr(function, "__name__", "")
    return function is getattr(math, name, None) or function is getattr(np, name, None)


def is_known(function: Any) -> bool:
    """True if ``function`` is a function of numbers with a rule."""
    return rule_name(function) is not None or function in WITHOUT_DERIVATIVE or function in PARTIALS


@functools.cache
def partials(name: str, dtypes: tuple[np.dtype | int, ...]) -> list[Partial]:
    """Returns the partial of each operand of a function of numbers; None if it is 0.

    Args:
        name: the function's name in ``derivatives.functions.symbols.FUNCTIONS``.
        dtypes: of the operands; an int is an operand that is that constant.
    """
    pool = TermPool()
    trace = Trace(pool, (), 16)
    inputs = [pool.input(position, FLOAT64 if isinstance(x, int) else x) for position, x in enumerate(dtypes)]
    operands = [x if isinstance(x, int) else Symbol(term, trace) for x, term in zip(dtypes, inputs, strict=True)]
    result = apply_function(name, *operands)._term
    formula = Formula(tuple(inputs), result, pool)
    found: list[Partial] = []
    for position, dtype in enumerate(dtypes):
        if isinstance(dtype, int) or dtype.kind != "f":
            found.append(None)
            continue
        slope = formula.derivative(position)
        values = {result: RESULT, **dict(zip(slope.inputs, (COTANGENT, *OPERANDS), strict=False))}
        is_zero = isinstance(slope.tree, Number) and slope.tree.value == 0
        found.append(None if is_zero else _partial_of_tree(slope.tree, values))
    return found


def _partial_of_tree(tree: TermTree, values: Mapping[Term, Term]) -> Term:
    """Returns the partial of a derivative's tree, with the terms of ``values`` in place of some of its terms."""
    if isinstance(tree, Branch):
        branches = [_partial_of_tree(branch, values) for branch in (tree.then, tree.otherwise)]
        return SELECT(_partial_of_tree(tree.condition, values), *branches)
    return expand(transform(substitute(tree, values), _as_in_partial))


def _as_in_partial(term: Term) -> Term | None:
    """Returns what a partial has for a constant or a conversion of a formula; None for other terms."""
    if isinstance(term, Number):
        is_narrow = isinstance(term.value, float) and term.dtype == np.float32
        return Number(term.value, term.dtype if is_narrow else None)
    if name_of_operation(term) == "cast" and term.dtype is not None:
        return CASTS[term.dtype.name](*term.operands)
    if isinstance(term.operation, RowOperation) and term.operation.definition is None:
        raise InternalError(
            f"the operation {term.operation.name} has no formula, so it can't be a part of a derivative."
        )
    return None


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
    **TEXT_GLOBALS,
}
"""What Numba calls for the scalar functions of terms, by their names."""
