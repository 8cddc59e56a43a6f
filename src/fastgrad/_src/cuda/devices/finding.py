"""Detection of usable NVIDIA GPUs: a new enough driver, GPUs, and the packages that access them."""

from __future__ import annotations

from importlib import metadata
from typing import Any

from fastgrad._src.cuda.codegen.compile import COMPILER_PACKAGES

INSTALL_COMMAND = 'pip install "fastgrad[cuda]"'
OLDEST_DRIVER_CUDA_VERSION = (13, 0)
"""The CUDA version that a driver needs for machine code of the CUDA 13 packages."""
OLDEST_CAPABILITY_TIMES_TEN = 75


class GpuUnavailableError(RuntimeError):
    """The error if no GPU is usable. The message is one line with the reason and the remedy."""


def cuda_core() -> Any:
    """Imports the package cuda-core, which talks to the driver.

    Raises:
        GpuUnavailableError: the package, or one that it needs, is not installed.
    """
    try:
        import cuda.core
    except Exception as error:  # noqa: BLE001 (its parts raise errors of many kinds where another part is missing)
        missing = [name for name in ("cuda-core", "cuda-bindings") if not _is_installed(name)]
        reason = (
            f"the package {missing[0]} is not installed"
            if missing
            else f"cuda-core can't be imported ({_one_line_message(error)})"
        )
        raise GpuUnavailableError(f"no GPU: {reason}; run: {INSTALL_COMMAND}") from None
    return cuda.core


def real_gpu_count() -> int:
    """Returns the number of usable GPUs, at least one.

    Raises:
        GpuUnavailableError: no GPU is usable.
    """
    core = cuda_core()
    for package in COMPILER_PACKAGES:
        if not _is_installed(package):
            raise GpuUnavailableError(f"no GPU: the package {package} is not installed; run: {INSTALL_COMMAND}")
    version = _driver_version()
    if version < OLDEST_DRIVER_CUDA_VERSION:
        raise GpuUnavailableError(
            f"no GPU: NVIDIA's driver is for CUDA {version[0]}.{version[1]}, which is older than {OLDEST_DRIVER_CUDA_VERSION[0]}.{OLDEST_DRIVER_CUDA_VERSION[1]}; "
            "install driver 580 or newer from https://www.nvidia.com/drivers"
        )
    try:
        devices = core.Device.get_all_devices()
        capabilities = [capability_of(device) for device in devices]
    except Exception as error:  # noqa: BLE001 (whatever the driver says, it is no GPU)
        raise GpuUnavailableError(f"no GPU: NVIDIA's driver says {_one_line_message(error)}; see: nvidia-smi") from None
    usable = [capability for capability in capabilities if capability >= OLDEST_CAPABILITY_TIMES_TEN]
    if not devices:
        raise GpuUnavailableError(
            "no GPU: NVIDIA's driver finds none; see: nvidia-smi, and whether CUDA_VISIBLE_DEVICES hides them"
        )
    if len(usable) < len(devices):
        raise GpuUnavailableError(
            f"no GPU: compute capability {min(capabilities) / 10} is older than {OLDEST_CAPABILITY_TIMES_TEN / 10}; "
            "hide older GPUs by CUDA_VISIBLE_DEVICES"
        )
    return len(devices)


def _driver_version() -> tuple[int, int]:
    """Returns the CUDA version of the driver."""
    try:
        from cuda.bindings import driver

        (init_status,) = driver.cuInit(0)
        version_status, version = driver.cuDriverGetVersion()
    except Exception as error:  # noqa: BLE001 (the package raises errors of many kinds where there is no driver)
        raise GpuUnavailableError(
            f"no GPU: NVIDIA's driver is not installed ({_one_line_message(error)}); install it from https://www.nvidia.com/drivers"
        ) from None
    if init_status.value == _NO_DEVICE_STATUS:
        raise GpuUnavailableError(
            "no GPU: NVIDIA's driver finds none; see: nvidia-smi, and whether CUDA_VISIBLE_DEVICES hides them"
        )
    if init_status.value or version_status.value:
        raise GpuUnavailableError(
            f"no GPU: NVIDIA's driver says {(init_status if init_status.value else version_status).name}; see: nvidia-smi"
        )
    return version // 1000, version % 1000 // 10


_NO_DEVICE_STATUS = 100  # CUDA_ERROR_NO_DEVICE


def capability_of(device: Any) -> int:
    """Returns the compute capability of a cuda-core device, times ten."""
    capability = device.compute_capability
    return int(capability.major) * 10 + int(capability.minor)


def _is_installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def _one_line_message(error: BaseException) -> str:
    """Returns the message of an error in one line."""
    return " ".join(str(error).split()) or type(error).__name__
