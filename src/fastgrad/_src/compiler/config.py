"""Settings of the running process (``tf.config``)."""

from __future__ import annotations

from typing import NamedTuple

from numpy import bool_ as _bool_

from fastgrad._src.compiler.dispatch.background_compilation import (
    get_background_compilation as get_background_compilation,
)
from fastgrad._src.compiler.dispatch.background_compilation import (
    set_background_compilation as set_background_compilation,
)
from fastgrad._src.compiler.dispatch.eager_execution import enable_op_determinism as _enable_op_determinism
from fastgrad._src.compiler.dispatch.eager_execution import functions_run_eagerly as functions_run_eagerly
from fastgrad._src.compiler.dispatch.eager_execution import run_functions_eagerly as run_functions_eagerly
from fastgrad._src.core import python_state_version as _mutation
from fastgrad._src.core.argument_checks import checked_flag as _checked_flag
from fastgrad._src.core.argument_checks import checked_integer as _checked_integer
from fastgrad._src.core.hooks import Hook as _Hook
from fastgrad._src.core.hooks import module_of as _module_of
from fastgrad._src.core.malloc_tuning import memory_of_process as _memory_of_process
from fastgrad._src.core.names import Namespace as _Namespace
from fastgrad._src.core.placement import device_named as _device_named
from fastgrad._src.core.placement import get_default_device as get_default_device
from fastgrad._src.core.placement import placement as _placement
from fastgrad._src.core.placement import set_default_device as set_default_device
from fastgrad._src.core.python_state_version import TENSOR_FLOAT_32_SETTING as _TF32
from fastgrad._src.jit.processors import default_threads as _default_threads
from fastgrad._src.jit.progress import set_compile_messages as set_compile_messages
from fastgrad._src.kernels.runtime.thread_pool import compute_pool as _compute_pool


class PhysicalDevice(NamedTuple):
    """A device of this machine.

    Attributes:
        name: for example ``/physical_device:CPU:0``.
        device_type: ``"CPU"`` or ``"GPU"``.
    """

    name: str
    device_type: str


class LogicalDevice(NamedTuple):
    """A device that operations can run on.

    Attributes:
        name: for example ``/device:CPU:0``.
        device_type: ``"CPU"`` or ``"GPU"``.
    """

    name: str
    device_type: str


def list_physical_devices(device_type: str | None = None) -> list[PhysicalDevice]:
    """Lists the devices of this machine that fastgrad can use; see ``why_no_gpu`` if a GPU is missing.

    Args:
        device_type: ``"CPU"`` or ``"GPU"`` lists only this type; default: all.

    Example:
        >>> tf.config.list_physical_devices("CPU")
        [PhysicalDevice(name='/physical_device:CPU:0', device_type='CPU')]
    """
    return [PhysicalDevice(f"/physical_device:{kind}:{number}", kind) for kind, number in _devices(device_type)]


def list_logical_devices(device_type: str | None = None) -> list[LogicalDevice]:
    """Lists the devices that can hold tensors; see ``set_logical_device_configuration``; arguments as in ``list_physical_devices``."""
    devices: list[LogicalDevice] = []
    for physical in get_visible_devices(device_type):
        kind = physical.device_type
        first = sum(device.device_type == kind for device in devices)
        parts = len(_logical_devices.get(physical, [None]))
        devices += [LogicalDevice(f"/device:{kind}:{number}", kind) for number in range(first, first + parts)]
    return devices


class LogicalDeviceConfiguration(NamedTuple):
    """One of the logical devices of a physical device; every field must be None, its default: see ``set_logical_device_configuration``.

    Attributes:
        memory_limit: the most MB of memory of a GPU.
        experimental_priority: the priority of a GPU's device.
        experimental_device_ordinal: the place in the order of a GPU's devices.
    """

    memory_limit: int | None = None
    experimental_priority: int | None = None
    experimental_device_ordinal: int | None = None


_logical_devices: dict[PhysicalDevice, list[LogicalDeviceConfiguration]] = {}
"""The logical devices of the physical devices that were divided."""


