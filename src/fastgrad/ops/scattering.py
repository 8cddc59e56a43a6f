"""Writing at positions that a tensor holds: scatter_nd, tensor_scatter_nd_*, dynamic_stitch, confusion_matrix."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastgrad import dtypes
from fastgrad.backward import zeros_of
from fastgrad.errors import InvalidArgumentError
from fastgrad.operation import NUMERIC, REAL, TABLE, Form, Operation, operation, refuse_mix
from fastgrad.ops.arguments import integer, tensor_of, tensors_of
from fastgrad.ops.batching import Batched, call_row, spread_rows
from fastgrad.ops.casting import cast
from fastgrad.ops.creation import dimensions
from fastgrad.ops.indexing import (
    check_position_form,
    checked_row_numbers,
    gather_nd_or_zeros,
    scatter_nd_row,
    with_row_numbers,
)
from fastgrad.ops.kernel_launches import launches_from
from fastgrad.ops.segments import add_rows_into, reduce_rows
from fastgrad.tensor import Tensor, as_tensor_or_none, constant_tensor, convert_beside

# ---- on arrays -------------------------------------------------------------------------------------


def _rows(
    name: str, shape: tuple[int, ...], ids: np.ndarray, updates: np.ndarray, strict: bool
) -> tuple[int, np.ndarray, np.ndarray]:
    """How many rows a tensor of ``shape`` has for ``ids``, their numbers (-1 outside), and one update for each."""
    depth = ids.shape[-1]
    numbers = checked_row_numbers(name, ids, shape, strict)
    return math.prod(shape[:depth]), numbers.reshape(-1), updates.reshape(numbers.size, *shape[depth:])


def _written(x: np.ndarray, ids: np.ndarray, updates: np.ndarray, strict: bool) -> np.ndarray:
    count, numbers, rows = _rows("tensor_scatter_nd_update", x.shape, ids, updates, strict)
    out = np.array(x, order="C")
    kept = numbers >= 0
    # Of repeated positions the last one counts.
    out.reshape(count, *rows.shape[1:])[numbers[kept]] = rows[kept]
    return out


def _added(x: np.ndarray, ids: np.ndarray, updates: np.ndarray, strict: bool) -> np.ndarray:
    count, numbers, rows = _rows("tensor_scatter_nd_add", x.shape, ids, updates, strict)
    out = np.array(x, order="C")
    add_rows_into(out.reshape(count, *rows.shape[1:]), numbers, rows)
    return out


def _extreme(name: str, ufunc: Any) -> Any:
    def run(x: np.ndarray, ids: np.ndarray, updates: np.ndarray, strict: bool) -> np.ndarray:
        count, numbers, rows = _rows(name, x.shape, ids, updates, strict)
        out = np.array(x, order="C")
        reduce_rows(ufunc, out.reshape(count, *rows.shape[1:]), numbers, rows, into=ufunc)
        return out

    return run


# ---- rows of the table -----------------------------------------------------------------------------


def _extreme_shares(
    g: Tensor, y: Tensor, x: Tensor, ids: Tensor, updates: Tensor, strict: bool = False
) -> tuple[Tensor, Tensor, Tensor]:
    """The cotangent divided by how many candidates are the extreme one, and where the candidates are."""
    equal, where = TABLE["equal"], TABLE["where"]
    zero, one = (constant_tensor(np.asarray(number, x._array.dtype)) for number in (0, 1))
    kept, chosen = equal(x, y), equal(updates, gather_nd_or_zeros(y, ids))
    count = _add(where(kept, one, zeros_of(x)), ids, where(chosen, one, zeros_of(updates)), strict=False)
    return g / where(equal(count, zero), one, count), kept, chosen


def _extreme_tensor(g: Tensor, y: Tensor, x: Tensor, ids: Tensor, updates: Tensor, strict: bool = False) -> Tensor:
    share, kept, _ = _extreme_shares(g, y, x, ids, updates)
    return TABLE["where"](kept, share, zeros_of(x))


def _extreme_updates(g: Tensor, y: Tensor, x: Tensor, ids: Tensor, updates: Tensor, strict: bool = False) -> Tensor:
    share, _, chosen = _extreme_shares(g, y, x, ids, updates)
    return TABLE["where"](chosen, gather_nd_or_zeros(share, ids), zeros_of(updates))


def _batched_tensor_scatter(
    name: str, rows: int, /, x: Batched, ids: Batched, updates: Batched, **attributes: Any
) -> Any:
    return call_row(name, spread_rows(x, rows), with_row_numbers(ids, rows), spread_rows(updates, rows), **attributes)


_update: Operation = operation(
    "tensor_scatter_nd_update",
    Form.SCATTER,
    run=_written,
    gradient=(
        lambda g, y, x, ids, updates, strict: _update(g, ids, zeros_of(updates), strict=False),
        None,
        lambda g, y, x, ids, updates, strict: gather_nd_or_zeros(g, ids),
    ),
    launches=launches_from("movement.scattering", "scatter_update_launches"),
    batched=_batched_tensor_scatter,
)
_add: Operation = operation(
    "tensor_scatter_nd_add",
    Form.SCATTER,
    run=_added,
    gradient=(
        lambda g, y, x, ids, updates, strict: g,
        None,
        lambda g, y, x, ids, updates, strict: gather_nd_or_zeros(g, ids),
    ),
    dtypes=NUMERIC,
    launches=launches_from("movement.scattering", "scatter_add_launches"),
    batched=_batched_tensor_scatter,
)
_max = operation(
    "tensor_scatter_nd_max",
    Form.SCATTER,
    run=_extreme("tensor_scatter_nd_max", np.maximum),
    gradient=(_extreme_tensor, None, _extreme_updates),
    dtypes=REAL,
    launches=launches_from("movement.scattering", "scatter_max_launches"),
    batched=_batched_tensor_scatter,
)
_min = operation(
    "tensor_scatter_nd_min",
    Form.SCATTER,
    run=_extreme("tensor_scatter_nd_min", np.minimum),
    gradient=(_extreme_tensor, None, _extreme_updates),
    dtypes=REAL,
    launches=launches_from("movement.scattering", "scatter_min_launches"),
    batched=_batched_tensor_scatter,
)


# ---- public functions ------------------------------------------------------------------------------


def check_updates(name: str, ids: np.ndarray, updates: np.ndarray, shape: tuple[int, ...]) -> None:
    """Raises InvalidArgumentError unless ``updates`` has a slice of a tensor of ``shape``, which is not empty, for each position."""
    wanted = (*ids.shape[:-1], *shape[ids.shape[-1] :])
    if updates.shape != wanted:
        raise InvalidArgumentError(
            f"{name}: updates must have shape {list(wanted)}, one slice of a tensor of shape {list(shape)} for each of the "
            f"positions of shape {list(ids.shape)}, but have {list(updates.shape)}."
        )
    if ids.size and 0 in shape:
        raise InvalidArgumentError(
            f"{name}: Indices and updates specified for empty output shape {list(shape)}: no position is in it."
        )


def scatter_nd(indices: Any, updates: Any, shape: Any, bad_indices_policy: str = "", name: str | None = None) -> Tensor:
    """Zeros of ``shape`` with ``updates`` added at ``indices``.

    Args:
        indices: int32 or int64, shape (..., k): positions in the first k dimensions of ``shape``; repeated ones add up.
        updates: shape ``indices.shape[:-1] + shape[k:]``.
        shape: of the result.
        bad_indices_policy: ``"IGNORE"`` passes over positions outside ``shape``; else they are an error.
        name: kept for TensorFlow's signature.

    Raises:
        InvalidArgumentError: a position outside ``shape``, updates of another shape, or a negative size.
    """
    ids, values = tensor_of(indices), tensor_of(updates)
    if isinstance(shape, int):
        raise InvalidArgumentError(f"scatter_nd: shape must be a vector, got {shape}.")
    sizes = dimensions(shape, "scatter_nd")
    strict = check_position_form("scatter_nd", ids._array, sizes, bad_indices_policy)
    check_updates("scatter_nd", ids._array, values._array, sizes)
    return scatter_nd_row(ids, values, shape=sizes, strict=strict)


def _scattered(row: Any, tensor: Any, indices: Any, updates: Any, policy: str = "") -> Tensor:
    x, ids = tensor_of(tensor), tensor_of(indices)
    values = as_tensor_or_none(updates)
    if values is None:
        values = convert_beside(updates, x._array.dtype)
    if values._array.dtype != x._array.dtype:
        raise refuse_mix(row.name, x._array.dtype, values._array.dtype)
    row.check_dtype(x._array)
    strict = check_position_form(row.name, ids._array, x._array.shape, policy)
    check_updates(row.name, ids._array, values._array, x._array.shape)
    return row(x, ids, values, strict=strict)


def tensor_scatter_nd_update(tensor: Any, indices: Any, updates: Any, name: str | None = None) -> Tensor:
    """``tensor`` with its slices at ``indices`` replaced by ``updates``; of repeated positions the last one counts.

    Args:
        tensor: any tensor.
        indices: int32 or int64, shape (..., k): positions in the first k dimensions of ``tensor``.
        updates: of its dtype, shape ``indices.shape[:-1] + tensor.shape[k:]``.
        name: kept for TensorFlow's signature.

    Raises:
        InvalidArgumentError: a position outside ``tensor``, or updates of another shape or dtype.
    """
    return _scattered(_update, tensor, indices, updates)


def tensor_scatter_nd_add(
    tensor: Any, indices: Any, updates: Any, bad_indices_policy: str = "", name: str | None = None
) -> Tensor:
    """``tensor`` with ``updates`` added at ``indices``; repeated positions add up.

    Args:
        tensor: numeric.
        indices: int32 or int64, shape (..., k): positions in the first k dimensions of ``tensor``.
        updates: of its dtype, shape ``indices.shape[:-1] + tensor.shape[k:]``.
        bad_indices_policy: ``"IGNORE"`` passes over positions outside ``tensor``; else they are an error.
        name: kept for TensorFlow's signature.

    Raises:
        InvalidArgumentError: a position outside ``tensor``, or updates of another shape or dtype.
    """
    return _scattered(_add, tensor, indices, updates, bad_indices_policy)


def tensor_scatter_nd_sub(
    tensor: Any, indices: Any, updates: Any, bad_indices_policy: str = "", name: str | None = None
) -> Tensor:
    """``tensor`` with ``updates`` subtracted at ``indices``. Arguments and errors as ``tensor_scatter_nd_add``."""
    x = tensor_of(tensor)
    values = as_tensor_or_none(updates)
    values = convert_beside(updates, x._array.dtype) if values is None else values
    _add.check_dtype(values._array)
    # From 0, not by negative, which unsigned numbers do not have.
    negated = TABLE["subtract"](constant_tensor(np.zeros((), values._array.dtype)), values)
    return _scattered(_add, x, indices, negated, bad_indices_policy)


def tensor_scatter_nd_max(
    tensor: Any, indices: Any, updates: Any, bad_indices_policy: str = "", name: str | None = None
) -> Tensor:
    """``tensor`` with the larger of its elements and ``updates`` at ``indices``.

    Arguments and errors as ``tensor_scatter_nd_add``; complex numbers have no order. Ties share the gradient.
    """
    return _scattered(_max, tensor, indices, updates, bad_indices_policy)


def tensor_scatter_nd_min(
    tensor: Any, indices: Any, updates: Any, bad_indices_policy: str = "", name: str | None = None
) -> Tensor:
    """``tensor`` with the smaller of its elements and ``updates`` at ``indices``.

    Arguments and errors as ``tensor_scatter_nd_add``; complex numbers have no order. Ties share the gradient.
    """
    return _scattered(_min, tensor, indices, updates, bad_indices_policy)


def dynamic_stitch(indices: Any, data: Any, name: str | None = None) -> Tensor:
    """The slices of several tensors, put where ``indices`` say: the inverse of ``dynamic_partition``.

    Args:
        indices: a list of int32 tensors: the position of each slice in the result.
        data: as many tensors, each of a shape that starts with that of its indices.
        name: kept for TensorFlow's signature.

    Returns:
        Shape (largest index + 1, ...); zeros where no index points, the last slice where several do.

    Raises:
        InvalidArgumentError: no tensors, a negative index, or shapes that do not fit.
    """
    if not data or len(indices) != len(data):
        raise InvalidArgumentError(
            f"dynamic_stitch: indices and data must be lists of one length, not empty; got {len(indices)} and {len(data)}."
        )
    ids = [tensor_of(x) for x in indices]
    xs = tensors_of(data, "dynamic_stitch")
    reshape, concat = TABLE["reshape"], TABLE["concat"]
    inner = xs[0]._array.shape[ids[0]._array.ndim :]
    flat_ids, flat_xs = [], []
    for number, (i, x) in enumerate(zip(ids, xs, strict=True)):
        outer = i._array.shape
        if x._array.shape != (*outer, *inner):
            raise InvalidArgumentError(
                f"dynamic_stitch: data[{number}].shape = {list(x._array.shape)} does not start with "
                f"indices[{number}].shape = {list(outer)}, or does not end with {list(inner)} as data[0] does."
            )
        if i._array.size and (least := i._on_host().min()) < 0:
            raise InvalidArgumentError(f"dynamic_stitch: indices[{number}] is out of range: it holds {least}.")
        count = math.prod(outer)
        flat_ids.append(reshape(i, shape=(count, 1)))
        flat_xs.append(reshape(x, shape=(count, *inner)))
    positions = concat(*flat_ids, axis=0)
    length = int(positions.numpy().max(initial=-1)) + 1
    blank = constant_tensor(np.zeros((length, *inner), xs[0]._array.dtype))
    return _update(blank, positions, concat(*flat_xs, axis=0), strict=True)


def confusion_matrix(
    labels: Any,
    predictions: Any,
    num_classes: Any = None,
    weights: Any = None,
    dtype: Any = dtypes.int32,
    name: str | None = None,
) -> Tensor:
    """How often each class was predicted for each class.

    Args:
        labels: classes, shape (n,) or squeezed to it.
        predictions: classes, as many.
        num_classes: the size of the matrix; default the largest class plus one.
        weights: what each pair counts, shape (n,); default 1.
        dtype: of the result.
        name: kept for TensorFlow's signature.

    Returns:
        Shape (num_classes, num_classes): a row for each label, a column for each prediction.

    Raises:
        InvalidArgumentError: a class that is negative or not below ``num_classes``, or different numbers of classes.
        ValueError: another number of weights.
    """
    wanted = dtypes.as_dtype(dtype)
    rows, columns = (_classes(x) for x in (labels, predictions))
    if rows._array.shape != columns._array.shape:
        raise InvalidArgumentError(
            f"confusion_matrix: labels and predictions must be as many, got shapes {list(rows._array.shape)} and "
            f"{list(columns._array.shape)}."
        )
    pairs = TABLE["stack"](rows, columns, axis=1)
    found = pairs.numpy()
    count = (
        int(found.max(initial=-1)) + 1 if num_classes is None else integer(num_classes, "confusion_matrix: num_classes")
    )
    if found.size and (found.min() < 0 or found.max() >= count):
        raise InvalidArgumentError(
            f"confusion_matrix: classes must be in [0, {count}), got {found.min()} to {found.max()}."
        )
    if weights is None:
        values = constant_tensor(np.ones(rows._array.shape, wanted.numpy))
    else:
        values = cast(weights, wanted)
        if values._array.shape != rows._array.shape:
            raise ValueError(
                f"confusion_matrix: Shapes {rows.shape} and {values.shape} of labels and weights are incompatible."
            )
    shape = dimensions((count, count), "confusion_matrix")
    return scatter_nd_row(pairs, values, shape=shape, strict=True)


def _classes(x: Any) -> Tensor:
    found = cast(x, dtypes.int64)
    squeezed = TABLE["reshape"](found, shape=(found._array.size,))
    if sum(n != 1 for n in found._array.shape) > 1:
        raise InvalidArgumentError(f"confusion_matrix: classes must be a vector, got shape {list(found._array.shape)}.")
    return squeezed
