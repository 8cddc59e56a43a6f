"""Lines and records of text files."""

from __future__ import annotations

import csv
import glob
import io
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

import numpy as np

from fastgrad._src.core.damaged_file import parser_errors_as_one
from fastgrad._src.core.dtypes import DType
from fastgrad._src.core.errors import (
    DataLossError,
    FailedPreconditionError,
    InvalidArgumentError,
    NotFoundError,
    OpError,
)
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.core.tensor_spec import TensorSpec
from fastgrad._src.data.node import Failure, Node, catching_failures, value_or_raise
from fastgrad._src.files.formats.decompression import decompressed
from fastgrad._src.files.formats.record_file import read_records

MAX_LINE_BYTES = 16 << 20
"""The limit on a line of a compressed file, a pipe or a device, whose lines may never end.

A file of more than a sixteenth of this size has 16 times its size as the limit.
"""


def matching_file_names(patterns: Sequence[str]) -> list[str]:
    """Returns the sorted names of the files that match one of ``patterns``.

    Raises:
        InvalidArgumentError: no file matches.
    """
    names = sorted(name for pattern in patterns for name in glob.glob(pattern))
    if not names:
        raise InvalidArgumentError(f"No files matched pattern: {', '.join(patterns)}")
    return names


def check_compression(name: str, compression: Any) -> None:
    """Raises InvalidArgumentError if no reader supports ``compression``."""
    if compression not in ("", "GZIP", "ZLIB"):
        raise InvalidArgumentError(f"{name}: compression_type must be '', 'GZIP' or 'ZLIB', got {compression!r}.")


def open_decompressed(name: str, compression: str) -> BinaryIO:
    """Opens a file for reading. ``compression`` is empty, ``"GZIP"`` or ``"ZLIB"``.

    Raises:
        NotFoundError: there is no such file.
        InvalidArgumentError: another compression is given.
    """
    check_compression(name, compression)
    try:
        file = open(name, "rb")  # noqa: SIM115  # the caller closes it
    except FileNotFoundError:
        raise NotFoundError(f"{name}; No such file or directory") from None
    return decompressed(file, compression.lower()) if compression else file


def _read_lines(file: Any, name: str, compression: str) -> Iterator[Any]:
    """Yields the lines of a file; ValueError for a line that exceeds the limit.

    A plain file has no limit: a few compressed bytes, a pipe or a device may give endless lines.
    """
    if not compression and os.path.isfile(name):
        yield from file
        return
    limit = max(MAX_LINE_BYTES, 16 * os.path.getsize(name))
    while line := file.readline(limit):
        if len(line) == limit:
            raise ValueError(f"it has a line of more than {limit} bytes")
        yield line


class TextLines(Node):
    """The lines of files, without line ends."""

    name = "TextLineDatasetV2"

    def __init__(self, files: Node, compression: str) -> None:
        self.sources, self._compression = (files,), compression

    def elements(self) -> Iterator[Any]:
        for name in file_names(self.sources[0]):
            description = f"{self._compression} file of lines".lstrip()
            with (
                open_decompressed(name, self._compression) as file,
                parser_errors_as_one(name, description, DataLossError),
            ):
                for line in _read_lines(file, name, self._compression):
                    yield text_tensor(line.removesuffix(b"\n").removesuffix(b"\r"))

    def make_spec(self) -> Any:
        return TensorSpec((), "string")


class _RecordFiles(Node):
    """The records of files. A file that can't be read is a ``Failure``, and the next file follows."""

    def elements(self) -> Iterator[Any]:
        for name in file_names(self.sources[0]):
            try:
                yield from map(text_tensor, self._records(name))
            except OpError as error:
                yield Failure(error)

    def _records(self, name: str) -> Iterator[bytes]:
        """Yields the records of a file."""
        raise NotImplementedError

    def make_spec(self) -> Any:
        return TensorSpec((), "string")


class TFRecords(_RecordFiles):
    """The records of TFRecord files."""

    name = "TFRecordDatasetV2"

    def __init__(self, files: Node, compression: str) -> None:
        self.sources, self._compression = (files,), compression

    def _records(self, name: str) -> Iterator[bytes]:
        if os.path.isdir(name):
            raise FailedPreconditionError(f"{name}; Is a directory")
        with (
            open_decompressed(name, self._compression) as file,
            parser_errors_as_one(name, f"{self._compression} file of records".lstrip(), DataLossError),
        ):
            yield from read_records(file, _regular_file_size(name) if self._compression else None)


class FixedLengthRecords(_RecordFiles):
    """The records of files of records of one length, between a header and a footer.

    Args:
        files: a dataset of the names of files.
        record, header, footer: the number of bytes of each.
        compression: as in ``open_decompressed``.
    """

    name = "FixedLengthRecordDatasetV2"

    def __init__(self, files: Node, record: int, header: int, footer: int, compression: str) -> None:
        self.sources, self._compression = (files,), compression
        self._record, self._header, self._footer = record, header, footer

    def _records(self, name: str) -> Iterator[bytes]:
        if os.path.isdir(name):
            raise FailedPreconditionError(f"{name}; Is a directory")
        with open_decompressed(name, self._compression) as file:
            if not self._compression:
                if not os.path.isfile(name):  # a device may never end
                    raise FailedPreconditionError(
                        f"FixedLengthRecordDataset: {name} is a pipe or a device, of unknown length"
                    )
                self._check_length(name, os.path.getsize(name))
            with parser_errors_as_one(name, f"{self._compression} file of records".lstrip(), DataLossError):
                header, rest = file.read(self._header), file.read(self._footer)
            length = len(header) + len(rest)
            while True:
                with parser_errors_as_one(name, f"{self._compression} file of records".lstrip(), DataLossError):
                    data = file.read(self._record)
                length += len(data)
                if len(data) < self._record:
                    self._check_length(name, length)
                    return
                rest += data
                yield rest[: self._record]
                rest = rest[self._record :]

    def _check_length(self, name: str, length: int) -> None:
        body = length - self._header - self._footer
        if body < 0 or body % self._record:
            raise InvalidArgumentError(
                f"FixedLengthRecordDataset: Excluding the header ({self._header} bytes) and footer ({self._footer} bytes), {name} "
                f"has {body} bytes, which is not a multiple of the record length ({self._record} bytes)."
            )


