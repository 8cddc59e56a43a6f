"""Memory of variables: arrays that begin with a cache line, which those of NumPy do not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np

CACHE_LINE = 64
ALIGNED_BYTES = 4096
"""From so many on: vectors of weights that lie across two lines cost products of few rows up to 8 %, rows of a table that lie across
three, not two, the update of a recommender's rows an eighth."""


def aligned_array(shape: Sequence[int], dtype: np.dtype, make: Callable[..., Any] = np.empty) -> np.ndarray:
    """A C-contiguous array; one of some size begins with a cache line.

    Args:
        shape, dtype: of the array.
        make: ``numpy.empty``, or ``numpy.zeros``, which takes no memory before it is written to.
    """
    size = prod(shape) * dtype.itemsize
    if size < ALIGNED_BYTES or dtype.hasobject:
        small: np.ndarray = make(shape, dtype)
        return small
    memory = make(size + CACHE_LINE, np.uint8)
    start = -memory.__array_interface__["data"][0] % CACHE_LINE
    found: np.ndarray = memory[start : start + size].view(dtype).reshape(shape)
    return found


def aligned_copy(array: np.ndarray) -> np.ndarray:
    """A copy that is such an array."""
    copy = aligned_array(array.shape, array.dtype)
    copy[...] = array
    return copy


def is_aligned(array: np.ndarray) -> bool:
    """Whether an array is one, by its own memory or by chance."""
    return array.nbytes < ALIGNED_BYTES or array.__array_interface__["data"][0] % CACHE_LINE == 0
