"""The scalar operations that only derivatives have, on indices, sizes and shares. Other operations are in scalars/terms.py.

Passes compare operations by identity and read their attributes. Only those that write a derivative's code read definitions and texts.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from fastgrad._src.derivatives.output import tree as code
from fastgrad._src.jit.library_functions import njit_kept_on_disk
from fastgrad._src.scalars.formulas import DIVISION_COST, FUNCTION_COST, ScalarOperation
from fastgrad._src.scalars.terms import ADD, MULTIPLY, NOT_EQUAL, POWER, SELECT, SUBTRACT

RAISING: set[Any] = set()
"""The functions of this package that may raise; see `may_raise`."""
KEEPING_NATURALS: set[Any] = {min, max}
"""The functions whose result is an integer of at least 0 if all operands are."""


def may_raise(function: Any) -> Any:
    """A decorator of Numba functions that may raise. Their calls are needed though nothing uses the results."""
    RAISING.add(function)
    return function


def njit_that_may_raise(function: Any) -> Any:
    """A decorator as `may_raise`, of functions that Numba compiles and whose code is kept on disk."""
    return may_raise(njit_kept_on_disk(error_model="numpy")(function))


COPY = ScalarOperation("{0}", 1, definition=lambda x: x, is_speculatable=True, keeps_naturals=True)
SUBTRACT_TWO = ScalarOperation("({0} - {1} - {2})", 3, definition=lambda x, y, z: x - y - z, is_speculatable=True)
ADD_PRODUCT = ScalarOperation(
    "({0} + {1} * {2})", 3, definition=lambda x, y, z: x + y * z, is_speculatable=True, keeps_naturals=True
)
IS_TRUE = ScalarOperation("({0} != False)", 1, definition=lambda x: NOT_EQUAL(x, False))
POWER_OF_FLOAT = ScalarOperation("({0} ** {1})", 2, definition=POWER, cost=FUNCTION_COST, is_speculatable=True)
"""That of an integer raises if it is 0 and the exponent is negative."""
FROM_START = ScalarOperation(
    "({0} + {1} if {0} < 0 else {0})",
    2,
    definition=lambda index, size: SELECT(index < 0, index + size, index),
    is_speculatable=True,
    keeps_naturals=True,
)
"""An index that counts from the start, of one that may count from the end, and the size of the axis."""
AT_LEAST_0 = ScalarOperation("max({0}, 0)", 1, definition=lambda x: code.call("max", x, 0))
MINIMUM = ScalarOperation("min({0}, {1})", 2, definition=lambda x, y: code.call("min", x, y))
DISTANCE = ScalarOperation("max({1} - {0}, 0)", 2, definition=lambda x, y: code.call("max", y - x, 0))
"""How far the second number lies above the first; 0 if it lies below."""
STEPS = ScalarOperation("(({0} + {1} - 1) // {1})", 2, definition=lambda x, y: (x + y - 1) // y, cost=DIVISION_COST)
"""How many steps of the second number a distance takes."""
SHARE_START = ScalarOperation("({0} * {1} // {2})", 3, definition=lambda x, y, z: x * y // z)
SHARE_END = ScalarOperation("({0} * ({1} + 1) // {2})", 3, definition=lambda x, y, z: x * (y + 1) // z)
"""Where the share of the second number begins and ends, of the first number of iterations that third many chunks share."""


CASTS: dict[str, ScalarOperation] = {
    name: ScalarOperation(f"_{name}({{0}})", 1, getattr(np, name), name=f"_{name}")
    for name in (*(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)), "float32", "float64")
}
"""The conversions to dtypes."""
GLOBALS_OF_CODE: dict[str, Any] = {
    "_nan": math.nan,
    "_inf": math.inf,
    **{f"_{name}": cast.function for name, cast in CASTS.items()},
}
"""What the code of derivatives calls numbers that have no literals, and dtypes."""


def _of_constants(function: Callable[..., int]) -> Callable[..., int | None]:
    return lambda *values: None if None in values else function(*values)


RULES_OF_SIZES: dict[Any, Callable[..., int | None]] = {
    COPY: lambda x: x,
    ADD: _of_constants(operator.add),
    SUBTRACT: _of_constants(operator.sub),
    MULTIPLY: _of_constants(operator.mul),
    ADD_PRODUCT: _of_constants(lambda x, y, z: x + y * z),
    SUBTRACT_TWO: _of_constants(lambda x, y, z: x - y - z),
    FROM_START: _of_constants(lambda index, size: index + size if index < 0 else index),
    AT_LEAST_0: _of_constants(lambda x: max(x, 0)),
    **{function: _of_constants(function) for function in (max, min)},
}
"""The value of an operation, or of a function of numbers, for operands of which None are no constants; None if it is no constant."""


def has_rule_of_sizes(rule: Callable[..., int | None]) -> Callable[[Any], Any]:
    """Returns a decorator that notes the rule of a function in ``RULES_OF_SIZES``."""

    def note(function: Any) -> Any:
        RULES_OF_SIZES[function] = rule
        return function

    return note


@has_rule_of_sizes(lambda size: None if size is None or size < 0 else size)
@njit_that_may_raise
def checked_size(size):  # type: ignore[no-untyped-def]
    """Returns a size of a new array."""
    if size < 0:
        raise ValueError("negative dimensions not allowed")
    return size
