"""A GPU in host memory, whose kernels `lock_step` runs: the driver without a GPU.

It checks each access against the bounds of the memory, and fills new memory with NaN.
"""

from __future__ import annotations

import functools
import math
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from fastgrad._src.compiler.function import forget_entries
from fastgrad._src.core.dispatch import dispatchers
from fastgrad._src.core.placement import placement
from fastgrad._src.cuda.codegen.kernel import DeviceKernel
from fastgrad._src.cuda.devices import available
from fastgrad._src.cuda.devices.blas import Blas, LibraryKernel
from fastgrad._src.cuda.devices.driver import OutOfDeviceMemory
from fastgrad._src.cuda.runtime import dispatch
from tests.cuda.simulation.lock_step import SimulatedKernel, SimulationError

ALLOCATION_ALIGNMENT_IN_BYTES = 256
NEW_MEMORY_BYTE = 255
"""The byte that fills new memory: NaN in any float type, and an invalid index."""


@contextmanager
def simulated_gpus(count: int = 1, driver: Callable[[], SimulatedDriver] | None = None) -> Iterator[None]:
    """Lists simulated GPUs in place of NVIDIA's, and leaves a process as one that has used no GPU."""
    before, was_active = [*dispatchers], placement.active
    available.list_gpus_of(*[driver or SimulatedDriver] * count)
    try:
        yield
    finally:
        available.list_gpus_of()
        placement.active = was_active
        if dispatchers != before:
            dispatchers[:] = before
            dispatch.install.cache_clear()
            forget_entries()


