"""The scalar expressions of element-wise operations in the bodies of kernels.

The terms of a row's ``term`` have Python's numbers. Here these get the dtype of the row's numbers. The functions become
those of the kernel builder, which vectorise. Integers wrap as NumPy's do. Half-width floats are float32 numbers in a body;
they are rounded where the row rounds them. Rows whose expression needs something else are not translated; they have
kernels of their own (tests/compiler/fusion/test_scalar_code.py lists them).
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fastgrad._src.compiler.fusion.scalar_casts import (
    BFLOAT16,
    BOOL,
    FLOAT16,
    FLOAT32,
    FLOAT64,
    cast_code,
    compute_type,
)
from fastgrad._src.core.operation import HALF_DTYPES, INTEGER_DTYPES, TABLE
from fastgrad._src.jit.body import fingerprint, round_down, round_to_even, round_up
from fastgrad._src.kernels.elementwise import activation, half
from fastgrad._src.kernels.math import circular, error_function, hyperbolic, power, scalars, vector_math
from fastgrad._src.scalars.formulas import OPERATORS, Leaf, Number, Term, arity_of, trace
from fastgrad._src.scalars.terms import (
    ADD,
    AND,
    COMPARISONS,
    DIVIDE,
    FLOOR_DIVIDE,
    FUNCTIONS,
    MULTIPLY,
    NEGATIVE,
    NOT,
    OR,
    REMAINDER,
    SELECT,
    SUBTRACT,
)

FUSIBLE_DTYPES = frozenset({BOOL, FLOAT32, FLOAT64}) | HALF_DTYPES | INTEGER_DTYPES
"""The dtypes of the values that kernels of element-wise operations read and write."""

_MODULES = (vector_math, circular, hyperbolic, error_function, power, activation)
_FUNCTIONS = {
    name: next(getattr(module, name) for module in _MODULES if hasattr(module, name))
    for name in FUNCTIONS
    if any(hasattr(module, name) for module in _MODULES)
}
"""The functions of kernels for the scalar functions of the same names."""
_BODY_FUNCTIONS = {name: name for name in _FUNCTIONS}
_BODY_FUNCTIONS |= {"pow": "power", "hypot": "hypotenuse", "nextafter": "next_after", "fmod": "remainder_toward_zero"}
# Functions in expressions that compute in the kernel's own dtype ``T``, with their names in a body.

_UNROUNDED_FUNCTIONS = {
    "abs": "math.fabs",
    "maximum": "nan_greatest",
    "minimum": "nan_least",
    "floor": "round_down",
    "ceil": "round_up",
    "rint": "round_to_even",
}
# Functions of floats whose results need no rounding, and which do not depend on ``T``.

_FLOAT16_FUNCTIONS = {"maximum": "greater_or_first", "minimum": "less_or_first"}
# Of 0 and -0, NumPy returns the first operand for float16, and the second elsewhere. sign(-0) is -0 for bfloat16, else 0.

_TESTS = {
    "isnan": "({0} != {0})",
    "isinf": "(math.fabs({0}) == math.inf)",
    "isfinite": "(math.fabs({0}) < math.inf)",
}
_INTEGER_FUNCTIONS = {"abs": "magnitude", "maximum": "nan_greatest", "minimum": "nan_least", "sign": "signum"}

KERNEL_GLOBALS: dict[str, Any] = {
    "math": math,
    "power": power.power,
    "hypotenuse": power.hypotenuse,
    "nan_greatest": vector_math.nan_greatest,
    "nan_least": vector_math.nan_least,
    "round_down": round_down,
    "round_up": round_up,
    "round_to_even": round_to_even,
    **{
        name: getattr(half, name)
        for dtype in ("float16", "bfloat16")
        for name in (f"of_{dtype}", f"to_{dtype}", f"rounded_to_{dtype}")
    },
    **_FUNCTIONS,
    **{
        name: getattr(scalars, name)
        for name in (
            "magnitude",
            "signum",
            "sign_of",
            "greater_or_first",
            "less_or_first",
            "remainder_toward_zero",
            "floor_remainder",
            "floor_quotient",
            "next_after",
            "rounded_to_odd",
        )
    },
    **{dtype.name: dtype.type for dtype in INTEGER_DTYPES | {FLOAT32, FLOAT64}},
}
"""The globals of generated bodies; functions of update rules are added at their first use."""

_BITWISE_OPERATIONS = frozenset(
    OPERATORS[function] for function in (operator.and_, operator.or_, operator.xor, operator.invert)
)
_WRAPPING_OPERATIONS = frozenset([ADD, SUBTRACT, MULTIPLY, NEGATIVE]) | _BITWISE_OPERATIONS
"""The operators whose results are rounded, or wrap."""
_DIVISION_FUNCTIONS = {FLOOR_DIVIDE: "floor_quotient", REMAINDER: "floor_remainder"}
_CONDITIONS = COMPARISONS | {AND, OR, NOT}


def scalar_code(
    name: str, operands: Sequence[str], inputs: Sequence[np.dtype], output: np.dtype, attributes: Mapping[str, Any]
) -> tuple[str, np.dtype | None] | None:
    """Returns the scalar expression of an operation in the body of a kernel.

    Args:
        name: the operation's.
        operands: names of the scalars that it takes.
        inputs, output: their dtypes and that of the result, all in ``FUSIBLE_DTYPES``.
        attributes: of the operation.

    Returns:
        The expression, and the dtype that the kernel's ``T`` must be, if it depends on ``T``; None for an operation
        without an expression.
    """
    row = TABLE.get(name)
    if row is None:
        return None
    if row.lowering.elementwise.kernel_code is not None:
        scalars = ScalarExpressions(inputs, output)
        try:
            text = row.lowering.elementwise.kernel_code(scalars, *operands, **attributes)
        except _ExpressionRefused:
            return None
        return None if text is None else (text, scalars.dtype)
    numbers = {dtype for dtype in (*inputs, output) if dtype != BOOL}
    if len(numbers) > 1 or attributes:
        return None
    template = _expression_template(name, len(operands), numbers.pop() if numbers else None)
    return None if template is None else (template[0].format(*operands), template[1])


def compute_dtype(
    name: str, inputs: tuple[np.dtype, ...], output: np.dtype, attributes: Mapping[str, Any]
) -> np.dtype | bool:
    """Returns the dtype in which an operation computes functions; True if any dtype fits, False if none does.

    Args:
        name, attributes: of the operation.
        inputs, output: dtypes.
    """
    if not attributes:
        return _compute_dtype_without_attributes(name, inputs, output)
    return _compute_dtype(name, inputs, output, attributes)


@functools.lru_cache(maxsize=4096)
def _compute_dtype_without_attributes(name: str, inputs: tuple[np.dtype, ...], output: np.dtype) -> np.dtype | bool:
    return _compute_dtype(name, inputs, output, {})


def _compute_dtype(
    name: str, inputs: tuple[np.dtype, ...], output: np.dtype, attributes: Mapping[str, Any]
) -> np.dtype | bool:
    if not FUSIBLE_DTYPES.issuperset([*inputs, output]):
        return False
    translation = scalar_code(name, ["x"] * len(inputs), inputs, output, attributes)
    return False if translation is None else translation[1] or True


class ScalarExpressions:
    """Builder of the scalar expressions that the ``kernel_code`` function of an operation returns.

    Args:
        inputs, output: dtypes of the operands and of the result.

    Attributes:
        dtype: the dtype that the kernel's ``T`` must be, if the expression depends on it.
    """

    def __init__(self, inputs: Sequence[np.dtype], output: np.dtype) -> None:
        self._inputs = inputs
        self._output = output
        self.dtype: np.dtype | None = None

    @property
    def number_dtype(self) -> np.dtype:
        """The only dtype of the operands and the result."""
        numbers = {dtype for dtype in (*self._inputs, self._output) if dtype != BOOL}
        if len(numbers) != 1:
            raise _ExpressionRefused
        return numbers.pop()

    def rounded_to_dtype(self, expression: str) -> str:
        """Returns the expression of an arithmetic result in the operands' dtype; see ``rounded_expression``."""
        return rounded_expression(expression, self.number_dtype)

    def constant(self, value: float) -> str:
        """Returns the expression of a Python number in the dtype of the operands."""
        return constant_expression(value, self.number_dtype)

    def cast(self, operand: str) -> str | None:
        """Returns the first operand cast to the result's dtype; None if NumPy's bits depend on element positions."""
        return cast_code(operand, self._inputs[0], self._output)

    def call(self, function: Any, operands: Sequence[str]) -> str:
        """Returns a call of a scalar function, which computes in ``T``."""
        name = f"{function.__name__}_{fingerprint(function)[:12]}"
        KERNEL_GLOBALS.setdefault(name, function)
        self.dtype = self._output
        return f"{name}({', '.join(operands)})"


