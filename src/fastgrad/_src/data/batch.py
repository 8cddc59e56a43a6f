"""Functions that group elements and stack them to batches."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from fastgrad._src.core import nest
from fastgrad._src.core.composite import Composite
from fastgrad._src.core.errors import DataLossError, InvalidArgumentError
from fastgrad._src.core.tensor import Tensor, tensor_of_data
from fastgrad._src.data.columns import stack_composites
from fastgrad._src.data.element_spec import packer
from fastgrad._src.data.node import Chunk, Failure
from fastgrad._src.data.ragged_rows import ragged_stack
from fastgrad._src.data.rows import Indices


def stack_elements(elements: list[Any], ragged: Sequence[Any] = ()) -> Any:
    """Returns an element whose tensors are those of ``elements``, stacked along a new first dimension.

    Args:
        elements: the elements, all of one structure.
        ragged: for leaves that become ragged tensors their uniform lengths (see ``ragged_stack``), else None. Default: no leaf.

    Raises:
        InvalidArgumentError: tensors of one leaf have different shapes.
    """
    first = elements[0]
    if isinstance(first, Tensor) and not ragged:
        return _stack_leaf(elements)
    leaves = list(zip(*[nest.flatten(element) for element in elements], strict=True))
    forms = ragged or [None] * len(leaves)
    return packer(first)([_stack_leaf(*column_and_form) for column_and_form in zip(leaves, forms, strict=True)])


def stack_as_ragged(elements: list[Any], ragged: Sequence[Any], splits_dtype: Any) -> Any:
    """Returns one element with the elements' tensors as rows; a leaf with lengths in ``ragged`` becomes ragged."""
    leaves = zip(*[nest.flatten(element) for element in elements], strict=True)
    return packer(elements[0])(
        [
            ragged_stack(*column_and_lengths, splits_dtype)
            if column_and_lengths[1]
            else _stack_leaf(column_and_lengths[0])
            for column_and_lengths in zip(leaves, ragged, strict=True)
        ]
    )


def _stack_leaf(tensors: Sequence[Any], uniform_lengths: Sequence[int | None] | None = None) -> Any:
    if tensors[0] is None:
        return None
    if isinstance(tensors[0], Composite):
        return stack_composites(tensors, uniform_lengths)
    if uniform_lengths:
        return ragged_stack(tensors, uniform_lengths)
    if not isinstance(tensors[0], Tensor):
        raise TypeError("Dataset.batch: datasets cannot be batched: use flat_map(lambda window: window.batch(n)).")
    arrays = [tensor._on_host() for tensor in tensors]
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
    return tensor_of_data(out)


def pad_and_stack(column: Sequence[Tensor], sizes: Sequence[int | None], value: np.ndarray) -> Tensor:
    """Stacks tensors of different sizes to one tensor; shorter rows are padded with ``value``.

    Args:
        column: the tensors, of one rank.
        sizes: the sizes to pad to; None for the size of the longest tensor.

    Raises:
        InvalidArgumentError: a tensor's rank is not the number of ``sizes``.
        DataLossError: a tensor is larger.
    """
    arrays = [tensor._on_host() for tensor in column]
    for array in arrays:
        if array.ndim != len(sizes):
            raise InvalidArgumentError(
                f"Dataset.padded_batch: All elements in a batch must have the same rank as the padded shape: expected "
                f"rank {len(sizes)} but got an element of rank {array.ndim}."
            )
    longest = np.array([array.shape for array in arrays]).reshape(len(arrays), len(sizes)).max(0, initial=0)
    for longest_size, size in zip(longest.tolist(), sizes, strict=True):
        if size is not None and longest_size > size:
            raise DataLossError(f"Dataset.padded_batch: Attempted to pad to a smaller size: {longest_size} to {size}.")
    shape = [longest_size if size is None else size for longest_size, size in zip(longest.tolist(), sizes, strict=True)]
    out = np.full((len(arrays), *shape), value, arrays[0].dtype)
    for row, array in zip(out, arrays, strict=True) if shape else ():
        row[tuple(map(slice, array.shape))] = array
    return tensor_of_data(out if shape else np.stack(arrays))


def row_groups(chunks: Iterable[Chunk], size: int) -> Iterator[Indices]:
    """Yields row numbers in groups of ``size``. The last group may be shorter."""
    pieces: list[Any] = []
    missing_rows = size
    for chunk in chunks:
        start = 0
        while len(chunk) - start >= missing_rows:
            pieces.append(chunk[start : start + missing_rows])
            yield pieces[0] if len(pieces) == 1 else np.concatenate(pieces)
            start, missing_rows, pieces = start + missing_rows, size, []
        if start < len(chunk):
            pieces.append(chunk[start:])
            missing_rows -= len(chunk) - start
    if pieces:
        yield pieces[0] if len(pieces) == 1 else np.concatenate(pieces)


def element_groups(elements: Iterable[Any], sizes: Iterable[int], drop_remainder: bool) -> Iterator[Any]:
    """Yields elements in groups of the ``sizes``. A group with a ``Failure`` gives that ``Failure``.

    The last group is shorter unless ``drop_remainder``.
    """
    iterator = iter(elements)
    for size in sizes:
        group = list(itertools.islice(iterator, size))
        if group and (len(group) == size or not drop_remainder):
            yield next((element for element in group if type(element) is Failure), group)
        if len(group) < size:
            return


def groups_between_failures(elements: Iterable[Any], sizes: Iterable[int], drop_remainder: bool) -> Iterator[Any]:
    """Yields elements in groups of the ``sizes``. A ``Failure`` ends its group.

    That group is left out; the next group begins after the ``Failure``.

    A group of size 0 comes before the next element is requested.
    """
    element_iterator, end = iter(elements), object()
    for size in sizes:
        group: list[Any] = []
        while len(group) < size:
            element = next(element_iterator, end)
            if element is end:
                if group and not drop_remainder:
                    yield group
                return
            if type(element) is Failure:
                group = []
                yield element
            else:
                group.append(element)
        yield group
