"""Gradients in the form that optimizers use: checked, converted, clipped, with repeated rows summed.

Each formula works on arrays, in eager steps, and on tensors, in recorded steps, which the recorder sees as operations.
Callers suppress NumPy's floating-point warnings.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.indexed_slices import IndexedSlices
from fastgrad._src.core.operation import TABLE
from fastgrad._src.core.placement import move_to_device
from fastgrad._src.core.recording import is_state_recorded, recorders
from fastgrad._src.core.tensor import Tensor, constant_tensor, convert_to_tensor
from fastgrad._src.core.variable import Variable
from fastgrad._src.keras.optimizers.recorded_attributes import as_float64_scalar
from fastgrad._src.ops.casting import cast
from fastgrad._src.ops.optimizer_updates import add_rows, sum_rows, sum_rows_by_index, sums_of_squares_of_arrays


class SummedRows(NamedTuple):
    """The gradient of a table that is zero except in some rows.

    Attributes:
        sums: the rows; in a recorded step as many as there were indices, the rest zeros.
        ids: the row numbers, increasing and without repetition; in a recorded step the rest is the table's size.
        number: the number of rows, a scalar.
    """

    sums: Any
    ids: Any
    number: Any


Gradient = np.ndarray | Tensor | SummedRows


def read_gradient(gradient: Any, variable: Variable, owner: str) -> Gradient:
    """Returns ``gradient`` in the dtype of ``variable``; repeated rows of an ``IndexedSlices`` are summed.

    While state is recorded, the result is a tensor or rows of tensors, else an array or rows of arrays.

    Args:
        gradient: a tensor, ``IndexedSlices`` or array.
        variable: the variable that the gradient belongs to.
        owner: the optimizer's name, for errors.

    Raises:
        InvalidArgumentError: the shapes differ, or the variable has no such row.
        ValueError: the variable or the gradient is not of a real floating dtype (integer gradients are converted).
    """
    variable_array = variable._array
    if type(gradient) is Tensor and gradient._owner is None and not recorders.active:
        array = gradient._array
        if (
            array.dtype is variable_array.dtype
            and array.shape == variable_array.shape
            and variable_array.dtype.kind in "fV"
        ):
            return array
    if variable_array.dtype.kind not in "fV":
        raise ValueError(f"{owner}: variable '{variable.name}' must be floating, not {variable._operand_dtype.name}.")
    if isinstance(gradient, IndexedSlices):
        return _read_rows(gradient, variable, owner)
    tensor = convert_to_tensor(gradient)
    array = _converted(tensor._array, variable, owner)
    if array.shape != variable_array.shape:
        text = f"the gradient has shape {list(array.shape)}, but the variable '{variable.name}' {list(variable.shape)}"
        raise InvalidArgumentError(f"{owner}: Incompatible shapes: {text}.")
    if is_state_recorded():
        converted: Tensor = cast(tensor, variable.dtype)
        return converted
    # A gradient that is the value of a variable shares memory that the update will change.
    return array.copy() if array is tensor._array and tensor._owner is not None else array


def _converted(array: np.ndarray, variable: Variable, owner: str) -> np.ndarray:
    dtype = variable._array.dtype
    if array.dtype == dtype:
        return array
    if array.dtype.kind not in "fViu":
        raise ValueError(f"{owner}: the gradient of '{variable.name}' must have real numbers, not {array.dtype.name}.")
    return move_to_device(array, None).astype(dtype)


def _read_rows(gradient: IndexedSlices, variable: Variable, owner: str) -> SummedRows:
    ids, shape = gradient.indices._on_host(), variable._array.shape
    values = _converted(gradient.values._on_host(), variable, owner)
    if not shape or ids.ndim != 1 or values.shape != (len(ids), *shape[1:]):
        raise InvalidArgumentError(
            f"{owner}: IndexedSlices with indices of shape {list(ids.shape)} and values of shape {list(values.shape)} are no "
            f"gradient of the variable '{variable.name}' of shape {list(shape)}: Incompatible shapes."
        )
    if ids.dtype not in (np.int32, np.int64):
        raise InvalidArgumentError(f"{owner}: the indices of IndexedSlices must be int32 or int64, got {ids.dtype}.")
    if gradient.dense_shape is not None and tuple(gradient.dense_shape._on_host().tolist()) != shape:
        raise InvalidArgumentError(
            f"{owner}: IndexedSlices of dense_shape {gradient.dense_shape._on_host().tolist()} are no gradient of the variable "
            f"'{variable.name}' of shape {list(shape)}: Incompatible shapes."
        )
    if is_state_recorded():
        recorded_values = cast(gradient.values, variable.dtype)
        return SummedRows(*sum_rows(recorded_values, gradient.indices, limit=shape[0], owner=owner))
    distinct_ids, sums = sum_rows_by_index(ids, values, shape[0], owner)
    return SummedRows(sums, distinct_ids, np.array(len(distinct_ids)))


def as_user_gradient(gradient: Gradient, variable: Variable) -> Any:
    """Returns a gradient in the form that a user's ``update_step`` gets: a tensor or ``IndexedSlices``."""
    if not isinstance(gradient, SummedRows):
        return gradient if isinstance(gradient, Tensor) else Tensor(gradient)
    sums, ids = [x if isinstance(x, Tensor) else Tensor(x) for x in gradient[:2]]
    count = int(gradient.number)  # the arrays have one item per row, so another number needs another program
    shape = constant_tensor(np.array(variable._array.shape, np.int64))
    return IndexedSlices(sums[:count], ids[:count], shape)


