"""Matrix products of ragged tensors: batches of matrices of different sizes."""

from __future__ import annotations

from typing import Any

from fastgrad._src.core.argument_checks import refuse, require
from fastgrad._src.core.composite import overrides
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.ops import namespace as ops
from fastgrad._src.structures.ragged.array_ops import as_tensor_or_ragged, cut_into_rows, stack
from fastgrad._src.structures.ragged.ragged_tensor import RaggedTensor, row_count


@overrides(RaggedTensor, ops.matmul)
def matmul(a: Any, b: Any, options: dict[str, Any]) -> Any:
    """``tf.matmul`` of ``a`` and ``b``, at least one of which is ragged; ``options`` are its other arguments.

    Returns:
        A tensor for rank 2, else a ragged tensor with the batches of ``a``.

    Raises:
        ValueError: dtypes or ranks differ; transpose and adjoint of the same matrix are both set.
        InvalidArgumentError: batch sizes differ; the rows of a matrix differ in length; matrix sizes do not match.
    """
    a, b = as_tensor_or_ragged(a), as_tensor_or_ragged(b)
    for letter in "ab":
        if options[f"transpose_{letter}"] and options[f"adjoint_{letter}"]:
            raise ValueError(f"matmul: Only one of transpose_{letter} and adjoint_{letter} can be True, got both.")
    require(a.dtype == b.dtype, "matmul", "`a` and `b` must have the same dtype", a=a.dtype, b=b.dtype)
    require(a.shape.rank == b.shape.rank, "matmul", "`a` and `b` must have the same rank", a=a.shape, b=b.shape)
    return _matmul(a, b, options)


def _matmul(a: Any, b: Any, options: dict[str, Any]) -> Any:
    rank = a.shape.rank
    if rank == 2 or (isinstance(a, Tensor) and isinstance(b, Tensor)):
        return ops.matmul(_as_dense_matrix(a), _as_dense_matrix(b), **options)
    if rank > 3:
        a, b = _as_ragged_batches(a), _as_ragged_batches(b)
        _check_equal_batches(a.row_lengths()._elements().tolist(), b.row_lengths()._elements().tolist())
        return a._with(_matmul(a.values, b.values, options))
    _check_equal_batches(row_count(a), row_count(b))
    products = [ops.matmul(_as_dense_matrix(a[n]), _as_dense_matrix(b[n]), **options) for n in range(row_count(a))]
    transposes_b = options["transpose_b"] or options["adjoint_b"]
    if not products or (isinstance(b, RaggedTensor) and (b.ragged_rank == 2 or transposes_b)):
        return stack(products) if products else a
    dtype = (a if isinstance(a, RaggedTensor) else b).row_splits.dtype
    return cut_into_rows(ops.concat(products, 0), [len(x) for x in products], dtype)


def _as_ragged_batches(x: Any) -> RaggedTensor:
    return x if isinstance(x, RaggedTensor) else RaggedTensor.from_tensor(x, ragged_rank=1)


def _check_equal_batches(a: Any, b: Any) -> None:
    if a != b:
        refuse("matmul", "batch axes must be equal; ragged ones don't broadcast", InvalidArgumentError, a=a, b=b)


def _as_dense_matrix(x: Any) -> Tensor:
    if isinstance(x, Tensor):
        return x
    matrix = x.to_tensor()
    if matrix._array.size != x.flat_values._array.size:
        raise InvalidArgumentError(
            "matmul: The matrices in `a` and `b` may not be ragged in their innermost dimension, "
            f"got rows of {x.row_lengths()._elements().tolist()} elements."
        )
    return matrix
