"""Batches from the data of ``fit``, ``evaluate`` and ``predict``: arrays, datasets, generators, ``PyDataset``s.

One file, because all kinds of data share their checks and their cuts.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from fastgrad._src.core import nest
from fastgrad._src.core.argument_checks import as_float, check_type, named_argument, refuse, require
from fastgrad._src.core.array_conversion import is_scipy_sparse
from fastgrad._src.core.composite import Composite
from fastgrad._src.core.dtypes import as_dtype, string
from fastgrad._src.core.tensor import Tensor, as_tensor_or_none, convert_to_tensor, tensor_of_data
from fastgrad._src.data.dataset import Dataset
from fastgrad._src.data.sparse_rows import SparseColumn
from fastgrad._src.jit.user_lines import warn
from fastgrad._src.keras import settings
from fastgrad._src.ops.casting import cast


class PyDataset:
    """A sequence of batches: subclasses define ``__getitem__(index)`` and ``__len__`` or the property ``num_batches``.

    ``on_epoch_begin`` and ``on_epoch_end`` are called before and after each epoch.

    Args:
        workers, use_multiprocessing, max_queue_size: kept for Keras's signature; each batch is made on demand.
    """

    def __init__(self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10) -> None:
        self.workers, self.use_multiprocessing, self.max_queue_size = workers, use_multiprocessing, max_queue_size

    def __getitem__(self, index: int) -> Any:
        """Returns batch ``index``: inputs, or a tuple of inputs, labels and sample weights."""
        raise NotImplementedError

    def __iter__(self) -> Iterator[Any]:
        """Yields all batches; never ends if their number is not known."""
        try:
            count = self.num_batches
        except NotImplementedError:
            count = None
        return (self[index] for index in (itertools.count() if count is None else range(count)))

    @property
    def num_batches(self) -> int | None:
        """The number of batches, None if they do not end.

        Raises:
            NotImplementedError: a subclass defines neither this property nor ``__len__``.
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
    """Returns a batch: ``x`` alone if it is not a list and there is no ``y``, else a tuple."""
    if y is None:
        return (x,) if isinstance(x, (list, tuple)) else x
    return (x, y) if sample_weight is None else (x, y, sample_weight)


