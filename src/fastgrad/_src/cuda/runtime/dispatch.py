"""Dispatch of operation calls to devices, after the first use of a GPU. Until then, calls do not look at devices."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from fastgrad._src.compiler.function import forget_entries
from fastgrad._src.core.dispatch import Dispatcher, dispatchers
from fastgrad._src.core.operation import Operation
from fastgrad._src.core.placement import common_device, has_no_fixed_device, move_to_device, placement
from fastgrad._src.cuda.devices.memory import Device
from fastgrad._src.cuda.runtime.eager import run_on


@functools.cache
def install() -> None:
    """Enables operations on devices, for the rest of the process."""
    dispatchers.append(_DeviceDispatcher())
    forget_entries()


class _DeviceDispatcher(Dispatcher):
    """Runs each call on the device of its inputs."""

    def result(self, operation: Operation, inputs: tuple[Any, ...], attributes: dict[str, Any]) -> Any:
        device, arrays = move_inputs_to_device(operation.name, inputs)
        if device is None:
            return operation.run(*arrays, **attributes)
        return run_on(device, operation, arrays, attributes)

    def mark_unplaced_results(self, inputs: tuple[Any, ...], outputs: tuple[Any, ...]) -> None:
        """Marks results on the host as without a fixed device if no input has a fixed device."""
        if not placement.is_scoped and all(map(has_no_fixed_device, inputs)):
            for y in outputs:
                if isinstance(y._array, np.ndarray):
                    y._unplaced = True


def move_inputs_to_device(name: str, inputs: tuple[Any, ...]) -> tuple[Device | None, list[Any]]:
    """Returns the device that an operation runs on, and the operation's inputs on that device.

    It is the scope's device, else the tensors' device, else the default device.

    Raises:
        InvalidArgumentError: there is no scope, and the inputs are on several devices.
    """
    if placement.is_scoped:
        device = placement.device
        return device, [move_to_device(x._array, device) for x in inputs]
    device, arrays = common_device(name, inputs)
    if device is None and placement.default is not None and all(map(has_no_fixed_device, inputs)):
        device = placement.default
        arrays = [move_to_device(array, device) for array in arrays]
    return device, arrays
