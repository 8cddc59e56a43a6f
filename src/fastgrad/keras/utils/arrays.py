"""Arrays of classes and of vectors."""

from __future__ import annotations

from typing import Any

import numpy as np

import fastgrad as tf
from fastgrad.keras.axes import axis_from_front as _axis_from_front
from fastgrad.keras.settings import standardize_dtype as _standardize_dtype
from fastgrad.tensor import as_tensor_or_none


def to_categorical(x: Any, num_classes: int | None = None) -> Any:
    """Class numbers as one-hot rows.

    Args:
        x: integers from 0; a trailing dimension of 1 is dropped.
        num_classes: default the greatest number and one more.

    Returns:
        Shape ``(*x.shape, num_classes)``: for a tensor one of ``floatx()``, else a float64 array.

    Raises:
        IndexError: a number outside [0, num_classes).
        ValueError: ``x`` holds no numbers, or ``num_classes`` is negative.
    """
    tensor = as_tensor_or_none(x)
    values = np.asarray(x if tensor is None else tensor._on_host())
    if values.dtype.kind not in "biuf":
        raise ValueError(f"to_categorical: x must hold class numbers, got {x!r}.")
    numbers = values.astype(np.int64)
    if numbers.ndim > 1 and numbers.shape[-1] == 1:
        numbers = numbers.reshape(numbers.shape[:-1])
    count = int(numbers.max()) + 1 if num_classes is None else int(num_classes)
    if count < 0:
        raise ValueError(f"to_categorical: num_classes must not be negative, got {num_classes!r}.")
    if numbers.size and (numbers.min() < 0 or numbers.max() >= count):
        worst = int(numbers.min() if numbers.min() < 0 else numbers.max())
        raise IndexError(f"to_categorical: class number {worst} is outside [0, {count}).")
    rows = numbers[..., None] == np.arange(count)
    return rows.astype(np.float64) if tensor is None else tf.cast(rows, _standardize_dtype(None))


def normalize(x: Any, axis: int = -1, order: int = 2) -> Any:
    """``x`` divided by its norms along ``axis``, zero vectors unchanged.

    Args:
        x: an array or tensor.
        axis: the axis of the vectors.
        order: of the norm: 2 is Euclid's.

    Raises:
        ValueError: ``x`` holds no numbers, or no such axis of an array.
        InvalidArgumentError: no such axis of a tensor.
    """
    tensor = as_tensor_or_none(x)
    array = np.asarray(x if tensor is None else tensor._on_host())
    if array.dtype.kind not in "biufcV":
        raise ValueError(f"normalize: x must hold numbers, got {x!r}.")
    if array.ndim:
        try:
            _axis_from_front("normalize", axis, array.shape)
        except IndexError as error:
            raise (ValueError if tensor is None else tf.errors.InvalidArgumentError)(str(error)) from None
    norms = np.atleast_1d(np.linalg.norm(array, order, axis))
    norms[norms == 0] = 1
    scaled = array / np.expand_dims(norms, axis)
    return scaled if tensor is None else tf.convert_to_tensor(scaled)


def standardize_dtype(dtype: Any) -> str:
    """The name of ``dtype``, ``floatx()`` for None."""
    return _standardize_dtype(dtype).name
