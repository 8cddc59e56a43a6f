"""Reads at positions given by a tensor: gather, gather_nd, embedding_lookup, unravel_index.

One file, because all of them share the checks of positions and the rows of gather and scatter.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.argument_checks import refuse
from fastgrad._src.core.composite import Composite, CompositeOperand
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.indexed_slices import IndexedSlices
from fastgrad._src.core.operand_errors import dtype_error
from fastgrad._src.core.operation import TABLE, Form, Operation, operation
from fastgrad._src.core.placement import move_to_device
from fastgrad._src.core.result_rules import ArraySpec, require_fitting_shapes
from fastgrad._src.core.tensor import Tensor, constant_tensor, convert_like
from fastgrad._src.kernels.movement import embedding as kernels
from fastgrad._src.ops.arguments import as_python_int, as_python_ints, nonnegative_axis, tensor_of
from fastgrad._src.ops.batching import BatchArg, broadcast_rows, call_operation, move_rows_to_front
from fastgrad._src.ops.kernel_launches import (
    KERNEL_FLOATS,
    LEAST_MOVED_ELEMENTS,
    kernel_operation,
    launches_from,
    make_kernel_run,
)
from fastgrad._src.ops.segments import KERNEL_INDEX_DTYPES, add_rows

_INDEX_DTYPES = frozenset(d.numpy for d in (dtypes.int16, dtypes.int32, dtypes.int64))
_UNSIGNED_DTYPE_OF = {np.dtype(f"int{bits}"): np.dtype(f"uint{bits}") for bits in (8, 16, 32, 64)}


def check_index_dtype(name: str, ids: np.ndarray) -> None:
    """Raises InvalidArgumentError unless the dtype of ``ids`` is int16, int32 or int64."""
    if ids.dtype not in _INDEX_DTYPES:
        raise dtype_error(f"{name} (indices)", ids.dtype, _INDEX_DTYPES)


def check_indices(name: str, ids: np.ndarray, size: int) -> None:
    """Raises InvalidArgumentError if an index is not in ``[0, size)``; the message names the first such index."""
    ids = move_to_device(ids, None)
    # Read as unsigned, negative numbers are too large as well, so one comparison finds both errors.
    if ids.size and int(np.maximum.reduce(ids.view(_UNSIGNED_DTYPE_OF[ids.dtype]), axis=None)) >= size:
        position = tuple(np.argwhere((ids < 0) | (ids >= size))[0].tolist())
        raise InvalidArgumentError(
            f"{name}: indices[{','.join(map(str, position))}] = {ids[position]} is not in [0, {size})."
        )


# ---- gather ----------------------------------------------------------------------------------------


def _gather_result(x: Any, ids: Any, axis: int, batch_dims: int) -> ArraySpec:
    require_fitting_shapes(0 <= batch_dims <= axis < len(x.shape) and x.shape[:batch_dims] == ids.shape[:batch_dims])
    return ArraySpec((*x.shape[:axis], *ids.shape[batch_dims:], *x.shape[axis + 1 :]), x.dtype)


_gather_launches = launches_from("movement.gathering", "gather_launches")
_gather_by_launches = make_kernel_run(
    _gather_launches,
    _gather_result,
    raise_error=lambda x, ids, axis, batch_dims: check_indices("gather", ids, x.shape[axis]),
    moves_elements=True,
)


def _run_gather(x: np.ndarray, ids: np.ndarray, axis: int, batch_dims: int) -> np.ndarray:
    if not axis and not batch_dims and x.dtype in KERNEL_FLOATS and ids.dtype in KERNEL_INDEX_DTYPES:
        size, *row = x.shape
        x, ids = np.ascontiguousarray(x), np.ascontiguousarray(ids).reshape(ids.shape)
        if ids.size * math.prod(row) >= LEAST_MOVED_ELEMENTS:
            return _gather_by_launches(x, ids, axis=axis, batch_dims=batch_dims)
        rows = np.empty((*ids.shape, *row), x.dtype)
        if kernels.gather_rows[x.dtype, ids.dtype](x, ids, rows, ids.size, math.prod(row), size) < 0:
            return rows
    if batch_dims:
        return _gather_by_launches(x, ids, axis=axis, batch_dims=batch_dims)
    check_indices("gather", ids, x.shape[axis])
    return x.take(ids, axis)


def _batch_positions(batch_shape: tuple[int, ...], rank: int) -> list[np.ndarray]:
    """The positions along each batch dimension, in shapes that broadcast to ``rank`` dimensions."""
    return [
        np.arange(size).reshape((1,) * dimension + (size,) + (1,) * (rank - dimension - 1))
        for dimension, size in enumerate(batch_shape)
    ]


def _run_gather_gradient(
    g: np.ndarray, ids: np.ndarray, shape: tuple[int, ...], axis: int, batch_dims: int
) -> np.ndarray:
    """Zeros of ``shape`` with ``g`` added at the positions that ``_run_gather`` reads."""
    batch, size = shape[:batch_dims], shape[axis]
    middle, last = shape[batch_dims:axis], shape[axis + 1 :]
    # g has dimensions (batch, middle, ids, last); the rows to add need (batch, ids, middle, last).
    rows = np.moveaxis(g, range(axis, axis + ids.ndim - batch_dims), range(batch_dims, ids.ndim))
    rows = rows.reshape(ids.size, *middle, *last)
    numbers = ids.astype(np.int64)
    if batch_dims:
        outer = np.arange(int(np.prod(batch))).reshape(batch + (1,) * (ids.ndim - batch_dims))
        numbers += outer * size
    count = int(np.prod(batch)) * size
    out = add_rows((count, *middle, *last), numbers.reshape(-1), rows)
    return np.asarray(np.moveaxis(out.reshape(*batch, size, *middle, *last), batch_dims, axis), order="C")


def _gather_cotangent(g: Tensor, y: Tensor, x: Tensor, ids: Tensor, axis: int, batch_dims: int) -> Any:
    shape = x._array.shape
    if axis or batch_dims:
        return _gather_gradient(g, ids, shape=shape, axis=axis, batch_dims=batch_dims)
    return _indexed_slices_cotangent(g, ids, shape)


def _indexed_slices_cotangent(g: Tensor, ids: Tensor, shape: tuple[int, ...]) -> IndexedSlices:
    """The cotangent of a tensor of ``shape`` after a read of its rows ``ids``, as IndexedSlices."""
    reshape, count = TABLE["reshape"], ids._array.size
    if ids._array.ndim != 1:
        ids, g = reshape(ids, shape=(count,)), reshape(g, shape=(count, *shape[1:]))
    return IndexedSlices(g, ids, constant_tensor(np.array(shape, np.int32 if max(shape) < 2**31 else np.int64)))


def with_row_numbers(ids: BatchArg, rows: int) -> Tensor:
    """Positions in a tensor with a leading axis of rows: puts the row number before each position in ``ids``."""
    array = broadcast_rows(ids, rows)
    shape = (*array._array.shape[:-1], 1)
    numbers = np.arange(rows, dtype=array._array.dtype).reshape(rows, *[1] * (len(shape) - 1))
    row_number_column = call_operation("broadcast_to", constant_tensor(numbers), shape=shape)
    return call_operation("concat", row_number_column, array, axis=len(shape) - 1)


def _batching_rule_of_gather(name: str, rows: int, /, x: BatchArg, ids: BatchArg, axis: int, batch_dims: int) -> Any:
    if not batch_dims and not ids.has_rows:
        return call_operation(name, x.tensor, ids.tensor, axis=axis + 1, batch_dims=0)
    if not batch_dims and not x.has_rows:
        return move_rows_to_front(call_operation(name, x.tensor, ids.tensor, axis=axis, batch_dims=0), axis)
    return call_operation(
        name, broadcast_rows(x, rows), broadcast_rows(ids, rows), axis=axis + 1, batch_dims=batch_dims + 1
    )


def _batching_rule_of_gather_gradient(
    name: str, rows: int, /, g: BatchArg, ids: BatchArg, shape: tuple[int, ...], axis: int, batch_dims: int
) -> Any:
    operands = broadcast_rows(g, rows), broadcast_rows(ids, rows)
    return call_operation(name, *operands, shape=(rows, *shape), axis=axis + 1, batch_dims=batch_dims + 1)


def _batched_gather_nd(name: str, rows: int, /, x: BatchArg, ids: BatchArg, **attributes: Any) -> Any:
    if not x.has_rows:
        return call_operation(name, x.tensor, ids.tensor, **attributes)
    return call_operation(name, x.tensor, with_row_numbers(ids, rows), **attributes)


def _batched_scatter_nd(
    name: str, rows: int, /, ids: BatchArg, updates: BatchArg, shape: tuple[int, ...], **attributes: Any
) -> Any:
    operands = with_row_numbers(ids, rows), broadcast_rows(updates, rows)
    return call_operation(name, *operands, shape=(rows, *shape), **attributes)


_gather_operation: Operation = operation(
    "gather",
    Form.GATHER,
    run=_run_gather,
    gradient=(_gather_cotangent, None),
    launches=_gather_launches,
    batched=_batching_rule_of_gather,
    result=_gather_result,
)
_gather_gradient: Operation = operation(
    "gather_gradient",
    Form.SCATTER,
    run=_run_gather_gradient,
    gradient=(
        lambda gg, y, g, ids, shape, axis, batch_dims: _gather_operation(gg, ids, axis=axis, batch_dims=batch_dims),
        None,
    ),
    launches=launches_from("movement.scattering", "gather_gradient_launches"),
    batched=_batching_rule_of_gather_gradient,
    result=lambda g, ids, shape, axis, batch_dims: ArraySpec(shape, g.dtype),
)


def gather(
    params: Any,
    indices: Any,
    validate_indices: Any = None,
    axis: Any = None,
    batch_dims: int | None = 0,
    name: str | None = None,
) -> Tensor:
    """The slices of ``params`` at ``indices`` along an axis.

    Args:
        params: any tensor of rank 1 or more.
        indices: int32 or int64, any shape.
        validate_indices: kept for TensorFlow's signature; indices are always checked.
        axis: the axis of the slices; default ``batch_dims``.
        batch_dims: the number of leading dimensions that ``params`` and ``indices`` share; slices come from the same
            batch element. A negative number counts from the rank of ``indices``; None is 0.
        name: kept for TensorFlow's signature.

    Returns:
        Shape ``params.shape[:axis] + indices.shape[batch_dims:] + params.shape[axis + 1:]``. The gradient with
        respect to ``params`` is an ``IndexedSlices`` if ``axis`` is 0.

    Raises:
        InvalidArgumentError: an index is negative or too large, batch dimensions differ, or ``axis`` is out of range.
        ValueError: ``batch_dims`` is not less than the rank of ``indices`` plus one.

    Example:
        >>> tf.gather([[1, 2], [3, 4], [5, 6]], [2, 0])
        <tf.Tensor: shape=(2, 2), dtype=int32, numpy=
        array([[5, 6],
               [1, 2]], dtype=int32)>
    """
    try:
        x = params if type(params) is Tensor else tensor_of(params)
        ids = indices if type(indices) is Tensor else tensor_of(indices)
    except CompositeOperand as met:
        return met.call("gather", params, indices, axis, batch_dims)
    shape = x._array.shape
    rank = len(shape)
    if not rank:
        raise InvalidArgumentError("gather: params must be at least 1 dimensional, got a scalar.")
    axis = (
        0 if axis is None and not batch_dims else nonnegative_axis(batch_dims if axis is None else axis, rank, "gather")
    )
    batch_dims = (
        _checked_batch_dims("gather", as_python_int(batch_dims, "gather: batch_dims"), ids, rank) if batch_dims else 0
    )
    if axis < batch_dims:
        raise InvalidArgumentError(f"gather: batch_dims ({batch_dims}) must be less than or equal to axis ({axis}).")
    if batch_dims and ids._array.shape[:batch_dims] != shape[:batch_dims]:
        raise InvalidArgumentError(
            f"gather: the first {batch_dims} dimensions (batch_dims) of params, shape {list(shape)}, "
            f"should be equal to those of indices, shape {list(ids._array.shape)}."
        )
    check_index_dtype("gather", ids._array)
    return _gather_operation(x, ids, axis=axis, batch_dims=batch_dims)


def _checked_batch_dims(name: str, batch_dims: int, ids: Tensor, rank: int) -> int:
    ids_rank = ids._array.ndim
    number = batch_dims + ids_rank if batch_dims < 0 else batch_dims
    if not 0 <= number <= ids_rank or number >= rank:
        refuse(name, f"batch_dims = {batch_dims} must be within the ranks {ids_rank}, {rank - 1}", InvalidArgumentError)
    return number


def embedding_lookup(params: Any, ids: Any, max_norm: Any = None, name: str | None = None) -> Any:
    """The rows of an embedding table at ``ids``.

    Args:
        params: the table, shape (rows, ...), a tensor or variable; or a list of tables, which are concatenated.
        ids: int32 or int64, any shape; ragged ids give ragged rows.
        max_norm: the largest Euclidean norm of a row; rows with a larger norm are scaled down.
        name: kept for TensorFlow's signature.

    Returns:
        Shape ``ids.shape + params.shape[1:]``.

    Raises:
        ValueError: the list of tables is empty, or ragged ids are not integers.
        InvalidArgumentError: an id is negative or too large.
    """
    if isinstance(ids, Composite):
        if ids.is_rectangular:
            raise CompositeOperand(ids)
        if not ids.flat_values.dtype.is_integer:
            raise ValueError(f"embedding_lookup: the values of ids must be integers, got {ids.flat_values.dtype.name}.")
        return ids._with_flat_values(embedding_lookup(params, ids.flat_values, max_norm))
    if isinstance(params, (list, tuple)):
        if not params:
            raise ValueError("embedding_lookup: Length of params is currently 0. Need at least one param.")
        from fastgrad._src.ops.joining import concat

        params = concat(params, 0)
    rows = gather(params, ids)
    if max_norm is None:
        return rows
    first_row_axis = rows._array.ndim - tensor_of(params)._array.ndim + 1
    axes = tuple(range(first_row_axis, rows._array.ndim))
    limit = convert_like(max_norm, rows._array.dtype)
    norm = TABLE["sqrt"](TABLE["reduce_sum"](rows * rows, axes=axes, keepdims=True))
    # Only rows with a large norm are divided, so a row of zeros causes no division by 0.
    where, large = TABLE["where"], TABLE["greater"](norm, limit)
    return where(large, rows * (limit / where(large, norm, limit)), rows)


# ---- gather_nd -------------------------------------------------------------------------------------


def row_numbers(positions: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Returns the positions in the first dimensions of ``shape`` as row numbers; -1 for a position outside."""
    depth = positions.shape[-1]
    numbers = np.zeros(positions.shape[:-1], np.int64)
    outside = np.zeros(positions.shape[:-1], bool)
    for axis in range(depth):
        column, size = positions[..., axis], shape[axis]
        numbers = numbers * size + column
        outside |= (column < 0) | (column >= size)
    return np.where(outside, -1, numbers)


