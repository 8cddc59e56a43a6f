"""Construction of ragged tensors from nested Python lists and from number ranges."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.argument_checks import require
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.tensor import Tensor, constant_tensor, convert_to_tensor
from fastgrad._src.jit.captured_values import short_repr
from fastgrad._src.ops import namespace as ops
from fastgrad._src.structures.ragged import partition
from fastgrad._src.structures.ragged.ragged_tensor import RaggedTensor


def constant(
    pylist: Any,
    dtype: Any = None,
    ragged_rank: int | None = None,
    inner_shape: Any = None,
    name: str | None = None,
    row_splits_dtype: Any = dtypes.int64,
) -> Any:
    """Returns a ragged tensor with the elements of the nested lists ``pylist``.

    Args:
        pylist: lists, tuples or arrays of numbers, booleans or strings; all elements have the same nesting depth.
        dtype: the element type; by default inferred as in ``tf.constant``.
        ragged_rank: the number of ragged dimensions; default: all but the first and those of ``inner_shape``.
        inner_shape: the shape of each element of the innermost ragged lists.
        name: kept for TensorFlow's signature.
        row_splits_dtype: int32 or int64.

    Returns:
        A ``RaggedTensor``, or a tensor if no dimension is ragged. TensorFlow: tf.ragged.constant.

    Raises:
        ValueError: elements have different depths, or do not fit ``ragged_rank`` and ``inner_shape``.

    Example:
        >>> tf.ragged.constant([[1, 2], [3]])
        <tf.RaggedTensor [[1, 2], [3]]>
    """
    if ragged_rank is not None:
        ragged_rank = ops.as_python_int(ragged_rank, "ragged.constant: ragged_rank")
    if ragged_rank is not None and not 0 <= ragged_rank < MAX_RANK:
        raise ValueError(f"Invalid ragged_rank={ragged_rank}: must be nonnegative and less than {MAX_RANK}.")
    element_depth, list_depth = _depth_of_elements(pylist), _depth_of_lists(pylist)
    if element_depth is not None and list_depth > element_depth:
        raise ValueError(f"Invalid pylist={short_repr(pylist)}: empty list nesting is greater than scalar nesting.")
    inner_sizes = None if inner_shape is None else ops.as_python_ints(inner_shape, "ragged.constant: inner_shape")
    own_rank = max(list_depth - 1 - len(inner_sizes or ()), 0) if ragged_rank is None else ragged_rank
    if element_depth is not None:
        _check_ranks(pylist, element_depth, own_rank, inner_sizes, ragged_rank is not None)
    index_type = dtypes.as_dtype(row_splits_dtype)
    values, nested_splits = pylist, []
    for _ in python_range(own_rank):
        lengths = [len(item) for item in values]
        nested_splits.append(np.concatenate([[0], np.cumsum(lengths)]).astype(index_type.numpy))
        values = [item for row in values for item in row]
    flat = convert_to_tensor(values, dtype)
    if inner_sizes is not None:
        shape = (len(values), *inner_sizes) if own_rank else inner_sizes
        if flat._array.size != np.prod(shape):
            raise TypeError(f"ragged.constant: elements of shape {flat.shape} do not have the inner_shape of {shape}.")
        flat = ops.reshape(flat, shape)
    elif not flat._array.size and element_depth is None and list_depth > own_rank + 1:
        flat = constant_tensor(flat._elements().reshape(len(values), *[0] * (list_depth - own_rank - 1)))
    result: Any = flat
    for splits in reversed(nested_splits):
        result = RaggedTensor._of(result, constant_tensor(splits))
    return result


MAX_RANK = 64
"""The maximum number of dimensions of a NumPy array."""

python_range = range  # Python's `range`: the function below hides the name


def _has_items(value: Any) -> bool:
    return isinstance(value, (list, tuple)) or (isinstance(value, np.ndarray) and value.ndim > 0)


def _depth_of_elements(value: Any) -> int | None:
    """Returns the nesting depth of the elements, None without elements; ValueError if depths differ."""
    if not _has_items(value):
        return 0
    depths = {_depth_of_elements(item) for item in value} - {None}
    if len(depths) > 1:
        raise ValueError(f"all scalar values must have the same nesting depth: {short_repr(value)}")
    depth = depths.pop() if depths else None
    return None if depth is None else depth + 1


def _check_ranks(pylist: Any, depth: int, ragged_rank: int, inner_sizes: Any, is_given: bool) -> None:
    """Raises ValueError for a rank (``is_given`` if by the caller) that elements at ``depth`` can't have."""
    problem = None
    if is_given and inner_sizes is not None and ragged_rank + len(inner_sizes) + 1 != depth:
        problem = f"incompatible with ragged_rank={ragged_rank} and inner_shape={inner_sizes}."
    elif depth == 0 and (ragged_rank or inner_sizes):
        problem = f"a scalar has no ragged_rank={ragged_rank}, inner_shape={inner_sizes}."
    elif ragged_rank >= max(depth, 1):
        problem = f"incompatible with ragged_rank={ragged_rank}."
    if problem is not None:
        raise ValueError(f"Invalid pylist={short_repr(pylist)}: {problem}")


