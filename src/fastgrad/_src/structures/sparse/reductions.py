"""Reductions of sparse tensors, counts, and reductions of gathered rows."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.argument_checks import check_choice, check_type, require
from fastgrad._src.core.composite import overrides
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.operation import FLOAT_DTYPES, NUMERIC_DTYPES, REAL_DTYPES, TABLE
from fastgrad._src.core.tensor import Tensor, constant_tensor, convert_to_tensor
from fastgrad._src.ops import namespace as ops
from fastgrad._src.ops import segments
from fastgrad._src.structures.sparse.conversion import to_dense
from fastgrad._src.structures.sparse.elementwise import positions_of
from fastgrad._src.structures.sparse.sparse_tensor import SparseTensor, as_sparse, check_positions, linear_positions


def _reduce(
    name: str,
    reduce: Callable[..., Tensor],
    allowed: frozenset[np.dtype],
    sp_input: Any,
    axis: Any,
    keepdims: Any,
    output_is_sparse: bool,
) -> Any:
    sparse = as_sparse(sp_input, name)
    ops.check_dtype(name, sparse.values._array.dtype, allowed)
    rank = len(sparse._shape)
    axes = range(rank) if axis is None else ops.as_python_ints(axis, f"{name}: axis")
    if any(not -rank <= number < rank for number in axes):
        raise InvalidArgumentError(f"{name}: Invalid reduction dimension {list(axes)}, for {rank} dimensions.")
    reduced = {number % rank for number in axes}
    check_positions(name, sparse)
    remaining = [number for number in range(rank) if number not in reduced]
    sizes = [sparse._shape[number] for number in remaining]
    shape = [1 if number in reduced else size for number, size in enumerate(sparse._shape)] if keepdims else sizes
    ids = linear_positions(ops.gather(sparse.indices, constant_tensor(np.array(remaining, np.int64)), axis=1), sizes)
    if not output_is_sparse:
        return ops.reshape(reduce(sparse.values, ids, num_segments=math.prod(sizes)), shape)
    order = ops.argsort(ids)
    distinct, places = ops.unique(ops.gather(ids, order), dtypes.int64)
    total = reduce(ops.gather(sparse.values, order), places, num_segments=len(distinct))
    return SparseTensor._of(positions_of(distinct, shape), total, shape)


def reduce_sum(
    sp_input: Any, axis: Any = None, keepdims: Any = None, output_is_sparse: bool = False, name: str | None = None
) -> Any:
    """The sum along ``axis``.

    Args:
        sp_input: a ``SparseTensor``.
        axis: a dimension or a list of dimensions; default: all.
        keepdims: whether the reduced dimensions stay, with size 1.
        output_is_sparse: whether the result is sparse.

    Returns:
        A dense tensor, 0 where there are no elements; or a ``SparseTensor``.

    Raises:
        InvalidArgumentError: ``axis`` or a position is out of range, or the values are no numbers.
    """
    return _reduce(
        "reduce_sum", TABLE["unsorted_segment_sum"], NUMERIC_DTYPES, sp_input, axis, keepdims, output_is_sparse
    )


def reduce_max(
    sp_input: Any, axis: Any = None, keepdims: Any = None, output_is_sparse: bool = False, name: str | None = None
) -> Any:
    """The largest of the stored elements along ``axis``; arguments and results as in ``reduce_sum``."""

    def largest(values: Tensor, ids: Tensor, num_segments: int) -> Tensor:
        return TABLE["unsorted_segment_max"](values, ids, num_segments=num_segments, empty=0)

    return _reduce("reduce_max", largest, REAL_DTYPES, sp_input, axis, keepdims, output_is_sparse)


_COUNTED_DTYPES = frozenset([dtypes.int32.numpy, dtypes.int64.numpy])


def bincount(
    values: Any,
    weights: Any = None,
    axis: Any = 0,
    minlength: Any = None,
    maxlength: Any = None,
    binary_output: bool = False,
    name: str | None = None,
) -> SparseTensor:
    """How often each number occurs, as a sparse tensor of the counts that are not zero.

    Args:
        values: int32 or int64, a tensor of rank 1 or 2, a ``SparseTensor`` or a ``RaggedTensor``; not negative.
        weights: of the form of ``values``; their sums are the counts.
        axis: 0 counts all values, -1 those of each row.
        minlength: the least size of the last dimension.
        maxlength: numbers from ``maxlength`` on are not counted, and it is the size of the last dimension.
        binary_output: whether each count is 1.

    Returns:
        Shape (n,), or (rows, n) for ``axis`` -1, in the dtype of ``values`` or of ``weights``; n is the largest number plus 1.

    Raises:
        ValueError: ``axis`` has another value, or both ``weights`` and ``binary_output`` are given.
        InvalidArgumentError: ``values`` are no integers, one is negative, or the weights have another form.
    """
    require(weights is None or not binary_output, "bincount", "`binary_output` and `weights` are mutually exclusive")
    check_choice("bincount", (None, 0, -1), axis=axis)
    numbers, shape, rows, weights = _numbers_and_weights(values, weights)
    ops.check_dtype("bincount", numbers._array.dtype, _COUNTED_DTYPES)
    if len(numbers) and ops.reduce_min(numbers) < 0:
        raise InvalidArgumentError("bincount: Input values must all be non-negative.")
    by_row = axis == -1 and len(shape) > 1
    size = 0 if minlength is None else ops.as_python_int(minlength, "bincount: minlength")
    if maxlength is not None:
        limit = ops.as_python_int(maxlength, "bincount: maxlength")
        inside = ops.where(ops.less(numbers, limit))[:, 0]
        numbers, rows = ops.gather(numbers, inside), ops.gather(rows, inside)
        weights = None if weights is None else ops.gather(weights, inside)
        size = limit or size
    elif len(numbers):
        size = max(size, int(ops.reduce_max(numbers)) + 1)
    keys = ops.cast(numbers, dtypes.int64)
    if by_row:
        keys += rows * size
    order = ops.argsort(keys)
    distinct, places = ops.unique(ops.gather(keys, order), dtypes.int64)
    if weights is not None:
        counts = segments.unsorted_segment_sum(ops.gather(weights, order), places, len(distinct))
    else:
        ones = constant_tensor(np.ones(len(distinct if binary_output else keys), numbers._array.dtype))
        counts = ones if binary_output else segments.unsorted_segment_sum(ones, places, len(distinct))
    out_shape = (shape[0], size) if by_row else (size,)
    return SparseTensor._of(positions_of(distinct, out_shape), counts, out_shape)


def _numbers_and_weights(values: Any, weights: Any) -> tuple[Tensor, tuple[int, ...], Tensor, Tensor | None]:
    """Returns the numbers as a vector, the shape they come from, their rows, and their weights as a vector."""
    values, weights = [x.to_sparse() if hasattr(x, "to_sparse") else x for x in (values, weights)]  # of ragged tensors
    if isinstance(values, SparseTensor):
        if weights is not None:
            check_type("bincount", "a SparseTensor as `values`", SparseTensor, ValueError, weights=weights)
            if weights._shape != values._shape or len(weights.values) != len(values.values):
                raise InvalidArgumentError("bincount: 'weights' and 'values' must have the same shape and indices.")
            if weights.indices is not values.indices:
                ops.assert_equal(
                    weights.indices,
                    values.indices,
                    message="bincount: 'weights' and 'values' must have the same indices.",
                )
            weights = weights.values
        return values.values, values._shape, values.indices[:, 0], weights
    x = convert_to_tensor(values)
    shape = tuple(x._array.shape)
    if weights is not None:
        weights = convert_to_tensor(weights)
        if weights._array.shape != shape:
            raise InvalidArgumentError(f"bincount: weights of shape {weights.shape} for values of shape {list(shape)}.")
        weights = ops.reshape(weights, [-1])
    rows = np.repeat(np.arange(shape[0], dtype=np.int64), math.prod(shape[1:])) if shape else np.zeros(1, np.int64)
    return ops.reshape(x, [-1]), shape, constant_tensor(rows), weights


# ---- gathered rows -------------------------------------------------------------------------------------------


def _reduce_gathered(
    sorted_reduction: Callable[..., Tensor],
    reduction: Callable[..., Any],
    data: Any,
    indices: Any,
    segment_ids: Any,
    num_segments: Any,
    allowed: frozenset[np.dtype] = FLOAT_DTYPES,
) -> Tensor:
    name, table = sorted_reduction.__name__.removeprefix("sorted_"), ops.tensor_of(data)
    ops.check_dtype(name, table._array.dtype, allowed)
    if not table._array.ndim:
        raise InvalidArgumentError(f"{name}: data must have 1 dimension or more, got a scalar.")
    rows = ops.gather(table, indices)
    if num_segments is None:
        return sorted_reduction(rows, segment_ids)
    _, ids, _ = segments._checked_sorted_ids(name, rows, segment_ids)
    count = ops.as_python_int(num_segments, f"{name}: num_segments")
    ops.assert_less(ids, count, message=f"{name}: segment ids must be less than num_segments.")
    total: Tensor = reduction(rows, ids, count)
    return total


def segment_sum(
    data: Any,
    indices: Any,
    segment_ids: Any,
    num_segments: Any = None,
    name: str | None = None,
    sparse_gradient: bool = False,
) -> Tensor:
    """The sums of rows of ``data`` in segments.

    Args:
        data: shape (m, ...).
        indices: the numbers of the rows, int32 or int64, shape (n,).
        segment_ids: the segment of each of them, shape (n,), ascending.
        num_segments: the number of segments; default: the last id plus 1.
        sparse_gradient: kept for TensorFlow's signature; gradients are ``IndexedSlices`` as those of ``tf.gather``.

    Returns:
        Shape (segments, ...); 0 for a segment without rows.

    Raises:
        InvalidArgumentError: an index or an id is out of range, ids decrease, or ``data`` is a scalar or no real numbers.
    """
    return _reduce_gathered(
        segments.segment_sum, segments.unsorted_segment_sum, data, indices, segment_ids, num_segments, REAL_DTYPES
    )


def segment_mean(
    data: Any,
    indices: Any,
    segment_ids: Any,
    num_segments: Any = None,
    name: str | None = None,
    sparse_gradient: bool = False,
) -> Tensor:
    """The means of rows of ``data``, floats, in segments; see ``segment_sum``."""
    return _reduce_gathered(
        segments.segment_mean, segments.unsorted_segment_mean, data, indices, segment_ids, num_segments
    )


def sorted_segment_sqrt_n(data: Any, segment_ids: Any) -> Tensor:
    """The sum of the rows of each id over the square root of their number; arguments as in ``tf.math.segment_sum``."""
    x, ids, count = segments._checked_sorted_ids("segment_sqrt_n", data, segment_ids)
    total: Tensor = segments.unsorted_segment_sqrt_n(x, ids, count)
    return total


def segment_sqrt_n(
    data: Any,
    indices: Any,
    segment_ids: Any,
    num_segments: Any = None,
    name: str | None = None,
    sparse_gradient: bool = False,
) -> Tensor:
    """The sums of rows of ``data``, floats, in segments over the square root of their count; see ``segment_sum``."""
    return _reduce_gathered(
        sorted_segment_sqrt_n, segments.unsorted_segment_sqrt_n, data, indices, segment_ids, num_segments
    )


# ---- counts as dense tensors ---------------------------------------------------------------------------------


@overrides(SparseTensor, ops.bincount)
def _dense_bincount(
    arr: SparseTensor, weights: Any, minlength: Any, maxlength: Any, dtype: Any, axis: Any, binary_output: bool
) -> Tensor:
    numbers, _, _, weights_of_numbers = _numbers_and_weights(arr, weights)
    if axis in (None, 0):
        return ops.bincount(numbers, weights_of_numbers, minlength, maxlength, dtype, None, binary_output)
    counts = to_dense(bincount(arr, weights, axis, minlength, maxlength, binary_output))
    return ops.cast(counts, counts.dtype if weights is not None else dtype)
