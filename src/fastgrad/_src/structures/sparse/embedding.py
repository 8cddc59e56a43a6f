"""Sums and means of the rows of an embedding table, whose numbers are in a sparse tensor."""

from __future__ import annotations

from typing import Any

from fastgrad._src.core.argument_checks import check_choice, check_type, checked_number
from fastgrad._src.core.operation import HALF_DTYPES
from fastgrad._src.core.tensor import Tensor, as_tensor_or_none
from fastgrad._src.ops import namespace as ops
from fastgrad._src.structures.sparse.array_ops import fill_empty_rows, retain
from fastgrad._src.structures.sparse.array_ops import reshape as reshape_sparse
from fastgrad._src.structures.sparse.reductions import sorted_segment_sqrt_n
from fastgrad._src.structures.sparse.sparse_tensor import SparseTensor, as_sparse

_COMBINERS = {"sum": ops.segment_sum, "mean": ops.segment_mean, "sqrtn": sorted_segment_sqrt_n}


def embedding_lookup_sparse(
    params: Any,
    sp_ids: Any,
    sp_weights: Any,
    combiner: str | None = None,
    max_norm: Any = None,
    name: str | None = None,
    allow_fast_lookup: bool = False,
) -> Tensor:
    """The combined embeddings of the ids in each row of a sparse matrix.

    Args:
        params: the table, shape (rows, ...), or a list of tables, which are concatenated.
        sp_ids: a ``SparseTensor`` of int32 or int64 with at least one id in each row up to the last one with ids.
        sp_weights: a ``SparseTensor`` of the same form, a weight for each id; None for weights of 1.
        combiner: ``"sum"``; ``"mean"``, the sum over the sum of the weights; or ``"sqrtn"``, the sum over the root of the sum of
            their squares. Default ``"mean"``.
        max_norm: the largest norm of an embedding; larger ones are scaled down.
        name, allow_fast_lookup: kept for TensorFlow's signature.

    Returns:
        Shape (last row with ids + 1, *params.shape[1:]).

    Raises:
        TypeError: ``sp_ids`` or ``sp_weights`` is not sparse, or ``max_norm`` is no number.
        ValueError: ``combiner`` is unknown, or the weights have another form.
        InvalidArgumentError: an id is outside of the table, or the rows are not in order.
    """
    combiner = "mean" if combiner is None else combiner
    check_choice("embedding_lookup_sparse", _COMBINERS, combiner=combiner)
    check_type("embedding_lookup_sparse", "a SparseTensor", SparseTensor, sp_ids=sp_ids)
    check_type("embedding_lookup_sparse", "None or a SparseTensor", (type(None), SparseTensor), sp_weights=sp_weights)
    if max_norm is not None and as_tensor_or_none(max_norm) is None:
        checked_number("embedding_lookup_sparse", "max_norm", max_norm)
    ids = sp_ids.indices[:, 0]
    rows = ops.embedding_lookup(params, sp_ids.values, max_norm)
    if sp_weights is None:
        return _COMBINERS[combiner](rows, ids)
    if sp_weights.indices.shape != sp_ids.indices.shape:
        raise ValueError(
            f"embedding_lookup_sparse: indices of sp_ids {sp_ids.indices.shape} and sp_weights {sp_weights.indices.shape} are not compatible."
        )
    dtype = rows.dtype
    if dtype.numpy in HALF_DTYPES:
        rows = ops.cast(rows, "float32")
    weights = ops.reshape(ops.cast(sp_weights.values, rows.dtype), [-1, *[1] * (rows.ndim - 1)])
    total = ops.segment_sum(rows * weights, ids)
    if combiner == "mean":
        total = ops.divide_no_nan(total, ops.segment_sum(weights, ids))
    elif combiner == "sqrtn":
        total = ops.divide_no_nan(total, ops.sqrt(ops.segment_sum(ops.square(weights), ids)))
    return ops.cast(total, dtype)


def safe_embedding_lookup_sparse(
    embedding_weights: Any,
    sparse_ids: Any,
    sparse_weights: Any = None,
    combiner: str = "mean",
    default_id: Any = None,
    max_norm: Any = None,
    name: str | None = None,
    allow_fast_lookup: bool = False,
) -> Tensor:
    """The combined embeddings of the ids along the last dimension, also where there are none.

    Negative ids are left out, and unless ``combiner`` is ``"sum"``, ids with a weight that is not positive.

    Args:
        embedding_weights: the table, shape (rows, n), or a list of tables, which are concatenated.
        sparse_ids: a ``SparseTensor`` of int32 or int64, rank 2 or more.
        sparse_weights: a ``SparseTensor`` of the same form, or None.
        combiner, max_norm: as in ``embedding_lookup_sparse``.
        default_id: the id where there are none; default: zeros.
        name, allow_fast_lookup: kept for TensorFlow's signature.

    Returns:
        Shape (*sparse_ids.shape[:-1], n).

    Raises:
        TypeError: ``sparse_ids`` or ``sparse_weights`` is not sparse, or ``max_norm`` is no number.
        ValueError: there is no table, ``combiner`` is unknown, or the weights have another form.
        InvalidArgumentError: an id is outside of the table.
    """
    if embedding_weights is None or (isinstance(embedding_weights, (list, tuple)) and not embedding_weights):
        raise ValueError(f"safe_embedding_lookup_sparse: Missing embedding_weights {embedding_weights}.")
    as_sparse(sparse_ids, "safe_embedding_lookup_sparse: sparse_ids")
    if sparse_weights is not None:
        as_sparse(sparse_weights, "safe_embedding_lookup_sparse: sparse_weights")
    outer = sparse_ids._shape[:-1]
    ids = reshape_sparse(sparse_ids, [-1, sparse_ids._shape[-1]])
    weights = None if sparse_weights is None else ids.with_values(sparse_weights.values)
    is_valid = ops.greater_equal(ids.values, 0)
    if weights is not None and combiner != "sum":
        is_valid = is_valid & ops.greater(weights.values, 0)
    ids, is_row_empty = fill_empty_rows(retain(ids, is_valid), default_id or 0)
    if weights is not None:
        weights, _ = fill_empty_rows(retain(weights, is_valid), 1.0)
    result = embedding_lookup_sparse(embedding_weights, ids, weights, combiner, max_norm)
    if default_id is None:
        result = ops.where(ops.logical_not(is_row_empty)[:, None], result, 0)
    return ops.reshape(result, [*outer, *result._array.shape[1:]])
