"""Conversions between sparse and ragged tensors."""

from __future__ import annotations

from math import prod
from typing import Any

from fastgrad._src.core import dtypes
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.ops import namespace as ops
from fastgrad._src.structures.ragged.partition import index_range
from fastgrad._src.structures.ragged.ragged_tensor import RaggedTensor
from fastgrad._src.structures.sparse.sparse_tensor import SparseTensor, as_sparse, check_positions


def from_sparse(st_input: Any, dtype: dtypes.DType) -> RaggedTensor:
    """Returns the ragged tensor of a sparse matrix; see ``RaggedTensor.from_sparse``."""
    sparse = as_sparse(st_input, "RaggedTensor.from_sparse")
    if len(sparse._shape) != 2:
        raise ValueError(f"RaggedTensor.from_sparse: rank(st_input) must be 2, got shape {list(sparse._shape)}.")
    check_positions("RaggedTensor.from_sparse", sparse)
    rows, columns = sparse.indices[:, 0], sparse.indices[:, 1]
    ragged = RaggedTensor.from_value_rowids(sparse.values, ops.cast(rows, dtype), sparse._shape[0])
    places = index_range(len(columns), dtypes.int64) - ops.gather(ops.cast(ragged.row_splits, dtypes.int64), rows)
    ops.assert_equal(
        columns, places, message="RaggedTensor.from_sparse: SparseTensor is not right-ragged: a row has a gap."
    )
    return ragged


def to_sparse(ragged: RaggedTensor) -> SparseTensor:
    """Returns the sparse tensor of all elements; see ``RaggedTensor.to_sparse``."""
    shape = ops.as_python_ints(ragged.bounding_shape(out_type=dtypes.int64), "RaggedTensor.to_sparse")
    return SparseTensor._of(_positions(ragged), ops.reshape(ragged.flat_values, [-1]), shape)


def _positions(x: Any) -> Tensor:
    """Returns the positions of all elements of a tensor or ragged tensor, int64, shape (elements, rank)."""
    if isinstance(x, Tensor):
        number, shape = index_range(x._array.size, dtypes.int64), x._array.shape
        return ops.stack(
            [number // max(prod(shape[axis + 1 :]), 1) % max(size, 1) for axis, size in enumerate(shape)], 1
        )
    inner = _positions(x.values)
    numbers, rows = inner[:, 0], ops.gather(ops.cast(x.value_rowids(), dtypes.int64), inner[:, 0])
    places = numbers - ops.gather(ops.cast(x.row_splits, dtypes.int64), rows)
    return ops.concat([rows[:, None], places[:, None], inner[:, 1:]], 1)
