"""The rows of each leaf of an element as a column: an array, ragged rows, sparse rows, or the columns of an extension type."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastgrad._src.core.composite import Composite, CompositeSpec
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.tensor import tensor_of_data
from fastgrad._src.data.ragged_rows import RaggedColumn, ragged_stack
from fastgrad._src.data.sparse_rows import SparseColumn, stack_sparse_tensors
from fastgrad._src.structures.extension_types.extension_type import ExtensionType


class ExtensionColumn:
    """Rows of an object of a ``tf.experimental.BatchableExtensionType``.

    Args:
        columns: the rows of all tensors that encode the object, as many in each.
        row_spec: the spec of a row.
    """

    def __init__(self, columns: Sequence[Any], row_spec: CompositeSpec) -> None:
        self._columns, self._row_spec = list(columns), row_spec

    @classmethod
    def of(cls, value: Composite) -> ExtensionColumn:
        """Returns the rows of an object; copies its memory, which may be a variable's.

        Raises:
            TypeError: the class can't be batched.
            InvalidArgumentError: a tensor has no rows, or their numbers of rows differ.
        """
        spec = value._spec()
        row_spec = spec.of_rows()
        columns = [rows_of_leaf(leaf) for leaf in spec.encode(value, 1)]
        columns = [column.copy() if isinstance(column, np.ndarray) else column for column in columns]
        counts = {len(column) if getattr(column, "ndim", 1) else None for column in columns}
        if len(counts) != 1 or None in counts:
            raise InvalidArgumentError(f"{type(value).__name__}: the tensors need one number of rows, got {value!r}.")
        return cls(columns, row_spec)

    def tensor(self) -> Any:
        """Returns the object."""
        return self._row_spec.batched(len(self)).decode(list(map(tensor_of_rows, self._columns)))

    def spec_of_rows(self) -> Any:
        """Returns the spec of a row."""
        return self._row_spec

    def __len__(self) -> int:
        return len(self._columns[0])

    @property
    def nbytes(self) -> int:
        """The memory of all rows, in bytes."""
        return sum(column.nbytes for column in self._columns)

    def __getitem__(self, rows: slice) -> ExtensionColumn:
        return ExtensionColumn([column[rows] for column in self._columns], self._row_spec)

    def element(self, row_index: int) -> Any:
        """Returns one row."""
        return self._row_spec.decode([row(column, row_index) for column in self._columns])

    def take(self, rows: np.ndarray) -> ExtensionColumn:
        """Returns the rows with the numbers ``rows``."""
        columns = [
            column.take(rows, 0) if isinstance(column, np.ndarray) else column.take(rows) for column in self._columns
        ]
        return ExtensionColumn(columns, self._row_spec)


def row(column: Any, number: int) -> Any:
    """Returns one row of a column."""
    return tensor_of_data(column[number, ...]) if isinstance(column, np.ndarray) else column.element(number)


def tensor_of_rows(column: Any) -> Any:
    """Returns the tensor or composite with the rows of a column."""
    return tensor_of_data(column) if isinstance(column, np.ndarray) else column.tensor()


def rows_of_composite(leaf: Composite) -> RaggedColumn | SparseColumn | ExtensionColumn:
    """Returns the rows of a ragged or sparse tensor, or of an extension type."""
    if isinstance(leaf, ExtensionType):
        return ExtensionColumn.of(leaf)
    return SparseColumn.of(leaf) if leaf._spec().ragged_rank is None else RaggedColumn.of(leaf)


def rows_of_leaf(leaf: Any) -> Any:
    """Returns the column of a tensor or composite."""
    return rows_of_composite(leaf) if isinstance(leaf, Composite) else leaf._on_host()


def stack_composites(column: Sequence[Composite], uniform: Sequence[Any] | None) -> Any:
    """Stacks ragged or sparse tensors or extension types along a new first dimension.

    Args:
        column: the values.
        uniform: see ``ragged_stack``; for extension types a list for the tensors that encode them. None if it is not known.
    """
    if isinstance(column[0], ExtensionType):
        return _stack_extension_types(column, uniform)
    if column[0]._spec().ragged_rank is None:
        return stack_sparse_tensors(column)
    return ragged_stack(column, uniform or [None] * len(column[0]._to_components()[1]))


def _stack_extension_types(column: Sequence[Composite], uniform: Sequence[Any] | None) -> Any:
    """Stacks objects of one extension type along a new first dimension.

    Raises:
        TypeError: the class can't be batched.
        InvalidArgumentError: the shapes or the values of other fields differ.
    """
    specs = [value._spec() for value in column]
    spec: Any = specs[0].most_specific_common_supertype(specs[1:])
    if spec is not None:
        parts = [value_spec.encode(value) for value_spec, value in zip(specs, column, strict=True)]
        part_specs = spec.encoding_specs()
        encoding = zip(part_specs, zip(*parts, strict=True), uniform or [None] * len(part_specs), strict=True)
        stacked = [_stack_part(*part) for part in encoding]
        if all(part is not None for part in stacked):
            return spec.batched(len(column)).decode(stacked)
    raise InvalidArgumentError(
        f"Dataset.batch: Cannot batch values of {type(column[0]).__name__} whose tensors have different shapes, or whose "
        "other fields differ."
    )


def _stack_part(spec: Any, values: Sequence[Any], uniform: Sequence[int | None] | None) -> Any:
    """Returns the stack of tensors or composites that encode extension types; None if the shapes of tensors differ."""
    if isinstance(spec, CompositeSpec):
        if spec.ragged_rank is None:
            return stack_sparse_tensors(values)
        return ragged_stack(values, uniform or [None] * (spec.ragged_rank + 1))
    arrays = [value._on_host() for value in values]
    return None if len({array.shape for array in arrays}) > 1 else tensor_of_data(np.stack(arrays))
