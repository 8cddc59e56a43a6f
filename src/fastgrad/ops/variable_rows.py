"""Parts of a variable changed in place at positions that a tensor holds: ``Variable.scatter_add`` and its kin.

All give the variable back. All raise InvalidArgumentError for a position out of range or values of another shape,
ValueError for a tensor of another dtype, and leave the variable unchanged then.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastgrad.errors import InvalidArgumentError
from fastgrad.indexed_slices import IndexedSlices
from fastgrad.ops.arguments import tensor_of
from fastgrad.ops.indexing import check_index_dtype, check_indices, check_positions, gather, gather_nd, row_numbers
from fastgrad.ops.scattering import check_updates
from fastgrad.ops.segments import reduce_rows
from fastgrad.tensor import Tensor, convert_to_tensor
from fastgrad.variable import Variable, writing


def _rows(variable: Variable, what: str, sparse_delta: Any, reduce: Any, into: Any) -> Variable:
    if not isinstance(sparse_delta, IndexedSlices):
        raise TypeError(
            f"{what}: Argument `sparse_delta` must be a `tf.IndexedSlices`. Received: {type(sparse_delta).__name__}."
        )
    if not variable._array.ndim:
        raise InvalidArgumentError(f"{what}: variable '{variable.name}' is a scalar and has no rows.")
    ids = sparse_delta.indices._array
    check_index_dtype(what, ids)
    check_indices(what, ids, len(variable._array))
    return _change(variable, what, ids[..., None], sparse_delta.values, reduce, into)


def _positions(variable: Variable, what: str, indices: Any, updates: Any, reduce: Any, into: Any) -> Variable:
    ids = tensor_of(indices)._array
    check_positions(what, ids, variable._array.shape)
    return _change(variable, what, ids, updates, reduce, into)


def _change(variable: Variable, what: str, ids: np.ndarray, updates: Any, reduce: Any, into: Any) -> Variable:
    """Repeated positions are reduced by ``reduce``, and ``into`` joins that to the variable; None: the last counts."""
    values = convert_to_tensor(updates, variable.dtype)._array
    shape = variable._array.shape
    depth = ids.shape[-1]
    if not values.ndim:
        values = np.broadcast_to(values, (*ids.shape[:-1], *shape[depth:]))
    check_updates(what, ids, values, shape)
    numbers = row_numbers(ids, shape).reshape(-1)
    # A copy, should the values be a view of the variable itself.
    rows = np.array(values).reshape(len(numbers), *shape[depth:])
    with writing.lock, np.errstate(all="ignore"):
        target = variable._writable().reshape(math.prod(shape[:depth]), *shape[depth:])
        if reduce is None:
            target[numbers] = rows
        else:
            reduce_rows(reduce, target, numbers, rows, into)
    return variable


# ---- rows ------------------------------------------------------------------------------------------


def scatter_add(self: Variable, sparse_delta: Any, use_locking: bool = False, name: str | None = None) -> Variable:
    """Adds the rows of an ``IndexedSlices``."""
    return _rows(self, "scatter_add", sparse_delta, np.add, np.add)


def scatter_sub(self: Variable, sparse_delta: Any, use_locking: bool = False, name: str | None = None) -> Variable:
    """Subtracts the rows of an ``IndexedSlices``."""
    return _rows(self, "scatter_sub", sparse_delta, np.add, np.subtract)


def scatter_mul(self: Variable, sparse_delta: Any, use_locking: bool = False, name: str | None = None) -> Variable:
    """Multiplies by the rows of an ``IndexedSlices``."""
    return _rows(self, "scatter_mul", sparse_delta, np.multiply, np.multiply)


def scatter_div(self: Variable, sparse_delta: Any, use_locking: bool = False, name: str | None = None) -> Variable:
    """Divides by the rows of an ``IndexedSlices``."""
    return _rows(self, "scatter_div", sparse_delta, np.multiply, np.divide)


def scatter_max(self: Variable, sparse_delta: Any, use_locking: bool = False, name: str | None = None) -> Variable:
    """Takes the larger of its rows and those of an ``IndexedSlices``."""
    return _rows(self, "scatter_max", sparse_delta, np.maximum, np.maximum)


def scatter_min(self: Variable, sparse_delta: Any, use_locking: bool = False, name: str | None = None) -> Variable:
    """Takes the smaller of its rows and those of an ``IndexedSlices``."""
    return _rows(self, "scatter_min", sparse_delta, np.minimum, np.minimum)


def scatter_update(self: Variable, sparse_delta: Any, use_locking: bool = False, name: str | None = None) -> Variable:
    """Takes the rows of an ``IndexedSlices``; of repeated ones the last."""
    return _rows(self, "scatter_update", sparse_delta, None, None)


def batch_scatter_update(
    self: Variable, sparse_delta: Any, use_locking: bool = False, name: str | None = None
) -> Variable:
    """Takes the slices of an ``IndexedSlices`` whose indices, shape (batch ..., n), count within their batch element."""
    ids = sparse_delta.indices._array
    batch = np.indices(ids.shape)[:-1]
    positions = np.stack([*batch, ids], -1)
    check_positions("batch_scatter_update", positions, self._array.shape)
    return _change(self, "batch_scatter_update", positions, sparse_delta.values, None, None)


# ---- positions in several dimensions -----------------------------------------------------------------


def scatter_nd_add(self: Variable, indices: Any, updates: Any, name: str | None = None) -> Variable:
    """Adds ``updates`` at ``indices``, as ``tf.tensor_scatter_nd_add``."""
    return _positions(self, "scatter_nd_add", indices, updates, np.add, np.add)


def scatter_nd_sub(self: Variable, indices: Any, updates: Any, name: str | None = None) -> Variable:
    """Subtracts ``updates`` at ``indices``, as ``tf.tensor_scatter_nd_sub``."""
    return _positions(self, "scatter_nd_sub", indices, updates, np.add, np.subtract)


def scatter_nd_max(self: Variable, indices: Any, updates: Any, name: str | None = None) -> Variable:
    """Takes the larger of its elements and ``updates`` at ``indices``, as ``tf.tensor_scatter_nd_max``."""
    return _positions(self, "scatter_nd_max", indices, updates, np.maximum, np.maximum)


def scatter_nd_min(self: Variable, indices: Any, updates: Any, name: str | None = None) -> Variable:
    """Takes the smaller of its elements and ``updates`` at ``indices``, as ``tf.tensor_scatter_nd_min``."""
    return _positions(self, "scatter_nd_min", indices, updates, np.minimum, np.minimum)


def scatter_nd_update(self: Variable, indices: Any, updates: Any, name: str | None = None) -> Variable:
    """Takes ``updates`` at ``indices``, as ``tf.tensor_scatter_nd_update``."""
    return _positions(self, "scatter_nd_update", indices, updates, None, None)


# ---- reading -----------------------------------------------------------------------------------------


def _sparse_read(self: Variable, indices: Any, name: str | None = None) -> Tensor:
    """The rows at ``indices``, as ``tf.gather``."""
    return gather(self, indices)


def _gather_nd(self: Variable, indices: Any, name: str | None = None) -> Tensor:
    """The slices at ``indices``, as ``tf.gather_nd``."""
    return gather_nd(self, indices)


for _method in (
    scatter_add,
    scatter_sub,
    scatter_mul,
    scatter_div,
    scatter_max,
    scatter_min,
    scatter_update,
    batch_scatter_update,
    scatter_nd_add,
    scatter_nd_sub,
    scatter_nd_max,
    scatter_nd_min,
    scatter_nd_update,
):
    setattr(Variable, _method.__name__, _method)
Variable.sparse_read = _sparse_read  # type: ignore[attr-defined]  # operations come after variables
Variable.gather_nd = _gather_nd  # type: ignore[attr-defined]  # as above
