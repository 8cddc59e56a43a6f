"""Rows of arrays, read one by one or many at once: what makes slicing, shuffling and batching of arrays cheap."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastgrad.data.structure import packer
from fastgrad.dtypes import DType
from fastgrad.tensor import Tensor
from fastgrad.tensor_spec import TensorSpec

Indices = Any
"""Row numbers: a ``range`` of step 1 where they are consecutive, else an int64 array."""


class ArrayRows:
    """Row i of every array, together an element.

    Args:
        structure: the form of an element.
        arrays: one for each leaf, of equal first dimension (None for a leaf that is None).
        count: the number of rows.
    """

    def __init__(self, structure: Any, arrays: Sequence[np.ndarray | None], count: int) -> None:
        self.count = count
        self._arrays = list(arrays)
        self._pack = packer(structure)

    def spec(self) -> Any:
        """The spec of an element."""
        return self._pack([None if a is None else TensorSpec(a.shape[1:], a.dtype) for a in self._arrays])

    def element(self, index: int) -> Any:
        """One row."""
        return self._pack([None if array is None else Tensor(array[index, ...]) for array in self._arrays])

    def batch(self, indices: Indices) -> Any:
        """Several rows, stacked: views of the arrays where the rows are consecutive."""
        if type(indices) is range:
            stop = indices.start + len(indices)
            return self._pack([None if a is None else Tensor(a[indices.start : stop]) for a in self._arrays])
        return self._pack([None if array is None else Tensor(array.take(indices, 0)) for array in self._arrays])


class RangeRows:
    """The numbers ``start + i * step``, made when they are asked for."""

    def __init__(self, start: int, step: int, count: int, dtype: DType) -> None:
        self.count = count
        self._start, self._step, self._dtype = start, step, dtype

    def spec(self) -> Any:
        """The spec of an element."""
        return TensorSpec((), self._dtype)

    def element(self, index: int) -> Tensor:
        """One number."""
        return Tensor(np.array(self._start + int(index) * self._step, self._dtype.numpy))

    def batch(self, indices: Indices) -> Tensor:
        """Several numbers, as a vector."""
        numbers = np.arange(indices.start, indices.stop) if type(indices) is range else indices
        return Tensor((self._start + numbers * self._step).astype(self._dtype.numpy))


class ZippedRows:
    """Row i of several row sources, in one structure."""

    def __init__(self, pack: Callable[[list[Any]], Any], sources: Sequence[Any]) -> None:
        self.count = min(source.count for source in sources)
        self._pack = pack
        self._sources = list(sources)

    def spec(self) -> Any:
        """The spec of an element."""
        return self._pack([source.spec() for source in self._sources])

    def element(self, index: int) -> Any:
        """One row of each."""
        return self._pack([source.element(index) for source in self._sources])

    def batch(self, indices: Indices) -> Any:
        """Several rows of each, stacked."""
        return self._pack([source.batch(indices) for source in self._sources])
