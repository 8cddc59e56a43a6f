"""Characters of Unicode: unicode_decode, unicode_encode, unicode_script, unicode_split, unicode_transcode, also with offsets.

Python's codecs decode, so input encodings have Python's names (``"UTF-8"``, ``"latin1"``, ``"shift_jis"`` ...).
"""

from __future__ import annotations

import codecs
import itertools
from typing import Any, NamedTuple

import numpy as np

from fastgrad._src.core.argument_checks import check_interval, check_type
from fastgrad._src.core.dtypes import int32
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.operand_errors import mixed_dtypes_error
from fastgrad._src.core.operation import Operation
from fastgrad._src.core.result_rules import ArraySpec
from fastgrad._src.core.tensor import Tensor, constant_tensor, convert_to_tensor
from fastgrad._src.core.variable import Variable
from fastgrad._src.kernels.hashing.bytes_objects import find_substrings
from fastgrad._src.kernels.hashing.text_contents import decode_utf8
from fastgrad._src.ops import namespace as ops
from fastgrad._src.structures.ragged.ragged_tensor import RaggedTensor
from fastgrad._src.structures.strings.rows import (
    BYTES,
    INDEX_DTYPES,
    array_of_elements,
    call_for_rows,
    check_string_choice,
    elements_operation,
    elementwise,
    integer_attribute,
    ragged_or_strings_of,
    rows_operation,
    string_operation,
    strings_of,
)
from fastgrad._src.structures.strings.unicode_scripts import script_boundaries

_OUTPUT_ENCODINGS = ("UTF-8", "UTF-16-BE", "UTF-32-BE")
_ERRORS = ("strict", "replace", "ignore")
_REPLACEMENT = 0xFFFD
_LAST_CONTROL, _LAST_CODE = 0x1F, 0x10FFFF
_SURROGATES = range(0xD800, 0xE000)


class _Characters(NamedTuple):
    """The characters of a string: their codes, and the position of the first byte of each."""

    codes: list[int]
    offsets: list[int]


def _decode_characters(text: bytes, encoding: str, errors: str, replacement: int, replace_control: bool) -> _Characters:
    """Decodes a string; what is no character is replaced, ignored or an error, as ``errors`` says."""
    codes: list[int] = []
    offsets: list[int] = []
    position = 0
    while position < len(text):
        try:
            valid = text[position:].decode(encoding)
            end = after = len(text)
        except UnicodeDecodeError as error:
            end, after = position + error.start, position + error.end
            valid = text[position:end].decode(encoding)
        codes += map(ord, valid)
        if len(valid) == end - position:  # one byte each
            offsets += range(position, end)
        else:
            offsets += itertools.accumulate(
                [len(_encode_code_point(ord(c), encoding)) for c in valid[:-1]], initial=position
            )
        if after > end and errors == "strict":
            raise InvalidArgumentError("Invalid formatting on input string; errors='replace' or 'ignore' accepts it.")
        if after > end and errors == "replace":
            codes.append(replacement)
            offsets.append(end)
        position = after
    if not replace_control:
        return _Characters(codes, offsets)
    if errors == "ignore":
        kept = [index for index, code in enumerate(codes) if code > _LAST_CONTROL]
        return _Characters([codes[index] for index in kept], [offsets[index] for index in kept])
    return _Characters([code if code > _LAST_CONTROL else replacement for code in codes], offsets)


def _encode_code_point(code: int, encoding: str) -> bytes:
    return chr(code).encode(encoding)


class _CharactersOfAll(NamedTuple):
    """The characters of several strings: their codes, the addresses of their first bytes, their offsets, and the numbers of them."""

    codes: np.ndarray
    addresses: np.ndarray
    offsets: np.ndarray
    counts: np.ndarray
    held: np.ndarray


def _decode_all_characters(
    x: np.ndarray, encoding: str, replace_control: bool, **options: Any
) -> _CharactersOfAll | None:
    """Decodes a vector of strings of UTF-8 without a mistake; returns None for any other."""
    if encoding != "utf-8" or replace_control:
        return None
    texts, address = ops.bytes_objects(x)
    addresses, sizes, counts = [np.empty(len(x), np.int64) for _ in range(3)]
    find_substrings[()](address, addresses, sizes, 0, -1, 0, len(x))
    most = int(sizes.sum())
    codes, offsets = np.empty(most, np.int32), np.empty(most, np.int64)
    if decode_utf8[()](address, codes, offsets, counts, 0, len(x)) >= 0:
        return None
    total = int(counts.sum())
    codes, offsets = codes[:total].copy(), offsets[:total].copy()
    return _CharactersOfAll(codes, np.repeat(addresses, counts) + offsets, offsets, counts, texts)


