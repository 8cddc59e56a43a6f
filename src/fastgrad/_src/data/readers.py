"""Datasets of files: lines, records, CSV, Parquet."""

from __future__ import annotations

import contextlib
import csv
import functools
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastgrad._src.core.damaged_file import parser_errors_as_one
from fastgrad._src.core.dtypes import DType, as_dtype, string
from fastgrad._src.core.errors import DataLossError, InvalidArgumentError
from fastgrad._src.core.tensor import Tensor, convert_to_tensor
from fastgrad._src.core.tensor_spec import TensorSpec
from fastgrad._src.data.constructors import text_list
from fastgrad._src.data.dataset import AUTOTUNE, Dataset
from fastgrad._src.data.files import (
    CsvRecords,
    FixedLengthRecords,
    TextLines,
    TFRecords,
    check_compression,
    field_parser,
    matching_file_names,
    read_csv_records,
)
from fastgrad._src.data.node import Node
from fastgrad._src.data.prefetch import Prefetched
from fastgrad._src.data.rows import LazyColumnRows
from fastgrad._src.data.sources import RowSource
from fastgrad._src.data.transformations import Interleaved
from fastgrad._src.ops.arguments import as_python_int


class TextLineDataset(Dataset):
    """The lines of files, as strings without line ends.

    Args:
        filenames: one name or several, or a dataset of names.
        compression_type: ``"GZIP"``, ``"ZLIB"``, or None.
        buffer_size, num_parallel_reads: kept for TensorFlow's signature: files are read one after the other.

    Raises:
        NotFoundError: while iterating, a file does not exist.
        DataLossError: while iterating, a file is damaged, or a compressed file, a pipe or a device has a line of more than 16 MiB.
    """

    def __init__(
        self,
        filenames: Any,
        compression_type: str | None = None,
        buffer_size: Any = None,
        num_parallel_reads: Any = None,
        name: str | None = None,
    ) -> None:
        if buffer_size is not None:
            as_python_int(buffer_size, "TextLineDataset: buffer_size")
        super().__init__(TextLines(_file_name_node(filenames), compression_type or ""))


class TFRecordDataset(Dataset):
    """The records of TFRecord files, as strings; see ``tf.io.TFRecordWriter``.

    Args:
        filenames: one name or several, or a dataset of names.
        compression_type: ``"GZIP"``, ``"ZLIB"``, or None.
        buffer_size: kept for TensorFlow's signature.
        num_parallel_reads: the number of files whose records come in turn. Default, and for ``tf.data.AUTOTUNE``: one file after the other.

    Raises:
        TypeError: ``filenames`` are no strings, or a number is no integer.
        InvalidArgumentError: ``num_parallel_reads`` is below 1; while iterating, the compression is unknown.
        NotFoundError: while iterating, a file does not exist.
        DataLossError: while iterating, a file is damaged.

    Example:
        >>> with tf.io.TFRecordWriter("numbers.tfrecord") as writer:
        ...     writer.write(b"one")
        ...     writer.write(b"two")
        >>> [record.numpy() for record in tf.data.TFRecordDataset("numbers.tfrecord")]
        [b'one', b'two']
    """

    def __init__(
        self,
        filenames: Any,
        compression_type: str | None = None,
        buffer_size: Any = None,
        num_parallel_reads: Any = None,
        name: str | None = None,
    ) -> None:
        what = "TFRecordDataset"
        if filenames is None:
            raise ValueError(f"{what}: Attempt to convert a value (None) with an unsupported type to file names.")
        if buffer_size is not None:
            as_python_int(buffer_size, f"{what}: buffer_size")
        reads = _checked_parallel_reads(what, num_parallel_reads)
        compression, files = compression_type or "", _file_name_node(filenames)
        if reads > 1:
            super().__init__(Interleaved(files, lambda name: TFRecordDataset(name, compression), reads, 1))
        else:
            super().__init__(TFRecords(files, compression))


