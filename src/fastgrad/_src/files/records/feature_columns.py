"""The columns that examples are parsed to: each collects the values of a feature from all examples, and makes a tensor of them.

A row belongs to one example: a text for errors, the values of the feature or None, and the values of features that partition it. The row
of a feature list has a list of values, one for each item.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.argument_checks import refuse
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.tensor import Tensor, convert_to_tensor
from fastgrad._src.files.records.features import (
    FixedLenFeature,
    FixedLenSequenceFeature,
    RaggedFeature,
    RowLengths,
    RowLimits,
    RowSplits,
    RowStarts,
    UniformRowLength,
    VarLenFeature,
)
from fastgrad._src.ops.arguments import as_python_ints
from fastgrad._src.ops.shaping import reshape
from fastgrad._src.structures.ragged.ragged_tensor import RaggedTensor
from fastgrad._src.structures.sparse.sparse_tensor import SparseTensor


class Column:
    """The values of a feature.

    Args:
        what: the function, for errors.
        key: the name of the result.
        dtype: the dtype of the values.
        single: whether there is one example, whose result has no dimension for the batch.
        feature: what the user says of it.

    Attributes:
        order: the place among TensorFlow's kinds of features.
        value_key: the name of the feature.
        partition_keys: the names of the features that partition it.
        is_list: whether it reads feature lists.
    """

    order = 0
    is_list = False

    def __init__(self, what: str, key: str, dtype: dtypes.DType, single: bool, feature: Any) -> None:
        self.what, self.key, self.dtype, self.single, self.feature = what, key, dtype, single, (key, feature)
        self.value_key = key
        self.partition_keys: Sequence[str] = ()

    def arrays(self, rows: list[Any]) -> list[np.ndarray]:
        """Returns the parts of the result, from a row for each example."""
        raise NotImplementedError

    def samples(self, count: int, size: int) -> list[np.ndarray]:
        """Returns parts of the shapes that ``count`` examples give, with ``size`` for unknown sizes."""
        raise NotImplementedError

    def result(self, parts: Iterator[Tensor]) -> Any:
        """Takes the parts of the result, and returns it."""
        return next(parts)

    def zeros(self, shape: Sequence[int]) -> np.ndarray:
        """Returns zeros, or empty strings."""
        return np.full(tuple(shape), b"" if self.dtype is dtypes.string else 0, self.dtype.numpy)

    def joined(self, values: list[np.ndarray]) -> np.ndarray:
        """Returns the values of all rows."""
        return np.concatenate(values) if values else self.zeros([0])


class DenseColumn(Column):
    """A ``FixedLenFeature``: a tensor of its shape."""

    order = 1

    def __init__(self, what: str, key: str, dtype: dtypes.DType, single: bool, feature: Any) -> None:
        super().__init__(what, key, dtype, single, feature)
        self.shape = item_shape(what, key, feature)
        self.default = None
        if feature.default_value is not None:
            default = convert_to_tensor(feature.default_value, dtype)._on_host()
            if default.size != np.prod(self.shape, dtype=int):
                raise InvalidArgumentError(
                    f"{what}: The default_value of feature {key} has {default.size} values, but its shape is {list(self.shape)}."
                )
            self.default = default.reshape(-1)

    def arrays(self, rows: list[Any]) -> list[np.ndarray]:
        count = int(np.prod(self.shape, dtype=int))
        values = [self._values(row, count) for row in rows]
        return [self.joined(values).reshape(self.shape if self.single else (len(rows), *self.shape))]

    def _values(self, row: Any, count: int) -> np.ndarray:
        where, values = row
        values = self.default if values is None else values
        if values is None:
            raise InvalidArgumentError(
                f"{where}Feature: {self.key} (data type: {self.dtype.name}) is required but could not be found."
            )
        if len(values) != count:
            raise InvalidArgumentError(
                f"{where}Key: {self.key}.  Number of {self.dtype.name} values != expected.  Values size: {len(values)} but output shape: "
                f"{list(self.shape)}"
            )
        array: np.ndarray = values
        return array

    def samples(self, count: int, size: int) -> list[np.ndarray]:
        return [self.zeros(self.shape if self.single else (count, *self.shape))]


class DensePaddedColumn(Column):
    """A ``FixedLenSequenceFeature``: a tensor of items, padded to the example with the most."""

    order = 1
    is_required = False

    def __init__(self, what: str, key: str, dtype: dtypes.DType, single: bool, feature: Any) -> None:
        super().__init__(what, key, dtype, single, feature)
        self.shape = item_shape(what, key, feature)
        self.padding = None
        if feature.default_value is not None:
            self.padding = convert_to_tensor(feature.default_value, dtype)._on_host()
            if self.padding.size != 1:
                raise InvalidArgumentError(f"{what}: The default_value of feature {key} must be one value.")

    def arrays(self, rows: list[Any]) -> list[np.ndarray]:
        items = [self._items(*row) for row in rows]
        if self.single:
            return [items[0]]
        padded = self.zeros((len(rows), max(map(len, items), default=0), *self.shape))
        if self.padding is not None:
            padded[...] = self.padding.reshape(())
        for number, values in enumerate(items):
            padded[number, : len(values)] = values
        return [padded]

    def _items(self, where: str, values: Any) -> np.ndarray:
        """Returns the items of one example, shape (items, ...)."""
        count = int(np.prod(self.shape, dtype=int))
        if values is None and self.is_required:
            raise InvalidArgumentError(
                f"{where}Feature list '{self.key}' is required but could not be found. Did you mean to include it in "
                f"feature_list_dense_missing_assumed_empty or feature_list_dense_defaults? Use allow_missing=True."
            )
        if values is None:
            return self.zeros((0, *self.shape))
        if self.is_list and any(len(item) != count for item in values):
            raise InvalidArgumentError(
                f"{where}Feature list: {self.key}: each item must have {count} values, got {[len(item) for item in values]}."
            )
        flat = self.joined(values) if self.is_list else values
        if not self.is_list and (len(flat) % count if count else len(flat)):
            raise InvalidArgumentError(
                f"{where}Error while parsing feature with key {self.key}: number of elements {len(flat)} is not a multiple of {count}."
            )
        length = len(values) if self.is_list else len(flat) // max(count, 1)
        items: np.ndarray = flat.reshape((length, *self.shape))
        return items

    def samples(self, count: int, size: int) -> list[np.ndarray]:
        return [self.zeros((size, *self.shape) if self.single else (count, size, *self.shape))]


class LengthColumn(Column):
    """The numbers of items of a feature list, int64."""

    order = 1

    def arrays(self, rows: list[Any]) -> list[np.ndarray]:
        lengths = np.array([0 if values is None else len(values) for _, values in rows], np.int64)
        return [lengths.reshape(()) if self.single else lengths]

    def samples(self, count: int, size: int) -> list[np.ndarray]:
        return [np.zeros(() if self.single else count, np.int64)]


class SparseColumn(Column):
    """A ``VarLenFeature``: a sparse tensor."""

    def arrays(self, rows: list[Any]) -> list[np.ndarray]:
        empty = self.zeros([0])
        lists = [
            ([] if values is None else values) if self.is_list else [empty if values is None else values]
            for _, values in rows
        ]
        indices = [
            (number, step, place)
            for number, items in enumerate(lists)
            for step, item in enumerate(items)
            for place in range(len(item))
        ]
        sizes = [
            len(lists),
            max(map(len, lists), default=0),
            max((len(i) for items in lists for i in items), default=0),
        ]
        axes = [0] * (not self.single) + [1] * self.is_list + [2]
        positions = np.array(indices, np.int64).reshape(-1, 3)[:, axes]
        values = [item for items in lists for item in items if len(item)]
        return [positions, self.joined(values), np.array(sizes, np.int64)[axes]]

    def samples(self, count: int, size: int) -> list[np.ndarray]:
        shape = [count] * (not self.single) + [size] * self.is_list + [size]
        indices = np.zeros((size if count else 0, len(shape)), np.int64)
        indices[:, -1] = np.arange(len(indices))
        return [indices, self.zeros([len(indices)]), np.array(shape, np.int64)]

    def result(self, parts: Iterator[Tensor]) -> Any:
        return SparseTensor(next(parts), next(parts), next(parts))


class RaggedColumn(Column):
    """A ``RaggedFeature``: a ragged tensor; of one example without partitions, a vector."""

    order = 2

    def __init__(self, what: str, key: str, dtype: dtypes.DType, single: bool, feature: Any) -> None:
        super().__init__(what, key, dtype, single, feature)
        self.value_key = key if feature.value_key is None else feature.value_key
        self.partitions = feature.partitions
        self.partition_keys = [p.key for p in feature.partitions if not isinstance(p, UniformRowLength)]
        self._splits = feature.row_splits_dtype.numpy

    def arrays(self, rows: list[Any]) -> list[np.ndarray]:
        values: list[np.ndarray] = []
        levels: list[list[np.ndarray]] = [[] for _ in range(len(self.partitions) + self.is_list + (not self.single))]
        for where, found, *keyed in rows:
            if self.is_list:
                lengths = [np.array([len(item) for item in found or []], np.int64)]
            else:
                lengths = self._lengths(where, found, keyed)
            values.extend((found or []) if self.is_list else [] if found is None else [found])
            if not self.single:
                count = len(lengths[0]) if lengths else 0 if found is None else len(found)
                lengths = [np.array([count]), *lengths]
            for level, of_row in zip(levels, lengths, strict=True):
                level.append(of_row)
        return [self.joined(values), *[self._splits_of(level) for level in levels]]

    def _splits_of(self, lengths: list[np.ndarray]) -> np.ndarray:
        joined = np.concatenate([np.zeros(1, np.int64), *lengths])
        return np.cumsum(joined).astype(self._splits)

    def _lengths(self, where: str, values: Any, keyed: list[Any]) -> list[np.ndarray]:
        """Returns the lengths of rows of each partition of an example, from the outermost."""
        count = 0 if values is None else len(values)
        lengths: list[np.ndarray] = []
        rest = [np.zeros(0, np.int64) if numbers is None else numbers for numbers in keyed]
        for partition in reversed(self.partitions):
            numbers = None if isinstance(partition, UniformRowLength) else rest.pop()
            found = lengths_of_partition(partition, numbers, count)
            if (len(found) and int(found.min()) < 0) or int(found.sum()) != count:
                raise InvalidArgumentError(
                    f"{where}Key: {self.key}.  {partition} does not form a valid RaggedTensor of {count} values: the lengths of its rows are "
                    f"{found.tolist()[:20]}."
                )
            lengths.insert(0, found)
            count = len(found)
        return lengths

    def samples(self, count: int, size: int) -> list[np.ndarray]:
        lengths = [p.length for p in self.partitions if isinstance(p, UniformRowLength)]
        inner = length = size * int(np.prod(lengths, dtype=int))
        splits: list[np.ndarray] = []
        for partition in reversed(self._levels()):
            if isinstance(partition, UniformRowLength):
                row_splits = np.arange(0, inner + 1, max(partition.length, 1))
            else:
                row_splits = np.append(0, np.full(size if partition else count, inner))
            splits.insert(0, row_splits.astype(self._splits))
            inner = len(row_splits) - 1
        return [self.zeros([length]), *splits]

    def _levels(self) -> list[Any]:
        """Returns what partitions the values, from the outermost: None for the batch."""
        return [*([None] * (not self.single)), *self.partitions, *["items"] * self.is_list]

    def result(self, parts: Iterator[Tensor]) -> Any:
        result: Any = next(parts)
        levels = self._levels()
        splits = [next(parts) for _ in levels]
        for partition, row_splits in zip(reversed(levels), reversed(splits), strict=True):
            if isinstance(partition, UniformRowLength) and isinstance(result, Tensor):
                result = reshape(result, [-1, partition.length, *result.shape[1:]])
            elif isinstance(partition, UniformRowLength):
                result = RaggedTensor._of(result, row_splits, partition.length)
            else:
                result = RaggedTensor.from_row_splits(result, row_splits, validate=False)
        return result


COLUMN_CLASSES: dict[type, type[Column]] = {
    VarLenFeature: SparseColumn,
    FixedLenFeature: DenseColumn,
    FixedLenSequenceFeature: DensePaddedColumn,
    RaggedFeature: RaggedColumn,
}


def lengths_of_partition(partition: Any, numbers: Any, count: int) -> np.ndarray:
    """Returns the lengths of rows of ``count`` values; those of invalid numbers do not add up to ``count``, or are negative."""
    if isinstance(partition, UniformRowLength):
        length = int(partition.length)
        return np.full(count // length if length > 0 else 0, length, np.int64)
    if isinstance(partition, RowLengths):
        return np.asarray(numbers)
    if isinstance(partition, RowSplits):
        return np.diff(numbers) if len(numbers) and numbers[0] == 0 else np.zeros(0, np.int64)
    if isinstance(partition, RowStarts):
        return np.diff(numbers, append=count) if not len(numbers) or numbers[0] == 0 else np.array([-1])
    if isinstance(partition, RowLimits):
        return np.diff(numbers, prepend=0)
    if len(numbers) != count or (count and (numbers[0] < 0 or (np.diff(numbers) < 0).any())):
        return np.array([-1])
    rows = int(numbers[-1]) + 1 if count else 0
    if rows > MOST_EMPTY_ROWS + count:
        return np.array([-1])
    return np.bincount(numbers, minlength=rows)


MOST_EMPTY_ROWS = 1 << 24
"""The limit on rows of ``ValueRowIds`` without values: a row number of a damaged file must not take all memory."""


def item_shape(what: str, key: str, feature: Any) -> tuple[int, ...]:
    """Returns the shape of a feature.

    Raises:
        ValueError: there is none, or it has unknown or negative sizes.
    """
    if feature.shape is None:
        raise ValueError(f"{what}: Missing shape for feature {key}. Received feature={feature}.")
    sizes = [feature.shape] if isinstance(feature.shape, int) else list(feature.shape)
    if None in sizes:
        refuse(what, f"First dimension of shape for {key} unknown. Use FixedLenSequenceFeature", feature=feature)
    shape = as_python_ints(sizes, f"{what}: shape of feature {key}")
    if min(shape, default=0) < 0:
        raise ValueError(f"{what}: shape of feature {key} has a negative size: {list(shape)}.")
    return shape