def unpack_x_y_sample_weight(data: Any) -> tuple[Any, Any, Any]:
    """Returns inputs, labels and sample weights of a batch, None for a missing part.

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


def as_array(value: Any) -> Any:
    """Returns the samples of an input or label as an array; floats are cast to ``floatx()``, tensors of strings stay.

    A ragged or sparse tensor is returned as it is; a sparse matrix of SciPy becomes a sparse tensor.
    """
    if isinstance(value, Composite):
        return value
    if is_scipy_sparse(value):
        from fastgrad._src.structures.sparse.conversion import from_scipy

        sparse = from_scipy(value)
        return cast(sparse, settings.default_dtype()) if sparse.dtype.is_floating else sparse
    tensor = as_tensor_or_none(value)
    if tensor is not None and tensor.dtype is string:
        return tensor._on_host()
    array = tensor._on_host() if tensor is not None else np.asarray(value)
    if array.ndim == 1 and hasattr(value, "iloc"):
        array = array[:, np.newaxis]  # a pandas Series is a column
    if array.dtype == object:
        array = _objects_as_floats(array)
    if array.dtype.kind == "f" and array.dtype != settings.default_dtype().numpy:
        array = array.astype(settings.default_dtype().numpy)
    if array.dtype.kind in "US":
        raise ValueError(f"Invalid dtype: {array.dtype.name}. Give strings in tensors: tf.constant(x).")
    return array


def _objects_as_floats(array: np.ndarray) -> np.ndarray:
    """Casts an array of objects to ``floatx()``, such as a table with columns of numbers and truth values."""
    try:
        if not any(item is None for item in array.flat):  # NumPy casts None to NaN
            return array.astype(settings.default_dtype().numpy)
    except (TypeError, ValueError):
        pass
    unequal_rows = _unequal_rows(array.tolist())
    if unequal_rows:
        raise ValueError(unequal_rows)
    first = next((item for item in array.flat if not isinstance(item, (int, float, np.generic))), array)
    raise ValueError(
        f"Unrecognized data type: an array of objects of shape {array.shape}: {first!r} is no number. Give arrays of numbers "
        "of one shape; encode texts first."
    )


def _is_leaf(value: Any) -> bool:
    return not isinstance(value, (list, tuple, dict)) or is_scipy_sparse(value)  # SciPy's DOK matrices are dicts


def as_arrays(structure: Any) -> Any:
    """Converts the leaves of a structure to arrays; a list of numbers is a structure."""
    if structure is None or _is_leaf(structure):
        return None if structure is None else as_array(structure)
    if isinstance(structure, dict):
        return {name: as_arrays(value) for name, value in structure.items()}
    items = [as_arrays(value) for value in structure]
    return type(structure)(*items) if hasattr(structure, "_fields") else type(structure)(items)


def named_arrays(x: Any, y: Any, sample_weight: Any) -> list[Any]:
    """Returns inputs, labels and weights as arrays; ValueErrors name the argument, also of a scalar in place of samples."""
    arrays = []
    for name, structure in (("x", x), ("y", y), ("sample_weight", sample_weight)):
        with named_argument("Data", name, "arrays of samples, whose first dimension counts them"):
            arrays.append(as_arrays(structure))
            _check_samples(structure, arrays[-1])
    return arrays


def _check_samples(structure: Any, arrays: Any) -> None:
    """Raises ValueError if an array of a structure is a scalar, as in a nested list of numbers."""
    for array in flat_arrays(arrays):
        if len(array.shape) == 0:
            text = _unequal_rows(structure)
            raise ValueError(
                text or f"Found the scalar {array.item()!r}. (Nested lists of numbers become arrays with np.array.)"
            )


def _unequal_rows(rows: Any, name: str = "") -> str:
    """Returns the text of an error if ``rows``, a nested list of numbers, has rows of different lengths; else no text."""
    lengths = (
        [len(row) if isinstance(row, (list, tuple)) else -1 for row in rows] if isinstance(rows, (list, tuple)) else []
    )
    differing = [number for number, length in enumerate(lengths) if length != lengths[0]]
    if not differing:
        return next(
            (
                text
                for number, row in enumerate(rows if lengths else ())
                if (text := _unequal_rows(row, f"{name}[{number}]"))
            ),
            "",
        )
    if -1 in lengths:
        return ""
    return (
        f"The rows have different lengths: row {name}[0] has the length {lengths[0]}, row {name}[{differing[0]}] has "
        f"{lengths[differing[0]]}. Pad them to one length (keras.utils.pad_sequences), or give a ragged tensor "
        "(tf.ragged.constant)."
    )


def tensors_of_batch(x: Any, y: Any, sample_weight: Any) -> tuple[Any, Any, Any]:
    """Returns the inputs, labels and weights of one batch as tensors; a number is only taken where no list is around it."""
    parts: list[Any] = []
    for name, structure in (("x", x), ("y", y), ("sample_weight", sample_weight)):
        if structure is None:
            parts.append(None)
            continue
        with named_argument("Data", name, "arrays of samples, whose first dimension counts them"):
            arrays = as_arrays(structure)
            if not _is_leaf(structure):
                _check_samples(structure, arrays)
        parts.append(nest.map_structure(tensor_or_composite, arrays))
    return parts[0], parts[1], parts[2]


def flat_arrays(*structures: Any) -> list[np.ndarray]:
    """Returns the leaves of all ``structures`` as one list, without None."""
    return [
        array
        for structure in structures
        if structure is not None
        for array in nest.flatten(structure)
        if array is not None
    ]


def checked_size(x: Any, y: Any, sample_weight: Any) -> int:
    """Returns the number of samples; ValueError if inputs, labels and weights differ in it.

    Raises:
        ValueError: the arrays have different lengths.
    """
    arrays = flat_arrays(x, y, sample_weight)
    if not arrays:
        raise ValueError(f"Data must be arrays of samples: x={x!r} holds no array.")
    sizes = {array.shape[0] for array in arrays}
    if len(sizes) != 1:
        arguments = [("x", x), ("y", y), ("sample_weight", sample_weight)]
        text = "\n".join(
            f"'{name}' sizes: {', '.join(str(a.shape[0]) for a in flat_arrays(argument))}"
            for name, argument in arguments
            if argument is not None
        )
        raise ValueError(
            f"Data cardinality is ambiguous. Make sure all arrays contain the same number of samples.\n{text}"
        )
    (size,) = sizes
    return size


def weights_of_classes(y: Any, class_weight: dict[int, float], are_class_numbers: bool = False) -> np.ndarray:
    """Returns the weight of each label by its class.

    Args:
        y: class numbers, or rows whose greatest item is the class.
        class_weight: weights by class; other classes have the weight 1.
        are_class_numbers: whether each label of a row is a class number, with a weight of its own.

    Raises:
        TypeError: a class or a weight is not a number.
        ValueError: there are several outputs, or the labels are not classes.
    """
    check_type("fit", "a dict from classes to numbers", Mapping, class_weight=class_weight)
    if not isinstance(y, np.ndarray):
        raise ValueError("fit: `class_weight` is for models with one output.")
    if y.ndim > 2:
        refuse("fit", "`class_weight` is for labels of one or two dimensions", shape=y.shape)
    labels = y
    if labels.ndim == 2 and not (are_class_numbers and labels.shape[1] > 1):
        labels = labels.argmax(1) if labels.shape[1] > 1 else labels[:, 0]
    labels = np.round(labels).astype(np.int64)
    weights = np.ones(labels.shape, settings.default_dtype().numpy)
    for label, weight in class_weight.items():
        with named_argument("fit", "class_weight", "a dict from classes, which are integers, to numbers"):
            if int(label) != label:
                raise ValueError(f"Got the class {label!r}. Write classes as integers, such as {int(label)}.")
            weights[labels == int(label)] = as_float(weight)
    return weights


def split_validation_data(x: Any, y: Any, sample_weight: Any, fraction: float) -> tuple[Any, Any]:
    """Returns training and validation data; the last ``fraction`` of the samples is for validation.

    Raises:
        ValueError: the data are not arrays, or there are too few samples.
    """
    for argument in (x, y, sample_weight):
        for leaf in nest.flatten(argument) if argument is not None else ():
            is_array = isinstance(leaf, (np.ndarray, Tensor, Composite, list, int, float)) or hasattr(leaf, "__array__")
            if not is_array and not is_scipy_sparse(leaf) and as_tensor_or_none(leaf) is None:
                raise ValueError(f"`validation_split` takes tensors and NumPy arrays only. Received: {type(leaf)}")
    arrays = named_arrays(x, y, sample_weight)
    size = checked_size(*arrays)
    split_row = int(np.floor(size * (1.0 - fraction)))
    if not 0 < split_row < size:
        raise ValueError(f"{size} samples are not sufficient for `validation_split={fraction}`; give more samples.")

    def rows_of(array: Any, which: slice) -> Any:
        if isinstance(array, Composite) and array.is_rectangular:
            return SparseColumn.of(array)[which].tensor()
        return None if array is None else array[which]

    def rows_in(which: slice) -> tuple[Any, ...]:
        return nest.map_structure(lambda array: rows_of(array, which), tuple(arrays))

    return rows_in(slice(0, split_row)), rows_in(slice(split_row, size))


class Batches:
    """The batches of all epochs, from the data that ``fit``, ``evaluate`` or ``predict`` gets.

    Args:
        x: inputs: arrays, nested; or a ``Dataset``, generator, iterable or ``PyDataset`` of batches, without ``y``.
        y, sample_weight: labels and weights.
        batch_size: the batch size for arrays; default 32.
        steps: the number of batches per epoch; default all. The next epoch continues with the next batch.
        shuffle: whether arrays are shuffled again for each epoch.
        weights_of_labels: returns the weights of labels, by their classes.
        restarts: whether each epoch of ``steps`` batches begins with the first batch.
        gives_row_numbers: whether batches of arrays are row numbers of ``arrays``.

    Attributes:
        size: the number of batches per epoch, None if it is not known yet.
        labels: all labels if they are one array; else None.
        is_arrays: whether the data are arrays.
        arrays: inputs, labels and weights with all rows, if batches are row numbers.

    Raises:
        ValueError: the arguments do not match.
    """

    def __init__(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        batch_size: int | None = None,
        steps: int | None = None,
        shuffle: bool = False,
        weights_of_labels: Callable[[Any], np.ndarray] | None = None,
        restarts: bool = False,
        gives_row_numbers: bool = False,
    ) -> None:
        self.steps = steps
        self.arrays: Any = None
        self.size: int | None = steps
        self.labels: np.ndarray | None = None
        self._weights_of_labels = weights_of_labels
        self._restarts = restarts
        self._current_batches: Iterator[Any] | None = None
        self._nested: list[Any] | None = None
        self._position: Any = None  # the current iterator, which knows the position in the data
        self._restored_iterator: Any = None  # an iterator that ``restore`` has moved to a saved position
        self._py_dataset = x if isinstance(x, PyDataset) else None
        self.is_arrays = not isinstance(x, (Dataset, PyDataset)) and not _is_batch_source(x)
        if not self.is_arrays and (y is not None or sample_weight is not None):
            argument_name = "y" if y is not None else "sample_weight"
            raise ValueError(
                f"When providing `x` as a {type(x).__name__}, `{argument_name}` should not be passed: it is part of `x`."
            )
        if self.is_arrays:
            self._source: Any = self._of_arrays(x, y, sample_weight, batch_size or 32, shuffle, gives_row_numbers)
            self.size = steps or len(self._source)
        else:
            self._source = _GeneratorBatches(x) if isinstance(x, Iterator) else x
            if self._py_dataset is not None:
                if self._py_dataset.num_batches == 0:
                    raise ValueError("The PyDataset has length 0: its `__len__`, the number of batches, is zero.")
                self.size = steps or self._py_dataset.num_batches
            elif steps is None and hasattr(x, "__len__"):
                try:
                    self.size = len(x)
                except TypeError:  # a dataset of unknown length
                    self.size = None

    def _of_arrays(
        self, x: Any, y: Any, sample_weight: Any, batch_size: int, shuffle: bool, gives_row_numbers: bool
    ) -> Dataset:
        """Returns a dataset of batches of inputs, labels and weights or None; nested structures are flattened."""
        x, y, sample_weight = named_arrays(x, y, sample_weight)
        size = checked_size(x, y, sample_weight)
        self.labels = y if isinstance(y, np.ndarray) else None
        parts = [x, y, self._weights(y, sample_weight)]
        if gives_row_numbers:
            self.arrays = parts
            numbers = Dataset.range(size)
            return (numbers.shuffle(size) if shuffle and size else numbers).batch(batch_size)
        leaves = nest.flatten(parts)
        if len(leaves) > len(parts) or any(a is not b for a, b in zip(leaves, parts, strict=True)):
            self._nested = parts
        rows = Dataset.from_tensor_slices(
            tuple([None if leaf is None else _tensor_sharing_memory(leaf) for leaf in leaves])
        )
        return (rows.shuffle(size) if shuffle and size else rows).batch(batch_size)

    def epoch(self, first: int = 0) -> Iterator[tuple[Any, Any, Any]]:
        """Returns an iterator over the batches (inputs, labels, weights) of one epoch, from number ``first`` on."""
        if self.is_arrays and self.steps is None and self.size:
            return self._all_batches()
        return self._counted_batches(first)

    def _all_batches(self) -> Iterator[Any]:
        """Returns an iterator over all batches, from the restored position or from the start."""
        self._position, self._restored_iterator = self._restored_iterator or self._source_iterator(), None
        return self._converted_batches(self._position)

    def _source_iterator(self) -> Any:
        """Returns an iterator over the source that knows its position."""
        items = iter(self._source)
        return _CountingIterator(items) if self._pipeline is None else items

    @property
    def _pipeline(self) -> Dataset | None:
        """The dataset that gives the batches, also if it is distributed over the replicas of a strategy; else None."""
        source = getattr(self._source, "_dataset", None) if type(self._source) is not Dataset else self._source
        dataset = self._source if isinstance(self._source, Dataset) else source
        return dataset if isinstance(dataset, Dataset) else None

    def _converted_batches(self, items: Iterator[Any]) -> Iterator[Any]:
        if not self.is_arrays:
            return map(self._converted_batch, items)
        nested = self._nested
        if nested is None:
            return items
        # A dataset would make a list one tensor, so nested parts are packed after it.
        return (tuple(nest.pack_sequence_as(nested, list(flat_parts))) for flat_parts in items)

    def _counted_batches(self, first: int) -> Iterator[tuple[Any, Any, Any]]:
        if self._py_dataset is not None:
            self._py_dataset.on_epoch_begin()
        if self.steps is None:
            count = first
            for batch in self._all_batches():
                count += 1
                yield batch
            if not count:
                _warn_out_of_data()
            self.size = count or self.size
        else:
            if self._current_batches is None or self._restarts:
                self._current_batches = self._all_batches()
            for number in range(first, self.steps):
                batch = next(self._current_batches, None)
                if batch is None and not number:
                    self._current_batches = self._all_batches()  # the previous epoch took the last batch
                    batch = next(self._current_batches, None)
                if batch is None:
                    self._current_batches = None
                    _warn_out_of_data()
                    break
                yield batch
        if self._py_dataset is not None:
            self._py_dataset.on_epoch_end()

    def example_batch(self) -> tuple[Any, Any, Any]:
        """Returns a batch with the structure of later batches; zeros if the structure is known without data."""
        if self._pipeline is not None:
            return next(
                self._converted_batches(iter([nest.map_structure(_zeros_of_spec, self._pipeline.element_spec)]))
            )
        if self._py_dataset is not None:
            return self._converted_batch(self._py_dataset[0])
        is_generator = isinstance(self._source, _GeneratorBatches)
        return self._converted_batch(self._source.peek() if is_generator else next(iter(self._source)))

    def state(self, in_epoch: bool) -> dict[str, np.ndarray]:
        """Returns the position in the data: the number of batches so far, and the random state of shuffles.

        Args:
            in_epoch: whether an epoch has begun and has not ended.
        """
        in_data = in_epoch if self.steps is None or self._restarts else self._current_batches is not None
        if self._position is not None and in_data:
            position: dict[str, np.ndarray] = self._position.state()
            return position
        random_states = [] if self._pipeline is None else self._pipeline._node.random_state()
        return {"position": np.array(0, np.int64), "random": np.array(random_states, np.uint64).reshape(-1, 4)}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Makes the next ``epoch`` continue from the result of ``state``; ValueError if it is for other data."""
        items = self._source_iterator()
        items.restore(state)
        if int(state["position"]):
            self._restored_iterator = items
        elif self._pipeline is not None:
            self._pipeline._node.restore_random_state(tuple(row) for row in np.asarray(state["random"]).tolist())

    def _converted_batch(self, data: Any) -> tuple[Any, Any, Any]:
        x, y, sample_weight = unpack_x_y_sample_weight(data)
        if self._weights_of_labels is not None:
            sample_weight = self._weights(nest.map_structure(as_array, y), sample_weight)
        return _converted_to_tensors(x), _converted_to_tensors(y), _converted_to_tensors(sample_weight)

    def _weights(self, y: Any, sample_weight: Any) -> Any:
        """Returns ``sample_weight``, or weights by class if there is ``class_weight``; ValueError for both."""
        if self._weights_of_labels is None:
            return sample_weight
        if sample_weight is not None:
            raise ValueError("You cannot `class_weight` and `sample_weight` at the same time.")
        return self._weights_of_labels(y)


