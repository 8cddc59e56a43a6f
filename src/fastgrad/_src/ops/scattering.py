"""Writes at positions given by a tensor: scatter_nd, tensor_scatter_nd_*, dynamic_stitch, confusion_matrix."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.argument_checks import check_list, check_shapes, refuse
from fastgrad._src.core.backward import zeros_of
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.operand_errors import mixed_dtypes_error
from fastgrad._src.core.operation import (
    ALL_DTYPES,
    NUMERIC_DTYPES,
    REAL_DTYPES,
    TABLE,
    Form,
    Operation,
    joint,
    operation,
)
from fastgrad._src.core.result_rules import same_as_first
from fastgrad._src.core.tensor import Tensor, as_tensor_or_none, constant_tensor, convert_like
from fastgrad._src.ops.arguments import as_python_int, tensor_of, tensors_of
from fastgrad._src.ops.batching import BatchArg, broadcast_rows, call_operation
from fastgrad._src.ops.casting import cast
from fastgrad._src.ops.creation import dimensions
from fastgrad._src.ops.indexing import (
    check_position_form,
    checked_row_numbers,
    gather_nd_or_zeros,
    scatter_nd_operation,
    with_row_numbers,
)
from fastgrad._src.ops.kernel_launches import launches_from, make_kernel_run
from fastgrad._src.ops.segments import add_rows_into

# ---- rows of the table -----------------------------------------------------------------------------


def _extreme_gradient(
    needs: Any, g: Tensor, y: Tensor, x: Tensor, ids: Tensor, updates: Tensor, strict: bool
) -> tuple[Tensor | None, None, Tensor | None]:
    """The cotangents of ``x`` and ``updates``: the elements that equal an extreme share its cotangent evenly."""
    equal, where = TABLE["equal"], TABLE["where"]
    zero, one = (constant_tensor(np.asarray(number, x._array.dtype)) for number in (0, 1))
    tensor_mask, updates_mask = equal(x, y), equal(updates, gather_nd_or_zeros(y, ids))
    count = _add(where(tensor_mask, one, zeros_of(x)), ids, where(updates_mask, one, zeros_of(updates)), strict=False)
    share = g / where(equal(count, zero), one, count)
    return (
        where(tensor_mask, share, zeros_of(x)) if needs[0] else None,
        None,
        where(updates_mask, gather_nd_or_zeros(share, ids), zeros_of(updates)) if needs[2] else None,
    )


def _batched_scatter(name: str, rows: int, /, x: BatchArg, ids: BatchArg, updates: BatchArg, **attributes: Any) -> Any:
    return call_operation(
        name, broadcast_rows(x, rows), with_row_numbers(ids, rows), broadcast_rows(updates, rows), **attributes
    )


def _scatter_operation(
    kind: str,
    gradient: Any,
    dtypes: frozenset[np.dtype] = ALL_DTYPES,
    run: Callable[..., np.ndarray] | None = None,
    **options: Any,
) -> Operation:
    """Declares a row that combines ``updates`` with a tensor; without ``run``, its kernels run."""
    name = f"tensor_scatter_nd_{kind}"
    launches = launches_from("movement.scattering", f"scatter_{kind}_launches")

    def raise_error(x: np.ndarray, ids: np.ndarray, updates: np.ndarray, strict: bool) -> None:
        checked_row_numbers(name, ids, x.shape, strict)

    return operation(
        name,
        Form.SCATTER,
        partial_update="positions",
        run=run or make_kernel_run(launches, same_as_first, raise_error=raise_error, **options),
        gradient=gradient,
        dtypes=dtypes,
        launches=launches,
        batched=_batched_scatter,
        result=same_as_first,
    )


def _run_add(x: np.ndarray, ids: np.ndarray, updates: np.ndarray, strict: bool) -> np.ndarray:
    depth = ids.shape[-1]
    numbers = checked_row_numbers("tensor_scatter_nd_add", ids, x.shape, strict)
    out = np.array(x, order="C")
    rows = updates.reshape(numbers.size, *x.shape[depth:])
    add_rows_into(out.reshape(math.prod(x.shape[:depth]), *rows.shape[1:]), numbers.reshape(-1), rows)
    return out


_update: Operation = _scatter_operation(
    "update",
    (
        lambda g, y, x, ids, updates, strict: _update(g, ids, zeros_of(updates), strict=False),
        None,
        lambda g, y, x, ids, updates, strict: gather_nd_or_zeros(g, ids),
    ),
    moves_elements=True,
)
_add: Operation = _scatter_operation(
    "add",
    (
        lambda g, y, x, ids, updates, strict: g,
        None,
        lambda g, y, x, ids, updates, strict: gather_nd_or_zeros(g, ids),
    ),
    NUMERIC_DTYPES,
    _run_add,
)
_max, _min = [_scatter_operation(kind, joint(_extreme_gradient), REAL_DTYPES) for kind in ("max", "min")]


# ---- public functions ------------------------------------------------------------------------------


def check_updates(name: str, ids: np.ndarray, updates: np.ndarray, shape: tuple[int, ...]) -> None:
    """Raises InvalidArgumentError if ``updates`` has not one slice per position, or positions are in an empty shape."""
    expected_shape = (*ids.shape[:-1], *shape[ids.shape[-1] :])
    if updates.shape != expected_shape:
        raise InvalidArgumentError(
            f"{name}: updates must have shape {list(expected_shape)}, one slice of a tensor of shape {list(shape)} for each of the "
            f"positions of shape {list(ids.shape)}, but have {list(updates.shape)}."
        )
    if ids.size and 0 in shape:
        raise InvalidArgumentError(f"{name}: Indices and updates specified for empty output shape {list(shape)}.")


def scatter_nd(indices: Any, updates: Any, shape: Any, bad_indices_policy: str = "", name: str | None = None) -> Tensor:
    """Zeros of ``shape`` with ``updates`` added at ``indices``.

    Args:
        indices: int32 or int64, shape (..., k): positions in the first k dimensions of ``shape``; updates of a repeated
            position add up.
        updates: shape ``indices.shape[:-1] + shape[k:]``.
        shape: the shape of the result.
        bad_indices_policy: ``"IGNORE"`` ignores positions outside ``shape``; otherwise they are errors.
        name: kept for TensorFlow's signature.

    Raises:
        InvalidArgumentError: a position is outside ``shape``, the shape of ``updates`` is wrong, or a size is negative.
    """
    ids, values = tensor_of(indices), tensor_of(updates)
    if isinstance(shape, int):
        raise InvalidArgumentError(f"scatter_nd: shape must be a vector, got {shape}.")
    sizes = dimensions(shape, "scatter_nd")
    strict = check_position_form("scatter_nd", ids._array, sizes, bad_indices_policy)
    check_updates("scatter_nd", ids._array, values._array, sizes)
    return scatter_nd_operation(ids, values, shape=sizes, strict=strict)


def _call_scatter(operation: Any, tensor: Any, indices: Any, updates: Any, policy: str = "") -> Tensor:
    x, ids = tensor_of(tensor), tensor_of(indices)
    values = as_tensor_or_none(updates)
    if values is None:
        values = convert_like(updates, x._array.dtype)
    if values._array.dtype != x._array.dtype:
        raise mixed_dtypes_error(operation.name, x._array.dtype, values._array.dtype)
    operation.check_dtype(x._array)
    strict = check_position_form(operation.name, ids._array, x._array.shape, policy)
    check_updates(operation.name, ids._array, values._array, x._array.shape)
    return operation(x, ids, values, strict=strict)


def tensor_scatter_nd_update(tensor: Any, indices: Any, updates: Any, name: str | None = None) -> Tensor:
    """``tensor`` with its slices at ``indices`` replaced by ``updates``; the last update of a position wins.

    Args:
        tensor: any tensor.
        indices: int32 or int64, shape (..., k): positions in the first k dimensions of ``tensor``.
        updates: a tensor of the same dtype, shape ``indices.shape[:-1] + tensor.shape[k:]``.
        name: kept for TensorFlow's signature.

    Raises:
        InvalidArgumentError: a position is outside ``tensor``, or the shape or dtype of ``updates`` is wrong.
    """
    return _call_scatter(_update, tensor, indices, updates)


def tensor_scatter_nd_add(
    tensor: Any, indices: Any, updates: Any, bad_indices_policy: str = "", name: str | None = None
) -> Tensor:
    """``tensor`` with ``updates`` added at ``indices``; repeated positions add up.

    Args:
        tensor: a numeric tensor.
        indices: int32 or int64, shape (..., k): positions in the first k dimensions of ``tensor``.
        updates: a tensor of the same dtype, shape ``indices.shape[:-1] + tensor.shape[k:]``.
        bad_indices_policy: ``"IGNORE"`` ignores positions outside ``tensor``; otherwise they are errors.
        name: kept for TensorFlow's signature.

    Raises:
        InvalidArgumentError: a position is outside ``tensor``, or the shape or dtype of ``updates`` is wrong.
    """
    return _call_scatter(_add, tensor, indices, updates, bad_indices_policy)


def tensor_scatter_nd_sub(
    tensor: Any, indices: Any, updates: Any, bad_indices_policy: str = "", name: str | None = None
) -> Tensor:
    """``tensor`` with ``updates`` subtracted at ``indices``; arguments and errors as in ``tensor_scatter_nd_add``."""
    x = tensor_of(tensor)
    values = as_tensor_or_none(updates)
    values = convert_like(updates, x._array.dtype) if values is None else values
    _add.check_dtype(values._array)
    # Subtracts from 0, because `negative` does not take unsigned numbers.
    negated = TABLE["subtract"](constant_tensor(np.zeros((), values._array.dtype)), values)
    return _call_scatter(_add, x, indices, negated, bad_indices_policy)


def tensor_scatter_nd_max(
    tensor: Any, indices: Any, updates: Any, bad_indices_policy: str = "", name: str | None = None
) -> Tensor:
    """``tensor`` with the larger of its elements and ``updates`` at ``indices``.

    Arguments and errors as in ``tensor_scatter_nd_add``; complex dtypes are errors. Equal extremes share the gradient.
    """
    return _call_scatter(_max, tensor, indices, updates, bad_indices_policy)


def tensor_scatter_nd_min(
    tensor: Any, indices: Any, updates: Any, bad_indices_policy: str = "", name: str | None = None
) -> Tensor:
    """``tensor`` with the smaller of its elements and ``updates`` at ``indices``.

    Arguments and errors as in ``tensor_scatter_nd_add``; complex dtypes are errors. Equal extremes share the gradient.
    """
    return _call_scatter(_min, tensor, indices, updates, bad_indices_policy)


def dynamic_stitch(indices: Any, data: Any, name: str | None = None) -> Tensor:
    """Merges the slices of several tensors at positions ``indices``: the inverse of ``dynamic_partition``.

    Args:
        indices: a list of int32 tensors, the position of each slice in the result.
        data: a list of as many tensors; the shape of each starts with that of its indices.
        name: kept for TensorFlow's signature.

    Returns:
        Shape (largest index + 1, ...); zeros at positions without a slice, the last slice at positions with several.

    Raises:
        InvalidArgumentError: there are no tensors, an index is negative, or shapes do not fit.
    """
    for argument, values in (("indices", indices), ("data", data)):
        check_list("dynamic_stitch", argument, values)
        if not hasattr(values, "__len__") or isinstance(values, (str, bytes)):
            raise TypeError(f"dynamic_stitch: Argument `{argument}` must be a list of tensors, got {values!r:.200}.")
    if not data or len(indices) != len(data):
        refuse("dynamic_stitch", "the lists need one length > 0", InvalidArgumentError, indices=indices, data=data)
    ids = [tensor_of(x) for x in indices]
    xs = tensors_of(data, "dynamic_stitch")
    reshape, concat = TABLE["reshape"], TABLE["concat"]
    slice_shape = xs[0]._array.shape[ids[0]._array.ndim :]
    flat_ids, flat_xs = [], []
    for number, (i, x) in enumerate(zip(ids, xs, strict=True)):
        ids_shape = i._array.shape
        if x._array.shape != (*ids_shape, *slice_shape):
            raise InvalidArgumentError(
                f"dynamic_stitch: data[{number}].shape = {list(x._array.shape)} does not start with "
                f"indices[{number}].shape = {list(ids_shape)}, or does not end with {list(slice_shape)} as data[0] does."
            )
        if i._array.size and (smallest := i._on_host().min()) < 0:
            raise InvalidArgumentError(f"dynamic_stitch: indices[{number}] is out of range: it holds {smallest}.")
        count = math.prod(ids_shape)
        flat_ids.append(reshape(i, shape=(count, 1)))
        flat_xs.append(reshape(x, shape=(count, *slice_shape)))
    positions = concat(*flat_ids, axis=0)
    length = int(positions._elements().max(initial=-1)) + 1
    zeros_tensor = constant_tensor(np.zeros((length, *slice_shape), xs[0]._array.dtype))
    return _update(zeros_tensor, positions, concat(*flat_xs, axis=0), strict=True)


def confusion_matrix(
    labels: Any,
    predictions: Any,
    num_classes: Any = None,
    weights: Any = None,
    dtype: Any = dtypes.int32,
    name: str | None = None,
) -> Tensor:
    """The number of examples for each pair of label and prediction.

    Args:
        labels: class numbers, a tensor that squeezes to shape (n,).
        predictions: class numbers, of the same length.
        num_classes: the size of the matrix; default the largest class plus one.
        weights: the weight of each pair, shape (n,); default 1.
        dtype: the dtype of the result.
        name: kept for TensorFlow's signature.

    Returns:
        Shape (num_classes, num_classes): a row for each label, a column for each prediction.

    Raises:
        InvalidArgumentError: a class is not in ``[0, num_classes)``, or ``labels`` and ``predictions`` differ in length.
        ValueError: the number of weights differs.
    """
    result_dtype = dtypes.as_dtype(dtype)
    rows, columns = (_class_numbers(x) for x in (labels, predictions))
    check_shapes("confusion_matrix", "labels (...), predictions (...)", InvalidArgumentError, rows, columns)
    pairs = TABLE["stack"](rows, columns, axis=1)
    if num_classes is None:
        count = int(pairs._elements().max(initial=-1)) + 1
    else:
        count = as_python_int(num_classes, "confusion_matrix: num_classes")
    if weights is None:
        values = constant_tensor(np.ones(rows._array.shape, result_dtype.numpy))
    else:
        values = cast(weights, result_dtype)
        check_shapes("confusion_matrix", "labels (...), weights (...)", ValueError, rows, values)
    shape = dimensions((count, count), "confusion_matrix")
    try:
        return scatter_nd_operation(pairs, values, shape=shape, strict=True)
    except InvalidArgumentError as error:
        raise InvalidArgumentError(f"confusion_matrix: classes must be in [0, {count}). {error}") from None


def _class_numbers(x: Any) -> Tensor:
    class_numbers = cast(x, dtypes.int64)
    squeezed = TABLE["reshape"](class_numbers, shape=(class_numbers._array.size,))
    if sum(n != 1 for n in class_numbers._array.shape) > 1:
        raise InvalidArgumentError(f"confusion_matrix: classes must be a vector, got {class_numbers.shape}.")
    return squeezed
