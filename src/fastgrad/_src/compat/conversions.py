"""``tf.compat``: conversions of strings and sizes. ``tf.compat.v2`` is ``tf``; ``tf.compat.v1`` has TensorFlow 1's names for eager programs."""

from __future__ import annotations

import importlib as _importlib
import numbers as _numbers
import os as _os
from typing import Any

import numpy as np

from fastgrad._src.core.names import namespace_hooks as _namespace_hooks
from fastgrad._src.core.shape import TensorShape as _TensorShape

bytes_or_text_types = (bytes, str)
complex_types = (_numbers.Complex, np.number)
integral_types = (_numbers.Integral, np.integer)
real_types = (_numbers.Real, np.integer, np.floating)


def as_bytes(bytes_or_text: Any, encoding: str = "utf-8") -> bytes:
    """Returns bytes unchanged, and text encoded by ``encoding``.

    Raises:
        TypeError: ``bytes_or_text`` is neither bytes nor text.
    """
    if isinstance(bytes_or_text, bytearray):
        return bytes(bytes_or_text)
    if isinstance(bytes_or_text, str):
        return bytes_or_text.encode(encoding)
    if isinstance(bytes_or_text, bytes):
        return bytes_or_text
    raise TypeError(f"Expected binary or unicode string, got {bytes_or_text!r}")


def as_text(bytes_or_text: Any, encoding: str = "utf-8") -> str:
    """Returns text unchanged, and bytes decoded by ``encoding``.

    Raises:
        TypeError: ``bytes_or_text`` is neither bytes nor text.
    """
    if isinstance(bytes_or_text, str):
        return bytes_or_text
    if isinstance(bytes_or_text, bytes):
        return bytes_or_text.decode(encoding)
    raise TypeError(f"Expected binary or unicode string, got {bytes_or_text!r}")


as_str = as_text


def as_str_any(value: Any, encoding: str = "utf-8") -> str:
    """Returns bytes decoded by ``encoding``, and ``str(value)`` for other values."""
    return as_text(value, encoding) if isinstance(value, bytes) else str(value)


def path_to_str(path: Any) -> Any:
    """Returns the text of a path; other values as they are."""
    return as_str_any(_os.fspath(path)) if hasattr(path, "__fspath__") else path


def dimension_value(dimension: Any) -> Any:
    """Returns a size: an integer, or None."""
    return dimension


def dimension_at_index(shape: Any, index: Any) -> Any:
    """Returns the size of an axis of a shape; None if the rank is unknown.

    Raises:
        TypeError: ``shape`` is no ``tf.TensorShape``, or ``index`` no integer.
        IndexError: ``index`` is out of range.
    """
    if not isinstance(shape, _TensorShape):
        raise TypeError(f"dimension_at_index: shape must be a tf.TensorShape, got {shape!r}.")
    if not isinstance(index, (int, np.integer)):
        raise TypeError(f"dimension_at_index: index must be an integer, got {index!r}.")
    if shape.rank is None:
        return None
    if not -shape.rank <= index < shape.rank:
        raise IndexError(f"dimension_at_index: index {index} is out of range for the shape {shape}.")
    return shape[index]


def forward_compatible(year: Any, month: Any, day: Any) -> bool:
    """Returns True: programs of other versions do not read what this one writes.

    Raises:
        TypeError: a part of the date is no integer.
    """
    for part, value in (("year", year), ("month", month), ("day", day)):
        if not isinstance(value, (int, np.integer)):
            raise TypeError(f"forward_compatible: {part} must be an integer, got {value!r}.")
    return True


_missing, __dir__ = _namespace_hooks("tf.compat", globals())


def __getattr__(name: str) -> Any:
    if name == "v2":
        return _importlib.import_module("fastgrad")
    if name == "v1":
        return _importlib.import_module("fastgrad.compat.v1")
    return _missing(name)