def dense_gradient(gradient: Gradient, variable: Variable) -> Any:
    """Returns a gradient as one array or tensor of the shape of ``variable``."""
    if not isinstance(gradient, SummedRows):
        return gradient
    zeros = np.zeros(variable._array.shape, variable._array.dtype)
    return run_operation(add_rows, constant_tensor(zeros) if isinstance(gradient.sums, Tensor) else zeros, *gradient)


def run_operation(operation: Any, *values: Any, **attributes: Any) -> Any:
    """Returns the result of an operation: an array for arrays, a tensor for tensors."""
    return (operation if isinstance(values[0], Tensor) else operation.run)(*values, **attributes)


def elements_of_gradient(gradient: Gradient) -> Any:
    """Returns the elements of a gradient: the gradient itself, or its rows."""
    return gradient.sums if isinstance(gradient, SummedRows) else gradient


def scaled_gradient(gradient: Gradient, factor: Any) -> Any:
    """Returns ``gradient * factor`` as a new gradient; ``factor`` is a float, or a float64 scalar if state is recorded."""
    if isinstance(gradient, np.ndarray):
        return np.asarray(gradient * gradient.dtype.type(factor))
    if isinstance(gradient, Tensor):
        return gradient * cast(factor, gradient.dtype)
    return SummedRows(scaled_gradient(gradient.sums, factor), gradient.ids, gradient.number)


def clipped_by_value(gradient: Gradient, limit: Any) -> Any:
    """Returns a gradient with each element clipped to [-``limit``, ``limit``]."""
    if isinstance(gradient, np.ndarray):
        bound = gradient.dtype.type(limit)
        return np.asarray(np.minimum(np.maximum(gradient, -bound), bound))
    if isinstance(gradient, Tensor):
        bound = cast(limit, gradient.dtype)
        return TABLE["minimum"](TABLE["maximum"](gradient, -bound), bound)
    return SummedRows(clipped_by_value(gradient.sums, limit), gradient.ids, gradient.number)


def clipped_by_norm(gradients: Sequence[Gradient], limit: Any) -> list[Gradient]:
    """Returns the gradients, each with a norm above ``limit`` scaled to this norm (TensorFlow: tf.clip_by_norm)."""
    clipped = list(gradients)
    for positions, sums in _sums_of_squares(gradients):
        factors = limit / run_operation(TABLE["maximum"], run_operation(TABLE["sqrt"], sums), limit)
        each = [factors[i] for i in range(len(positions))] if isinstance(factors, Tensor) else factors.tolist()
        for position, factor in zip(positions, each, strict=True):
            if isinstance(factor, Tensor) or factor != 1.0:
                clipped[position] = scaled_gradient(gradients[position], factor)
    return clipped


def global_clip_factor(gradients: Sequence[Gradient], limit: Any) -> Any:
    """Returns the factor that reduces the global norm to ``limit``: 1 if it is not greater, NaN if it is not finite."""
    groups = _sums_of_squares(gradients)
    sums = groups[0][1]
    if len(groups) > 1:
        sum_by_position = {i: sums[row] for positions, sums in groups for row, i in enumerate(positions)}
        sums = run_operation(TABLE["stack"], *[sum_by_position[i] for i in range(len(gradients))], axis=0)
    if isinstance(sums, Tensor):
        norm = TABLE["sqrt"](TABLE["reduce_sum"](sums, axes=(0,), keepdims=False))
        return TABLE["where"](norm < math.inf, limit / TABLE["maximum"](norm, limit), as_float64_scalar(math.nan))
    eager_norm = math.sqrt(sums.sum())
    return limit / max(eager_norm, limit) if eager_norm < math.inf else math.nan


def _sums_of_squares(gradients: Sequence[Gradient]) -> list[tuple[list[int], Any]]:
    """Returns for each dtype the positions of its gradients, and a float64 vector with the sum of squares of each."""
    arrays = [elements_of_gradient(gradient) for gradient in gradients]
    groups = positions_by_key([x.dtype for x in arrays]).values()
    return [
        (positions, run_operation(sums_of_squares_of_arrays, *[arrays[i] for i in positions])) for positions in groups
    ]


def positions_by_key(keys: Sequence[Any]) -> dict[Any, list[int]]:
    """Returns the positions of each key, in order."""
    positions: dict[Any, list[int]] = {}
    for position, key in enumerate(keys):
        positions.setdefault(key, []).append(position)
    return positions
