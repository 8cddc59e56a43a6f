"""The errors of operations for operands that do not fit."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.errors import InvalidArgumentError, NotFoundError, OutOfMemoryError


class InvalidValueError(InvalidArgumentError, ValueError):
    """An argument does not fit. TensorFlow raises the first base class in a kernel, the second before it calls one."""


class InvalidTypeError(InvalidArgumentError, TypeError):
    """A Python value has no fitting dtype. TensorFlow raises the second base class if it converts the value first."""


def dtype_error(name: str, dtype: Any, allowed_dtypes: Iterable[np.dtype]) -> InvalidArgumentError | NotFoundError:
    """Returns the error for an operation that does not take the dtype ``dtype``."""
    allowed_dtypes = set(allowed_dtypes)
    allowed = ", ".join(d.name for d in dtypes.ALL if d.numpy in allowed_dtypes)
    # TensorFlow's operation of all dtypes, such as Equal, takes a narrow one too, but has no kernel for it.
    takes_all = allowed_dtypes.issuperset(d.numpy for d in dtypes.ALL)
    return (NotFoundError if takes_all else InvalidArgumentError)(
        f"{name}: got dtype {dtypes.as_dtype(dtype).name}, but takes {allowed}. Convert with tf.cast(x, dtype) first."
    )


def check_not_narrow(name: str, array: Any, allowed_dtypes: Iterable[np.dtype]) -> None:
    """Raises the error of ``dtype_error`` for an array of a narrow dtype (``dtypes.NARROW``)."""
    if array.dtype in dtypes.NARROW_NUMPY_DTYPES:
        raise dtype_error(name, array.dtype, allowed_dtypes)


def mixed_dtypes_error(name: str, first: Any, second: Any) -> InvalidArgumentError:
    """Returns the error for two tensors of different dtypes in one operation."""
    first, second = dtypes.as_dtype(first).name, dtypes.as_dtype(second).name
    return InvalidArgumentError(
        f"cannot compute {name} as input #1(zero-based) was expected to be a {first} tensor but is a {second} tensor. "
        f"Tensors are never converted silently: use tf.cast."
    )


def shapes_error(name: str, first: Any, second: Any) -> InvalidArgumentError:
    """Returns the error for two shapes that do not broadcast together."""
    return InvalidArgumentError(
        f"{name}: Incompatible shapes: {list(first)} vs. {list(second)}. "
        f"Dimensions, counted from the last, must be equal or 1; tf.reshape or tf.expand_dims can add them."
    )


def check_size(name: str, shape: Iterable[int], dtype: np.dtype) -> None:
    """Raises ResourceExhaustedError, before anything is computed, if no memory holds a result of this shape and dtype."""
    try:
        np.empty(tuple(shape), dtype)  # the system gives pages only where something is written
    except (MemoryError, ValueError) as error:
        exhausted = size_error(name, error)
        if exhausted is None:
            raise
        raise exhausted from None


def size_error(name: str, error: MemoryError | ValueError) -> OutOfMemoryError | None:
    """Returns the error for a result too large for memory or for NumPy's sizes; None for any other ValueError."""
    if isinstance(error, MemoryError):
        return OutOfMemoryError(f"{name}: {str(error) or 'out of memory.'}")
    if str(error).startswith(
        ("array is too big", "Maximum allowed", "maximum supported dimension", "array size defined by dims")
    ):
        return OutOfMemoryError(f"{name}: the result is larger than any memory: more than 2**63 - 1 bytes.")
    return None
