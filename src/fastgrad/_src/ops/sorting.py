"""Sorting: sort, argsort, top_k, unique, searchsorted, permutations.

Sorts are stable in both directions, and NaN comes last. Half of the file is the documentation of public functions.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.argument_checks import refuse
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.lowering import ResultSize
from fastgrad._src.core.operand_errors import check_not_narrow, dtype_error, mixed_dtypes_error
from fastgrad._src.core.operation import ALL_DTYPES, REAL_DTYPES, Form, Operation, operation
from fastgrad._src.core.result_rules import ArraySpec, require_fitting_shapes, same_as_first
from fastgrad._src.core.tensor import Tensor, convert_to_tensor
from fastgrad._src.ops.arguments import as_python_int, check_dtype, nonnegative_axis, tensor_of
from fastgrad._src.ops.batching import (
    BatchArg,
    NotBatched,
    call_operation,
    leading_axes_rule,
    rows_into_batch_rule,
    shift_axes_rule,
)
from fastgrad._src.ops.hash_tables import distinct_elements
from fastgrad._src.ops.kernel_launches import kernel_operation, launches_from, make_kernel_run
from fastgrad._src.ops.python_function import with_sample_rows

_INDEX_DTYPES = frozenset([dtypes.int32.numpy, dtypes.int64.numpy])


# ---- on arrays -------------------------------------------------------------------------------------


def _halves_as_float32(x: np.ndarray) -> np.ndarray:
    """``x`` with half-width floats as float32, which NumPy sorts quickly and with NaN last."""
    return x.astype(np.float32) if x.dtype.kind in "fV" and x.dtype.itemsize == 2 else x


def _order_reversing_keys(x: np.ndarray) -> np.ndarray:
    """Keys that reverse the order of ``x``: negated floats, or integers with all bits flipped, without overflow."""
    return ~x if x.dtype.kind in "iu" else -x


def _run_sort(x: np.ndarray, axis: int, descending: bool) -> np.ndarray:
    keys = _halves_as_float32(x)
    keys = _order_reversing_keys(np.sort(_order_reversing_keys(keys), axis)) if descending else np.sort(keys, axis)
    return keys.astype(x.dtype, copy=False)


def _run_argsort(x: np.ndarray, axis: int, descending: bool) -> np.ndarray:
    keys = _halves_as_float32(x)
    return np.argsort(_order_reversing_keys(keys) if descending else keys, axis, kind="stable").astype(np.int32)


# ---- sort and argsort --------------------------------------------------------------------------------


def _take_along_axis_result(x: Any, ids: Any, axis: int) -> ArraySpec:
    require_fitting_shapes(0 <= axis < len(x.shape) == len(ids.shape))
    before, after = (
        np.broadcast_shapes(x.shape[part], ids.shape[part]) for part in (slice(axis), slice(axis + 1, None))
    )
    return ArraySpec((*before, ids.shape[axis], *after), x.dtype)


_take_along_axis: Operation = operation(
    "take_along_axis",  # the elements of each row at distinct positions in that row
    Form.GATHER,
    run=np.take_along_axis,
    gradient=(lambda g, y, x, ids, axis: _put_along_axis(g, ids, axis=axis, size=x._array.shape[axis]), None),
    launches=launches_from("movement.gathering", "take_along_axis_launches"),
    batched=shift_axes_rule("axis", "axes"),
    result=_take_along_axis_result,
)
_put_along_axis: Operation = kernel_operation(
    "put_along_axis",  # the transpose of take_along_axis
    Form.SCATTER,
    gradient=(lambda gg, y, g, ids, axis, size: _take_along_axis(gg, ids, axis=axis), None),
    launches=launches_from("movement.gathering", "put_along_axis_launches"),
    batched=shift_axes_rule("axis", "axes"),
    result=lambda g, ids, axis, size: ArraySpec((*g.shape[:axis], size, *g.shape[axis + 1 :]), g.dtype),
)
_argsort_operation = operation(
    "argsort",
    Form.SORT,
    run=_run_argsort,
    dtypes=REAL_DTYPES,
    launches=launches_from("movement.ordering", "argsort_launches"),
    batched=shift_axes_rule("axis", "axes"),
    result=lambda x, axis, descending: ArraySpec(x.shape, np.dtype(np.int32)),
)
_sort_operation = operation(
    "sort",
    Form.SORT,
    run=_run_sort,
    gradient=lambda g, y, x, axis, descending: _put_along_axis(
        g, _argsort_operation(x, axis=axis, descending=descending), axis=axis, size=x._array.shape[axis]
    ),
    dtypes=REAL_DTYPES,
    launches=launches_from("movement.ordering", "sort_launches"),
    batched=shift_axes_rule("axis", "axes"),
    result=same_as_first,
)


def _call_sort(operation: Operation, values: Any, axis: Any, direction: str) -> Tensor:
    if direction not in {"ASCENDING", "DESCENDING"}:
        raise ValueError(f"{operation.name}: `direction` should be one of ASCENDING, DESCENDING, got {direction=}")
    x = tensor_of(values)
    operation.check_dtype(x._array)
    return operation(
        x, axis=nonnegative_axis(axis, x._array.ndim, operation.name), descending=direction == "DESCENDING"
    )


def sort(values: Any, axis: Any = -1, direction: str = "ASCENDING", name: str | None = None) -> Tensor:
    """The elements of ``values``, sorted along an axis.

    Args:
        values: real numbers, rank 1 or more.
        axis: the axis to sort along.
        direction: ``"ASCENDING"`` or ``"DESCENDING"``.
        name: kept for TensorFlow's signature.

    Raises:
        InvalidArgumentError: ``values`` is a scalar, its dtype has no order, or ``axis`` is out of range.
        ValueError: ``direction`` is unknown.
    """
    return _call_sort(_sort_operation, values, axis, direction)


def argsort(
    values: Any, axis: Any = -1, direction: str = "ASCENDING", stable: bool = False, name: str | None = None
) -> Tensor:
    """The positions of the elements in sorted order along an axis.

    Args:
        values: real numbers, rank 1 or more.
        axis: the axis to sort along.
        direction: ``"ASCENDING"`` or ``"DESCENDING"``.
        stable: kept for TensorFlow's signature; the sort is always stable.
        name: kept for TensorFlow's signature.

    Returns:
        int32, the shape of ``values``.

    Raises:
        InvalidArgumentError: ``values`` is a scalar, its dtype has no order, or ``axis`` is out of range.
        ValueError: ``direction`` is unknown.
    """
    return _call_sort(_argsort_operation, values, axis, direction)


# ---- top_k -----------------------------------------------------------------------------------------


class TopKV2(NamedTuple):
    """The result of ``top_k``."""

    values: Tensor
    indices: Tensor


def _top_k_result(x: Any, k: int, index_type: str) -> tuple[ArraySpec, ArraySpec]:
    require_fitting_shapes(0 <= k <= x.shape[-1])
    shape = (*x.shape[:-1], k)
    return ArraySpec(shape, x.dtype), ArraySpec(shape, np.dtype(index_type))


_top_k_launches = launches_from("movement.ordering", "top_k_launches")
_run_top_k_kernels = make_kernel_run(_top_k_launches, _top_k_result)
_PARTITION_MIN_K = 64
"""The smallest k for which NumPy's partition of long rows of floats is faster than the kernel, which sorts whole rows."""


