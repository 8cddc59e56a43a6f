"""Conversion of class numbers to one-hot arrays, and normalization of vectors."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastgrad._src.core.argument_checks import require
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.tensor import as_tensor_or_none, convert_to_tensor
from fastgrad._src.keras.axes import axis_from_front as _axis_from_front
from fastgrad._src.keras.settings import standardize_dtype as _standardize_dtype
from fastgrad._src.ops.casting import cast


def to_categorical(x: Any, num_classes: int | None = None) -> Any:
    """Converts class numbers to one-hot rows.

    Args:
        x: integers from 0; a trailing dimension of 1 is dropped.
        num_classes: default the greatest number plus one.

    Returns:
        Shape ``(*x.shape, num_classes)``: a tensor of ``floatx()`` for a tensor, else a float64 array.

    Raises:
        IndexError: a number is outside [0, num_classes).
        ValueError: ``x`` does not hold numbers, or ``num_classes`` is negative.

    Example:
        >>> tf.keras.utils.to_categorical([0, 2])
        array([[1., 0., 0.],
               [0., 0., 1.]])
    """
    tensor = as_tensor_or_none(x)
    values = np.asarray(x if tensor is None else tensor._on_host())
    require(values.dtype.kind in "biuf", "to_categorical", "x must hold class numbers", x=x)
    numbers = values.astype(np.int64)
    if numbers.ndim > 1 and numbers.shape[-1] == 1:
        numbers = numbers.reshape(numbers.shape[:-1])
    count = int(numbers.max()) + 1 if num_classes is None else int(num_classes)
    require(count >= 0, "to_categorical", "num_classes must not be negative", num_classes=num_classes)
    if numbers.size and (numbers.min() < 0 or numbers.max() >= count):
        invalid_class = int(numbers.min() if numbers.min() < 0 else numbers.max())
        raise IndexError(f"to_categorical: class number {invalid_class} is outside [0, {count}).")
    rows = numbers[..., None] == np.arange(count)
    return rows.astype(np.float64) if tensor is None else cast(rows, _standardize_dtype(None))


def normalize(x: Any, axis: int = -1, order: int = 2) -> Any:
    """Divides ``x`` by its norms along ``axis``; zero vectors do not change.

    Args:
        x: an array or tensor.
        axis: the axis of the vectors.
        order: the order of the norm; 2 is the Euclidean norm.

    Raises:
        ValueError: ``x`` does not hold numbers, or an array has no such axis.
        InvalidArgumentError: a tensor has no such axis.
    """
    tensor = as_tensor_or_none(x)
    array = np.asarray(x if tensor is None else tensor._on_host())
    require(array.dtype.kind in "biufcV", "normalize", "x must hold numbers", x=x)
    if array.ndim:
        try:
            _axis_from_front("normalize", axis, array.shape)
        except IndexError as error:
            raise (ValueError if tensor is None else InvalidArgumentError)(str(error)) from None
    # Squares of float16 numbers above 256 are infinite.
    precise = array.astype(np.float32) if array.dtype.kind in "fV" and array.dtype.itemsize == 2 else array
    norms = np.atleast_1d(np.linalg.norm(precise, order, axis))
    norms[norms == 0] = 1
    scaled = precise / np.expand_dims(norms, axis)
    if precise is not array:
        scaled = scaled.astype(array.dtype)
    return scaled if tensor is None else convert_to_tensor(scaled)


def standardize_dtype(dtype: Any) -> str:
    """Returns the name of ``dtype``, ``floatx()`` for None."""
    return _standardize_dtype(dtype).name