class SimulatedDriver:
    """The `Driver` of a GPU that is simulated in host memory.

    Args:
        total: the bytes of its memory.
        blocks, threads: the blocks and threads of a launch, fewer than on a GPU, as each costs time here.
    """

    name = "Simulated GPU"
    capability = 90
    is_simulated = True
    stream = 0
    blas: Blas | None = None

    def __init__(self, total: int = 1 << 30, blocks: int = 2, threads: int = 32) -> None:
        # The system provides pages at their first use.
        self._memory = np.empty(total + ALLOCATION_ALIGNMENT_IN_BYTES, np.uint8)
        self._first = -(-self._memory.ctypes.data // ALLOCATION_ALIGNMENT_IN_BYTES) * ALLOCATION_ALIGNMENT_IN_BYTES
        self._total_bytes = total
        self._starts: list[int] = []  # sorted addresses of allocations
        self._sizes: dict[int, int] = {}
        self._blocks, self._threads = blocks, threads
        self._recorded: list[Callable[[], None]] | None = None

    def free_and_total_bytes(self) -> tuple[int, int]:
        used = sum(_fenced_size(size) for size in self._sizes.values())
        return self._total_bytes - used, self._total_bytes

    def allocate(self, nbytes: int) -> int:
        self._refuse_while_recording("allocates")
        needed_bytes, address = _fenced_size(nbytes), self._first
        for index, start in enumerate([*self._starts, self._first + self._total_bytes]):
            if start - address >= needed_bytes:
                self._starts.insert(index, address)
                self._sizes[address] = nbytes
                self._bytes_at(address, nbytes)[:] = NEW_MEMORY_BYTE
                return address
            address = start + _fenced_size(self._sizes.get(start, 0))
        raise OutOfDeviceMemory(f"{nbytes} bytes are not free in one piece")

    def free(self, address: int) -> None:
        if self._sizes.pop(address, None) is None:
            raise SimulationError(f"address {address:#x} is freed, but was not allocated")
        self._starts.remove(address)

    def copy_in(self, address: int, array: np.ndarray) -> None:
        self._refuse_while_recording("copies from the host")
        self._bytes_at(address, array.nbytes)[:] = _bytes_of(array)

    def copy_out(self, array: np.ndarray, address: int) -> None:
        self._refuse_while_recording("copies to the host")
        _bytes_of(array)[:] = self._bytes_at(address, array.nbytes)

    def copy(self, to: int, source: int, nbytes: int) -> None:
        if abs(to - source) < nbytes:
            raise SimulationError(f"{nbytes} bytes are copied from {source:#x} to {to:#x}, which overlap")
        self._run_or_record(lambda: np.copyto(self._bytes_at(to, nbytes), self._bytes_at(source, nbytes)))

    def fill(self, address: int, byte: int, nbytes: int) -> None:
        self._run_or_record(lambda: self._bytes_at(address, nbytes).fill(byte))

    def allocate_pinned(self, nbytes: int) -> np.ndarray:
        return np.full(nbytes, NEW_MEMORY_BYTE, np.uint8)

    def copy_in_parallel(self, address: int, array: np.ndarray, after: Callable[[], None]) -> Callable[[], None]:
        """Copies as late as the contract allows, so a missing wait or an early change of the array shows."""
        self._refuse_while_recording("copies from the host")

        @functools.cache
        def finish_copy() -> None:
            after()
            self._bytes_at(address, array.nbytes)[:] = _bytes_of(array)

        return finish_copy

    def event(self) -> Callable[[], None]:
        self._refuse_while_recording("makes events")
        return _complete_event

    def wait(self, event: Callable[[], None]) -> None:
        event()

    def synchronize_event(self, event: Callable[[], None]) -> None:
        event()

    def load(self, kernel: DeviceKernel | LibraryKernel, dtypes: Mapping[str, Any]) -> SimulatedKernel | LibraryKernel:
        if isinstance(kernel, LibraryKernel):
            return kernel
        return SimulatedKernel(kernel, dtypes)

    def launch(self, loaded: SimulatedKernel | LibraryKernel, words: Sequence[int | float], units: int) -> None:
        words = tuple(words)
        if isinstance(loaded, LibraryKernel):
            library = loaded
            self._run_or_record(lambda: library.run(words, self.stream))
            return
        simulated = loaded

        def run_kernel() -> None:
            for name, word in zip(simulated.names, words, strict=True):
                if name is not None:
                    self._check_range(int(word), 0, f"kernel {simulated.kernel.name}: {name}")
            simulated.run(words, units, self._blocks, self._threads, self._allocated_bytes_from)

        self._run_or_record(run_kernel)

    def lend_by_dlpack(self, address: int, shape: tuple[int, ...], dtype: np.dtype, owner: Any) -> np.ndarray:
        return np.asarray(
            _LentArray(self._bytes_at(address, math.prod(shape) * dtype.itemsize).view(dtype).reshape(shape), owner)
        )

    def borrow_by_dlpack(self, lender: Any) -> tuple[int, tuple[int, ...], tuple[int, ...] | None, np.dtype]:
        raise ValueError(f"{type(lender).__name__} has its array on a GPU, and not on one that is simulated")

    def capture_graph(self, work: Callable[[], None]) -> list[Callable[[], None]]:
        self._refuse_while_recording("records")
        recorded: list[Callable[[], None]] = []
        self._recorded = recorded
        try:
            work()
        finally:
            self._recorded = None
        return recorded

    def launch_graph(self, graph: list[Callable[[], None]]) -> None:
        self._refuse_while_recording("replays")
        for step in graph:
            step()

    def synchronize(self) -> None:
        self._refuse_while_recording("waits")

    def _run_or_record(self, step: Callable[[], None]) -> None:
        if self._recorded is None:
            step()
        else:
            self._recorded.append(step)

    def _refuse_while_recording(self, action: str) -> None:
        if self._recorded is not None:
            raise SimulationError(f"what is recorded as a graph {action}, which no graph can")

    def _bytes_at(self, address: int, nbytes: int) -> np.ndarray:
        self._check_range(address, nbytes, "")
        offset = address - self._memory.ctypes.data
        return self._memory[offset : offset + nbytes]

    def _allocated_bytes_from(self, address: int) -> int:
        """Returns the number of allocated bytes from an address on."""
        start = self._starts[bisect_right(self._starts, address) - 1]
        return start + self._sizes[start] - address

    def _check_range(self, address: int, nbytes: int, accessor: str) -> None:
        index = bisect_right(self._starts, address) - 1
        start = self._starts[index] if index >= 0 else 0
        if index < 0 or address + nbytes > start + self._sizes[start]:
            raise SimulationError(f"{accessor or 'a copy'}: {nbytes} bytes at {address:#x} are not in allocated memory")


class _LentArray:
    """Memory of a simulated GPU as a NumPy array, which keeps its owner alive."""

    def __init__(self, array: np.ndarray, owner: Any) -> None:
        self._kept, self.__array_interface__ = (array, owner), array.__array_interface__


def _complete_event() -> None:
    """The event of a simulated GPU; waiting for it does nothing, as all earlier work was done synchronously."""


def _fenced_size(nbytes: int) -> int:
    """Returns the bytes of an allocation with a guard area after it."""
    return (nbytes // ALLOCATION_ALIGNMENT_IN_BYTES + 1) * ALLOCATION_ALIGNMENT_IN_BYTES


def _bytes_of(array: np.ndarray) -> np.ndarray:
    return array.reshape(-1).view(np.uint8)
