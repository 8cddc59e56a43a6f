"""The number of usable GPUs, and the reason if there is none."""

from __future__ import annotations

import functools
import importlib
import math
import os
from collections.abc import Callable
from typing import Any

from fastgrad._src.cuda.devices.driver import Driver
from fastgrad._src.cuda.devices.memory import DLPACK_CUDA, Device, DeviceArray

_other_drivers: tuple[Callable[[], Driver], ...] = ()


def gpu_count() -> int:
    """Returns the number of usable GPUs; 0 if a driver or a package is missing."""
    return _count_and_problem()[0]


def no_gpu_reason() -> str | None:
    """Returns one line with the reason why there is no GPU, and the remedy; None if there is a GPU."""
    return _count_and_problem()[1]


@functools.cache
def gpu_device(number: int) -> Device:
    """Returns the GPU with a number below `gpu_count()`. The first call initializes it."""
    # A function call, not an import statement: operations are a lower layer and must not import a higher one.
    importlib.import_module("fastgrad._src.cuda.runtime.dispatch").install()
    if _other_drivers:
        return Device(_other_drivers[number](), number)
    from fastgrad._src.cuda.devices.real import RealDriver

    return Device(RealDriver(number), number)


def copy_of_foreign_array(lender: Any) -> DeviceArray:
    """Copies another library's array, on the same GPU.

    Args:
        lender: an object with `__dlpack__` or `__cuda_array_interface__`.

    Raises:
        ValueError: the GPU is not usable, or the array is not C-contiguous.
    """
    number = lender.__dlpack_device__()[1] if hasattr(lender, "__dlpack_device__") else 0
    if number >= gpu_count():
        raise ValueError(
            f"a {type(lender).__name__} on GPU:{number} does not become a tensor: {no_gpu_reason() or 'no such GPU'}"
        )
    gpu = gpu_device(number)
    address, shape, strides, dtype = gpu.driver.borrow_by_dlpack(lender)
    contiguous = tuple([math.prod(shape[axis + 1 :]) for axis in range(len(shape))])
    if strides is not None and any(n > 1 and a != b for n, a, b in zip(shape, strides, contiguous, strict=True)):
        raise ValueError(f"an array of strides {strides} does not become a tensor: make it C-contiguous first")
    copy = gpu.array(shape, dtype)
    gpu.driver.copy(copy.address, address, copy.nbytes)
    gpu.driver.synchronize()  # afterwards the lender may change the array
    return copy


def is_on_gpu(value: Any) -> bool:
    """True if a value is another library's array on a GPU."""
    if hasattr(value, "__dlpack_device__"):
        return int(value.__dlpack_device__()[0]) == DLPACK_CUDA
    return hasattr(value, "__cuda_array_interface__")


def list_gpus_of(*drivers: Callable[[], Driver]) -> None:
    """Lists GPUs of other drivers, such as a simulation, in place of NVIDIA's; without arguments, NVIDIA's again.

    Args:
        drivers: for each GPU a function that returns its driver.
    """
    global _other_drivers  # noqa: PLW0603 (the list of GPUs is a fact about the process)
    _other_drivers = drivers
    forget_gpus()


def forget_gpus() -> None:
    """Clears the cached list of GPUs. Existing tensors keep their devices."""
    _count_and_problem.cache_clear()
    gpu_device.cache_clear()


@functools.cache
def _count_and_problem() -> tuple[int, str | None]:
    if os.environ.get("FASTGRAD_SIMULATED_GPU", "0") not in {"", "0"}:
        raise ValueError(
            "FASTGRAD_SIMULATED_GPU is set, but no installed part of fastgrad simulates GPUs; unset it, or use "
            "`simulated_gpus` of tests/cuda/simulation/driver.py in fastgrad's sources"
        )
    if _other_drivers:
        return len(_other_drivers), None
    from fastgrad._src.cuda.devices.finding import GpuUnavailableError, real_gpu_count

    try:
        return real_gpu_count(), None
    except GpuUnavailableError as reason:
        return 0, str(reason)
