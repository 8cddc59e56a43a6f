"""Texts of Numba's types and of arrays, for the keys of compiled code on disk."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import types

from fastgrad._src.jit.body import digest

PLAIN = (type(None), type(Ellipsis), bool, int, float, complex, str, bytes)
"""The types of values whose text is their ``repr``."""
_MOST_BYTES = 10**6  # above, Numba compiles an address


class NoKeyError(TypeError):
    """A derivative depends on a value that has no text, and is not kept."""


def type_text(type: types.Type, value_text: Callable[[Any], str] | None = None) -> str:
    """Returns the text of a Numba type.

    Args:
        type: the type.
        value_text: returns the text of the default value of an argument; by default numbers, texts and tuples of them have one.

    Raises:
        NoKeyError: it belongs to an object of this process: a function, a class.
    """
    if isinstance(type, types.Omitted):
        return f"omitted {(value_text or _default_text)(type.value)}"
    is_array = type.__class__ is types.Array
    if is_array and isinstance(type.dtype, (types.Number, types.Boolean)):
        return str(type)
    if isinstance(type, types.Record) or (is_array and isinstance(type.dtype, types.Record)):
        record = type if isinstance(type, types.Record) else type.dtype
        return f"{type} of {[type_text(field.type) for field in record.fields.values()]}"
    if isinstance(type, types.BaseTuple) and not isinstance(type, types.BaseNamedTuple):
        return f"({', '.join(map(type_text, type))})"
    if isinstance(type, types.DType):
        return f"dtype {type_text(type.dtype)}"
    is_plain = isinstance(type, (types.Number, types.NumberClass, types.Boolean, types.NoneType, types.UnicodeType))
    if is_plain or isinstance(type, (types.IntegerLiteral, types.BooleanLiteral, types.StringLiteral)):
        return str(type)
    raise NoKeyError(str(type))


def _default_text(value: Any) -> str:
    """Returns the text of the default value of an argument."""
    if type(value) in PLAIN:
        return f"{type(value).__name__} {value!r}"
    if type(value) is tuple:
        return f"tuple ({', '.join(map(_default_text, value))})"
    return array_text(value)


def array_text(value: Any) -> str:
    """Returns the text of an array or a NumPy number: its dtype, shape, layout and elements."""
    if type(value) is not np.ndarray and not isinstance(value, np.generic):
        raise NoKeyError(repr(type(value)))
    if value.nbytes > _MOST_BYTES:
        raise NoKeyError(f"an array of {value.nbytes} bytes")
    layout = [value.flags[flag] for flag in ("C_CONTIGUOUS", "F_CONTIGUOUS", "ALIGNED", "WRITEABLE")]
    return f"{type(value).__name__} {dtype_text(value.dtype)} {value.shape} {layout} {digest(value.tobytes())}"


def dtype_text(dtype: np.dtype) -> str:
    """Returns the text of a dtype, with the places of its fields."""
    if dtype.hasobject:
        raise NoKeyError(repr(dtype))
    if dtype.subdtype is not None:
        item, shape = dtype.subdtype
        return f"{shape} of {dtype_text(item)}"
    places = [(name, *dtype.fields[name][:2]) for name in dtype.names or ()]  # type: ignore[index]  # it has names
    fields = [f"{name!r}: {dtype_text(part)} at {offset}" for name, part, offset in places]
    return f"{dtype.str} {fields} {dtype.itemsize} {dtype.isalignedstruct}"