def set_logical_device_configuration(device: PhysicalDevice, logical_devices: list[LogicalDeviceConfiguration]) -> None:
    """Divides the CPU into logical devices, which ``list_logical_devices`` lists; all have the memory of the host.

    Args:
        device: a device of ``list_physical_devices``.
        logical_devices: its logical devices, one or more for the CPU, one for a GPU.

    Raises:
        ValueError: ``device`` is not a device, a field of ``logical_devices`` is set, or a GPU is divided.
    """
    function = "tf.config.set_logical_device_configuration"
    if device not in list_physical_devices():
        raise ValueError(f"{function}: Unrecognized device: {device!r}.")
    configurations = list(logical_devices)
    if not configurations or not all(isinstance(one, LogicalDeviceConfiguration) for one in configurations):
        raise ValueError(f"{function}: logical_devices must be LogicalDeviceConfigurations, got {logical_devices!r}.")
    if any(value is not None for one in configurations for value in one):
        raise ValueError(f"{function}: Setting a memory limit, priority or order of {device.name} is not supported.")
    if device.device_type != "CPU" and len(configurations) > 1:
        raise ValueError(
            f"{function}: {device.name} can't be divided into {len(configurations)} devices, only the CPU."
        )
    _logical_devices[device] = configurations


def get_logical_device_configuration(device: PhysicalDevice) -> list[LogicalDeviceConfiguration] | None:
    """Returns the argument ``logical_devices`` of ``set_logical_device_configuration`` for a device; None if not set. ValueError if it is no device."""
    if device not in list_physical_devices():
        raise ValueError(f"tf.config.get_logical_device_configuration: Unrecognized device: {device!r}.")
    return _logical_devices.get(device)


def _devices(device_type: str | None) -> list[tuple[str, int]]:
    counts = {"CPU": 1 if device_type in {None, "CPU"} else 0, "GPU": 0}
    if device_type in {None, "GPU"}:
        available = _module_of(_Hook.GPUS)
        counts["GPU"] = available.gpu_count()
    return [(kind, number) for kind, count in counts.items() for number in range(count)]


_hidden_devices: set[PhysicalDevice] = set()


def get_visible_devices(device_type: str | None = None) -> list[PhysicalDevice]:
    """Lists the physical devices that ``set_visible_devices`` did not hide; arguments as in ``list_physical_devices``."""
    return [device for device in list_physical_devices(device_type) if device not in _hidden_devices]


def set_visible_devices(devices: PhysicalDevice | list[PhysicalDevice], device_type: str | None = None) -> None:
    """Hides all other devices. A hidden GPU counts as missing: ``tf.device`` of its name uses the CPU.

    The other GPUs keep their numbers. Tensors on a hidden GPU stay there.

    Args:
        devices: a device of ``list_physical_devices`` or a list of them; an empty list hides all.
        device_type: ``"CPU"`` or ``"GPU"``, the type of ``devices``; devices of other types stay as they are. Default: all types.

    Raises:
        ValueError: an item of ``devices`` is not a device of this machine and of this type.
    """
    machine_devices = list_physical_devices(device_type)
    visible = devices if isinstance(devices, list) else [devices]
    for device in visible:
        if device not in machine_devices:
            raise ValueError(
                f"tf.config.set_visible_devices: Unrecognized device: {device!r}. Take it from "
                f"tf.config.list_physical_devices({'' if device_type is None else repr(device_type)}): {machine_devices}."
            )
    _hidden_devices.difference_update(machine_devices)
    _hidden_devices.update(device for device in machine_devices if device not in visible)
    _placement.hidden_gpus = frozenset(
        int(device.name.rpartition(":")[2]) for device in _hidden_devices if device.device_type == "GPU"
    )


def get_soft_device_placement() -> bool:
    """Returns the value of ``set_soft_device_placement``; True by default."""
    return _placement.is_soft


def set_soft_device_placement(enabled: bool) -> None:
    """Sets whether the name of a missing GPU means the CPU.

    Args:
        enabled: False makes such a name an InvalidArgumentError, for example in ``tf.device("/GPU:7")``.

    Raises:
        TypeError: ``enabled`` is not a bool.
    """
    _placement.is_soft = _checked_flag("tf.config.set_soft_device_placement", "enabled", enabled)


def why_no_gpu() -> str | None:
    """Returns why the list of GPUs is empty, in one line with a remedy; None if a GPU is usable. Not in TensorFlow."""
    available = _module_of(_Hook.GPUS)
    return available.no_gpu_reason()


def _set_memory_growth(device: PhysicalDevice, enable: bool) -> None:
    """Does nothing, kept for TensorFlow's programs: GPU memory is always allocated on demand.

    Args:
        device: a GPU of ``list_physical_devices``.
        enable: True.

    Raises:
        ValueError: ``enable`` is False: fastgrad cannot allocate all memory in advance; or ``device`` is not a device.
    """
    if not isinstance(device, (PhysicalDevice, LogicalDevice)):
        raise ValueError(f"tf.config.experimental.set_memory_growth: Unrecognized device: {device!r}.")
    if not enable:
        raise ValueError(
            f"tf.config.experimental.set_memory_growth: memory of {device.name} is always taken as it is needed."
        )


