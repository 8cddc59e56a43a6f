"""A GPU with its memory: arrays, and a pool of free blocks.

All work of a GPU runs in one order. So a free block can be reused at once: the reads of its old contents come before the writes of
the new ones. Copies outside that order wait for it, and it waits for them (`sending.py`).
"""

from __future__ import annotations

import gc
import importlib
import math
import operator
import threading
from collections import OrderedDict, defaultdict
from collections.abc import Hashable
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from fastgrad._src.core.errors import ResourceExhaustedError
from fastgrad._src.core.shape import ArrayLike
from fastgrad._src.cuda.devices.driver import Driver, OutOfDeviceMemory

_SMALLEST_BLOCK_STEP_IN_BYTES = 512
DLPACK_CPU, DLPACK_CUDA = 1, 2
"""DLPack's numbers for kinds of devices."""
_BLOCK_SIZES_PER_DOUBLING = 8  # sizes of blocks between two powers of two


class Block:
    """A block of a GPU's memory. The pool gets it back when this object is deleted.

    Attributes:
        address: its first byte.
        size: its number of bytes.
    """

    __slots__ = ("_free", "address", "size")

    def __init__(self, address: int, size: int, free: list[int]) -> None:
        self.address, self.size, self._free = address, size, free

    def __del__(self) -> None:
        self._free.append(self.address)


class Device:
    """A GPU.

    Args:
        driver: the driver of the GPU.
        number: the number of the GPU.

    Attributes:
        driver, number: as given.
        rows: programs of one operation by its signature, the most recently used last.
        graphs: programs of graphs that are operations.
        name: the name in TensorFlow's form, for example ``/job:localhost/replica:0/task:0/device:GPU:0``.
        peak: the largest number of bytes of all blocks at one time, free blocks included.
    """

    def __init__(self, driver: Driver, number: int = 0) -> None:
        self.driver, self.number = driver, number
        self.name = f"/job:localhost/replica:0/task:0/device:GPU:{number}"
        self.rows: OrderedDict[Hashable, Any] = OrderedDict()
        self.graphs: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()
        self._free: dict[int, list[int]] = defaultdict(list)
        self._lock = threading.RLock()  # reentrant: a finalizer of the garbage collector may allocate memory
        self._taken = 0
        self.peak = 0

    def __repr__(self) -> str:
        return f"<GPU:{self.number}: {self.driver.name}>"

    def allocate(self, nbytes: int) -> Block:
        """Returns a block of at least ``nbytes`` bytes, with arbitrary contents.

        Raises:
            ResourceExhaustedError: there is no such block, even after all free blocks were returned to the driver.
        """
        size = block_size(nbytes)
        free = self._free[size]
        try:
            return Block(free.pop(), size, free)
        except IndexError:
            return Block(self._take_block(size, nbytes), size, free)

    def _take_block(self, size: int, nbytes: int) -> int:
        with self._lock:
            for attempt in range(3):
                try:
                    address = self.driver.allocate(size)
                except OutOfDeviceMemory:
                    if attempt == 2:
                        raise self._out_of_memory_error(nbytes) from None
                    if attempt == 1:
                        gc.collect()
                    self._release_free_blocks()
                else:
                    self._taken += size
                    self.peak = max(self.peak, self._taken)
                    return address
        raise AssertionError

    def _out_of_memory_error(self, nbytes: int) -> ResourceExhaustedError:
        free, total = self.driver.free_and_total_bytes()
        return ResourceExhaustedError(
            f"OOM: {nbytes:,} bytes are wanted on GPU:{self.number} ({self.driver.name}), of whose {total:,} bytes {free:,} are "
            f"free, after all that was kept for later was given back; tensors and programs of this process have {self._taken:,}. "
            "Use smaller batches, or drop tensors that are not needed any more."
        )

    def empty_cache(self) -> None:
        """Returns all free blocks to the driver."""
        with self._lock:
            self._release_free_blocks()

    def _release_free_blocks(self) -> None:
        for size, free in list(self._free.items()):
            while free:
                self.driver.free(free.pop())
                self._taken -= size

    def bytes_in_blocks(self) -> tuple[int, int]:
        """Returns the number of bytes in used blocks and in free blocks."""
        free = sum(size * len(blocks) for size, blocks in list(self._free.items()))
        return self._taken - free, free

    def array(self, shape: tuple[int, ...], dtype: Any) -> DeviceArray:
        """Returns a new array with arbitrary contents."""
        dtype = np.dtype(dtype)
        block = self.allocate(math.prod(shape) * dtype.itemsize)
        return DeviceArray(self, block.address, shape, dtype, block)

    def compiled_program(self, *graphs: Any) -> Any:
        """Returns the `program.DeviceProgram` that recorded graphs compile to on this device."""
        # A function call, not an import statement: lower layers than programs have arrays, too.
        return importlib.import_module("fastgrad._src.cuda.runtime.program").DeviceProgram(self, *graphs)

    def put(self, array: np.ndarray) -> DeviceArray:
        """Copies an array of the host to this device."""
        copy = self.array(array.shape, array.dtype)
        copy.write(array)
        return copy


