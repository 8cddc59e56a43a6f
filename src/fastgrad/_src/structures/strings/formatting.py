"""Tensors to text: as_string for each element, format for all."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from fastgrad._src.core.argument_checks import check_choice, check_type, refuse, require
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.operand_errors import check_not_narrow
from fastgrad._src.core.operation import ALL_DTYPES, NUMERIC_DTYPES
from fastgrad._src.core.printing import elements_summary
from fastgrad._src.core.result_rules import ArraySpec, scalar_of
from fastgrad._src.core.tensor import Tensor, as_tensor_or_none
from fastgrad._src.kernels.hashing.number_texts import MOST_DECIMALS, TEXT_BYTES, format_floats, format_integers
from fastgrad._src.ops.arguments import tensor_of
from fastgrad._src.ops.text_hashes import texts_at
from fastgrad._src.structures.strings.rows import (
    BYTES,
    array_of_elements,
    elementwise,
    integer_attribute,
    string_operation,
)


@functools.lru_cache(maxsize=64)
def _number_format(kind: str, precision: int, scientific: bool, shortest: bool, width: int, fill: str) -> str:
    """Returns the format, in the spelling of C and of Python's ``%``, of a number of NumPy's kind ``kind``."""
    letter = {"i": "d", "u": "d", "O": "s"}.get(kind) or ("e" if scientific else "g" if shortest else "f")
    return f"%{fill}{width if width > -1 else ''}{f'.{precision}' if precision > -1 else ''}{letter}"


def _formatted_float(number: float, format: str) -> str:
    # C fills with spaces, not zeros, before nan and inf.
    return format % number if np.isfinite(number) else format.replace("%0", "%", 1) % number


def _format_without_exponent(
    values: np.ndarray, precision: int, scientific: bool, shortest: bool, width: int, fill: str
) -> np.ndarray | None:
    """Returns real numbers as texts without an exponent or a width, by a kernel; None if these are no such numbers."""
    is_integer = values.dtype.kind in "iu"
    decimals = 6 if precision < 0 else precision
    is_plain = width < 0 and not fill and not scientific and not shortest and decimals <= MOST_DECIMALS
    if not is_plain or values.dtype.kind == "c" or values.dtype == np.uint64:
        return None
    text, sizes = np.empty((len(values), TEXT_BYTES), np.uint8), np.empty(len(values), np.int64)
    if is_integer:
        odd = format_integers[()](values.astype(np.int64, copy=False), text, sizes, 0, len(values))
    else:
        numbers = values.astype(np.float64, copy=False)
        # Without decimals, a half is rounded to an even whole number, which the kernel does not look at.
        odd = 0 if not decimals else format_floats[()](numbers, text, sizes, decimals, 10.0**decimals, 0, len(values))
    if odd >= 0:
        return None
    start = text.__array_interface__["data"][0]
    return texts_at(start + TEXT_BYTES * np.arange(len(values)), sizes)


def _run_as_string(x: np.ndarray, **options: Any) -> np.ndarray:
    kind = x.dtype.kind
    if kind == "b":
        return np.where(x, b"true", b"false").astype(object)
    values = x.reshape(-1)
    format = _number_format("f" if kind == "V" else kind, **options)
    if kind == "O":
        return array_of_elements([format.encode() % text for text in values.tolist()], x.shape)
    texts = _format_without_exponent(values, **options)
    if texts is not None:
        return texts.reshape(x.shape)
    if kind == "c":
        parts = [[_formatted_float(part, format) for part in (z.real, z.imag)] for z in values.tolist()]
        return array_of_elements([f"({real},{imag})".encode() for real, imag in parts], x.shape)
    numbers = (values.astype(np.float64) if kind == "V" else values).tolist()
    if "0" not in options["fill"] or kind in "iu" or np.isfinite(numbers).all():
        text = "\n".join([format] * len(numbers)) % tuple(numbers)
        return array_of_elements(text.encode().split(b"\n") if numbers else [], x.shape)
    return array_of_elements([_formatted_float(number, format).encode() for number in numbers], x.shape)


_as_string = string_operation(
    "as_string", _run_as_string, lambda x, **options: ArraySpec(tuple(x.shape), BYTES), dtypes=ALL_DTYPES
)


@elementwise
def as_string(
    input: Any,
    precision: int = -1,
    scientific: bool = False,
    shortest: bool = False,
    width: int = -1,
    fill: str = "",
    name: str | None = None,
) -> Any:
    """Each element as text.

    Args:
        input: any dtype, any shape.
        precision: the digits after the point; by default 6. For floating and complex numbers.
        scientific: whether floats have an exponent.
        shortest: whether floats have the shorter form, with or without an exponent.
        width: the least number of characters; does not apply to bool.
        fill: a flag as of C's printf: ``" "``, ``"0"``, ``"+"`` (a sign), ``"-"`` (spaces on the right) or ``"#"``.
        name: kept for TensorFlow's signature.

    Returns:
        Strings, the shape of ``input``.

    Raises:
        TypeError: ``precision`` or ``width`` is no integer, or ``fill`` no string.
        InvalidArgumentError: another ``fill``; both ``scientific`` and ``shortest``; or one of these or ``precision`` for integers or bool.
    """
    x: Tensor = tensor_of(input)
    check_not_narrow("as_string", x._array, NUMERIC_DTYPES)
    precision = integer_attribute("as_string", "precision", precision)
    width = integer_attribute("as_string", "width", width)
    check_type("as_string", "a string", str, fill=fill)
    if x._array.dtype.kind in "iub":
        if precision > -1:
            raise InvalidArgumentError(f"as_string: precision not supported for datatype {x.dtype.name}.")
        if scientific or shortest:
            raise InvalidArgumentError(f"as_string: scientific and shortest format not supported for {x.dtype.name}.")
    require(not (scientific and shortest), "as_string", "Cannot be scientific and shortest", InvalidArgumentError)
    require(len(fill) <= 1, "as_string", "Fill string must be one or fewer characters", InvalidArgumentError, fill=fill)
    check_choice("as_string", ("", " ", "+", "-", "0", "#"), InvalidArgumentError, fill=fill)
    return _as_string(
        x, precision=precision, scientific=bool(scientific), shortest=bool(shortest), width=width, fill=fill
    )


def _run_format(*inputs: np.ndarray, pieces: tuple[str, ...], summarize: int) -> np.ndarray:
    texts = [elements_summary(x, summarize) + piece for x, piece in zip(inputs, pieces[1:], strict=True)]
    return array_of_elements([(pieces[0] + "".join(texts)).encode(errors="surrogateescape")], ())


_format = string_operation("string_format", _run_format, scalar_of(BYTES), dtypes=ALL_DTYPES, batched=None)


def format(template: str, inputs: Any, placeholder: str = "{}", summarize: int = 3, name: str | None = None) -> Tensor:
    """Puts the elements of tensors, as ``tf.print`` writes them, into a text.

    Args:
        template: the text.
        inputs: a tensor, or a list of them.
        placeholder: the text in ``template`` that each tensor replaces.
        summarize: how many elements to show at both ends of each dimension; -1 for all.
        name: kept for TensorFlow's signature.

    Returns:
        One string.

    Raises:
        TypeError: ``template`` or ``placeholder`` is no string, ``summarize`` no integer, or ``inputs`` no tensor and no list.
        ValueError: ``template`` has more or fewer placeholders than there are tensors; an empty placeholder; or a ragged tensor.
    """
    for argument, text in (("template", template), ("placeholder", placeholder)):
        check_type("format", "a string", str, **{argument: text})
    require(placeholder, "format", "`placeholder` must not be empty", placeholder=placeholder)
    require(inputs is not None, "format", "`inputs` must be a tensor or a list of tensors", TypeError, inputs=inputs)
    summarize = integer_attribute("format", "summarize", summarize)
    values = [inputs] if as_tensor_or_none(inputs) is not None else inputs
    pieces = template.split(placeholder)
    if len(pieces) - 1 != len(values):
        refuse("format", f"The template needs {len(pieces) - 1} tensors, one for each placeholder", inputs=values)
    result: Tensor = _format(*[tensor_of(value) for value in values], pieces=tuple(pieces), summarize=summarize)
    return result
