"""Batches from whatever ``fit``, ``evaluate`` and ``predict`` are given: arrays, datasets, generators, ``PyDataset``s."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from fastgrad import nest
from fastgrad.data.dataset import Dataset
from fastgrad.dtypes import as_dtype
from fastgrad.keras import settings
from fastgrad.tensor import Tensor, as_tensor_or_none, convert_to_tensor


class PyDataset:
    """Batches by their numbers: subclasses write ``__getitem__(index)`` and ``__len__``; ``on_epoch_end`` if they like.

    Args:
        workers, use_multiprocessing, max_queue_size: kept for Keras's signature; batches are made when they are asked for.
    """

    def __init__(self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10) -> None:
        self.workers, self.use_multiprocessing, self.max_queue_size = workers, use_multiprocessing, max_queue_size

    def __getitem__(self, index: int) -> Any:
        """Batch ``index``: inputs, or a tuple of inputs, labels and sample weights."""
        raise NotImplementedError

    def __len__(self) -> int:
        """How many batches there are."""
        raise NotImplementedError

    @property
    def num_batches(self) -> int | None:
        """How many batches there are."""
        return len(self)

    def on_epoch_end(self) -> None:
        """Called after each epoch."""


def pack_x_y_sample_weight(x: Any, y: Any = None, sample_weight: Any = None) -> Any:
    """What is there of them, as a batch: ``x`` alone if it is no list, else a tuple."""
    if y is None:
        return (x,) if isinstance(x, (list, tuple)) else x
    return (x, y) if sample_weight is None else (x, y, sample_weight)


def unpack_x_y_sample_weight(data: Any) -> tuple[Any, Any, Any]:
    """Inputs, labels and sample weights of a batch, None for what is not there.

    Raises:
        ValueError: a tuple of more than three.
    """
    if isinstance(data, list):
        data = tuple(data)
    if not isinstance(data, tuple):
        return data, None, None
    if 1 <= len(data) <= 3:
        x, y, sample_weight = (*data, None, None)[:3]
        return x, y, sample_weight
    raise ValueError(
        "Data is expected to be in format `x`, `(x,)`, `(x, y)`, or `(x, y, sample_weight)`, found: "
        f"{type(data).__name__} of length {len(data)}"
    )


def as_array(value: Any) -> np.ndarray:
    """An array of samples, floats of it in ``floatx()``."""
    tensor = as_tensor_or_none(value)
    array = tensor._array if tensor is not None else np.asarray(value)
    if array.dtype.kind == "f" and array.dtype != settings.default_dtype().numpy:
        array = array.astype(settings.default_dtype().numpy)
    if array.dtype == object:
        raise ValueError(
            f"Unrecognized data type: an array of objects: {value!r:.200}. Give arrays of numbers of one shape."
        )
    return array


def _is_leaf(value: Any) -> bool:
    return not isinstance(value, (list, tuple, dict))


def as_arrays(structure: Any) -> Any:
    """A structure of arrays, lists of numbers among them."""
    if structure is None or _is_leaf(structure):
        return None if structure is None else as_array(structure)
    if isinstance(structure, dict):
        return {name: as_arrays(value) for name, value in structure.items()}
    return type(structure)([as_arrays(value) for value in structure])


def leaves_of(*structures: Any) -> list[np.ndarray]:
    """The arrays in structures."""
    return [array for one in structures if one is not None for array in nest.flatten(one)]


def checked_size(x: Any, y: Any, sample_weight: Any) -> int:
    """How many samples there are.

    Raises:
        ValueError: arrays of different lengths, or without samples.
    """
    arrays = leaves_of(x, y, sample_weight)
    if any(array.ndim == 0 for array in arrays):
        raise ValueError("Data must be arrays of samples, whose first dimension counts them; found a scalar.")
    sizes = {array.shape[0] for array in arrays}
    if len(sizes) != 1:
        parts = [("x", x), ("y", y), ("sample_weight", sample_weight)]
        text = "\n".join(
            f"'{name}' sizes: {', '.join(str(a.shape[0]) for a in leaves_of(part))}"
            for name, part in parts
            if part is not None
        )
        raise ValueError(
            f"Data cardinality is ambiguous. Make sure all arrays contain the same number of samples.\n{text}"
        )
    (size,) = sizes
    if not size:
        raise ValueError("Expected at least one sample; the arrays are empty.")
    return size


def weights_of_classes(y: Any, class_weight: dict[int, float]) -> np.ndarray:
    """The weight of each sample, by its class: integers, or rows of which the greatest counts.

    Raises:
        ValueError: several outputs, or labels that are no classes.
    """
    if not isinstance(y, np.ndarray):
        raise ValueError("`class_weight` is only supported for Models with a single output.")
    labels = y
    if labels.ndim > 2:
        raise ValueError("`class_weight` not supported for 3+ dimensional targets.")
    if labels.ndim == 2:
        labels = labels.argmax(1) if labels.shape[1] > 1 else labels[:, 0]
    labels = np.round(labels).astype(np.int64)
    weights = np.ones(len(labels), settings.default_dtype().numpy)
    for label, weight in class_weight.items():
        weights[labels == int(label)] = weight
    return weights


def split(x: Any, y: Any, sample_weight: Any, fraction: float) -> tuple[Any, Any]:
    """Training and validation data, the last ``fraction`` of the samples being the latter.

    Raises:
        ValueError: data that is no arrays, or too few samples.
    """
    for part in (x, y, sample_weight):
        for leaf in nest.flatten(part) if part is not None else ():
            if not isinstance(leaf, (np.ndarray, Tensor, list, int, float)) and as_tensor_or_none(leaf) is None:
                raise ValueError(
                    "Argument `validation_split` is only supported for tensors or NumPy arrays. "
                    f"Found incompatible type in the input: {type(leaf)}"
                )
    arrays = [as_arrays(part) for part in (x, y, sample_weight)]
    size = checked_size(*arrays)
    at = int(np.floor(size * (1.0 - fraction)))
    if not 0 < at < size:
        raise ValueError(
            f"Training data contains {size} samples, which is not sufficient to split it into a validation and training set "
            f"as specified by `validation_split={fraction}`. Either provide more data, or a different value for the "
            "`validation_split` argument."
        )

    def cut(which: slice) -> tuple[Any, ...]:
        return tuple([None if one is None else nest.map_structure(lambda a: a[which], one) for one in arrays])

    return cut(slice(0, at)), cut(slice(at, size))


class Batches:
    """The batches of epochs.

    Args:
        x: inputs: arrays, nested; or a ``Dataset``, generator, iterable or ``PyDataset`` of batches, without ``y``.
        y, sample_weight: labels and weights.
        batch_size: of arrays; default 32.
        steps: batches of an epoch; default all. Further epochs go on where the last one stopped.
        shuffle: whether arrays are shuffled anew in each epoch.
        class_weight: weights by class.

    Attributes:
        size: batches of an epoch, None while it is not known.

    Raises:
        ValueError: data that do not go together.
    """

    def __init__(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        batch_size: int | None = None,
        steps: int | None = None,
        shuffle: bool = False,
        class_weight: dict[int, float] | None = None,
    ) -> None:
        self.steps = steps
        self.size: int | None = steps
        self._class_weight = class_weight
        self._going: Iterator[Any] | None = None
        self._nested: list[Any] | None = None
        self._py_dataset = x if isinstance(x, PyDataset) else None
        self._is_arrays = not isinstance(x, (Dataset, PyDataset)) and not _is_stream(x)
        if not self._is_arrays and (y is not None or sample_weight is not None):
            what = "y" if y is not None else "sample_weight"
            raise ValueError(
                f"When providing `x` as a {type(x).__name__}, `{what}` should not be passed: it is part of `x`."
            )
        if batch_size is not None and batch_size < 1:
            raise ValueError(f"`batch_size` must be a positive integer or None. Received: batch_size={batch_size}")
        if self._is_arrays:
            self._source: Any = self._of_arrays(x, y, sample_weight, batch_size or 32, shuffle)
            self.size = steps or len(self._source)
        else:
            self._source = x
            if steps is None and hasattr(x, "__len__"):
                try:
                    self.size = len(x)
                except TypeError:  # a dataset of unknown length
                    self.size = None

    def _of_arrays(self, x: Any, y: Any, sample_weight: Any, batch_size: int, shuffle: bool) -> Dataset:
        """A dataset of batches: inputs, labels and weights, None for what is not there; or the leaves of those."""
        x, y, sample_weight = as_arrays(x), as_arrays(y), as_arrays(sample_weight)
        size = checked_size(x, y, sample_weight)
        parts = [x, y, self._weights(y, sample_weight)]
        leaves = nest.flatten(parts)
        if len(leaves) > len(parts) or any(a is not b for a, b in zip(leaves, parts, strict=True)):
            self._nested = parts
        rows = Dataset.from_tensor_slices(tuple([None if leaf is None else _shared(leaf) for leaf in leaves]))
        return (rows.shuffle(size) if shuffle else rows).batch(batch_size)

    def epoch(self) -> Iterator[tuple[Any, Any, Any]]:
        """The batches of one epoch: inputs, labels, weights."""
        if self._is_arrays and self.steps is None:
            return self._of_source()
        return self._counted()

    def _of_source(self) -> Iterator[Any]:
        nested = self._nested
        if nested is None:
            return iter(self._source)
        # A list would be one tensor to a dataset, so nested parts are put together behind it.
        return (tuple(nest.pack_sequence_as(nested, list(flat))) for flat in self._source)

    def _counted(self) -> Iterator[tuple[Any, Any, Any]]:
        if self._is_arrays:
            whole = self._of_source()
        elif self._py_dataset is not None:
            whole = (self._batch(self._py_dataset[index]) for index in range(len(self._py_dataset)))
        else:
            whole = (self._batch(batch) for batch in self._source)
        if self.steps is None:
            count = 0
            for batch in whole:
                count += 1
                yield batch
            self.size = count or self.size
        else:
            if self._going is None:
                self._going = whole
            for number in range(self.steps):
                try:
                    batch = next(self._going)
                except StopIteration:
                    self._going = None
                    if number:
                        _warn_of_end()
                    break
                yield batch
        if self._py_dataset is not None:
            self._py_dataset.on_epoch_end()

    def _batch(self, data: Any) -> tuple[Any, Any, Any]:
        x, y, sample_weight = unpack_x_y_sample_weight(data)
        if self._class_weight is not None:
            sample_weight = self._weights(nest.map_structure(as_array, y), sample_weight)
        return _tensors(x), _tensors(y), _tensors(sample_weight)

    def _weights(self, y: Any, sample_weight: Any) -> Any:
        """The weights of samples: those given, or by their classes; ValueError for both."""
        if self._class_weight is None:
            return sample_weight
        if sample_weight is not None:
            raise ValueError("You cannot `class_weight` and `sample_weight` at the same time.")
        return weights_of_classes(y, self._class_weight)


def _shared(array: np.ndarray) -> Tensor:
    """The array as a tensor, which has the array's own memory where it can: it is only read while the model trains."""
    if type(array) is np.ndarray and array.flags.c_contiguous and array.dtype.isnative:
        as_dtype(array.dtype)
        return Tensor(array)
    return convert_to_tensor(array)


def _warn_of_end() -> None:
    warnings.warn(
        "Your input ran out of data; interrupting epoch. Make sure that your dataset or generator can generate at least "
        "`steps_per_epoch * epochs` batches. You may need to use the `.repeat()` function when building your dataset.",
        stacklevel=4,
    )


def _is_stream(x: Any) -> bool:
    """Whether it is an iterator, or another iterable that is no data itself."""
    if x is None or isinstance(x, (list, tuple, dict, str, np.ndarray)) or hasattr(x, "__array__"):
        return False
    return as_tensor_or_none(x) is None and hasattr(x, "__iter__")


def _tensors(structure: Any) -> Any:
    def one(value: Any) -> Any:
        return value if value is None or isinstance(value, Tensor) else convert_to_tensor(as_array(value))

    if structure is None or _is_leaf(structure):
        return one(structure)
    return nest.map_structure(one, structure)
