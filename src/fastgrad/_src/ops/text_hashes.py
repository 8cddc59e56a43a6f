"""Arrays of strings for kernels, and their hashes, which are TensorFlow's."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from fastgrad._src.kernels.hashing.bytes_objects import (
    TEXT_AT,
    find_substrings,
    first_object_of_other_class,
    make_bytes_objects,
)
from fastgrad._src.kernels.hashing.text_hashes import FARM, MURMUR, SIP, text_hashes

HASH_FUNCTIONS = {"murmur": MURMUR, "farm": FARM, "sip": SIP}


def bytes_objects(x: np.ndarray) -> tuple[np.ndarray, int]:
    """Returns a contiguous array of strings of the class bytes, and the address of its first element, for kernels.

    The caller holds the array as long as a kernel reads it.
    """
    texts = np.ascontiguousarray(x)
    address = texts.__array_interface__["data"][0]
    if first_object_of_other_class[()](address, id(bytes), texts.size) < 0:
        return texts, address
    texts = np.empty(x.shape, object)  # a subclass, such as numpy.bytes_
    texts.reshape(-1)[:] = [bytes(text) for text in x.reshape(-1)]
    return texts, texts.__array_interface__["data"][0]


def address_of_function(function: Any) -> int:
    """Returns the address of a function of Python's C interface."""
    address: int = ctypes.cast(function, ctypes.c_void_p).value  # type: ignore[assignment]  # it is not None
    return address


_BYTES_FROM_MEMORY = address_of_function(ctypes.pythonapi.PyBytes_FromStringAndSize)
_RELEASE = address_of_function(ctypes.pythonapi.Py_DecRef)
_CLEAR_ERROR = address_of_function(ctypes.pythonapi.PyErr_Clear)


def texts_at(addresses: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Returns an array of strings with copies of memory.

    Args:
        addresses: int64, any shape.
        sizes: int64, the shape of ``addresses``: the numbers of bytes there, which the caller holds.

    Raises:
        MemoryError: there is no memory left.
    """
    texts = np.empty(addresses.shape, object)
    place = texts.__array_interface__["data"][0]
    functions = _BYTES_FROM_MEMORY, _RELEASE, _CLEAR_ERROR
    failed = make_bytes_objects[()](addresses, sizes, place, *functions, 0, texts.size)
    if failed >= 0:
        raise MemoryError(f"there is no memory for string {failed} of {texts.size}")
    return texts


def parts_of_text(text: bytes, starts: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Returns the parts of a string that begin at ``starts`` and have ``sizes`` bytes, all within the string."""
    return texts_at(starts + (id(text) + TEXT_AT), sizes)


def sizes_of(x: np.ndarray) -> np.ndarray:
    """Returns the number of bytes of each string, int64, the shape of ``x``."""
    texts, address = bytes_objects(x)
    addresses, sizes = np.empty(x.shape, np.int64), np.empty(x.shape, np.int64)
    find_substrings[()](address, addresses, sizes, 0, -1, 0, texts.size)
    return sizes


def hashes_of(x: np.ndarray, function: str, buckets: int = 0, key: tuple[int, int] = (0, 0)) -> np.ndarray:
    """Returns the hash of each string.

    Args:
        x: strings, any shape.
        function: ``"murmur"`` (MurmurHash64A with the seed 0xDECAFCAFFE), ``"farm"`` (FarmHash's Fingerprint64) or ``"sip"``
            (SipHash-2-4).
        buckets: what the result is the remainder of; 0 for the whole hash.
        key: two words, for SipHash.

    Returns:
        int64, the shape of ``x``; whole hashes are the bits of uint64 numbers.
    """
    texts, address = bytes_objects(x)
    hashes = np.empty(x.shape, np.int64)
    low, high = np.array([word & (1 << 64) - 1 for word in key], np.uint64).view(np.int64).tolist()
    text_hashes[()](address, hashes, HASH_FUNCTIONS[function], low, high, buckets, 0, texts.size)
    return hashes