def _checked_physical_device(function: str, device: PhysicalDevice) -> PhysicalDevice:
    """Returns ``device``, if it is one of ``list_physical_devices``; otherwise ValueError."""
    if device not in list_physical_devices():
        raise ValueError(
            f"tf.config.experimental.{function}: Unrecognized device: {device!r}. Take it from tf.config.list_physical_devices()."
        )
    return device


def _get_memory_growth(device: PhysicalDevice) -> bool:
    """Returns True: memory is always allocated on demand; ValueError if ``device`` is no device of ``list_physical_devices``."""
    _checked_physical_device("get_memory_growth", device)
    return True


def _get_device_details(device: PhysicalDevice) -> dict[str, str]:
    """Returns what is known of a device: ``"device_name"`` of a GPU, nothing of the CPU.

    Args:
        device: a device of ``list_physical_devices``.

    Raises:
        ValueError: ``device`` is no such device.
    """
    kind, number = _checked_physical_device("get_device_details", device).name.split(":")[-2:]
    if kind == "CPU":
        return {}
    available = _module_of(_Hook.GPUS)
    return {"device_name": available.gpu_device(int(number)).driver.name}


def _get_memory_usage(device: str) -> int:
    """Returns the bytes in use: ``get_memory_info(device)["current"]``; errors as there."""
    return _get_memory_info(device)["current"]


def _reset_memory_stats(device: str) -> None:
    """Sets the peak of a GPU's memory to what is in use; nothing for the CPU, whose peak the system counts.

    Args:
        device: for example ``"GPU:0"``.

    Raises:
        ValueError, TypeError: as in ``get_memory_info``.
    """
    _get_memory_info(device)
    gpu = _device_named(device, "tf.config.experimental.reset_memory_stats")
    if gpu is not None:
        gpu.peak = gpu.bytes_in_blocks()[0]


_synchronous_execution = [True]


def _get_synchronous_execution() -> bool:
    """Returns the value of ``set_synchronous_execution``; True by default."""
    return _synchronous_execution[0]


def _set_synchronous_execution(enable: bool | None) -> None:
    """Stores the value only: operations on the CPU always run at once.

    Args:
        enable: a bool; None is the default, True.

    Raises:
        TypeError: ``enable`` is not a bool or None.
    """
    name = "tf.config.experimental.set_synchronous_execution"
    _synchronous_execution[0] = True if enable is None else _checked_flag(name, "enable", enable)


def _get_memory_info(device: str) -> dict[str, int]:
    """Returns the memory that this process uses. TensorFlow: tf.config.experimental.get_memory_info.

    Args:
        device: for example ``"GPU:0"``; ``"CPU:0"``, which TensorFlow refuses, is the memory of the whole process.

    Returns:
        The bytes ``"current"`` and ``"peak"``. Those of a GPU are of tensors and programs; the peak includes memory kept
        for reuse. For the CPU also ``"kept"``: the most free bytes that the process keeps for the next arrays
        (``core/malloc_tuning.py``); 0 if that is left to the system.

    Raises:
        ValueError: ``device`` is not a device of this machine.
        TypeError: ``device`` is not a string.
    """
    if not isinstance(device, str):
        raise TypeError(f"tf.config.experimental.get_memory_info: Argument `device` must be a text, got {device!r}.")
    if device.upper().rpartition("DEVICE:")[2] == "CPU:0":
        return _memory_of_process()
    gpu = _device_named(device, "tf.config.experimental.get_memory_info")
    if gpu is None:
        raise ValueError(f"tf.config.experimental.get_memory_info: {device!r} is no GPU of this machine.")
    return {"current": gpu.bytes_in_blocks()[0], "peak": gpu.peak}


def _enable_tensor_float_32_execution(enabled: bool) -> None:
    """Sets whether GPUs may round factors of float32 products to TF32. TensorFlow: the same name.

    TF32 has float32's range and 10 fraction bits; tensor cores multiply it several times as fast. The default is off; in
    TensorFlow it is on. The setting affects products by cuBLASLt (`docs/gpu.md`). Compiled functions notice a change.

    Args:
        enabled: whether rounding is allowed.

    Raises:
        TypeError: ``enabled`` is not a bool.
    """
    if not isinstance(enabled, (bool, _bool_)):
        raise TypeError(
            f"tf.config.experimental.enable_tensor_float_32_execution: Argument `enabled` must be a bool, got {enabled!r}."
        )
    _mutation.settings[_TF32] = "on" if enabled else "off"
    _mutation.count_change()


