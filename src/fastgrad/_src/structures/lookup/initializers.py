"""Initializers of tables: tensors of keys and values, or the lines of a text file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.argument_checks import check_shapes, checked_path, refuse, require
from fastgrad._src.core.damaged_file import open_regular
from fastgrad._src.core.errors import InvalidArgumentError, NotFoundError, OutOfRangeError
from fastgrad._src.core.tensor import Tensor, convert_to_tensor
from fastgrad._src.ops.arguments import as_python_int


class KeyAndValueDtypes:
    """The base of tables and of their initializers: the dtypes of keys and values."""

    def __init__(self, key_dtype: Any, value_dtype: Any) -> None:
        self._key_dtype = dtypes.as_dtype(key_dtype)
        self._value_dtype = dtypes.as_dtype(value_dtype)

    @property
    def key_dtype(self) -> dtypes.DType:
        """The dtype of keys."""
        return self._key_dtype

    @property
    def value_dtype(self) -> dtypes.DType:
        """The dtype of values."""
        return self._value_dtype


class TableInitializer(KeyAndValueDtypes):
    """The base class of initializers: the dtypes of keys and values, and the pairs."""

    def pairs(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns the keys and the values, in vectors."""
        raise NotImplementedError

    def initialize(self, table: Any) -> None:
        """Puts the pairs into a table.

        Raises:
            TypeError: the table has other dtypes.
        """
        for kind in ("key", "value"):
            expected, received = getattr(table, f"{kind}_dtype"), getattr(self, f"{kind}_dtype")
            if expected is not received:
                raise TypeError(f"Invalid {kind} dtype for table, expected {expected} but got {received}.")
        table._fill(*self.pairs())


