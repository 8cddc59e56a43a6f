"""Conversion of the arguments of public functions in ``ops/``: tensors, axes and sizes.

Axes and sizes become plain Python numbers, because rows of the table take these as attributes. They are checked
before anything runs.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastgrad._src.core.argument_checks import named_argument
from fastgrad._src.core.composite import CompositeOperand
from fastgrad._src.core.dtypes import DTYPE_OF_NUMPY, DType
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.operand_errors import (
    InvalidTypeError,
    InvalidValueError,
    dtype_error,
    mixed_dtypes_error,
    size_error,
)
from fastgrad._src.core.operation import FLOAT_DTYPES
from fastgrad._src.core.shape import TensorShape
from fastgrad._src.core.tensor import Tensor, as_tensor_or_none, convert_to_tensor, from_python
from fastgrad._src.core.variable import Variable


def tensor_of(value: Any) -> Tensor:
    """Converts ``value`` to an operand, as ``tf.convert_to_tensor``, with a fast path for tensors and variables.

    A function that may return its operand unchanged calls ``convert_to_tensor`` instead (see ``Variable._read``).
    """
    if type(value) is Tensor:
        return value
    if isinstance(value, Variable):
        return value._read()
    return convert_to_tensor(value)


def tensors_of(values: Sequence[Any], name: str) -> list[Tensor]:
    """Converts ``values`` to operands of one dtype; a value that is no tensor takes the dtype of the first tensor.

    Raises:
        InvalidArgumentError: ``values`` holds tensors of different dtypes.
        TypeError: a Python value that does not fit the dtype.
    """
    head = values[0] if values else None
    if type(head) is Tensor:  # a fast path
        dtype = head._array.dtype
        for value in values:
            if type(value) is not Tensor or value._array.dtype is not dtype:
                break
        else:
            return list(values)
    tensors = [value if type(value) is Tensor else as_tensor_or_none(value) for value in values]
    first = next((x for x in tensors if x is not None), None)
    position = 0
    try:
        if first is None:
            first = tensors[0] = convert_to_tensor(values[0])
        dtype = first._array.dtype
        for position, x in enumerate(tensors):
            if x is None:
                x = tensors[position] = from_python(values[position], DTYPE_OF_NUMPY[dtype])
            if x._array.dtype is not dtype and x._array.dtype != dtype:
                raise mixed_dtypes_error(name, dtype, x._array.dtype)
    except CompositeOperand:
        raise
    except (TypeError, ValueError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"{name}: item {position} of the list is no tensor of the list's dtype: {error}") from None
    return tensors  # type: ignore[return-value]  # the Nones have been replaced


def tensor_of_dtype(value: Any, dtype: DType, name: str, argument: str) -> Tensor:
    """Converts the argument ``argument`` of the operation ``name``; a Python value takes ``dtype`` if it fits.

    Raises:
        InvalidArgumentError: a tensor of another dtype; it is a ValueError, too.
        TypeError, ValueError: a Python value that does not fit.
    """
    x = as_tensor_or_none(value)
    if x is None:
        with named_argument(name, argument, f"of dtype {dtype.name}"):
            x = convert_to_tensor(value, dtype)
    if x.dtype is not dtype:
        raise InvalidValueError(f"{name}: `{argument}` must be of dtype {dtype.name}, got {x.dtype.name}; use tf.cast.")
    return x


def scalar_of_dtype(value: Any, dtype: DType, name: str, argument: str) -> Tensor:
    """Converts as ``tensor_of_dtype``; InvalidArgumentError unless it is a scalar."""
    x = tensor_of_dtype(value, dtype, name, argument)
    if x._array.ndim:
        raise InvalidArgumentError(f"{name}: Argument `{argument}` must be a scalar, got shape {list(x._array.shape)}.")
    return x


def as_python_int(value: Any, what: str) -> int:
    """Converts a Python int, a NumPy integer or a tensor of shape () to a Python int.

    Args:
        value: the argument.
        what: the operation and the argument, for the error.

    Raises:
        TypeError: a Python number or string that is no integer.
        InvalidArgumentError: a tensor or list of another dtype or shape.
    """
    if type(value) is int:
        return value
    if isinstance(value, (float, str, bytes)):
        raise TypeError(f"{what}: cannot convert {value!r} to an integer.")
    try:
        return operator.index(value)
    except TypeError:
        array = tensor_of(value)._elements()
    if array.dtype.kind not in "iu" or array.ndim:
        raise InvalidArgumentError(f"{what} must be one integer, got {value!r}.")
    return int(array)


def as_single_python_int(value: Any, what: str) -> int:
    """Converts as ``as_python_int``, but also takes a vector of one number, as some of TensorFlow's operations do."""
    if isinstance(value, (list, tuple, Tensor, TensorShape, np.ndarray)):
        numbers = as_python_ints(value, what)
        if len(numbers) == 1:
            return numbers[0]
    return as_python_int(value, what)