def checked_row_numbers(name: str, positions: np.ndarray, shape: tuple[int, ...], strict: bool) -> np.ndarray:
    """``row_numbers``; if ``strict``, raises InvalidArgumentError for positions outside ``shape``."""
    numbers = row_numbers(positions, shape)
    if strict and numbers.size and np.minimum.reduce(numbers, axis=None) < 0:
        position = tuple(np.argwhere(numbers < 0)[0].tolist())
        raise InvalidArgumentError(
            f"{name}: indices[{','.join(map(str, position))}] = {positions[position].tolist()} does not index into "
            f"shape {list(shape)}."
        )
    return numbers


_gather_nd_operation: Operation = kernel_operation(
    "gather_nd",
    Form.GATHER,
    moves_elements=True,
    raise_error=lambda x, ids, strict: checked_row_numbers("gather_nd", ids, x.shape, strict),
    gradient=(lambda g, y, x, ids, strict: _gather_nd_gradient(g, x, ids), None),
    launches=launches_from("movement.gathering", "gather_nd_launches"),
    batched=_batched_gather_nd,
    result=lambda x, ids, strict: ArraySpec((*ids.shape[:-1], *x.shape[ids.shape[-1] :]), x.dtype),
)


def gather_nd_or_zeros(x: Tensor, ids: Tensor) -> Tensor:
    """The slices of ``x`` at positions ``ids``; zeros for positions outside."""
    return _gather_nd_operation(x, ids, strict=False)


