"""The scalar expressions of element-wise rows, as the bodies of kernels have them.

A row's ``code`` is written in Python's numbers. Here its constants get the dtype of the row's numbers, and its functions
those of the kernel builder, which vectorise. Rows whose expression needs something else are not translated:
they run as they are.
"""

from __future__ import annotations

import ast
import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy import float32, float64, int64

from fastgrad.kernels.activation import gelu_of, gelu_slope, gelu_tanh_of, gelu_tanh_slope
from fastgrad.kernels.body import scalar_function
from fastgrad.kernels.error_function import erf
from fastgrad.kernels.vector_math import exp, greatest, least, log, nan_greatest, nan_least, tanh
from fastgrad.operation import TABLE

BOOL, FLOAT32, FLOAT64 = np.dtype(bool), np.dtype(np.float32), np.dtype(np.float64)
INT64 = np.dtype(np.int64)
DTYPES = frozenset({BOOL, INT64, FLOAT32, FLOAT64})
"""Those of the values that kernels of element-wise operations read and write."""

_OF_INTEGERS = frozenset(
    ["add", "subtract", "multiply", "equal", "not_equal", "less", "less_equal", "greater", "greater_equal"]
)
# Counters and what is asked of them; other rows of integers run as they are.


@scalar_function
def sign_of(x):  # type: ignore[no-untyped-def]
    """-1, 0 or 1, and NaN (TensorFlow: tf.sign); 0 of -0.0."""
    return T(1) if x > 0 else (T(-1) if x < 0 else (T(0) if x == 0 else x))  # type: ignore[name-defined]


@scalar_function
def log1p(x):  # type: ignore[no-untyped-def]
    """log(1 + x): what 1 + x loses is made good by the slope (Kahan; Hewlett-Packard HP-15C handbook)."""
    u = T(1) + x  # type: ignore[name-defined]
    return x if u == T(1) or u == T(math.inf) else log(u) * (x / (u - T(1)))  # type: ignore[name-defined]


@scalar_function
def expm1(x):  # type: ignore[no-untyped-def]
    """e^x - 1, likewise: errors of e^x cancel where it is near 1."""
    u = exp(x)
    less = u - T(1)  # type: ignore[name-defined]
    near = less * (x / log(u)) if less != T(-1) and u < T(math.inf) else less  # type: ignore[name-defined]
    return x if u == T(1) or x != x else near  # type: ignore[name-defined]  # noqa: PLR0124 - true of NaN


FUNCTIONS: dict[str, tuple[str, bool]] = {
    "abs": ("math.fabs", False),
    "sqrt": ("math.sqrt", False),
    "maximum": ("nan_greatest", False),
    "minimum": ("nan_least", False),
    "sign": ("sign_of", True),
    "exp": ("exp", True),
    "log": ("log", True),
    "tanh": ("tanh", True),
    "erf": ("erf", True),
    "log1p": ("log1p", True),
    "expm1": ("expm1", True),
}
"""The functions that expressions call: the name in a body, and whether it computes in the kernel's own dtype ``T``."""

_OWN = {
    "gelu": "gelu_of({0})",
    "gelu_gradient": "({0} * gelu_slope({1}))",
    "gelu_tanh": "gelu_tanh_of({0})",
    "gelu_tanh_gradient": "({0} * gelu_tanh_slope({1}))",
}
# Rows that run as kernels already, with what these compute; it depends on ``T``.

NAMES: dict[str, Any] = {
    "math": math,
    "least": least,
    "greatest": greatest,
    "nan_greatest": nan_greatest,
    "nan_least": nan_least,
    "sign_of": sign_of,
    "exp": exp,
    "log": log,
    "tanh": tanh,
    "erf": erf,
    "log1p": log1p,
    "expm1": expm1,
    "gelu_of": gelu_of,
    "gelu_slope": gelu_slope,
    "gelu_tanh_of": gelu_tanh_of,
    "gelu_tanh_slope": gelu_tanh_slope,
    "int64": int64,
    "float32": float32,
    "float64": float64,
}
"""What a generated body may have among its globals."""

_NUMBERS = {"inf": math.inf, "nan": math.nan, "pi": math.pi}
_OPERATORS = (ast.Add, ast.Sub, ast.Mult, ast.Div)


