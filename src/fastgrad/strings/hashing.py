"""Hashes of strings: to_hash_bucket, to_hash_bucket_fast, to_hash_bucket_strong. The numbers are TensorFlow's."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastgrad.core.operation import Operation
from fastgrad.core.result_rules import ArraySpec
from fastgrad.errors import InvalidArgumentError
from fastgrad.ops.text_hashes import hashes_of
from fastgrad.strings.rows import elementwise, integer_attribute, string_operation, strings_of


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
        raise InvalidArgumentError(
            f"{name}: Value for attr 'num_buckets' of {count} must be at least minimum 1, and fit into int64."
        )
    return count


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
