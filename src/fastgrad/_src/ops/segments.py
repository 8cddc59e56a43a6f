"""Reductions of rows with equal ids: ``segment_sum`` and others, for sorted and unsorted ids."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from fastgrad._src.core.argument_checks import refuse
from fastgrad._src.core.composite import Composite, CompositeOperand
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.operand_errors import dtype_error
from fastgrad._src.core.operation import (
    HALF_DTYPES,
    INTEGER_DTYPES,
    NUMERIC_DTYPES,
    REAL_DTYPES,
    TABLE,
    Form,
    Operation,
    operation,
)
from fastgrad._src.core.recording import recorders
from fastgrad._src.core.result_rules import ArraySpec
from fastgrad._src.core.tensor import Tensor, constant_tensor
from fastgrad._src.kernels.movement import embedding as kernels
from fastgrad._src.ops.arguments import as_python_int, tensor_of
from fastgrad._src.ops.arithmetic import conjugate
from fastgrad._src.ops.assertion import assert_less_equal, assert_non_negative
from fastgrad._src.ops.batching import BatchArg, NotBatched, call_operation, move_rows_to_front
from fastgrad._src.ops.kernel_launches import KERNEL_FLOATS, launches_from

KERNEL_INDEX_DTYPES = frozenset([np.dtype(np.int32), np.dtype(np.int64)])
LEAST_IDS_FOR_KERNEL = 1 << 10
"""The number of ids from which a radix sort by a kernel is faster than NumPy's sort."""

# ---- on arrays -------------------------------------------------------------------------------------


def reduce_rows(ufunc: Any, out: np.ndarray, ids: np.ndarray, rows: np.ndarray, into: Any = None) -> np.ndarray:
    """Reduces the rows of each id by ``ufunc``, in order, into the row of ``out`` with that id.

    Args:
        ufunc: add, multiply, maximum or minimum.
        out: shape (n, ...), changed in place.
        ids: integers below n, shape (m,); rows with a negative id are dropped.
        rows: shape (m, ...).
        into: the ufunc that combines the row of ``out`` with the reduced row; None overwrites the row of ``out``.

    Returns:
        ``out``.
    """
    if ids.size and np.minimum.reduce(ids) < 0:
        in_range = ids >= 0
        ids, rows = ids[in_range], rows[in_range]
    if not rows.size:
        return out
    if ids.size > 1:
        if not (ids[1:] >= ids[:-1]).all():
            order = _stable_order(ids, len(out))
            ids, rows = ids.take(order), rows.take(order, 0)
        is_first = np.empty(ids.size, bool)
        is_first[0] = True
        np.not_equal(ids[1:], ids[:-1], out=is_first[1:])
        if not is_first.all():
            starts = is_first.nonzero()[0]
            wide = rows.astype(np.float32) if rows.dtype in HALF_DTYPES else rows  # rounds sums and products once
            ids, rows = ids[starts], ufunc.reduceat(wide, starts, axis=0)
    out[ids] = rows if into is None else into(out[ids], rows)
    return out


def _stable_order(ids: np.ndarray, count: int) -> np.ndarray:
    """Returns a stable argsort of ids in [0, ``count``)."""
    if ids.size < LEAST_IDS_FOR_KERNEL or ids.dtype not in KERNEL_INDEX_DTYPES:
        return ids.argsort(kind="stable")
    order, scratch = np.empty((2, ids.size), np.int64)
    kernels.order_ids[ids.dtype](np.ascontiguousarray(ids), order, scratch, ids.size, count)
    return order


