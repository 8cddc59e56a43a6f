"""Hyper-parameters that compiled programs read: Python attributes that a user may change at any time.

Eager steps compute with the attributes themselves. In a recorded program, each number is read from a variable that mirrors
the attribute; setting the attribute assigns to the variable. So a new number does not cause a new compilation.
Formulas are written once, for Python floats and for float64 scalars, with the functions below.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from types import FunctionType, MethodType
from typing import Any

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.operation import TABLE
from fastgrad._src.core.placement import move_to_device
from fastgrad._src.core.recording import hide_from_recorders, is_state_recorded
from fastgrad._src.core.tensor import Tensor, constant_tensor
from fastgrad._src.core.variable import Variable
from fastgrad._src.core.variable_creators import hidden_variable_scope
from fastgrad._src.ops.casting import cast

_RECORDING_ATTRIBUTES = frozenset({"_followed", "_changes"})
_TYPES_COMPARED_BY_VALUE = (bool, int, float, str)


class RecordedAttributesBase:
    """The base of objects whose attributes are inputs of recorded programs.

    A program reads numeric attributes from variables. Programs are recorded again if an attribute of another kind is set (None to a
    number, a flag, another schedule), or if a number changes to or from 0. Attributes in ``_aside`` have no effect.
    """

    _aside: frozenset[str] = frozenset()
    _followed: dict[str, Variable]
    _changes: Variable

    def __setattr__(self, name: str, value: Any) -> None:
        followed_variables = self.__dict__.get("_followed")
        old_value = self.__dict__.get(name)
        object.__setattr__(self, name, value)
        if followed_variables is None or name not in self.__dict__ or name in _RECORDING_ATTRIBUTES:
            return  # no program reads this object yet, or a property has set another attribute
        if type(old_value) is type(value) and (
            old_value is value or (isinstance(value, _TYPES_COMPARED_BY_VALUE) and old_value == value)
        ):
            return
        variable = followed_variables.get(name)
        if variable is not None and _is_number(value):
            variable.assign(np.array(float(value)))
            if bool(old_value) == bool(value):
                return
        elif name in self._aside:
            return
        self._invalidate_programs()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in _RECORDING_ATTRIBUTES}

    def _invalidate_programs(self) -> None:
        """Invalidates the programs that depend on this object, so that they are recorded again."""
        if "_changes" in self.__dict__:
            with hide_from_recorders():
                self._changes.assign_add(1)

    def _variable_of(self, name: str) -> Variable:
        """Returns the variable that recorded programs read in place of the numeric attribute ``name``."""
        variable: Variable | None = self._followed.get(name)
        if variable is None:
            with hide_from_recorders(), hidden_variable_scope():
                variable = self._followed[name] = Variable(
                    np.array(float(self.__dict__[name])), trainable=False, name=name, dtype=dtypes.float64
                )
        return variable


class TensorAttributeProxy:
    """A proxy of an object for formulas in a recording: numeric attributes read as tensors."""

    __slots__ = ("_owner",)

    def __init__(self, owner: RecordedAttributesBase) -> None:
        self._owner = owner

    def __getattr__(self, name: str) -> Any:
        owner = self._owner
        if _is_number(owner.__dict__.get(name)):
            return owner._variable_of(name)._read()
        method = getattr(type(owner), name, None)
        return MethodType(method, self) if isinstance(method, FunctionType) else getattr(owner, name)


def proxy_if_recorded(owner: Any) -> Any:
    """Returns the object for formulas of ``owner``: ``owner`` in eager steps, else a ``TensorAttributeProxy``.

    From this call on, the recorded program depends on the attributes of ``owner`` that are not numbers.
    """
    if not is_state_recorded():
        return owner
    if "_changes" not in owner.__dict__:
        with hide_from_recorders(), hidden_variable_scope():
            owner._changes = Variable(0, trainable=False, name="changes", dtype=dtypes.int64)
            owner._changes._counts_changes = True
            owner._followed = {}
    int(owner._changes)
    return TensorAttributeProxy(owner)


def _is_number(value: Any) -> bool:
    return type(value) in {float, int} or isinstance(value, (np.floating, np.integer))


# ---- functions of formulas, for Python floats and float64 scalars -------------------------------------------


def as_float64_scalar(x: Any) -> Tensor:
    """Converts a number, variable or tensor of a formula to a float64 tensor."""
    if isinstance(x, Variable):
        x = x._read()
    return cast(x, dtypes.float64) if isinstance(x, Tensor) else constant_tensor(np.array(float(x)))


def value_of(variable: Variable, like: Any) -> Any:
    """Returns the value of ``variable``: a tensor if ``like`` is a tensor, else a float."""
    return as_float64_scalar(variable) if isinstance(like, Tensor) else float(move_to_device(variable._array, None))


def _float_or_tensor_function(name: str, plain: Callable[..., Any]) -> Callable[..., Any]:
    def float_or_tensor_result(*operands: Any) -> Any:
        for x in operands:
            if isinstance(x, Tensor):
                return TABLE[name](*operands)
        return plain(*operands)

    float_or_tensor_result.__doc__ = f"``{name}`` of a program's tensors, or of floats or arrays."
    return float_or_tensor_result


square_root = _float_or_tensor_function("sqrt", math.sqrt)
minimum, maximum = _float_or_tensor_function("minimum", np.minimum), _float_or_tensor_function("maximum", np.maximum)
floor, ceil = _float_or_tensor_function("floor", np.floor), _float_or_tensor_function("ceil", np.ceil)
cos, log = _float_or_tensor_function("cos", np.cos), _float_or_tensor_function("log", np.log)
select = _float_or_tensor_function("where", np.where)


def multiply_variable(variable: Variable, factor: Any) -> None:
    """Multiplies a variable in place by a float or a tensor, in the variable's dtype."""
    if isinstance(factor, Tensor):
        variable.assign(TABLE["multiply"](variable._read(), cast(factor, variable.dtype)))
    else:
        array = variable._memory_for_write()
        array *= array.dtype.type(factor)


def quotient_or_zero(x: Any, y: Any) -> Any:
    """Returns ``x / y``, and 0 where x is 0, of floats or tensors."""
    if isinstance(x, Tensor):
        return TABLE["where"](TABLE["not_equal"](x, 0.0), x / y, as_float64_scalar(0.0))
    return x / y if x else 0.0