class DeviceArray(ArrayLike):
    """A C-contiguous array in a GPU's memory. `on_host` is the explicit copy to the host.

    Attributes:
        device: the device of the memory.
        address: the address of the first element.
        shape, dtype: as in a NumPy array; no objects.
        base: the owner of the memory: a `Block`, or another library's object.
    """

    __slots__ = ("__weakref__", "address", "base", "device", "dtype", "shape")
    __array_ufunc__ = None  # makes NumPy's functions reject it

    def __init__(self, device: Device, address: int, shape: tuple[int, ...], dtype: np.dtype, base: Any) -> None:
        if dtype.hasobject:
            raise TypeError(f"arrays of {dtype} can be on the host only")
        self.device, self.address, self.shape, self.dtype, self.base = device, address, shape, dtype, base

    def __repr__(self) -> str:
        return f"<DeviceArray {self.shape} {self.dtype} on GPU:{self.device.number}>"

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        raise TypeError(
            f"an array on GPU:{self.device.number} does not become one of NumPy silently. Of a tensor, .numpy() is a copy."
        )

    def __getitem__(self, key: Any) -> DeviceArray:
        """Returns a row, a view: `array[n, ...]`."""
        number = key[0] if isinstance(key, tuple) and key[1:] == (...,) else key
        rows = self.shape[0]
        if not -rows <= (number := operator.index(number)) < rows:
            raise IndexError(f"row {number} of {rows}")
        shape = self.shape[1:]
        row = math.prod(shape) * self.itemsize
        return DeviceArray(self.device, self.address + number % rows * row, shape, self.dtype, self.base)

    def reshape(self, shape: tuple[int, ...]) -> DeviceArray:
        """Returns an array in the same memory with another shape of as many elements."""
        return DeviceArray(self.device, self.address, shape, self.dtype, self.base)

    def copy(self) -> DeviceArray:
        """Returns a copy of the array on the same GPU."""
        duplicate = self.device.array(self.shape, self.dtype)
        self.device.driver.copy(duplicate.address, self.address, self.nbytes)
        return duplicate

    def write(self, array: np.ndarray | DeviceArray) -> None:
        """Copies an array of the same shape and dtype, from the host or a GPU, to this array."""
        if array.shape != self.shape or array.dtype != self.dtype:
            raise ValueError(f"{array.shape} {array.dtype} are written to {self.shape} {self.dtype}")
        if isinstance(array, np.ndarray):
            self.device.driver.copy_in(self.address, np.ascontiguousarray(array).reshape(self.shape))
        elif array.device is not self.device:
            self.write(array.on_host())
        elif array.address != self.address:
            self.device.driver.copy(self.address, array.address, self.nbytes)

    def __dlpack_device__(self) -> tuple[int, int]:
        return (DLPACK_CPU, 0) if self.device.driver.is_simulated else (DLPACK_CUDA, self.device.number)

    def __dlpack__(
        self, *, stream: Any = None, max_version: Any = None, dl_device: Any = None, copy: bool | None = None
    ) -> Any:
        if dl_device is not None and tuple(dl_device) == (DLPACK_CPU, 0):
            return self.on_host().__dlpack__()
        lent_array = (self.copy() if copy else self)._lent_array()  # all work is done, so no stream has to wait
        return lent_array.__dlpack__() if max_version is None else lent_array.__dlpack__(max_version=max_version)

    def _lent_array(self) -> Any:
        return self.device.driver.lend_by_dlpack(self.address, self.shape, self.dtype, self.base)

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        driver = self.device.driver
        if driver.is_simulated:
            raise AttributeError("a simulated GPU's memory is the host's")
        return {
            "version": 3,
            "shape": self.shape,
            "typestr": self.dtype.str,
            "data": (self.address, True),  # tensors never change
            "strides": None,
            "stream": driver.stream,
        }

    def on_host(self) -> np.ndarray:
        """Returns a copy of the GPU array in host memory, made after all earlier work."""
        array = np.empty(self.shape, self.dtype)
        self.device.driver.copy_out(array, self.address)
        return array


def block_size(nbytes: int) -> int:
    """Returns the size of a block for ``nbytes`` bytes. From 4 kB on, less than an eighth of a block is unused."""
    step = max(_SMALLEST_BLOCK_STEP_IN_BYTES, (1 << max(nbytes - 1, 0).bit_length()) // (2 * _BLOCK_SIZES_PER_DOUBLING))
    return max(-(-nbytes // step), 1) * step
