"""``decode_csv``: records of CSV to a tensor for each column."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from fastgrad._src.core.argument_checks import check_choice, check_length, check_type, require
from fastgrad._src.core.dtypes import DType
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.tensor import Tensor, convert_to_tensor
from fastgrad._src.ops.arguments import as_python_int
from fastgrad._src.ops.python_function import call_of_strings
from fastgrad._src.structures.strings.elements import parse_number
from fastgrad._src.structures.strings.rows import array_of_elements, bytes_attribute, strings_of

_COLUMN_DTYPES = ("float32", "float64", "int32", "int64", "string")
_QUOTED = re.compile(rb'"((?:[^"]|"")*)"', re.DOTALL)


def decode_csv(
    records: Any,
    record_defaults: Any,
    field_delim: str = ",",
    use_quote_delim: bool = True,
    na_value: str = "",
    select_cols: Any = None,
    name: str | None = None,
) -> list[Tensor]:
    """The columns of records of CSV.

    Args:
        records: strings, any shape, one record in each.
        record_defaults: for each column the value of an empty field, of the column's dtype (float32, float64, int32, int64, string), or
            an empty tensor if the field must not be empty.
        field_delim: the character between fields.
        use_quote_delim: whether fields may be in double quotes.
        na_value: a further text that means an empty field.
        select_cols: the numbers of the columns to read, increasing. Default: all.
        name: kept for TensorFlow's signature.

    Returns:
        A tensor for each column, of the shape of ``records``.

    Raises:
        ValueError: a default is no value, or ``select_cols`` does not have an increasing number for each default.
        TypeError: ``records`` are no strings, or ``record_defaults`` no list.
        InvalidArgumentError: a record has another number of fields, a field is missing, has wrong quotes or is no number of the dtype;
            another dtype; a ``field_delim`` of more than one character.
    """
    what = "decode_csv"
    check_type(what, "a list", (list, tuple), record_defaults=record_defaults)
    defaults = [convert_to_tensor(default) for default in record_defaults]
    require(defaults, what, "Length of record_defaults must be at least 1", InvalidArgumentError, got=defaults)
    columns = None if select_cols is None else [as_python_int(n, f"{what}: select_cols") for n in select_cols]
    if columns is not None and len(columns) != len(defaults):
        raise ValueError(f"{what}: Length of select_cols and record_defaults do not match: {columns}.")
    if columns is not None and (columns[0] < 0 or columns != sorted(set(columns))):
        raise ValueError(f"{what}: select_cols is not strictly increasing from 0 on: {columns}.")
    strings = strings_of(what, records)
    for number, default in enumerate(defaults):
        dtype = {f"record_defaults[{number}]": default.dtype.name}
        check_choice(what, _COLUMN_DTYPES, InvalidArgumentError, **dtype)
        if default.ndim > 1 or default._array.size > 1:
            raise InvalidArgumentError(
                f"{what}: There should only be 1 default per field but field {number} has shape {default.shape}."
            )
    delimiter = bytes_attribute(what, "field_delim", field_delim)
    check_length(what, 1, InvalidArgumentError, field_delim=delimiter)
    missing = (b"", bytes_attribute(what, "na_value", na_value))
    types = [default.dtype for default in defaults]

    def run(texts: np.ndarray, *values: np.ndarray) -> tuple[np.ndarray, ...]:
        rows = []
        for record, text in enumerate(texts.reshape(-1).tolist()):
            found = list(_fields(text, delimiter, use_quote_delim))
            fields = found if columns is None else [found[column] for column in columns if column < len(found)]
            if len(fields) != len(types):
                raise InvalidArgumentError(f"{what}: Expect {len(types)} fields but have {len(fields)} in {record=}")
            parts = enumerate(zip(fields, types, values, strict=True))
            rows.append(
                [_field_value(field, missing, dtype, default, n, record) for n, (field, dtype, default) in parts]
            )
        columns_of_rows = zip(*rows, strict=True) if rows else [()] * len(types)
        return tuple(
            [array_of_elements(column, texts.shape, t.numpy) for column, t in zip(columns_of_rows, types, strict=True)]
        )

    def sample(unknown_size: int) -> tuple[np.ndarray, ...]:
        return tuple([np.full(strings.shape, b"" if t.name == "string" else 0, t.numpy) for t in types])

    return list(call_of_strings(what, run, (strings, *defaults), sample, None))


def _field_value(
    field: bytes, missing: tuple[bytes, ...], dtype: DType, default: np.ndarray, number: int, record: int
) -> Any:
    """Returns the value of a field; the default if its text is in ``missing``."""
    if field in missing:
        if not default.size:
            raise InvalidArgumentError(f"decode_csv: Field {number} is required but missing in record {record}!")
        return default.reshape(-1)[0]
    try:
        return field if dtype.name == "string" else parse_number(field, dtype.name)
    except InvalidArgumentError:
        raise InvalidArgumentError(
            f"decode_csv: Field {number} in record {record} is not a valid {dtype.name}: {field[:100].decode(errors='replace')}"
        ) from None


def _fields(text: bytes, delimiter: bytes, has_quotes: bool) -> Iterator[bytes]:
    """Yields the fields of a record.

    Raises:
        InvalidArgumentError: quotes or ends of lines are where they may not be.
    """
    place = 0
    while place < len(text):
        if text[place] in b"\r\n":  # before a field they are skipped, as in TensorFlow
            place += 1
            continue
        if has_quotes and text[place : place + 1] == b'"':
            match = _QUOTED.match(text, place)
            if match is None or (match.end() < len(text) and text[match.end() : match.end() + 1] != delimiter):
                raise InvalidArgumentError(
                    f"decode_csv: Quoted field has to end with quote followed by delim or end, and a quote inside a string has to be escaped "
                    f"by another quote: {text[place : place + 100]!r}"
                )
            yield match[1].replace(b'""', b'"')
            place = match.end() + 1
        else:
            end = text.find(delimiter, place)
            field = text[place : end if end >= 0 else len(text)]
            if any(byte in b'\r\n"' if has_quotes else byte in b"\r\n" for byte in field):
                raise InvalidArgumentError(f"decode_csv: Unquoted fields cannot have quotes/CRLFs: {field[:100]!r}")
            yield field
            place += len(field) + 1
    if text[-1:] == delimiter:
        yield b""
