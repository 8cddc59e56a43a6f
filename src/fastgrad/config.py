"""Settings of the running process (``tf.config``)."""

from __future__ import annotations

from types import SimpleNamespace as _SimpleNamespace
from typing import NamedTuple

from numpy import bool_ as _bool_

from fastgrad import settings_version as _mutation
from fastgrad.argument_checks import checked_integer as _checked_integer
from fastgrad.compiler.dispatch.eagerly import enable_op_determinism as _enable_op_determinism
from fastgrad.compiler.dispatch.eagerly import functions_run_eagerly as functions_run_eagerly
from fastgrad.compiler.dispatch.eagerly import run_functions_eagerly as run_functions_eagerly
from fastgrad.kernels.codegen.build import set_compile_messages as set_compile_messages
from fastgrad.kernels.runtime.processors import default_threads as _default_threads
from fastgrad.kernels.runtime.thread_pool import team as _team
from fastgrad.placement import device_named as _device_named
from fastgrad.placement import get_default_device as get_default_device
from fastgrad.placement import set_default_device as set_default_device
from fastgrad.settings_version import TENSOR_FLOAT_32 as _TF32


class PhysicalDevice(NamedTuple):
    """A device of this machine.

    Attributes:
        name: for example ``/physical_device:CPU:0``.
        device_type: ``"CPU"`` or ``"GPU"``.
    """

    name: str
    device_type: str


class LogicalDevice(NamedTuple):
    """A device as operations see it.

    Attributes:
        name: for example ``/device:CPU:0``.
        device_type: ``"CPU"`` or ``"GPU"``.
    """

    name: str
    device_type: str


def list_physical_devices(device_type: str | None = None) -> list[PhysicalDevice]:
    """The devices of this machine that fastgrad can use; ``why_no_gpu`` says why no GPU is among them.

    Args:
        device_type: only those of this type, ``"CPU"`` or ``"GPU"``; default all.
    """
    return [PhysicalDevice(f"/physical_device:{kind}:{number}", kind) for kind, number in _devices(device_type)]


def list_logical_devices(device_type: str | None = None) -> list[LogicalDevice]:
    """The devices that tensors can be put on; arguments as ``list_physical_devices``."""
    return [LogicalDevice(f"/device:{kind}:{number}", kind) for kind, number in _devices(device_type)]


def _devices(device_type: str | None) -> list[tuple[str, int]]:
    counts = {"CPU": 1 if device_type in {None, "CPU"} else 0, "GPU": 0}
    if device_type in {None, "GPU"}:
        from fastgrad.cuda.devices import available

        counts["GPU"] = available.count()
    return [(kind, number) for kind, count in counts.items() for number in range(count)]


get_visible_devices = list_physical_devices


def why_no_gpu() -> str | None:
    """One line that says why ``list_physical_devices("GPU")`` is empty, and what to do; None if it is not. fastgrad's own."""
    from fastgrad.cuda.devices import available

    return available.problem()


def _set_memory_growth(device: PhysicalDevice, enable: bool) -> None:
    """Kept for TensorFlow's programs: memory of a GPU is always taken as it is needed.

    Args:
        device: a GPU of ``list_physical_devices``.
        enable: True.

    Raises:
        ValueError: ``enable`` is False: all memory is never taken beforehand; or ``device`` is none of this machine.
    """
    if not isinstance(device, (PhysicalDevice, LogicalDevice)):
        raise ValueError(f"tf.config.experimental.set_memory_growth: Unrecognized device: {device!r}.")
    if not enable:
        raise ValueError(
            f"tf.config.experimental.set_memory_growth: memory of {device.name} is always taken as it is needed."
        )


def _get_memory_info(device: str) -> dict[str, int]:
    """How much memory of a GPU this process uses. TensorFlow: tf.config.experimental.get_memory_info.

    Args:
        device: for example ``"GPU:0"``.

    Returns:
        The bytes of tensors and programs, ``"current"`` now and at their ``"peak"``, which counts what is kept for later.

    Raises:
        ValueError: it is no GPU of this machine.
        TypeError: it is no text.
    """
    if not isinstance(device, str):
        raise TypeError(f"tf.config.experimental.get_memory_info: Argument `device` must be a text, got {device!r}.")
    found = _device_named(device, "tf.config.experimental.get_memory_info")
    if found is None:
        raise ValueError(f"tf.config.experimental.get_memory_info: {device!r} is no GPU of this machine.")
    return {"current": found.kept()[0], "peak": found.peak}