def _tensor_float_32_execution_enabled() -> bool:
    """True if GPUs may round factors of float32 products to TF32. TensorFlow: the same name."""
    return _mutation.settings.get(_TF32) == "on"


experimental = _Namespace(
    "tf.config.experimental",
    list_physical_devices=list_physical_devices,
    list_logical_devices=list_logical_devices,
    VirtualDeviceConfiguration=LogicalDeviceConfiguration,
    get_virtual_device_configuration=get_logical_device_configuration,
    set_virtual_device_configuration=set_logical_device_configuration,
    enable_tensor_float_32_execution=_enable_tensor_float_32_execution,
    tensor_float_32_execution_enabled=_tensor_float_32_execution_enabled,
    enable_op_determinism=_enable_op_determinism,
    set_memory_growth=_set_memory_growth,
    get_memory_info=_get_memory_info,
    get_memory_growth=_get_memory_growth,
    get_memory_usage=_get_memory_usage,
    reset_memory_stats=_reset_memory_stats,
    get_device_details=_get_device_details,
    get_visible_devices=get_visible_devices,
    set_visible_devices=set_visible_devices,
    get_synchronous_execution=_get_synchronous_execution,
    set_synchronous_execution=_set_synchronous_execution,
)


def get_num_threads() -> int:
    """Returns the number of threads of compiled steps, including the caller's thread."""
    return _compute_pool.threads


def set_num_threads(threads: int) -> None:
    """Sets the number of threads of compiled steps; results do not depend on it.

    The default is the environment variable ``FASTGRAD_NUM_THREADS``. Without it, the default is the number of processors that
    the affinity and the control group of the process allow.

    Args:
        threads: the number, including the caller's thread, at least 1; more than 64 count as 64.

    Raises:
        ValueError: ``threads`` is less than 1.
        TypeError: ``threads`` is not an integer.
    """
    count = _checked_integer("tf.config.set_num_threads", "threads", threads)
    if count < 1:
        raise ValueError(f"tf.config.set_num_threads: threads is {count}; it must be at least 1 (the caller's own).")
    _compute_pool.resize(count)


_op_parallelism_threads = {"intra": 0, "inter": 0}


def _checked_thread_count(kind: str, num_threads: int) -> int:
    """Returns ``num_threads`` as an int, checked for ``set_{kind}_op_parallelism_threads``."""
    count = _checked_integer(f"tf.config.threading.set_{kind}_op_parallelism_threads", "num_threads", num_threads)
    if count < 0:
        raise ValueError(
            f"tf.config.threading.set_{kind}_op_parallelism_threads: num_threads is {count}; 0 is the default."
        )
    return count


def _get_intra_op_parallelism_threads() -> int:
    """Returns the value of ``set_intra_op_parallelism_threads``; by default 0, the default number of threads."""
    return _op_parallelism_threads["intra"]


def _set_intra_op_parallelism_threads(num_threads: int) -> None:
    """Sets the number of threads of one operation, like ``set_num_threads``; it may be called at any time.

    Args:
        num_threads: the number; 0 means the number of processors of the process, or ``FASTGRAD_NUM_THREADS``.

    Raises:
        ValueError: ``num_threads`` is negative.
        TypeError: ``num_threads`` is not an integer.
    """
    count = _checked_thread_count("intra", num_threads)
    set_num_threads(count or _default_threads())
    _op_parallelism_threads["intra"] = count


def _get_inter_op_parallelism_threads() -> int:
    """Returns the value of ``set_inter_op_parallelism_threads``; 0 by default."""
    return _op_parallelism_threads["inter"]


def _set_inter_op_parallelism_threads(num_threads: int) -> None:
    """Stores the number only, for TensorFlow's programs: operations run one by one, each with the threads of "intra".

    Args:
        num_threads: a number, at least 0.

    Raises:
        ValueError: ``num_threads`` is negative.
        TypeError: ``num_threads`` is not an integer.
    """
    count = _checked_thread_count("inter", num_threads)
    _op_parallelism_threads["inter"] = count


threading = _Namespace(
    "tf.config.threading",
    get_intra_op_parallelism_threads=_get_intra_op_parallelism_threads,
    set_intra_op_parallelism_threads=_set_intra_op_parallelism_threads,
    get_inter_op_parallelism_threads=_get_inter_op_parallelism_threads,
    set_inter_op_parallelism_threads=_set_inter_op_parallelism_threads,
)

experimental_functions_run_eagerly = functions_run_eagerly
experimental_run_functions_eagerly = run_functions_eagerly
