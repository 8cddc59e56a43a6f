"""Dispatch of operation calls to devices, after the first use of a GPU.

Before that, calls of operations know nothing of devices. `install` replaces the `__call__` of rows by the functions here. They check the
devices of the inputs, and pass calls on the host to the earlier functions.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from fastgrad.compiler.function import forget_entries
from fastgrad.core.composite import CompositeOperand
from fastgrad.core.operation import Binary, Operation, Unary, convert_pair, refuse_mix, refuse_shapes
from fastgrad.core.placement import is_free, moved, placement, together
from fastgrad.core.recording import recorders, unheard
from fastgrad.core.tensor import Tensor, convert_to_tensor
from fastgrad.core.variable import Variable
from fastgrad.cuda.devices.memory import Device
from fastgrad.cuda.runtime.eager import run_on
from fastgrad.ops.contraction import product
from fastgrad.ops.reduction import Reduction

_on_host = Operation.__call__


@functools.cache
def install() -> None:
    """Enables operations on devices, for the rest of the process."""
    Operation.__call__ = _operation  # type: ignore[method-assign, assignment]
    Unary.__call__ = _unary  # type: ignore[method-assign, assignment]
    Binary.__call__ = _binary  # type: ignore[method-assign, assignment]
    Reduction.__call__ = _operation  # type: ignore[method-assign, assignment]
    type(product).__call__ = _product  # type: ignore[method-assign, assignment]
    forget_entries()


def _operation(row: Operation, *inputs: Any, **attributes: Any) -> Any:
    device, arrays = placed_inputs(row.name, inputs)
    if device is None:
        return _here(row, inputs, arrays, attributes)
    return _there(device, row, inputs, arrays, attributes)


def _unary(row: Unary, x: Any, name: str | None = None) -> Any:
    if type(x) is not Tensor:
        try:
            x = x._read() if isinstance(x, Variable) else convert_to_tensor(x)
        except CompositeOperand as met:
            return met.mapped(row, x)
    row.check_dtype(x._array)
    return _operation(row, x)


def _binary(row: Binary, x: Any, y: Any, name: str | None = None) -> Any:
    if type(x) is not Tensor or type(y) is not Tensor:
        try:
            x, y = convert_pair(x, y, row.name)
        except CompositeOperand as met:
            return met.mapped(row, x, y)
    a, b = x._array, y._array
    if a.dtype != b.dtype:
        raise refuse_mix(row.name, a.dtype, b.dtype)
    row.check_dtype(a)
    try:
        np.broadcast_shapes(a.shape, b.shape)
    except ValueError:
        raise refuse_shapes(row.name, a.shape, b.shape) from None
    return _operation(row, x, y)


def _product(row: Operation, a: Tensor, b: Tensor, transpose_a: bool = False, transpose_b: bool = False) -> Any:
    return _operation(row, a, b, transpose_a=transpose_a, transpose_b=transpose_b)


def placed_inputs(name: str, inputs: tuple[Any, ...]) -> tuple[Device | None, list[Any]]:
    """Returns the device of an operation, and its inputs there.

    It is the scope's device, else the tensors' device, else the default device.

    Raises:
        InvalidArgumentError: there is no scope, and the inputs are on several devices.
    """
    if placement.is_scoped:
        device = placement.device
        return device, [moved(x._array, device) for x in inputs]
    device, arrays = together(name, inputs)
    if device is None and placement.default is not None and all(map(is_free, inputs)):
        device = placement.default
        arrays = [moved(array, device) for array in arrays]
    return device, arrays


def _here(row: Operation, inputs: tuple[Any, ...], arrays: list[Any], attributes: dict[str, Any]) -> Any:
    """Runs an operation on the host. Results of inputs without a device have no device either."""
    if any(x._array is not array for x, array in zip(inputs, arrays, strict=True)):
        with unheard():  # of the copies
            y = _on_host(row, *map(Tensor, arrays), **attributes)
        for recorder in recorders.active:
            recorder.on_operation(row, inputs, y if type(y) is tuple else (y,), attributes)
        return y
    y = _on_host(row, *inputs, **attributes)
    if not placement.is_scoped and all(map(is_free, inputs)):
        for result in y if type(y) is tuple else (y,):
            result._unplaced = True
    return y


def _there(
    device: Device, row: Operation, inputs: tuple[Any, ...], arrays: list[Any], attributes: dict[str, Any]
) -> Any:
    results = run_on(device, row, arrays, attributes)
    outputs = tuple([Tensor(array) for array in (results if type(results) is tuple else (results,))])
    for recorder in recorders.active:
        recorder.on_operation(row, inputs, outputs, attributes)
    return outputs if type(results) is tuple else outputs[0]
