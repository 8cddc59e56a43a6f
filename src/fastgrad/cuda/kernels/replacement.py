"""Types and helpers for the replacements of CPU kernels; `choice` has the table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from fastgrad.cuda.codegen.kernel import DeviceKernel, OnDevice, variant
from fastgrad.kernels.runtime.launch import Launch, Operand, Scratch

MOST_THREADS_PER_BLOCK = 512


class ScratchMemory:
    """The scratch memory of an operation. GPU kernels may add to it."""

    def __init__(self, arrays: Sequence[tuple[np.dtype, int]] = ()) -> None:
        self.arrays = [*arrays]
        self._kept: dict[str, Scratch] = {}
        self._sources: dict[int, Operand] = {}

    def add(self, dtype: Any, size: int) -> Scratch:
        """Returns new scratch memory of the operation, for ``size`` elements."""
        self.arrays.append((np.dtype(dtype), size))
        return Scratch(len(self.arrays) - 1)

    def shared(self, name: str, dtype: Any, size: int) -> Scratch:
        """Returns scratch memory that several kernels share by its name."""
        if name not in self._kept:
            self._kept[name] = self.add(dtype, size)
        return self._kept[name]

    def mark_unused(self, unused: Scratch, source: Operand | None = None) -> None:
        """Marks scratch memory as unused. If it would be a copy of ``source``, GPU kernels read the source itself."""
        dtype, _ = self.arrays[unused.number]
        self.arrays[unused.number] = dtype, 0
        if source is not None:
            self._sources[unused.number] = source

    def source_of_unused(self, copy: Scratch) -> Operand:
        """Returns the array that an unused scratch copy would have held."""
        return self._sources[copy.number]


Replacement = Callable[[Launch, Mapping[str, str], ScratchMemory], Sequence[Launch]]
"""Replaces a launch of a CPU kernel with these dtypes by launches whose kernels are `OnDevice`."""


def device_launch(kernel: DeviceKernel, dtypes: Mapping[str, str], operands: Sequence[Any], units: int) -> Launch:
    """Returns a launch of a GPU kernel."""
    return Launch(OnDevice(kernel, dtypes), tuple(operands), units)  # type: ignore[arg-type]


def with_kernel(launch: Launch, kernel: OnDevice) -> Launch:
    """Returns a launch of ``kernel`` with the operands and units of ``launch``."""
    return Launch(kernel, launch.operands, launch.units)  # type: ignore[arg-type]


def same_operands_replacement(kernel: DeviceKernel) -> Replacement:
    """Returns the replacement by a kernel with the operands and units of the CPU's."""
    return lambda launch, dtypes, memory: [with_kernel(launch, OnDevice(kernel, dtypes))]


def thread_count(elements: int) -> int:
    """Returns the number of threads that share ``elements`` neighbouring elements."""
    wanted = 32
    while wanted < MOST_THREADS_PER_BLOCK and 4 * wanted < elements:
        wanted *= 2
    return wanted


def row_kernel_replacement(kernel: DeviceKernel, columns: int) -> Replacement:
    """Returns the replacement by a kernel with the CPU's units: rows whose length is operand ``columns``."""

    def replacement(launch: Launch, dtypes: Mapping[str, str], memory: ScratchMemory) -> list[Launch]:
        size: Any = launch.operands[columns]
        return [with_kernel(launch, OnDevice(variant(kernel, threads=thread_count(size)), dtypes))]

    return replacement
