"""Settings of the running process (``tf.config``)."""

from __future__ import annotations

import operator
from types import SimpleNamespace as _SimpleNamespace
from typing import NamedTuple

from fastgrad.kernels.building.build import set_compile_messages as set_compile_messages
from fastgrad.kernels.running.team import team as _team
from fastgrad.trace.calling.eagerly import enable_op_determinism as _enable_op_determinism
from fastgrad.trace.calling.eagerly import functions_run_eagerly as functions_run_eagerly
from fastgrad.trace.calling.eagerly import run_functions_eagerly as run_functions_eagerly

experimental = _SimpleNamespace(enable_op_determinism=_enable_op_determinism)


class PhysicalDevice(NamedTuple):
    """A device of this machine.

    Attributes:
        name: for example ``/physical_device:CPU:0``.
        device_type: ``"CPU"``.
    """

    name: str
    device_type: str


class LogicalDevice(NamedTuple):
    """A device as operations see it.

    Attributes:
        name: for example ``/device:CPU:0``.
        device_type: ``"CPU"``.
    """

    name: str
    device_type: str


def list_physical_devices(device_type: str | None = None) -> list[PhysicalDevice]:
    """The devices of this machine that fastgrad can use.

    Args:
        device_type: only those of this type, ``"CPU"`` or ``"GPU"``; default all.
    """
    return [PhysicalDevice("/physical_device:CPU:0", "CPU")] if device_type in (None, "CPU") else []


def list_logical_devices(device_type: str | None = None) -> list[LogicalDevice]:
    """The devices that operations can be put on; arguments as ``list_physical_devices``."""
    return [LogicalDevice("/device:CPU:0", "CPU")] if device_type in (None, "CPU") else []


get_visible_devices = list_physical_devices


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
    count = operator.index(threads)
    if count < 1:
        raise ValueError(f"tf.config.set_num_threads: threads is {count}; it must be at least 1 (the caller's own).")
    _team.resize(count)
