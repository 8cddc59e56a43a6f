"""Rows of different lengths as arrays, for slicing, shuffling and batching of ragged tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastgrad._src.core.composite import Composite
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.tensor import tensor_of_data


class RaggedColumn:
    """Rows of values, cut by one or more levels of splits.

    Args:
        values: the innermost values.
        splits: the row splits, the outermost first.
        uniform: for each level the length of all rows, or None.
    """

    def __init__(self, values: np.ndarray, splits: Sequence[np.ndarray], uniform: Sequence[int | None]) -> None:
        self.values, self.splits, self.uniform = values, list(splits), tuple(uniform)

    @classmethod
    def of(cls, ragged: Composite) -> RaggedColumn:
        """Returns the column of a ragged tensor; copies a variable's memory, which may change while rows are used."""
        uniform: Any
        uniform, tensors = ragged._to_components()
        values, *splits = [
            tensor._on_host() if tensor._owner is None else tensor._on_host().copy() for tensor in tensors
        ]
        return cls(values, splits, uniform)

    def tensor(self) -> Any:
        """Returns the ragged tensor."""
        from fastgrad._src.structures.ragged.ragged_tensor import RaggedTensor

        return RaggedTensor._from_components(
            self.uniform, [tensor_of_data(part) for part in (self.values, *self.splits)]
        )

    def spec_of_rows(self) -> Any:
        """Returns the spec of a row."""
        from fastgrad._src.structures.ragged.spec import RaggedTensorSpec

        return RaggedTensorSpec.from_value(self.tensor()).of_rows()

    def __len__(self) -> int:
        return len(self.splits[0]) - 1

    @property
    def nbytes(self) -> int:
        """The memory of all rows, in bytes."""
        return self.values.nbytes + sum(part.nbytes for part in self.splits)

    def __getitem__(self, rows: slice) -> RaggedColumn:
        start, stop, _ = rows.indices(len(self))
        splits = []
        for level in self.splits:
            level_splits = level[start : max(start, stop) + 1]
            start, stop = int(level_splits[0]), int(level_splits[-1])
            splits.append(level_splits - level_splits[0])
        return RaggedColumn(self.values[start:stop], splits, self.uniform)

    def element(self, row_index: int) -> Any:
        """Returns one row: a tensor, or a ragged tensor with one level less."""
        start, stop = self.splits[0][row_index : row_index + 2].tolist()
        if len(self.splits) == 1:
            return tensor_of_data(self.values[start:stop])
        return RaggedColumn(self.values, self.splits[1:], self.uniform[1:])[start:stop].tensor()

    def take(self, rows: np.ndarray) -> RaggedColumn:
        """Returns the rows with the numbers ``rows``."""
        splits = []
        for level in self.splits:
            starts, lengths = level[rows], level[rows + 1] - level[rows]
            level_splits = np.concatenate([np.zeros(1, level.dtype), np.cumsum(lengths, dtype=level.dtype)])
            rows = np.arange(level_splits[-1], dtype=np.int64) + np.repeat(starts - level_splits[:-1], lengths)
            splits.append(level_splits)
        return RaggedColumn(self.values.take(rows, 0), splits, self.uniform)


def ragged_stack(column: Sequence[Any], uniform: Sequence[int | None], splits_dtype: Any = None) -> Any:
    """Returns tensors and ragged tensors as the rows of one ragged tensor.

    Args:
        column: the tensors, of one rank.
        uniform: for each dimension of the result that splits cut: the length of all rows, if the spec has it.
        splits_dtype: Default: the dtype of the tensors' splits, int64 without splits.

    Raises:
        InvalidArgumentError: the tensors differ in dimensions that are not cut.
    """
    rows = [RaggedColumn.of(leaf) if isinstance(leaf, Composite) else leaf._on_host() for leaf in column]
    parts = [_with_split_levels(part, len(uniform) - 1) for part in rows]
    dtype = np.dtype(splits_dtype or next((part.splits[0].dtype for part in parts if part.splits), np.dtype(np.int64)))
    counts = [len(part.splits[0]) - 1 if part.splits else len(part.values) for part in parts]
    splits = [_splits_of_lengths(counts, dtype)]
    for level in zip(*[part.splits for part in parts], strict=True):
        starts = _splits_of_lengths([int(part[-1]) for part in level], dtype)[:-1]
        shifted = [part[1:].astype(dtype) + start for part, start in zip(level, starts, strict=True)]
        splits.append(np.concatenate([np.zeros(1, dtype), *shifted]))
    try:
        values = np.concatenate([part.values for part in parts])
    except ValueError:
        raise InvalidArgumentError(
            f"Dataset.ragged_batch: the elements differ in dimensions that are known: their values have shapes "
            f"{[list(part.values.shape) for part in parts]}."
        ) from None
    return RaggedColumn(values, splits, uniform).tensor()


def _splits_of_lengths(counts: Sequence[int], dtype: np.dtype) -> np.ndarray:
    return np.concatenate([np.zeros(1, dtype), np.cumsum(counts, dtype=dtype)])


def _with_split_levels(rows: Any, levels: int) -> RaggedColumn:
    """Returns ``rows`` as a ``RaggedColumn`` with ``levels`` levels of splits."""
    if isinstance(rows, RaggedColumn):
        inner = _with_split_levels(rows.values, levels - len(rows.splits))
        return RaggedColumn(inner.values, [*rows.splits, *inner.splits], [*rows.uniform, *inner.uniform])
    splits = []
    for _ in range(levels):
        count, length = rows.shape[:2]
        splits.append(np.arange(count + 1) * length)
        rows = rows.reshape(count * length, *rows.shape[2:])
    return RaggedColumn(rows, splits, [None] * levels)
