"""Name scopes and device scopes: where operations would be in TensorFlow's graphs and machines."""

from __future__ import annotations

import re
import threading

_scopes = threading.local()


class name_scope:  # noqa: N801  # TensorFlow's name
    """A context that names what is made inside; it changes no computation.

    Args:
        name: one path segment, or several with ``/`` between.

    Raises:
        ValueError: the name is not a string.
    """

    def __init__(self, name: str) -> None:
        if not isinstance(name, str):
            raise ValueError("name for name_scope must be a string.")
        self._name = name

    @property
    def name(self) -> str:
        """The name given."""
        return self._name

    def __enter__(self) -> str:
        self._before = current_name_scope()
        _scopes.path = f"{self._before}{self._name}/" if self._name else ""
        return _scopes.path

    def __exit__(self, *exception: object) -> None:
        _scopes.path = self._before


def current_name_scope() -> str:
    """The names of the scopes that are entered, each with ``/`` after it; empty outside of all."""
    return getattr(_scopes, "path", "")


def get_current_name_scope() -> str:
    """The names of the scopes that are entered, with ``/`` between them. TensorFlow: tf.get_current_name_scope."""
    return current_name_scope().removesuffix("/")


_CPU = re.compile(r"(/job:localhost)?(/replica:0)?(/task:0)?/?(device:)?cpu(:(0|\*))?", re.IGNORECASE)


class device:  # noqa: N801  # TensorFlow's name
    """A context that says where operations run: ``"/CPU:0"`` and its spellings, or None for the default.

    Args:
        device_name: the device.

    Raises:
        RuntimeError: the device is not there; the message lists those that are. (On entry, as in TensorFlow.)
    """

    def __init__(self, device_name: str | None) -> None:
        if device_name is not None and not isinstance(device_name, str):
            raise ValueError(f"tf.device: a device is named by a string, got {device_name!r}.")
        self._name = device_name

    def __enter__(self) -> None:
        if self._name and not _CPU.fullmatch(self._name):
            raise RuntimeError(
                f"tf.device: could not find the device {self._name!r}; available is /CPU:0. "
                "See tf.config.list_physical_devices()."
            )

    def __exit__(self, *exception: object) -> None:
        """Nothing to undo."""