def _depth_of_lists(value: Any) -> int:
    return 1 + max([_depth_of_lists(item) for item in value], default=0) if _has_items(value) else 0


def range(  # TensorFlow's name
    starts: Any,
    limits: Any = None,
    deltas: Any = 1,
    dtype: Any = None,
    name: str | None = None,
    row_splits_dtype: Any = dtypes.int64,
) -> RaggedTensor:
    """Returns a ragged tensor with one number range per row: from ``starts`` to ``limits`` (excluded) by ``deltas``.

    Args:
        starts: the first number of each row: a vector, or a scalar for all rows. Without ``limits``, these are the limits.
        limits: the end of each row, excluded.
        deltas: the steps; they may be negative.
        dtype: the element type; default: that of the arguments.
        name: kept for TensorFlow's signature.
        row_splits_dtype: int32 or int64.

    Raises:
        InvalidArgumentError: a step of 0, vectors of different sizes, or 2^63 numbers and more. TensorFlow: tf.ragged.range.
    """
    if limits is None:
        starts, limits = 0, starts
    index_type = dtypes.as_dtype(row_splits_dtype)
    arguments = [_range_argument(value, dtype) for value in (starts, limits, deltas)]
    common_dtype = max((x.dtype for x in arguments), key=_RANGE_DTYPES.index)
    first, last, step = (ops.cast(x, common_dtype) for x in arguments)
    sizes = {len(x) for x in (first, last, step) if x.ndim}
    require(len(sizes) <= 1, "ragged.range", "starts, limits, deltas need one shape", InvalidArgumentError, sizes=sizes)
    rows = sizes.pop() if sizes else 1
    first, last, step = (ops.broadcast_to(x, [rows]) for x in (first, last, step))
    require(step._elements().all(), "ragged.range", "Requires delta != 0", InvalidArgumentError)
    # int64, because a difference of int32 numbers may overflow int32.
    span, divisor = (
        (last - first, step) if common_dtype.is_floating else (_as_int64(last) - _as_int64(first), _as_int64(step))
    )
    counts = ops.ceil(span / divisor) if common_dtype.is_floating else -ops.floordiv(-span, divisor)
    if (
        not ops.reduce_sum(ops.cast(ops.maximum(counts, 0), dtypes.float64)) < 2.0**63
    ):  # `not <` also catches infinity and NaN
        raise InvalidArgumentError("ragged.range: Requires ((limit - start) / delta) <= 2**63 - 1 in all rows.")
    splits = partition.splits_of_lengths(ops.maximum(ops.cast(counts, index_type), 0))
    count = int(splits[-1])
    ids = partition.row_numbers(splits, count)
    positions = ops.cast(partition.index_range(count, index_type) - ops.gather(splits[:-1], ids), common_dtype)
    return RaggedTensor._of(ops.gather(first, ids) + positions * ops.gather(step, ids), splits)


_RANGE_DTYPES = [dtypes.int32, dtypes.int64, dtypes.float32, dtypes.float64]


def _as_int64(x: Tensor) -> Tensor:
    return ops.cast(x, dtypes.int64)


def _range_argument(value: Any, dtype: Any) -> Tensor:
    x = convert_to_tensor(value, dtype)
    if x.dtype not in _RANGE_DTYPES or x.ndim > 1:
        raise InvalidArgumentError(f"ragged.range: takes scalars and vectors of numbers, got {x.dtype.name} {x.shape}.")
    return x
