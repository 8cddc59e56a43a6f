"""A GPU by NVIDIA's driver, through cuda-core and, for plain copies, cuda-bindings.

The first use of a GPU imports both. Machine code is kept on disk, keyed by all that it depends on.
"""

from __future__ import annotations

import ctypes
import functools
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from fastgrad._src.cuda.codegen.compile import cache_key_of, compile_ptx
from fastgrad._src.cuda.codegen.entry import entry_name
from fastgrad._src.cuda.codegen.kernel import DeviceKernel
from fastgrad._src.cuda.codegen.link import Cubin, link
from fastgrad._src.cuda.devices.blas import Blas, LibraryKernel, installed_blas
from fastgrad._src.cuda.devices.driver import OutOfDeviceMemory
from fastgrad._src.cuda.devices.finding import capability_of, cuda_core
from fastgrad._src.jit.cache import Entry, load, store


class Loaded(NamedTuple):
    """A kernel that the driver has loaded.

    Attributes:
        kernel: the source of the machine code.
        entry: the driver's object.
        blocks: the limit on blocks of a launch. Blocks loop over further units.
    """

    kernel: DeviceKernel
    entry: Any
    blocks: int


class DriverError(RuntimeError):
    """The error of a call that NVIDIA's driver rejects."""


class RealDriver:
    """The `Driver` of an NVIDIA GPU, by cuda-core.

    Args:
        number: the number of the GPU, among those of CUDA_VISIBLE_DEVICES.
    """

    is_simulated = False

    def __init__(self, number: int) -> None:
        from cuda.bindings import driver

        self._core, self._driver, self._number = cuda_core(), driver, number
        self._thread = threading.local()
        device = self._core.Device(number)
        device.set_current()
        self.name = str(device.name)
        self.capability = capability_of(device)
        self._has_several_gpus = len(self._core.Device.get_all_devices()) > 1
        self._multiprocessors = int(device.properties.multiprocessor_count)
        self._pool = device.memory_resource
        self._buffers: dict[int, Any] = {}
        self._main_stream, self._beside = device.create_stream(), device.create_stream()
        self.stream = int(self._main_stream.handle)
        self._configurations: dict[tuple[int, int], Any] = {}

    @property
    def blas(self) -> Blas | None:
        self._make_gpu_current()
        return self._blas

    @functools.cached_property
    def _blas(self) -> Blas | None:
        return installed_blas()

    # ---- memory --------------------------------------------------------------------------------------------

    def free_and_total_bytes(self) -> tuple[int, int]:
        self._make_gpu_current()
        free, total = self._checked(self._driver.cuMemGetInfo())
        return int(free), int(total)

    def allocate(self, nbytes: int) -> int:
        self._make_gpu_current()
        try:
            buffer = self._pool.allocate(nbytes, stream=self._main_stream)
        except Exception as error:
            if "OUT_OF_MEMORY" in str(error):
                raise OutOfDeviceMemory(f"{nbytes} bytes are not free") from None
            raise
        address = int(buffer.handle)
        self._buffers[address] = buffer
        return address

    def free(self, address: int) -> None:
        self._make_gpu_current()
        self._buffers.pop(address).close(self._main_stream)

    def copy_in(self, address: int, array: np.ndarray) -> None:
        if array.nbytes:  # the driver has copied pageable memory when this returns
            self._make_gpu_current()
            self._checked(self._driver.cuMemcpyHtoDAsync(address, array.ctypes.data, array.nbytes, self.stream))

    def copy_out(self, array: np.ndarray, address: int) -> None:
        if array.nbytes:
            self._make_gpu_current()
            self._checked(self._driver.cuMemcpyDtoHAsync(array.ctypes.data, address, array.nbytes, self.stream))
            self._main_stream.sync()

    def copy(self, to: int, source: int, nbytes: int) -> None:
        if nbytes:
            self._checked(self._driver.cuMemcpyDtoDAsync(to, source, nbytes, self._make_gpu_current()))

    def fill(self, address: int, byte: int, nbytes: int) -> None:
        if nbytes:
            self._checked(self._driver.cuMemsetD8Async(address, byte, nbytes, self._make_gpu_current()))

    # ---- outside the order of work -----------------------------------------------------------------------

    def allocate_pinned(self, nbytes: int) -> np.ndarray:
        self._make_gpu_current()
        buffer = self._core.LegacyPinnedMemoryResource().allocate(max(nbytes, 1))
        memory: Any = (ctypes.c_uint8 * nbytes).from_address(int(buffer.handle))
        memory.buffer = buffer  # lives as long as the last array of the memory
        return np.frombuffer(memory, np.uint8)

    def copy_in_parallel(self, address: int, array: np.ndarray, after: Any) -> Any:
        self._make_gpu_current()
        self._beside.wait(after)
        if array.nbytes:
            copy_stream = int(self._beside.handle)
            self._checked(self._driver.cuMemcpyHtoDAsync(address, array.ctypes.data, array.nbytes, copy_stream))
        return self._beside.record()

    def event(self) -> Any:
        self._make_gpu_current()
        return self._main_stream.record()

    def wait(self, event: Any) -> None:
        self._make_gpu_current()
        self._main_stream.wait(event)

    def synchronize_event(self, event: Any) -> None:
        self._make_gpu_current()
        event.sync()

    def synchronize(self) -> None:
        self._make_gpu_current()
        self._main_stream.sync()

    # ---- kernels -------------------------------------------------------------------------------------------

    def load(self, kernel: DeviceKernel | LibraryKernel, dtypes: Mapping[str, Any]) -> Loaded | LibraryKernel:
        if isinstance(kernel, LibraryKernel):
            return kernel
        self._make_gpu_current()
        cubin = cached_cubin(kernel, dtypes, self.capability)
        entry = self._core.ObjectCode.from_cubin(cubin.code, name=kernel.name).get_kernel(entry_name(kernel))
        # Loads all code to the GPU now: lazy loading at the first launch would fail during graph capture.
        self._checked(self._driver.cuFuncLoad(self._checked(self._driver.cuKernelGetFunction(int(entry.handle)))))
        resident_blocks = entry.occupancy.max_active_blocks_per_multiprocessor(kernel.threads, 0)
        return Loaded(
            kernel,
            entry,
            self._multiprocessors * max(int(resident_blocks), 1) * _MOST_LAUNCHED_BLOCKS_PER_RESIDENT_BLOCK,
        )

    def launch(self, loaded: Loaded | LibraryKernel, words: Sequence[int | float], units: int) -> None:
        if isinstance(loaded, LibraryKernel):
            loaded.run(words, self._make_gpu_current())
            return
        if not units:
            return
        kernel = loaded.kernel
        threads = kernel.threads if kernel.has_work_units else 1
        blocks = units if kernel.together else -(-units // threads)
        shape = (min(blocks, loaded.blocks) if kernel.has_work_units else 1, threads)
        configuration = self._configurations.get(shape)
        if configuration is None:
            configuration = self._core.LaunchConfig(grid=shape[0], block=threads)
            self._configurations[shape] = configuration
        self._make_gpu_current()
        stream = getattr(self._thread, "recorded", None) or self._main_stream
        self._core.launch(stream, configuration, loaded.entry, *words, units)

    def capture_graph(self, work: Callable[[], None]) -> Any:
        self._make_gpu_current()
        builder = self._core.Device(self._number).create_graph_builder()
        builder.begin_building("thread_local")
        self._thread.recorded = builder
        try:
            work()
        finally:
            self._thread.recorded = None
            builder.end_building()
        graph = builder.complete()
        builder.close()
        graph.upload(self._main_stream)
        return graph

    def launch_graph(self, graph: Any) -> None:
        self._make_gpu_current()
        graph.launch(self._main_stream)

    # ---- other libraries -----------------------------------------------------------------------------------

    def lend_by_dlpack(self, address: int, shape: tuple[int, ...], dtype: np.dtype, owner: Any) -> Any:
        self._make_gpu_current()
        self._main_stream.sync()
        size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        buffer = self._core.Buffer.from_handle(address, size, owner=owner)
        return self._core.utils.StridedMemoryView.from_buffer(buffer, shape, dtype=dtype)

    def borrow_by_dlpack(self, lender: Any) -> tuple[int, tuple[int, ...], tuple[int, ...] | None, np.dtype]:
        self._make_gpu_current()
        view = self._core.utils.StridedMemoryView.from_any_interface(lender, self.stream)
        if view.device_id != self._number:
            raise ValueError(f"the array is on device {view.device_id}, not on GPU:{self._number}")
        return int(view.ptr), tuple(view.shape), view.strides and tuple(view.strides), view.dtype

    # ---- the driver ----------------------------------------------------------------------------------------

    def _make_gpu_current(self) -> int:
        """Makes this GPU the current GPU of the calling thread; returns the stream of the thread's work."""
        if self._has_several_gpus or not getattr(self._thread, "is_current", False):
            self._core.Device(self._number).set_current()
            self._thread.is_current = True
        recorded = getattr(self._thread, "recorded", None)
        return self.stream if recorded is None else int(recorded.stream.handle)

    def _checked(self, answer: tuple[Any, ...]) -> Any:
        """Returns the results of a driver function; raises an error if its status is not success."""
        status, *values = answer
        if status.value:
            raise DriverError(f"NVIDIA's driver on GPU:{self._number}: {status.name}")
        return values[0] if len(values) == 1 else tuple(values)


_MOST_LAUNCHED_BLOCKS_PER_RESIDENT_BLOCK = 4
"""The largest ratio of launched blocks to blocks that can run at once; above 1, as some blocks end sooner."""


def cached_cubin(kernel: DeviceKernel, dtypes: Mapping[str, Any], capability: int) -> Cubin:
    """Returns the machine code of a kernel, from the disk cache if possible.

    Raises:
        TypeError, UnsupportedOnGpuError, RuntimeError: as `compile_ptx` and `link`.
    """
    key = f"gpu {capability}\n{cache_key_of(kernel, dtypes)}"
    cached_entry = load(key)
    if cached_entry is not None and len(cached_entry.symbols) == len(Cubin._fields) - 1:
        return Cubin(cached_entry.code, *map(int, cached_entry.symbols))
    cubin = link(compile_ptx(kernel, dtypes, capability), capability)
    store(key, Entry(cubin.code, tuple([str(number) for number in cubin[1:]])))
    return cubin