class FixedLengthRecordDataset(Dataset):
    """The records of binary files, strings of ``record_bytes`` bytes each.

    Args:
        filenames: one name or several, or a dataset of names.
        record_bytes: the number of bytes of a record.
        header_bytes, footer_bytes: the number of bytes that are skipped at the start and at the end of each file. Default: 0.
        buffer_size: kept for TensorFlow's signature.
        compression_type: ``"GZIP"``, ``"ZLIB"``, or None.
        num_parallel_reads: as in ``TFRecordDataset``.

    Raises:
        TypeError: ``filenames`` are no strings, or a number is no integer.
        InvalidArgumentError: ``record_bytes`` or ``num_parallel_reads`` is below 1, or another number is negative. While iterating:
            the bytes of a file are not a multiple of ``record_bytes``, or the compression is unknown.
        NotFoundError: while iterating, a file does not exist.
        DataLossError: while iterating, a compressed file is damaged.
    """

    def __init__(
        self,
        filenames: Any,
        record_bytes: Any,
        header_bytes: Any = None,
        footer_bytes: Any = None,
        buffer_size: Any = None,
        compression_type: str | None = None,
        num_parallel_reads: Any = None,
        name: str | None = None,
    ) -> None:
        what = "FixedLengthRecordDataset"
        if buffer_size is not None:
            as_python_int(buffer_size, f"{what}: buffer_size")
        record = as_python_int(record_bytes, f"{what}: record_bytes")
        header, footer = (
            0 if count is None else as_python_int(count, f"{what}: {argument}")
            for argument, count in (("header_bytes", header_bytes), ("footer_bytes", footer_bytes))
        )
        if record < 1 or header < 0 or footer < 0:
            raise InvalidArgumentError(
                f"{what}: record_bytes must be at least 1, header_bytes and footer_bytes at least 0; got {record}, {header} and {footer}."
            )
        reads = _checked_parallel_reads(what, num_parallel_reads)
        compression, files = compression_type or "", _file_name_node(filenames)
        if reads > 1:
            made = functools.partial(
                FixedLengthRecordDataset,
                record_bytes=record,
                header_bytes=header,
                footer_bytes=footer,
                compression_type=compression,
            )
            super().__init__(Interleaved(files, made, reads, 1))
        else:
            super().__init__(FixedLengthRecords(files, record, header, footer, compression))


class CsvDataset(Dataset):
    """The records of CSV files, each a tuple of scalars.

    Args:
        filenames: one name or several, or a dataset of names.
        record_defaults: for each column the value for empty fields, or a dtype if the fields must not be empty.
        compression_type: ``"GZIP"``, ``"ZLIB"``, or None.
        buffer_size: kept for TensorFlow's signature.
        header: whether the first line of each file is skipped.
        field_delim: the character between fields.
        use_quote_delim: whether fields may be in double quotes.
        na_value: a further text that means an empty field.
        select_cols: the numbers of the columns to read. Default: all.
        exclude_cols: the numbers of the columns to leave out, instead of ``select_cols``.

    Raises:
        ValueError: both `select_cols` and `exclude_cols` are given.
        InvalidArgumentError: there are no columns, the compression is unknown, or `select_cols` does not have one increasing number for
            each column. While iterating: a field is missing or has another type.
        DataLossError: as in ``TextLineDataset``.
    """

    def __init__(
        self,
        filenames: Any,
        record_defaults: Any,
        compression_type: str | None = None,
        buffer_size: Any = None,
        header: bool = False,
        field_delim: str = ",",
        use_quote_delim: bool = True,
        na_value: str = "",
        select_cols: Sequence[int] | None = None,
        exclude_cols: Sequence[int] | None = None,
        name: str | None = None,
    ) -> None:
        if select_cols is not None and exclude_cols is not None:
            raise ValueError("select_cols and exclude_cols cannot both be given.")
        if not isinstance(record_defaults, (list, tuple)):
            raise TypeError(f"CsvDataset: Argument `record_defaults` must be a list, got {record_defaults!r}.")
        if not record_defaults:
            raise InvalidArgumentError("CsvDataset: `record_defaults` must have an item for each column, got [].")
        dtypes, defaults = _column_defaults(record_defaults)
        if buffer_size is not None:
            as_python_int(buffer_size, "CsvDataset: buffer_size")
        check_compression("CsvDataset", compression_type or "")
        columns = None if select_cols is None else [as_python_int(n, "CsvDataset: select_cols") for n in select_cols]
        if columns is not None and (len(columns) != len(dtypes) or columns[0] < 0 or columns != sorted(set(columns))):
            raise InvalidArgumentError(
                f"CsvDataset: Argument `select_cols` must have {len(dtypes)} increasing column numbers from 0 on, got {columns}."
            )
        if exclude_cols is not None:
            columns = [n for n in range(len(dtypes) + len(exclude_cols)) if n not in exclude_cols]
        options = _csv_options(field_delim, use_quote_delim)
        compression = compression_type or ""
        files = _file_name_node(filenames)
        super().__init__(CsvRecords(files, columns, dtypes, defaults, header, options, na_value, compression))