def _gather_nd_gradient(g: Tensor, x: Tensor, ids: Tensor) -> Any:
    if ids._array.shape[-1] == 1:
        return _indexed_slices_cotangent(g, ids, x._array.shape)
    return scatter_nd_operation(ids, g, shape=x._array.shape, strict=False)


def _run_scatter_nd(ids: np.ndarray, updates: np.ndarray, shape: tuple[int, ...], strict: bool) -> np.ndarray:
    depth = ids.shape[-1]
    numbers = checked_row_numbers("scatter_nd", ids, shape, strict)
    rows = updates.reshape(numbers.size, *shape[depth:])
    return add_rows((int(np.prod(shape[:depth])), *shape[depth:]), numbers.reshape(-1), rows).reshape(shape)


scatter_nd_operation: Operation = operation(
    "scatter_nd",
    Form.SCATTER,
    run=_run_scatter_nd,
    gradient=(None, lambda g, y, ids, updates, shape, strict: gather_nd_or_zeros(g, ids)),
    launches=launches_from("movement.scattering", "scatter_nd_launches"),
    batched=_batched_scatter_nd,
    result=lambda ids, updates, shape, strict: ArraySpec(shape, updates.dtype),
)


def check_positions(name: str, positions: np.ndarray, shape: tuple[int, ...]) -> None:
    """Checks positions in a tensor of ``shape``.

    Raises:
        InvalidArgumentError: ``positions`` are not integers, have more numbers than ``shape`` has dimensions, or lie outside.
    """
    check_position_form(name, positions, shape)
    checked_row_numbers(name, positions, shape, True)