def _run_top_k(x: np.ndarray, k: int, index_type: str) -> tuple[np.ndarray, np.ndarray]:
    if x.dtype.kind == "f" and x.dtype.itemsize > 2 and _PARTITION_MIN_K <= k <= x.shape[-1] // 8:
        keys = -x
        candidates = np.argpartition(keys, k - 1, -1)[..., :k]
        bound = np.take_along_axis(keys, candidates[..., k - 1 :], -1)
        # If other elements equal the k-th (or it is NaN), the partition may have chosen one that is not the first.
        if (np.count_nonzero(keys <= bound, -1) == k).all():
            candidates.sort(-1)
            order = np.argsort(np.take_along_axis(keys, candidates, -1), -1, kind="stable")
            ids = np.take_along_axis(candidates, order, -1)
            return np.take_along_axis(x, ids, -1), ids.astype(index_type)
    return _run_top_k_kernels(x, k=k, index_type=index_type)


_top_k_operation = operation(
    "top_k",
    Form.SORT,
    run=_run_top_k,
    gradient=lambda g, y, x, k, index_type: _put_along_axis(
        g[0], y[1], axis=x._array.ndim - 1, size=x._array.shape[-1]
    ),
    dtypes=REAL_DTYPES,
    launches=_top_k_launches,
    batched=leading_axes_rule,
    result=_top_k_result,
)