def _regular_file_size(name: str) -> int:
    """Returns the size of a file; without limit for a pipe or a device."""
    return os.path.getsize(name) if os.path.isfile(name) else sys.maxsize


class CsvRecords(Node):
    """The records of CSV files: a scalar for each column.

    Args:
        files: a dataset of the names of files.
        columns: the numbers of the columns, None for all columns.
        dtypes: the dtype of each column.
        defaults: for each column the value of an empty field, None if the field must not be empty.
        header: whether the first line of a file is not a record.
        options: options of ``csv.reader``.
        missing: the text that means an empty field, beside the empty text.
        compression: as in ``open_decompressed``.
        width: the number of fields of a record. Default: the number of columns.
    """

    name = "CsvDatasetV2"

    def __init__(
        self,
        files: Node,
        columns: Sequence[int] | None,
        dtypes: Sequence[DType],
        defaults: Sequence[Any],
        header: bool,
        options: dict[str, Any],
        missing: str,
        compression: str,
        width: int | None = None,
    ) -> None:
        self.sources = (files,)
        self._columns = range(len(dtypes)) if columns is None else columns
        self._width = len(dtypes) if columns is None else width
        self._dtypes, self._defaults = dtypes, defaults
        self._parsers = [field_parser(dtype) for dtype in dtypes]
        self._header, self._options, self._missing, self._compression = header, options, missing, compression

    def elements(self) -> Iterator[Any]:
        return map(catching_failures(self._element_of_record), self._named_records())

    def _element_of_record(self, record: tuple[str, list[str]]) -> tuple[Tensor, ...]:
        values = self._values_of_record(record)
        return tuple([text_tensor(value) if type(value) is bytes else Tensor(np.array(value)) for value in values])

    def records(self) -> Iterator[list[Any]]:
        """Yields the values of each record."""
        return map(self._values_of_record, self._named_records())

    def _named_records(self) -> Iterator[tuple[str, list[str]]]:
        """Yields the name of the file and the fields of each record."""
        for name in file_names(self.sources[0]):
            for fields in read_csv_records(name, self._compression, self._options, self._header):
                yield name, fields

    def _values_of_record(self, record: tuple[str, list[str]]) -> list[Any]:
        name, fields = record
        if self._width is not None and len(fields) != self._width:
            raise InvalidArgumentError(f"Expect {self._width} fields but have {len(fields)} in record. ({name})")
        values = []
        for column, parse, default in zip(self._columns, self._parsers, self._defaults, strict=True):
            if column >= len(fields):
                raise InvalidArgumentError(f"Expect more than {column} fields but have {len(fields)}. ({name})")
            field = fields[column]
            if field in ("", self._missing):
                if default is None:
                    raise InvalidArgumentError(f"Field {column} is required but missing in record! ({name})")
                values.append(default)
                continue
            try:
                values.append(parse(field))
            except (ValueError, OverflowError):
                raise InvalidArgumentError(
                    f"Field {column} in record is not a valid {parse.__name__}: {field:.200} ({name})"
                ) from None
        return values

    def make_spec(self) -> Any:
        return tuple([TensorSpec((), dtype) for dtype in self._dtypes])


def read_csv_records(name: str, compression: str, options: dict[str, Any], header: bool) -> Iterator[list[str]]:
    """Yields the fields of each record of a CSV file. Bytes that are not UTF-8 become surrogates.

    `field_parser` converts the surrogates back to bytes.

    Raises:
        NotFoundError: there is no such file.
        DataLossError: the file is not compressed as given, or is not CSV.
    """
    with (
        open_decompressed(name, compression) as contents,
        parser_errors_as_one(name, f"{compression} file of records".lstrip(), DataLossError),
    ):
        file = io.TextIOWrapper(contents, "utf-8", "surrogateescape", newline="")
        records = csv.reader(_read_lines(file, name, compression), **options)
        if header:
            next(records, None)
        yield from records


def field_parser(dtype: DType) -> Any:
    """Returns a function from a text field to a value of ``dtype``; the function raises ValueError for other texts."""
    if dtype.name == "string":
        return lambda field: field.encode("utf-8", "surrogateescape")
    return dtype.numpy.type


def text_tensor(value: bytes) -> Tensor:
    """Returns a scalar string tensor of ``value``."""
    array = np.empty((), object)
    array[()] = value
    return Tensor(array)


def file_names(files: Node) -> Iterator[str]:
    """Yields the file names of a dataset of strings, single or in arrays."""
    for element in map(value_or_raise, files.elements()):
        for name in element._array.reshape(-1):
            yield os.fsdecode(name)
