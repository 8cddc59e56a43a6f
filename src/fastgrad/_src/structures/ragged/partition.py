"""Row partitions: ``row_splits``, and conversions from lengths and row ids.

``row_splits`` [0, 2, 2, 5] gives three rows: ``values[0:2]``, an empty row, and ``values[2:5]``. Operations compute
all results, so a recorder sees them. Only sizes are read as Python numbers.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.argument_checks import check_at_least, refuse
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.tensor import Tensor, constant_tensor, convert_to_tensor
from fastgrad._src.ops import namespace as ops

ROW_SPLITS_DTYPES = (dtypes.int32, dtypes.int64)


def as_partition(value: Any, argument_name: str, dtype: Any = None) -> Tensor:
    """Returns a partition (splits, lengths, limits ...) as a vector of int32 or int64; Python numbers become int64.

    Raises:
        ValueError: ``value`` has another dtype or rank.
    """
    has_dtype = hasattr(value, "dtype")
    tensor = convert_to_tensor(value, dtype_hint=None if has_dtype or dtype is not None else dtypes.int64)
    if dtype is not None:
        tensor = ops.cast(tensor, dtype)
    if tensor.dtype not in ROW_SPLITS_DTYPES:
        raise ValueError(f"{argument_name} must have dtype int32 or int64, got {tensor.dtype.name}.")
    if tensor.ndim != 1:
        raise ValueError(f"{argument_name}: Shape {tensor.shape} must have rank 1.")
    return tensor


def checked_count(value: Any, argument_name: str) -> int:
    """Returns ``value``, a count of rows or values or an axis, as a Python integer.

    Raises:
        TypeError: a Python number or string is not an integer.
        ValueError: a tensor, an array or a list has a rank other than 0.
        InvalidArgumentError: a tensor does not have an integer dtype.
    """
    rank = np.ndim(value._array if isinstance(value, Tensor) else value)
    if rank:
        raise ValueError(f"{argument_name}: Shape of rank {rank} must have rank 0, got {value!r}.")
    return ops.as_python_int(value, argument_name)


def index_range(count: int, dtype: dtypes.DType) -> Tensor:
    """Returns the vector 0, 1 ... ``count`` - 1."""
    return constant_tensor(np.arange(count, dtype=dtype.numpy))


def check_splits(splits: Tensor, count: int, caller_name: str) -> None:
    """Raises InvalidArgumentError unless ``splits`` are valid row splits of ``count`` values.

    Raises:
        InvalidArgumentError: ``splits`` does not begin with 0, decreases, or does not end with ``count``.
    """
    error_prefix = f"Arguments to {caller_name} do not form a valid RaggedTensor"
    ops.assert_equal(splits[0], 0, f"{error_prefix}: the first of row_splits must be 0")
    ops.assert_non_negative(lengths_of(splits), f"{error_prefix}: row_splits must not fall")
    ops.assert_equal(splits[-1], count, f"{error_prefix}: the last of row_splits must be the number of values, {count}")


def lengths_of(splits: Tensor) -> Tensor:
    """Returns the number of values of each row."""
    return splits[1:] - splits[:-1]


def splits_of_lengths(lengths: Tensor) -> Tensor:
    """Returns the row splits of rows with these ``lengths``."""
    return ops.concat([constant_tensor(np.zeros(1, lengths.dtype.numpy)), ops.cumsum(lengths)], 0)


def row_numbers(splits: Tensor, count: int) -> Tensor:
    """Returns, for each of ``count`` values, the number of its row."""
    return ops.searchsorted(splits, index_range(count, splits.dtype), "right", splits.dtype) - 1


def splits_of_row_numbers(ids: Tensor, nrows: int) -> Tensor:
    """Returns the row splits of ``nrows`` rows; ``ids`` is the row number of each value."""
    ones = constant_tensor(np.ones(ids._array.shape, ids.dtype.numpy))
    return splits_of_lengths(ops.unsorted_segment_sum(ones, ids, nrows))


def uniform_splits(length: int, nrows: int, dtype: dtypes.DType = dtypes.int64) -> Tensor:
    """Returns the row splits of ``nrows`` rows that all have ``length`` values."""
    return constant_tensor(np.arange(nrows + 1, dtype=dtype.numpy) * dtype.numpy.type(length))


def checked_row_numbers(ids: Tensor, nrows: Any, count: int) -> int:
    """Returns the number of rows after a check of ``ids``: the ascending row numbers of ``count`` values.

    Raises:
        ValueError: ``ids`` does not have ``count`` elements; ``nrows`` is negative or too small.
        InvalidArgumentError: row numbers decrease or are negative.
    """
    if len(ids) != count:
        raise ValueError(f"from_value_rowids: Shapes ({count},) and ({len(ids)},) are incompatible.")
    error_prefix = "Arguments to from_value_rowids do not form a valid RaggedTensor: value_rowids"
    if count:
        ops.assert_non_negative(ids[0], f"{error_prefix} must not be negative")
        ops.assert_non_negative(ids[1:] - ids[:-1], f"{error_prefix} must not fall")
    min_rows = int(ids[-1]) + 1 if count else 0
    row_count = min_rows if nrows is None else checked_count(nrows, "from_value_rowids: nrows")
    check_at_least("from_value_rowids", 0, nrows=row_count)
    if row_count < min_rows:
        refuse("from_value_rowids", f"`nrows` must be at least value_rowids[-1] + 1 = {min_rows}", nrows=row_count)
    return row_count


def check_equal_splits(splits: list[Tensor], caller_name: str) -> None:
    """Raises InvalidArgumentError unless ragged operands have equal row splits.

    Raises:
        InvalidArgumentError: the row splits differ.
    """
    first = splits[0]
    for other in splits[1:]:
        if other is first:
            continue
        if len(other) != len(first):
            refuse(caller_name, "Incompatible row_splits", InvalidArgumentError, rows=(len(first) - 1, len(other) - 1))
        if other.dtype is not first.dtype:
            raise InvalidArgumentError(f"{caller_name}: row_splits of {first.dtype.name} and of {other.dtype.name}.")
        ops.assert_equal(first, other, f"{caller_name}: Incompatible row_splits")


def row_splits_to_segment_ids(splits: Any, name: str | None = None, out_type: Any = None) -> Tensor:
    """Returns, for each value, the number of its row.

    Args:
        splits: row splits, int32 or int64, shape (rows + 1,).
        name: kept for TensorFlow's signature.
        out_type: int32 or int64; default the dtype of ``splits``.

    Returns:
        Shape (values,). TensorFlow: tf.ragged.row_splits_to_segment_ids.

    Raises:
        ValueError: ``splits`` has another dtype or rank, or is empty.
    """
    row_splits = as_partition(splits, "row_splits_to_segment_ids: splits")
    if not len(row_splits):
        raise ValueError("row_splits_to_segment_ids: Invalid row_splits: `splits` is empty.")
    ids = row_numbers(row_splits, int(row_splits[-1]))
    return ids if out_type is None else ops.cast(ids, out_type)


def segment_ids_to_row_splits(
    segment_ids: Any, num_segments: Any = None, out_type: Any = None, name: str | None = None
) -> Tensor:
    """Returns the row splits for the row number of each value.

    Args:
        segment_ids: the row number of each value, ascending, int32 or int64, shape (values,).
        num_segments: the number of rows; default: the last row number plus 1.
        out_type: int32 or int64; default the dtype of ``segment_ids``.
        name: kept for TensorFlow's signature.

    Returns:
        Shape (rows + 1,). TensorFlow: tf.ragged.segment_ids_to_row_splits.

    Raises:
        ValueError: ``segment_ids`` has another dtype or rank.
        InvalidArgumentError: a row number is negative or not below ``num_segments``.
    """
    ids = as_partition(segment_ids, "segment_ids_to_row_splits: segment_ids")
    if len(ids) and int(ids[0]) < 0:
        raise InvalidArgumentError(f"segment_ids_to_row_splits: segment_ids[0] = {int(ids[0])} is negative.")
    min_rows = int(ids[-1]) + 1 if len(ids) else 0
    row_count = (
        min_rows if num_segments is None else checked_count(num_segments, "segment_ids_to_row_splits: num_segments")
    )
    ops.assert_less_equal(ids, row_count - 1, "segment_ids_to_row_splits: an id is num_segments or more")
    splits = splits_of_row_numbers(ids, row_count)
    return splits if out_type is None else ops.cast(splits, out_type)