def check_position_form(name: str, positions: np.ndarray, shape: tuple[int, ...], policy: str = "") -> bool:
    """Checks the dtype and the shape of positions in a tensor of ``shape``, and the policy for positions outside.

    Returns:
        True if positions outside ``shape`` are errors, that is, unless the policy is ``"IGNORE"``.

    Raises:
        InvalidArgumentError: ``positions`` are not integers, have more numbers than ``shape`` has dimensions, or ``policy`` is
            unknown.
    """
    check_index_dtype(name, positions)
    if policy not in {"", "DEFAULT", "ERROR", "IGNORE"}:
        raise InvalidArgumentError(f"{name}: Unknown bad indices handling attribute: {policy}; use ERROR or IGNORE.")
    if not positions.ndim:
        raise InvalidArgumentError(f"{name}: indices must be at least a vector, got a scalar.")
    if positions.shape[-1] > len(shape):
        raise InvalidArgumentError(
            f"{name}: index innermost dimension length must be <= rank of the tensor; saw: {positions.shape[-1]} vs. {len(shape)} "
            f"(indices of shape {list(positions.shape)} into shape {list(shape)})."
        )
    return policy != "IGNORE"


def gather_nd(
    params: Any, indices: Any, batch_dims: int = 0, name: str | None = None, bad_indices_policy: str = ""
) -> Any:
    """The slices of ``params`` at positions in its first dimensions.

    Args:
        params: any tensor.
        indices: int32 or int64, shape (..., k): vectors of k numbers, one for each of the first dimensions of ``params``.
        batch_dims: the number of leading dimensions that ``params`` and ``indices`` share.
        name: kept for TensorFlow's signature.
        bad_indices_policy: ``"IGNORE"`` gives zeros for positions outside ``params``; otherwise they are errors.

    Returns:
        Shape ``indices.shape[:-1] + params.shape[batch_dims + k:]``.

    Raises:
        InvalidArgumentError: a position is outside ``params``, ``params`` is empty, or k is larger than its rank.
        ValueError: ``batch_dims`` is not less than the ranks.

    Example:
        >>> tf.gather_nd([[1, 2], [3, 4]], [[0, 1], [1, 0]])
        <tf.Tensor: shape=(2,), dtype=int32, numpy=array([2, 3], dtype=int32)>
    """
    try:
        x, ids = tensor_of(params), tensor_of(indices)
    except CompositeOperand as met:
        return met.call("gather_nd", params, indices, batch_dims)
    if batch_dims:
        for argument, rank in (("indices", ids._array.ndim), ("params", x._array.ndim)):
            if not 0 <= batch_dims < rank:
                raise ValueError(f"gather_nd: {batch_dims=} must be less than rank(`{argument}`) = {rank}")
        shape = ids._array.shape
        if shape[:batch_dims] != x._array.shape[:batch_dims]:
            raise InvalidArgumentError(
                f"gather_nd: the first {batch_dims} dimensions (batch_dims) of params, shape {list(x._array.shape)}, "
                f"should be equal to those of indices, shape {list(shape)}."
            )
        grid = np.broadcast_arrays(*_batch_positions(shape[:batch_dims], len(shape) - 1), np.empty(shape[:-1]))[:-1]
        batch = constant_tensor(np.stack(grid, -1).astype(ids._array.dtype))
        ids = TABLE["concat"](batch, ids, axis=len(shape) - 1)
    strict = check_position_form("gather_nd", ids._array, x._array.shape, bad_indices_policy)
    if ids._array.size and not x._array.size:
        raise InvalidArgumentError(f"gather_nd: Requested more than 0 entries, but params is empty: {x.shape}.")
    return _gather_nd_operation(x, ids, strict=strict)


