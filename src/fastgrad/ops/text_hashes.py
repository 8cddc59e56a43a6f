"""Arrays of strings for kernels, and their hashes, which are TensorFlow's."""

from __future__ import annotations

import numpy as np

from fastgrad.kernels.hashing.bytes_objects import first_other_object
from fastgrad.kernels.hashing.text_hashes import FARM, MURMUR, SIP, text_hashes

HASH_FUNCTIONS = {"murmur": MURMUR, "farm": FARM, "sip": SIP}


def bytes_objects(x: np.ndarray) -> tuple[np.ndarray, int]:
    """Returns a contiguous array of strings of the class bytes, and the address of its first element, for kernels.

    The caller holds the array as long as a kernel reads it.
    """
    texts = np.ascontiguousarray(x)
    address = texts.__array_interface__["data"][0]
    if first_other_object[()](address, id(bytes), texts.size) < 0:
        return texts, address
    texts = np.empty(x.shape, object)  # a subclass, such as numpy.bytes_
    texts.reshape(-1)[:] = [bytes(text) for text in x.reshape(-1)]
    return texts, texts.__array_interface__["data"][0]


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
