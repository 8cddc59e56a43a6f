"""Axes of layers and functions of Keras, checked against a shape."""

from __future__ import annotations

import operator
from typing import Any


def axis_from_front(name: str, axis: Any, shape: Any, argument: str = "axis") -> int:
    """``axis`` counted from the front, in ``[0, rank)``.

    Args:
        name: the layer or function, for the error.
        axis: an integer in ``[-rank, rank)``.
        shape: a shape of ``rank`` sizes.
        argument: the name of the argument, for the error.

    Raises:
        IndexError: the axis does not exist.
        TypeError: ``axis`` is not an integer.
    """
    try:
        number = operator.index(axis)
    except TypeError:
        raise TypeError(f"{name}: `{argument}` must be an integer, got {axis!r}.") from None
    rank = len(shape)
    if not -rank <= number < rank:
        raise IndexError(f"{name}: {argument}={number} must be in [{-rank}, {rank}), for shape {tuple(shape)}.")
    return number % rank