# ---- unravel_index ---------------------------------------------------------------------------------


def _check_element_numbers(ids: np.ndarray, dims: tuple[int, ...]) -> None:
    check_indices("unravel_index", ids, math.prod(dims))
    np.unravel_index(ids, dims)  # raises ValueError if there are no dimensions


_unravel_index_operation = kernel_operation(
    "unravel_index",
    Form.EXTERN,
    raise_error=_check_element_numbers,
    launches=launches_from("movement.numbering", "unravel_index_launches"),
    batched=lambda name, rows, ids, **attributes: move_rows_to_front(call_operation(name, ids.tensor, **attributes), 1),
    result=lambda ids, dims: ArraySpec((len(dims), *ids.shape), ids.dtype),
)


def unravel_index(indices: Any, dims: Any, name: str | None = None) -> Tensor:
    """Converts row-major element numbers to positions in a tensor of shape ``dims``.

    Args:
        indices: int32 or int64, a scalar or vector.
        dims: a shape of n dimensions.
        name: kept for TensorFlow's signature.

    Returns:
        Shape ``[n] + indices.shape``.

    Raises:
        InvalidArgumentError: an index is out of range, a dimension is 0, or ``indices`` has another rank or dtype.
    """
    ids = tensor_of(indices)
    shape = as_python_ints(dims, "unravel_index: dims")
    check_index_dtype("unravel_index", ids._array)
    if ids._array.ndim > 1:
        raise InvalidArgumentError(f"unravel_index: The indices can only be scalar or vector, got {ids.shape}.")
    if min(shape, default=1) < 1:
        raise InvalidArgumentError(f"unravel_index: dims must be positive, got {list(shape)}.")
    return _unravel_index_operation(ids, dims=shape)
