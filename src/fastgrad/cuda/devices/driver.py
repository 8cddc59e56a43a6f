"""What the rest asks of a GPU: `real` has one by NVIDIA's driver, `simulated` one in the host's memory.

Work is done in the order in which it is asked for, but for `copy_ahead`. What is asked returns before it is done, but for `copy_out`,
`synchronize` and `finish`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from fastgrad.cuda.codegen.kernel import DeviceKernel
from fastgrad.cuda.devices.blas import Blas, LibraryKernel


class OutOfDeviceMemory(MemoryError):
    """A GPU has not as much free memory as is asked for."""


class Driver(Protocol):
    """One GPU. Addresses are numbers, of bytes in its memory.

    Attributes:
        name: what its maker calls it.
        capability: its compute capability, times ten: 80, 90, 100 ...
        is_simulated: whether the host's processor does its work.
        stream: the handle of the stream whose order the work has, for other libraries; 0 in simulation.
    """

    name: str
    capability: int
    is_simulated: bool
    stream: int

    @property
    def blas(self) -> Blas | None:
        """NVIDIA's library of matrix products, where there is one; the GPU is the calling thread's then."""

    def memory(self) -> tuple[int, int]:
        """How many bytes of its memory are free, and how many there are."""

    def allocate(self, nbytes: int) -> int:
        """The address of new memory, a multiple of 256; its contents are arbitrary.

        Raises:
            OutOfDeviceMemory: there is not as much.
        """

    def free(self, address: int) -> None:
        """Gives back what `allocate` gave, once the work asked for so far is done."""

    def copy_in(self, address: int, array: np.ndarray) -> None:
        """Copies a C-contiguous array from the host, which may be changed at once."""

    def copy_out(self, array: np.ndarray, address: int) -> None:
        """Copies to a C-contiguous array on the host, and waits until it is there."""

    def copy(self, to: int, source: int, nbytes: int) -> None:
        """Copies within the GPU's memory; the two do not overlap."""

    def fill(self, address: int, byte: int, nbytes: int) -> None:
        """Writes the same byte everywhere."""

    def pinned(self, nbytes: int) -> np.ndarray:
        """New bytes in the host's memory, which stay where they are, so that `copy_ahead` can read them on its own."""

    def copy_ahead(self, address: int, array: np.ndarray, after: Any) -> Any:
        """Copies a `pinned` array beside all other work.

        Args:
            address: where to.
            array: what; it must stay as it is until the copy is there (`finish`).
            after: the event that it waits for, as `event` or this gave it.

        Returns:
            The event that the copy is there.
        """

    def event(self) -> Any:
        """The event that all work is done which was asked for so far."""

    def wait(self, event: Any) -> None:
        """What is asked for from now on is done after an event; returns at once."""

    def finish(self, event: Any) -> None:
        """Returns when an event has come."""

    def load(self, kernel: DeviceKernel | LibraryKernel, dtypes: Mapping[str, Any]) -> Any:
        """The kernel, ready to be launched; machine code comes from the disk cache, if it was made before.

        Raises:
            TypeError: dtypes that the kernel is not for.
            CompileError: the body has something that no GPU does.
            RuntimeError: it calls a function that is not there on a GPU.
        """

    def launch(self, loaded: Any, words: Sequence[int | float], units: int) -> None:
        """Runs a kernel.

        Args:
            loaded: what `load` gave.
            words: for each of the kernel's `given` parameters an address or a number (a list of arrays is the address of their
                addresses, `sizes` of their numbers of elements), and the address of the answer, a uint64 which is `NO_ANSWER`.
            units: how many units of work there are; the driver says how many blocks and threads do them.
        """

    def lend(self, address: int, shape: tuple[int, ...], dtype: np.dtype, owner: Any) -> Any:
        """An object that gives other libraries an array by DLPack; all work is done by then. It keeps the owner."""

    def borrow(self, lender: Any) -> tuple[int, tuple[int, ...], tuple[int, ...] | None, np.dtype]:
        """Address, shape, strides (in elements; None: C-contiguous) and dtype of another library's array; what it has begun comes first.

        Args:
            lender: has `__dlpack__` or `__cuda_array_interface__`; it must be kept.

        Raises:
            ValueError: its array is on another device.
        """

    def record(self, work: Callable[[], None]) -> Any:
        """A graph of the `launch`, `copy` and `fill` that `work` asks for, which are not done now. Nothing else may be asked for."""

    def replay(self, graph: Any) -> None:
        """Does what a graph has; its memory must still be there."""

    def synchronize(self) -> None:
        """Waits until all work is done."""