def top_k(
    input: Any, k: Any = 1, sorted: bool = True, index_type: Any = dtypes.int32, name: str | None = None
) -> TopKV2:
    """The ``k`` largest elements along the last axis, with their positions.

    Args:
        input: real numbers, rank 1 or more.
        k: the number of elements, an integer in ``[0, input.shape[-1]]``.
        sorted: kept for TensorFlow's signature; the result is always in descending order.
        index_type: int16, int32 or int64.
        name: kept for TensorFlow's signature.

    Returns:
        ``(values, indices)``, both of shape ``input.shape[:-1] + [k]``; of equal elements the first comes first.

    Raises:
        InvalidArgumentError: ``input`` is a scalar, its dtype has no order, or ``k`` is out of range.
    """
    x = tensor_of(input)
    _top_k_operation.check_dtype(x._array)
    if not x._array.ndim:
        raise InvalidArgumentError("top_k: input must be >= 1-D, got a scalar.")
    if isinstance(k, (list, tuple, np.ndarray)) and np.ndim(k):
        raise InvalidArgumentError(f"top_k: k must be scalar, got shape {list(np.shape(k))}.")
    count = as_python_int(k, "top_k: k")
    if not 0 <= count <= x._array.shape[-1]:
        refuse("top_k", "k must be from 0 to the number of columns", InvalidArgumentError, k=count, shape=x.shape)
    index_dtype = dtypes.as_dtype(index_type)
    allowed = _INDEX_DTYPES | {dtypes.int16.numpy}
    check_dtype("top_k (index_type)", index_dtype.numpy, allowed)
    return TopKV2(*_top_k_operation(x, k=count, index_type=index_dtype.name))


def in_top_k(targets: Any, predictions: Any, k: Any, name: str | None = None) -> Tensor:
    """Whether the prediction for each target is among the ``k`` largest predictions of its row.

    Args:
        targets: int32 or int64, shape (batch,): class numbers.
        predictions: float32, shape (batch, classes).
        k: an integer.
        name: kept for TensorFlow's signature.

    Returns:
        bool, shape (batch,): True if fewer than ``k`` predictions are larger; False if the target is out of range or its
        row is not finite.

    Raises:
        InvalidArgumentError: a shape or a dtype is wrong.
        ValueError: ``predictions`` is a tensor of another dtype.
    """
    ids, x = tensor_of(targets), convert_to_tensor(predictions, dtypes.float32)
    check_dtype("in_top_k (targets)", ids._array.dtype, _INDEX_DTYPES)
    if x._array.ndim != 2:
        raise InvalidArgumentError(f"in_top_k: predictions must be 2-dimensional, got shape {list(x._array.shape)}.")
    if ids._array.shape != x._array.shape[:1]:
        refuse("in_top_k", f"needs {x.shape[0]} targets, one a prediction", InvalidArgumentError, shape=ids.shape)
    return _in_top_k_operation(ids, x, k=as_python_int(k, "in_top_k: k"))


_in_top_k_operation = kernel_operation(
    "in_top_k",
    Form.EXTERN,
    launches=launches_from("movement.ordering", "in_top_k_launches"),
    batched=rows_into_batch_rule,
    result=lambda ids, x, k: ArraySpec(ids.shape, np.dtype(bool)),
)


# ---- unique ----------------------------------------------------------------------------------------


class Unique(NamedTuple):
    """The result of ``unique``."""

    y: Tensor
    idx: Tensor


class UniqueWithCounts(NamedTuple):
    """The result of ``unique_with_counts``."""

    y: Tensor
    idx: Tensor
    count: Tensor  # type: ignore[assignment]  # TensorFlow's name, which hides tuple.count


def _unique_result(x: Any, out_idx: str) -> tuple[ArraySpec, ...]:
    index_dtype = np.dtype(out_idx)
    return ArraySpec((None,), x.dtype), ArraySpec(x.shape, index_dtype), ArraySpec((None,), index_dtype)


