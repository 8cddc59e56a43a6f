"""Names of layers, weights, losses and metrics: ``dense``, ``dense_1``, ... and paths ``sequential/dense/kernel``."""

from __future__ import annotations

import re
import threading
from collections import defaultdict
from typing import Any

from fastgrad._src.jit.locks import new_lock

_use_counts: defaultdict[str, int] = defaultdict(int)
_use_counts_lock = new_lock()


def to_snake_case(name: str) -> str:
    """``"MyLayer"`` as ``"my_layer"``, by Keras's rules (``"LeakyReLU"`` is ``"leaky_re_lu"``)."""
    name = re.sub(r"\W+", "", name)
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def auto_name(prefix: str) -> str:
    """Returns a new name at each call in the process: ``dense``, then ``dense_1``, ``dense_2`` and so on."""
    name = to_snake_case(prefix)
    with _use_counts_lock:
        count = _use_counts[name]
        _use_counts[name] += 1
    return f"{name}_{count}" if count else name


def get_uid(prefix: str = "") -> int:
    """The number of uses of ``prefix`` so far, including this call."""
    with _use_counts_lock:
        _use_counts[prefix] += 1
        return _use_counts[prefix]


def reset_uids() -> None:
    """Resets all counts: the next ``Dense`` is named ``dense`` again."""
    with _use_counts_lock:
        _use_counts.clear()


def checked_name(name: Any) -> str:
    """Returns ``name``; ValueError if it is not a string or contains ``/``."""
    if not isinstance(name, str) or "/" in name:
        raise ValueError(f"Argument `name` must be a string and cannot contain character `/`. Received: {name=}")
    return name


class _RunningLayers:
    """The running layers of a thread, whose ``call`` or ``build`` is active, and the training mode."""

    __slots__ = ("stack", "training")

    def __init__(self) -> None:
        self.stack: list[Any] = []  # objects with a ``name``, outermost first
        self.training: bool | None = None  # the mode that inner layers inherit


class _ThreadRunningLayers(threading.local):
    def __init__(self) -> None:
        self.now = _RunningLayers()


running_layers = _ThreadRunningLayers()
"""The thread's running layers, ``now.stack``, and the training mode that inner layers inherit, ``now.training``."""


class RunningLayerScope:
    """A context in which ``owner`` is the innermost running object, so that weights' paths contain its name.

    Args:
        owner: an object with a ``name``; the context has no effect if it is already the innermost object.
    """

    def __init__(self, owner: Any) -> None:
        self._owner = owner

    def __enter__(self) -> None:
        stack = running_layers.now.stack
        self._entered = not (stack and stack[-1] is self._owner)
        if self._entered:
            stack.append(self._owner)

    def __exit__(self, *exception: object) -> None:
        if self._entered:
            running_layers.now.stack.pop()


def current_path(owner: Any = None) -> str:
    """The names of the running layers, and of ``owner`` unless it is already the innermost, joined by ``/``."""
    stack = running_layers.now.stack
    names = [caller.name for caller in stack]
    if owner is not None and not (stack and stack[-1] is owner):
        names.append(owner.name)
    return "/".join(names)


class name_scope:  # noqa: N801  # Keras's name
    """A context whose name becomes part of the paths of weights made inside.

    Args:
        name: the name, without ``/``.
    """

    def __init__(self, name: Any, **options: Any) -> None:
        if not isinstance(name, str) or "/" in name:
            raise ValueError(f"Argument `name` must be a string and cannot contain character `/`. Received: {name=}")
        self.name = name

    def __enter__(self) -> Any:
        running_layers.now.stack.append(self)
        return self

    def __exit__(self, *exception: object) -> None:
        running_layers.now.stack.pop()
