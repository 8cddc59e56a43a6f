"""Where tensors are: on the host, or on a GPU that a scope or the default names.

What is made of Python values and NumPy arrays outside of any scope belongs to no device yet: it goes to the GPU of the tensors that
it meets (`Tensor._unplaced`). What was made in a scope, computed or assigned stays where it is.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np

from fastgrad.errors import InvalidArgumentError

if TYPE_CHECKING:
    from fastgrad.cuda.devices.memory import Device, DeviceArray

HOST = "/job:localhost/replica:0/task:0/device:CPU:0"

_DEVICE = re.compile(
    r"(/job:localhost)?(/replica:\d+)?(/task:\d+)?/?(device:)?(?P<kind>cpu|gpu|tpu)?(:(?P<number>\d+|\*))?",
    re.IGNORECASE,
)


class _Scopes(threading.local):
    """What the calling thread's scopes name, innermost last: a GPU, None for the host, or `DEFAULT`."""

    devices: tuple[Any, ...] = ()


DEFAULT = object()
"""What a scope is entered with that goes back to what is the default outside of all scopes."""


class Placement:
    """Where new tensors are made.

    Attributes:
        active: whether anybody has asked for a GPU; while nobody has, everything is on the host, and calls do not look.
        default: the device outside of all scopes; None is the host.
    """

    def __init__(self) -> None:
        self.active = False
        self.default: Device | None = None
        self._scopes = _Scopes()

    @property
    def is_chosen(self) -> bool:
        """Whether a scope, or the default, says where tensors are made."""
        return self._innermost is not DEFAULT or self.default is not None

    @property
    def device(self) -> Device | None:
        """Where the calling thread makes tensors; None is the host."""
        chosen: Device | None = self._innermost
        return self.default if chosen is DEFAULT else chosen

    @property
    def _innermost(self) -> Any:
        return self._scopes.devices[-1] if self._scopes.devices else DEFAULT

    @property
    def chosen(self) -> tuple[Device | None, ...]:
        """The device that a scope of the calling thread, or the default, says; nothing if none does."""
        return (self.device,) if self.is_chosen else ()

    @property
    def is_scoped(self) -> bool:
        """Whether the calling thread is in a scope."""
        return self._innermost is not DEFAULT

    @contextmanager
    def inside(self, device: Device | None) -> Iterator[None]:
        """A scope."""
        self.enter(device)
        try:
            yield
        finally:
            self.leave()

    def enter(self, device: Any) -> None:
        """Begins a scope with a GPU, None for the host, or `DEFAULT`."""
        self.active = self.active or device not in (None, DEFAULT)
        self._scopes.devices = (*self._scopes.devices, device)

    def leave(self) -> None:
        """Ends the innermost scope."""
        self._scopes.devices = self._scopes.devices[:-1]


placement = Placement()


def placed(array: Any) -> Any:
    """An array where new tensors are made, if anybody says so: itself if it is there, else a copy. Texts stay on the host."""
    return moved(array, placement.device) if placement.is_chosen else array


def moved(array: Any, device: Device | None) -> Any:
    """An array on a device, or the host if that is None: itself if it is there, else a copy. Texts stay on the host."""
    if isinstance(array, (np.ndarray, np.generic)):
        return array if device is None or array.dtype.hasobject else device.put(np.asarray(array))
    if device is None:
        return array.on_host()
    return array if array.device is device else device.put(array.on_host())


def beside(array: Any) -> AbstractContextManager[None]:
    """Inside of this new tensors are made on the GPU that an array is on, if it is on one."""
    device = device_of(array)
    return nullcontext() if device is None else placement.inside(device)


def on_host() -> AbstractContextManager[None]:
    """Inside of this new tensors are made on the host, whatever a scope says."""
    return placement.inside(None) if placement.is_chosen else nullcontext()


