"""The methods that create datasets, such as ``Dataset.from_tensor_slices``."""

from __future__ import annotations

import os
from collections import abc
from typing import TYPE_CHECKING, Any

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.tensor import Tensor, convert_to_tensor
from fastgrad._src.core.tensor_spec import TensorSpec
from fastgrad._src.data import cache, combining, files, sources
from fastgrad._src.data.element_spec import is_dataset, packer, to_element
from fastgrad._src.data.node import Node
from fastgrad._src.data.pipeline import Pipeline
from fastgrad._src.ops.arguments import as_python_int

if TYPE_CHECKING:
    from fastgrad._src.data.dataset import Dataset


class DatasetConstructors(Pipeline):
    """The part of ``Dataset`` that creates datasets."""

    @staticmethod
    def from_tensor_slices(tensors: Any, name: str | None = None) -> Dataset:
        """Returns a dataset of the rows of ``tensors``: element i holds row i of each tensor.

        Args:
            tensors: a tensor or array, or a tuple or dict of them, all with the same first dimension. A list is one tensor.
            name: kept for TensorFlow's signature.

        Raises:
            ValueError: a tensor is a scalar, or first dimensions differ.
        """
        return Pipeline._of(sources.rows_of_tensors(_converted_components(tensors)))

    @staticmethod
    def from_tensors(tensors: Any, name: str | None = None) -> Dataset:
        """Returns a dataset of one element, ``tensors``."""
        return Pipeline._of(sources.SingleElement(_converted_components(tensors)))

    @staticmethod
    def range(*args: Any, output_type: Any = dtypes.int64, name: str | None = None) -> Dataset:
        """Returns the numbers ``range(stop)``, ``range(start, stop)`` or ``range(start, stop, step)``, as int64.

        Raises:
            ValueError: there is no argument, or more than three.
            InvalidArgumentError: the step is 0.
        """
        if not 1 <= len(args) <= 3:
            raise ValueError(f"Invalid `args`. The length of `args` should be between 1 and 3 but was {len(args)}.")
        numbers = [as_python_int(value, "Dataset.range") for value in args]
        start, stop, step = (0, numbers[0], 1) if len(numbers) == 1 else (*numbers, 1)[:3]
        if step == 0:
            raise InvalidArgumentError("Dataset.range: step must be a non-zero integer.")
        return Pipeline._of(sources.range_node(start, stop, step, dtypes.as_dtype(output_type)))

    @staticmethod
    def from_generator(
        generator: abc.Callable[..., Any],
        output_types: Any = None,
        output_shapes: Any = None,
        args: Any = None,
        output_signature: Any = None,
        name: str | None = None,
    ) -> Dataset:
        """Returns the elements that ``generator(*args)`` yields. Each iteration calls it again.

        Args:
            generator: a function that returns an iterable.
            output_types: the dtypes of an element, in its structure. Or use ``output_signature``.
            output_shapes: the shapes for ``output_types``. Default: unknown.
            args: passed to ``generator`` as NumPy values.
            output_signature: the TensorSpecs of an element, in its structure.

        Raises:
            TypeError: ``generator`` is not callable, or neither types nor signature are given.
            InvalidArgumentError: while iterating, an element does not fit.
        """
        if not callable(generator):
            raise TypeError("`generator` must be a Python callable.")
        signature = sources.generator_signature(output_types, output_shapes, output_signature)
        values = [] if args is None else [convert_to_tensor(value)._elements().copy()[()] for value in args]
        return Pipeline._of(sources.Generated(generator, values, signature))

    @staticmethod
    def zip(*args: Any, datasets: Any = None, name: str | None = None) -> Dataset:
        """Returns the elements of several datasets side by side, until the shortest ends.

        Args:
            *args: datasets, or one tuple or dict of them; the tuple or dict may also be passed as ``datasets``, the older name.

        Raises:
            TypeError: there is no dataset, or a list of datasets.
        """
        if bool(args) == (datasets is not None):
            raise TypeError("Dataset.zip: must pass datasets, either as `*args` or as `datasets`.")
        structure = datasets if not args else args[0] if len(args) == 1 else args
        leaves: list[Node] = []
        _collect_dataset_nodes(structure, leaves)
        return Pipeline._of(combining.Zipped(packer(structure), leaves))

    @staticmethod
    def random(seed: Any = None, rerandomize_each_iteration: bool | None = None, name: str | None = None) -> Dataset:
        """Returns an infinite dataset of random int64 numbers below 2**32.

        Args:
            seed: makes the numbers repeatable, together with ``tf.random.set_seed``.
            rerandomize_each_iteration: whether each iteration has different numbers.
        """
        return Pipeline._of(sources.RandomNumbers(random_order_key(seed), bool(rerandomize_each_iteration)))

    @staticmethod
    def counter(start: Any = 0, step: Any = 1, dtype: Any = dtypes.int64, name: str | None = None) -> Dataset:
        """Returns the infinite dataset ``start``, ``start + step`` ..."""
        first, distance = as_python_int(start, "Dataset.counter: start"), as_python_int(step, "Dataset.counter: step")
        return Pipeline._of(sources.Counter(first, distance, dtypes.as_dtype(dtype)))

    @staticmethod
    def list_files(
        file_pattern: Any, shuffle: bool | None = None, seed: Any = None, name: str | None = None
    ) -> Dataset:
        """Returns the names of the files that match, as strings.

        Args:
            file_pattern: a shell pattern, or several.
            shuffle: whether each iteration has a different order, which is the default. Otherwise the names are sorted.
            seed: as in ``shuffle``.

        Raises:
            InvalidArgumentError: no file matches.
        """
        names = files.matching_file_names(text_list(file_pattern))
        dataset = DatasetConstructors.from_tensor_slices(names)
        return dataset if shuffle is False else dataset.shuffle(len(names), seed=seed)

    @staticmethod
    def load(
        path: Any, element_spec: Any = None, compression: Any = None, reader_func: Any = None, wait: bool = False
    ) -> Dataset:
        """Returns the dataset that ``save`` wrote.

        Args:
            path: the folder.
            element_spec: the expected spec; TypeError if the saved elements have another one.
            compression, wait: kept for TensorFlow's signature.
            reader_func: maps a dataset whose only element is the saved dataset to the dataset to read.

        Raises:
            NotFoundError: no dataset was saved there, or the save did not complete.
        """
        dataset = Pipeline._of(cache.SavedElements(os.fspath(path)))
        if element_spec is not None and element_spec != dataset.element_spec:
            raise TypeError(f"Dataset.load: the saved elements are {dataset.element_spec}, not {element_spec}.")
        return dataset if reader_func is None else reader_func(DatasetConstructors.from_tensors(dataset))

    @staticmethod
    def sample_from_datasets(
        datasets: Any,
        weights: Any = None,
        seed: Any = None,
        stop_on_empty_dataset: bool = False,
        rerandomize_each_iteration: bool | None = None,
    ) -> Dataset:
        """Returns the elements of several datasets in random order: each element is from a dataset drawn at random.

        Args:
            datasets: a list of datasets.
            weights: a vector with the probability of each dataset. Or a dataset of such vectors, one for each draw; the result ends
                when this dataset ends. Default: equal probabilities.
            seed: makes the draws repeatable, together with ``tf.random.set_seed``.
            stop_on_empty_dataset: whether the result ends with the first dataset that ends; else with the last.
            rerandomize_each_iteration: whether each iteration has different draws.

        Raises:
            ValueError: there are no datasets, or another number of weights.
            TypeError: the elements differ, or the weights are not float32 or float64.
        """
        nodes = _nodes_of_datasets(datasets)
        redraws = bool(rerandomize_each_iteration)
        if is_dataset(weights):
            return Pipeline._of(
                combining.RandomlyInterleaved(
                    nodes, stop_on_empty_dataset, weights._node, random_order_key(seed), redraws
                )
            )
        probabilities = np.ones(len(nodes)) if weights is None else convert_to_tensor(weights)._elements()
        if probabilities.dtype not in (np.float32, np.float64):
            raise TypeError(f"Invalid `weights`: the type must be tf.float32 or tf.float64, not {probabilities.dtype}.")
        probabilities = np.asarray(probabilities, np.float64)
        if probabilities.shape != (len(nodes),):
            raise ValueError(
                f"`weights` should have the same length as `datasets`: got {probabilities.size} weights for {len(nodes)} datasets."
            )
        if not (probabilities >= 0).all() or not probabilities.sum() < np.inf:
            raise ValueError(f"Invalid `weights`: they must be finite and not negative, got {probabilities.tolist()}.")
        return Pipeline._of(
            combining.RandomlyInterleaved(nodes, stop_on_empty_dataset, probabilities, random_order_key(seed), redraws)
        )

    @staticmethod
    def choose_from_datasets(datasets: Any, choice_dataset: Dataset, stop_on_empty_dataset: bool = True) -> Dataset:
        """Returns the elements of several datasets in the order of the dataset numbers in ``choice_dataset``.

        Args:
            datasets: a list of datasets.
            choice_dataset: a dataset of int64 scalars.
            stop_on_empty_dataset: whether the result ends when a chosen dataset has ended. Otherwise such choices are skipped.

        Raises:
            ValueError: there are no datasets.
            TypeError: the elements differ, or the choices are not int64 scalars.
        """
        nodes = _nodes_of_datasets(datasets)
        if not is_dataset(choice_dataset):
            raise TypeError(f"`choice_dataset` should be a `tf.data.Dataset` but is {type(choice_dataset)}.")
        if choice_dataset.element_spec != TensorSpec((), dtypes.int64):
            raise TypeError(
                f"Elements of `choice_dataset` must be int64 scalars but are {choice_dataset.element_spec}."
            )
        return Pipeline._of(combining.DirectedInterleaved(nodes, stop_on_empty_dataset, choice_dataset._node))


