"""Name scopes and device scopes: where operations would be in TensorFlow's graphs and machines."""

from __future__ import annotations

import re
import threading

_scopes = threading.local()


class name_scope:  # noqa: N801  # TensorFlow's name
    """A context that names what is made inside; it changes no computation.

    Args:
        name: one path segment, or several with ``/`` between; with ``/`` at its end it is the whole path, as the context gives it.

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
        name = self._name
        _scopes.path = name if not name or name.endswith("/") else f"{self._before}{name}/"
        return _scopes.path

    def __exit__(self, *exception: object) -> None:
        _scopes.path = self._before


def current_name_scope() -> str:
    """The names of the scopes that are entered, each with ``/`` after it; empty outside of all."""
    return getattr(_scopes, "path", "")


def get_current_name_scope() -> str:
    """The names of the scopes that are entered, with ``/`` between them. TensorFlow: tf.get_current_name_scope."""
    return current_name_scope().removesuffix("/")


_DEVICE = re.compile(
    r"(/job:localhost)?(/replica:\d+)?(/task:\d+)?/?(device:)?(cpu|gpu|tpu)?(:(\d+|\*))?", re.IGNORECASE
)


class device:  # noqa: N801  # TensorFlow's name
    """A context that says where operations run: on ``"/CPU:0"``, also in place of devices that are not there, as in TensorFlow.

    Args:
        device_name: ``"/CPU:0"``, ``"/GPU:0"`` and their spellings, or None for the default.

    Raises:
        ValueError: the name is no string, or not that of a device of this machine.
    """

    def __init__(self, device_name: str | None) -> None:
        if device_name is not None and not isinstance(device_name, str):
            raise ValueError(f"tf.device: Expecting a string device name. Got {device_name!r}.")
        self._name = device_name

    def __enter__(self) -> None:
        if self._name is not None and not _DEVICE.fullmatch(self._name):
            raise ValueError(
                f"tf.device: {self._name!r} is not the name of a device of this machine; write '/CPU:0'. "
                "See tf.config.list_physical_devices()."
            )

    def __exit__(self, *exception: object) -> None:
        """Nothing to undo."""
