"""The scalar expressions of element-wise operations in the bodies of kernels.

A row's ``code`` is written with Python's numbers. Here its constants get the dtype of the row's numbers. Its functions become
those of the kernel builder, which vectorise. Integers wrap as NumPy's do. Half-width floats are float32 numbers in a body;
they are rounded where the row rounds them. Rows whose expression needs something else are not translated; they have
kernels of their own (tests/compiler/fusion/test_scalar_code.py lists them).
"""

from __future__ import annotations

import ast
import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fastgrad.compiler.fusion.scalar_casts import (
    BFLOAT16,
    BOOL,
    FLOAT16,
    FLOAT32,
    FLOAT64,
    cast_code,
    compute_type,
)
from fastgrad.core.operation import HALF_DTYPES, INTEGER_DTYPES, TABLE
from fastgrad.kernels.codegen.body import fingerprint, round_down, round_to_even, round_up
from fastgrad.kernels.elementwise import half
from fastgrad.kernels.elementwise.activation import gelu_of, gelu_slope, gelu_tanh_of, gelu_tanh_slope
from fastgrad.kernels.math import circular, error_function, hyperbolic, power, scalars, vector_math

FUSIBLE_DTYPES = frozenset({BOOL, FLOAT32, FLOAT64}) | HALF_DTYPES | INTEGER_DTYPES
"""The dtypes of the values that kernels of element-wise operations read and write."""

_VECTOR_MATH_FUNCTIONS = {
    vector_math: ("exp", "expm1", "log", "log1p", "tanh", "sigmoid", "softplus", "log_sigmoid"),
    circular: ("sin", "cos", "tan", "asin", "acos", "atan", "atan2"),
    hyperbolic: ("sinh", "cosh", "asinh", "acosh", "atanh"),
    error_function: ("erf", "erfc"),
    power: ("log2", "log10"),
}
_BODY_FUNCTIONS = {name: name for names in _VECTOR_MATH_FUNCTIONS.values() for name in names}
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
    "log1p_of_fraction": vector_math.log1p_of_fraction,
    "gelu_of": gelu_of,
    "gelu_slope": gelu_slope,
    "gelu_tanh_of": gelu_tanh_of,
    "gelu_tanh_slope": gelu_tanh_slope,
    **{
        name: getattr(half, name)
        for dtype in ("float16", "bfloat16")
        for name in (f"of_{dtype}", f"to_{dtype}", f"rounded_to_{dtype}")
    },
    **{name: getattr(module, name) for module, names in _VECTOR_MATH_FUNCTIONS.items() for name in names},
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

_NAMED_CONSTANTS = {"inf": math.inf, "nan": math.nan, "pi": math.pi}
_ARITHMETIC_OPERATORS = (ast.Add, ast.Sub, ast.Mult)
_BITWISE_OPERATORS = (ast.BitAnd, ast.BitOr, ast.BitXor)
_DIVISION_FUNCTIONS = {ast.FloorDiv: "floor_quotient", ast.Mod: "floor_remainder"}


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
    if callable(row.lowering.kernel_code):
        scalars = ScalarExpressions(inputs, output)
        try:
            text = row.lowering.kernel_code(scalars, *operands, **attributes)
        except _ExpressionRefused:
            return None
        return None if text is None else (text, scalars.dtype)
    numbers = {dtype for dtype in (*inputs, output) if dtype != BOOL}
    if len(numbers) > 1 or attributes:
        return None
    template = _expression_template(name, len(operands), numbers.pop() if numbers else None)
    return None if template is None else (template[0].format(*operands), template[1])


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
    compute_dtype = FLOAT32 if dtype in HALF_DTYPES and row.lowering.rounds_once else dtype
    code, own_code = row.lowering.code, row.lowering.kernel_code
    if own_code is not None and compute_dtype not in HALF_DTYPES:
        assert isinstance(own_code, str)
        return (
            own_code if compute_dtype == dtype else rounded_expression(own_code, _require_dtype(dtype))
        ), compute_dtype
    if code is None:
        return None
    placeholders = [f"operand{i}" for i in range(arity)]
    try:
        tree = _Translator(compute_dtype, set(placeholders))
        text = ast.unparse(tree.visit(ast.parse(code.format(*placeholders), mode="eval")))
    except (_ExpressionRefused, IndexError):  # IndexError: the number of inputs is not the code's
        return None
    for i, placeholder in enumerate(placeholders):
        text = text.replace(placeholder, f"{{{i}}}")
    text = text if compute_dtype == dtype else rounded_expression(text, _require_dtype(dtype))
    return f"({text})", (np.dtype(compute_type(_require_dtype(dtype))) if tree.needs_dtype else None)