def text_list(value: Any) -> list[str]:
    """Converts a string or path, or a list or tensor of strings and paths, to a list of strings."""
    if isinstance(value, (str, bytes, os.PathLike)):
        return [os.fsdecode(value)]
    if isinstance(value, (list, tuple)):
        return [text for item in value for text in text_list(item)]
    return [os.fsdecode(text) for text in convert_to_tensor(value)._on_host().reshape(-1)]


def _nodes_of_datasets(datasets: Any) -> list[Node]:
    if not datasets:
        raise ValueError("Invalid `datasets`. `datasets` should not be empty.")
    return [dataset._node for dataset in datasets]


def _converted_components(tensors: Any) -> Any:
    """Converts components to tensors; a tensor shares the memory of an array that is mapped from a file."""
    if isinstance(tensors, np.memmap) and tensors.dtype.isnative:
        dtypes.as_dtype(tensors.dtype)
        return Tensor(tensors.view(np.ndarray))
    if type(tensors) is tuple:
        return tuple([_converted_components(component) for component in tensors])
    if type(tensors) is dict:
        return {key: _converted_components(component) for key, component in tensors.items()}
    return convert_to_tensor(tensors) if isinstance(tensors, list) else to_element(tensors)


def _collect_dataset_nodes(structure: Any, leaves: list[Node]) -> None:
    """Appends the nodes of the datasets in nested tuples and dicts to ``leaves``, in the order of ``nest.flatten``."""
    if isinstance(structure, Pipeline):
        leaves.append(structure._node)
    elif isinstance(structure, tuple):
        for item in structure:
            _collect_dataset_nodes(item, leaves)
    elif isinstance(structure, abc.Mapping):
        for key in sorted(structure):
            _collect_dataset_nodes(structure[key], leaves)
    else:
        raise TypeError(
            f"Invalid input to `zip`. Inputs are expected to be (nested) structures of `tf.data.Dataset` objects: tuples "
            f"and dicts, no lists. Got {type(structure)}."
        )


def random_order_key(seed_argument: Any) -> tuple[int, ...]:
    """Returns the key of a stage's random order, three words, from ``seed_argument`` or, for None, from a draw."""
    from fastgrad._src.ops.default_generators import default_key, default_philox_words

    seed = None if seed_argument is None else as_python_int(seed_argument, "Dataset: seed")
    if seed is not None:
        return default_key(seed) % 2**64, 0, 0
    low, high, key = default_philox_words(None)((1,))._on_host().tolist()
    return tuple(word % 2**64 for word in (key, low, high))
