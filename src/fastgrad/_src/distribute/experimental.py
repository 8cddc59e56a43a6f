"""``tf.distribute.experimental``, and TensorFlow's options for communication, which have no effect: MPI communicates."""

from __future__ import annotations

import enum
from typing import Any, NamedTuple

from fastgrad._src.core.names import missing_member_getattr
from fastgrad._src.distribute.strategy import MultiWorkerMirroredStrategy as MultiWorkerMirroredStrategy
from fastgrad._src.distribute.strategy import ValueContext as ValueContext


class CommunicationImplementation(enum.Enum):
    """TensorFlow's libraries of collectives."""

    AUTO = "AUTO"
    RING = "RING"
    NCCL = "NCCL"


CollectiveCommunication = CommunicationImplementation


class CommunicationOptions(NamedTuple):
    """TensorFlow's options for collectives, without effect."""

    bytes_per_pack: int = 0
    timeout_seconds: float | None = None
    implementation: CommunicationImplementation = CommunicationImplementation.AUTO


class _CrossDeviceOperations:
    """The base of TensorFlow's algorithms for the devices of a process; a process has one device here."""

    __getattr__ = missing_member_getattr

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """Takes TensorFlow's arguments, without effect."""


class NcclAllReduce(_CrossDeviceOperations):
    """TensorFlow's algorithm of this name, without effect: a process has one device."""


class HierarchicalCopyAllReduce(_CrossDeviceOperations):
    """TensorFlow's algorithm of this name, without effect: a process has one device."""


class ReductionToOneDevice(_CrossDeviceOperations):
    """TensorFlow's algorithm of this name, without effect: a process has one device."""
