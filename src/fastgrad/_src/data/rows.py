"""Rows of arrays, read one by one or many at once: slicing, shuffling and batching of arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from fastgrad._src.core.dtypes import DType
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.core.tensor_spec import TensorSpec
from fastgrad._src.data.columns import row, tensor_of_rows
from fastgrad._src.data.element_spec import packer

Indices = Any
"""Row numbers: a ``range`` of step 1 if they are consecutive, else an int64 array."""


class Rows:
    """The base of sources whose elements are rows that can be gathered.

    Attributes:
        count: the number of rows.
        row_bytes: the memory of a row.
        pack: gives a list of leaves the structure of an element.
    """

    count: int
    row_bytes: int
    pack: Callable[[list[Any]], Any]

    def spec(self) -> Any:
        """Returns the spec of an element."""
        raise NotImplementedError

    def element(self, index: int) -> Any:
        """Returns the element of one row."""
        raise NotImplementedError

    def arrays(self, indices: Indices) -> list[Any]:
        """Returns rows, stacked: an array, ``RaggedColumn`` or ``SparseColumn`` for each leaf. Consecutive rows are views."""
        raise NotImplementedError

    def batches(self, groups: Iterable[Indices], size: int, drop_remainder: bool) -> Iterator[Any]:
        """Yields elements of ``size`` rows: each group is gathered at once, and its batches are views of the result."""
        pack = self.pack
        for indices in groups:
            arrays = self.arrays(indices)
            rows = len(indices)
            for start in range(0, rows - size + 1 if drop_remainder else rows, size):
                stop = start + size
                yield pack([None if array is None else tensor_of_rows(array[start:stop]) for array in arrays])


class ArrayRows(Rows):
    """Elements whose leaves are the rows of arrays: element i has row i of every array.

    Args:
        structure: the structure of an element.
        arrays: an array or ragged rows for each leaf, of equal first dimension (None for a leaf that is None).
        count: the number of rows.
    """

    def __init__(self, structure: Any, arrays: Sequence[Any], count: int) -> None:
        self.count = count
        self.row_bytes = sum(0 if array is None else array.nbytes // max(count, 1) for array in arrays)
        self.pack = packer(structure)
        self._arrays = list(arrays)

    def spec(self) -> Any:
        return self.pack([None if a is None else _spec_of_rows(a) for a in self._arrays])

    def element(self, index: int) -> Any:
        return self.pack([None if array is None else row(array, index) for array in self._arrays])

    def arrays(self, indices: Indices) -> list[Any]:
        if type(indices) is range:
            stop = indices.start + len(indices)
            return [None if array is None else array[indices.start : stop] for array in self._arrays]
        return [
            None if array is None else array.take(indices, 0) if type(array) is np.ndarray else array.take(indices)
            for array in self._arrays
        ]


def _spec_of_rows(array: Any) -> Any:
    return TensorSpec(array.shape[1:], array.dtype) if isinstance(array, np.ndarray) else array.spec_of_rows()


class RangeRows(Rows):
    """The numbers ``start + i * step``, computed when they are requested."""

    def __init__(self, start: int, step: int, count: int, dtype: DType) -> None:
        self.count = count
        self.row_bytes = dtype.size
        self.pack = packer(None)
        self._start, self._step, self._dtype = start, step, dtype

    def spec(self) -> Any:
        return TensorSpec((), self._dtype)

    def element(self, index: int) -> Tensor:
        return Tensor(np.array(self._start + int(index) * self._step, self._dtype.numpy))

    def arrays(self, indices: Indices) -> list[Any]:
        numbers = np.arange(indices.start, indices.stop) if type(indices) is range else indices
        return [(self._start + numbers * self._step).astype(self._dtype.numpy)]


class ZippedRows(Rows):
    """Elements that combine row i of several row sources in one structure."""

    def __init__(self, pack: Callable[[list[Any]], Any], sources: Sequence[Rows]) -> None:
        self.count = min(source.count for source in sources)
        self.row_bytes = sum(source.row_bytes for source in sources)
        self._pack, self._sources = pack, list(sources)
        self._leaves = [len(source.arrays(range(0))) for source in sources]

    def pack(self, leaves: list[Any]) -> Any:
        """Returns the element that combines elements of all sources; ``leaves`` lists the sources' leaves in order."""
        remaining_leaves = iter(leaves)
        sources_and_counts = zip(self._sources, self._leaves, strict=True)
        return self._pack(
            [
                source.pack([next(remaining_leaves) for _ in range(leaf_count)])
                for source, leaf_count in sources_and_counts
            ]
        )

    def spec(self) -> Any:
        return self._pack([source.spec() for source in self._sources])

    def element(self, index: int) -> Any:
        return self._pack([source.element(index) for source in self._sources])

    def arrays(self, indices: Indices) -> list[Any]:
        return [array for source in self._sources for array in source.arrays(indices)]


class LazyColumnRows:
    """The rows of a file's columns; the first use of an attribute of this object reads the file.

    Args:
        read: returns the columns by name.
    """

    def __init__(self, read: Callable[[], dict[str, np.ndarray]]) -> None:
        self._read = read
        self._rows: ArrayRows | None = None

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # `copy` and `pickle` ask for such names, even before `__init__`
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        if self._rows is None:
            self._rows = _rows_of_columns(self._read())
        return getattr(self._rows, name)


def _rows_of_columns(columns: dict[str, np.ndarray]) -> ArrayRows:
    names = sorted(columns)
    count = len(columns[names[0]]) if names else 0
    return ArrayRows(dict.fromkeys(columns), [columns[name] for name in names], count)
