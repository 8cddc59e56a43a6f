"""Hashes of strings: to_hash_bucket, to_hash_bucket_fast, to_hash_bucket_strong; tf.fingerprint. The numbers are TensorFlow's."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.operation import Operation
from fastgrad._src.core.result_rules import ArraySpec
from fastgrad._src.core.tensor import Tensor, convert_to_tensor
from fastgrad._src.ops.python_function import call_on_host
from fastgrad._src.ops.text_hashes import hashes_of
from fastgrad._src.structures.strings.rows import (
    bytes_of,
    elementwise,
    integer_attribute,
    string_operation,
    strings_of,
)


def _bucket_operation(name: str, function: str) -> Operation:
    def run(x: np.ndarray, count: int, key: tuple[int, int] = (0, 0)) -> np.ndarray:
        return hashes_of(x, function, count, key)

    return string_operation(name, run, lambda x, **attributes: ArraySpec(tuple(x.shape), np.dtype(np.int64)))


_bucket = _bucket_operation("to_hash_bucket", "murmur")
_bucket_fast = _bucket_operation("to_hash_bucket_fast", "farm")
_bucket_strong = _bucket_operation("to_hash_bucket_strong", "sip")


def _checked_count(name: str, num_buckets: Any) -> int:
    count = integer_attribute(name, "num_buckets", num_buckets)
    if not 1 <= count < 1 << 63:
        raise InvalidArgumentError(f"{name}: 'num_buckets' of {count} must be at least minimum 1, and fit into int64.")
    return count


def fingerprint(data: Any, method: Any = "farmhash64", name: str | None = None) -> Tensor:
    """The 64-bit fingerprint of each row, which is the same on all machines.

    Args:
        data: a tensor of any dtype with at least one dimension.
        method: ``"farmhash64"``.
        name: kept for TensorFlow's signature.

    Returns:
        uint8, shape (rows, 8): the bytes of the fingerprint, the lowest first.

    Raises:
        InvalidArgumentError: ``data`` is a scalar, or ``method`` is another.
    """
    what = "fingerprint"
    if bytes_of(what, "method", method) != b"farmhash64":
        raise InvalidArgumentError(f"{what}: Unsupported fingerprint method: {method!r}; use 'farmhash64'.")
    x = convert_to_tensor(data)
    if not x.ndim:
        raise InvalidArgumentError(f"{what}: `data` should have at least one dimension, got a scalar.")

    def run(array: np.ndarray) -> tuple[np.ndarray, ...]:
        rows = array.reshape(len(array), math.prod(array.shape[1:]))
        texts = np.empty(len(rows), object)
        texts[:] = [_bytes_to_hash(row) for row in rows]
        return (hashes_of(texts, "farm")[:, None].astype("<i8").view(np.uint8),)

    return call_on_host(what, run, (x,), acts=False)[0]


def _bytes_to_hash(row: np.ndarray) -> bytes:
    """Returns what the fingerprint of a row is that of: its bytes, its only string, or the fingerprints of its strings."""
    if row.dtype != object:
        return row.tobytes()
    if len(row) == 1:
        return bytes(row[0])
    return hashes_of(row, "farm").astype("<i8").tobytes()


@elementwise
def to_hash_bucket(input: Any, num_buckets: Any, name: str | None = None) -> Any:
    """The hash of each string modulo a number of buckets.

    Args:
        input: strings, any shape.
        num_buckets: 1 or more.
        name: kept for TensorFlow's signature.

    Returns:
        int64, the shape of ``input``.

    Raises:
        TypeError: a Python value that is no string, or ``num_buckets`` is no integer.
        InvalidArgumentError: ``num_buckets`` is below 1 or no int64, or a tensor of another dtype.
    """
    count = _checked_count("to_hash_bucket", num_buckets)
    return _bucket(strings_of("to_hash_bucket", input), count=count)


@elementwise
def to_hash_bucket_fast(input: Any, num_buckets: Any, name: str | None = None) -> Any:
    """The hash of each string, by FarmHash, modulo a number of buckets; otherwise as ``to_hash_bucket``."""
    count = _checked_count("to_hash_bucket_fast", num_buckets)
    return _bucket_fast(strings_of("to_hash_bucket_fast", input), count=count)


@elementwise
def to_hash_bucket_strong(input: Any, num_buckets: Any, key: Any, name: str | None = None) -> Any:
    """The hash of each string, by SipHash with a secret ``key`` of two integers, modulo a number of buckets.

    Otherwise as ``to_hash_bucket``; TypeError if ``key`` is no list of integers, InvalidArgumentError if it is None or has another length.
    """
    count = _checked_count("to_hash_bucket_strong", num_buckets)
    if key is None:
        raise InvalidArgumentError("to_hash_bucket_strong: Key must have 2 elements, got None.")
    if isinstance(key, (str, bytes)) or not np.iterable(key):
        raise TypeError(f"to_hash_bucket_strong: key must be a list of 2 integers, got {key!r}.")
    words = tuple([integer_attribute("to_hash_bucket_strong", "key", word) for word in key])
    if len(words) != 2:
        raise InvalidArgumentError(f"to_hash_bucket_strong: Key must have 2 elements, got {len(words)}.")
    return _bucket_strong(strings_of("to_hash_bucket_strong", input), count=count, key=words)
