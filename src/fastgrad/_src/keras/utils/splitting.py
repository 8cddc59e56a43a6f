"""``split_dataset``: data in two parts."""

from __future__ import annotations

import random
from typing import Any

import numpy as np

from fastgrad._src.core import nest
from fastgrad._src.data.dataset import Dataset
from fastgrad._src.keras.training.batches import PyDataset


def split_dataset(
    dataset: Any,
    left_size: Any = None,
    right_size: Any = None,
    shuffle: bool = False,
    seed: int | None = None,
    preferred_backend: Any = None,
) -> tuple[Any, Any]:
    """Splits data into two ``tf.data.Dataset``s.

    Args:
        dataset: a ``Dataset``, ``PyDataset``, array, or list or tuple of arrays, whose elements or rows are split.
        left_size, right_size: a number of elements, or a fraction of all elements between 0 and 1; one may be omitted.
        shuffle: whether to shuffle the elements first.
        seed: the seed of the shuffle.
        preferred_backend: kept for Keras's signature.

    Raises:
        ValueError: the sizes do not match, or a part is empty.
        TypeError: a size is not a number, or the data are of another kind.
    """
    elements = _element_list(dataset)
    left_count, right_count = _split_sizes(left_size, right_size, len(elements))
    if shuffle:
        random.Random(seed).shuffle(elements)  # noqa: S311  # Keras's own order
    return _dataset_of_elements(elements[:left_count]), _dataset_of_elements(elements[len(elements) - right_count :])


def _element_list(dataset: Any) -> list[Any]:
    if isinstance(dataset, Dataset):
        return list(dataset.as_numpy_iterator())
    if isinstance(dataset, PyDataset):
        return list(dataset)
    if isinstance(dataset, (list, tuple)):
        arrays = [np.asarray(part) for part in dataset]
        if any(array.ndim == 0 for array in arrays):
            raise ValueError(f"split_dataset: takes arrays of rows, got numbers: {dataset!r}.")
        if len({len(part) for part in arrays}) != 1:
            raise ValueError(f"split_dataset: the arrays have {[len(part) for part in arrays]} rows.")
        return list(zip(*arrays, strict=True))
    if hasattr(dataset, "__array__"):
        return list(np.asarray(dataset))
    raise TypeError(
        f"split_dataset: expected a Dataset, PyDataset, array, or list or tuple of arrays, got {type(dataset)}."
    )


def _split_sizes(left: Any, right: Any, total: int) -> tuple[int, int]:
    if left is None and right is None:
        raise ValueError("At least one of the `left_size` or `right_size` must be specified. Received both None.")
    counts = []
    for name, size in (("left_size", left), ("right_size", right)):
        if size is not None and type(size) not in (int, float):
            raise TypeError(f"Invalid `{name}` Type. Expected: int or float or None, Received: {type(size)}.")
        if size is not None and not 0 < size < (1 if type(size) is float else total):
            raise ValueError(
                f"`{name}` must be a positive integer smaller than {total}, or a float in [0, 1]. Received: {name}={size}"
            )
        counts.append(round(size * total) if type(size) is float else size)
    sizes = [total - counts[1 - i] if count is None else count for i, count in enumerate(counts)]
    if sum(sizes) > total:
        raise ValueError(f"The sum of `left_size` and `right_size` should not be above {total}; it is {sum(sizes)}.")
    if not all(sizes):
        raise ValueError(f"With {total} elements, one of the parts would be empty: {sizes[0]} and {sizes[1]}.")
    return sizes[0], sizes[1]


def _dataset_of_elements(elements: list[Any]) -> Any:
    columns = [np.array(column) for column in zip(*map(nest.flatten, elements), strict=True)]
    return Dataset.from_tensor_slices(nest.pack_sequence_as(elements[0], columns))
