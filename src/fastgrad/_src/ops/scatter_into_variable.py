"""In-place updates of a variable at positions given by a tensor: ``Variable.scatter_add`` and others.

All functions that update return the variable. They raise InvalidArgumentError if a position is out of range or values have
another shape, and ValueError for a tensor of another dtype; then the variable is unchanged.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.indexed_slices import IndexedSlices
from fastgrad._src.core.operation import Form, operation
from fastgrad._src.core.result_rules import same_as_first
from fastgrad._src.core.tensor import Tensor, convert_to_tensor
from fastgrad._src.core.variable import Variable, writer_lock
from fastgrad._src.ops.arguments import tensor_of
from fastgrad._src.ops.indexing import (
    check_index_dtype,
    check_indices,
    check_positions,
    gather,
    gather_nd,
    row_numbers,
)
from fastgrad._src.ops.kernel_launches import launches_from
from fastgrad._src.ops.scattering import check_updates
from fastgrad._src.ops.segments import reduce_rows


def _scatter_slices(variable: Variable, what: str, sparse_delta: Any, into: np.ufunc | None) -> Variable:
    if not isinstance(sparse_delta, IndexedSlices):
        raise TypeError(f"{what}: `sparse_delta` must be a `tf.IndexedSlices`. Received: {type(sparse_delta)}.")
    if not variable._array.ndim:
        raise InvalidArgumentError(f"{what}: variable '{variable.name}' is a scalar and has no rows.")
    return _scatter_into(variable, what, "rows", sparse_delta.indices, sparse_delta.values, into)


def _scatter_into(
    variable: Variable, what: str, kind: str, indices: Any, updates: Any, into: np.ufunc | None
) -> Variable:
    """Updates ``variable`` at ``indices`` and returns it.

    Args:
        variable: the variable to change.
        what: the operation, for errors.
        kind: the meaning of the indices: "rows", "positions" in several dimensions, or rows of each element of a "batch".
        indices, updates: tensors, or values that convert to tensors.
        into: the ufunc that combines updates with the variable. None overwrites; the last update of a position wins.
    """
    ids, values = tensor_of(indices), convert_to_tensor(updates, variable.dtype)
    names: dict[str, Any] = {"what": what, "kind": kind, "into": None if into is None else into.__name__}
    if variable._must_change_by_operations():
        variable.assign(_scatter_into_operation(variable._read_as_stored(), ids, values, **names))
        return variable
    change = _make_row_update(variable._array.shape, ids._array, values._array, **names)
    with writer_lock.lock, np.errstate(all="ignore"):
        change(variable._memory_for_write())
    return variable


def _make_row_update(
    shape: tuple[int, ...],
    indices: np.ndarray,
    values: np.ndarray,
    what: str,
    kind: str,
    into: str | None,
) -> Callable[[np.ndarray], Any]:
    """Checks the arguments, and returns a function that updates an array of ``shape`` in place."""
    ids = indices
    if kind == "rows":
        check_index_dtype(what, ids)
        check_indices(what, ids, shape[0])
        ids = ids[..., None]
    else:
        if kind == "batch":
            ids = np.stack([*np.indices(ids.shape)[:-1], ids], -1)
        check_positions(what, ids, shape)
    depth = ids.shape[-1]
    if not values.ndim:
        values = np.broadcast_to(values, (*ids.shape[:-1], *shape[depth:]))
    check_updates(what, ids, values, shape)
    numbers = row_numbers(ids, shape).reshape(-1)
    # Copies, because the values may be a view of the variable.
    rows = np.array(values).reshape(len(numbers), *shape[depth:])

    def change(array: np.ndarray) -> None:
        target = array.reshape(math.prod(shape[:depth]), *shape[depth:])
        if into is None:
            target[numbers] = rows
        else:
            ufunc = getattr(np, into)
            reduce_rows(_REDUCING_UFUNCS.get(ufunc, ufunc), target, numbers, rows, ufunc)

    return change


_REDUCING_UFUNCS = {np.subtract: np.add, np.divide: np.multiply}
"""By a ufunc that is not associative: the ufunc that reduces the updates of a repeated position before it."""


def _run_row_update(x: np.ndarray, indices: np.ndarray, values: np.ndarray, **names: Any) -> np.ndarray:
    updated = np.array(x, order="C")
    _make_row_update(x.shape, indices, values, **names)(updated)
    return updated


_scatter_into_operation = operation(
    "scatter_into_variable",
    Form.SCATTER,
    partial_update="positions",
    run=_run_row_update,
    launches=launches_from("movement.scattering", "update_slices_launches"),
    result=same_as_first,
)


# ---- methods ---------------------------------------------------------------------------------------


def _indexed_slices_method(apply_ufunc: np.ufunc | None) -> Callable[..., Variable]:
    def scatter(self: Variable, sparse_delta: Any, use_locking: bool = False, name: str | None = None) -> Variable:
        return _scatter_slices(self, scatter.__name__, sparse_delta, apply_ufunc)

    return scatter


def _nd_indices_method(apply_ufunc: np.ufunc | None) -> Callable[..., Variable]:
    def scatter(self: Variable, indices: Any, updates: Any, name: str | None = None) -> Variable:
        return _scatter_into(self, scatter.__name__, "positions", indices, updates, apply_ufunc)

    return scatter


_INDEXED_SLICES_METHODS = (
    ("scatter_add", np.add, "Adds the rows of an ``IndexedSlices``."),
    ("scatter_sub", np.subtract, "Subtracts the rows of an ``IndexedSlices``."),
    ("scatter_mul", np.multiply, "Multiplies rows by those of an ``IndexedSlices``."),
    ("scatter_div", np.divide, "Divides rows by those of an ``IndexedSlices``."),
    (
        "scatter_max",
        np.maximum,
        "Replaces rows by the element-wise maximum with those of an ``IndexedSlices``.",
    ),
    (
        "scatter_min",
        np.minimum,
        "Replaces rows by the element-wise minimum with those of an ``IndexedSlices``.",
    ),
    ("scatter_update", None, "Replaces rows by those of an ``IndexedSlices``; the last of repeated rows wins."),
)
_ND_INDICES_METHODS = (
    ("scatter_nd_add", np.add, "Adds ``updates`` at ``indices``, like ``tf.tensor_scatter_nd_add``."),
    ("scatter_nd_sub", np.subtract, "Subtracts ``updates`` at ``indices``, like ``tf.tensor_scatter_nd_sub``."),
    (
        "scatter_nd_max",
        np.maximum,
        "Takes the maximum with ``updates`` at ``indices``, like ``tf.tensor_scatter_nd_max``.",
    ),
    (
        "scatter_nd_min",
        np.minimum,
        "Takes the minimum with ``updates`` at ``indices``, like ``tf.tensor_scatter_nd_min``.",
    ),
    ("scatter_nd_update", None, "Writes ``updates`` at ``indices``, like ``tf.tensor_scatter_nd_update``."),
)
"""Tuples (method name, ufunc that combines updates with the variable, docstring)."""

for _make, _methods in ((_indexed_slices_method, _INDEXED_SLICES_METHODS), (_nd_indices_method, _ND_INDICES_METHODS)):
    for _name, _into, _doc in _methods:
        _method = _make(_into)
        _method.__name__, _method.__qualname__, _method.__module__ = _name, f"Variable.{_name}", Variable.__module__
        _method.__doc__ = _doc
        setattr(Variable, _name, _method)


def batch_scatter_update(
    self: Variable, sparse_delta: Any, use_locking: bool = False, name: str | None = None
) -> Variable:
    """Replaces slices by the values of an ``IndexedSlices``, whose indices (batch ..., n) count in each batch."""
    return _scatter_into(self, "batch_scatter_update", "batch", sparse_delta.indices, sparse_delta.values, None)


# ---- reading -----------------------------------------------------------------------------------------


def _sparse_read(self: Variable, indices: Any, name: str | None = None) -> Tensor:
    """The rows at ``indices``, like ``tf.gather``."""
    return gather(self, indices)


def _gather_nd(self: Variable, indices: Any, name: str | None = None) -> Tensor:
    """The slices at ``indices``, like ``tf.gather_nd``."""
    return gather_nd(self, indices)


Variable.batch_scatter_update = batch_scatter_update  # type: ignore[attr-defined]  # operations come after variables
Variable.sparse_read = _sparse_read  # type: ignore[attr-defined]  # as above
Variable.gather_nd = _gather_nd  # type: ignore[attr-defined]  # as above