class _GeneratorBatches:
    """The batches of an iterator, which gives each of them once.

    Keras reads the first two batches in advance and repeats them in each epoch; this class does the same, as later epochs of a
    generator would be empty otherwise. A warning reports it.

    Args:
        items: the iterator.
    """

    def __init__(self, items: Iterator[Any]) -> None:
        self._source_iterator = items
        self._first: list[Any] = []
        self._ended = False

    def peek(self) -> Any:
        """Returns the first batch; ValueError if there is none."""
        self._first = self._first or list(itertools.islice(self._source_iterator, 2))
        require(self._first, "fit", "The generator must yield at least one batch: make a new one for each call")
        return self._first[0]

    def __iter__(self) -> Iterator[Any]:
        self.peek()
        if self._ended:
            _warn_out_of_data()
        yield from self._first
        # Without `chain`, `yield from` would close a generator when an epoch ends before its data.
        yield from itertools.chain(self._source_iterator)
        self._ended = True


class _CountingIterator:
    """An iterator that counts its items."""

    def __init__(self, items: Iterable[Any]) -> None:
        self._source_iterator = iter(items)
        self._count = 0

    def __iter__(self) -> _CountingIterator:
        return self

    def __next__(self) -> Any:
        item = next(self._source_iterator)
        self._count += 1
        return item

    def state(self) -> dict[str, np.ndarray]:
        """Returns the number of items so far, in the form of the state of a dataset's iterator."""
        return {"position": np.array(self._count, np.int64), "random": np.zeros((0, 4), np.uint64)}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Skips as many items as ``state`` has counted."""
        for _ in itertools.islice(self, int(state["position"])):
            pass


def _zeros_of_spec(spec: Any) -> Any:
    return None if spec is None else Tensor(np.zeros([size or 1 for size in spec.shape], spec.dtype.numpy))


def _tensor_sharing_memory(array: Any) -> Any:
    """Returns a tensor that shares the memory of ``array`` if possible: training only reads it."""
    if isinstance(array, Composite):
        return array
    if type(array) is np.ndarray and array.flags.c_contiguous and array.dtype.isnative:
        as_dtype(array.dtype)
        return tensor_of_data(array)
    return convert_to_tensor(array)


def _warn_out_of_data() -> None:
    warn(
        "Your input ran out of data; interrupting training. Make sure that your dataset or generator can generate at least "
        "`steps_per_epoch * epochs` batches. You may need to use the `.repeat()` function when building your dataset.",
    )


def _is_batch_source(x: Any) -> bool:
    """True if ``x`` is an iterator, or another iterable that is not data itself."""
    is_data = isinstance(x, (list, tuple, dict, str, np.ndarray, Composite)) or hasattr(x, "__array__")
    if x is None or is_data or is_scipy_sparse(x):
        return False
    return as_tensor_or_none(x) is None and hasattr(x, "__iter__")


def tensor_or_composite(array: Any) -> Any:
    """Returns an array as a tensor, and None or a ragged or sparse tensor as it is."""
    return array if array is None or isinstance(array, Composite) else convert_to_tensor(array)


def _converted_to_tensors(structure: Any) -> Any:
    def tensor_or_none(value: Any) -> Any:
        is_converted = value is None or isinstance(value, Tensor)
        return value if is_converted else tensor_or_composite(as_array(value))

    if structure is None or _is_leaf(structure):
        return tensor_or_none(structure)
    return nest.map_structure(tensor_or_none, structure)
