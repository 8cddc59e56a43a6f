"""Indexing, slicing and gathering of ragged tensors."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastgrad._src.core.composite import overrides
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.operand_errors import InvalidValueError
from fastgrad._src.core.tensor import Tensor, constant_tensor, convert_to_tensor
from fastgrad._src.ops import namespace as ops
from fastgrad._src.structures.ragged import dense, partition
from fastgrad._src.structures.ragged.partition import index_range
from fastgrad._src.structures.ragged.ragged_tensor import RaggedTensor, row_count


def getitem(ragged: Any, key: Any) -> Any:
    """Returns ``ragged[key]`` for a tensor or ragged tensor.

    Raises:
        IndexError: the row does not exist.
        ValueError: an integer indexes a ragged inner dimension, or a step is 0.
        InvalidArgumentError: a negative row index is out of range.
        TypeError: ``key`` is not an index.
    """
    keys = list(key) if isinstance(key, tuple) else [key]
    if any(item is Ellipsis for item in keys):
        keys = _expand_ellipsis(keys, ragged.shape.rank)
    return _getitem_of_rows(ragged, keys)


def _expand_ellipsis(keys: list[Any], rank: int) -> list[Any]:
    ellipsis_index = next(index for index, item in enumerate(keys) if item is Ellipsis)
    if any(item is Ellipsis for item in keys[ellipsis_index + 1 :]):
        raise ValueError("RaggedTensor: an index has one `...` at most.")
    indexed_axes = sum(item is not None for item in keys) - 1
    return [*keys[:ellipsis_index], *[slice(None)] * max(rank - indexed_axes, 0), *keys[ellipsis_index + 1 :]]


def _getitem_of_rows(x: Any, keys: list[Any]) -> Any:
    """Returns ``x[keys]``; the first key applies to the rows."""
    if not keys:
        return x
    if isinstance(x, Tensor):
        return x[tuple(keys)]
    first_key, *inner_keys = keys
    if first_key is None:
        inner = _getitem_of_rows(x, inner_keys)
        count = row_count(inner)
        return RaggedTensor._of(inner, partition.uniform_splits(count, 1, x.row_splits.dtype), count)
    if isinstance(first_key, slice):
        return _getitem_within_rows(_sliced_rows(x, first_key), inner_keys)
    return _getitem_of_rows(_row_at(x, first_key), inner_keys)


def _row_at(x: RaggedTensor, key: Any) -> Any:
    row_number, count = _as_index_int(key), len(x.row_splits) - 1
    if row_number >= count:
        raise IndexError(f"Row key {row_number} out of bounds: there are {count} rows.")
    if row_number < -count:
        raise InvalidArgumentError(f"RaggedTensor: slice index {row_number} out of bounds: {count} rows.")
    row_number %= count
    return _value_range(x.values, int(x.row_splits[row_number]), int(x.row_splits[row_number + 1]))


def _as_index_int(key: Any) -> int:
    if isinstance(key, Tensor) and key.dtype.is_integer and not key.ndim:
        return int(key)
    if isinstance(key, (int, np.integer)) and not isinstance(key, bool):
        return int(key)
    raise TypeError(
        f"Only integers, slices (`:`), ellipsis (`...`), tf.newaxis (`None`) and scalar tf.int32/tf.int64 tensors are valid "
        f"indices, got {key!r}"
    )


def _value_range(values: Any, start: int, stop: int) -> Any:
    """Returns ``values[start:stop]``."""
    if isinstance(values, Tensor):
        return values[start:stop]
    return _sliced_rows(values, slice(start, stop))


def _sliced_rows(x: RaggedTensor, key: slice) -> RaggedTensor:
    start, stop, step = _integer_slice(key).indices(len(x.row_splits) - 1)
    if (start, stop, step) == (0, len(x.row_splits) - 1, 1):
        return x
    if step != 1:
        return rows_at(x, constant_tensor(np.arange(start, stop, step, dtype=x.row_splits.dtype.numpy)))
    splits = x.row_splits[start : max(start, stop) + 1]
    values = _value_range(x.values, int(splits[0]), int(splits[-1]))
    return RaggedTensor._of(values, splits - splits[0], x._uniform)


def _integer_slice(key: slice) -> slice:
    bounds = [None if bound is None else _as_index_int(bound) for bound in (key.start, key.stop, key.step)]
    if bounds[2] == 0:
        raise InvalidValueError("RaggedTensor: slice step cannot be zero. Leave it out, or take a step of 1.")
    return slice(*bounds)


def rows_at(x: Any, ids: Tensor) -> Any:
    """Returns the rows of ``x``, a tensor or ragged tensor, at the positions ``ids``, a vector."""
    if isinstance(x, Tensor):
        return ops.gather(x, ids)
    if not len(ids):
        return _sliced_rows(x, slice(0, 0))
    lengths, starts = ops.gather(x.row_lengths(), ids), ops.gather(x.row_splits, ids)
    splits = partition.splits_of_lengths(lengths)
    count = int(splits[-1])
    positions = index_range(count, splits.dtype) + ops.gather(
        starts - splits[:-1], partition.row_numbers(splits, count)
    )
    return RaggedTensor._of(rows_at(x.values, positions), splits, x._uniform)


# ---- within rows -------------------------------------------------------------------------------------------


def _getitem_within_rows(x: RaggedTensor, keys: list[Any]) -> Any:
    """Returns ``x[:, *keys]`` for a ragged tensor."""
    if not keys:
        return x
    first_key, *inner_keys = keys
    if first_key is None:
        count = len(x.row_splits) - 1
        inner = _getitem_within_rows(x, inner_keys)
        return RaggedTensor._of(inner, partition.uniform_splits(1, count, x.row_splits.dtype), 1)
    if isinstance(first_key, slice):
        sliced = _slice_each_row(x, _integer_slice(first_key))
        return sliced._with(_getitem_from_second_axis(sliced.values, inner_keys))
    position = _as_index_int(first_key)
    if x._uniform is None:
        raise ValueError("Cannot index into an inner ragged dimension.")
    if not -x._uniform <= position < x._uniform:
        raise IndexError(f"RaggedTensor: index {position} of dimension 1 out of bounds: rows have {x._uniform} values.")
    return _getitem_from_second_axis(rows_at(x.values, x.row_splits[:-1] + position % x._uniform), inner_keys)


def _getitem_from_second_axis(values: Any, keys: list[Any]) -> Any:
    """Returns ``values[:, *keys]`` for a tensor or ragged tensor."""
    if not keys:
        return values
    if isinstance(values, RaggedTensor):
        return _getitem_within_rows(values, keys)
    key = (slice(None), *keys)
    return values[key]


def _slice_each_row(x: RaggedTensor, key: slice) -> RaggedTensor:
    """Applies the slice ``key`` to each row by Python's rules, vectorized over the row lengths."""
    if key == slice(None):
        return x
    step = 1 if key.step is None else key.step
    lengths = x.row_lengths()
    lowest, highest = (0, lengths) if step > 0 else (-1, lengths - 1)

    def bound(limit: int | None, default: Any) -> Any:
        if limit is None:
            return default
        return ops.minimum(ops.maximum(lengths + limit if limit < 0 else lengths * 0 + limit, lowest), highest)

    start = bound(key.start, lengths * 0 if step > 0 else highest)
    stop = bound(key.stop, highest if step > 0 else lengths * 0 - 1)
    span = stop - start if step > 0 else start - stop
    counts = ops.where(ops.less(0, span), ops.floordiv(span + (abs(step) - 1), abs(step)), lengths * 0)
    splits = partition.splits_of_lengths(counts)
    count = int(splits[-1])
    ids = partition.row_numbers(splits, count)
    positions = (
        ops.gather(x.row_splits[:-1] + start, ids)
        + (index_range(count, splits.dtype) - ops.gather(splits[:-1], ids)) * step
    )
    uniform = None if x._uniform is None else len(range(*key.indices(x._uniform)))
    return RaggedTensor._of(rows_at(x.values, positions), splits, uniform)


