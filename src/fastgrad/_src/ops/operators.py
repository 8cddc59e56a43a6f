"""Python's operators on tensors and variables: each calls the public function of its operation.

``divmod``, ``<<``, ``>>`` and unary ``+`` are errors, as in TensorFlow.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastgrad._src.core.composite import CompositeOperand
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.operation import convert_pair
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.core.variable import Variable
from fastgrad._src.ops.arithmetic import abs as absolute
from fastgrad._src.ops.arithmetic import add, multiply, negative, subtract
from fastgrad._src.ops.bitwise import bitwise_and, bitwise_or, bitwise_xor, invert
from fastgrad._src.ops.comparison import (
    equal,
    greater,
    greater_equal,
    less,
    less_equal,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    not_equal,
)
from fastgrad._src.ops.contraction import matmul
from fastgrad._src.ops.division import divide, floordiv, floormod
from fastgrad._src.ops.power import pow as power


def _install_binary(symbol: str, function: Callable[[Any, Any], Tensor]) -> None:
    """Installs the operator ``symbol`` and its reflected form, computed by ``function``."""
    reflected = f"__r{symbol}__"

    def forward(x: Any, y: Any) -> Any:
        try:
            return function(x, y)
        except InvalidArgumentError as refusal:
            return _call_promoted(function, x, y, refusal, symbol in _PROMOTED_BY_RIGHT_WEIGHT)
        except (TypeError, ValueError) as refusal:
            # An object of another library may implement the reflected operator for tensors; numbers and arrays do not.
            if hasattr(type(y), reflected) and not isinstance(
                y, (int, float, complex, np.ndarray, np.generic, *_TENSOR_CLASSES)
            ):
                return NotImplemented
            return _call_promoted(function, x, y, refusal, symbol in _PROMOTED_BY_RIGHT_WEIGHT)

    def backward(x: Any, y: Any) -> Any:
        return function(y, x)

    for tensor_class in _TENSOR_CLASSES:
        setattr(tensor_class, f"__{symbol}__", forward)
        setattr(tensor_class, reflected, backward)


def _install_comparison(symbol: str, function: Callable[[Any, Any], Tensor]) -> None:
    def compare(x: Any, y: Any) -> Any:
        try:
            return function(x, y)
        except InvalidArgumentError as refusal:
            return _call_promoted(function, x, y, refusal)

    for tensor_class in _TENSOR_CLASSES:
        setattr(tensor_class, f"__{symbol}__", compare)


def _call_promoted(
    function: Callable[[Any, Any], Any], x: Any, y: Any, refusal: Exception, is_weight_on_either_side: bool = False
) -> Any:
    """Calls ``function`` on a Keras weight and a tensor, cast to a common dtype; otherwise raises ``refusal``.

    The weight is ``x`` or, with ``is_weight_on_either_side``, may be ``y``.
    """
    if isinstance(x, Variable) and (pair := x._promoted_operands(y, function is divide)) is not None:
        return function(*pair)
    if (
        is_weight_on_either_side
        and isinstance(y, Variable)
        and (pair := y._promoted_operands(x, function is divide)) is not None
    ):
        return function(*reversed(pair))
    raise refusal


def _install_unary(symbol: str, function: Callable[[Any], Tensor]) -> None:
    def operator(x: Any) -> Any:
        return function(x)

    for tensor_class in _TENSOR_CLASSES:
        setattr(tensor_class, f"__{symbol}__", operator)


def _equality_operator(function: Callable[[Any, Any], Tensor], result_if_unlike: bool) -> Callable[[Any, Any], Any]:
    """Makes ``==`` or ``!=``; operands that are None or have incompatible shapes are unequal, not errors."""

    def compare(x: Any, y: Any) -> Any:
        if y is None:
            return result_if_unlike
        try:
            left, right = convert_pair(x, y, function.__name__)
        except CompositeOperand as met:
            return met.mapped(function, x, y)
        a, b = left._array.shape, right._array.shape
        if a != b and left._array.dtype == right._array.dtype and not _shapes_broadcast(a, b):
            return Tensor(np.array(result_if_unlike))
        try:
            return function(left, right)
        except InvalidArgumentError as refusal:
            return _call_promoted(function, x, y, refusal)

    return compare


def _shapes_broadcast(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    return all(m in (1, n) or n == 1 for m, n in zip(reversed(a), reversed(b), strict=False))


def _logical_or_bitwise(
    of_booleans: Callable[[Any, Any], Tensor], of_integers: Callable[[Any, Any], Tensor]
) -> Callable[[Any, Any], Tensor]:
    """Makes ``&``, ``|`` or ``^``: logical for booleans, bitwise for integers."""

    def choose(x: Any, y: Any) -> Any:
        try:
            x, y = convert_pair(x, y, of_integers.__name__)
        except CompositeOperand as met:
            return met.mapped(choose, x, y)
        return (of_booleans if x._array.dtype.kind == "b" == y._array.dtype.kind else of_integers)(x, y)

    return choose


_TENSOR_CLASSES = (Tensor, Variable)

# The operators of a tensor that leave a weight of another dtype to its reflected operator. In Keras + and @ do not.
_PROMOTED_BY_RIGHT_WEIGHT = frozenset(["sub", "mul", "truediv", "floordiv", "mod", "pow"])

_install_binary("add", add)
_install_binary("sub", subtract)
_install_binary("mul", multiply)
_install_binary("truediv", divide)
_install_binary("floordiv", floordiv)
_install_binary("mod", floormod)
_install_binary("pow", power)
_install_binary("matmul", matmul)
_install_binary("and", _logical_or_bitwise(logical_and, bitwise_and))
_install_binary("or", _logical_or_bitwise(logical_or, bitwise_or))
_install_binary("xor", _logical_or_bitwise(logical_xor, bitwise_xor))
_install_comparison("lt", less)
_install_comparison("le", less_equal)
_install_comparison("gt", greater)
_install_comparison("ge", greater_equal)
_install_comparison("eq", _equality_operator(equal, False))
_install_comparison("ne", _equality_operator(not_equal, True))
_install_unary("neg", negative)
_install_unary("abs", absolute)
_install_unary("invert", lambda x: (logical_not if x._operand_dtype.is_bool else invert)(x))