def _enable_tensor_float_32_execution(enabled: bool) -> None:
    """Says whether GPUs may round factors of float32 products to TF32. TensorFlow: the same name.

    TF32 has float32's range and 10 bits behind the point, and tensor cores multiply it several times as fast. In fastgrad it is off
    until somebody asks for it; in TensorFlow it is on. It makes a difference where products are cuBLASLt's (`docs/gpu.md`). Functions
    that are compiled notice the change.

    Args:
        enabled: whether they may.

    Raises:
        TypeError: ``enabled`` is no bool.
    """
    if not isinstance(enabled, (bool, _bool_)):
        raise TypeError(
            f"tf.config.experimental.enable_tensor_float_32_execution: Argument `enabled` must be a bool, got {enabled!r}."
        )
    _mutation.settings[_TF32] = "on" if enabled else "off"
    _mutation.changed()


def _tensor_float_32_execution_enabled() -> bool:
    """Whether GPUs may round factors of float32 products to TF32. TensorFlow: the same name."""
    return _mutation.settings.get(_TF32) == "on"


experimental = _SimpleNamespace(
    enable_tensor_float_32_execution=_enable_tensor_float_32_execution,
    tensor_float_32_execution_enabled=_tensor_float_32_execution_enabled,
    enable_op_determinism=_enable_op_determinism,
    set_memory_growth=_set_memory_growth,
    get_memory_info=_get_memory_info,
)


def get_num_threads() -> int:
    """How many threads compiled steps compute with, the caller's among them."""
    return _team.threads


def set_num_threads(threads: int) -> None:
    """Sets how many threads compiled steps compute with; results do not depend on it.

    As the process starts they are as many as ``FASTGRAD_NUM_THREADS`` says, else as it has processors: by its affinity, and by the
    limits of its control group.

    Args:
        threads: the number, the caller's among them, at least 1; beyond 64 it counts as 64.

    Raises:
        ValueError: ``threads`` is less than 1.
        TypeError: it is no whole number.
    """
    count = _checked_integer("tf.config.set_num_threads", "threads", threads)
    if count < 1:
        raise ValueError(f"tf.config.set_num_threads: threads is {count}; it must be at least 1 (the caller's own).")
    _team.resize(count)


_threads = {"intra": 0, "inter": 0}


def _thread_count(kind: str, num_threads: int) -> int:
    """``num_threads`` as an int, checked for ``set_{kind}_op_parallelism_threads``."""
    count = _checked_integer(f"tf.config.threading.set_{kind}_op_parallelism_threads", "num_threads", num_threads)
    if count < 0:
        raise ValueError(
            f"tf.config.threading.set_{kind}_op_parallelism_threads: num_threads is {count}; 0 is the default."
        )
    return count


def _get_intra_op_parallelism_threads() -> int:
    """What ``set_intra_op_parallelism_threads`` was given; 0, as at first, is as many as the process has processors."""
    return _threads["intra"]


def _set_intra_op_parallelism_threads(num_threads: int) -> None:
    """Sets how many threads one operation computes with, as ``set_num_threads`` does; at any time, not only at first.

    Args:
        num_threads: the number; 0 is as many as the process has processors, or ``FASTGRAD_NUM_THREADS``.

    Raises:
        ValueError: it is negative.
        TypeError: it is no whole number.
    """
    count = _thread_count("intra", num_threads)
    set_num_threads(count or _default_threads())
    _threads["intra"] = count


def _get_inter_op_parallelism_threads() -> int:
    """What ``set_inter_op_parallelism_threads`` was given; 0 at first."""
    return _threads["inter"]


def _set_inter_op_parallelism_threads(num_threads: int) -> None:
    """Kept for TensorFlow's programs: operations run one after the other, whatever the number; each has the threads of "intra".

    Args:
        num_threads: a number, at least 0.

    Raises:
        ValueError: it is negative.
        TypeError: it is no whole number.
    """
    count = _thread_count("inter", num_threads)
    _threads["inter"] = count


threading = _SimpleNamespace(
    get_intra_op_parallelism_threads=_get_intra_op_parallelism_threads,
    set_intra_op_parallelism_threads=_set_intra_op_parallelism_threads,
    get_inter_op_parallelism_threads=_get_inter_op_parallelism_threads,
    set_inter_op_parallelism_threads=_set_inter_op_parallelism_threads,
)
