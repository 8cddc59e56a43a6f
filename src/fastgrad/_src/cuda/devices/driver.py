"""The interface of a GPU driver: `real` implements it with NVIDIA's driver, the simulation of the tests in host memory.

Work runs in the order of the calls, except `copy_in_parallel`. Calls return before their work is done, except `copy_out`, `synchronize`
and `synchronize_event`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from fastgrad._src.cuda.codegen.kernel import DeviceKernel
from fastgrad._src.cuda.devices.blas import Blas, LibraryKernel


class OutOfDeviceMemory(MemoryError):
    """The error if a GPU has too little free memory."""


class Driver(Protocol):
    """One GPU. An address is a byte number in its memory.

    Attributes:
        name: the vendor's name.
        capability: the compute capability, times ten: 80, 90, 100 ...
        is_simulated: whether the host's processor does its work.
        stream: the handle of the stream of its work, for other libraries; 0 in simulation.
    """

    name: str
    capability: int
    is_simulated: bool
    stream: int

    @property
    def blas(self) -> Blas | None:
        """NVIDIA's library of matrix products, or None. Access makes this GPU the calling thread's."""

    def free_and_total_bytes(self) -> tuple[int, int]:
        """Returns the number of free bytes of the GPU's memory, and of all bytes."""

    def allocate(self, nbytes: int) -> int:
        """Returns the address of new memory, a multiple of 256. Its contents are arbitrary.

        Raises:
            OutOfDeviceMemory: there is too little memory.
        """

    def free(self, address: int) -> None:
        """Frees memory from `allocate` after all GPU work so far."""

    def copy_in(self, address: int, array: np.ndarray) -> None:
        """Copies a C-contiguous array from the host. The array may be changed as soon as the call returns."""

    def copy_out(self, array: np.ndarray, address: int) -> None:
        """Copies to a C-contiguous array on the host, and waits for the copy."""

    def copy(self, to: int, source: int, nbytes: int) -> None:
        """Copies within the GPU's memory. The ranges must not overlap."""

    def fill(self, address: int, byte: int, nbytes: int) -> None:
        """Sets all bytes of a range to ``byte``."""

    def allocate_pinned(self, nbytes: int) -> np.ndarray:
        """Allocates pinned memory of the host, which `copy_in_parallel` can read asynchronously."""

    def copy_in_parallel(self, address: int, array: np.ndarray, after: Any) -> Any:
        """Copies a pinned host array to the GPU in parallel with all other work; returns the event after the copy.

        Args:
            address: the destination.
            array: the array. It must not change until the copy is complete (`synchronize_event`).
            after: the event that the copy waits for, a result of `event` or of this method.

        Returns:
            The event of the complete copy.
        """

    def event(self) -> Any:
        """Returns an event that happens after all work of the GPU so far."""

    def wait(self, event: Any) -> None:
        """Makes all later work of the GPU wait for an event. The host does not wait."""

    def synchronize_event(self, event: Any) -> None:
        """Waits on the host until an event has happened."""

    def load(self, kernel: DeviceKernel | LibraryKernel, dtypes: Mapping[str, Any]) -> Any:
        """Loads a kernel so that it can be launched. Machine code comes from the disk cache if possible.

        Raises:
            TypeError: the kernel does not support the dtypes.
            CompileError: the body uses something that a GPU can't do.
            RuntimeError: the body calls a function that a GPU does not have.
        """

    def launch(self, loaded: Any, words: Sequence[int | float], units: int) -> None:
        """Enqueues a loaded kernel with its launch words, over units of work.

        Args:
            loaded: the result of `load`.
            words: an address or a number for each of the kernel's `entry_parameters`, then the address of the answer, a
                uint64 with the value `STATUS_WITHOUT_ERROR`. A list of arrays is the address of their addresses, `sizes` the
                address of their numbers of elements.
            units: the number of units of work. The driver chooses the numbers of blocks and threads.
        """

    def lend_by_dlpack(self, address: int, shape: tuple[int, ...], dtype: np.dtype, owner: Any) -> Any:
        """Returns an object that lends an array by DLPack, after all work is done. It keeps the owner alive."""

    def borrow_by_dlpack(self, lender: Any) -> tuple[int, tuple[int, ...], tuple[int, ...] | None, np.dtype]:
        """Returns address, shape, strides (in elements; None: C-contiguous) and dtype of another library's array.

        Later work waits for the work that the library has begun.

        Args:
            lender: an object with `__dlpack__` or `__cuda_array_interface__`; the caller must keep it alive.

        Raises:
            ValueError: the array is on another device.
        """

    def capture_graph(self, work: Callable[[], None]) -> Any:
        """Records the `launch`, `copy` and `fill` calls of `work` as a graph. `work` must make no other calls."""

    def launch_graph(self, graph: Any) -> None:
        """Runs a recorded graph. The memory that it uses must still exist."""

    def synchronize(self) -> None:
        """Waits until all work is done."""
