"""Keys that identify objects without keeping them alive."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any


class Identity:
    """A hashable key of one object; equal only to keys of the same, living object.

    Objects without weak references (lists, for example) are held.
    """

    __slots__ = ("_number", "get")

    def __init__(self, target: Any) -> None:
        self._number = id(target)
        self.get = weak_or_strong_reference(target)

    def __hash__(self) -> int:
        return self._number

    def __eq__(self, other: Any) -> bool:
        if type(other) is not Identity or self._number != other._number:
            return False
        referent = self.get()
        return referent is not None and referent is other.get()

    def __repr__(self) -> str:
        referent = self.get()
        return "an object that is gone" if referent is None else f"{type(referent).__name__} at {self._number:#x}"


def weak_or_strong_reference(target: Any, on_deletion: Callable[[Any], None] | None = None) -> Callable[[], Any]:
    """Returns a function that returns ``target`` while it lives, else None."""
    try:
        return weakref.ref(target, on_deletion)
    except TypeError:
        return lambda: target
