"""Gradients in the form that optimizers use: checked, converted, clipped, with repeated rows summed.

Callers suppress NumPy's floating-point warnings.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from fastgrad.core.indexed_slices import IndexedSlices
from fastgrad.core.placement import moved
from fastgrad.core.tensor import Tensor, convert_to_tensor
from fastgrad.core.variable import Variable
from fastgrad.errors import InvalidArgumentError
from fastgrad.ops.optimizer_updates import array_square_sums, summed_rows


class RowGradient(NamedTuple):
    """The gradient of a table that is zero except in some rows: the row numbers and the rows.

    Attributes:
        ids: the row numbers, increasing and without repetition.
        values: the rows.
    """

    ids: np.ndarray
    values: np.ndarray


Gradient = np.ndarray | RowGradient


def read_gradient(gradient: Any, variable: Variable, owner: str) -> Gradient:
    """Returns ``gradient`` in the dtype of ``variable``; repeated rows of an ``IndexedSlices`` are summed.

    Args:
        gradient: a tensor, ``IndexedSlices`` or array.
        variable: the variable that the gradient belongs to.
        owner: the optimizer's name, for errors.

    Raises:
        InvalidArgumentError: the shapes differ, or the variable has no such row.
        ValueError: the variable or the gradient is not of a real floating dtype (integer gradients are converted).
    """
    variable_array = variable._array
    if type(gradient) is Tensor and gradient._owner is None:
        array = gradient._array
        if (
            array.dtype is variable_array.dtype
            and array.shape == variable_array.shape
            and variable_array.dtype.kind in "fV"
        ):
            return array
    if variable_array.dtype.kind not in "fV":
        raise ValueError(
            f"{owner}: variable '{variable.name}' has dtype {variable.dtype.name}; optimizers update floating variables."
        )
    if isinstance(gradient, IndexedSlices):
        return _read_rows(gradient, variable, owner)
    tensor = convert_to_tensor(gradient)
    array = _converted(tensor._array, variable, owner)
    if array.shape != variable_array.shape:
        raise InvalidArgumentError(
            f"{owner}: the gradient has shape {list(array.shape)}, but the variable '{variable.name}' has shape "
            f"{list(variable.shape)}: Incompatible shapes. Each variable needs a gradient of its own shape."
        )
    # A gradient that is the value of a variable shares memory that the update will change.
    return array.copy() if array is tensor._array and tensor._owner is not None else array


def _converted(array: np.ndarray, variable: Variable, owner: str) -> np.ndarray:
    dtype = variable._array.dtype
    if array.dtype == dtype:
        return array
    if array.dtype.kind not in "fViu":
        raise ValueError(
            f"{owner}: the gradient of '{variable.name}' has dtype {array.dtype.name}, which is not a real number; "
            f"the variable has dtype {variable.dtype.name}."
        )
    return moved(array, None).astype(dtype)


def _read_rows(gradient: IndexedSlices, variable: Variable, owner: str) -> RowGradient:
    ids, shape = gradient.indices._on_host(), variable._array.shape
    values = _converted(gradient.values._on_host(), variable, owner)
    if not shape or ids.ndim != 1 or values.shape != (len(ids), *shape[1:]):
        raise InvalidArgumentError(
            f"{owner}: IndexedSlices with indices of shape {list(ids.shape)} and values of shape {list(values.shape)} are no "
            f"gradient of the variable '{variable.name}' of shape {list(shape)}: Incompatible shapes."
        )
    if ids.dtype not in (np.int32, np.int64):
        raise InvalidArgumentError(
            f"{owner}: the indices of IndexedSlices must be int32 or int64, got {ids.dtype.name}."
        )
    if gradient.dense_shape is not None and tuple(gradient.dense_shape._on_host().tolist()) != shape:
        raise InvalidArgumentError(
            f"{owner}: IndexedSlices of dense_shape {gradient.dense_shape._on_host().tolist()} are no gradient of the variable "
            f"'{variable.name}' of shape {list(shape)}: Incompatible shapes."
        )
    return RowGradient(*summed_rows(ids, values, shape[0], owner))


def scaled_gradient(gradient: Gradient, factor: float) -> Gradient:
    """Returns ``gradient * factor`` as a new gradient."""
    if type(gradient) is RowGradient:
        return RowGradient(gradient.ids, _multiplied(gradient.values, factor))
    return _multiplied(gradient, factor)


def _multiplied(array: Any, factor: float) -> np.ndarray:
    return np.asarray(array * array.dtype.type(factor))


def clipped_by_value(gradients: list[Gradient], limit: float) -> list[Gradient]:
    """Returns the gradients with each element clipped to [-``limit``, ``limit``]."""

    def clip(array: Any) -> np.ndarray:
        bound = array.dtype.type(limit)
        return np.asarray(np.minimum(np.maximum(array, -bound), bound))

    return [RowGradient(g.ids, clip(g.values)) if type(g) is RowGradient else clip(g) for g in gradients]


def clipped_by_norm(gradients: list[Gradient], limit: float) -> list[Gradient]:
    """Returns the gradients, each with a norm above ``limit`` scaled to this norm (TensorFlow: tf.clip_by_norm)."""
    norms = np.sqrt(_sums_of_squares(gradients)).tolist()
    return [g if norm <= limit else scaled_gradient(g, limit / norm) for g, norm in zip(gradients, norms, strict=True)]


def clipped_by_global_norm(gradients: list[Gradient], limit: float) -> list[Gradient]:
    """Returns all gradients scaled by one factor if their global norm is above ``limit``; NaN for an infinite norm."""
    factor = global_clip_factor(gradients, limit)
    return gradients if factor == 1.0 else [scaled_gradient(g, factor) for g in gradients]


def global_clip_factor(gradients: list[Gradient], limit: float) -> float:
    """Returns the factor that reduces the global norm to ``limit``: 1 if it is not greater, NaN if it is not finite."""
    norm = math.sqrt(_sums_of_squares(gradients).sum())
    if norm <= limit:
        return 1.0
    return limit / norm if math.isfinite(norm) else math.nan


def _sums_of_squares(gradients: list[Gradient]) -> np.ndarray:
    """Returns the sum of squares of each gradient, in float64."""
    arrays: list[Any] = [g.values if type(g) is RowGradient else g for g in gradients]
    sums = np.empty(len(arrays))
    for dtype in {a.dtype for a in arrays}:
        positions = [i for i, a in enumerate(arrays) if a.dtype == dtype]
        sums[positions] = array_square_sums(*[arrays[i] for i in positions])
    return sums
