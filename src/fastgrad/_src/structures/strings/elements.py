"""Functions of each string: length, lower, upper, strip, substr, join, to_number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.operand_errors import mixed_dtypes_error, shapes_error
from fastgrad._src.core.result_rules import ArraySpec, broadcast
from fastgrad._src.core.tensor import Tensor, convert_to_tensor
from fastgrad._src.kernels.hashing.bytes_objects import byte_counts, character_counts, find_substrings
from fastgrad._src.kernels.hashing.text_contents import (
    MOST_EXACT_DIGITS,
    find_character_substrings,
    parse_floats,
    parse_integers,
)
from fastgrad._src.ops import namespace as ops
from fastgrad._src.structures.ragged.elementwise import map_flat_values
from fastgrad._src.structures.ragged.ragged_tensor import RaggedTensor
from fastgrad._src.structures.strings.rows import (
    INDEX_DTYPES,
    STRING_DTYPES,
    array_of_elements,
    bytes_attribute,
    check_string_choice,
    elements_operation,
    elementwise,
    string_operation,
    strings_of,
)

_UNITS = ("BYTE", "UTF8_CHAR")


def _character_starts(text: bytes) -> list[int]:
    """Returns the positions of bytes that begin a character of UTF-8."""
    return [position for position, byte in enumerate(text) if byte & 0xC0 != 0x80]


# ---- length, letters, white space ----------------------------------------------------------------------------


def _map_decoded_texts(function: Callable[[str], str], texts: list[bytes]) -> list[bytes]:
    return [function(text.decode(errors="replace")).encode() for text in texts]


def _run_length(x: np.ndarray, unit: str) -> np.ndarray:
    counts = np.empty(x.shape, np.int32)
    texts, address = ops.bytes_objects(x)
    count = byte_counts if unit == "BYTE" else character_counts
    count[()](address, counts, 0, texts.size)
    return counts


_length = string_operation("string_length", _run_length, lambda x, unit: ArraySpec(tuple(x.shape), np.dtype(np.int32)))
_lower = elements_operation(
    "string_lower",
    lambda texts, encoding: _map_decoded_texts(str.lower, texts) if encoding else [*map(bytes.lower, texts)],
)
_upper = elements_operation(
    "string_upper",
    lambda texts, encoding: _map_decoded_texts(str.upper, texts) if encoding else [*map(bytes.upper, texts)],
)
_strip = elements_operation("string_strip", lambda texts: [*map(bytes.strip, texts)])


@elementwise
def length(input: Any, unit: str = "BYTE", name: str | None = None) -> Any:
    """The length of each string.

    Args:
        input: strings, any shape.
        unit: ``"BYTE"`` or ``"UTF8_CHAR"``: what is counted.
        name: kept for TensorFlow's signature.

    Returns:
        int32, the shape of ``input``.

    Raises:
        TypeError: a Python value that is no string.
        InvalidArgumentError: a tensor of another dtype, or an unknown unit.
    """
    check_string_choice("length", _UNITS, unit=unit)
    return _length(strings_of("length", input), unit=unit)


def _checked_encoding(name: str, encoding: Any) -> str:
    if encoding is None:
        return ""
    if not isinstance(encoding, str):
        raise TypeError(f"{name}: encoding must be a string, got {encoding!r}.")
    if encoding not in ("", "utf-8"):
        raise InvalidArgumentError(f"{name}: only utf-8 or '' (no encoding) is supported, received {encoding}.")
    return encoding


@elementwise
def lower(input: Any, encoding: str = "", name: str | None = None) -> Any:
    """Each string in lower case.

    Args:
        input: strings, any shape.
        encoding: ``""`` changes the letters of ASCII only; ``"utf-8"`` changes all letters, and replaces invalid bytes.
        name: kept for TensorFlow's signature.

    Raises:
        TypeError: a Python value that is no string.
        InvalidArgumentError: a tensor of another dtype, or another encoding.
    """
    return _lower(strings_of("lower", input), encoding=_checked_encoding("lower", encoding))


@elementwise
def upper(input: Any, encoding: str = "", name: str | None = None) -> Any:
    """Each string in upper case; arguments and errors as in ``lower``."""
    return _upper(strings_of("upper", input), encoding=_checked_encoding("upper", encoding))


@elementwise
def strip(input: Any, name: str | None = None) -> Any:
    """Each string without white space of ASCII at its ends.

    Args:
        input: strings, any shape.
        name: kept for TensorFlow's signature.

    Raises:
        TypeError: a Python value that is no string.
        InvalidArgumentError: a tensor of another dtype.
    """
    return _strip(strings_of("strip", input))


# ---- parts and joins -----------------------------------------------------------------------------------------


def _substring(text: bytes, start: int, length: int, unit: str, index: int) -> bytes:
    starts = range(len(text)) if unit == "BYTE" else _character_starts(text)
    count = len(starts)
    if not -count <= start <= count:
        raise InvalidArgumentError(f"substr: pos {start} out of range for string {text!r} at index {index}.")
    begin = start + count if start < 0 else start
    end = count if length < 0 else min(begin + length, count)
    limits = [*starts, len(text)]
    return text[limits[begin] if begin else 0 : limits[end]]


def _run_substr(x: np.ndarray, starts: np.ndarray, lengths: np.ndarray, unit: str) -> np.ndarray:
    if not starts.ndim:
        texts, address = ops.bytes_objects(x)
        addresses, sizes = np.empty(x.shape, np.int64), np.empty(x.shape, np.int64)
        find = find_substrings if unit == "BYTE" else find_character_substrings
        if find[()](address, addresses, sizes, int(starts), int(lengths), 0, texts.size) < 0:
            return ops.texts_at(addresses, sizes)
    arrays = np.broadcast_arrays(x, starts, lengths)
    values = zip(*[array.reshape(-1).tolist() for array in arrays], strict=True)
    parts = [_substring(text, start, length, unit, index) for index, (text, start, length) in enumerate(values)]
    return array_of_elements(parts, arrays[0].shape)


_substr = string_operation(
    "substr", _run_substr, broadcast, dtypes=STRING_DTYPES | INDEX_DTYPES, batched=ops.broadcasting_rule, checks=True
)


def _convert_lengths(starts: Tensor, value: Any) -> Tensor:
    """Converts the lengths of ``substr``; Python values get the dtype of the positions."""
    if hasattr(value, "dtype"):
        return convert_to_tensor(value)
    try:
        return convert_to_tensor(value, starts.dtype)
    except (TypeError, ValueError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"substr: len must have the dtype of pos, {starts.dtype.name}: {error}") from None


@elementwise
def substr(input: Any, pos: Any, len: Any, unit: str = "BYTE", name: str | None = None) -> Any:
    """The part of each string that begins at ``pos``.

    Args:
        input: strings, any shape.
        pos: int32 or int64: the first position of the part; negative positions count from the end. Broadcasts with ``input``.
        len: the dtype and shape of ``pos``: the length of the part, which ends earlier where the string ends.
        unit: ``"BYTE"`` or ``"UTF8_CHAR"``: what positions and lengths count.
        name: kept for TensorFlow's signature.

    Raises:
        TypeError: a Python value that is no string; a ``len`` that does not fit the dtype of ``pos``.
        InvalidArgumentError: a position outside of its string, shapes that do not fit, another dtype or unit.
    """
    x, starts = strings_of("substr", input), ops.tensor_of(pos)
    lengths = _convert_lengths(starts, len)
    check_string_choice("substr", _UNITS, unit=unit)
    if starts._array.dtype not in INDEX_DTYPES:
        raise InvalidArgumentError(f"substr: pos must be int32 or int64, got {starts.dtype.name}; use tf.cast.")
    if lengths.dtype is not starts.dtype:
        raise mixed_dtypes_error("substr", starts.dtype, lengths.dtype)
    if starts._array.shape != lengths._array.shape:
        raise InvalidArgumentError(f"substr: pos and len should have the same shape: {starts.shape}, {lengths.shape}.")
    try:
        np.broadcast_shapes(x._array.shape, starts._array.shape)
    except ValueError:
        raise shapes_error("substr", x._array.shape, starts._array.shape) from None
    return _substr(x, starts, lengths, unit=unit)


def _run_join(*inputs: np.ndarray, separator: bytes) -> np.ndarray:
    arrays = np.broadcast_arrays(*inputs)
    texts = zip(*[array.reshape(-1).tolist() for array in arrays], strict=True)
    return array_of_elements([separator.join(parts) for parts in texts], arrays[0].shape)


_join = string_operation("string_join", _run_join, broadcast, batched=ops.broadcasting_rule)


def join(inputs: Any, separator: Any = "", name: str | None = None) -> Any:
    """Joins strings at equal positions of several tensors.

    Args:
        inputs: a list of tensors or ragged tensors of strings. Scalars are broadcast; all others have the same shape.
        separator: the string between joined strings; None for none.
        name: kept for TensorFlow's signature.

    Raises:
        TypeError: ``inputs`` is no list, or a Python value is no string.
        InvalidArgumentError: shapes differ, or a tensor of another dtype.
    """
    if inputs is None or not hasattr(inputs, "__iter__"):
        raise TypeError(f"join: inputs must be a list of tensors of strings, got {inputs!r}.")
    between = b"" if separator is None else bytes_attribute("join", "separator", separator)
    if any(isinstance(x, RaggedTensor) for x in inputs):
        return map_flat_values(lambda *values: join(values, between), *inputs)
    tensors = [strings_of("join", x) for x in inputs]
    if not tensors:
        return convert_to_tensor(b"")
    shapes = [x._array.shape for x in tensors if x._array.ndim]
    for shape in shapes:
        if shape != shapes[0]:
            raise InvalidArgumentError(f"join: Input shapes do not match: {list(shapes[0])} vs. {list(shape)}.")
    return _join(*tensors, separator=between)


# ---- numbers ---------------------------------------------------------------------------------------------------


def parse_number(text: bytes, dtype: str) -> Any:
    """Returns the number that a string says; InvalidArgumentError if it is none of ``dtype``."""
    result_dtype = np.dtype(dtype)
    word = text.strip()
    try:
        if b"_" in word:  # Python's numbers may have them
            raise ValueError
        if result_dtype.kind == "f":
            return _parse_hexadecimal_float(word) if b"x" in word.lower() else float(word)
        limits = np.iinfo(result_dtype)
        number = int(word)
        if not limits.min <= number <= limits.max or (limits.min == 0 and word.startswith(b"-")):
            raise ValueError
        return number
    except ValueError:
        shown = text.decode(errors="replace")
        raise InvalidArgumentError(
            f"to_number: StringToNumberOp could not correctly convert string: {shown} (to {dtype})."
        ) from None


def _parse_hexadecimal_float(word: bytes) -> float:
    try:
        return float.fromhex(word.decode())
    except OverflowError:
        return -np.inf if word.startswith(b"-") else np.inf


_NUMBER_DTYPES = (dtypes.float32, dtypes.float64, dtypes.int32, dtypes.int64, dtypes.uint32, dtypes.uint64)


_POWERS_OF_TEN = 10.0 ** np.arange(MOST_EXACT_DIGITS + 1)


def _run_to_number(x: np.ndarray, dtype: str) -> np.ndarray:
    texts, address = ops.bytes_objects(x)
    is_float = "float" in dtype
    numbers = np.empty(x.shape, np.float64 if is_float else "uint64" if dtype == "uint64" else np.int64)
    flat, words = numbers.reshape(-1), texts.reshape(-1)
    limits = None if is_float else np.iinfo(dtype)
    start = 0
    while True:  # the kernel reads plain numbers; Python reads one at which it stops
        if limits is None:
            start = parse_floats[()](address, _POWERS_OF_TEN, numbers, start, texts.size)
        else:
            start = parse_integers[()](address, numbers.view(np.int64), int(limits.min < 0), start, texts.size)
        if start < 0:
            break
        flat[start] = parse_number(words[start], dtype)
        start += 1
    if limits is not None:
        for word in words[(flat < limits.min) | (flat > limits.max)][:1].tolist():
            parse_number(word, dtype)  # raises the error
    return numbers.astype(dtype, copy=False)


_to_number = string_operation(
    "string_to_number", _run_to_number, lambda x, dtype: ArraySpec(tuple(x.shape), np.dtype(dtype)), checks=True
)


@elementwise
def to_number(input: Any, out_type: Any = dtypes.float32, name: str | None = None) -> Any:
    """Parses each string as a number.

    Args:
        input: strings, any shape. White space at the ends is ignored. Floats may be hexadecimal (``0x1p3``), inf or nan.
        out_type: float32, float64, int32, int64, uint32 or uint64.
        name: kept for TensorFlow's signature.

    Returns:
        ``out_type``, the shape of ``input``. Floats out of range become infinite.

    Raises:
        TypeError: a Python value that is no string.
        InvalidArgumentError: a string is no number, or an integer out of range; another dtype.
    """
    dtype = dtypes.as_dtype(out_type)
    check_string_choice("to_number", [choice.name for choice in _NUMBER_DTYPES], out_type=dtype.name)
    return _to_number(strings_of("to_number", input), dtype=dtype.name)
