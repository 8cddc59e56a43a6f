"""Elements become batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from fastgrad import nest
from fastgrad.data.node import Chunk
from fastgrad.data.rows import Indices
from fastgrad.data.structure import packer
from fastgrad.errors import InvalidArgumentError
from fastgrad.tensor import Tensor


def stacked(elements: list[Any]) -> Any:
    """One element whose tensors are those of ``elements``, stacked along a new first dimension.

    Raises:
        InvalidArgumentError: tensors at one place have different shapes.
    """
    first = elements[0]
    if type(first) is Tensor:
        return _stack(elements)
    leaves = zip(*[nest.flatten(element) for element in elements], strict=True)
    return packer(first)([_stack(column) for column in leaves])


def _stack(column: Sequence[Any]) -> Tensor | None:
    if column[0] is None:
        return None
    arrays = [tensor._array for tensor in column]
    shape = arrays[0].shape
    for array in arrays:
        if array.shape != shape:
            raise InvalidArgumentError(
                f"Dataset.batch: Cannot add tensor to the batch: number of elements does not match. Shapes are: "
                f"[tensor]: {list(array.shape)}, [batch]: {list(shape)}. Give the elements of a batch one shape with map."
            )
    out = np.empty((len(arrays), *shape), arrays[0].dtype)
    for position, array in enumerate(arrays):
        out[position, ...] = array
    return Tensor(out)


def row_groups(chunks: Iterable[Chunk], size: int, drop_remainder: bool) -> Iterator[Indices]:
    """Row numbers in groups of ``size``, the last one shorter unless it is dropped."""
    waiting: list[Any] = []
    missing = size
    for chunk in chunks:
        start = 0
        while len(chunk) - start >= missing:
            waiting.append(chunk[start : start + missing])
            yield waiting[0] if len(waiting) == 1 else np.concatenate(waiting)
            start, missing, waiting = start + missing, size, []
        if start < len(chunk):
            waiting.append(chunk[start:])
            missing -= len(chunk) - start
    if waiting and not drop_remainder:
        yield waiting[0] if len(waiting) == 1 else np.concatenate(waiting)


def element_groups(elements: Iterable[Any], size: int, drop_remainder: bool) -> Iterator[list[Any]]:
    """Elements in groups of ``size``, the last one shorter unless it is dropped."""
    group: list[Any] = []
    for element in elements:
        group.append(element)
        if len(group) == size:
            yield group
            group = []
    if group and not drop_remainder:
        yield group
