"""Types and helpers for the replacements of CPU kernels; `choice` has the table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from fastgrad._src.cuda.codegen.kernel import DeviceKernel, TypedDeviceKernel
from fastgrad._src.kernels.runtime.launch import Launch, Scratch


class ScratchMemory:
    """The scratch memory of an operation: the CPU kernels' arrays, and arrays that GPU kernels add."""

    def __init__(self, arrays: Sequence[tuple[np.dtype, int]] = ()) -> None:
        self.arrays = [*arrays]

    def add(self, dtype: Any, size: int) -> Scratch:
        """Returns new scratch memory of the operation, for ``size`` elements."""
        self.arrays.append((np.dtype(dtype), size))
        return Scratch(len(self.arrays) - 1)


Replacement = Callable[[Launch, Mapping[str, str], ScratchMemory], Sequence[Launch]]
"""A function of a CPU kernel's launch, its dtypes and scratch memory, which returns GPU launches."""


def device_launch(kernel: DeviceKernel, dtypes: Mapping[str, str], operands: Sequence[Any], units: int) -> Launch:
    """Returns a launch of a GPU kernel."""
    return Launch(TypedDeviceKernel(kernel, dtypes), tuple(operands), units)  # type: ignore[arg-type]


def with_kernel(launch: Launch, kernel: TypedDeviceKernel) -> Launch:
    """Returns a launch of ``kernel`` with the operands and units of ``launch``."""
    return Launch(kernel, launch.operands, launch.units)  # type: ignore[arg-type]


def same_operands_replacement(kernel: DeviceKernel) -> Replacement:
    """Returns the replacement by a GPU kernel with the operands and units of the CPU kernel."""
    return lambda launch, dtypes, memory: [with_kernel(launch, TypedDeviceKernel(kernel, dtypes))]
