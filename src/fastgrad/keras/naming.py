"""Names of layers, weights, losses and metrics: ``dense``, ``dense_1``, ... and paths ``sequential/dense/kernel``."""

from __future__ import annotations

import re
import threading
from collections import defaultdict
from typing import Any

from fastgrad.kernels.codegen.locks import new_lock

_uses: defaultdict[str, int] = defaultdict(int)
_lock = new_lock()


def to_snake_case(name: str) -> str:
    """``"MyLayer"`` as ``"my_layer"``, by Keras's rules (``"LeakyReLU"`` is ``"leaky_re_lu"``)."""
    name = re.sub(r"\W+", "", name)
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def auto_name(prefix: str) -> str:
    """A name that no object of this process has got from here yet: ``dense``, then ``dense_1``, ``dense_2`` ..."""
    name = to_snake_case(prefix)
    with _lock:
        count = _uses[name]
        _uses[name] += 1
    return f"{name}_{count}" if count else name


def get_uid(prefix: str = "") -> int:
    """How often ``prefix`` has been used so far, counting this call."""
    with _lock:
        _uses[prefix] += 1
        return _uses[prefix]


def reset_uids() -> None:
    """Starts all counts anew: the next ``Dense`` is ``dense`` again."""
    with _lock:
        _uses.clear()


def checked_name(name: Any) -> str:
    """``name``; ValueError if it is no string or would look like a path."""
    if not isinstance(name, str) or "/" in name:
        raise ValueError(
            "Argument `name` must be a string and cannot contain character `/`. "
            f"Received: name={name} (of type {type(name)})"
        )
    return name


class _Running:
    """What a thread's layers are doing: whose ``call`` or ``build`` is running, and in which mode."""

    __slots__ = ("stack", "training")

    def __init__(self) -> None:
        self.stack: list[Any] = []  # objects with a ``name``, outermost first
        self.training: bool | None = None  # what inner layers inherit


class _Calls(threading.local):
    def __init__(self) -> None:
        self.now = _Running()


calls = _Calls()
"""``calls.now.stack``: the calling thread's running layers; ``calls.now.training``: the mode that inner layers inherit."""


class running:  # noqa: N801  # reads as `with running(layer):`
    """While this context lasts ``owner`` is the innermost running object, so that paths of weights name it.

    Args:
        owner: an object with a ``name``; nothing changes if it is the innermost already.
    """

    def __init__(self, owner: Any) -> None:
        self._owner = owner

    def __enter__(self) -> None:
        stack = calls.now.stack
        self._entered = not (stack and stack[-1] is self._owner)
        if self._entered:
            stack.append(self._owner)

    def __exit__(self, *exception: object) -> None:
        if self._entered:
            calls.now.stack.pop()


def current_path(owner: Any = None) -> str:
    """The names of the running layers joined by ``/``, and that of ``owner`` unless it is the innermost already."""
    stack = calls.now.stack
    names = [caller.name for caller in stack]
    if owner is not None and not (stack and stack[-1] is owner):
        names.append(owner.name)
    return "/".join(names)


class name_scope:  # noqa: N801  # Keras's name
    """A context whose name becomes part of the paths of weights made inside.

    Args:
        name: without ``/``.
    """

    def __init__(self, name: Any, **options: Any) -> None:
        if not isinstance(name, str) or "/" in name:
            raise ValueError(
                f"Argument `name` must be a string and cannot contain character `/`. Received: name={name}"
            )
        self.name = name

    def __enter__(self) -> Any:
        calls.now.stack.append(self)
        return self

    def __exit__(self, *exception: object) -> None:
        calls.now.stack.pop()
