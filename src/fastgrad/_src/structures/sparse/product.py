"""The product of a sparse matrix with a dense one."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastgrad._src.core.argument_checks import check_shapes
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.operand_errors import mixed_dtypes_error
from fastgrad._src.core.operation import HALF_DTYPES, NUMERIC_DTYPES, Form, Operation
from fastgrad._src.core.result_rules import ArraySpec
from fastgrad._src.core.tensor import Tensor, constant_tensor, convert_like
from fastgrad._src.ops import namespace as ops
from fastgrad._src.structures.sparse.sparse_tensor import SparseTensor, as_sparse


def _product_by_scipy(indices: np.ndarray, values: np.ndarray, b: np.ndarray, rows: int) -> np.ndarray:
    import scipy.sparse

    _check_indices(indices, values, b, rows)
    dtype = b.dtype
    if dtype in HALF_DTYPES:  # SciPy has none
        values, b = values.astype(np.float32), b.astype(np.float32)
    matrix = scipy.sparse.coo_array((values, (indices[:, 0], indices[:, 1])), (rows, len(b)))
    return (matrix.tocsr() @ b).astype(dtype, copy=False)


def _check_indices(indices: np.ndarray, values: np.ndarray, b: np.ndarray, rows: int) -> None:
    outside = ((indices < 0) | (indices >= (rows, len(b)))).any(1)
    if outside.any():
        raise InvalidArgumentError(
            f"sparse_dense_matmul: index {indices[outside][0].tolist()} is out of bounds of a matrix of shape {[rows, len(b)]}."
        )


def _gradient_of_values(g: Tensor, y: Tensor, indices: Tensor, values: Tensor, b: Tensor, rows: int) -> Tensor:
    return ops.reduce_sum(ops.gather(g, indices[:, 0]) * ops.conjugate(ops.gather(b, indices[:, 1])), 1)


def _gradient_of_matrix(g: Tensor, y: Tensor, indices: Tensor, values: Tensor, b: Tensor, rows: int) -> Tensor:
    return _product(ops.reverse(indices, [1]), ops.conjugate(values), g, rows=len(b))


def _batched_product(
    name: str, batch: int, /, indices: ops.BatchArg, values: ops.BatchArg, b: ops.BatchArg, rows: int
) -> Tensor:
    """Multiplies a batch as one product with a matrix of blocks on the diagonal."""
    inner, columns = b.shape
    starts = np.arange(batch, dtype=np.int64)[:, None, None] * np.array([rows, inner], np.int64)
    positions = ops.call_operation("add", ops.broadcast_rows(indices, batch), constant_tensor(starts))
    operands = [
        ops.call_operation("reshape", x, shape=shape)
        for x, shape in (
            (positions, (batch * indices.shape[0], 2)),
            (ops.broadcast_rows(values, batch), (batch * values.shape[0],)),
            (ops.broadcast_rows(b, batch), (batch * inner, columns)),
        )
    ]
    product = ops.call_operation(name, *operands, rows=batch * rows)
    return ops.call_operation("reshape", product, shape=(batch, rows, columns))


_product: Operation = ops.kernel_operation(
    "sparse_dense_matmul",
    Form.EXTERN,
    launches=ops.launches_from("gemm.sparse", "sparse_product_launches"),
    by_numpy=_product_by_scipy,
    raise_error=_check_indices,
    gradient=(None, _gradient_of_values, _gradient_of_matrix),
    dtypes=NUMERIC_DTYPES,
    batched=_batched_product,
    result=lambda indices, values, b, rows: ArraySpec((rows, b.shape[1]), b.dtype),
)


def sparse_dense_matmul(
    sp_a: Any, b: Any, adjoint_a: bool = False, adjoint_b: bool = False, name: str | None = None
) -> Tensor:
    """The product of a sparse and a dense matrix, or of a dense and a sparse one. Repeated positions add up.

    Args:
        sp_a: a ``SparseTensor`` of rank 2, numeric.
        b: a dense matrix of the same dtype. If it is sparse, ``sp_a`` is dense.
        adjoint_a, adjoint_b: whether to take the conjugate transpose of a matrix.

    Returns:
        A dense matrix. Gradients reach the values of the sparse matrix, and the dense matrix.

    Raises:
        InvalidArgumentError: ranks, dtypes or inner sizes do not fit, or a position is outside of the shape.
        TypeError: neither is sparse, or both are.
    """
    if isinstance(b, SparseTensor):
        if isinstance(sp_a, SparseTensor):
            raise TypeError("sparse_dense_matmul: both `sp_a` and `b` are sparse; tf.sparse.to_dense makes one dense.")
        # op(a) op(b) is the transpose of op(b)^T op(a)^T, and the transpose of an adjoint is the conjugate.
        product = _checked_product(
            b,
            sp_a,
            transpose_sparse=not adjoint_b,
            conjugate_sparse=adjoint_b,
            transpose_dense=not adjoint_a,
            conjugate_dense=adjoint_a,
        )
        return ops.transpose(product)
    return _checked_product(
        as_sparse(sp_a, "sparse_dense_matmul"),
        b,
        transpose_sparse=adjoint_a,
        conjugate_sparse=adjoint_a,
        transpose_dense=adjoint_b,
        conjugate_dense=adjoint_b,
    )


def _checked_product(
    sparse: SparseTensor,
    dense: Any,
    transpose_sparse: bool,
    conjugate_sparse: bool,
    transpose_dense: bool,
    conjugate_dense: bool,
) -> Tensor:
    indices, values, shape = sparse.indices, sparse.values, sparse._shape
    matrix = ops.tensor_of(dense) if hasattr(dense, "dtype") else convert_like(dense, values._array.dtype)
    check_shapes("sparse_dense_matmul", "sp_a (rows, columns), b (height, width)", InvalidArgumentError, shape, matrix)
    if matrix.dtype is not values.dtype:
        raise mixed_dtypes_error("sparse_dense_matmul", values._array.dtype, matrix._array.dtype)
    _product.check_dtype(matrix._array)
    rows, inner = reversed(shape) if transpose_sparse else shape
    if matrix._array.shape[transpose_dense] != inner:
        raise InvalidArgumentError(
            f"sparse_dense_matmul: Cannot multiply A and B because inner dimension does not match: {inner} vs. "
            f"{matrix._array.shape[transpose_dense]}. Did you forget a transpose? Shapes are {list(shape)} and "
            f"{list(matrix.shape)}."
        )
    return _product(
        ops.reverse(indices, [1]) if transpose_sparse else indices,
        ops.conjugate(values) if conjugate_sparse else values,
        _transpose_and_conjugate(matrix, transpose_dense, conjugate_dense),
        rows=rows,
    )


def _transpose_and_conjugate(x: Tensor, transposes: bool, conjugates: bool) -> Tensor:
    x = ops.transpose(x) if transposes else x
    return ops.conjugate(x) if conjugates else x
