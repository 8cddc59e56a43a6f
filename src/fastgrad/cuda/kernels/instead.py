"""What takes the place of a CPU's kernel on a GPU, as the files of `cuda.kernels` say it; `choice` has the table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from fastgrad.cuda.codegen.kernel import DeviceKernel, OnDevice
from fastgrad.kernels.runtime.launch import Launch, Operand, Scratch

MOST_THREADS = 512


class Memory:
    """The scratch memory of an operation, to which kernels on a GPU may add."""

    def __init__(self, arrays: Sequence[tuple[np.dtype, int]] = ()) -> None:
        self.arrays = [*arrays]
        self._kept: dict[str, Scratch] = {}
        self._sources: dict[int, Operand] = {}

    def more(self, dtype: Any, size: int) -> Scratch:
        """New memory for elements."""
        self.arrays.append((np.dtype(dtype), size))
        return Scratch(len(self.arrays) - 1)

    def kept(self, name: str, dtype: Any, size: int) -> Scratch:
        """Memory that several kernels know by its name."""
        if name not in self._kept:
            self._kept[name] = self.more(dtype, size)
        return self._kept[name]

    def leave(self, unused: Scratch, source: Operand | None = None) -> None:
        """Scratch memory stays empty; where it were a copy of an array, kernels on a GPU read that itself."""
        dtype, _ = self.arrays[unused.number]
        self.arrays[unused.number] = dtype, 0
        if source is not None:
            self._sources[unused.number] = source

    def source(self, copy: Scratch) -> Operand:
        """The array that memory which stays empty were a copy of."""
        return self._sources[copy.number]


Instead = Callable[[Launch, Mapping[str, str], Memory], Sequence[Launch]]
"""What runs for a launch of a CPU's kernel with these dtypes: launches whose kernels are `OnDevice`."""


def with_kernel(launch: Launch, kernel: OnDevice) -> Launch:
    """The same launch of another kernel."""
    return Launch(kernel, launch.operands, launch.units)  # type: ignore[arg-type]


def threads_for(elements: int) -> int:
    """How many threads share the work on so many neighbouring elements."""
    wanted = 32
    while wanted < MOST_THREADS and 4 * wanted < elements:
        wanted *= 2
    return wanted


def rows_of(kernel: DeviceKernel, columns: int) -> Instead:
    """A kernel whose units are the CPU's, rows of as many elements as the operand of this number says."""

    def instead(launch: Launch, dtypes: Mapping[str, str], memory: Memory) -> list[Launch]:
        size: Any = launch.operands[columns]
        return [with_kernel(launch, OnDevice(kernel.with_threads(threads_for(size)), dtypes))]

    return instead