def through_host(function: Callable[[Sequence[np.ndarray]], Sequence[np.ndarray]], arrays: Sequence[Any]) -> list[Any]:
    """What a function gives that knows the host's arrays alone, where the arrays are that it is given."""
    device = next(filter(None, map(device_of, arrays)), None)
    return [moved(y, device) for y in function([moved(x, None) for x in arrays])]


def device_of(array: np.ndarray | np.generic | DeviceArray) -> Device | None:
    """Whose memory an array is in; None for the host's."""
    return None if isinstance(array, (np.ndarray, np.generic)) else array.device


def name_of(device: Device | None) -> str:
    """The name of a device as TensorFlow writes it."""
    return HOST if device is None else device.name


def together(name: str, tensors: tuple[Any, ...]) -> tuple[Device | None, list[Any]]:
    """The device that tensors of one operation are on, and their arrays there.

    Args:
        name: the operation.
        tensors: its inputs; those that belong to no device yet are copied.

    Raises:
        InvalidArgumentError: they are on several devices.
    """
    found = {device_of(x._array): n for n, x in reversed(list(enumerate(tensors))) if not is_free(x)}
    if len(found) > 1:
        (first, one), (second, other) = sorted(found.items(), key=lambda item: item[1])[:2]
        raise InvalidArgumentError(
            f"{name}: tensors of two devices in one operation: input {one} is on {_short(first)}, input {other} on {_short(second)}. "
            f'Copy one of them: with tf.device("{_short(first)}"): x = tf.identity(x)'
        )
    device = next(iter(found), None)
    return device, [moved(x._array, device) for x in tensors]


def is_free(x: Any) -> bool:
    """Whether a tensor belongs to no device: texts, the host's single numbers, what was made of Python values outside of scopes."""
    array = x._array
    return isinstance(array, np.ndarray) and (not array.ndim or array.dtype.hasobject or hasattr(x, "_unplaced"))


def _short(device: Device | None) -> str:
    return name_of(device).rpartition("device:")[2]


def device_named(name: Any, function: str) -> Device | None:
    """The device of a name, or None for the host, also in place of a GPU that is not there, as in TensorFlow.

    Raises:
        ValueError: the name is no string, or not that of a device of this machine.
    """
    if not isinstance(name, str):
        raise ValueError(f"{function}: Expecting a string device name. Got {name!r}.")
    match = _DEVICE.fullmatch(name)
    if match is None:
        raise ValueError(
            f"{function}: {name!r} is not the name of a device of this machine; write '/CPU:0' or '/GPU:0'. "
            "See tf.config.list_physical_devices()."
        )
    if (match["kind"] or "").lower() != "gpu":
        return None
    from fastgrad.cuda.devices import available

    number = match["number"]
    number = 0 if number in {None, "*"} else int(number)
    return available.device(number) if number < available.count() else None


class device:  # noqa: N801  # TensorFlow's name
    """A context that says where tensors are made: on ``"/CPU:0"``, also in place of a GPU that is not there, or on ``"/GPU:0"``.

    Operations run where their tensors are. ``tf.identity`` copies a tensor to the context's device.

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
        placement.enter(DEFAULT if self._name is None else device_named(self._name, "tf.device"))

    def __exit__(self, *exception: object) -> None:
        placement.leave()


def set_default_device(device_name: str | None) -> None:
    """Says where tensors are made outside of all ``tf.device`` contexts, for all threads. fastgrad's own.

    Args:
        device_name: ``"GPU:0"`` and its spellings; ``"CPU:0"`` or None for the host, as at the start.

    Raises:
        ValueError: there is no such device; the message says why.
    """
    found = None if device_name is None else device_named(device_name, "tf.config.set_default_device")
    if found is None and device_name is not None and "gpu" in device_name.lower():
        from fastgrad.cuda.devices import available

        raise ValueError(
            f"tf.config.set_default_device: there is no {device_name}; {available.problem() or f'GPUs are {available.count()}'}"
        )
    placement.default = found
    placement.active = placement.active or found is not None


def get_default_device() -> str:
    """Where tensors are made outside of all ``tf.device`` contexts. fastgrad's own."""
    return name_of(placement.default)
