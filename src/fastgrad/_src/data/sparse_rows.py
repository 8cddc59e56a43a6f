"""Rows of sparse tensors as arrays, for slicing, shuffling and batching."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastgrad._src.core.composite import Composite
from fastgrad._src.core.errors import DataLossError, InvalidArgumentError
from fastgrad._src.core.tensor import tensor_of_data


class SparseColumn:
    """Rows of a sparse tensor.

    Args:
        indices: the positions, in order of their first number, shape (elements, rank).
        values: the elements.
        shape: the shape of the tensor.
    """

    def __init__(self, indices: np.ndarray, values: np.ndarray, shape: Sequence[int]) -> None:
        self.indices, self.values, self.shape = indices, values, tuple(shape)

    @classmethod
    def of(cls, sparse: Composite) -> SparseColumn:
        """Returns the column of a sparse tensor of rank 1 or more; copies its memory, which may be a variable's."""
        shape: Any
        shape, (indices, values) = sparse._to_components()
        if not shape:
            raise InvalidArgumentError("a sparse tensor of rank 0 has no rows.")
        positions = indices._on_host()
        order = np.argsort(positions[:, 0], kind="stable")
        return cls(positions[order], values._on_host()[order], shape)

    def tensor(self) -> Any:
        """Returns the sparse tensor."""
        from fastgrad._src.structures.sparse.sparse_tensor import SparseTensor

        return SparseTensor._of(tensor_of_data(self.indices), tensor_of_data(self.values), self.shape)

    def spec_of_rows(self) -> Any:
        """Returns the spec of a row."""
        return self.tensor()._spec().of_rows()

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def nbytes(self) -> int:
        """The memory of all rows, in bytes."""
        return self.indices.nbytes + self.values.nbytes

    def __getitem__(self, rows: slice) -> SparseColumn:
        start, stop, _ = rows.indices(len(self))
        first, last = np.searchsorted(self.indices[:, 0], (start, max(start, stop)))
        indices = self.indices[first:last].copy()
        indices[:, 0] -= start
        return SparseColumn(indices, self.values[first:last], (max(stop - start, 0), *self.shape[1:]))

    def element(self, row_index: int) -> Any:
        """Returns one row, a sparse tensor of a rank less by 1."""
        part = self[row_index : row_index + 1]
        return SparseColumn(part.indices[:, 1:], part.values, self.shape[1:]).tensor()

    def take(self, rows: np.ndarray) -> SparseColumn:
        """Returns the rows with the numbers ``rows``."""
        starts = np.searchsorted(self.indices[:, 0], rows)
        lengths = np.searchsorted(self.indices[:, 0], rows, side="right") - starts
        numbers = np.repeat(np.arange(len(rows)), lengths)
        elements = np.repeat(starts - np.cumsum(lengths) + lengths, lengths) + np.arange(lengths.sum())
        indices = self.indices[elements]
        indices[:, 0] = numbers
        return SparseColumn(indices, self.values[elements], (len(rows), *self.shape[1:]))


def stack_as_sparse(column: Sequence[np.ndarray], row_shape: Sequence[int | None]) -> Any:
    """Stacks arrays of one rank and of any sizes as a sparse tensor that stores all their elements.

    Args:
        column: the arrays.
        row_shape: the sizes of a row, None for the largest of the arrays.

    Raises:
        InvalidArgumentError: an array has another rank than ``row_shape``.
        DataLossError: an array is larger than ``row_shape``.
    """
    for array in column:
        if array.ndim != len(row_shape):
            raise InvalidArgumentError(
                f"Dataset.sparse_batch: an element has the shape {array.shape}, whose rank is not that of row_shape, {list(row_shape)}."
            )
        if any(limit is not None and size > limit for size, limit in zip(array.shape, row_shape, strict=True)):
            raise DataLossError(
                f"Dataset.sparse_batch: the shape {array.shape} is larger than row_shape={list(row_shape)}."
            )
    positions = [np.argwhere(np.ones(array.shape, bool)) for array in column]
    numbers = np.repeat(np.arange(len(column)), [array.size for array in column])
    indices = np.concatenate([numbers[:, None], np.concatenate(positions)], 1)
    sizes = [
        max(array.shape[axis] for array in column) if limit is None else limit for axis, limit in enumerate(row_shape)
    ]
    values = np.concatenate([array.reshape(-1) for array in column])
    return SparseColumn(indices, values, (len(column), *sizes)).tensor()


def stack_sparse_tensors(column: Sequence[Composite]) -> Any:
    """Stacks sparse tensors along a new first dimension; of sizes that differ the largest counts.

    Raises:
        InvalidArgumentError: the ranks differ.
    """
    parts = [leaf._to_components() for leaf in column]
    shapes: Any = [shape for shape, _ in parts]
    if len({len(shape) for shape in shapes}) > 1:
        raise InvalidArgumentError(f"Dataset.batch: Cannot batch sparse tensors of different ranks: {shapes}.")
    indices = [tensors[0]._on_host() for _, tensors in parts]
    numbers = np.repeat(np.arange(len(parts)), [len(part) for part in indices])
    positions = np.concatenate([numbers[:, None], np.concatenate(indices)], 1)
    values = np.concatenate([tensors[1]._on_host() for _, tensors in parts])
    return SparseColumn(positions, values, (len(parts), *map(max, zip(*shapes, strict=True)))).tensor()
