"""Concatenation, stacking, masking and rearrangement of ragged tensors."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from fastgrad._src.core.argument_checks import refuse, require
from fastgrad._src.core.composite import overrides
from fastgrad._src.core.dtypes import DType
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.operand_errors import InvalidValueError
from fastgrad._src.core.tensor import Tensor, constant_tensor, convert_to_tensor
from fastgrad._src.ops import namespace as ops
from fastgrad._src.structures.ragged import dense, partition
from fastgrad._src.structures.ragged.indexing import rows_at
from fastgrad._src.structures.ragged.ragged_tensor import RaggedTensor, row_count


def as_tensor_or_ragged(value: Any) -> Any:
    """Returns ``value`` converted to a tensor, unless it is a ragged tensor."""
    return value if isinstance(value, RaggedTensor) else convert_to_tensor(value)


def checked_axis(axis: Any, rank: int, name: str) -> int:
    """Returns ``axis``, counted from the first of ``rank`` dimensions; ValueError if it is out of range."""
    require(axis is not None, name, "`axis` must be an int", TypeError, axis=axis)
    axis_number = ops.as_python_int(axis, f"{name}: axis")
    require(-rank <= axis_number < rank, name, f"`axis` is out of range [{-rank}, {rank})", axis=axis_number)
    return axis_number % rank


@overrides(RaggedTensor, ops.concat)
def concat(values: Any, axis: Any) -> Any:
    """``tf.concat`` of ``values``, at least one of which is ragged.

    Raises:
        InvalidArgumentError: on axis 1 or more, the numbers of rows differ; on axis 2 or more, row splits differ.
        ValueError: ranks differ, or ``axis`` is out of range.
    """
    if isinstance(values, RaggedTensor):
        return values
    tensors = [as_tensor_or_ragged(value) for value in values]
    if len(tensors) == 1:
        return tensors[0]
    ranks = {x.shape.rank for x in tensors}
    require(len(ranks) <= 1, "concat", "ragged tensors must have one rank", shapes=[x.shape for x in tensors])
    return _concat_along(tensors, checked_axis(axis, ranks.pop(), "concat"))


def _concat_along(xs: list[Any], axis: int) -> Any:
    if all(isinstance(x, Tensor) for x in xs):
        return ops.concat(xs, axis)
    ragged = [x for x in xs if isinstance(x, RaggedTensor)]
    dtype = ragged[0].row_splits.dtype
    levels = max(*[x.ragged_rank for x in ragged], min(axis, 1))
    same_rank = [dense.with_rank(x, levels, dtype) for x in xs]
    counts = {len(x.row_splits) - 1 for x in same_rank}
    if axis and len(counts) > 1:
        raise InvalidArgumentError(f"concat: ragged tensors of {sorted(counts)} rows can't be joined on axis {axis}.")
    if axis > 1:
        partition.check_equal_splits([x.row_splits for x in same_rank], "concat")
        return same_rank[0]._with(_concat_along([x.values for x in same_rank], axis - 1))
    uniforms = {x._uniform for x in same_rank}
    all_rows = _concat_rows(same_rank, uniforms.pop() if len(uniforms) == 1 else None)
    return all_rows if axis == 0 else _join_corresponding_rows(all_rows, len(xs))


def _concat_rows(xs: list[RaggedTensor], uniform: int | None) -> RaggedTensor:
    splits, count = [xs[0].row_splits], 0
    for previous, x in itertools.pairwise(xs):
        count += row_count(previous.values)
        splits.append(x.row_splits[1:] + count)
    return RaggedTensor._of(_concat_along([x.values for x in xs], 0), ops.concat(splits, 0), uniform)


def _join_corresponding_rows(whole: RaggedTensor, parts: int) -> RaggedTensor:
    """Joins row i of each part to row i of the result; ``whole`` holds the rows of all ``parts`` one after another."""
    rows = (len(whole.row_splits) - 1) // parts
    row_numbers = ops.reshape(partition.index_range(parts * rows, whole.row_splits.dtype), [parts, rows])
    reordered = rows_at(whole, ops.reshape(ops.transpose(row_numbers), [-1]))
    return RaggedTensor._of(reordered.values, reordered.row_splits[::parts])


@overrides(RaggedTensor, ops.stack)
def stack(values: Any, axis: Any = 0, name: str | None = None) -> Any:
    """Stacks tensors of one rank along a new axis; their sizes may differ.

    Args:
        values: tensors or ragged tensors of one rank and dtype.
        axis: the position of the new dimension, in ``[-rank - 1, rank + 1)``.
        name: kept for TensorFlow's signature.

    Returns:
        A ``RaggedTensor`` of rank + 1; for scalars a tensor. TensorFlow: tf.ragged.stack.

    Raises:
        ValueError: ``values`` is empty, ranks differ, or ``axis`` is out of range.
        InvalidArgumentError: the numbers of rows differ, on an axis other than 0.
    """
    tensors = [as_tensor_or_ragged(value) for value in (values if isinstance(values, (list, tuple)) else [values])]
    require(tensors, "stack", "`values` must contain at least one tensor")
    ranks = {x.shape.rank for x in tensors}
    require(len(ranks) <= 1, "stack", "tensors must have one rank", shapes=[x.shape for x in tensors])
    rank = ranks.pop()
    position = checked_axis(axis, rank + 1, "stack")
    if not rank:
        return ops.stack(tensors)
    return _stack_along(tensors, position)


def cut_into_rows(values: Any, lengths: list[int], dtype: DType) -> RaggedTensor:
    """Returns ``values`` cut into rows of ``lengths``; ``dtype`` is that of the row splits."""
    return RaggedTensor._of(values, partition.splits_of_lengths(constant_tensor(np.array(lengths, dtype.numpy))))


def _stack_along(xs: list[Any], axis: int) -> Any:
    if axis:
        rows = {row_count(x) for x in xs}
        if len(rows) > 1:
            raise InvalidArgumentError(f"stack: tensors of {sorted(rows)} rows can't be stacked on axis {axis}.")
    if axis == 0:
        if all(isinstance(x, Tensor) for x in xs):
            levels = 0 if len(xs[0].shape) == 1 else len(xs[0].shape) - 1
            operands = [dense.with_rank(x, levels, partition.ROW_SPLITS_DTYPES[1]) if levels else x for x in xs]
        else:
            dtype = next(x.row_splits.dtype for x in xs if isinstance(x, RaggedTensor))
            levels = max(x.ragged_rank for x in xs if isinstance(x, RaggedTensor))
            operands = [dense.with_rank(x, levels, dtype) for x in xs]
        values, counts = _concat_along(operands, 0), [row_count(x) for x in operands]
        dtype = values.row_splits.dtype if isinstance(values, RaggedTensor) else partition.ROW_SPLITS_DTYPES[0]
        return cut_into_rows(values, counts, dtype)
    return _concat_along([expand_dims(x, axis) for x in xs], axis)


@overrides(RaggedTensor, ops.expand_dims)
def expand_dims(x: Any, axis: Any) -> Any:
    """``tf.expand_dims`` of a ragged tensor; inside of all ragged dimensions, the new dimension has no row splits."""
    if isinstance(x, Tensor):
        return ops.expand_dims(x, axis)
    position = checked_axis(axis, x.shape.rank + 1, "expand_dims")
    if position > 1:
        return x._with(expand_dims(x.values, position - 1))
    count = len(x.row_splits) - 1
    size, rows = (count, 1) if position == 0 else (1, count)
    return RaggedTensor._of(x, partition.uniform_splits(size, rows, x.row_splits.dtype), size)


def boolean_mask(data: Any, mask: Any, name: str | None = None) -> Any:
    """Selects the elements of ``data`` where ``mask`` is true; rows stay separate.

    Args:
        data: a tensor or ragged tensor.
        mask: booleans for the leading dimensions of ``data``, with equal row splits.
        name: kept for TensorFlow's signature.

    Returns:
        A tensor for a mask of rank 1 over a tensor, else a ``RaggedTensor`` of the rank of ``data``.

    TensorFlow: tf.ragged.boolean_mask.

    Raises:
        TypeError: ``mask`` is not boolean.
        ValueError: ``mask`` is a scalar, or has a higher rank than ``data``.
        InvalidArgumentError: row splits differ.
    """
    x, mask_tensor = as_tensor_or_ragged(data), as_tensor_or_ragged(mask)
    require(mask_tensor.dtype.is_bool, "boolean_mask", "`mask` must be boolean", TypeError, dtype=mask_tensor.dtype)
    require(mask_tensor.shape.rank, "boolean_mask", "`mask` cannot be scalar", mask=mask)
    if mask_tensor.shape.rank > x.shape.rank:
        refuse("boolean_mask", f"`mask` has a higher rank than {x.shape}", InvalidValueError, mask=mask_tensor.shape)
    return _apply_mask(x, mask_tensor)


def _apply_mask(x: Any, mask: Any) -> Any:
    if isinstance(mask, Tensor) and mask.ndim == 1:
        if isinstance(x, Tensor):
            return ops.boolean_mask(x, mask)
        if len(mask) != len(x.row_splits) - 1:
            raise ValueError(f"boolean_mask: Shapes {x.shape} and {mask.shape} are incompatible.")
        return rows_at(x, ops.reshape(ops.where(mask), [-1]))
    levels = mask.shape.rank - 1
    dtype = next(
        (operand.row_splits.dtype for operand in (x, mask) if isinstance(operand, RaggedTensor)),
        partition.ROW_SPLITS_DTYPES[1],
    )
    x, mask = dense.with_rank(x, levels, dtype), dense.with_rank(mask, levels, dtype)
    partition.check_equal_splits([x.row_splits, mask.row_splits], "boolean_mask")
    values = _apply_mask(x.values, mask.values)
    if isinstance(mask.values, RaggedTensor):
        return x._with(values)
    rows = len(x.row_splits) - 1
    lengths = ops.unsorted_segment_sum(ops.cast(mask.values, dtype), mask.value_rowids(), rows)
    return RaggedTensor._of(values, partition.splits_of_lengths(lengths))


@overrides(RaggedTensor, ops.tile)
def tile(x: RaggedTensor, multiples: Any) -> RaggedTensor:
    """``tf.tile`` of a ragged tensor: repeats the sequence of rows, and the values of each row.

    Raises:
        InvalidArgumentError: ``multiples`` does not have one number per dimension, or has a negative one.
    """
    counts = ops.as_python_ints(multiples, "tile: multiples")
    if len(counts) != x.shape.rank or min(counts) < 0:
        raise InvalidArgumentError(f"tile: Expected {x.shape.rank} multiples >= 0 for {x.shape}, got {list(counts)}.")
    return _tile_along_axes(x, counts)


def _tile_along_axes(x: Any, counts: tuple[int, ...]) -> Any:
    if isinstance(x, Tensor):
        return ops.tile(x, counts)
    rows, repeats = counts[:2]
    values = x.values if set(counts[2:]) <= {1} else _tile_along_axes(x.values, (1, *counts[2:]))
    lengths = x.row_lengths()
    splits = partition.splits_of_lengths(ops.tile(lengths * repeats, [rows]))
    count = int(splits[-1])
    ids = partition.row_numbers(splits, count)
    sources = ids % max(len(lengths), 1)
    positions = (partition.index_range(count, splits.dtype) - ops.gather(splits, ids)) % ops.gather(lengths, sources)
    values = rows_at(values, ops.gather(x.row_splits, sources) + positions)
    return RaggedTensor._of(values, splits, None if x._uniform is None else x._uniform * repeats)


@overrides(RaggedTensor, ops.reverse)
def reverse(x: Any, axis: Any) -> Any:
    """``tf.reverse`` of a ragged tensor along the axes ``axis``.

    Raises:
        InvalidArgumentError: ``axis`` is a scalar.
        ValueError: an axis is out of range.
    """
    if isinstance(axis, (int, np.integer)):
        raise InvalidArgumentError(f"reverse: 'axis' must be a vector of axes, got {axis}: write [{axis}].")
    axes = {
        checked_axis(axis_number, x.shape.rank, "reverse") for axis_number in ops.as_python_ints(axis, "reverse: axis")
    }
    return _reverse_along_axes(x, axes)


def _reverse_along_axes(x: Any, axes: set[int]) -> Any:
    if isinstance(x, Tensor):
        return ops.reverse(x, sorted(axes))
    inner = {axis_number - 1 for axis_number in axes if axis_number > 1}
    if inner:
        x = x._with(_reverse_along_axes(x.values, inner))
    if 1 in axes:
        ids = x.value_rowids()
        ends = ops.gather(x.row_splits[:-1] + x.row_splits[1:] - 1, ids)
        x = x._with(rows_at(x.values, ends - partition.index_range(len(ids), ids.dtype)))
    if 0 in axes:
        x = rows_at(x, row_count(x) - 1 - partition.index_range(row_count(x), x.row_splits.dtype))
    return x


@overrides(RaggedTensor, ops.squeeze)
def squeeze(x: Any, axis: Any) -> Any:
    """``tf.squeeze`` of a ragged tensor: removes the dimensions ``axis`` of size 1.

    Raises:
        ValueError: ``axis`` is None or out of range.
        InvalidArgumentError: the size of a dimension is not 1.
    """
    require(axis is not None, "squeeze", "of a ragged tensor the `axis` must be named: its sizes vary", axis=axis)
    result: Any = x
    for axis_number in sorted(
        {checked_axis(item, x.shape.rank, "squeeze") for item in ops.as_python_ints(axis, "squeeze: axis")},
        reverse=True,
    ):
        result = _squeeze_axis(result, axis_number)
    return result


def _squeeze_axis(x: Any, axis: int) -> Any:
    if isinstance(x, Tensor):
        return ops.squeeze(x, [axis])
    if axis > 1:
        return x._with(_squeeze_axis(x.values, axis - 1))
    lengths = x.row_lengths() if axis else constant_tensor(np.array([len(x.row_splits) - 1]))
    ops.assert_equal(lengths, 1, f"squeeze: the sizes of dimension {axis} are not all 1")
    return x.values


@overrides(RaggedTensor, ops.split)
def split(x: Any, num_or_size_splits: Any, axis: Any) -> list[Any]:
    """``tf.split`` of a ragged tensor along axis 0 or along a dimension that is not ragged.

    Raises:
        ValueError: ``axis`` is ragged or out of range.
        InvalidArgumentError: the pieces do not add up to the size of the axis.
    """
    axis_number = checked_axis(axis, x.shape.rank, "split")
    if 0 < axis_number <= x.ragged_rank:
        refuse("split", "a ragged axis can't be split into equal pieces", axis=axis_number, shape=x.shape)
    if axis_number:
        return [
            x._with_flat_values(piece)
            for piece in ops.split(x.flat_values, num_or_size_splits, axis_number - x.ragged_rank)
        ]
    rows = partition.index_range(row_count(x), x.row_splits.dtype)
    return [rows_at(x, piece) for piece in ops.split(rows, num_or_size_splits, 0)]


@overrides(RaggedTensor, ops.dynamic_partition)
def dynamic_partition(x: Any, partitions: Any, num_partitions: Any) -> list[Any]:
    """``tf.dynamic_partition`` of the rows of a ragged tensor.

    Raises:
        ValueError: ``partitions`` is ragged.
        InvalidArgumentError: a partition is out of range, or the numbers of partitions and rows differ.
    """
    if isinstance(partitions, RaggedTensor):
        raise ValueError(f"dynamic_partition: partitions must be a tensor, got {partitions!r}.")
    rows = partition.index_range(row_count(x), x.row_splits.dtype)
    return [rows_at(x, row_numbers) for row_numbers in ops.dynamic_partition(rows, partitions, num_partitions)]


def stack_dynamic_partitions(data: Any, partitions: Any, num_partitions: Any, name: str | None = None) -> RaggedTensor:
    """Groups the slices of ``data`` by partition: row i holds the slices of partition i, in their order in ``data``.

    Args:
        data: a tensor or ragged tensor.
        partitions: the partition of each slice, int32 or int64: a tensor or ragged tensor; its shape is a prefix of the
            shape of ``data``.
        num_partitions: the number of partitions.
        name: kept for TensorFlow's signature.

    Raises:
        InvalidArgumentError: a partition is out of range, or the shapes do not match.
            TensorFlow: tf.ragged.stack_dynamic_partitions.
    """
    x, ids = as_tensor_or_ragged(data), as_tensor_or_ragged(partitions)
    if isinstance(ids, RaggedTensor):
        x = dense.with_rank(x, ids.ragged_rank, ids.row_splits.dtype)
        partition.check_equal_splits([x.row_splits, ids.row_splits], "stack_dynamic_partitions")
        return stack_dynamic_partitions(x.values, ids.values, num_partitions)
    partition_slices = (
        ops.dynamic_partition(x, ids, num_partitions)
        if isinstance(x, Tensor)
        else dynamic_partition(x, ids, num_partitions)
    )
    index_type = x.row_splits.dtype if isinstance(x, RaggedTensor) else ids.dtype
    return cut_into_rows(
        _concat_along(partition_slices, 0), [row_count(slices) for slices in partition_slices], index_type
    )
