"""Crossed features: the combinations of the values that several matrices have in a row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.argument_checks import check_at_least, check_type, require
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.tensor import Tensor, constant_tensor
from fastgrad._src.ops import namespace as ops
from fastgrad._src.structures.sparse.sparse_tensor import SparseTensor

HASH_KEY = 956888297470
_FACTOR = np.uint64(0xC6A4A7935BD1E995)


def cross(inputs: Any, name: str | None = None, separator: Any = None) -> SparseTensor:
    """Joins each combination of the values of a row to one string.

    Args:
        inputs: a list of tensors and sparse tensors of integers or strings, shape (rows, n). Values of sparse tensors come first.
        separator: the text between the values, default ``"_X_"``.

    Returns:
        A ``SparseTensor`` of strings, shape (rows, the most combinations of a row); the last input varies fastest. A compiled
        function is recorded again for sparse inputs with values elsewhere.

    Raises:
        TypeError: ``inputs`` is no list of tensors, or ``separator`` is no string.
        InvalidArgumentError: there are no inputs, an input is no matrix, or the numbers of rows differ.
    """
    text: Any = b"_X_"
    if separator is not None:
        text = ops.scalar_of_dtype(separator, dtypes.string, "cross", "separator")._elements()[()]
    return _cross_columns("cross", inputs, lambda columns: join_crossed_texts(columns, text))


def cross_hashed(inputs: Any, num_buckets: Any = 0, hash_key: Any = None, name: str | None = None) -> SparseTensor:
    """Hashes each combination of the values of a row to one number, with TensorFlow's hash, FingerprintCat64.

    Args:
        inputs: a list of tensors and sparse tensors of integers or strings, shape (rows, n). Values of sparse tensors come first.
        num_buckets: hashes are modulo ``num_buckets``; 0 for hashes below 2**63 - 1.
        hash_key: the start of the hash; default TensorFlow's.

    Returns:
        A ``SparseTensor`` of int64; see ``cross``.

    Raises:
        TypeError: ``inputs`` is no list of tensors.
        InvalidArgumentError: ``num_buckets`` is negative, an input is no matrix, or the numbers of rows differ.
    """
    buckets = ops.as_python_int(num_buckets, "cross_hashed: num_buckets")
    check_at_least("cross_hashed", 0, InvalidArgumentError, num_buckets=buckets)
    key = ops.as_python_int(hash_key or HASH_KEY, "cross_hashed: hash_key")
    return _cross_columns("cross_hashed", inputs, lambda columns: hash_crossed_texts(columns, buckets, key))


def _shift_mix(x: np.ndarray) -> np.ndarray:
    return x ^ (x >> np.uint64(47))


def _join_fingerprints(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Computes FingerprintCat64 of TensorFlow's fingerprint.h."""
    x = (first ^ _FACTOR ^ (_shift_mix(second * _FACTOR) * _FACTOR)) * _FACTOR
    return _shift_mix(_shift_mix(x) * _FACTOR)


def _cross_columns(name: str, inputs: Any, combine: Callable[[list[np.ndarray]], np.ndarray]) -> SparseTensor:
    """Returns the matrix of the combinations of each row; ``combine`` makes their values of the columns of the inputs' values."""
    check_type(name, "a list", (list, tuple), inputs=inputs)
    if not all(isinstance(x, (SparseTensor, Tensor)) for x in inputs):
        raise TypeError(f"{name}: All inputs must be Tensor or SparseTensor.")
    inputs = [x for x in inputs if isinstance(x, SparseTensor)] + [x for x in inputs if isinstance(x, Tensor)]
    require(inputs, name, "inputs must hold one tensor or more", InvalidArgumentError, inputs=inputs)
    if any(len(x.shape) != 2 for x in inputs):
        raise InvalidArgumentError(f"{name}: inputs should be matrices, got shapes {[list(x.shape) for x in inputs]}.")
    if len({x.shape[0] for x in inputs}) != 1:
        raise InvalidArgumentError(f"{name}: Expected batch sizes to be equal, got {[x.shape[0] for x in inputs]}.")
    rows = inputs[0].shape[0]
    counts = []
    for x in inputs:
        sparse_rows = (
            x.indices._elements()[:, 0] if isinstance(x, SparseTensor) else np.repeat(np.arange(rows), x.shape[1])
        )
        counts.append(np.bincount(sparse_rows, minlength=rows))
    no_values = [np.zeros(int(count.sum())) for count in counts]
    _, totals, row_of, number = combinations_of_rows(no_values, counts)
    tensors = tuple([x.values if isinstance(x, SparseTensor) else x for x in inputs])

    def run(*arrays: np.ndarray) -> tuple[np.ndarray]:
        flat = [array.reshape(-1) for array in arrays]
        values = [array if array.dtype == object else array.astype(np.int64) for array in flat]
        return (combine(combinations_of_rows(values, counts)[0]),)

    (result,) = ops.call_on_host(name, run, tensors, acts=False)
    indices = constant_tensor(np.stack([row_of, number], 1))
    return SparseTensor._of(indices, result, (rows, int(totals.max(initial=0))))


def combinations_of_rows(
    values: list[np.ndarray], counts: list[np.ndarray]
) -> tuple[list[np.ndarray], np.ndarray, np.ndarray, np.ndarray]:
    """Returns the columns of all combinations of the values of each row, the last input varying fastest.

    Args:
        values: the values of each input, row after row.
        counts: the number of values of each row, for each input.

    Returns:
        The value of each input in each combination; the number of combinations of each row; and for each combination its row and
        its place in the row.
    """
    totals = np.prod(counts, 0)
    row_of = np.repeat(np.arange(len(totals)), totals)
    number = np.arange(len(row_of)) - (np.cumsum(totals) - totals)[row_of]
    columns, rest = [], number
    for column, count in zip(reversed(values), reversed(counts), strict=True):
        columns.append(column[(np.cumsum(count) - count)[row_of] + rest % count[row_of]])
        rest = rest // count[row_of]
    return columns[::-1], totals, row_of, number


def join_crossed_texts(columns: list[np.ndarray], separator: bytes) -> np.ndarray:
    """Returns the strings of all combinations, whose values ``columns`` has by input."""
    texts = [
        [item if isinstance(item, bytes) else str(item).encode() for item in column.tolist()] for column in columns
    ]
    values = np.empty(len(columns[0]) if columns else 0, object)
    values[:] = [separator.join(parts) for parts in zip(*texts, strict=True)]
    return values


def hash_crossed_texts(columns: list[np.ndarray], num_buckets: int, key: int) -> np.ndarray:
    """Returns the int64 hashes of all combinations, whose values, int64 or strings, ``columns`` has by input."""
    hashes = np.full(len(columns[0]) if columns else 0, key, np.int64).view(np.uint64)  # a key may be negative
    for column in columns:
        is_text = column.dtype == object
        words = (ops.hashes_of(column, "farm") if is_text else column).view(np.uint64)
        hashes = _join_fingerprints(hashes, words)
    return (hashes % np.uint64(num_buckets or 2**63 - 1)).astype(np.int64)
