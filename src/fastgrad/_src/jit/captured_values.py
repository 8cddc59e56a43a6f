"""Captured values of functions: how they are compared with earlier values, and shown in messages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

VALUE_TYPES = (bool, int, float, complex, str, bytes, type(None))
PLAIN_TYPES = (*VALUE_TYPES, np.generic)
"""The types of values that users' operations compare by value."""


def short_repr(value: Any) -> str:
    """Returns the repr of ``value`` for an error message, at most 80 characters."""
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def has_changed(found: Any, wanted: Any) -> bool:
    """True if a number or string has changed: other type, other value or another sign of zero."""
    if type(found) is not type(wanted):
        return True
    return bool(repr(found) != repr(wanted) if isinstance(wanted, (float, complex, np.generic)) else found != wanted)


def value_text(value: Any) -> str:
    """Returns a value as text for a message: numbers and strings in full, objects by their type."""
    return short_repr(value) if isinstance(value, VALUE_TYPES) else f"a {type(value).__name__} (at {id(value):#x})"


class ReachedValue(NamedTuple):
    """A value that users' operations read from outside, and its value when they were made (``Snapshot``, derivatives/functions/snapshot.py).

    Attributes:
        label: as the user writes it: ``SCALE``, ``settings.scale``.
        read: returns the value now; raises KeyError, ValueError or AttributeError if it is deleted.
        recorded: the value then.
    """

    label: str
    read: Callable[[], Any]
    recorded: Any

    @property
    def shown(self) -> str:
        """The recorded value, as text."""
        return value_text(self.recorded)

    def current_value(self) -> Any:
        """Returns the value now; None if it is deleted."""
        try:
            return self.read()
        except (AttributeError, KeyError, ValueError):
            return None

    def has_changed(self, value: Any) -> bool:
        """True if a value is not the recorded one."""
        return value is not self.recorded and (
            not isinstance(self.recorded, PLAIN_TYPES) or has_changed(value, self.recorded)
        )
