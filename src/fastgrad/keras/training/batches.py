"""Batches from whatever ``fit``, ``evaluate`` and ``predict`` are given: arrays, datasets, generators, ``PyDataset``s."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from fastgrad import nest
from fastgrad.data.dataset import Dataset
from fastgrad.dtypes import as_dtype
from fastgrad.keras import settings
from fastgrad.tensor import Tensor, as_tensor_or_none, convert_to_tensor, tensor_of_data


class PyDataset:
    """Batches by their numbers: subclasses write ``__getitem__(index)`` and ``__len__`` or the property ``num_batches``.

    ``on_epoch_begin`` and ``on_epoch_end`` are called around epochs.

    Args:
        workers, use_multiprocessing, max_queue_size: kept for Keras's signature; batches are made when they are asked for.
    """

    def __init__(self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10) -> None:
        self.workers, self.use_multiprocessing, self.max_queue_size = workers, use_multiprocessing, max_queue_size

    def __getitem__(self, index: int) -> Any:
        """Batch ``index``: inputs, or a tuple of inputs, labels and sample weights."""
        raise NotImplementedError

    def __iter__(self) -> Iterator[Any]:
        """All batches; without end where their number is not known."""
        try:
            count = self.num_batches
        except NotImplementedError:
            count = None
        return (self[index] for index in (itertools.count() if count is None else range(count)))

    @property
    def num_batches(self) -> int | None:
        """How many batches there are, None if they do not end.

        Raises:
            NotImplementedError: a subclass has neither this property nor ``__len__``.
        """
        if hasattr(self, "__len__"):
            return len(self)
        raise NotImplementedError(
            f"{type(self).__name__}: write `__len__`, or the property `num_batches`, which says how many batches there are "
            "(None: they do not end)."
        )

    def on_epoch_begin(self) -> None:
        """Called before each epoch."""

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
    array = tensor._on_host() if tensor is not None else np.asarray(value)
    if array.ndim == 1 and hasattr(value, "iloc"):
        array = array[:, np.newaxis]  # a Series of pandas is a column
    if array.dtype == object:
        array = _numbers(array)
    if array.dtype.kind == "f" and array.dtype != settings.default_dtype().numpy:
        array = array.astype(settings.default_dtype().numpy)
    if array.dtype.kind in "US":
        raise ValueError(f"Invalid dtype: {array.dtype.name}. Models take numbers; encode strings first.")
    return array


def _numbers(array: np.ndarray) -> np.ndarray:
    """An array of objects, such as a table with columns of numbers and truth values, in ``floatx()``."""
    try:
        return array.astype(settings.default_dtype().numpy)
    except (TypeError, ValueError):
        first = next((item for item in array.flat if not isinstance(item, (int, float, np.generic))), array)
        raise ValueError(
            f"Unrecognized data type: an array of objects of shape {array.shape}: {first!r} is no number. Give arrays of numbers "
            "of one shape; encode texts first."
        ) from None


def _is_leaf(value: Any) -> bool:
    return not isinstance(value, (list, tuple, dict))


def as_arrays(structure: Any) -> Any:
    """A structure of arrays, lists of numbers among them."""
    if structure is None or _is_leaf(structure):
        return None if structure is None else as_array(structure)
    if isinstance(structure, dict):
        return {name: as_arrays(value) for name, value in structure.items()}
    items = [as_arrays(value) for value in structure]
    return type(structure)(*items) if hasattr(structure, "_fields") else type(structure)(items)


def leaves_of(*structures: Any) -> list[np.ndarray]:
    """The arrays in structures."""
    return [array for one in structures if one is not None for array in nest.flatten(one) if array is not None]


def checked_size(x: Any, y: Any, sample_weight: Any) -> int:
    """How many samples there are.

    Raises:
        ValueError: arrays of different lengths, or without samples.
    """
    arrays = leaves_of(x, y, sample_weight)
    for array in arrays:
        if array.ndim == 0:
            raise ValueError(
                f"Data must be arrays of samples, whose first dimension counts them; found the scalar {array!r}. "
                "(Nested lists of numbers become arrays with np.array.)"
            )
    if not arrays:
        raise ValueError(f"Data must be arrays of samples: x={x!r} holds no array.")
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
        raise ValueError(
            f"Expected at least one sample; the arrays are empty: their shapes are {[tuple(a.shape) for a in arrays]}."
        )
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
            is_array = isinstance(leaf, (np.ndarray, Tensor, list, int, float)) or hasattr(leaf, "__array__")
            if not is_array and as_tensor_or_none(leaf) is None:
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
        return nest.map_structure(lambda array: None if array is None else array[which], tuple(arrays))

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
        labels: all labels, where they are one array; else None.

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
        self.labels: np.ndarray | None = None
        self._class_weight = class_weight
        self._going: Iterator[Any] | None = None
        self._nested: list[Any] | None = None
        self._position: Any = None  # the iterator that says where the data are
        self._resumed: Any = None  # one that has been put where they were
        self._py_dataset = x if isinstance(x, PyDataset) else None
        self._is_arrays = not isinstance(x, (Dataset, PyDataset)) and not _is_stream(x)
        if not self._is_arrays and (y is not None or sample_weight is not None):
            what = "y" if y is not None else "sample_weight"
            raise ValueError(
                f"When providing `x` as a {type(x).__name__}, `{what}` should not be passed: it is part of `x`."
            )
        for name, number in (("batch_size", batch_size), ("steps", steps)):
            if number is not None and not isinstance(number, (int, np.integer)):
                raise TypeError(f"`{name}` must be a positive integer or None. Received: {name}={number!r}")
        if batch_size is not None and batch_size < 1:
            raise ValueError(f"`batch_size` must be a positive integer or None. Received: batch_size={batch_size}")
        if self._is_arrays:
            self._source: Any = self._of_arrays(x, y, sample_weight, batch_size or 32, shuffle)
            self.size = steps or len(self._source)
        else:
            self._source = _Generated(x) if isinstance(x, Iterator) else x
            if self._py_dataset is not None:
                self.size = steps or self._py_dataset.num_batches
            elif steps is None and hasattr(x, "__len__"):
                try:
                    self.size = len(x)
                except TypeError:  # a dataset of unknown length
                    self.size = None

    def _of_arrays(self, x: Any, y: Any, sample_weight: Any, batch_size: int, shuffle: bool) -> Dataset:
        """A dataset of batches: inputs, labels and weights, None for what is not there; or the leaves of those."""
        x, y, sample_weight = as_arrays(x), as_arrays(y), as_arrays(sample_weight)
        size = checked_size(x, y, sample_weight)
        self.labels = y if isinstance(y, np.ndarray) else None
        parts = [x, y, self._weights(y, sample_weight)]
        leaves = nest.flatten(parts)
        if len(leaves) > len(parts) or any(a is not b for a, b in zip(leaves, parts, strict=True)):
            self._nested = parts
        rows = Dataset.from_tensor_slices(tuple([None if leaf is None else _shared(leaf) for leaf in leaves]))
        return (rows.shuffle(size) if shuffle else rows).batch(batch_size)

    def epoch(self, first: int = 0) -> Iterator[tuple[Any, Any, Any]]:
        """The batches of one epoch, from number ``first`` on: inputs, labels, weights."""
        if self._is_arrays and self.steps is None:
            return self._begun()
        return self._counted(first)

    def _begun(self) -> Iterator[Any]:
        """All batches, from where ``restore`` said, else from the start."""
        self._position, self._resumed = self._resumed or self._items(), None
        return self._converted(self._position)

    def _items(self) -> Any:
        """What the source gives, as an iterator that knows its position."""
        if isinstance(self._source, Dataset):
            return iter(self._source)
        return _Counted(self._source)

    def _converted(self, items: Iterator[Any]) -> Iterator[Any]:
        if not self._is_arrays:
            return map(self._batch, items)
        nested = self._nested
        if nested is None:
            return items
        # A list would be one tensor to a dataset, so nested parts are put together behind it.
        return (tuple(nest.pack_sequence_as(nested, list(flat))) for flat in items)

    def _counted(self, first: int) -> Iterator[tuple[Any, Any, Any]]:
        if self._py_dataset is not None:
            self._py_dataset.on_epoch_begin()
        if self.steps is None:
            count = first
            for batch in self._begun():
                count += 1
                yield batch
            self.size = count or self.size
        else:
            if self._going is None:
                self._going = self._begun()
            for number in range(first, self.steps):
                batch = next(self._going, None)
                if batch is None and not number:
                    self._going = self._begun()  # the epoch before has taken the last batch
                    batch = next(self._going, None)
                if batch is None:
                    self._going = None
                    _warn_of_end()
                    break
                yield batch
        if self._py_dataset is not None:
            self._py_dataset.on_epoch_end()

    def example(self) -> tuple[Any, Any, Any]:
        """A batch of the form of those to come: zeros, where the form is known beforehand."""
        if isinstance(self._source, Dataset):
            return next(self._converted(iter([nest.map_structure(_zeros, self._source.element_spec)])))
        if self._py_dataset is not None:
            return self._batch(self._py_dataset[0])
        first = self._source.peek() if isinstance(self._source, _Generated) else next(iter(self._source), None)
        if first is None:
            raise ValueError("fit: the data has no batch.")
        return self._batch(first)

    def state(self, within: bool) -> dict[str, np.ndarray]:
        """Where the data are: how many batches have been given, and what shuffles draw from.

        Args:
            within: whether an epoch has begun and is not at its end.
        """
        if self._position is not None and (within if self.steps is None else self._going is not None):
            found: dict[str, np.ndarray] = self._position.state()
            return found
        drawn = self._source._node.random_state() if isinstance(self._source, Dataset) else []
        return {"position": np.array(0, np.int64), "random": np.array(drawn, np.uint64).reshape(-1, 4)}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """The next ``epoch`` goes on from what ``state`` gave; ValueError for the state of other data."""
        items = self._items()
        items.restore(state)
        if int(state["position"]):
            self._resumed = items
        elif isinstance(self._source, Dataset):
            self._source._node.restore_random_state(tuple(row) for row in np.asarray(state["random"]).tolist())

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


class _Generated:
    """The batches of an iterator, which gives each of them once.

    Keras reads two of them beforehand, and gives these again in each epoch: so does this, as the epochs of a generator that
    has ended would be empty. A warning tells.

    Args:
        items: the iterator.
    """

    def __init__(self, items: Iterator[Any]) -> None:
        self._items = items
        self._first: list[Any] = []
        self._ended = False

    def peek(self) -> Any:
        """The first batch, None if there is none."""
        self._first = self._first or list(itertools.islice(self._items, 2))
        return self._first[0] if self._first else None

    def __iter__(self) -> Iterator[Any]:
        self.peek()
        if self._ended:
            _warn_of_end()
        yield from self._first
        yield from self._items
        self._ended = True


class _Counted:
    """An iterator that counts."""

    def __init__(self, items: Iterable[Any]) -> None:
        self._items = iter(items)
        self._count = 0

    def __iter__(self) -> _Counted:
        return self

    def __next__(self) -> Any:
        item = next(self._items)
        self._count += 1
        return item

    def state(self) -> dict[str, np.ndarray]:
        return {"position": np.array(self._count, np.int64), "random": np.zeros((0, 4), np.uint64)}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        for _ in itertools.islice(self, int(state["position"])):
            pass


def _zeros(spec: Any) -> Any:
    return None if spec is None else Tensor(np.zeros([size or 1 for size in spec.shape], spec.dtype.numpy))


def _shared(array: np.ndarray) -> Tensor:
    """The array as a tensor, which has the array's own memory where it can: it is only read while the model trains."""
    if type(array) is np.ndarray and array.flags.c_contiguous and array.dtype.isnative:
        as_dtype(array.dtype)
        return tensor_of_data(array)
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