def rounded_expression(text: str, dtype: np.dtype) -> str:
    """Returns the expression of an arithmetic result in a dtype: integers wrap, half-width floats are rounded."""
    if dtype in INTEGER_DTYPES:
        return f"{dtype.name}({text})"
    return f"rounded_to_{dtype.name}({text})" if dtype in HALF_DTYPES else text


def constant_expression(value: float, dtype: np.dtype) -> str:
    """Returns the expression of a Python number in a dtype."""
    with np.errstate(over="ignore"):
        value = float(dtype.type(value)) if dtype in HALF_DTYPES else value
    text = repr(value) if math.isfinite(value) else f"math.{value!r}"
    return f"{compute_type(dtype)}({text})"


class _ExpressionRefused(Exception):
    """Raised for an expression that kernels can't compute."""


@functools.cache
def _expression_template(name: str, arity: int, dtype: np.dtype | None) -> tuple[str, np.dtype | None] | None:
    """Returns the expression of an operation, with format fields for the operands; the cache has few operations."""
    row = TABLE[name]
    if row.lowering.elementwise.term is None or arity_of(row.lowering.elementwise.term) != arity:
        return None
    compute_dtype = FLOAT32 if dtype in HALF_DTYPES and row.lowering.elementwise.rounds_once else dtype
    printer = _Printer(compute_dtype)
    try:
        text = printer.text_of(trace(row.lowering.elementwise.term))
    except _ExpressionRefused:
        return None
    text = text if compute_dtype == dtype else rounded_expression(text, _require_dtype(dtype))
    return text, (np.dtype(compute_type(_require_dtype(dtype))) if printer.needs_dtype else None)