def _code_points_of_all(x: np.ndarray, **options: Any) -> tuple[np.ndarray, np.ndarray] | None:
    characters = _decode_all_characters(x, **options)
    return characters and (characters.codes, characters.counts)


def _offsets_of_all(x: np.ndarray, **options: Any) -> tuple[np.ndarray, np.ndarray] | None:
    characters = _decode_all_characters(x, **options)
    return characters and (characters.offsets, characters.counts)


def _strings_of_all_characters(x: np.ndarray, **options: Any) -> tuple[np.ndarray, np.ndarray] | None:
    characters = _decode_all_characters(x, **options)
    return characters and (ops.texts_at(characters.addresses, _utf8_sizes(characters.codes)), characters.counts)


def _utf8_sizes(codes: np.ndarray) -> np.ndarray:
    """Returns the number of bytes of each character in UTF-8."""
    return np.searchsorted([0x80, 0x800, 0x10000], codes, "right") + 1


_decode = rows_operation(
    "unicode_decode",
    lambda text, **options: _decode_characters(text, **options).codes,
    np.int32,
    _code_points_of_all,
    checks=True,
)
_offsets = rows_operation(
    "unicode_offsets",
    lambda text, **options: _decode_characters(text, **options).offsets,
    np.int64,
    _offsets_of_all,
    checks=True,
)
_split = rows_operation(
    "unicode_split",
    lambda text, **options: [
        _encode_code_point(code, options["encoding"]) for code in _decode_characters(text, **options).codes
    ],
    parts_of_all=_strings_of_all_characters,
    checks=True,
)
_transcode = elements_operation(
    "unicode_transcode",
    lambda texts, output_encoding, **options: [
        b"".join([_encode_code_point(code, output_encoding) for code in _decode_characters(text, **options).codes])
        for text in texts
    ],
    checks=True,
)


def _decoding_options(
    name: str, input_encoding: str, errors: str, replacement_char: int, replace_control_characters: bool = False
) -> dict[str, Any]:
    """Returns the attributes of the rows that decode.

    Raises:
        TypeError: the encoding or ``errors`` is no string, or ``replacement_char`` no integer.
        InvalidArgumentError: the encoding or ``errors`` is unknown, or ``replacement_char`` is no code of Unicode.
    """
    check_string_choice(name, _ERRORS, errors=errors)
    check_type(name, "a string", str, input_encoding=input_encoding)
    replacement_char = integer_attribute(name, "replacement_char", replacement_char)
    check_interval(name, f"[0, {_LAST_CODE}]", InvalidArgumentError, replacement_char=replacement_char)
    try:
        b"".decode(input_encoding)  # LookupError also for Python's codecs that are no encodings of text
        encoding = codecs.lookup(input_encoding).name
    except LookupError:
        raise InvalidArgumentError(
            f"{name}: Could not create converter for input encoding: {input_encoding}."
        ) from None
    return {
        "encoding": {"utf-16": "utf-16-be", "utf-32": "utf-32-be"}.get(
            encoding, encoding
        ),  # as without a mark of order
        "errors": errors,
        "replacement": replacement_char,
        "replace_control": bool(replace_control_characters),
    }


def _checked_output_encoding(name: str, argument: str, encoding: str, replacement_char: int) -> str:
    check_string_choice(name, _OUTPUT_ENCODINGS, **{argument: encoding})
    replacement_char = integer_attribute(name, "replacement_char", replacement_char)
    if replacement_char in _SURROGATES or not 0 <= replacement_char <= _LAST_CODE:
        raise InvalidArgumentError(f"{name}: replacement_char out of unicode codepoint range, got {replacement_char}.")
    return codecs.lookup(encoding).name


# ---- decode and split ----------------------------------------------------------------------------------------------