def as_python_ints(value: Any, what: str) -> tuple[int, ...]:
    """Converts a vector such as a shape, a sequence of integers or a tensor of rank 1, to Python ints.

    Args:
        value: the argument; a single number counts as a vector of one. Floats without a fraction may be in an array, or be tensors in
            a list.
        what: the operation and the argument, for the error.

    Raises:
        ValueError: None or a boolean among the numbers.
        InvalidArgumentError: numbers that are no integers, or a tensor of rank above 1. Of a Python value it is a TypeError too.
    """
    if type(value) is TensorShape and value.is_fully_defined():
        return tuple(value)
    if isinstance(value, (tuple, list)):
        for item in value:
            if type(item) is not int:
                break
        else:
            return tuple(value)
        for item in value:
            if item is None or item is True or item is False:
                raise ValueError(f"{what}: attempt to convert a value ({item}) with an unsupported type {type(item)}.")
        try:
            return tuple([operator.index(item) for item in value])
        except TypeError:
            pass
    elif type(value) is int:
        return (value,)
    array = tensor_of(value)._elements()
    if array.size == 0 and array.ndim == 1:
        return ()
    if _converts_floats(value) and array.dtype in FLOAT_DTYPES and (array == array.astype(np.int64)).all():
        array = array.astype(np.int64)
    if array.dtype.kind not in "iu":
        error = InvalidTypeError if as_tensor_or_none(value) is None else InvalidArgumentError
        raise error(f"{what} must be integers (int32 or int64), got {array.dtype} in {value!r}.")
    if array.ndim > 1:
        raise InvalidArgumentError(f"{what} must be a vector of integers, got shape {list(array.shape)}.")
    return tuple(array.reshape(-1).tolist())


def _converts_floats(value: Any) -> bool:
    """True if TensorFlow converts ``value``, if it holds floats, to integers: an array, or a list of tensors and numbers."""
    return isinstance(value, np.ndarray) or (
        isinstance(value, (tuple, list)) and any(isinstance(item, Tensor) for item in value)
    )


def check_dtype(name: str, dtype: np.dtype, allowed: frozenset[np.dtype]) -> None:
    """Raises InvalidArgumentError, which names the operation, unless ``dtype`` is ``allowed``."""
    if dtype not in allowed:
        raise dtype_error(name, dtype, allowed)


def nonnegative_axis(axis: Any, rank: int, name: str, error: type[Exception] = InvalidArgumentError) -> int:
    """Returns ``axis`` counted from the front.

    Raises:
        error: a tensor of rank ``rank`` has no such axis.
    """
    number = axis if type(axis) is int else as_python_int(axis, f"{name}: axis")
    if not -rank <= number < rank:
        raise error(f"{name}: `axis` = {number} not in range [{-rank}, {rank}): the tensor has {rank} dimensions.")
    return number + rank if number < 0 else number


def numbers_below(count: int, name: str, dtype: Any = np.int64) -> np.ndarray:
    """Returns the numbers from 0 to ``count`` - 1.

    Raises:
        OutOfMemoryError: there are more of them than memory holds.
    """
    try:
        np.empty(count)  # numpy.arange has no numbers, and raises nothing, for a count of 2**63 - 1
        return np.arange(count).astype(dtype, copy=False)
    except (MemoryError, ValueError) as error:
        raise size_error(name, error) or error from None


def broadcasts_to(shape: tuple[int, ...], target_shape: tuple[int, ...]) -> bool:
    """True if a tensor of ``shape`` broadcasts to the shape ``target_shape``."""
    return len(shape) <= len(target_shape) and all(
        m in (1, n) for m, n in zip(reversed(shape), reversed(target_shape), strict=False)
    )