def _require_dtype(dtype: np.dtype | None) -> np.dtype:
    assert dtype is not None
    return dtype


class _Printer:
    """Prints terms as expressions in kernels of a dtype, with ``{0}``, ``{1}`` for the operands; refuses operations that kernels don't have.

    Attributes:
        number: the dtype of the numbers; None if there are none.
        needs_dtype: whether the expressions so far depend on the kernel's ``T``.
    """

    def __init__(self, number: np.dtype | None) -> None:
        self.number = number
        self.needs_dtype = False

    def text_of(self, term: Term) -> str:
        """Returns the expression of a term."""
        operation = term.operation
        if operation is None:
            assert isinstance(term, (Leaf, Number))
            return self._constant(term.value) if isinstance(term, Number) else f"{{{term.position}}}"
        has_function = operation.name in _BODY_FUNCTIONS and self.number not in HALF_DTYPES
        if operation.definition is not None and not has_function:
            return self.text_of(operation.definition(*term.operands))
        operands = [self.text_of(operand) for operand in term.operands]
        if operation.name is not None:
            return self._function(operation.name, operands)
        text = operation.text.format(*operands)
        if operation in _CONDITIONS:
            return text
        number = self._number_dtype()
        if (
            operation in _DIVISION_FUNCTIONS and number not in INTEGER_DTYPES
        ):  # the quotient of integers may raise an error
            return self._call(_DIVISION_FUNCTIONS[operation], operands)
        if operation is NEGATIVE and number not in INTEGER_DTYPES:
            return text
        is_known = operation in _WRAPPING_OPERATIONS or (operation is DIVIDE and number not in INTEGER_DTYPES)
        if not is_known or (operation in _BITWISE_OPERATIONS and number not in INTEGER_DTYPES):
            raise _ExpressionRefused
        return rounded_expression(text, number)

    def _function(self, name: str, operands: list[str]) -> str:
        if name == "where":
            return SELECT.text.format(*operands)
        number = self._number_dtype()
        if number in INTEGER_DTYPES:
            if name == "rint":
                return operands[0]
            if name not in _INTEGER_FUNCTIONS:
                raise _ExpressionRefused
            return rounded_expression(_call_text(_INTEGER_FUNCTIONS[name], operands), number)
        x = operands[0]
        if name in _TESTS:
            return _TESTS[name].format(x)
        if name in _UNROUNDED_FUNCTIONS:
            float16_name = _FLOAT16_FUNCTIONS.get(name) if number == FLOAT16 else None
            return _call_text(float16_name or _UNROUNDED_FUNCTIONS[name], operands)
        if name == "sqrt":
            return rounded_expression(_call_text("math.sqrt", operands), number)
        if name == "sign":
            self.needs_dtype = True
            text = _call_text("sign_of", operands)
            return f"({x} if {x} == {self._constant(0)} else {text})" if number == BFLOAT16 else text
        if name not in _BODY_FUNCTIONS or (name == "nextafter" and number in HALF_DTYPES):
            raise _ExpressionRefused
        return self._call(_BODY_FUNCTIONS[name], operands)

    def _call(self, name: str, operands: list[str]) -> str:
        """Returns the call of a function that computes in ``T``."""
        self.needs_dtype = True
        return rounded_expression(_call_text(name, operands), self._number_dtype())

    def _number_dtype(self) -> np.dtype:
        if self.number is None:
            raise _ExpressionRefused
        return self.number

    def _constant(self, value: float) -> str:
        number = self._number_dtype()
        if number in INTEGER_DTYPES and not float(value).is_integer():
            raise _ExpressionRefused
        return constant_expression(value, number)


def _call_text(name: str, operands: list[str]) -> str:
    return f"{name}({', '.join(operands)})"