def add_rows_into(out: np.ndarray, ids: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Adds ``rows`` to the rows of ``out`` (C-contiguous, changed in place) at ``ids``; skips negative ids.

    Scalars are added pairwise, which rounds less; longer rows are added in sequence.
    """
    if rows.ndim > 1 and rows.dtype in KERNEL_FLOATS and ids.dtype in KERNEL_INDEX_DTYPES:
        rows, ids = np.ascontiguousarray(rows), np.ascontiguousarray(ids)
        width = math.prod(rows.shape[1:])
        if kernels.add_rows[rows.dtype, ids.dtype](out, ids, rows, len(ids), width, len(out)) < 0:
            return out
    return reduce_rows(np.add, out, ids, rows, into=np.add)


def add_rows(out_shape: tuple[int, ...], ids: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Zeros of ``out_shape`` with ``rows`` added at ``ids``; sums of half-width floats are float32, rounded once."""
    dtype = rows.dtype
    if dtype.itemsize == 2 and dtype.kind in "fV":
        rows = rows.astype(np.float32)
    if dtype.kind == "b":
        return reduce_rows(np.logical_or, np.zeros(out_shape, bool), ids, rows)
    if dtype.kind == "O":
        return reduce_rows(np.add, np.full(out_shape, b"", object), ids, rows)
    out = add_rows_into(np.zeros(out_shape, rows.dtype), ids, rows)
    return out if out.dtype == dtype else out.astype(dtype)


def take_rows(x: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """The row of ``x`` for each id, zeros for negative ids; all ids must be below ``len(x)``."""
    if not ids.size or np.minimum.reduce(ids, axis=None) >= 0:
        return x.take(ids, 0)
    in_range = ids >= 0
    rows = np.zeros((*ids.shape, *x.shape[1:]), x.dtype)
    rows[in_range] = x[ids[in_range]]
    return rows


def _checked_rows(data: np.ndarray, ids: np.ndarray, count: int, name: str) -> tuple[np.ndarray, np.ndarray]:
    """The ids as a vector, and their rows; raises InvalidArgumentError unless all ids are below ``count``."""
    if ids.size and np.maximum.reduce(ids, axis=None) >= count:
        position = tuple(np.argwhere(ids >= count)[0].tolist())
        raise InvalidArgumentError(
            f"{name}: segment_ids{list(position)} = {ids[position]} is out of range [0, {count})."
        )
    return ids.reshape(-1), data.reshape(ids.size, *data.shape[ids.ndim :])


def _segment_result(data: Any, ids: Any, num_segments: int, **attributes: Any) -> ArraySpec:
    return ArraySpec((num_segments, *data.shape[len(ids.shape) :]), data.dtype)


def _run_segment_sum(data: np.ndarray, ids: np.ndarray, num_segments: int) -> np.ndarray:
    shape = num_segments, *data.shape[ids.ndim :]
    return add_rows(shape, *_checked_rows(data, ids, num_segments, "unsorted_segment_sum"))


def _run_segment_prod(data: np.ndarray, ids: np.ndarray, num_segments: int) -> np.ndarray:
    out = np.ones((num_segments, *data.shape[ids.ndim :]), data.dtype)
    return reduce_rows(np.multiply, out, *_checked_rows(data, ids, num_segments, "unsorted_segment_prod"))


def _make_extreme_run(name: str, ufunc: Any) -> Any:
    def segment_extremes(data: np.ndarray, ids: np.ndarray, num_segments: int, empty: float) -> np.ndarray:
        out = np.full((num_segments, *data.shape[ids.ndim :]), empty, data.dtype)
        return reduce_rows(ufunc, out, *_checked_rows(data, ids, num_segments, name))

    return segment_extremes


# ---- rows of the table -----------------------------------------------------------------------------


def _batched_segments(name: str, rows: int, /, data: BatchArg, ids: BatchArg, **attributes: Any) -> Any:
    if ids.has_rows:
        raise NotBatched
    rows_axis = data.rank  # moves the batched rows to the last axis, so that segments are summed once
    result = call_operation(
        name, call_operation("transpose", data.tensor, perm=(*range(1, rows_axis + 1), 0)), ids.tensor, **attributes
    )
    return move_rows_to_front(result, result._array.ndim - 1)


gather_segments: Operation = operation(
    "gather_segments",  # the row of each id, zeros for negative ids
    Form.GATHER,
    run=take_rows,
    gradient=(lambda g, y, x, ids: _unsorted_segment_sum(g, ids, num_segments=len(x._array)), None),
    launches=launches_from("movement.gathering", "gather_segments_launches"),
    batched=_batched_segments,
    result=lambda x, ids: ArraySpec((*ids.shape, *x.shape[1:]), x.dtype),
)


def _segment_operation(
    name: str, run: Callable[..., np.ndarray], gradient: Callable[..., Tensor], dtypes: Any
) -> Operation:
    """Declares a reduction of the rows of each id."""
    return operation(
        name,
        Form.SCATTER,
        run=run,
        gradient=(gradient, None),
        dtypes=dtypes,
        launches=launches_from("movement.scattering", f"{name.removeprefix('unsorted_')}_launches"),
        batched=_batched_segments,
        result=_segment_result,
    )


_unsorted_segment_sum: Operation = _segment_operation(
    "unsorted_segment_sum",
    _run_segment_sum,
    lambda g, y, data, ids, num_segments: gather_segments(g, ids),
    NUMERIC_DTYPES,
)


def _product_gradient(g: Tensor, y: Tensor, data: Tensor, ids: Tensor, num_segments: int) -> Tensor:
    """The cotangent of a product: the product of the other elements, computed without a division by zero."""
    where, equal, greater = TABLE["where"], TABLE["equal"], TABLE["greater"]
    zero, one = _scalar_like(data, 0), _scalar_like(data, 1)
    is_zero = equal(data, zero)
    zeros = _unsorted_segment_sum(TABLE["cast"](is_zero, dtype="int32"), ids, num_segments=num_segments)
    nonzero_products = _unsorted_segment_prod(where(is_zero, one, data), ids, num_segments=num_segments)
    # A segment with one zero has a nonzero derivative only at the zero. With two zeros the derivative at each is the other
    # zero, whose own derivative is nonzero. With more zeros, first and second derivatives are 0.
    values = where(is_zero, data, zero)
    other_zero = gather_segments(_unsorted_segment_sum(values, ids, num_segments=num_segments), ids) - values
    at_zero = gather_segments(where(greater(zeros, _scalar_like(zeros, 2)), zero, g * conjugate(nonzero_products)), ids)
    at_zero = where(
        gather_segments(equal(zeros, _scalar_like(zeros, 1)), ids), at_zero, at_zero * conjugate(other_zero)
    )
    slope = gather_segments(g * conjugate(y), ids) / conjugate(where(is_zero, one, data))
    return where(is_zero, at_zero, slope)


_unsorted_segment_prod = _segment_operation(
    "unsorted_segment_prod", _run_segment_prod, _product_gradient, NUMERIC_DTYPES
)


def _extreme_gradient(g: Tensor, y: Tensor, data: Tensor, ids: Tensor, num_segments: int, empty: float) -> Tensor:
    """The cotangent of the largest or smallest rows: elements that equal the extreme share its cotangent evenly."""
    where = TABLE["where"]
    zero, one = _scalar_like(data, 0), _scalar_like(data, 1)
    is_extreme = TABLE["equal"](data, gather_segments(y, ids))
    count = _unsorted_segment_sum(where(is_extreme, one, zero), ids, num_segments=num_segments)
    share = g / where(TABLE["equal"](count, zero), one, count)
    return where(is_extreme, gather_segments(share, ids), zero)


_unsorted_segment_max, _unsorted_segment_min = [
    _segment_operation(name, _make_extreme_run(name, ufunc), _extreme_gradient, REAL_DTYPES)
    for name, ufunc in (("unsorted_segment_max", np.maximum), ("unsorted_segment_min", np.minimum))
]


def _scalar_like(x: Tensor, value: float) -> Tensor:
    return constant_tensor(np.asarray(value, x._array.dtype))


# ---- unsorted ids ----------------------------------------------------------------------------------


def _call_unsorted(
    operation: Operation, data: Any, segment_ids: Any, num_segments: Any, limit: str | None = None
) -> Any:
    """Calls ``operation``; an id without rows gives ``limit``, "min" or "max" of the dtype, for extremes."""
    try:
        x, ids = tensor_of(data), tensor_of(segment_ids)
        count = (
            num_segments
            if type(num_segments) is int
            else as_python_int(num_segments, f"{operation.name}: num_segments")
        )
    except CompositeOperand as met:
        return met.call(operation.name, data, segment_ids, num_segments)
    shape, ids_shape = x._array.shape, ids._array.shape
    if ids._array.dtype not in INTEGER_DTYPES:
        raise dtype_error(f"{operation.name} (segment_ids)", ids._array.dtype, INTEGER_DTYPES)
    if count < 0:
        raise InvalidArgumentError(f"{operation.name}: Input num_segments == {count} must not be negative.")
    if shape[: len(ids_shape)] != ids_shape:
        refuse(operation.name, f"{shape} of data does not start with segment_ids' {ids_shape}", InvalidArgumentError)
    operation.check_dtype(x._array)
    if limit is None:
        return operation(x, ids, num_segments=count)
    empty = getattr(x.dtype, limit)
    return operation(x, ids, num_segments=count, empty=empty if isinstance(empty, int) else float(empty))


def unsorted_segment_sum(data: Any, segment_ids: Any, num_segments: Any, name: str | None = None) -> Any:
    """The sum of the rows of each id.

    Args:
        data: a numeric tensor whose shape starts with that of ``segment_ids``.
        segment_ids: int32 or int64; rows with a negative id are dropped.
        num_segments: the number of segments, an integer n; ids are below n.
        name: kept for TensorFlow's signature.

    Returns:
        Shape ``(n, *data.shape[rank of segment_ids:])``; zeros for an id without rows.

    Raises:
        InvalidArgumentError: an id is not below n, or shapes do not fit.
    """
    return _call_unsorted(_unsorted_segment_sum, data, segment_ids, num_segments)


def unsorted_segment_prod(data: Any, segment_ids: Any, num_segments: Any, name: str | None = None) -> Any:
    """The product of the rows of each id; 1 for an id without rows.

    Arguments and errors as in ``unsorted_segment_sum``.
    """
    return _call_unsorted(_unsorted_segment_prod, data, segment_ids, num_segments)


def unsorted_segment_max(data: Any, segment_ids: Any, num_segments: Any, name: str | None = None) -> Any:
    """The largest of the rows of each id; the dtype's lowest number for an id without rows.

    Arguments and errors as in ``unsorted_segment_sum``; complex dtypes are errors. Equal extremes share the gradient.
    """
    return _call_unsorted(_unsorted_segment_max, data, segment_ids, num_segments, limit="min")


def unsorted_segment_min(data: Any, segment_ids: Any, num_segments: Any, name: str | None = None) -> Any:
    """The smallest of the rows of each id; the dtype's highest number for an id without rows.

    Arguments and errors as in ``unsorted_segment_sum``; complex dtypes are errors. Equal extremes share the gradient.
    """
    return _call_unsorted(_unsorted_segment_min, data, segment_ids, num_segments, limit="max")


def unsorted_segment_mean(data: Any, segment_ids: Any, num_segments: Any, name: str | None = None) -> Any:
    """The mean of the rows of each id, 0 without rows; float64 for integers.

    Arguments as in ``unsorted_segment_sum``.
    """
    if isinstance(data, Composite):
        return CompositeOperand(data).call("unsorted_segment_mean", data, segment_ids, num_segments)
    total = unsorted_segment_sum(data, segment_ids, num_segments)
    return total / _rows_per_segment(total, segment_ids)


def unsorted_segment_sqrt_n(data: Any, segment_ids: Any, num_segments: Any, name: str | None = None) -> Any:
    """The sum of the rows of each id over the square root of their number. Arguments: see ``unsorted_segment_sum``.

    Raises:
        InvalidArgumentError: as in ``unsorted_segment_sum``, and for integer dtypes.
    """
    if isinstance(data, Composite):
        return CompositeOperand(data).call("unsorted_segment_sqrt_n", data, segment_ids, num_segments)
    total = unsorted_segment_sum(data, segment_ids, num_segments)
    return total / TABLE["sqrt"](_rows_per_segment(total, segment_ids))


def _rows_per_segment(total: Tensor, segment_ids: Any) -> Tensor:
    """The number of rows of each id, at least 1, in a shape that broadcasts with ``total``."""
    ids = tensor_of(segment_ids)
    ones = constant_tensor(np.ones(ids._array.shape, total._array.dtype))
    count = _unsorted_segment_sum(ones, ids, num_segments=len(total._array))
    count = TABLE["where"](TABLE["equal"](count, _scalar_like(count, 0)), _scalar_like(count, 1), count)
    return TABLE["reshape"](count, shape=(len(count._array),) + (1,) * (total._array.ndim - 1))


# ---- sorted ids ------------------------------------------------------------------------------------


def _call_sorted(operation: Operation, data: Any, segment_ids: Any, **attributes: Any) -> Tensor:
    x, ids, count = _checked_sorted_ids(operation.name.removeprefix("unsorted_"), data, segment_ids)
    operation.check_dtype(x._array)
    return operation(x, ids, num_segments=count, **attributes)


def _checked_sorted_ids(name: str, data: Any, segment_ids: Any) -> tuple[Tensor, Tensor, int]:
    x, ids = tensor_of(data), tensor_of(segment_ids)
    array = ids._on_host()
    if array.dtype not in INTEGER_DTYPES:
        raise dtype_error(f"{name} (segment_ids)", array.dtype, INTEGER_DTYPES)
    if array.ndim != 1:
        raise InvalidArgumentError(f"{name}: segment_ids should be a vector, got shape {list(array.shape)}.")
    if not x._array.ndim or len(x._array) != len(array):
        refuse(name, f"needs as many segment_ids as rows, got {len(array)} for {x.shape}", InvalidArgumentError)
    if not len(array):
        return x, ids, 0
    if not (array[1:] >= array[:-1]).all():
        raise InvalidArgumentError(f"{name}: segment ids are not increasing; tf.math.unsorted_{name} takes any order.")
    if array[0] < 0:
        raise InvalidArgumentError(f"{name}: segment_ids[0] = {array[0]} is negative.")
    if recorders.active:
        # The checks above saw only the values of this recording; these assertions check each replay.
        assert_non_negative(ids, message=f"{name}: segment_ids must not be negative.")
        assert_less_equal(ids[:-1], ids[1:], message=f"{name}: segment ids are not increasing.")
    return x, ids, int(ids[-1]) + 1


def segment_sum(data: Any, segment_ids: Any, name: str | None = None) -> Tensor:
    """The sum of the rows of each id.

    Args:
        data: a numeric tensor, shape (m, ...).
        segment_ids: int32 or int64, shape (m,), in non-decreasing order.
        name: kept for TensorFlow's signature.

    Returns:
        Shape (last id + 1, ...); zeros for an id without rows.

    Raises:
        InvalidArgumentError: ids are negative, not sorted, or not one per row.
    """
    return _call_sorted(_unsorted_segment_sum, data, segment_ids)


def segment_prod(data: Any, segment_ids: Any, name: str | None = None) -> Tensor:
    """The product of the rows of each id; 1 for an id without rows. Arguments and errors as in ``segment_sum``."""
    return _call_sorted(_unsorted_segment_prod, data, segment_ids)


def segment_max(data: Any, segment_ids: Any, name: str | None = None) -> Tensor:
    """The largest of the rows of each id; 0 for an id without rows. Arguments and errors as in ``segment_sum``."""
    return _call_sorted(_unsorted_segment_max, data, segment_ids, empty=0)


def segment_min(data: Any, segment_ids: Any, name: str | None = None) -> Tensor:
    """The smallest of the rows of each id; 0 for an id without rows. Arguments and errors as in ``segment_sum``."""
    return _call_sorted(_unsorted_segment_min, data, segment_ids, empty=0)


def segment_mean(data: Any, segment_ids: Any, name: str | None = None) -> Tensor:
    """The mean of the rows of each id, 0 without rows; truncated for integers. Arguments as in ``segment_sum``."""
    x, ids, count = _checked_sorted_ids("segment_mean", data, segment_ids)
    _unsorted_segment_sum.check_dtype(x._array)
    total = _unsorted_segment_sum(x, ids, num_segments=count)
    mean = total / _rows_per_segment(total, ids)
    return mean if mean.dtype is x.dtype else TABLE["cast"](mean, dtype=x.dtype.name)