class KeyValueTensorInitializer(TableInitializer):
    """Keys and values in tensors.

    Args:
        keys: the keys, any shape.
        values: the values, as many.
        key_dtype, value_dtype: the dtypes; by default those of the tensors.
        name: kept for TensorFlow's signature.

    Raises:
        ValueError: a tensor has another dtype.
    """

    def __init__(
        self, keys: Any, values: Any, key_dtype: Any = None, value_dtype: Any = None, name: str | None = None
    ) -> None:
        self._keys: Tensor = convert_to_tensor(keys, key_dtype)
        self._values: Tensor = convert_to_tensor(values, value_dtype)
        super().__init__(self._keys.dtype, self._values.dtype)

    def pairs(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns the keys and the values; InvalidArgumentError if there are more of one than of the other."""
        keys, values = self._keys._elements(), self._values._elements()
        check_shapes("KeyValueTensorInitializer", "keys (...), values (...)", InvalidArgumentError, keys, values)
        return keys.reshape(-1), values.reshape(-1)


class TextFileIndex:
    """What a column number below zero means: ``WHOLE_LINE`` (-2) or ``LINE_NUMBER`` (-1, counted from 0)."""

    WHOLE_LINE = -2
    LINE_NUMBER = -1


class TextFileInitializer(TableInitializer):
    r"""Keys and values in the lines of a text file.

    Args:
        filename: the path.
        key_dtype, value_dtype: string, an integer dtype or a floating one.
        key_index, value_index: the number of a column, or a number of ``TextFileIndex``. A line number needs int64; a whole
            line is a string or an integer.
        vocab_size: the number of lines to read; by default all.
        delimiter: the character between columns.
        name: kept for TensorFlow's signature.
        value_index_offset: a number that is added to line numbers.

    Raises:
        ValueError: the path is empty, or an index, ``vocab_size`` or a dtype does not fit.
    """

    def __init__(
        self,
        filename: Any,
        key_dtype: Any,
        key_index: int,
        value_dtype: Any,
        value_index: int,
        vocab_size: int | None = None,
        delimiter: str = "\t",
        name: str | None = None,
        value_index_offset: int = 0,
    ) -> None:
        if isinstance(filename, Tensor):
            filename = bytes(filename._elements()[()])
        require(filename, self, "`filename` must be given", filename=filename)
        super().__init__(key_dtype, value_dtype)
        self._path = checked_path("TextFileInitializer", "filename", filename)
        for kind, index, dtype in (("key", key_index, self.key_dtype), ("value", value_index, self.value_dtype)):
            _check_column(kind, index, dtype)
        require(vocab_size is None or vocab_size > 0, self, "`vocab_size` should be > 0", vocab_size=vocab_size)
        self._key_index, self._value_index = key_index, value_index
        self._vocab_size = None if vocab_size is None else as_python_int(vocab_size, "TextFileInitializer: vocab_size")
        self._delimiter = delimiter.encode()
        self._offset = value_index_offset

    def pairs(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns the keys and the values.

        Raises:
            NotFoundError: there is no such file.
            OutOfRangeError: the file is empty.
            InvalidArgumentError: a line is empty, has too few columns or no number where one must be; or there are too few.
        """
        keys, values = [], []
        for number, line in self._lines():
            keys.append(self._field(line, number, self._key_index, self.key_dtype))
            values.append(self._field(line, number, self._value_index, self.value_dtype))
        return _vector(keys, self.key_dtype), _vector(values, self.value_dtype)

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        number = -1
        try:
            with open_regular(self._path) as file:
                for number, line in enumerate(file):
                    if number == self._vocab_size:
                        return
                    content = line.rstrip(b"\n").replace(b"\r", b"")
                    if not content:
                        refuse(self, f"line {number} of {self._path} is empty: Invalid content", InvalidArgumentError)
                    yield number, content
        except FileNotFoundError:
            raise NotFoundError(f"TextFileInitializer: {self._path}; No such file or directory.") from None
        if number < 0:
            raise OutOfRangeError(f"TextFileInitializer: {self._path} is empty; a table needs one line or more.")
        if self._vocab_size is not None and number + 1 < self._vocab_size:
            raise InvalidArgumentError(
                f"TextFileInitializer: Invalid vocab_size of {self._path}: expected {self._vocab_size} but got {number + 1}."
            )

    def _field(self, line: bytes, number: int, index: int, dtype: dtypes.DType) -> Any:
        if index == TextFileIndex.LINE_NUMBER:
            return number + self._offset
        field = line
        if index != TextFileIndex.WHOLE_LINE:
            columns = line.split(self._delimiter)
            if index >= len(columns):
                raise InvalidArgumentError(
                    f"TextFileInitializer: Invalid number of columns in {self._path} line {number} ({line!r}) : expected at "
                    f"least {index + 1} got {len(columns)}. Is {self._delimiter!r} the delimiter?"
                )
            field = columns[index]
        if dtype is dtypes.string:
            return field
        try:
            return dtype.numpy.type(int(field) if dtype.is_integer else float(field))
        except (ValueError, OverflowError):
            raise InvalidArgumentError(
                f"TextFileInitializer: {self._path}: Field {field!r} in line {number} is not a valid {dtype.name}."
            ) from None


def _check_column(kind: str, index: int, dtype: dtypes.DType) -> None:
    if index < TextFileIndex.WHOLE_LINE:
        raise ValueError(f"`{kind}_index` should be >= -2, received: {index}.")
    if index == TextFileIndex.LINE_NUMBER and dtype is not dtypes.int64:
        raise ValueError(f"`{kind}_dtype` must be int64 if `{kind}_index` is LINE_NUMBER, received: {dtype}.")
    if index == TextFileIndex.WHOLE_LINE and not (dtype.is_integer or dtype is dtypes.string):
        raise ValueError(f"`{kind}_index` WHOLE_LINE needs `{kind}_dtype` to be integer or string, received: {dtype}.")


def _vector(elements: list[Any], dtype: dtypes.DType) -> np.ndarray:
    vector = np.empty(len(elements), dtype.numpy)
    vector[:] = elements
    return vector