def gather_rows(params: Any, indices: Any) -> Any:
    """``tf.gather`` along axis 0, where ``params``, ``indices`` or both are ragged."""
    if isinstance(indices, RaggedTensor):
        return indices._with_flat_values(gather_rows(params, indices.flat_values))
    if not isinstance(params, RaggedTensor):
        return ops.gather(params, indices)
    ids = convert_to_tensor(indices)
    if not ids.ndim:
        return _row_at(params, ids)
    result = rows_at(params, ops.reshape(ids, [-1]) if ids.ndim > 1 else ids)
    for axis in range(ids.ndim - 1, 0, -1):
        size, rows = ids._array.shape[axis], int(np.prod(ids._array.shape[:axis]))
        result = RaggedTensor._of(result, partition.uniform_splits(size, rows, params.row_splits.dtype))
    return result


@overrides(RaggedTensor, ops.gather)
def gather_along(params: Any, indices: Any, axis: Any, batch_dims: Any) -> Any:
    """``tf.gather`` with ``axis`` and ``batch_dims``, where ``params``, ``indices`` or both are ragged.

    Raises:
        ValueError: ``axis`` is smaller than ``batch_dims`` or not below the rank.
        InvalidArgumentError: an index is outside of its row, or the batches have different row splits.
    """
    batch = ops.as_python_int(batch_dims or 0, "gather: batch_dims")
    axis = None if axis is None else ops.as_python_int(axis, "gather: axis")
    rank: Any = params.shape.rank if isinstance(params, RaggedTensor) else convert_to_tensor(params).ndim
    batch = batch + int(indices.shape.rank or 0) if batch < 0 else batch
    gather_axis = batch if axis is None else axis + (rank if axis < 0 else 0)
    if not batch <= gather_axis < rank:
        raise ValueError(f"gather: axis {axis} must be at least batch_dims={batch} and less than the rank, {rank}.")
    if not gather_axis:
        return gather_rows(params, indices)
    index_type = next(x.row_splits.dtype for x in (params, indices) if isinstance(x, RaggedTensor))
    x = dense.with_rank(params, 1, index_type)
    rows = len(x.row_splits) - 1
    if not batch:
        if gather_axis > 1:
            return x._with(_gather_along(x.values, indices, gather_axis - 1, 0))
        if isinstance(indices, RaggedTensor):
            single_row = RaggedTensor._of(indices, partition.uniform_splits(row_count(indices), 1, index_type))
            return gather_along(x, gather_rows(single_row, np.zeros(rows, np.int64)), 1, 1)
        ids = convert_to_tensor(indices)
        return gather_along(x, ops.broadcast_to(ids, [rows, *ids._array.shape]), 1, 1)
    if batch == 1 and gather_axis > 1:  # each batch element's indices apply to all of its rows
        return x._with(_gather_along(x.values, gather_rows(indices, x.value_rowids()), gather_axis - 1, 1))
    if batch > 1:
        batches = dense.with_rank(indices, 1, index_type)
        partition.check_equal_splits([x.row_splits, batches.row_splits], "gather")
        return x._with(_gather_along(x.values, batches.values, gather_axis - 1, batch - 1))
    if isinstance(indices, RaggedTensor):
        indices = dense.with_rank(indices, indices.ragged_rank + indices.flat_values.ndim - 1, index_type)
        flat = indices.merge_dims(0, indices.ragged_rank) if indices.ragged_rank > 1 else indices.values
        outer = indices if indices.ragged_rank == 1 else indices.merge_dims(1, indices.ragged_rank)
        return indices._with_flat_values(rows_at(x.values, _flat_positions(x, outer.value_rowids(), flat)))
    ids = convert_to_tensor(indices)
    flat = ops.reshape(ids, [-1])
    row_ids = constant_tensor(np.repeat(np.arange(rows, dtype=index_type.numpy), len(flat._array) // max(rows, 1)))
    result = rows_at(x.values, _flat_positions(x, row_ids, flat))
    shape = ids._array.shape
    if isinstance(result, Tensor):
        return ops.reshape(result, [*shape, *result._array.shape[1:]])
    for level in range(len(shape) - 1, 0, -1):
        result = RaggedTensor._of(
            result, partition.uniform_splits(shape[level], int(np.prod(shape[:level])), index_type), shape[level]
        )
    return result


def _gather_along(values: Any, indices: Any, axis: int, batch_dims: int) -> Any:
    if isinstance(values, RaggedTensor) or isinstance(indices, RaggedTensor):
        return gather_along(values, indices, axis, batch_dims)
    return ops.gather(values, indices, None, axis, batch_dims)


def _flat_positions(x: RaggedTensor, rows: Tensor, places: Tensor) -> Tensor:
    """Returns the indices into ``x.values`` of the elements at positions ``places`` within ``rows``.

    Raises:
        InvalidArgumentError: a position is outside of its row.
    """
    places = ops.cast(places, x.row_splits.dtype)
    ops.assert_non_negative(places, "gather: an index is negative")
    ops.assert_less(places, ops.gather(x.row_lengths(), rows), "gather: an index is beyond the end of its row")
    return ops.gather(x.row_splits, rows) + places


@overrides(RaggedTensor, ops.gather_nd)
def gather_nd(params: Any, indices: Any, batch_dims: Any) -> Any:
    """``tf.gather_nd`` where ``params``, ``indices`` or both are ragged.

    Raises:
        ValueError: ``batch_dims`` is not 0.
        InvalidArgumentError: an index is out of range, or indices have no valid depth.
    """
    if batch_dims:
        raise ValueError(f"gather_nd: of ragged tensors batch_dims must be 0, got {batch_dims}.")
    if isinstance(indices, RaggedTensor):
        return indices._with_flat_values(gather_nd(params, indices.flat_values, 0))
    ids = convert_to_tensor(indices)
    if not isinstance(params, RaggedTensor):
        return ops.gather_nd(params, ids)
    depth = ids._array.shape[-1] if ids.ndim else 0
    rank: Any = params.shape.rank
    if not 0 < depth <= rank:
        raise InvalidArgumentError(f"gather_nd: indices {ids.shape} do not index into a tensor of {params.shape}.")
    if depth == 1:
        return gather_rows(params, ids[..., 0])
    flat_positions = ops.reshape(
        _flat_positions(params, ops.reshape(ids[..., 0], [-1]), ops.reshape(ids[..., 1], [-1])),
        [*ids._array.shape[:-1], 1],
    )
    return gather_nd(params.values, ops.concat([flat_positions, ops.cast(ids[..., 2:], flat_positions.dtype)], -1), 0)


@overrides(RaggedTensor, ops.where)
def true_positions(condition: RaggedTensor) -> Tensor:
    """``tf.where(condition)`` of a ragged condition: the coordinates of true elements, int64, shape (n, rank)."""
    inner = ops.where(condition.flat_values)
    coordinates, position = [inner[:, 1:]], inner[:, 0]
    for level in reversed(condition._list_of_levels()):
        rows = ops.cast(ops.gather(level.value_rowids(), position), "int64")
        coordinates.insert(0, ops.reshape(position - ops.cast(ops.gather(level.row_splits, rows), "int64"), [-1, 1]))
        position = rows
    return ops.concat([ops.reshape(position, [-1, 1]), *coordinates], 1)