def unicode_decode(
    input: Any,
    input_encoding: str,
    errors: str = "replace",
    replacement_char: int = _REPLACEMENT,
    replace_control_characters: bool = False,
    name: str | None = None,
) -> Any:
    """The Unicode code points of the characters of each string.

    Args:
        input: strings, any shape, or a ragged tensor.
        input_encoding: a name of an encoding that Python knows, such as ``"UTF-8"``.
        errors: the treatment of bytes that are no character: ``"replace"``, ``"ignore"`` or ``"strict"`` (an error).
        replacement_char: the code point that replaces such bytes.
        replace_control_characters: whether the codes 0 to 31 are replaced, or ignored, too.
        name: kept for TensorFlow's signature.

    Returns:
        int32: a vector for a scalar, else a ragged tensor with one more dimension than ``input``.

    Raises:
        TypeError: the encoding or ``errors`` is no string, or ``replacement_char`` no integer.
        InvalidArgumentError: an unknown encoding or ``errors``, invalid bytes under ``"strict"``, or another dtype.
    """
    options = _decoding_options("unicode_decode", input_encoding, errors, replacement_char, replace_control_characters)
    return call_for_rows(_decode, ragged_or_strings_of("unicode_decode", input, any_dtype=True), **options)


def unicode_decode_with_offsets(
    input: Any,
    input_encoding: str,
    errors: str = "replace",
    replacement_char: int = _REPLACEMENT,
    replace_control_characters: bool = False,
    name: str | None = None,
) -> tuple[Any, Any]:
    """The codes of ``unicode_decode``, and the position of the first byte of each character, int64, in the same shape."""
    options = _decoding_options(
        "unicode_decode_with_offsets", input_encoding, errors, replacement_char, replace_control_characters
    )
    x = ragged_or_strings_of("unicode_decode_with_offsets", input, any_dtype=True)
    return call_for_rows(_decode, x, **options), call_for_rows(_offsets, x, **options)


def unicode_split(
    input: Any,
    input_encoding: str,
    errors: str = "replace",
    replacement_char: int = _REPLACEMENT,
    name: str | None = None,
) -> Any:
    """Splits each string into its characters.

    Args:
        input: strings, any shape, or a ragged tensor.
        input_encoding: ``"UTF-8"``, ``"UTF-16-BE"`` or ``"UTF-32-BE"``.
        errors, replacement_char, name: as in ``unicode_decode``.

    Returns:
        Strings: a vector for a scalar, else a ragged tensor with one more dimension than ``input``.

    Raises:
        TypeError: the encoding or ``errors`` is no string, or ``replacement_char`` no integer.
        InvalidArgumentError: another encoding or ``errors``, invalid bytes under ``"strict"``, or another dtype.
    """
    return _split_characters("unicode_split", _split, input, input_encoding, errors, replacement_char)


def _split_characters(
    name: str, row: Operation, input: Any, input_encoding: str, errors: str, replacement_char: int
) -> Any:
    _checked_output_encoding(name, "input_encoding", input_encoding, replacement_char)
    options = _decoding_options(name, input_encoding, errors, replacement_char)
    return call_for_rows(row, ragged_or_strings_of(name, input, any_dtype=True), **options)


# ---- encode and transcode ------------------------------------------------------------------------------------------


def _encode_code_points(codes: list[int], encoding: str, errors: str, replacement: int) -> bytes:
    parts = []
    for code in codes:
        if 0 <= code <= _LAST_CODE and code not in _SURROGATES:
            parts.append(_encode_code_point(code, encoding))
        elif errors == "strict":
            raise InvalidArgumentError(
                f"unicode_encode: Code point is out of range for Unicode, or is a surrogate: {code}."
            )
        elif errors == "replace":
            parts.append(_encode_code_point(replacement, encoding))
    return b"".join(parts)


def _run_encode(codes: np.ndarray, splits: np.ndarray, **options: Any) -> np.ndarray:
    is_code = (codes >= 0) & (codes <= _LAST_CODE) & ((codes < _SURROGATES.start) | (codes >= _SURROGATES.stop))
    if options["encoding"] == "utf-8" and is_code.all():
        text = codes.astype("<u4").tobytes().decode("utf-32-le").encode()
        ends = np.concatenate([[0], np.cumsum(_utf8_sizes(codes))])[splits]
        return ops.parts_of_text(text, ends[:-1], np.diff(ends))
    numbers, limits = codes.tolist(), splits.tolist()
    rows = [_encode_code_points(numbers[i:j], **options) for i, j in itertools.pairwise(limits)]
    return array_of_elements(rows, [len(rows)])


_encode = string_operation(
    "unicode_encode",
    _run_encode,
    lambda codes, splits, **options: ArraySpec((splits.shape[0] - 1,), BYTES),
    dtypes=INDEX_DTYPES,
    batched=None,
    checks=True,
)


