"""Conversions between sparse and dense tensors."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.argument_checks import check_at_least, checked_integer
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.operand_errors import check_size
from fastgrad._src.core.operation import NUMERIC_DTYPES
from fastgrad._src.core.tensor import Tensor, constant_tensor
from fastgrad._src.ops import namespace as ops
from fastgrad._src.structures.sparse.sparse_tensor import SparseTensor, as_sparse, check_positions


def from_dense(tensor: Any, name: str | None = None) -> SparseTensor:
    """Returns the sparse tensor of the elements that are not zero.

    Args:
        tensor: any dtype, rank 1 or more; of strings, those that are not empty.
        name: kept for TensorFlow's signature.
    """
    x = ops.tensor_of(tensor)
    indices = ops.where(ops.not_equal(x, ops.zeros_like(x)))
    return SparseTensor._of(indices, ops.gather_nd(x, indices), x._array.shape)


def from_scipy(matrix: Any) -> SparseTensor:
    """Returns a sparse matrix or array of SciPy, of any format, as a sparse tensor whose positions are in row-major order.

    Elements that are stored several times are added up, as SciPy does.
    """
    coo = matrix.tocoo(copy=True)
    coo.sum_duplicates()
    coordinates = np.stack(coo.coords, 1).astype(np.int64)
    order = np.lexsort(coordinates.T[::-1])
    return SparseTensor(coordinates[order], coo.data[order], coo.shape)


def to_dense(
    sp_input: Any, default_value: Any = None, validate_indices: bool = True, name: str | None = None
) -> Tensor:
    """Returns the dense tensor of a sparse tensor.

    Args:
        sp_input: a ``SparseTensor``.
        default_value: the scalar at all other positions; default 0 or an empty string.
        validate_indices: whether positions must be in row-major order, without repetition. Otherwise the last value of a
            position counts.

    Raises:
        InvalidArgumentError: a position is outside of the shape, repeated or out of order; ``default_value`` is no scalar of the dtype.
        TypeError: ``sp_input`` is not sparse, or ``default_value`` does not fit the dtype.
    """
    sparse = as_sparse(sp_input, "to_dense")
    values, shape = sparse.values, sparse._shape
    if validate_indices:
        check_positions("to_dense", sparse, in_order=True)
        if default_value is None and values._array.dtype in NUMERIC_DTYPES:
            return ops.scatter_nd(sparse.indices, values, shape)
    if default_value is None:
        return ops.tensor_scatter_nd_update(ops.zeros(shape, values.dtype), sparse.indices, values)
    default = ops.scalar_of_dtype(default_value, values.dtype, "to_dense", "default_value")
    return ops.tensor_scatter_nd_update(ops.fill(shape, default), sparse.indices, values)


def eye(num_rows: Any, num_columns: Any = None, dtype: Any = dtypes.float32, name: str | None = None) -> SparseTensor:
    """Returns a sparse matrix with ones on the diagonal.

    Args:
        num_rows, num_columns: integers; default of ``num_columns``: ``num_rows``.
        dtype: the dtype of the values.

    Raises:
        TypeError: a number is no integer.
        InvalidArgumentError: a number is negative.
    """
    rows = checked_integer("eye", "num_rows", num_rows)
    columns = rows if num_columns is None else checked_integer("eye", "num_columns", num_columns)
    check_at_least("eye", 0, InvalidArgumentError, num_rows=rows, num_columns=columns)
    check_size("eye", (min(rows, columns), 2), np.dtype(np.int64))
    count = np.arange(min(rows, columns), dtype=np.int64)
    ones = np.ones(len(count), dtypes.as_dtype(dtype).numpy)
    return SparseTensor._of(constant_tensor(np.stack([count, count], 1)), constant_tensor(ones), (rows, columns))