def translated(
    name: str, operands: Sequence[str], inputs: Sequence[np.dtype], output: np.dtype, attributes: Mapping[str, Any]
) -> tuple[str, bool] | None:
    """The expression of a row of the table in the body of a kernel.

    Args:
        name: the row's.
        operands: names of the scalars that it takes.
        inputs, output: their dtypes and that of the result, all in ``DTYPES``.
        attributes: of the operation.

    Returns:
        The expression, and whether it needs the kernel's ``T`` to be the dtype of its numbers; None for a row that has
        no such expression.
    """
    if name == "cast":
        whole = output == INT64 and inputs[0] not in {BOOL, INT64}  # of what integers do not hold NumPy has the say
        return (_cast(operands[0], inputs[0], output), False) if set(attributes) == {"dtype"} and not whole else None
    if attributes or (INT64 in inputs and name not in _OF_INTEGERS):
        return None
    if name == "pow":
        return ("math.pow({}, {})".format(*operands), False) if output == FLOAT64 else None
    floats = {dtype for dtype in (*inputs, output) if dtype is not BOOL and dtype != BOOL}
    if len(floats) > 1:
        return None
    template = _template(name, len(operands), floats.pop().name if floats else None)
    return None if template is None else (template[0].format(*operands), template[1])


def _cast(operand: str, given: np.dtype, wanted: np.dtype) -> str:
    if given == wanted:
        return operand
    if wanted == BOOL:
        return f"({operand} != {given.name}(0))"
    if given == BOOL:
        return f"({wanted.name}(1) if {operand} else {wanted.name}(0))"
    return f"{wanted.name}({operand})"


class _RefusedError(Exception):
    pass


@functools.cache
def _template(name: str, arity: int, number: str | None) -> tuple[str, bool] | None:
    """The expression with fields for its operands; cached, as rows are few."""
    if name in _OWN:
        return _OWN[name], True
    code = TABLE[name].code
    if code is None:
        return None
    placeholders = [f"operand{i}" for i in range(arity)]
    try:
        tree = _Translator(number, set(placeholders))
        text = ast.unparse(tree.visit(ast.parse(code.format(*placeholders), mode="eval")))
    except (_RefusedError, IndexError):  # IndexError: it has other inputs than its code
        return None
    for i, placeholder in enumerate(placeholders):
        text = text.replace(placeholder, f"{{{i}}}")
    return f"({text})", tree.needs_dtype


class _Translator(ast.NodeTransformer):
    """Rewrites an expression, or raises _RefusedError at what it does not know."""

    def __init__(self, number: str | None, operands: set[str]) -> None:
        self.number = number
        self.operands = operands
        self.needs_dtype = False

    def generic_visit(self, node: ast.AST) -> ast.AST:
        known = (
            ast.Expression,
            ast.BoolOp,
            ast.And,
            ast.Or,
            ast.Compare,
            ast.cmpop,
            ast.Load,
            ast.unaryop,
            ast.UnaryOp,
        )
        if not isinstance(node, (*known, *_OPERATORS)) or isinstance(node, ast.Invert):
            raise _RefusedError
        return super().generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        if not isinstance(node.op, _OPERATORS) or self.number is None:
            raise _RefusedError
        return ast.BinOp(self.visit(node.left), node.op, self.visit(node.right))

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        return self._constant(node.value)

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return node if node.id in self.operands else self._constant(_NUMBERS.get(node.id))

    def visit_Call(self, node: ast.Call) -> ast.AST:
        assert isinstance(node.func, ast.Name)
        name, arguments = node.func.id, [self.visit(argument) for argument in node.args]
        if name == "where":
            return ast.IfExp(*arguments)
        if name in {"isnan", "isinf", "isfinite"}:
            (x,) = arguments
            size = f"math.fabs({ast.unparse(x)})"
            tests = {"isnan": f"{ast.unparse(x)} != {ast.unparse(x)}", "isinf": f"{size} == math.inf"}
            return ast.parse(f"({tests.get(name, f'{size} < math.inf')})", mode="eval").body
        if name not in FUNCTIONS or self.number is None:
            raise _RefusedError
        found, needs_dtype = FUNCTIONS[name]
        self.needs_dtype |= needs_dtype
        return ast.Call(ast.parse(found, mode="eval").body, arguments, [])

    def _constant(self, value: Any) -> ast.AST:
        if self.number is None or not isinstance(value, (int, float)):
            raise _RefusedError
        text = repr(value) if math.isfinite(value) else f"math.{value!r}"
        return ast.parse(f"{self.number}({text})", mode="eval").body
