"""Reductions of ragged tensors: of rows, along them, and of all of their values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastgrad.errors import InvalidArgumentError
from fastgrad.ops import reduction, segments
from fastgrad.ops.arguments import integers
from fastgrad.ops.arithmetic import maximum
from fastgrad.ops.casting import cast
from fastgrad.ops.comparison import equal, greater, logical_not
from fastgrad.ops.indexing import gather
from fastgrad.ragged import partition
from fastgrad.ragged.arranging import expand_dims
from fastgrad.ragged.ragged_tensor import RaggedTensor
from fastgrad.tensor import Tensor, constant_tensor, convert_to_tensor

Segments = Callable[[Tensor, Tensor, int], Tensor]
"""Reduces the rows of a tensor that have the same number, to so many rows."""


def _any(data: Tensor, ids: Tensor, count: int) -> Tensor:
    return greater(segments.unsorted_segment_sum(cast(data, "int32"), ids, count), 0)


def _all(data: Tensor, ids: Tensor, count: int) -> Tensor:
    return equal(segments.unsorted_segment_sum(cast(logical_not(data), "int32"), ids, count), 0)


SEGMENTS: dict[str, Segments] = {
    "reduce_sum": segments.unsorted_segment_sum,
    "reduce_prod": segments.unsorted_segment_prod,
    "reduce_max": segments.unsorted_segment_max,
    "reduce_min": segments.unsorted_segment_min,
    "reduce_any": _any,
    "reduce_all": _all,
}


def reduced(name: str, x: Any, axis: Any, keepdims: Any) -> Any:
    """The reduction ``name`` of a ragged tensor.

    Raises:
        InvalidArgumentError: no such axis.
    """
    if axis is None:
        found = getattr(reduction, name)(x.flat_values)
        for _ in range(x.shape.rank if keepdims else 0):
            found = expand_dims(found, 0)
        return found
    rank = x.shape.rank
    axes = [int(axis)] if isinstance(axis, int) else list(integers(axis, f"{name}: axis"))
    for one in axes:
        if not -rank <= one < rank:
            raise InvalidArgumentError(f"{name}: axis {one} out of range: expected {-rank} <= axis < {rank}.")
    axes = sorted({one % rank for one in axes}, reverse=True)
    if name == "reduce_mean" and len(axes) > 1:
        ones = x._with_flat(constant_tensor(np.ones(x.flat_values.shape, x.dtype.numpy)))
        return reduced("reduce_sum", x, axes, keepdims) / reduced("reduce_sum", ones, axes, keepdims)
    for one in axes:
        x = _along(name, x, one)
        if keepdims:
            x = expand_dims(x, one)
    return x


def _along(name: str, x: Any, axis: int) -> Any:
    if isinstance(x, Tensor):
        return getattr(reduction, name)(x, axis)
    if axis > 1:
        return x._with(_along(name, x.values, axis - 1))
    if axis == 1:
        return _by_row(name, x.values, x.value_rowids(), len(x.row_splits) - 1)
    rows = len(x.row_splits) - 1
    none = constant_tensor(np.zeros(rows, x.row_splits.dtype.numpy))
    return _by_row(name, x, none, 1).values


def _by_row(name: str, data: Any, ids: Tensor, count: int) -> Any:
    if name == "reduce_mean":
        flat = data.flat_values if isinstance(data, RaggedTensor) else data
        ones = constant_tensor(np.ones(flat.shape, flat.dtype.numpy))
        ones = data._with_flat(ones) if isinstance(data, RaggedTensor) else ones
        total = _segments(SEGMENTS["reduce_sum"], data, ids, count)
        return total / _segments(SEGMENTS["reduce_sum"], ones, ids, count)
    return _segments(SEGMENTS[name], data, ids, count)


def _segments(reduce: Segments, data: Any, ids: Tensor, count: int) -> Any:
    """Rows with the same number reduced place by place; of ragged rows the longest says how many places there are."""
    if isinstance(data, Tensor):
        return reduce(data, ids, count)
    lengths = data.row_lengths()
    most = maximum(segments.unsorted_segment_max(lengths, ids, count), 0)
    splits = partition.splits_of_lengths(most)
    rows, places = data.value_rowids(), partition.numbers(_count(data.values), splits.dtype)
    target = gather(gather(splits, ids) - data.row_splits[:-1], rows) + places
    return RaggedTensor._of(_segments(reduce, data.values, target, int(splits[-1])), splits)


def _count(values: Any) -> int:
    return len(values.row_splits) - 1 if isinstance(values, RaggedTensor) else len(convert_to_tensor(values))
