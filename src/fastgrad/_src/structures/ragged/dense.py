"""Conversions between dense and ragged tensors, and merging of ragged dimensions."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.argument_checks import check_at_least, check_length, check_type, refuse, require
from fastgrad._src.core.composite import overrides
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.operand_errors import InvalidValueError
from fastgrad._src.core.shape import TensorShape
from fastgrad._src.core.tensor import Tensor, constant_tensor, convert_like, convert_to_tensor
from fastgrad._src.ops.arguments import as_python_int
from fastgrad._src.ops.arithmetic import maximum, minimum
from fastgrad._src.ops.casting import cast
from fastgrad._src.ops.comparison import equal, less
from fastgrad._src.ops.indexing import gather
from fastgrad._src.ops.joining import concat
from fastgrad._src.ops.reduction import reduce_all, reduce_max
from fastgrad._src.ops.selection import where
from fastgrad._src.ops.shaping import broadcast_to, expand_dims, reshape
from fastgrad._src.structures.ragged import partition
from fastgrad._src.structures.ragged.partition import as_partition, index_range
from fastgrad._src.structures.ragged.ragged_tensor import RaggedTensor

# ---- from tensors ------------------------------------------------------------------------------------------


def from_tensor(tensor: Any, lengths: Any, padding: Any, ragged_rank: int, dtype: dtypes.DType) -> RaggedTensor:
    """Returns the ragged tensor of a dense tensor without padding; arguments as ``RaggedTensor.from_tensor``."""
    require(lengths is None or padding is None, "from_tensor", "Specify argument `lengths` or `padding`, but not both")
    check_type("from_tensor", "an int", int, ragged_rank=ragged_rank)
    check_at_least("from_tensor", 1, ragged_rank=ragged_rank)
    x = convert_to_tensor(tensor)
    nested_lengths = (
        lengths if isinstance(lengths, (list, tuple)) and lengths and hasattr(lengths[0], "__len__") else None
    )
    if nested_lengths is not None:
        ragged_rank = len(nested_lengths)
    if x.ndim <= ragged_rank:
        raise ValueError(f"from_tensor: `ragged_rank` ({ragged_rank}) must be less than the rank of shape {x.shape}.")
    if nested_lengths is not None:
        first = _cut_to_lengths(x, as_partition(nested_lengths[0], "from_tensor: lengths", dtype))
        inner_lengths = nested_lengths[1:]
        return first._with(from_tensor(first.values, inner_lengths, None, 1, dtype)) if inner_lengths else first
    if ragged_rank > 1:
        inner = reshape(x, [prod(x._array.shape[:ragged_rank]), *x.shape[ragged_rank:]])
        ragged = from_tensor(inner, lengths, padding, 1, dtype)
        for axis in range(ragged_rank - 1, 0, -1):
            rows = prod(x._array.shape[:axis])
            ragged = RaggedTensor._of(ragged, partition.uniform_splits(x.shape[axis], rows, dtype), x.shape[axis])
        return ragged
    if lengths is not None:
        return _cut_to_lengths(x, as_partition(lengths, "from_tensor: lengths", dtype))
    if padding is not None:
        return _cut_to_lengths(x, _unpadded_lengths(x, padding, dtype))
    rows, length = x._array.shape[:2]
    return RaggedTensor._of(
        reshape(x, [rows * length, *x._array.shape[2:]]), partition.uniform_splits(length, rows, dtype), length
    )


def _unpadded_lengths(x: Tensor, padding: Any, dtype: dtypes.DType) -> Tensor:
    """Returns the length of each row up to its last element that is not ``padding``."""
    padding_element = convert_like(padding, x._array.dtype)
    if padding_element.shape != x.shape[2:]:
        raise ValueError(f"from_tensor: padding {padding_element.shape} and element {x.shape[2:]} are incompatible.")
    is_padding = equal(x, padding_element)
    if x.ndim > 2:
        is_padding = reduce_all(is_padding, list(range(2, x.ndim)))
    row_ends = constant_tensor(np.arange(1, x.shape[1] + 1, dtype=dtype.numpy))
    zero = constant_tensor(np.zeros((), dtype.numpy))
    if not x.shape[1]:
        return constant_tensor(np.zeros(x.shape[0], dtype.numpy))
    return reduce_max(where(is_padding, zero, row_ends), 1)


def _cut_to_lengths(x: Tensor, lengths: Tensor) -> RaggedTensor:
    rows, max_length = x._array.shape[:2]
    check_length("from_tensor", rows, lengths=lengths)
    lengths = maximum(minimum(lengths, max_length), 0)
    splits = partition.splits_of_lengths(lengths)
    count = int(splits[-1])
    ids = partition.row_numbers(splits, count)
    positions = index_range(count, splits.dtype) + gather(
        index_range(rows, splits.dtype) * max_length - splits[:-1], ids
    )
    flat = reshape(x, [rows * max_length, *x._array.shape[2:]])
    return RaggedTensor._of(gather(flat, positions), splits)


# ---- to tensors --------------------------------------------------------------------------------------------


def to_tensor(ragged: RaggedTensor, default_value: Any, shape: Any) -> Tensor:
    """Returns the dense tensor of a ragged tensor, with padded rows; arguments as ``RaggedTensor.to_tensor``."""
    flat = ragged.flat_values
    if default_value is None:
        default_value = b"" if flat.dtype is dtypes.string else 0
    default = convert_to_tensor(default_value, flat.dtype)
    if default.ndim >= flat.ndim:
        refuse("to_tensor", f"default_value must be of lower rank than {flat.shape}", InvalidArgumentError, got=default)
    rank = ragged.ragged_rank + flat.ndim
    sizes = TensorShape(None if shape is None else shape._elements().tolist() if isinstance(shape, Tensor) else shape)
    target_sizes: list[int | None] = [None] * rank if sizes.rank is None else list(sizes)
    check_length("to_tensor", rank, InvalidValueError, shape=target_sizes)
    for size, inner_size in zip(target_sizes[ragged.ragged_rank + 1 :], flat.shape[1:], strict=True):
        if size not in (None, -1, inner_size):
            refuse("to_tensor", f"`shape` must go with the tensor's, {ragged.shape}", InvalidValueError, shape=sizes)
    return _padded_rows(
        ragged, broadcast_to(default, flat.shape[1:]), [None if size == -1 else size for size in target_sizes]
    )


def _padded_rows(ragged: RaggedTensor, default: Tensor, sizes: list[int | None]) -> Tensor:
    """Gathers the values of each row into a dense tensor; padding gathers ``default``, appended to the values."""
    values = ragged.values
    if isinstance(values, RaggedTensor):
        values = _padded_rows(values, default, [None, *sizes[2:]])
    count, splits = len(values), ragged.row_splits
    element = broadcast_to(default, values.shape[1:])
    lengths = ragged.row_lengths()
    rows = len(lengths)
    row_length = ragged._uniform
    if sizes[1] is not None:
        row_length = sizes[1]
    elif row_length is None:
        row_length = int(reduce_max(concat([lengths, index_range(1, lengths.dtype)], 0)))  # the 0: there may be no rows
    columns = expand_dims(index_range(row_length, splits.dtype), 0)
    positions = where(less(columns, expand_dims(lengths, 1)), columns + expand_dims(splits[:-1], 1), count)
    if sizes[0] is not None and sizes[0] != rows:
        padding_rows = constant_tensor(np.full((max(sizes[0] - rows, 0), row_length), count, splits.dtype.numpy))
        positions = concat([positions[: sizes[0]], padding_rows], 0)
    return gather(concat([values, expand_dims(element, 0)], 0), positions)


# ---- dimensions --------------------------------------------------------------------------------------------


def merge_dims(ragged: Any, outer_axis: int, inner_axis: int) -> Any:
    """Returns a ragged tensor with two or more dimensions merged; arguments as ``RaggedTensor.merge_dims``."""
    rank = ragged.shape.rank
    axes = as_python_int(outer_axis, "merge_dims: outer_axis"), as_python_int(inner_axis, "merge_dims: inner_axis")
    outer, inner = (axis + rank if axis < 0 else axis for axis in axes)
    if not 0 <= outer <= inner < rank:
        raise ValueError(f"merge_dims: Expected outer_axis ({outer_axis}) <= inner_axis ({inner_axis}) < {rank}.")
    if outer == inner:
        return ragged
    if isinstance(ragged, Tensor):
        sizes = ragged._array.shape
        return reshape(ragged, [*sizes[:outer], prod(sizes[outer : inner + 1]), *sizes[inner + 1 :]])
    if outer > 0:
        return (
            RaggedTensor._of(merge_dims(ragged.values, outer - 1, inner - 1), ragged.row_splits, ragged._uniform)
            if outer > 1
            else _merge_dims_from_second(ragged, inner)
        )
    return merge_dims(ragged.values, 0, inner - 1)


def _merge_dims_from_second(ragged: RaggedTensor, inner: int) -> RaggedTensor:
    """Merges the dimensions from 1 to ``inner``: composes the row splits of ``ragged`` with those of its values."""
    values = ragged.values
    if isinstance(values, RaggedTensor):
        splits = gather(values.row_splits, ragged.row_splits)
        uniform = None if ragged._uniform is None or values._uniform is None else ragged._uniform * values._uniform
        merged = RaggedTensor._of(values.values, splits, uniform)
    else:
        length = values._array.shape[1]
        uniform = None if ragged._uniform is None else ragged._uniform * length
        merged = RaggedTensor._of(merge_dims(values, 0, 1), ragged.row_splits * length, uniform)
    return merged if inner == 2 else _merge_dims_from_second(merged, inner - 1)


def with_rank(x: Any, ragged_rank: int, dtype: dtypes.DType) -> RaggedTensor:
    """Returns ``x``, a tensor or ragged tensor, as a ragged tensor with a ragged rank of ``ragged_rank`` or more."""
    if isinstance(x, RaggedTensor):
        missing = ragged_rank - x.ragged_rank
        if missing <= 0:
            return x
        flat = from_tensor(x.flat_values, None, None, missing, dtype)
        result: RaggedTensor = x._with_flat_values(flat)
        return result
    return from_tensor(x, None, None, ragged_rank, dtype)


@overrides(RaggedTensor, cast)
def cast_values(ragged: RaggedTensor, dtype: Any) -> Any:
    """Returns ``ragged`` with its values cast to ``dtype``."""
    return ragged._with_flat_values(cast(ragged.flat_values, dtype))
