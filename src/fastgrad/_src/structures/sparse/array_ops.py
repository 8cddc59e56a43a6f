"""Sparse tensors with other positions: sorted, reshaped, cut, joined."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastgrad._src.core.argument_checks import (
    check_at_least,
    check_interval,
    check_shapes,
    check_type,
    checked_integer,
    refuse,
    require,
)
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.indexed_slices import IndexedSlices
from fastgrad._src.core.operand_errors import InvalidValueError, check_size
from fastgrad._src.core.operation import TABLE
from fastgrad._src.core.tensor import Tensor, constant_tensor, convert_like, convert_to_tensor
from fastgrad._src.ops import namespace as ops
from fastgrad._src.structures.sparse.elementwise import positions_of
from fastgrad._src.structures.sparse.sparse_tensor import SparseTensor, as_sparse, check_positions, linear_positions


def reorder(sp_input: Any, name: str | None = None) -> SparseTensor:
    """Returns the sparse tensor with its elements in row-major order.

    Raises:
        InvalidArgumentError: a position is outside of the shape.
    """
    sparse = as_sparse(sp_input, "reorder")
    check_positions("reorder", sparse)
    return _take(sparse, ops.argsort(linear_positions(sparse.indices, sparse._shape)))


def _take(sparse: SparseTensor, elements: Tensor) -> SparseTensor:
    """Returns the elements with the numbers ``elements``."""
    gather_rows = TABLE["gather_segments"]  # its gradient is dense, as those of TensorFlow's sparse operations
    return SparseTensor._of(ops.gather(sparse.indices, elements), gather_rows(sparse.values, elements), sparse._shape)


def retain(sp_input: Any, to_retain: Any) -> SparseTensor:
    """Returns the elements for which ``to_retain``, bool of shape (elements,), is true.

    Raises:
        ValueError: ``to_retain`` has another shape.
    """
    sparse = as_sparse(sp_input, "retain")
    keep = convert_to_tensor(to_retain)
    check_shapes("retain", f"to_retain ({len(sparse.values)})", ValueError, keep)
    elements = ops.where(keep)[:, 0]
    return SparseTensor._of(ops.gather(sparse.indices, elements), ops.gather(sparse.values, elements), sparse._shape)


def transpose(sp_input: Any, perm: Any = None, name: str | None = None) -> SparseTensor:
    """Returns the sparse tensor with dimension ``perm[i]`` as dimension i; default: in reverse order.

    Raises:
        InvalidArgumentError: ``perm`` is no permutation of the dimensions, or a position is outside of the shape.
    """
    sparse = as_sparse(sp_input, "transpose")
    rank = len(sparse._shape)
    axes = tuple(reversed(range(rank))) if perm is None else ops.as_python_ints(perm, "transpose: perm")
    require(sorted(axes) == [*range(rank)], "transpose", f"`perm` must order {rank} axes", InvalidValueError, perm=axes)
    indices = ops.gather(sparse.indices, constant_tensor(np.array(axes, np.int64)), axis=1)
    return reorder(SparseTensor._of(indices, sparse.values, [sparse._shape[axis] for axis in axes]))


def reshape(sp_input: Any, shape: Any, name: str | None = None) -> SparseTensor:
    """Returns the elements at the positions that a dense tensor's elements get by ``tf.reshape``.

    Args:
        sp_input: a ``SparseTensor``.
        shape: the sizes; at most one is -1, for a size that fits.

    Raises:
        InvalidArgumentError: the number of positions differs, a size is below -1 or cannot be inferred, or a position is
            outside of the shape.
    """
    sparse = as_sparse(sp_input, "reshape")
    if shape is not None and not np.ndim(shape):
        raise InvalidArgumentError(f"reshape: shape must be a vector of integers, got {shape!r}.")
    sizes = list(ops.as_python_ints(shape, "reshape: shape"))
    total = math.prod(sparse._shape)
    require(sizes.count(-1) <= 1, "reshape", "At most one size may be -1", InvalidArgumentError, shape=sizes)
    check_at_least("reshape", -1, InvalidArgumentError, size=min(sizes, default=0))
    rest = math.prod(size for size in sizes if size != -1)
    if -1 in sizes:
        require(rest, "reshape", "cannot infer the missing dimension for a shape with a size 0", InvalidArgumentError)
        sizes[sizes.index(-1)] = total // rest
    require(math.prod(sizes) == total, "reshape", f"Cannot reshape {total} elements", InvalidArgumentError, shape=sizes)
    check_positions("reshape", sparse)
    return SparseTensor._of(positions_of(linear_positions(sparse.indices, sparse._shape), sizes), sparse.values, sizes)


def expand_dims(sp_input: Any, axis: Any = None, name: str | None = None) -> SparseTensor:
    """Returns the sparse tensor with a new dimension of size 1 at ``axis``; default: the last.

    Raises:
        InvalidArgumentError: ``axis`` is out of range.
    """
    sparse = as_sparse(sp_input, "expand_dims")
    rank = len(sparse._shape)
    axis = ops.nonnegative_axis(-1 if axis is None else axis, rank + 1, "expand_dims")
    zeros = constant_tensor(np.zeros((len(sparse.values), 1), np.int64))
    indices = ops.concat([sparse.indices[:, :axis], zeros, sparse.indices[:, axis:]], 1)
    return SparseTensor._of(indices, sparse.values, (*sparse._shape[:axis], 1, *sparse._shape[axis:]))


def concat(axis: Any, sp_inputs: Any, expand_nonconcat_dims: bool = False, name: str | None = None) -> SparseTensor:
    """Joins sparse tensors along ``axis``.

    Args:
        axis: the dimension.
        sp_inputs: a list of sparse tensors of one dtype and rank, in row-major order.
        expand_nonconcat_dims: whether other dimensions may differ; then the largest sizes count.

    Raises:
        TypeError: an input is not sparse, ``sp_inputs`` is no list, or ``axis`` is no integer.
        InvalidArgumentError: ``sp_inputs`` is empty, dtypes, ranks or other dimensions differ, or ``axis`` is out of range.
    """
    check_type("concat", "a list or tuple", (list, tuple), sp_inputs=sp_inputs)
    inputs = [as_sparse(x, "concat") for x in sp_inputs]
    require(inputs, "concat", "`sp_inputs` must have one sparse tensor or more", InvalidArgumentError)
    if len(inputs) == 1:
        return inputs[0]
    if len({len(x._shape) for x in inputs}) > 1:
        raise InvalidArgumentError(f"concat: Ranks of all input tensors must match: {[x._shape for x in inputs]}.")
    axis = ops.nonnegative_axis(checked_integer("concat", "axis", axis), len(inputs[0]._shape), "concat")
    shape = [max(sizes) for sizes in zip(*[x._shape for x in inputs], strict=True)]
    if not expand_nonconcat_dims and any(
        size != other
        for x in inputs
        for number, (size, other) in enumerate(zip(x._shape, shape, strict=True))
        if number != axis
    ):
        raise InvalidArgumentError(
            f"concat: Input shapes must match except along axis {axis}: {[list(x._shape) for x in inputs]}; "
            f"expand_nonconcat_dims=True takes the largest sizes."
        )
    starts = np.cumsum([0, *[x._shape[axis] for x in inputs]])
    shape[axis] = int(starts[-1])
    for x in inputs:
        check_positions("concat", x)
    indices = [_shift(x.indices, axis, int(start)) for x, start in zip(inputs, starts, strict=False)]
    values = ops.concat([x.values for x in inputs], 0)
    return reorder(SparseTensor._of(ops.concat(indices, 0), values, shape))


def _shift(indices: Tensor, axis: int, distance: int) -> Tensor:
    """Adds ``distance`` to the positions along ``axis``."""
    offset = np.zeros(indices._array.shape[1], np.int64)
    offset[axis] = distance
    return indices + constant_tensor(offset)


def slice(sp_input: Any, start: Any, size: Any, name: str | None = None) -> SparseTensor:
    """Returns the part of a sparse tensor that starts at ``start`` and has at most the sizes ``size``.

    Args:
        sp_input: a ``SparseTensor``.
        start, size: integers, shape (rank,); a part that goes beyond the end is cut.

    Raises:
        InvalidArgumentError: ``start`` or ``size`` has another length, or a number is negative.
    """
    sparse = as_sparse(sp_input, "slice")
    starts, sizes = ops.as_python_ints(start, "slice: start"), ops.as_python_ints(size, "slice: size")
    if not len(starts) == len(sizes) == len(sparse._shape):
        refuse("slice", f"Expected {len(sparse._shape)} numbers", InvalidArgumentError, start=starts, size=sizes)
    if min((*starts, *sizes), default=0) < 0:
        raise InvalidArgumentError(f"slice: start {list(starts)} and size {list(sizes)} must not be negative.")
    ends = [min(first + count, end) for first, count, end in zip(starts, sizes, sparse._shape, strict=True)]
    shape = [max(end - first, 0) for first, end in zip(starts, ends, strict=True)]
    first = constant_tensor(np.array(starts, np.int64))
    is_inside = ops.greater_equal(sparse.indices, first) & ops.less(
        sparse.indices, constant_tensor(np.array(ends, np.int64))
    )
    part = _take(sparse, ops.where(ops.reduce_all(is_inside, 1))[:, 0])
    return SparseTensor._of(part.indices - first, part.values, shape)


def split(sp_input: Any = None, num_split: Any = None, axis: Any = None, name: str | None = None) -> list[SparseTensor]:
    """Splits a sparse tensor along ``axis`` into ``num_split`` parts; if they can't be equal, the first parts are larger by 1.

    Raises:
        ValueError: an argument is missing.
        InvalidArgumentError: ``axis`` is out of range, or ``num_split`` is not in 1 ... size.
    """
    for argument, value in (("sp_input", sp_input), ("num_split", num_split), ("axis", axis)):
        require(value is not None, "split", f"Must specify {argument}")
    sparse = as_sparse(sp_input, "split")
    count, shape = ops.as_python_int(num_split, "split: num_split"), sparse._shape
    axis = ops.nonnegative_axis(axis, len(shape), "split")
    check_interval("split", f"[1, {shape[axis]}]", InvalidArgumentError, num_split=count)
    ends = np.cumsum([shape[axis] // count + (part < shape[axis] % count) for part in range(count)]).tolist()
    parts = []
    for begin, end in zip([0, *ends], ends, strict=False):
        start, size = [0] * len(shape), list(shape)
        start[axis], size[axis] = begin, end - begin
        parts.append(slice(sparse, start, size))
    return parts


def reset_shape(sp_input: Any, new_shape: Any = None) -> SparseTensor:
    """Returns the elements in a tensor of another shape.

    Args:
        sp_input: a ``SparseTensor``.
        new_shape: sizes that are not smaller; default: the smallest shape that holds all elements.

    Raises:
        ValueError: ``new_shape`` has another rank or is smaller.
    """
    sparse = as_sparse(sp_input, "reset_shape")
    if new_shape is None:
        shape = (
            ops.as_python_ints(ops.reduce_max(sparse.indices, 0) + 1, "reset_shape")
            if len(sparse.values)
            else [0] * len(sparse._shape)
        )
        return SparseTensor._of(sparse.indices, sparse.values, shape)
    shape = ops.as_python_ints(new_shape, "reset_shape: new_shape")
    if len(shape) != len(sparse._shape) or any(size < old for size, old in zip(shape, sparse._shape, strict=True)):
        refuse("reset_shape", f"new_shape must have sizes >= {list(sparse._shape)}, those of sp_input", new_shape=shape)
    return SparseTensor._of(sparse.indices, sparse.values, shape)


def fill_empty_rows(sp_input: Any, default_value: Any, name: str | None = None) -> tuple[SparseTensor, Tensor]:
    """Gives each row without elements the element ``default_value`` in column 0.

    Args:
        sp_input: a ``SparseTensor`` of rank 1 or more; rows are along the first dimension.
        default_value: a scalar of its dtype.

    Returns:
        ``(filled, is_row_empty)``: the filled sparse tensor, and bool of shape (rows,).

    Raises:
        InvalidArgumentError: a position is outside of the shape, or ``default_value`` is no scalar of the dtype.
        TypeError, ValueError: ``default_value`` is a Python value that does not fit the dtype.
    """
    sparse = as_sparse(sp_input, "fill_empty_rows")
    shape = sparse._shape
    require(shape, "fill_empty_rows", "the rank must be 1 or more", InvalidArgumentError, shape=shape)
    check_positions("fill_empty_rows", sparse)
    default = ops.scalar_of_dtype(default_value, sparse.dtype, "fill_empty_rows", "default_value")
    check_size("fill_empty_rows", (shape[0],), np.dtype(bool))
    marks = constant_tensor(np.ones(len(sparse.values), bool))
    has_elements = ops.tensor_scatter_nd_update(constant_tensor(np.zeros(shape[0], bool)), sparse.indices[:, :1], marks)
    is_empty = ops.logical_not(has_elements)
    rows = ops.where(is_empty)
    others = constant_tensor(np.zeros((len(rows), len(shape) - 1), np.int64))
    indices = ops.concat([sparse.indices, ops.concat([rows, others], 1)], 0)
    values = ops.concat([sparse.values, ops.broadcast_to(default, [len(rows)])], 0)
    order = ops.argsort(indices[:, 0])
    return _take(SparseTensor._of(indices, values, shape), order), is_empty


def mask(a: Any, mask_indices: Any, name: str | None = None) -> IndexedSlices:
    """Returns the rows of ``a`` whose index is not among ``mask_indices``.

    Args:
        a: an ``IndexedSlices``.
        mask_indices: a vector of the dtype of its indices.

    Raises:
        TypeError: ``a`` is no ``IndexedSlices``.
        InvalidArgumentError: ``mask_indices`` has another dtype.
    """
    check_type("mask", "IndexedSlices", IndexedSlices, a=a)
    masked = convert_like(mask_indices, a.indices._array.dtype)
    rows = ops.where(ops.logical_not(ops.reduce_any(ops.equal(a.indices[:, None], masked[None, :]), 1)))[:, 0]
    return IndexedSlices(ops.gather(a.values, rows), ops.gather(a.indices, rows), a.dense_shape)
