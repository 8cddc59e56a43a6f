"""Device placement of tensors: on the host, or on a GPU set by a scope or by the default device.

A tensor made of Python values or NumPy arrays outside of any scope is unplaced (`Tensor._unplaced`): an operation copies
it to the GPU of its other operands. Tensors that are made in a scope, computed or assigned stay on their device.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np

from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.hooks import Hook, module_of

if TYPE_CHECKING:
    from fastgrad._src.cuda.devices.memory import Device, DeviceArray

HOST_NAME = "/job:localhost/replica:0/task:0/device:CPU:0"

_DEVICE_NAME_PATTERN = re.compile(
    r"(/job:localhost)?(/replica:\d+)?(/task:\d+)?/?(device:)?(?P<kind>cpu|gpu|tpu)?(:(?P<number>\d+|\*))?",
    re.IGNORECASE,
)


class _Scopes(threading.local):
    """The devices of the calling thread's scopes, innermost last; `DEFAULT_DEVICE_SCOPE` is the default device."""

    devices: tuple[Any, ...] = ()


DEFAULT_DEVICE_SCOPE = object()
"""The scope value that selects the default device, which also applies outside of all scopes."""


class Placement:
    """The choice of the device of new tensors, by scopes of each thread and by the default device.

    Attributes:
        active: whether the program has ever selected a GPU; until then all tensors are on the host, and calls skip checks.
        default: the device outside of all scopes; None is the host.
        hidden_gpus: the numbers of the GPUs that `device_named` treats as missing.
        is_soft: whether the name of a missing GPU means the host; if not, it is an error.
    """

    def __init__(self) -> None:
        self.active = False
        self.default: Device | None = None
        self.hidden_gpus: frozenset[int] = frozenset()
        self.is_soft = True
        self._scopes = _Scopes()

    @property
    def is_selected(self) -> bool:
        """True if a scope or the default device selects the device of new tensors."""
        return self._innermost is not DEFAULT_DEVICE_SCOPE or self.default is not None

    @property
    def device(self) -> Device | None:
        """The device of the calling thread's new tensors; None is the host."""
        innermost: Device | None = self._innermost
        return self.default if innermost is DEFAULT_DEVICE_SCOPE else innermost

    @property
    def _innermost(self) -> Any:
        return self._scopes.devices[-1] if self._scopes.devices else DEFAULT_DEVICE_SCOPE

    @property
    def selected(self) -> tuple[Device | None, ...]:
        """The device selected by a scope of the calling thread or by the default, as a tuple of one; else empty."""
        return (self.device,) if self.is_selected else ()

    @property
    def is_scoped(self) -> bool:
        """True if the calling thread is in a scope."""
        return self._innermost is not DEFAULT_DEVICE_SCOPE

    @contextmanager
    def device_scope(self, device: Device | None) -> Iterator[None]:
        """A scope for `device`, as a context manager."""
        self.enter(device)
        try:
            yield
        finally:
            self.leave()

    def enter(self, device: Any) -> None:
        """Begins a scope with a GPU, None for the host, or `DEFAULT_DEVICE_SCOPE`."""
        self.active = self.active or device not in (None, DEFAULT_DEVICE_SCOPE)
        self._scopes.devices = (*self._scopes.devices, device)

    def leave(self) -> None:
        """Ends the innermost scope."""
        self._scopes.devices = self._scopes.devices[:-1]


placement = Placement()


def move_to_selected_device(array: Any) -> Any:
    """Returns `array` on the device of new tensors, if selected; copies only if needed. Strings stay on the host."""
    return move_to_device(array, placement.device) if placement.is_selected else array


def move_to_device(array: Any, device: Device | None) -> Any:
    """Returns `array` on `device`, None for the host; copies only if needed. Strings stay on the host."""
    if isinstance(array, (np.ndarray, np.generic)):
        return array if device is None or array.dtype.hasobject else device.put(np.asarray(array))
    if device is None:
        return array.on_host()
    return array if array.device is device else device.put(array.on_host())


def device_scope_of(array: Any) -> AbstractContextManager[None]:
    """A context that makes new tensors on the GPU of `array`; has no effect for an array on the host."""
    device = device_of(array)
    return nullcontext() if device is None else placement.device_scope(device)


def host_scope() -> AbstractContextManager[None]:
    """A context that makes new tensors on the host, whatever an outer scope selects."""
    return placement.device_scope(None) if placement.is_selected else nullcontext()


def run_on_host(function: Callable[[Sequence[np.ndarray]], Sequence[np.ndarray]], arrays: Sequence[Any]) -> list[Any]:
    """Calls `function` with host copies of `arrays`; returns its results on the device of `arrays`."""
    device = next(filter(None, map(device_of, arrays)), None)
    return [move_to_device(y, device) for y in function([move_to_device(x, None) for x in arrays])]


def device_of(array: np.ndarray | np.generic | DeviceArray) -> Device | None:
    """Returns the device of `array`; None for the host."""
    return None if isinstance(array, (np.ndarray, np.generic)) else array.device


