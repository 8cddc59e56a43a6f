"""Distinct elements of arrays, and positions of keys in arrays, by hash tables."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastgrad._src.kernels.hashing.hash_tables import find_numbers, find_texts, number_numbers, number_texts
from fastgrad._src.ops.text_hashes import bytes_objects

_LEAST_SLOT_BITS = 10


def _keys_of(x: np.ndarray) -> tuple[np.ndarray, Any]:
    """Returns a vector in a dtype of the kernels, which is to be held, and what they take: the array, or the address of strings."""
    if x.dtype == object:
        return bytes_objects(x)
    kind, size = x.dtype.kind, x.dtype.itemsize
    if kind == "V" or (kind == "f" and size == 2):
        keys = x.astype(np.float32)
    elif kind == "f" or (kind == "i" and size >= 4):
        keys = x
    else:  # equal unsigned numbers have equal bits
        keys = x.astype(np.int32) if size < 4 else x.view(f"int{8 * size}")
    keys = np.ascontiguousarray(keys)
    return keys, keys


def _slot_bits(size: int) -> int:
    """Returns the logarithm of the number of slots for ``size`` keys."""
    return max(_LEAST_SLOT_BITS, (2 * size - 1).bit_length())


def distinct_elements(x: np.ndarray, number_dtype: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Numbers the distinct elements of a vector in order of first appearance.

    Args:
        x: strings or real numbers, not complex; each NaN is a distinct element.
        number_dtype: int32 or int64.

    Returns:
        The position of the first appearance of each distinct element, int64; the number of each element; how often
        each distinct element appears.
    """
    size, dtype = len(x), np.dtype(number_dtype)
    if size >= _LEAST_COMPARED_ELEMENTS and x.dtype.kind in "iu" and (x[1:] >= x[:-1]).all():
        is_first = np.ones(size, bool)
        np.not_equal(x[1:], x[:-1], out=is_first[1:])
        first_positions = is_first.nonzero()[0]
        numbers = np.cumsum(is_first, dtype=dtype)
        numbers -= dtype.type(1)
        return first_positions, numbers, np.diff(first_positions, append=size).astype(dtype, copy=False)
    _held, keys = _keys_of(x)
    slots, first_positions = np.empty(1 << _slot_bits(size), np.int64), np.empty(size, np.int64)
    numbers, counts = np.empty(size, dtype), np.empty(size, dtype)
    number = number_texts[dtype] if x.dtype == object else number_numbers[keys.dtype, dtype]
    count = number(keys, slots, first_positions, numbers, counts, _LEAST_SLOT_BITS, size)
    return first_positions[:count].copy(), numbers, counts[:count].copy()


_LEAST_COMPARED_ELEMENTS = 1 << 10
"""The elements from which comparisons of neighbours cost little, and save the hash table if the elements ascend."""


class KeyIndex:
    """The positions of keys in an array, which are found by a hash table.

    Args:
        keys: a vector of distinct strings, int32 or int64.
    """

    def __init__(self, keys: np.ndarray) -> None:
        self._held, self._keys = _keys_of(keys)
        size, self._slot_bits = len(keys), _slot_bits(len(keys))
        self._slots = np.empty(1 << self._slot_bits, np.int64)
        first_positions, numbers, counts = [np.empty(size, np.int64) for _ in range(3)]
        dtype = np.dtype(np.int64)
        number = number_texts[dtype] if keys.dtype == object else number_numbers[keys.dtype, dtype]
        number(self._keys, self._slots, first_positions, numbers, counts, self._slot_bits, size)

    def positions_of(self, x: np.ndarray) -> np.ndarray:
        """Returns the position of each element of ``x``, of the dtype of the keys and any shape, or -1; int64."""
        held, elements = _keys_of(x)
        positions = np.empty(x.shape, np.int64)
        find = find_texts[()] if x.dtype == object else find_numbers[x.dtype]
        find(elements, self._keys, self._slots, positions, self._slot_bits, 0, held.size)
        return positions