class ParquetDataset(Dataset):
    """The rows of Parquet files, each a dict of scalars; needs pyarrow. (TensorFlow has this in a separate package.)

    The first use of a row reads the columns; they stay in memory.

    Args:
        filenames: one name or several, or patterns.
        columns: the names of the columns to read. Default: all.

    Raises:
        TypeError: ``filenames`` are not paths.
        ImportError: pyarrow is not installed.
        InvalidArgumentError: no file matches, or a column has other values than numbers, booleans or texts, or has empty fields.
        DataLossError: a file is damaged.
    """

    def __init__(self, filenames: Any, columns: Sequence[str] | None = None) -> None:
        names = _checked_file_names("ParquetDataset", "filenames", filenames)
        try:
            from pyarrow import parquet
        except ImportError:
            raise ImportError("ParquetDataset: Parquet files are read by pyarrow: pip install pyarrow.") from None
        names = matching_file_names(names)

        def read() -> dict[str, np.ndarray]:
            files = ", ".join(names)
            with parser_errors_as_one(files, "Parquet file", DataLossError):
                table = parquet.read_table(names if len(names) > 1 else names[0], columns=columns, memory_map=True)
                stored_names = table.column_names  # a damaged name is not UTF-8
            return {name: _arrow_column_to_numpy(name, table.column(name), files) for name in stored_names}

        super().__init__(RowSource(LazyColumnRows(read), "_ParquetDataset"))


