"""Shared parts of the operations on strings: rows that Python computes, operands, and calls for ragged tensors."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.argument_checks import check_choice, check_type
from fastgrad._src.core.composite import CompositeOperand
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.lowering import ResultSize
from fastgrad._src.core.operation import Form, Operation, operation
from fastgrad._src.core.result_rules import ArraySpec, Rule
from fastgrad._src.core.tensor import Tensor, convert_to_tensor
from fastgrad._src.ops.batching import leading_axes_rule
from fastgrad._src.structures.ragged.ragged_tensor import RaggedTensor

BYTES = np.dtype(object)
"""NumPy's dtype of string tensors: each element is an object of the class bytes."""
STRING_DTYPES: frozenset[np.dtype] = frozenset([BYTES])
INDEX_DTYPES: frozenset[np.dtype] = frozenset([np.dtype(np.int32), np.dtype(np.int64)])
LENGTH_DTYPE = np.dtype(np.int64)


def string_operation(
    name: str,
    run: Callable[..., Any],
    result: Rule,
    *,
    dtypes: frozenset[np.dtype] = STRING_DTYPES,
    batched: Callable[..., Any] | None = leading_axes_rule,
    **lowering: Any,
) -> Operation:
    """Declares an operation that Python computes, one string after the other."""
    return operation(
        name,
        Form.EXTERN,
        run=run,
        result=result,
        dtypes=dtypes,
        batched=batched,
        in_python="strings are objects of Python",
        **lowering,
    )


def elements_operation(
    name: str, function: Callable[..., Any], dtype: Any = BYTES, *, checks: bool = False
) -> Operation:
    """Declares an operation of each element, which ``function(elements, **attributes)`` applies to a list of them.

    Args:
        name: the name of the row.
        function: takes and returns a list of Python's bytes or numbers.
        dtype: the dtype of the result.
        checks: whether ``function`` may raise errors.
    """
    result_dtype = np.dtype(dtype)

    def run(x: np.ndarray, **attributes: Any) -> np.ndarray:
        return array_of_elements(function(x.reshape(-1).tolist(), **attributes), x.shape, dtype)

    return string_operation(name, run, lambda x, **attributes: ArraySpec(tuple(x.shape), result_dtype), checks=checks)


def array_of_elements(elements: Sequence[Any], shape: Sequence[int], dtype: Any = BYTES) -> np.ndarray:
    """Returns Python values, in row-major order, as an array."""
    array = np.empty(len(elements), dtype)
    array[:] = elements
    return array.reshape(tuple(shape))


def rows_operation(
    name: str,
    parts_of: Callable[..., list[Any]],
    dtype: Any = BYTES,
    parts_of_all: Callable[..., tuple[np.ndarray, np.ndarray] | None] | None = None,
    *,
    checks: bool = False,
) -> Operation:
    """Declares an operation of a vector that makes a list of each element: it returns all items, and the lengths of lists.

    Args:
        name: the name of the row.
        parts_of: returns the list of an element.
        dtype: the dtype of the items.
        parts_of_all: returns the items and lengths of a vector sooner, or None if it can't.
        checks: whether ``parts_of`` may raise errors.
    """

    def run(x: np.ndarray, **attributes: Any) -> tuple[np.ndarray, np.ndarray]:
        items_and_lengths = parts_of_all and parts_of_all(x, **attributes)
        if items_and_lengths is not None:
            return items_and_lengths
        lists = [parts_of(value, **attributes) for value in x.tolist()]
        items = [item for parts in lists for item in parts]
        return array_of_elements(items, [len(items)], dtype), np.array([len(parts) for parts in lists], LENGTH_DTYPE)

    return string_operation(
        name,
        run,
        lambda x, **attributes: (ArraySpec((None,), np.dtype(dtype)), ArraySpec(tuple(x.shape), LENGTH_DTYPE)),
        batched=None,
        result_size=ResultSize(count=lambda x, **attributes: len(run(x, **attributes)[0])),
        checks=checks,
    )


