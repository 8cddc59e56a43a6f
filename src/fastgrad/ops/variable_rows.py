"""In-place updates of a variable at positions given by a tensor: ``Variable.scatter_add`` and others.

All functions that update return the variable. They raise InvalidArgumentError if a position is out of range or values have
another shape, and ValueError for a tensor of another dtype; then the variable is unchanged.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from fastgrad.errors import InvalidArgumentError
from fastgrad.indexed_slices import IndexedSlices
from fastgrad.operation import Form, operation
from fastgrad.ops.arguments import tensor_of
from fastgrad.ops.indexing import check_index_dtype, check_indices, check_positions, gather, gather_nd, row_numbers
from fastgrad.ops.kernel_launches import launches_from
from fastgrad.ops.scattering import check_updates
from fastgrad.ops.segments import reduce_rows
from fastgrad.result_rules import same
from fastgrad.tensor import Tensor, convert_to_tensor
from fastgrad.variable import Variable, writing


def _rows(variable: Variable, what: str, sparse_delta: Any, reduce: Any, into: Any) -> Variable:
    if not isinstance(sparse_delta, IndexedSlices):
        raise TypeError(
            f"{what}: Argument `sparse_delta` must be a `tf.IndexedSlices`. Received: {type(sparse_delta).__name__}."
        )
    if not variable._array.ndim:
        raise InvalidArgumentError(f"{what}: variable '{variable.name}' is a scalar and has no rows.")
    return _change(variable, what, "rows", sparse_delta.indices, sparse_delta.values, reduce, into)


def _change(variable: Variable, what: str, kind: str, indices: Any, updates: Any, reduce: Any, into: Any) -> Variable:
    """Updates ``variable`` at ``indices`` and returns it.

    Args:
        variable: the variable to change.
        what: the operation, for errors.
        kind: the meaning of the indices: "rows", "positions" in several dimensions, or rows of each element of a "batch".
        indices, updates: tensors, or values that convert to tensors.
        reduce: the name of the ufunc that reduces updates of a repeated position; None takes the last update.
        into: the name of the ufunc that combines the result with the variable; None overwrites.
    """
    ids, values = tensor_of(indices), convert_to_tensor(updates, variable.dtype)
    names = {"what": what, "kind": kind, "reduce": reduce, "into": into}
    if variable._changes_by_operations():
        variable.assign(_changed(variable._read_as_stored(), ids, values, **names))
        return variable
    change = _make_row_update(variable._array.shape, ids._array, values._array, **names)
    with writing.lock, np.errstate(all="ignore"):
        change(variable._writable())
    return variable


def _make_row_update(
    shape: tuple[int, ...],
    indices: np.ndarray,
    values: np.ndarray,
    what: str,
    kind: str,
    reduce: str | None,
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
        if reduce is None:
            target[numbers] = rows
        else:
            reduce_rows(getattr(np, reduce), target, numbers, rows, into and getattr(np, into))

    return change


def _run_row_update(x: np.ndarray, indices: np.ndarray, values: np.ndarray, **names: Any) -> np.ndarray:
    updated = np.array(x, order="C")
    _make_row_update(x.shape, indices, values, **names)(updated)
    return updated


_changed = operation(
    "scatter_into_variable",
    Form.SCATTER,
    run=_run_row_update,
    launches=launches_from("movement.scattering", "variable_launches"),
    result=same,
)


# ---- rows ------------------------------------------------------------------------------------------


def scatter_add(self: Variable, sparse_delta: Any, use_locking: bool = False, name: str | None = None) -> Variable:
    """Adds the rows of an ``IndexedSlices``."""
    return _rows(self, "scatter_add", sparse_delta, "add", "add")


def scatter_sub(self: Variable, sparse_delta: Any, use_locking: bool = False, name: str | None = None) -> Variable:
    """Subtracts the rows of an ``IndexedSlices``."""
    return _rows(self, "scatter_sub", sparse_delta, "add", "subtract")


def scatter_mul(self: Variable, sparse_delta: Any, use_locking: bool = False, name: str | None = None) -> Variable:
    """Multiplies rows by those of an ``IndexedSlices``."""
    return _rows(self, "scatter_mul", sparse_delta, "multiply", "multiply")


def scatter_div(self: Variable, sparse_delta: Any, use_locking: bool = False, name: str | None = None) -> Variable:
    """Divides rows by those of an ``IndexedSlices``."""
    return _rows(self, "scatter_div", sparse_delta, "multiply", "divide")


def scatter_max(self: Variable, sparse_delta: Any, use_locking: bool = False, name: str | None = None) -> Variable:
    """Replaces rows by the element-wise maximum with those of an ``IndexedSlices``."""
    return _rows(self, "scatter_max", sparse_delta, "maximum", "maximum")


def scatter_min(self: Variable, sparse_delta: Any, use_locking: bool = False, name: str | None = None) -> Variable:
    """Replaces rows by the element-wise minimum with those of an ``IndexedSlices``."""
    return _rows(self, "scatter_min", sparse_delta, "minimum", "minimum")


def scatter_update(self: Variable, sparse_delta: Any, use_locking: bool = False, name: str | None = None) -> Variable:
    """Replaces rows by those of an ``IndexedSlices``; the last of repeated rows wins."""
    return _rows(self, "scatter_update", sparse_delta, None, None)


def batch_scatter_update(
    self: Variable, sparse_delta: Any, use_locking: bool = False, name: str | None = None
) -> Variable:
    """Replaces slices by those of an ``IndexedSlices``; its indices, shape (batch ..., n), count per batch element."""
    return _change(self, "batch_scatter_update", "batch", sparse_delta.indices, sparse_delta.values, None, None)


# ---- positions in several dimensions -----------------------------------------------------------------


def scatter_nd_add(self: Variable, indices: Any, updates: Any, name: str | None = None) -> Variable:
    """Adds ``updates`` at ``indices``, like ``tf.tensor_scatter_nd_add``."""
    return _change(self, "scatter_nd_add", "positions", indices, updates, "add", "add")


def scatter_nd_sub(self: Variable, indices: Any, updates: Any, name: str | None = None) -> Variable:
    """Subtracts ``updates`` at ``indices``, like ``tf.tensor_scatter_nd_sub``."""
    return _change(self, "scatter_nd_sub", "positions", indices, updates, "add", "subtract")


def scatter_nd_max(self: Variable, indices: Any, updates: Any, name: str | None = None) -> Variable:
    """Takes the maximum with ``updates`` at ``indices``, like ``tf.tensor_scatter_nd_max``."""
    return _change(self, "scatter_nd_max", "positions", indices, updates, "maximum", "maximum")


def scatter_nd_min(self: Variable, indices: Any, updates: Any, name: str | None = None) -> Variable:
    """Takes the minimum with ``updates`` at ``indices``, like ``tf.tensor_scatter_nd_min``."""
    return _change(self, "scatter_nd_min", "positions", indices, updates, "minimum", "minimum")


def scatter_nd_update(self: Variable, indices: Any, updates: Any, name: str | None = None) -> Variable:
    """Writes ``updates`` at ``indices``, like ``tf.tensor_scatter_nd_update``."""
    return _change(self, "scatter_nd_update", "positions", indices, updates, None, None)


# ---- reading -----------------------------------------------------------------------------------------


def _sparse_read(self: Variable, indices: Any, name: str | None = None) -> Tensor:
    """The rows at ``indices``, like ``tf.gather``."""
    return gather(self, indices)


def _gather_nd(self: Variable, indices: Any, name: str | None = None) -> Tensor:
    """The slices at ``indices``, like ``tf.gather_nd``."""
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