def make_csv_dataset(
    file_pattern: Any,
    batch_size: Any,
    column_names: Sequence[str] | None = None,
    column_defaults: Sequence[Any] | None = None,
    label_name: str | None = None,
    select_columns: Sequence[Any] | None = None,
    field_delim: str = ",",
    use_quote_delim: bool = True,
    na_value: str = "",
    header: bool = True,
    num_epochs: int | None = None,
    shuffle: bool = True,
    shuffle_buffer_size: int = 10000,
    shuffle_seed: int | None = None,
    prefetch_buffer_size: int | None = None,
    num_parallel_reads: Any = None,
    sloppy: bool = False,
    num_rows_for_inference: int | None = 100,
    compression_type: str | None = None,
    ignore_errors: bool = False,
    encoding: str = "utf-8",
) -> Dataset:
    """Returns batches of the records of CSV files: dicts by column, or pairs of such a dict and the label.

    The first use of a record reads the columns; they stay in memory.

    Args:
        file_pattern: names of files, or patterns.
        batch_size: the number of records in a batch. A smaller last batch is left out if ``num_epochs`` is None.
        column_names: the names of the columns. Default: the header of the first file.
        column_defaults: for each selected column the value for empty fields, or a dtype if the fields must not be empty. Default: 0 or
            an empty string, of the narrowest of int32, int64, float32, float64 and string that fits the first records.
        label_name: the column that is the label.
        select_columns: names or numbers of the columns to read. Default: all.
        field_delim, use_quote_delim, na_value, compression_type: as in ``CsvDataset``.
        header: whether the first line of each file names the columns.
        num_epochs: the number of repetitions of all records. Default: infinite.
        shuffle, shuffle_buffer_size, shuffle_seed: whether and how records are shuffled.
        prefetch_buffer_size, num_parallel_reads, sloppy, encoding: kept for TensorFlow's signature.
        num_rows_for_inference: the number of records of each file that decide the dtypes; None for all.
        ignore_errors: kept for TensorFlow's signature; must be False.

    Raises:
        ValueError: names are missing, occur twice, or are unknown.
        InvalidArgumentError: no file matches; while iterating, a field is missing or has another type.
    """
    if ignore_errors:
        raise ValueError("make_csv_dataset: ignore_errors=True is not there: give column_defaults that fit all fields.")
    names = matching_file_names(_checked_file_names("make_csv_dataset", "file_pattern", file_pattern))
    compression, options = compression_type or "", _csv_options(field_delim, use_quote_delim)
    if column_names is None:
        if not header:
            raise ValueError("Cannot infer column names without a header line.")
        column_names = next(read_csv_records(names[0], compression, options, False), [])
    column_names = list(column_names)
    if len(set(column_names)) != len(column_names):
        raise ValueError(f"Cannot have duplicate column names. ({names[0]})")
    selected = range(len(column_names)) if select_columns is None else select_columns
    columns = sorted(_column_index(column, column_names) for column in selected)
    selected_names = [column_names[column] for column in columns]
    if label_name is not None and label_name not in selected_names:
        raise ValueError(f"`label_name` provided must be one of the columns: {selected_names}. Received: {label_name}.")
    if column_defaults is None:
        column_defaults = _infer_defaults(
            names, columns, compression, options, header, na_value, num_rows_for_inference
        )
    dtypes, defaults = _column_defaults(column_defaults)
    files, width = Dataset.from_tensor_slices(names)._node, len(column_names)
    records = CsvRecords(files, columns, dtypes, defaults, header, options, na_value, compression, width)

    read = functools.partial(_columns_of_records, records, selected_names, dtypes)
    dataset = Dataset(RowSource(LazyColumnRows(read), "_CsvRecords"))
    if shuffle:
        dataset = dataset.shuffle(shuffle_buffer_size, shuffle_seed)
    dataset = dataset.repeat(num_epochs).batch(batch_size, drop_remainder=num_epochs is None)
    if label_name is not None:
        dataset = dataset.map(lambda row: ({k: v for k, v in row.items() if k != label_name}, row[label_name]))
    return Dataset(Prefetched(dataset._node, 1))


def _columns_of_records(records: CsvRecords, names: Sequence[str], dtypes: Sequence[Any]) -> dict[str, np.ndarray]:
    """Returns all values of each column, by its name."""
    blocks = [[np.array((), dtype.numpy) for dtype in dtypes]]
    values = records.records()
    while block := list(itertools.islice(values, _RECORDS_PER_BLOCK)):
        columns_of_block = zip(zip(*block, strict=True), dtypes, strict=True)
        blocks.append([np.array(column, dtype.numpy) for column, dtype in columns_of_block])
    return {name: np.concatenate(parts) for name, parts in zip(names, zip(*blocks, strict=True), strict=True)}


def _checked_parallel_reads(what: str, num_parallel_reads: Any) -> int:
    reads = 1 if num_parallel_reads is None else as_python_int(num_parallel_reads, f"{what}: num_parallel_reads")
    if reads < 1 and reads != AUTOTUNE:
        raise InvalidArgumentError(f"{what}: num_parallel_reads must be > 0, got {reads}.")
    return reads


def _file_name_node(filenames: Any) -> Node:
    if isinstance(filenames, Dataset):
        spec = filenames._node.known_spec()
        if spec is not None and spec != TensorSpec((), string):
            raise TypeError(
                f"The `filenames` argument must contain `tf.string` elements of shape [] (i.e. scalars). Got a dataset of {spec}."
            )
        return filenames._node
    return Dataset.from_tensor_slices(_checked_file_names("Dataset", "filenames", filenames))._node


