"""What is known of an operation's call that comes again: the layouts of its arrays, and its attributes."""

from __future__ import annotations

import marshal
from typing import Any, NamedTuple

import numpy as np

from fastgrad._src.core.tensor import Tensor


class Layout(NamedTuple):
    """The dtype and shape of an array, and whether it is contiguous."""

    dtype: np.dtype
    shape: tuple[int, ...]
    is_contiguous: bool


class Attributes(NamedTuple):
    """The attributes of a call.

    Attributes:
        values: the attributes.
        types: their types: 1 equals 1.0.
        exact_keys: name and `exact_key` of each attribute whose class is in `INEXACT_TYPES`.
    """

    values: dict[str, Any]
    types: list[type]
    exact_keys: list[tuple[str, bytes | str]]


def layout_of(x: Tensor) -> Layout:
    """Returns the layout of the array of ``x``."""
    array = x._array
    return Layout(array.dtype, array.shape, array.flags.c_contiguous)


def has_layout(x: Tensor, layout: Layout) -> bool:
    """True if the array of ``x`` is one of NumPy with this layout."""
    array = x._array
    return (
        type(array) is np.ndarray
        and array.shape == layout.shape
        and array.dtype == layout.dtype
        and array.flags.c_contiguous is layout.is_contiguous
    )


def known_attributes(attributes: dict[str, Any]) -> Attributes | None:
    """Returns what is known of the attributes of a call; None if there are none.

    Raises:
        TypeError: a value can't be hashed: it may change.
    """
    if not attributes:
        return None
    values = attributes.values()
    hash(tuple(values))
    exact_keys = [(name, exact_key(value)) for name, value in attributes.items() if type(value) in INEXACT_TYPES]
    return Attributes(attributes, [*map(type, values)], exact_keys)


def are_equal(attributes: dict[str, Any], known: Attributes | None) -> bool:
    """True if attributes are the known ones, bit for bit."""
    if known is None:
        return not attributes
    if attributes != known.values or [*map(type, attributes.values())] != known.types:
        return False
    for name, key in known.exact_keys:
        value = attributes[name]
        if value is not known.values[name] and exact_key(value) != key:
            return False
    return True


INEXACT_TYPES = frozenset([tuple, float, complex, np.float16, np.float32, np.float64, np.complex64, np.complex128])
"""Classes whose equal values may have other bits, as 0.0 and -0.0, or other types within, as (1,), (True,) and (1.0,)."""


def exact_key(value: Any) -> bytes | str:
    """Returns a text that only a value of the same bits, and with the same types within, has, of all values of one type."""
    try:
        return marshal.dumps(value, 2)  # without references to objects, which the number of their holders decides
    except ValueError:  # a tuple with objects, such as dtypes
        return repr(value)
