"""Element-wise functions of sparse tensors, sums of them, and Python's operators."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastgrad._src.core import dtypes, nest
from fastgrad._src.core.argument_checks import checked_callable, require
from fastgrad._src.core.composite import OVERRIDES, CompositeOperand, overrides
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.operand_errors import InvalidValueError, mixed_dtypes_error
from fastgrad._src.core.operation import TABLE
from fastgrad._src.core.tensor import Tensor, constant_tensor, convert_like, convert_to_tensor
from fastgrad._src.ops import namespace as ops
from fastgrad._src.structures.sparse.sparse_tensor import (
    SparseTensor,
    as_sparse,
    check_positions,
    linear_positions,
    strides_of,
)


def map_values(op: Callable[..., Any], *args: Any, **kwargs: Any) -> SparseTensor:
    """Applies ``op`` to the values of its sparse arguments; the result has their positions.

    Args:
        op: a function whose result has as many values as its arguments.
        *args: the arguments of ``op``; values replace sparse tensors, also inside of lists.
        **kwargs: keyword arguments of ``op``, treated as ``args``.

    Raises:
        TypeError: ``op`` is not callable.
        ValueError: no argument is sparse, or the result of ``op`` has another number of values.
        InvalidArgumentError: the sparse arguments have different positions or shapes.
    """
    checked_callable("map_values", "op", op)
    sparse = [x for x in nest.flatten((args, kwargs)) if isinstance(x, SparseTensor)]
    require(sparse, "map_values", "one argument must be a SparseTensor")
    first = sparse[0]
    for other in sparse[1:]:
        if other._shape != first._shape:
            raise InvalidArgumentError(f"map_values: Mismatched shapes! {list(first._shape)} and {list(other._shape)}.")
        if other.indices is not first.indices:
            ops.assert_equal(first.indices, other.indices, message="map_values: Mismatched indices!")
    values_of = lambda x: x.values if isinstance(x, SparseTensor) else x
    args, kwargs = nest.map_structure(values_of, (args, kwargs))
    values = convert_to_tensor(op(*args, **kwargs))
    count = len(first.values)
    if values._array.shape[:1] != (count,):
        raise InvalidValueError(f"map_values: op must return {count} values, one a position, got shape {values.shape}.")
    return first.with_values(values)


# ---- with a dense tensor -------------------------------------------------------------------------------------


def _values_beside(sparse: SparseTensor, dense: Any, name: str) -> Tensor:
    """Returns the elements of a dense tensor, which broadcasts to the shape of ``sparse``, at its positions."""
    x = convert_like(dense, sparse.values._array.dtype)
    if x.dtype is not sparse.dtype:
        raise mixed_dtypes_error(name, sparse.values._array.dtype, x._array.dtype)
    shape, sizes = sparse._shape, x._array.shape
    axes = shape[len(shape) - len(sizes) :]
    if len(sizes) > len(shape) or any(size not in (1, axis) for size, axis in zip(sizes, axes, strict=True)):
        raise InvalidArgumentError(
            f"{name}: SparseDenseBinaryOpShared broadcasts dense to sparse only; got incompatible shapes: "
            f"[{list(shape)}] vs. [{list(sizes)}]."
        )
    if not sizes:
        return x
    check_positions(name, sparse)
    stays = constant_tensor(np.array([size != 1 for size in sizes], np.int64))
    return ops.gather_nd(x, sparse.indices[:, len(shape) - len(sizes) :] * stays)


@overrides(SparseTensor, ops.cast)
def _cast(x: SparseTensor, dtype: Any) -> SparseTensor:
    return x._with_flat_values(ops.cast(x.values, dtype))


_NAMES = "abs negative asinh sin tan atan asin atanh sign square sqrt erf tanh bessel_i0e bessel_i1e"
_ON_VALUES = {ops.identity, ops.stop_gradient, *[TABLE[name] for name in _NAMES.split()]}
"""The functions that TensorFlow applies to the values of a sparse tensor (the Bessel functions too, though they give 1 at 0)."""


def _map_elementwise(function: Callable[..., Any], *operands: Any) -> SparseTensor:
    """Applies an element-wise function to a sparse tensor, or multiplies or divides it by a dense one.

    Raises:
        CompositeOperand: the function has no meaning for a sparse tensor.
    """
    first = operands[0]
    if len(operands) == 1 and function in _ON_VALUES:
        return first._with_flat_values(function(first.values))
    sparse = next(x for x in operands if isinstance(x, SparseTensor))
    if len(operands) == 2 and not all(isinstance(x, SparseTensor) for x in operands):
        dense = operands[first is sparse]
        if function in (ops.multiply, TABLE["multiply"]):
            return sparse._with_flat_values(sparse.values * _values_beside(sparse, dense, "multiply"))
        if function in (ops.divide, ops.truediv) and sparse is first:
            return sparse._with_flat_values(ops.truediv(sparse.values, _values_beside(sparse, dense, "truediv")))
    raise CompositeOperand(sparse)


OVERRIDES[SparseTensor]["element-wise"] = _map_elementwise


def _operator(function: Callable[..., Any], is_reflected: bool = False) -> Callable[..., Any]:
    return lambda x, y: _map_elementwise(function, *((y, x) if is_reflected else (x, y)))


for _symbol, _method in (
    ("__mul__", _operator(ops.multiply)),
    ("__rmul__", _operator(ops.multiply, is_reflected=True)),
    ("__truediv__", _operator(ops.truediv)),
):
    setattr(SparseTensor, _symbol, _method)


# ---- sizes ---------------------------------------------------------------------------------------------------


@overrides(SparseTensor, ops.shape)
def _shape(x: SparseTensor, dtype: np.dtype) -> Tensor:
    return constant_tensor(np.array(x._shape, dtype))


@overrides(SparseTensor, ops.size)
def _size(x: SparseTensor, dtype: np.dtype) -> Tensor:
    return constant_tensor(np.array(math.prod(x._shape), dtype))


@overrides(SparseTensor, ops.rank)
def _rank(x: SparseTensor) -> Tensor:
    return constant_tensor(np.array(len(x._shape), np.int32))


# ---- two sparse tensors --------------------------------------------------------------------------------------


def merge_positions(sparse_tensors: Sequence[SparseTensor], shape: Sequence[int]) -> tuple[Tensor, list[Tensor], int]:
    """Returns the positions of all elements of ``sparse_tensors``, and which of them each element has.

    Returns:
        The row-major numbers of the distinct positions, ascending; for each tensor, the place of each element's number among
        them; and their count.
    """
    numbers = ops.concat([linear_positions(sparse.indices, shape) for sparse in sparse_tensors], 0)
    order = ops.argsort(numbers)
    distinct, places_in_order = ops.unique(ops.gather(numbers, order), dtypes.int64)
    places = ops.tensor_scatter_nd_update(places_in_order, order[:, None], places_in_order)
    ends = np.cumsum([len(sparse.values) for sparse in sparse_tensors]).tolist()
    return (
        distinct,
        [places[end - len(s.values) : end] for s, end in zip(sparse_tensors, ends, strict=True)],
        len(distinct),
    )


def positions_of(numbers: Tensor, shape: Sequence[int]) -> Tensor:
    """Returns the positions with the row-major ``numbers``, int64, shape (elements, rank)."""
    sizes = constant_tensor(np.array([max(size, 1) for size in shape], np.int64))
    return numbers[:, None] // constant_tensor(np.maximum(strides_of(shape), 1)) % sizes


def add(a: Any, b: Any, threshold: Any = 0) -> Any:
    """The sum of two tensors, at least one of which is sparse.

    Args:
        a, b: tensors of one dtype; two sparse tensors have one shape, and a dense one has that of the sparse one.
        threshold: sums of two elements with a smaller magnitude are left out; default: all stay.

    Returns:
        A ``SparseTensor`` if both are sparse, else a dense tensor.

    Raises:
        TypeError: neither is sparse, or ``threshold`` is no number.
        InvalidArgumentError: shapes or dtypes differ, or a position is outside of the shape.
    """
    if not isinstance(a, SparseTensor):
        a, b = b, a
    if not isinstance(a, SparseTensor):
        raise TypeError("add: At least one input should be SparseTensor; do you mean to use tf.add()?")
    if not isinstance(b, SparseTensor):
        dense = convert_like(b, a.values._array.dtype)
        _check_same_dtype_and_shape("add", a, dense.dtype, dense._array.shape)
        return ops.tensor_scatter_nd_add(dense, a.indices, a.values)
    _check_same_dtype_and_shape("add", a, b.dtype, b._shape)
    check_positions("add", a)
    check_positions("add", b)
    positions = ops.concat([a.indices, b.indices], 0)
    numbers = linear_positions(positions, a._shape)
    order = ops.argsort(numbers)
    distinct, places, counts = ops.unique_with_counts(ops.gather(numbers, order), dtypes.int64)
    values = ops.gather(ops.concat([a.values, b.values], 0), order)
    total = ops.unsorted_segment_sum(values, places, len(distinct))
    firsts = ops.gather(order, ops.cumsum(counts, exclusive=True))
    result = SparseTensor._of(ops.gather(positions, firsts), total, a._shape)
    if isinstance(threshold, (int, float)) and threshold <= 0:
        return result
    magnitude = ops.abs(total)
    smallest = ops.scalar_of_dtype(threshold, magnitude.dtype, "add", "threshold")
    is_single = ops.equal(counts, 1)
    large = ops.greater_equal(magnitude, smallest)
    elements = ops.where(ops.logical_or(is_single, large))[:, 0]
    return SparseTensor._of(ops.gather(result.indices, elements), ops.gather(total, elements), a._shape)


def _check_same_dtype_and_shape(name: str, a: SparseTensor, dtype: dtypes.DType, shape: Sequence[int]) -> None:
    if a.dtype is not dtype:
        raise mixed_dtypes_error(name, a.values._array.dtype, dtype.numpy)
    if a._shape != tuple(shape):
        raise InvalidArgumentError(f"{name}: Operands' shapes do not match: {list(a._shape)} and {list(shape)}.")


def _elementwise_extreme(function: Callable[..., Any], sp_a: Any, sp_b: Any) -> SparseTensor:
    name = function.__name__
    a, b = as_sparse(sp_a, name), as_sparse(sp_b, name)
    _check_same_dtype_and_shape(name, a, b.dtype, b._shape)
    check_positions(name, a)
    check_positions(name, b)
    numbers, places, count = merge_positions([a, b], a._shape)
    left, right = (ops.unsorted_segment_sum(x.values, place, count) for x, place in zip((a, b), places, strict=True))
    return SparseTensor._of(positions_of(numbers, a._shape), function(left, right), a._shape)


def maximum(sp_a: Any, sp_b: Any, name: str | None = None) -> SparseTensor:
    """The larger of the elements of two sparse tensors; elements that one of them lacks are zero.

    Raises:
        InvalidArgumentError: shapes or dtypes differ, or a position is outside of the shape.
        TypeError: an argument is not sparse.
    """
    return _elementwise_extreme(ops.maximum, sp_a, sp_b)


def minimum(sp_a: Any, sp_b: Any, name: str | None = None) -> SparseTensor:
    """The smaller of the elements of two sparse tensors; see ``maximum``."""
    return _elementwise_extreme(ops.minimum, sp_a, sp_b)


def softmax(sp_input: Any, name: str | None = None) -> SparseTensor:
    """The softmax of the stored elements along the last dimension.

    Args:
        sp_input: a ``SparseTensor`` of floats, rank 2 or more.

    Raises:
        InvalidArgumentError: the rank is below 2, or a position is outside of the shape.
    """
    sparse = as_sparse(sp_input, "softmax")
    shape, values = sparse._shape, sparse.values
    require(len(shape) >= 2, "softmax", "Input should have rank >= 2", InvalidArgumentError, shape=shape)
    check_positions("softmax", sparse)
    rows, ids = ops.unique(linear_positions(sparse.indices[:, :-1], shape[:-1]), dtypes.int64)
    count = len(rows)
    if not len(values):
        return sparse
    largest = ops.stop_gradient(ops.unsorted_segment_max(values, ids, count))
    weights = ops.exp(values - ops.gather(largest, ids))
    return sparse._with_flat_values(weights / ops.gather(ops.unsorted_segment_sum(weights, ids, count), ids))