def _checked_file_names(name: str, argument: str, file_names: Any) -> list[str]:
    if not isinstance(file_names, (int, float)) and not (isinstance(file_names, Tensor) and file_names.dtype != string):
        with contextlib.suppress(TypeError):
            return text_list(file_names)
    raise TypeError(f"{name}: The `{argument}` argument must contain `tf.string` elements. Got {file_names!r}.")


def _csv_options(delimiter: str, quotes: bool) -> dict[str, Any]:
    if len(delimiter) != 1:
        raise ValueError(f"field_delim must be one character, got {delimiter!r}.")
    return {"delimiter": delimiter, "quoting": csv.QUOTE_MINIMAL if quotes else csv.QUOTE_NONE}


def _column_defaults(column_defaults: Any) -> tuple[list[DType], list[Any]]:
    """Returns the dtype of each column, and the value of an empty field: None if fields must not be empty."""
    dtypes: list[DType] = []
    defaults: list[Any] = []
    for column_default in column_defaults:
        if isinstance(column_default, (DType, type)) or (
            isinstance(column_default, str) and column_default in ("int32", "int64", "float32", "float64", "string")
        ):
            dtypes.append(as_dtype(column_default))
            defaults.append(None)
            continue
        value = convert_to_tensor(column_default)
        array = value._array.reshape(-1)
        dtypes.append(value.dtype)
        defaults.append(array[0] if array.size else None)
    return dtypes, defaults


def _column_index(column: Any, names: Sequence[str]) -> int:
    if isinstance(column, str):
        if column not in names:
            raise ValueError(f"Value '{column}' must be an index or name of a column: {', '.join(names)}.")
        return list(names).index(column)
    if not 0 <= column < len(names):
        raise ValueError(f"Number {column} must be that of a column: there are {len(names)}.")
    return int(column)


def _infer_defaults(
    names: Sequence[str],
    columns: Sequence[int],
    compression: str,
    options: dict[str, Any],
    header: bool,
    missing_text: str,
    max_records: int | None,
) -> list[Any]:
    """Returns a default for each column, 0 or an empty string, of the first dtype that fits all inspected fields."""
    dtype_indices = [0] * len(columns)
    for name in names:
        for number, fields in enumerate(read_csv_records(name, compression, options, header)):
            if number == max_records:
                break
            for index, column in enumerate(columns):
                while column < len(fields) and not _field_fits_dtype(
                    fields[column], _INFERRED_DTYPES[dtype_indices[index]], missing_text
                ):
                    dtype_indices[index] += 1
    return [
        convert_to_tensor([b"" if _INFERRED_DTYPES[dtype_index] == "string" else 0], _INFERRED_DTYPES[dtype_index])
        for dtype_index in dtype_indices
    ]


_RECORDS_PER_BLOCK = 4096
"""The number of records of a CSV file that are Python objects at once. An array takes a tenth of their memory."""

_INFERRED_DTYPES = ("int32", "int64", "float32", "float64", "string")


def _field_fits_dtype(field: str, dtype_name: str, missing_text: str) -> bool:
    if dtype_name == "string" or field in ("", missing_text):
        return True
    try:
        value = field_parser(as_dtype(dtype_name))(field)
    except (ValueError, OverflowError):
        return False
    return bool(np.isfinite(value)) or dtype_name == "float64"


def _arrow_column_to_numpy(name: str, column: Any, files: str) -> np.ndarray:
    """Returns the values of a column; errors name ``files``."""
    if column.null_count:
        raise InvalidArgumentError(f"ParquetDataset: column {name!r} has {column.null_count} empty fields. ({files})")
    with parser_errors_as_one(files, "Parquet file", DataLossError):  # texts that are not UTF-8
        array = column.to_numpy()
    if array.dtype == object:
        array = np.array([value.encode() if isinstance(value, str) else value for value in array], object)
    try:
        TensorSpec((), array.dtype)
    except TypeError:
        raise InvalidArgumentError(f"ParquetDataset: column {name!r} has the type {column.type}. ({files})") from None
    if array.dtype == object and not all(type(value) is bytes for value in array):
        raise InvalidArgumentError(f"ParquetDataset: column {name!r} has the type {column.type}. ({files})")
    return array
