"""The operations of numbers: what a statement of the intermediate representation computes, as data.

Passes compare operations by identity and read their attributes. Only the emitter reads their text.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

CHEAP_COST, DIVISION_COST, FUNCTION_COST = 1, 4, 20
"""The costs of operations, where an addition costs 1."""
_DTYPES = (*(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)), "float32", "float64")
RAISING: set[Any] = set()
"""The functions of this package that may raise; see `may_raise`."""


def may_raise(function: Any) -> Any:
    """A decorator of Numba functions that may raise. Their calls are needed though nothing uses the results."""
    RAISING.add(function)
    return function


class ScalarOperation:
    """An operation of numbers. Two are equal if they are one object.

    Attributes:
        text: the expression that the emitter writes, with ``{0}``, ``{1}`` … for the operands.
        function: the function that it calls; None for an expression.
        may_raise: whether it may raise, so that it is needed though nothing uses its result.
        is_speculatable: whether it may be computed where its result may not be needed: it costs little and raises nothing.
        keeps_naturals: whether the result is an integer of at least 0 if all operands are.
        reads_parameter: whether it reads a parameter that is no number and no array.
    """

    __slots__ = ("function", "is_speculatable", "keeps_naturals", "may_raise", "reads_parameter", "text")

    def __init__(
        self,
        text: str,
        function: Any = None,
        *,
        is_speculatable: bool = False,
        keeps_naturals: bool = False,
        reads_parameter: bool = False,
    ) -> None:
        self.text = text
        self.function = function
        self.may_raise = function is not None and function in RAISING
        self.is_speculatable = is_speculatable
        self.keeps_naturals = keeps_naturals
        self.reads_parameter = reads_parameter

    def __repr__(self) -> str:
        return f"<operation {self.text}>"


COPY = ScalarOperation("{0}", is_speculatable=True, keeps_naturals=True)
ADD = ScalarOperation("({0} + {1})", is_speculatable=True, keeps_naturals=True)
SUBTRACT = ScalarOperation("({0} - {1})", is_speculatable=True)
SUBTRACT_TWO = ScalarOperation("({0} - {1} - {2})", is_speculatable=True)
MULTIPLY = ScalarOperation("({0} * {1})", is_speculatable=True, keeps_naturals=True)
ADD_PRODUCT = ScalarOperation("({0} + {1} * {2})", is_speculatable=True, keeps_naturals=True)
NEGATIVE = ScalarOperation("(-{0})", is_speculatable=True)
POSITIVE = ScalarOperation("(+{0})", is_speculatable=True)
FLOOR_DIVIDE = ScalarOperation("({0} // {1})")
REMAINDER = ScalarOperation("({0} % {1})")
LESS = ScalarOperation("({0} < {1})")
LESS_EQUAL = ScalarOperation("({0} <= {1})")
GREATER = ScalarOperation("({0} > {1})")
GREATER_EQUAL = ScalarOperation("({0} >= {1})")
EQUAL = ScalarOperation("({0} == {1})")
NOT_EQUAL = ScalarOperation("({0} != {1})")
NOT = ScalarOperation("(not {0})")
IS_TRUE = ScalarOperation("({0} != False)")
POWER = ScalarOperation("({0} ** {1})")
POWER_OF_FLOAT = ScalarOperation("({0} ** {1})", is_speculatable=True)
"""That of an integer raises if it is 0 and the exponent is negative."""
SELECT = ScalarOperation("({1} if {0} else {2})")
FROM_START = ScalarOperation("({0} + {1} if {0} < 0 else {0})", is_speculatable=True, keeps_naturals=True)
"""An index that counts from the start, of one that may count from the end, and the size of the axis."""
AT_LEAST_0 = ScalarOperation("max({0}, 0)")
MINIMUM = ScalarOperation("min({0}, {1})")
DISTANCE = ScalarOperation("max({1} - {0}, 0)")
"""How far the second number lies above the first; 0 if it lies below."""
STEPS = ScalarOperation("(({0} + {1} - 1) // {1})")
"""How many steps of the second number a distance takes."""
SIZE_OR_REST = ScalarOperation("({0} if {0} >= 0 else {1} // {2})")
"""A size of a reshaped array; if that is -1, the number of elements over the product of the other sizes."""
SHARE_START = ScalarOperation("({0} * {1} // {2})")
SHARE_END = ScalarOperation("({0} * ({1} + 1) // {2})")
"""Where the share of the second number begins and ends, of the first number of iterations that third many chunks share."""

OPERATORS: dict[Any, ScalarOperation] = {
    operator.add: ADD,
    operator.sub: SUBTRACT,
    operator.mul: MULTIPLY,
    operator.truediv: ScalarOperation("({0} / {1})"),
    operator.floordiv: FLOOR_DIVIDE,
    operator.mod: REMAINDER,
    operator.pow: POWER,
    operator.lt: LESS,
    operator.le: LESS_EQUAL,
    operator.gt: GREATER,
    operator.ge: GREATER_EQUAL,
    operator.eq: EQUAL,
    operator.ne: NOT_EQUAL,
    operator.and_: ScalarOperation("({0} & {1})"),
    operator.or_: ScalarOperation("({0} | {1})"),
    operator.xor: ScalarOperation("({0} ^ {1})"),
    operator.lshift: ScalarOperation("({0} << {1})"),
    operator.rshift: ScalarOperation("({0} >> {1})"),
    operator.neg: NEGATIVE,
    operator.pos: POSITIVE,
    operator.invert: ScalarOperation("(~{0})"),
    operator.not_: NOT,
}
"""The operations of Python's operators of numbers."""


CASTS = {f"_{name}": getattr(np, name) for name in _DTYPES}
"""What the text of a derivative calls the dtypes."""
