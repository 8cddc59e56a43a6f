"""Lines and records of text files."""

from __future__ import annotations

import csv
import glob
import io
import os
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

import numpy as np

from fastgrad.data.node import Node, attempted, succeeded
from fastgrad.dtypes import DType
from fastgrad.errors import DataLossError, InvalidArgumentError, NotFoundError
from fastgrad.storage.damaged_file import parsing
from fastgrad.storage.decompression import decompressed
from fastgrad.tensor import Tensor
from fastgrad.tensor_spec import TensorSpec

LONGEST_LINE = 16 << 20
"""The longest line of a compressed file, a pipe or a device, or 16 times the size of the file: their lines may have no end."""


def matching(patterns: Sequence[str]) -> list[str]:
    """The files that match, sorted.

    Raises:
        InvalidArgumentError: there are none.
    """
    found = sorted(name for pattern in patterns for name in glob.glob(pattern))
    if not found:
        raise InvalidArgumentError(f"No files matched pattern: {', '.join(patterns)}")
    return found


def check_compression(name: str, compression: Any) -> None:
    """InvalidArgumentError for a compression that no reader knows."""
    if compression not in ("", "GZIP", "ZLIB"):
        raise InvalidArgumentError(f"{name}: compression_type must be '', 'GZIP' or 'ZLIB', got {compression!r}.")


def opened(name: str, compression: str) -> BinaryIO:
    """A file's contents; ``compression`` is empty, ``"GZIP"`` or ``"ZLIB"``.

    Raises:
        NotFoundError: there is no such file.
        InvalidArgumentError: another compression.
    """
    check_compression(name, compression)
    try:
        file = open(name, "rb")  # noqa: SIM115  # the caller closes it
    except FileNotFoundError:
        raise NotFoundError(f"{name}; No such file or directory") from None
    return decompressed(file, compression.lower()) if compression else file


def _lines(file: Any, name: str, compression: str) -> Iterator[Any]:
    """The lines of a file; ValueError for a very long one that no file holds as it is: of a few compressed bytes, a pipe or a device."""
    if not compression and os.path.isfile(name):
        yield from file
        return
    limit = max(LONGEST_LINE, 16 * os.path.getsize(name))
    while line := file.readline(limit):
        if len(line) == limit:
            raise ValueError(f"it has a line of more than {limit} bytes")
        yield line


class TextLines(Node):
    """The lines of files, without their ends."""

    name = "TextLineDatasetV2"

    def __init__(self, files: Node, compression: str) -> None:
        self.sources, self._compression = (files,), compression

    def elements(self) -> Iterator[Any]:
        for name in names_of(self.sources[0]):
            kind = f"{self._compression} file of lines".lstrip()
            with opened(name, self._compression) as file, parsing(name, kind, DataLossError):
                for line in _lines(file, name, self._compression):
                    yield text(line.removesuffix(b"\n").removesuffix(b"\r"))

    def make_spec(self) -> Any:
        return TensorSpec((), "string")


class CsvRecords(Node):
    """The records of CSV files: a scalar for each column.

    Args:
        files: gives their names.
        columns: the numbers of the columns, None for all that there are.
        dtypes: of each column.
        defaults: of each column what stands for an empty field, None where there has to be something.
        header: whether the first line of a file is none.
        options: how ``csv.reader`` reads.
        missing: the text that means an empty field, beside the empty one.
        compression: as ``opened``.
        width: how many fields a record has; default as many as columns are read.
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
        self._parsers = [parser_of(dtype) for dtype in dtypes]
        self._header, self._options, self._missing, self._compression = header, options, missing, compression

    def elements(self) -> Iterator[Any]:
        return map(attempted(self._element), self._records())

    def _element(self, record: tuple[str, list[str]]) -> tuple[Tensor, ...]:
        values = self._values(record)
        return tuple([text(value) if type(value) is bytes else Tensor(np.array(value)) for value in values])

    def records(self) -> Iterator[list[Any]]:
        """The values of each record."""
        return map(self._values, self._records())

    def _records(self) -> Iterator[tuple[str, list[str]]]:
        """The fields of each record, with the name of the file."""
        for name in names_of(self.sources[0]):
            for fields in fields_of(name, self._compression, self._options, self._header):
                yield name, fields

    def _values(self, record: tuple[str, list[str]]) -> list[Any]:
        name, fields = record
        if self._width is not None and len(fields) != self._width:
            raise InvalidArgumentError(f"Expect {self._width} fields but have {len(fields)} in record. ({name})")
        values = []
        for column, parse, default in zip(self._columns, self._parsers, self._defaults, strict=True):
            if column >= len(fields):
                raise InvalidArgumentError(
                    f"Expect more than {column} fields but have {len(fields)} in record. ({name})"
                )
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


def fields_of(name: str, compression: str, options: dict[str, Any], header: bool) -> Iterator[list[str]]:
    """The fields of each record of a CSV file. Bytes that are no UTF-8 stay in them as surrogates, which `parser_of` turns back.

    Raises:
        NotFoundError: there is no such file.
        DataLossError: no such compressed file, or no CSV.
    """
    with opened(name, compression) as contents, parsing(name, f"{compression} file of records".lstrip(), DataLossError):
        file = io.TextIOWrapper(contents, "utf-8", "surrogateescape", newline="")
        records = csv.reader(_lines(file, name, compression), **options)
        if header:
            next(records, None)
        yield from records


def parser_of(dtype: DType) -> Any:
    """A function that reads a field as a value of a dtype; ValueError for what is none."""
    if dtype.name == "string":
        return _encoded
    return dtype.numpy.type


def _encoded(field: str) -> bytes:
    return field.encode("utf-8", "surrogateescape")


def text(value: bytes) -> Tensor:
    """A scalar string."""
    array = np.empty((), object)
    array[()] = value
    return Tensor(array)


def names_of(files: Node) -> Iterator[str]:
    """The names that a dataset of strings, single or in arrays, gives."""
    for element in map(succeeded, files.elements()):
        for name in element._array.reshape(-1):
            yield os.fsdecode(name)
