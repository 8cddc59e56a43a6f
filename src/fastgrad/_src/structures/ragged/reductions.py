"""Reductions of ragged tensors: across rows, along rows, and over all values."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from fastgrad._src.core.argument_checks import check_length, check_type, refuse, require
from fastgrad._src.core.composite import overrides
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.tensor import Tensor, constant_tensor, convert_to_tensor
from fastgrad._src.ops import namespace as ops
from fastgrad._src.structures.ragged import partition
from fastgrad._src.structures.ragged.array_ops import checked_axis, expand_dims
from fastgrad._src.structures.ragged.ragged_tensor import RaggedTensor, row_count

Segments = Callable[[Tensor, Tensor, int], Tensor]
"""A segment reduction of ``(data, ids, count)``: reduces rows of ``data`` with equal ids to ``count`` rows."""


def _segment_any(data: Tensor, ids: Tensor, count: int) -> Tensor:
    return ops.greater(ops.unsorted_segment_sum(ops.cast(data, "int32"), ids, count), 0)


def _segment_all(data: Tensor, ids: Tensor, count: int) -> Tensor:
    return ops.equal(ops.unsorted_segment_sum(ops.cast(ops.logical_not(data), "int32"), ids, count), 0)


def _segment_logsumexp(data: Tensor, ids: Tensor, count: int) -> Tensor:
    largest = ops.unsorted_segment_max(ops.stop_gradient(data), ids, count)
    largest = ops.where(ops.is_finite(largest), largest, 0)
    return ops.log(ops.unsorted_segment_sum(ops.exp(data - ops.gather(largest, ids)), ids, count)) + largest


_SEGMENT_REDUCTIONS: dict[Callable[..., Any], Segments] = {
    ops.reduce_sum: ops.unsorted_segment_sum,
    ops.reduce_prod: ops.unsorted_segment_prod,
    ops.reduce_max: ops.unsorted_segment_max,
    ops.reduce_min: ops.unsorted_segment_min,
    ops.reduce_any: _segment_any,
    ops.reduce_all: _segment_all,
    ops.reduce_logsumexp: _segment_logsumexp,
}
"""By a public reduction: the reduction of segments."""


def reduced(
    function: Callable[..., Any], x: Any, axis: Any, keepdims: Any, segment_reduction: Segments | None = None
) -> Any:
    """Returns the reduction of the ragged tensor ``x`` by a public function, such as ``reduce_sum``.

    ``segment_reduction`` is the same reduction of segments, for a function that is not in the table above.

    Raises:
        ValueError: ``axis`` is out of range.
    """
    if axis is None:
        result = (_mean_of_values if function is ops.reduce_mean else function)(x.flat_values)
        for _ in range(x.shape.rank if keepdims else 0):
            result = expand_dims(result, 0)
        return result
    rank, name = x.shape.rank, function.__name__
    axes = sorted({checked_axis(one, rank, name) for one in ops.as_python_ints(axis, f"{name}: axis")}, reverse=True)
    if function is ops.reduce_mean and len(axes) > 1:
        ones = x._with_flat_values(constant_tensor(np.ones(x.flat_values.shape, x.dtype.numpy)))
        return reduced(ops.reduce_sum, x, axes, keepdims) / reduced(ops.reduce_sum, ones, axes, keepdims)
    for axis_number in axes:
        x = _reduce_axis(function, x, axis_number, segment_reduction)
        if keepdims:
            x = expand_dims(x, axis_number)
    return x


def _mean_of_values(values: Tensor) -> Tensor:
    """Computes the mean of all values as sum / count: float64 for integers, unlike the mean of a dense tensor."""
    count = constant_tensor(np.array(values._array.size, values._array.dtype))
    return ops.reduce_sum(values) / count


def _reduce_axis(function: Callable[..., Any], x: Any, axis: int, segment_reduction: Segments | None) -> Any:
    if isinstance(x, Tensor):
        return function(x, axis)
    if axis > 1:
        return x._with(_reduce_axis(function, x.values, axis - 1, segment_reduction))
    if axis == 1:
        return _reduce_by_row_id(function, x.values, x.value_rowids(), len(x.row_splits) - 1, segment_reduction)
    rows = len(x.row_splits) - 1
    zero_ids = constant_tensor(np.zeros(rows, x.row_splits.dtype.numpy))
    return _reduce_by_row_id(function, x, zero_ids, 1, segment_reduction).values


def _reduce_by_row_id(
    function: Callable[..., Any], data: Any, ids: Tensor, count: int, segment_reduction: Segments | None
) -> Any:
    if function is ops.reduce_mean:
        flat = data.flat_values if isinstance(data, RaggedTensor) else data
        ones = constant_tensor(np.ones(flat._array.shape, flat.dtype.numpy))
        ones = data._with_flat_values(ones) if isinstance(data, RaggedTensor) else ones
        total = _reduce_segments(ops.unsorted_segment_sum, data, ids, count)
        return total / _reduce_segments(ops.unsorted_segment_sum, ones, ids, count)
    return _reduce_segments(segment_reduction or _SEGMENT_REDUCTIONS[function], data, ids, count)


def _reduce_segments(reduce: Segments, data: Any, ids: Tensor, count: int) -> Any:
    """Reduces the rows with equal ids position by position; a result row is as long as the longest row with its id."""
    if isinstance(data, Tensor):
        return reduce(data, ids, count)
    lengths = data.row_lengths()
    longest = ops.maximum(ops.unsorted_segment_max(lengths, ids, count), 0)
    splits = partition.splits_of_lengths(longest)
    rows, positions = data.value_rowids(), partition.index_range(row_count(data.values), splits.dtype)
    target = ops.gather(ops.gather(splits, ids) - data.row_splits[:-1], rows) + positions
    return RaggedTensor._of(_reduce_segments(reduce, data.values, target, int(splits[-1])), splits)


def unsorted_segment(function: Callable[..., Any], data: Any, segment_ids: Any, num_segments: Any) -> Any:
    """Reduces the rows of a ragged tensor position by position by a function such as ``unsorted_segment_sum``.

    Raises:
        ValueError: ``segment_ids`` is ragged and ``data`` is not.
        InvalidArgumentError: an id is out of range, or the shape of ``segment_ids`` is no prefix of that of ``data``.
    """
    name = function.__name__
    count = ops.as_python_int(num_segments, f"{name}: num_segments")
    if isinstance(segment_ids, RaggedTensor):
        check_type(name, "ragged, as segment_ids is", RaggedTensor, ValueError, data=data)
        _check_shape_prefix(name, data, segment_ids)
        if isinstance(data.values, RaggedTensor) or isinstance(segment_ids.values, RaggedTensor):
            return unsorted_segment(function, data.values, segment_ids.values, count)
        return function(data.values, segment_ids.values, count)
    ids = convert_to_tensor(segment_ids)
    check_length(name, len(data.row_splits) - 1, InvalidArgumentError, segment_ids=ids)
    if function not in (ops.unsorted_segment_mean, ops.unsorted_segment_sqrt_n):
        return _reduce_segments(function, data, ids, count)
    ones = data._with_flat_values(constant_tensor(np.ones(data.flat_values.shape, data.dtype.numpy)))
    counts = _reduce_segments(ops.unsorted_segment_sum, ones, ids, count)
    total = _reduce_segments(ops.unsorted_segment_sum, data, ids, count)
    return total / (
        counts if function is ops.unsorted_segment_mean else counts._with_flat_values(ops.sqrt(counts.flat_values))
    )


def _check_shape_prefix(name: str, data: RaggedTensor, ids: RaggedTensor) -> None:
    lengths = [x.row_lengths()._elements().tolist() for x in (data, ids)]
    if lengths[0] != lengths[1]:
        refuse(name, "segment_ids.shape must be a prefix of data.shape", InvalidArgumentError, rows=lengths)


@overrides(RaggedTensor, ops.reduce_variance)
def reduce_variance(x: Any, axis: Any, keepdims: Any) -> Any:
    """``tf.math.reduce_variance``; along an axis: the mean of squares minus the square of the mean, in float64."""
    if axis is None:
        values = ops.cast(x.flat_values, "float64") if x.dtype.is_integer else x.flat_values
        variance = ops.reduce_variance(values)
        for _ in range(x.shape.rank if keepdims else 0):
            variance = expand_dims(variance, 0)
        return variance
    wide_x = x._with_flat_values(ops.cast(x.flat_values, "float64"))
    mean_of_squares = reduced(ops.reduce_mean, wide_x._with_flat_values(ops.square(wide_x.flat_values)), axis, keepdims)
    variance = ops.maximum(mean_of_squares - ops.square(reduced(ops.reduce_mean, wide_x, axis, keepdims)), 0.0)
    return variance if x.dtype.is_integer else ops.cast(variance, x.dtype)


@overrides(RaggedTensor, ops.softmax)
def softmax(x: Any, axis: Any) -> Any:
    """``tf.nn.softmax`` of a ragged tensor along its last axis.

    Raises:
        ValueError: ``axis`` is another one.
    """
    rank = x.shape.rank
    require(axis in (None, -1, rank - 1), "softmax", "`axis` of a ragged tensor must be -1, the last", axis=axis)
    if x.flat_values.ndim > 1:
        return x._with_flat_values(ops.softmax(x.flat_values))
    level = x._list_of_levels()[-1]
    ids, rows = level.value_rowids(), len(level.row_splits) - 1
    largest = ops.gather(ops.unsorted_segment_max(x.flat_values, ids, rows), ids)
    exponentials = ops.exp(x.flat_values - largest)
    return x._with_flat_values(exponentials / ops.gather(ops.unsorted_segment_sum(exponentials, ids, rows), ids))


@overrides(RaggedTensor, ops.bincount)
def bincount(
    x: RaggedTensor, weights: Any, minlength: Any, maxlength: Any, dtype: Any, axis: Any, binary_output: Any
) -> Any:
    """``tf.math.bincount`` of all values, or of each row if ``axis`` is -1.

    Raises:
        InvalidArgumentError: a value is negative, or ``weights`` has other row splits.
        ValueError: ``axis`` is another one.
    """
    if weights is not None:
        partition.check_equal_splits([x.row_splits, weights.row_splits], "bincount")
        weights = weights.flat_values
    options = {"dtype": dtype, "binary_output": binary_output}
    if axis != -1:
        return ops.bincount(x.flat_values, weights, minlength, maxlength, axis=axis, **options)
    rows, values = len(x.row_splits) - 1, x.flat_values
    size = len(ops.bincount(values, None, minlength, maxlength))
    inside_positions = ops.where(ops.less(values, size))
    values, row_ids = ops.gather_nd(values, inside_positions), ops.gather_nd(x.value_rowids(), inside_positions)
    weights = None if weights is None else ops.gather_nd(weights, inside_positions)
    bin_numbers = ops.cast(row_ids, "int64") * size + ops.cast(values, "int64")
    counts = ops.bincount(bin_numbers, weights, rows * size, rows * size, **options)
    return ops.reshape(counts, [rows, size])


_function: Callable[..., Any]
for _function in (*_SEGMENT_REDUCTIONS, ops.reduce_mean):
    overrides(RaggedTensor, _function)(functools.partial(reduced, _function))
for _function in (
    ops.unsorted_segment_sum,
    ops.unsorted_segment_prod,
    ops.unsorted_segment_max,
    ops.unsorted_segment_min,
    ops.unsorted_segment_mean,
    ops.unsorted_segment_sqrt_n,
):
    overrides(RaggedTensor, _function)(functools.partial(unsorted_segment, _function))
