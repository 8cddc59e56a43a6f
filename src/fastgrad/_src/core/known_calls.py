"""What is known of an operation's call that comes again: the layouts of its arrays, and its attributes."""

from __future__ import annotations

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
        texts: their texts where equality does not tell values apart, such as 0.0 and -0.0; else None.
    """

    values: dict[str, Any]
    types: list[type]
    texts: list[str] | None


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
    texts = None if all(map(_equals_only_itself, values)) else [*map(repr, values)]
    return Attributes(attributes, [*map(type, values)], texts)


def are_equal(attributes: dict[str, Any], known: Attributes | None) -> bool:
    """True if attributes are the known ones, bit for bit."""
    if known is None:
        return not attributes
    if attributes != known.values or [*map(type, attributes.values())] != known.types:
        return False
    return known.texts is None or [*map(repr, attributes.values())] == known.texts


def _equals_only_itself(value: Any) -> bool:
    """True if an equal value of this type has the same bits."""
    if isinstance(value, (float, complex)):
        return value == value and value != 0  # noqa: PLR0124  # NaN does not equal itself
    return all(map(_equals_only_itself, value)) if isinstance(value, tuple) else True