def _run_unique(x: np.ndarray, out_idx: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    if x.dtype.kind != "c":
        first_positions, numbers, counts = distinct_elements(x, out_idx)
        return x[first_positions], numbers, counts
    _, first_positions, inverse, counts = np.unique(
        x, return_index=True, return_inverse=True, return_counts=True, equal_nan=False
    )
    # Reorders the distinct values by their first position.
    order = np.argsort(first_positions)
    ranks = np.empty(len(order), out_idx)
    ranks[order] = np.arange(len(order))
    return x[first_positions[order]], ranks[inverse.reshape(-1)], counts[order].astype(out_idx)


_unique_operation = operation(
    "unique",
    Form.EXTERN,
    run=_run_unique,
    launches=launches_from("movement.selecting", "distinct_launches"),
    result=_unique_result,
    result_size=ResultSize(
        count=lambda x, out_idx: len(_run_unique(x, out_idx)[0]),
        launches=launches_from("movement.selecting", "distinct_count_launches"),
    ),
)


def _call_unique(name: str, x: Any, out_idx: Any) -> tuple[Tensor, Tensor, Tensor]:
    values = tensor_of(x)
    if values._array.ndim != 1:
        raise InvalidArgumentError(f"{name}: unique expects a 1D vector, got shape {list(values._array.shape)}.")
    check_not_narrow(name, values._array, ALL_DTYPES)
    index_dtype = dtypes.as_dtype(out_idx)
    if index_dtype.numpy not in _INDEX_DTYPES:
        raise dtype_error(f"{name} (out_idx)", index_dtype.numpy, _INDEX_DTYPES)
    distinct, numbers, counts = _unique_operation(values, out_idx=index_dtype.name)
    return with_sample_rows(distinct), numbers, with_sample_rows(counts)


def unique(x: Any, out_idx: Any = dtypes.int32, name: str | None = None) -> Unique:
    """The distinct elements of a vector, in order of their first positions.

    Args:
        x: a vector of any dtype; each NaN counts as a distinct element.
        out_idx: int32 or int64, the dtype of ``idx``.
        name: kept for TensorFlow's signature.

    Returns:
        ``(y, idx)`` with ``x[i] == y[idx[i]]``.

    Raises:
        InvalidArgumentError: ``x`` has another rank, or ``out_idx`` is another dtype.
    """
    return Unique(*_call_unique("unique", x, out_idx)[:2])


def unique_with_counts(x: Any, out_idx: Any = dtypes.int32, name: str | None = None) -> UniqueWithCounts:
    """The result of ``unique``, with the number of occurrences of each element.

    Args:
        x: a vector of any dtype; each NaN counts as a distinct element.
        out_idx: int32 or int64, the dtype of ``idx`` and ``count``.
        name: kept for TensorFlow's signature.

    Returns:
        ``(y, idx, count)``.

    Raises:
        InvalidArgumentError: ``x`` has another rank, or ``out_idx`` is another dtype.
    """
    return UniqueWithCounts(*_call_unique("unique_with_counts", x, out_idx))


# ---- searchsorted and permutations -------------------------------------------------------------------


def _searchsorted_result(sequence: Any, values: Any, right: bool, out_type: str) -> ArraySpec:
    return ArraySpec(values.shape, np.dtype(out_type))


_searchsorted_launches = launches_from("movement.ordering", "searchsorted_launches")
LEAST_ASCENDING_VALUES = 1 << 10
"""The number of values from which ``searchsorted`` looks whether they ascend."""
_search_rows = make_kernel_run(_searchsorted_launches, _searchsorted_result)


def _run_searchsorted(sequence: np.ndarray, values: np.ndarray, right: bool, out_type: str) -> np.ndarray:
    if sequence.ndim > 1:
        return _search_rows(sequence, values, right=right, out_type=out_type)
    sequence, values = _halves_as_float32(sequence), _halves_as_float32(values)
    positions = _search_ascending(sequence, values, right) if values.size > LEAST_ASCENDING_VALUES else None
    if positions is None:
        positions = sequence.searchsorted(values, "right" if right else "left")
    return positions.astype(out_type, copy=False)


def _search_ascending(sequence: np.ndarray, values: np.ndarray, right: bool) -> np.ndarray | None:
    """Returns the positions in ``sequence`` of more values, which ascend, such as the row numbers of ragged tensors; else None.

    Searches the sequence in the values, and counts.
    """
    if values.ndim != 1 or len(sequence) > values.size // 4 or not (values[1:] >= values[:-1]).all():
        return None
    changes = values.searchsorted(sequence, "left" if right else "right")
    counts = np.diff(changes, prepend=0, append=values.size)
    return None if counts.min() < 0 else np.arange(len(sequence) + 1).repeat(counts)


def _batched_searchsorted(name: str, rows: int, /, sequence: BatchArg, values: BatchArg, **attributes: Any) -> Any:
    if sequence.rank == 1 and not sequence.has_rows:
        return call_operation(name, sequence.tensor, values.tensor, **attributes)
    if sequence.rank != values.rank:
        raise NotBatched
    return leading_axes_rule(name, rows, sequence, values, **attributes)


_searchsorted_operation = operation(
    "searchsorted",
    Form.EXTERN,
    run=_run_searchsorted,
    launches=_searchsorted_launches,
    batched=_batched_searchsorted,
    result=_searchsorted_result,
)


def searchsorted(
    sorted_sequence: Any, values: Any, side: str = "left", out_type: Any = dtypes.int32, name: str | None = None
) -> Tensor:
    """The positions at which to insert ``values`` into a sorted sequence so that it stays sorted.

    Args:
        sorted_sequence: real numbers, shape (..., n), ascending along the last axis.
        values: a tensor of the same dtype, shape (..., m), with the same leading dimensions.
        side: ``"left"`` inserts before equal elements, ``"right"`` after them.
        out_type: int32 or int64.
        name: kept for TensorFlow's signature.

    Returns:
        The shape of ``values``: numbers in ``[0, n]``.

    Raises:
        ValueError: ``side`` is unknown.
        InvalidArgumentError: an argument is a scalar, or dtypes or leading dimensions differ.
    """
    if side not in {"left", "right"}:
        raise ValueError(f"searchsorted: `side` must be either 'right' or 'left'. Received: `side` = '{side}'.")
    x, queries = tensor_of(sorted_sequence), tensor_of(values)
    if x._array.dtype != queries._array.dtype:
        raise mixed_dtypes_error("searchsorted", x._array.dtype, queries._array.dtype)
    check_dtype("searchsorted", x._array.dtype, REAL_DTYPES)
    shape, query_shape = x._array.shape, queries._array.shape
    if not shape or not query_shape or shape[:-1] != query_shape[:-1]:
        refuse("searchsorted", "axes but the last must be equal", InvalidArgumentError, shapes=(shape, query_shape))
    result_dtype = dtypes.as_dtype(out_type)
    check_dtype("searchsorted (out_type)", result_dtype.numpy, _INDEX_DTYPES)
    return _searchsorted_operation(x, queries, right=side == "right", out_type=result_dtype.name)


def _check_permutation(x: np.ndarray) -> None:
    """Raises InvalidArgumentError unless each number below the length of ``x`` is in ``x`` once."""
    invalid = x[(x < 0) | (x >= len(x))]
    if len(invalid):
        raise InvalidArgumentError(f"invert_permutation: {invalid[0]} is not between 0 and {len(x)}.")
    counts = np.bincount(x, minlength=len(x))
    if len(x) and counts.max() > 1:
        raise InvalidArgumentError(f"invert_permutation: {counts.argmax()} is duplicated in the input.")


_invert_permutation_operation = kernel_operation(
    "invert_permutation",
    Form.EXTERN,
    raise_error=_check_permutation,
    launches=launches_from("movement.ordering", "invert_permutation_launches"),
    result=same_as_first,
)


def invert_permutation(x: Any, name: str | None = None) -> Tensor:
    """The inverse ``y`` of a permutation: ``y[x[i]] == i``.

    Args:
        x: int32 or int64, shape (n,): each of the numbers below n once.
        name: kept for TensorFlow's signature.

    Raises:
        InvalidArgumentError: ``x`` is no permutation.
    """
    permutation = tensor_of(x)
    array = permutation._on_host()
    check_dtype("invert_permutation", array.dtype, _INDEX_DTYPES)
    if array.ndim != 1:
        raise InvalidArgumentError(f"invert_permutation expects a 1D vector, got shape {list(array.shape)}.")
    return _invert_permutation_operation(permutation)
