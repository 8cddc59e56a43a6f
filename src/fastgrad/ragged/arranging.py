"""Ragged tensors put together, and their elements chosen."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from fastgrad.errors import InvalidArgumentError
from fastgrad.ops import joining
from fastgrad.ops.casting import cast
from fastgrad.ops.indexing import boolean_mask as mask_of_tensor
from fastgrad.ops.indexing import where
from fastgrad.ops.segments import unsorted_segment_sum
from fastgrad.ops.shaping import expand_dims as expand_dims_of_tensor
from fastgrad.ops.shaping import reshape
from fastgrad.ragged import dense, partition
from fastgrad.ragged.indexing import rows_at
from fastgrad.ragged.ragged_tensor import RaggedTensor
from fastgrad.tensor import Tensor, constant_tensor, convert_to_tensor


def _as_either(value: Any) -> Any:
    return value if isinstance(value, RaggedTensor) else convert_to_tensor(value)


def _axis_of(axis: Any, rank: int, name: str) -> int:
    number = int(axis)
    if not -rank <= number < rank:
        raise ValueError(f"{name}: axis {number} out of range: expected {-rank} <= axis < {rank}.")
    return number % rank


def concat(values: Any, axis: Any) -> Any:
    """``tf.concat`` of which one at least is ragged.

    Raises:
        InvalidArgumentError: other numbers of rows, on another axis than 0; rows cut otherwise, from axis 2 on.
        ValueError: different ranks, or no such axis.
    """
    if isinstance(values, RaggedTensor):
        return values
    found = [_as_either(value) for value in values]
    if len(found) == 1:
        return found[0]
    ranks = {x.shape.rank for x in found}
    if len(ranks) > 1:
        raise ValueError(f"concat: ragged tensors of different ranks: {[x.shape for x in found]}.")
    return _concat(found, _axis_of(axis, ranks.pop(), "concat"))


def _concat(xs: list[Any], axis: int) -> Any:
    if all(isinstance(x, Tensor) for x in xs):
        return joining.concat(xs, axis)
    ragged = [x for x in xs if isinstance(x, RaggedTensor)]
    dtype = ragged[0].row_splits.dtype
    levels = max(*[x.ragged_rank for x in ragged], min(axis, 1))
    same = [dense.with_rank(x, levels, dtype) for x in xs]
    counts = {len(x.row_splits) - 1 for x in same}
    if axis and len(counts) > 1:
        raise InvalidArgumentError(f"concat: ragged tensors of {sorted(counts)} rows can't be joined on axis {axis}.")
    if axis > 1:
        partition.same_splits([x.row_splits for x in same], "concat")
        return same[0]._with(_concat([x.values for x in same], axis - 1))
    uniforms = {x._uniform for x in same}
    whole = _after_each_other(same, uniforms.pop() if len(uniforms) == 1 else None)
    return whole if axis == 0 else _side_by_side(whole, len(xs))


def _after_each_other(xs: list[RaggedTensor], uniform: int | None) -> RaggedTensor:
    splits, count = [xs[0].row_splits], 0
    for before, x in itertools.pairwise(xs):
        count += len(before.values.row_splits) - 1 if isinstance(before.values, RaggedTensor) else len(before.values)
        splits.append(x.row_splits[1:] + count)
    return RaggedTensor._of(_concat([x.values for x in xs], 0), joining.concat(splits, 0), uniform)


def _side_by_side(whole: RaggedTensor, parts: int) -> RaggedTensor:
    """Row i of each part in one row."""
    rows = (len(whole.row_splits) - 1) // parts
    order = np.arange(parts * rows, dtype=whole.row_splits.dtype.numpy).reshape(parts, rows).T
    found = rows_at(whole, constant_tensor(np.ascontiguousarray(order.reshape(-1))))
    return RaggedTensor._of(found.values, found.row_splits[::parts])


def stack(values: Any, axis: Any = 0, name: str | None = None) -> Any:
    """Tensors of one rank along a new axis, on which they may differ in size.

    Args:
        values: tensors or ragged tensors of one rank and dtype.
        axis: where the new dimension goes, in ``[-rank - 1, rank + 1)``.
        name: kept for TensorFlow's signature.

    Returns:
        A ``RaggedTensor`` of rank + 1; a tensor of scalars. TensorFlow: tf.ragged.stack.

    Raises:
        ValueError: no values, different ranks, or no such axis.
        InvalidArgumentError: other numbers of rows, on another axis than 0.
    """
    found = [_as_either(value) for value in (values if isinstance(values, (list, tuple)) else [values])]
    if not found:
        raise ValueError("stack: values must contain at least one tensor.")
    ranks = {x.shape.rank for x in found}
    if len(ranks) > 1:
        raise ValueError(f"stack: tensors of different ranks: {[x.shape for x in found]}.")
    rank = ranks.pop()
    position = _axis_of(axis, rank + 1, "stack")
    if not rank:
        return joining.stack(found)
    return _stack(found, position)


def _stack(xs: list[Any], axis: int) -> Any:
    if axis:
        rows = {len(x.row_splits) - 1 if isinstance(x, RaggedTensor) else len(x) for x in xs}
        if len(rows) > 1:
            raise InvalidArgumentError(f"stack: tensors of {sorted(rows)} rows can't be stacked on axis {axis}.")
    if axis == 0:
        if all(isinstance(x, Tensor) for x in xs):
            counts = [len(x) for x in xs]
            levels = 0 if len(xs[0].shape) == 1 else len(xs[0].shape) - 1
            parts = [dense.with_rank(x, levels, partition.INDEX_TYPES[1]) if levels else x for x in xs]
        else:
            dtype = next(x.row_splits.dtype for x in xs if isinstance(x, RaggedTensor))
            levels = max(x.ragged_rank for x in xs if isinstance(x, RaggedTensor))
            parts = [dense.with_rank(x, levels, dtype) for x in xs]
            counts = [len(x.row_splits) - 1 for x in parts]
        values = _concat(parts, 0)
        dtype = values.row_splits.dtype if isinstance(values, RaggedTensor) else partition.INDEX_TYPES[0]
        lengths = constant_tensor(np.array(counts, dtype.numpy))
        return RaggedTensor._of(values, partition.splits_of_lengths(lengths))
    return _concat([expand_dims(x, axis) for x in xs], axis)


def expand_dims(x: Any, axis: Any) -> Any:
    """``tf.expand_dims`` of a ragged tensor: the new dimension has size 1, and no splits where none are outside of it."""
    if isinstance(x, Tensor):
        return expand_dims_of_tensor(x, axis)
    position = _axis_of(axis, x.shape.rank + 1, "expand_dims")
    if position > 1:
        return x._with(expand_dims(x.values, position - 1))
    count = len(x.row_splits) - 1
    size, rows = (count, 1) if position == 0 else (1, count)
    return RaggedTensor._of(x, partition.uniform_splits(size, rows, x.row_splits.dtype), size)


def boolean_mask(data: Any, mask: Any, name: str | None = None) -> Any:
    """The elements where ``mask`` is true, rows kept.

    Args:
        data: a tensor or ragged tensor.
        mask: booleans, of the first dimensions of ``data``, cut as it is.
        name: kept for TensorFlow's signature.

    Returns:
        A tensor for a mask of rank 1 over a tensor, else a ``RaggedTensor`` of the rank of ``data``.
        TensorFlow: tf.ragged.boolean_mask.

    Raises:
        TypeError: a mask that is not boolean.
        ValueError: a mask without dimensions, or of more than ``data``.
        InvalidArgumentError: they are cut differently.
    """
    x, chosen = _as_either(data), _as_either(mask)
    if not chosen.dtype.is_bool:
        raise TypeError(f"boolean_mask: mask must be boolean, got {chosen.dtype.name}.")
    if not chosen.shape.rank:
        raise ValueError("boolean_mask: mask cannot be scalar.")
    if chosen.shape.rank > x.shape.rank:
        raise ValueError(f"boolean_mask: Shapes {x.shape} and {chosen.shape} are incompatible: mask has a higher rank.")
    return _masked(x, chosen)


def _masked(x: Any, mask: Any) -> Any:
    if isinstance(mask, Tensor) and mask.ndim == 1:
        if isinstance(x, Tensor):
            return mask_of_tensor(x, mask)
        if len(mask) != len(x.row_splits) - 1:
            raise ValueError(f"boolean_mask: Shapes {x.shape} and {mask.shape} are incompatible.")
        return rows_at(x, reshape(where(mask), [-1]))
    levels = mask.shape.rank - 1
    dtype = next((one.row_splits.dtype for one in (x, mask) if isinstance(one, RaggedTensor)), partition.INDEX_TYPES[1])
    x, mask = dense.with_rank(x, levels, dtype), dense.with_rank(mask, levels, dtype)
    partition.same_splits([x.row_splits, mask.row_splits], "boolean_mask")
    values = _masked(x.values, mask.values)
    if isinstance(mask.values, RaggedTensor):
        return x._with(values)
    rows = len(x.row_splits) - 1
    lengths = unsorted_segment_sum(cast(mask.values, dtype), mask.value_rowids(), rows)
    return RaggedTensor._of(values, partition.splits_of_lengths(lengths))