def name_of(device: Device | None) -> str:
    """Returns the name of `device` in TensorFlow's format."""
    return HOST_NAME if device is None else device.name


def common_device(name: str, tensors: tuple[Any, ...]) -> tuple[Device | None, list[Any]]:
    """Returns the common device of an operation's inputs, and their arrays on that device.

    Args:
        name: the name of the operation.
        tensors: its inputs; unplaced tensors are copied to the device.

    Raises:
        InvalidArgumentError: the inputs are on several devices.
    """
    input_of_device = {
        device_of(x._array): n for n, x in reversed(list(enumerate(tensors))) if not has_no_fixed_device(x)
    }
    if len(input_of_device) > 1:
        (first, first_input), (second, second_input) = sorted(input_of_device.items(), key=lambda item: item[1])[:2]
        raise InvalidArgumentError(
            f"{name}: tensors of two devices in one operation: input {first_input} is on {_short_name(first)}, input {second_input} on {_short_name(second)}. "
            f'Copy first_input of them: with tf.device("{_short_name(first)}"): x = tf.identity(x)'
        )
    device = next(iter(input_of_device), None)
    return device, [move_to_device(x._array, device) for x in tensors]


def has_no_fixed_device(x: Any) -> bool:
    """True if `x` has no fixed device: a string tensor, a scalar on the host, or an unplaced tensor."""
    array = x._array
    return isinstance(array, np.ndarray) and (not array.ndim or array.dtype.hasobject or hasattr(x, "_unplaced"))


def _short_name(device: Device | None) -> str:
    return name_of(device).rpartition("device:")[2]


def device_named(name: Any, function: str) -> Device | None:
    """Returns the device `name`; None for the host, and for a GPU that is missing or hidden, as in TensorFlow.

    Raises:
        ValueError: `name` is not a string, or not the name of a device.
        InvalidArgumentError: the GPU is missing or hidden, and placement is not soft.
    """
    if not isinstance(name, str):
        raise ValueError(f"{function}: Expecting a string device name. Got {name!r}.")
    match = _DEVICE_NAME_PATTERN.fullmatch(name)
    if match is None:
        raise ValueError(
            f"{function}: {name!r} is not the name of a device of this machine; write '/CPU:0' or '/GPU:0'. "
            "See tf.config.list_physical_devices()."
        )
    if (match["kind"] or "").lower() != "gpu":
        return None
    available = module_of(Hook.GPUS)
    number = match["number"]
    number = 0 if number in {None, "*"} else int(number)
    if number < available.gpu_count() and number not in placement.hidden_gpus:
        return available.gpu_device(number)
    if placement.is_soft:
        return None
    raise InvalidArgumentError(
        f"{function}: there is no GPU {number} for {name!r}. tf.config.set_soft_device_placement(True) uses the CPU instead."
    )


class device:  # noqa: N801  # TensorFlow's name
    """A context that sets the device of new tensors; a GPU that does not exist means ``"/CPU:0"``.

    Operations run on the device of their tensors. ``tf.identity`` copies a tensor to the device of the context.

    Args:
        device_name: ``"/CPU:0"``, ``"/GPU:0"`` and their spellings, a ``tf.DeviceSpec``, or None for the default.

    Raises:
        ValueError: ``device_name`` is not a string, or not the name of a device.

    Example:
        >>> with tf.device("/CPU:0"):
        ...     x = tf.zeros(3)
        >>> x.shape
        TensorShape([3])
    """

    def __init__(self, device_name: Any) -> None:
        if hasattr(device_name, "to_string"):
            device_name = device_name.to_string()
        if device_name is not None and not isinstance(device_name, str):
            raise ValueError(f"tf.device: Expecting a string device name. Got {device_name!r}.")
        self._name = device_name

    def __enter__(self) -> None:
        placement.enter(DEFAULT_DEVICE_SCOPE if self._name is None else device_named(self._name, "tf.device"))

    def __exit__(self, *exception: object) -> None:
        placement.leave()


def set_default_device(device_name: str | None) -> None:
    """Sets the device of new tensors outside of all ``tf.device`` contexts, for all threads; not in TensorFlow.

    Args:
        device_name: ``"GPU:0"`` and its spellings; ``"CPU:0"`` or None for the host, the initial default.

    Raises:
        ValueError: the device does not exist; the message gives the reason.
    """
    selected_device = None if device_name is None else device_named(device_name, "tf.config.set_default_device")
    if selected_device is None and device_name is not None and "gpu" in device_name.lower():
        available = module_of(Hook.GPUS)
        raise ValueError(
            f"tf.config.set_default_device: there is no {device_name}; {available.no_gpu_reason() or f'GPUs are {available.gpu_count()}'}"
        )
    placement.default = selected_device
    placement.active = placement.active or selected_device is not None


def get_default_device() -> str:
    """Returns the device of new tensors outside of all ``tf.device`` contexts; not in TensorFlow."""
    return name_of(placement.default)