def unicode_encode(
    input: Any,
    output_encoding: str,
    errors: str = "replace",
    replacement_char: int = _REPLACEMENT,
    name: str | None = None,
) -> Any:
    """Encodes each row of Unicode code points as a string.

    Args:
        input: code points, int32, shape (..., characters), or a ragged tensor.
        output_encoding: ``"UTF-8"``, ``"UTF-16-BE"`` or ``"UTF-32-BE"``.
        errors: the treatment of numbers that are no code point: ``"replace"``, ``"ignore"`` or ``"strict"`` (an error).
        replacement_char: the code point that replaces such numbers.
        name: kept for TensorFlow's signature.

    Returns:
        Strings, of the shape of ``input`` without its last dimension.

    Raises:
        TypeError: the encoding or ``errors`` is no string, or ``replacement_char`` no integer.
        ValueError: a scalar.
        InvalidArgumentError: another dtype, encoding or ``errors``; a number that is no code under ``"strict"``.
    """
    check_string_choice("unicode_encode", _ERRORS, errors=errors)
    options = {
        "encoding": _checked_output_encoding("unicode_encode", "output_encoding", output_encoding, replacement_char),
        "errors": errors,
        "replacement": replacement_char,
    }
    return _encode_rows(input if isinstance(input, RaggedTensor) else ops.tensor_of(input), options)


def _encode_rows(x: Any, options: dict[str, Any]) -> Any:
    if x.dtype is not int32:
        raise mixed_dtypes_error("unicode_encode", int32, x.dtype)
    if isinstance(x, Tensor):
        if not x._array.ndim:
            raise ValueError("unicode_encode: input_tensor's rank must be at least 1, got a scalar.")
        *shape, size = x._array.shape
        splits = constant_tensor(np.arange(int(np.prod(shape)) + 1, dtype=np.int64) * size)
        return ops.reshape(_encode(ops.reshape(x, [-1]), splits, **options), shape)
    if isinstance(x.values, RaggedTensor) or x.values._array.ndim > 1:
        return x.with_values(_encode_rows(x.values, options))
    return _encode(x.values, x.row_splits, **options)


@elementwise
def unicode_transcode(
    input: Any,
    input_encoding: str,
    output_encoding: str,
    errors: str = "replace",
    replacement_char: int = _REPLACEMENT,
    replace_control_characters: bool = False,
    name: str | None = None,
) -> Any:
    """Each string in another encoding.

    Args:
        input: strings, any shape, or a ragged tensor.
        input_encoding, errors, replacement_char, replace_control_characters, name: as in ``unicode_decode``.
        output_encoding: ``"UTF-8"``, ``"UTF-16-BE"`` or ``"UTF-32-BE"``.

    Raises:
        TypeError: a Python value, the encoding or ``errors`` is no string, or ``replacement_char`` no integer.
        InvalidArgumentError: an unknown encoding or ``errors``, invalid bytes under ``"strict"``, or another dtype.
    """
    output = _checked_output_encoding("unicode_transcode", "output_encoding", output_encoding, replacement_char)
    options = _decoding_options(
        "unicode_transcode", input_encoding, errors, replacement_char, replace_control_characters
    )
    return _transcode(strings_of("unicode_transcode", input), output_encoding=output, **options)


@elementwise
def unicode_script(input: Any, name: str | None = None) -> Tensor:
    """The script of each code point, such as 25 for Latin and 8 for Cyrillic.

    Args:
        input: code points, int32, any shape, or a ragged tensor.
        name: kept for TensorFlow's signature.

    Returns:
        int32, the shape of ``input``: ICU's numbers of scripts (its enum UScriptCode), -1 for numbers that are no code points.

    Raises:
        TypeError: a Python value that is no integer.
        InvalidArgumentError: another dtype.
    """
    codes = ops.tensor_of(input) if isinstance(input, (Tensor, Variable)) else convert_to_tensor(input, int32)
    if codes.dtype is not int32:
        raise mixed_dtypes_error("unicode_script", int32, codes.dtype)
    starts, scripts = script_boundaries()
    ranges = ops.searchsorted(constant_tensor(starts), ops.reshape(codes, [-1]), "right")
    return ops.reshape(ops.gather(constant_tensor(scripts), ranges - 1), codes._array.shape)