def call_for_rows(row: Operation, x: Any, **attributes: Any) -> Any:
    """Calls a ``rows_operation`` on strings of any rank.

    Returns:
        A vector for a scalar, else a ragged tensor with one more dimension than ``x``.
    """
    if isinstance(x, RaggedTensor):
        return x.with_flat_values(call_for_rows(row, x.flat_values, **attributes))
    rank = x._array.ndim
    if rank > 1:
        return call_for_rows(row, RaggedTensor.from_tensor(x, ragged_rank=rank - 1), **attributes)
    items, lengths = row(x if rank else x[None], **attributes)
    return RaggedTensor.from_row_lengths(items, lengths, validate=False) if rank else items


def strings_of(
    name: str, value: Any, *, any_dtype: bool = False, dtype_error: type[Exception] = InvalidArgumentError
) -> Tensor:
    """Converts an operand to a tensor of strings.

    Args:
        name: the operation, for errors.
        value: the operand.
        any_dtype: whether a Python value first becomes a tensor of its own dtype, as in some of TensorFlow's operations: a number is
            then a wrong dtype and no TypeError.
        dtype_error: the class of the error for a wrong dtype.

    Raises:
        TypeError, ValueError: a Python value that is no string.
        dtype_error: a tensor of another dtype.
        CompositeOperand: a ragged tensor.
    """
    if not hasattr(value, "dtype"):
        try:
            x = convert_to_tensor(value, None if any_dtype else dtypes.string)
        except CompositeOperand:
            raise
        except (TypeError, ValueError) as error:
            kind = TypeError if isinstance(error, TypeError) else ValueError
            raise kind(f"{name}: {error}; tf.strings.as_string makes strings.") from None
    else:
        x = convert_to_tensor(value)
    if x.dtype is not dtypes.string:
        raise dtype_error(
            f"cannot compute {name} as input #0(zero-based) was expected to be a string tensor but is a {x.dtype.name} "
            f"tensor. Convert it with tf.strings.as_string."
        )
    return x


def ragged_or_strings_of(name: str, value: Any, **options: Any) -> Any:
    """Converts an operand to a tensor of strings, or returns a ragged tensor of strings; options and errors as in ``strings_of``."""
    if isinstance(value, RaggedTensor):
        strings_of(name, value.flat_values, **options)
        return value
    return strings_of(name, value, **options)


def bytes_of(name: str, argument: str, value: Any) -> bytes:
    """Converts an argument to one string.

    Raises:
        TypeError: the argument is no string.
        InvalidArgumentError: a tensor that is no scalar.
    """
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, bytes):
        return value
    x = strings_of(name, value)
    if x._array.ndim:
        raise InvalidArgumentError(f"{name}: {argument} must be a scalar, got shape: {list(x._array.shape)}.")
    text: Any = x._elements()[()]
    return bytes(text)


def bytes_attribute(name: str, argument: str, value: Any) -> bytes:
    """Converts an argument that is a constant of the program, such as a separator, to one string.

    Raises:
        TypeError: a list, None or another value that is no string.
        InvalidArgumentError: a tensor that is no scalar.
    """
    if not isinstance(value, (str, bytes)) and not hasattr(value, "dtype"):
        raise TypeError(f"{name}: {argument} must be a string, got {value!r}.")
    return bytes_of(name, argument, value)


def integer_attribute(name: str, argument: str, value: Any) -> int:
    """Converts an argument that is a constant of the program to an integer. Floats without a fraction are taken, as in TensorFlow.

    Raises:
        TypeError: any other value.
    """
    try:
        return int(value) if isinstance(value, float) and value.is_integer() else operator.index(value)
    except TypeError:
        raise TypeError(f"{name}: {argument} must be an integer, got {value!r}.") from None


def check_string_choice(name: str, choices: Sequence[str], **arguments: Any) -> None:
    """Raises TypeError unless each argument is a string, InvalidArgumentError unless it is one of ``choices``."""
    check_type(name, "a string", (str, bytes), **arguments)
    check_choice(name, choices, InvalidArgumentError, **arguments)


def elementwise(function: Callable[..., Any]) -> Callable[..., Any]:
    """Decorates a public function whose first argument is a tensor: for a ragged tensor, it maps the flat values."""

    @functools.wraps(function)
    def call(input: Any, *arguments: Any, **options: Any) -> Any:
        try:
            return function(input, *arguments, **options)
        except CompositeOperand as operand:
            return operand.mapped(lambda x: function(x, *arguments, **options), input)

    return call
