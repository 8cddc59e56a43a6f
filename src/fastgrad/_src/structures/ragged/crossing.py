"""Crossed features of ragged tensors: the combinations of the values that several matrices have in a row."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.tensor import constant_tensor, convert_to_tensor
from fastgrad._src.ops.arguments import as_python_int
from fastgrad._src.structures.ragged.ragged_tensor import RaggedTensor
from fastgrad._src.structures.sparse.crossing import (
    HASH_KEY,
    combinations_of_rows,
    hash_crossed_texts,
    join_crossed_texts,
)
from fastgrad._src.structures.sparse.sparse_tensor import SparseTensor


def cross(inputs: Any, name: str | None = None) -> RaggedTensor:
    """Joins each combination of the values of a row to one string, with ``"_X_"`` between the values.

    Args:
        inputs: a list of ragged tensors, sparse tensors and tensors of integers or strings, shape (rows, n).

    Returns:
        A ``RaggedTensor`` of strings; the last input varies fastest. A compiled function is recorded again for other values.

    Raises:
        TypeError: ``inputs`` is no list.
        ValueError: an input has another dtype, or is a ragged tensor of another rank.
        InvalidArgumentError: an input is no matrix, or the numbers of rows differ.
    """
    columns, splits = _combinations("cross", inputs)
    return RaggedTensor.from_row_splits(constant_tensor(join_crossed_texts(columns, b"_X_")), splits, validate=False)


def cross_hashed(inputs: Any, num_buckets: Any = 0, hash_key: Any = None, name: str | None = None) -> RaggedTensor:
    """Hashes each combination of the values of a row to one number, with TensorFlow's hash, FingerprintCat64.

    Args:
        inputs: a list of ragged tensors, sparse tensors and tensors of integers or strings, shape (rows, n).
        num_buckets: hashes are modulo ``num_buckets``; 0 for hashes below 2**63 - 1.
        hash_key: the start of the hash; default TensorFlow's.

    Returns:
        A ``RaggedTensor`` of int64; see ``cross``.

    Raises:
        TypeError: ``inputs`` is no list.
        ValueError, InvalidArgumentError: see ``cross``; also for a negative ``num_buckets``.
    """
    buckets = as_python_int(num_buckets, "cross_hashed: num_buckets")
    if buckets < 0:
        raise InvalidArgumentError(f"cross_hashed: num_buckets must not be negative, got {buckets}.")
    columns, splits = _combinations("cross_hashed", inputs)
    hashes = hash_crossed_texts(columns, buckets, as_python_int(hash_key or HASH_KEY, "cross_hashed: hash_key"))
    return RaggedTensor.from_row_splits(constant_tensor(hashes), splits, validate=False)


def _combinations(name: str, inputs: Any) -> tuple[list[np.ndarray], np.ndarray]:
    """Returns the value of each input in each combination, and the row splits of the combinations."""
    if not isinstance(inputs, (list, tuple)):
        raise TypeError(f"{name}: Inputs must be a list, got {type(inputs).__name__}.")
    values, counts, narrow = [], [], []
    for place, value in enumerate(inputs):
        x = value if isinstance(value, (RaggedTensor, SparseTensor)) else convert_to_tensor(value)
        if not (x.dtype.is_integer or x.dtype is dtypes.string):
            raise ValueError(f"{name}: Unexpected dtype for inputs[{place}]: {x.dtype!r}; use integers or strings.")
        if isinstance(x, RaggedTensor) and x.ragged_rank != 1:
            raise ValueError(f"tf.ragged.{name} only supports inputs with rank=2, got ragged rank {x.ragged_rank}.")
        if len(x.shape) != 2:
            raise InvalidArgumentError(f"{name}: inputs must be matrices, got shape {list(x.shape)}.")
        elements = (x if not isinstance(x, (RaggedTensor, SparseTensor)) else x.values)._elements().reshape(-1)
        values.append(elements if x.dtype is dtypes.string else elements.astype(np.int64))
        rows = int(x.nrows()) if isinstance(x, RaggedTensor) else x.shape[0]
        if isinstance(x, RaggedTensor):
            counts.append(x.row_lengths()._elements().astype(np.int64))
            narrow.append(x.row_splits.dtype is dtypes.int32)
        elif isinstance(x, SparseTensor):
            counts.append(np.bincount(x.indices._elements()[:, 0], minlength=rows))
        else:
            counts.append(np.full(rows, x.shape[1], np.int64))
    if len({len(count) for count in counts}) > 1:
        raise InvalidArgumentError(f"{name}: inputs must have the same batch dimension size: {[*map(len, counts)]}.")
    splits_dtype = np.int32 if narrow and all(narrow) else np.int64
    if not counts:
        return [], np.zeros(1, splits_dtype)
    columns, totals, _, _ = combinations_of_rows(values, counts)
    return columns, np.concatenate([[0], np.cumsum(totals)]).astype(splits_dtype)