def _require_dtype(dtype: np.dtype | None) -> np.dtype:
    assert dtype is not None
    return dtype


class _Translator(ast.NodeTransformer):
    """Rewrites the syntax tree of an operation's expression for kernels of a dtype; refuses unknown syntax nodes."""

    def __init__(self, number: np.dtype | None, operands: set[str]) -> None:
        self.number = number
        self.operands = operands
        self.needs_dtype = False

    def generic_visit(self, node: ast.AST) -> ast.AST:
        allowed = (ast.Expression, ast.BoolOp, ast.And, ast.Or, ast.Compare, ast.cmpop, ast.Load, ast.Not)
        if not isinstance(node, allowed):
            raise _ExpressionRefused
        return super().generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        number, operator = self._number_dtype(), type(node.op)
        left, right = self.visit(node.left), self.visit(node.right)
        if (
            operator in _DIVISION_FUNCTIONS and number not in INTEGER_DTYPES
        ):  # the quotient of integers may raise an error
            return self._function_call(_DIVISION_FUNCTIONS[operator], [left, right])
        if operator not in _ARITHMETIC_OPERATORS and operator not in (
            _BITWISE_OPERATORS if number in INTEGER_DTYPES else (ast.Div,)
        ):
            raise _ExpressionRefused
        return self._rounded_node(ast.BinOp(left, node.op, right))

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        operand = self.visit(node.operand)
        if isinstance(node.op, ast.Not):
            return ast.UnaryOp(node.op, operand)
        number = self._number_dtype()
        if isinstance(node.op, ast.Invert) and number not in INTEGER_DTYPES:
            raise _ExpressionRefused
        result = ast.UnaryOp(node.op, operand)
        return self._rounded_node(result) if number in INTEGER_DTYPES else result

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        return self._constant_node(node.value)

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return node if node.id in self.operands else self._constant_node(_NAMED_CONSTANTS.get(node.id))

    def visit_Call(self, node: ast.Call) -> ast.AST:
        assert isinstance(node.func, ast.Name)
        name, arguments = node.func.id, [self.visit(argument) for argument in node.args]
        if name == "where":
            return ast.IfExp(*arguments)
        number = self._number_dtype()
        if number in INTEGER_DTYPES:
            if name == "rint":
                return arguments[0]
            if name not in _INTEGER_FUNCTIONS:
                raise _ExpressionRefused
            return self._rounded_node(_call_node(_INTEGER_FUNCTIONS[name], arguments))
        if name in {"isnan", "isinf", "isfinite"}:
            x = ast.unparse(arguments[0])
            tests = {
                "isnan": f"{x} != {x}",
                "isinf": f"math.fabs({x}) == math.inf",
                "isfinite": f"math.fabs({x}) < math.inf",
            }
            return ast.parse(f"({tests[name]})", mode="eval").body
        if name in _UNROUNDED_FUNCTIONS:
            float16_name = _FLOAT16_FUNCTIONS.get(name) if number == FLOAT16 else None
            return _call_node(float16_name or _UNROUNDED_FUNCTIONS[name], arguments)
        if name == "sqrt":
            return self._rounded_node(_call_node("math.sqrt", arguments))
        if name == "sign":
            self.needs_dtype = True
            sign = _call_node("sign_of", arguments)
            if number != BFLOAT16:
                return sign
            zero = ast.Compare(arguments[0], [ast.Eq()], [self._constant_node(0)])
            return ast.IfExp(zero, arguments[0], sign)
        if name not in _BODY_FUNCTIONS or (name == "nextafter" and number in HALF_DTYPES):
            raise _ExpressionRefused
        return self._function_call(_BODY_FUNCTIONS[name], arguments)

    def _function_call(self, name: str, arguments: list[Any]) -> ast.AST:
        self.needs_dtype = True
        return self._rounded_node(_call_node(name, arguments))

    def _number_dtype(self) -> np.dtype:
        if self.number is None:
            raise _ExpressionRefused
        return self.number

    def _rounded_node(self, node: ast.AST) -> ast.AST:
        return ast.parse(rounded_expression(ast.unparse(node), self._number_dtype()), mode="eval").body

    def _constant_node(self, value: Any) -> Any:
        if not isinstance(value, (int, float)) or (self.number in INTEGER_DTYPES and not float(value).is_integer()):
            raise _ExpressionRefused
        return ast.parse(constant_expression(value, self._number_dtype()), mode="eval").body


def _call_node(name: str, arguments: list[Any]) -> Any:
    return ast.Call(ast.parse(name, mode="eval").body, arguments, [])
