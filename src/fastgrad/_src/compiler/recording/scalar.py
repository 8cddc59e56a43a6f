"""A Python number that changes from call to call: a run-time input of the program until Python reads its value."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from fastgrad._src.core.array_conversion import array_of
from fastgrad._src.core.dtypes import DType, float32
from fastgrad._src.core.operation import TABLE
from fastgrad._src.core.tensor import Tensor, constant_tensor

_NUMERIC_TYPES = (int, float, complex, np.ndarray, np.generic)


class Scalar:
    """A stand-in for a Python float in a recorded function, an input of the program until Python reads its value.

    Beside a tensor it acts as the float does: it takes the tensor's dtype, and is rounded to it. It is not a float, so that
    each read of its value is noticed: a read (``float()``, ``math.exp``, a comparison) makes the value part of the key.

    Args:
        tensor: its value, float64, shape ().
        asked: called when the Python value is read.
    """

    __slots__ = ("_asked", "_by_dtype", "_tensor")

    __array_ufunc__ = None  # NumPy's operators then defer to this class

    def __init__(self, tensor: Tensor, asked: Callable[[], None]) -> None:
        self._tensor = tensor
        self._asked = asked
        self._by_dtype: dict[Any, Tensor] = {}

    def _as_tensor(self, dtype: DType | None) -> Tensor:
        """Returns the number as a tensor of a dtype (default float32), rounded as a Python float is."""
        target_dtype = dtype or float32
        if not target_dtype.is_floating:
            return constant_tensor(array_of(float(self), target_dtype))  # an error, or a complex number
        tensor = self._by_dtype.get(target_dtype)
        if tensor is None:
            is_float64 = target_dtype.numpy == np.float64
            tensor = self._tensor if is_float64 else TABLE["cast"](self._tensor, dtype=target_dtype.name)
            self._by_dtype[target_dtype] = tensor
        return tensor

    def __float__(self) -> float:
        self._asked()
        return float(self._tensor._array)

    def __int__(self) -> int:
        return int(float(self))

    def __bool__(self) -> bool:
        return bool(float(self))

    def __hash__(self) -> int:
        return hash(float(self))

    def __repr__(self) -> str:
        return repr(float(self))

    def __format__(self, spec: str) -> str:
        return format(float(self), spec)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(float(self), name)


def _arithmetic_method(name: str, operands_swapped: bool) -> Callable[[Scalar, Any], Any]:
    """Returns an arithmetic method of ``Scalar``: float64 with Python numbers, the tensor's operator with tensors."""
    plain: Any = getattr(operator, name)

    def method(self: Scalar, other: Any) -> Any:
        if type(other) is Scalar:
            operand = other._tensor
        elif type(other) is float or (type(other) is int and abs(other) < 2**53):
            operand = constant_tensor(np.array(other, np.float64))
        elif isinstance(other, _NUMERIC_TYPES):
            return plain(other, float(self)) if operands_swapped else plain(float(self), other)
        else:
            return NotImplemented
        x, y = (operand, self._tensor) if operands_swapped else (self._tensor, operand)

        def report_value_use() -> None:
            for scalar in (self, other):
                if type(scalar) is Scalar:
                    scalar._asked()

        return Scalar(plain(x, y), report_value_use)

    return method


def _sign_method(name: str) -> Callable[[Scalar], Scalar]:
    plain: Any = getattr(operator, name)
    return lambda self: Scalar(plain(self._tensor), self._asked)


def _value_method(name: str, operands_swapped: bool = False) -> Callable[[Scalar, Any], Any]:
    plain: Any = getattr(operator, name)

    def method(self: Scalar, other: Any) -> Any:
        if type(other) is Scalar or isinstance(other, _NUMERIC_TYPES):
            other = float(other) if type(other) is Scalar else other
            return plain(other, float(self)) if operands_swapped else plain(float(self), other)
        return NotImplemented

    return method


for _name in ("add", "sub", "mul"):
    setattr(Scalar, f"__{_name}__", _arithmetic_method(_name, False))
    setattr(Scalar, f"__r{_name}__", _arithmetic_method(_name, True))
for _name in ("truediv", "floordiv", "mod", "pow"):
    # Division by zero and roots of negative numbers are errors in Python: its own rules need the value.
    setattr(Scalar, f"__{_name}__", _value_method(_name))
    setattr(Scalar, f"__r{_name}__", _value_method(_name, True))
for _name in ("lt", "le", "gt", "ge", "eq", "ne"):
    setattr(Scalar, f"__{_name}__", _value_method(_name))
for _name in ("neg", "abs"):
    setattr(Scalar, f"__{_name}__", _sign_method(_name))
