"""``tf.data.Dataset``: a pipeline of stages that makes elements one after the other."""

from __future__ import annotations

import itertools
import os
from collections import abc
from typing import Any

import numpy as np

from fastgrad._src.core import nest
from fastgrad._src.core.argument_checks import checked_callable
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.names import missing_member_getattr
from fastgrad._src.core.tensor import Tensor, convert_to_tensor
from fastgrad._src.data import cache, combining, ordering, prefetch, transformations
from fastgrad._src.data.batching import DatasetBatching
from fastgrad._src.data.compiling import TracedFunction
from fastgrad._src.data.constructors import DatasetConstructors, random_order_key
from fastgrad._src.data.element_spec import DatasetSpec, checked_next_state, numpy_element, to_element
from fastgrad._src.data.ignoring import IgnoringErrors
from fastgrad._src.data.iterator import Iterator, NumpyIterator
from fastgrad._src.data.node import INFINITE, UNKNOWN, Node, value_or_raise
from fastgrad._src.data.options import Options, WithOptions, pipeline_options
from fastgrad._src.data.resampling import Resampled
from fastgrad._src.jit.processors import default_threads
from fastgrad._src.ops.arguments import as_python_int

AUTOTUNE = -1
INFINITE_CARDINALITY = INFINITE
UNKNOWN_CARDINALITY = UNKNOWN

_MAX_INT64 = int(np.iinfo(np.int64).max)


class Dataset(DatasetConstructors, DatasetBatching):
    """A sequence of elements: tensors, or tuples and dicts of tensors.

    ``from_tensor_slices``, ``from_generator`` and others create a dataset. Each method returns a new dataset. An iteration runs
    the pipeline from its start; gradient tapes do not record it. For a dataset of arrays, ``shuffle``, ``take``, ``skip``,
    ``repeat``, ``shard`` and ``cache`` work on row numbers, and ``batch`` gathers all rows of a batch at once, in the same order.
    Threads compute elements in advance where that saves time (``prefetch``, and ``map`` with ``num_parallel_calls``). The elements
    and their order do not depend on threads.

    Example:
        >>> dataset = tf.data.Dataset.range(5).map(lambda x: x * x).batch(2)
        >>> [batch.numpy().tolist() for batch in dataset]
        [[0, 1], [4, 9], [16]]
    """

    __getattr__ = missing_member_getattr

    gives_elements = True  # a loop over the elements can't be part of one program

    def __init__(self, variant_tensor: Any) -> None:
        if not isinstance(variant_tensor, Node):
            raise TypeError("Dataset: make one with Dataset.from_tensor_slices, from_tensors, from_generator or range.")
        self._node = variant_tensor

    # ---- transformations -----------------------------------------------------------------------

    def map(
        self,
        map_func: abc.Callable[..., Any],
        num_parallel_calls: Any = None,
        deterministic: bool | None = None,
        synchronous: bool | None = None,
        use_unbounded_threadpool: bool = False,
        name: str | None = None,
    ) -> Dataset:
        """Returns ``map_func`` of each element.

        As in TensorFlow, ``map_func`` runs once in Python, with the first element, and its operations are recorded. For other elements
        the recorded operations run. They are compiled, as by ``tf.function``, if that gives the same results in less time. ``map_func``
        runs again for elements of other shapes and for values that select another path. It runs for every element if it can't be
        recorded, for example because it calls a tensor's ``numpy()``.

        Args:
            map_func: maps an element to an element. A tuple becomes several arguments, a dict or a named tuple is one.
            num_parallel_calls: the number of threads that compute elements in advance, or ``tf.data.AUTOTUNE``. Threads are used
                if a call takes long and draws no random numbers. Results come in order.
            deterministic, synchronous, use_unbounded_threadpool: kept for TensorFlow's signature.

        Raises:
            InvalidArgumentError: ``num_parallel_calls`` is below 1.
        """
        return Dataset(
            transformations.Mapped(self._node, map_func, _threads_of_parallel_calls(num_parallel_calls, "map"))
        )

    def filter(self, predicate: abc.Callable[..., Any], name: str | None = None) -> Dataset:
        """Returns the elements for which ``predicate`` is true.

        Raises:
            ValueError: while iterating, ``predicate`` does not return a boolean scalar.
        """
        return Dataset(transformations.Filtered(self._node, predicate))

    def take_while(self, predicate: abc.Callable[..., Any], name: str | None = None) -> Dataset:
        """Returns the elements before the first for which ``predicate`` is false."""
        return Dataset(transformations.TakenWhile(self._node, predicate))

    def flat_map(self, map_func: abc.Callable[..., Any], name: str | None = None) -> Dataset:
        """Returns the elements of all datasets that ``map_func`` returns, one dataset after the other."""
        return Dataset(transformations.FlatMapped(self._node, map_func))

    def interleave(
        self,
        map_func: abc.Callable[..., Any],
        cycle_length: Any = None,
        block_length: Any = None,
        num_parallel_calls: Any = None,
        deterministic: bool | None = None,
        name: str | None = None,
    ) -> Dataset:
        """Returns the elements of the datasets that ``map_func`` returns, from several datasets in turn.

        Args:
            map_func: maps an element to a dataset.
            cycle_length: the number of datasets open at a time. Default, and for ``tf.data.AUTOTUNE``: 8.
            block_length: the number of successive elements from one dataset. Default: 1.
            num_parallel_calls, deterministic: kept for TensorFlow's signature: the datasets are read in order.

        Raises:
            InvalidArgumentError: a length is below 1.
        """
        cycle = AUTOTUNE if cycle_length is None else as_python_int(cycle_length, "Dataset.interleave: cycle_length")
        block = 1 if block_length is None else as_python_int(block_length, "Dataset.interleave: block_length")
        if block < 1 or (cycle < 1 and cycle != AUTOTUNE):
            raise InvalidArgumentError(
                f"Dataset.interleave: cycle_length and block_length must be greater than zero, got {cycle} and {block}."
            )
        _threads_of_parallel_calls(num_parallel_calls, "interleave")
        return Dataset(transformations.Interleaved(self._node, map_func, 8 if cycle == AUTOTUNE else cycle, block))

    def scan(
        self, initial_state: Any, scan_func: abc.Callable[[Any, Any], tuple[Any, Any]], name: str | None = None
    ) -> Dataset:
        """Returns the outputs of ``scan_func``, which maps a state and an element to the next state and an output.

        Args:
            initial_state: the state before the first element.
            scan_func: maps the state and an element to a pair of the next state and an output.

        Raises:
            TypeError: while iterating, ``scan_func`` does not return a pair.
        """
        return Dataset(transformations.Scanned(self._node, to_element(initial_state), scan_func))

    def unique(self, name: str | None = None) -> Dataset:
        """Returns each distinct element once, at its first occurrence."""
        return Dataset(transformations.Unique(self._node))

    def rejection_resample(
        self,
        class_func: abc.Callable[..., Any],
        target_dist: Any,
        initial_dist: Any = None,
        seed: Any = None,
        name: str | None = None,
    ) -> Dataset:
        """Returns pairs of class and element. Elements of too frequent classes are left out.

        Args:
            class_func: maps an element to the number of its class.
            target_dist: the relative frequency of each class in the result.
            initial_dist: the frequency of each class in this dataset. Default: counted during the iteration.
            seed: makes the result repeatable, together with ``tf.random.set_seed``.
        """
        target = convert_to_tensor(target_dist)._elements()
        initial = None if initial_dist is None else convert_to_tensor(initial_dist)._elements()
        return Dataset(Resampled(self._node, class_func, target, initial, random_order_key(seed)))

    def shuffle(
        self, buffer_size: Any, seed: Any = None, reshuffle_each_iteration: bool | None = True, name: str | None = None
    ) -> Dataset:
        """Returns the elements in random order, drawn from a buffer that holds the next ``buffer_size`` of them.

        Args:
            buffer_size: the number of elements in the buffer. The size of the dataset gives a uniform order.
            seed: makes the orders repeatable, together with ``tf.random.set_seed``.
            reshuffle_each_iteration: whether each iteration has a different order.

        Raises:
            InvalidArgumentError: ``buffer_size`` is below 1.
        """
        size = as_python_int(buffer_size, "Dataset.shuffle: buffer_size")
        if size < 1 and size != UNKNOWN:
            raise InvalidArgumentError(
                f"Dataset.shuffle: buffer_size must be greater than zero or UNKNOWN_CARDINALITY, got {size}."
            )
        reshuffle = reshuffle_each_iteration is not False
        return Dataset(
            ordering.Shuffled(self._node, _MAX_INT64 if size == UNKNOWN else size, random_order_key(seed), reshuffle)
        )

    def repeat(self, count: Any = None, name: str | None = None) -> Dataset:
        """Returns the dataset repeated ``count`` times; an infinite dataset if ``count`` is None or -1."""
        return Dataset(
            ordering.Repeated(self._node, -1 if count is None else as_python_int(count, "Dataset.repeat: count"))
        )

    def take(self, count: Any, name: str | None = None) -> Dataset:
        """Returns the first ``count`` elements; all if ``count`` is -1."""
        return Dataset(ordering.Taken(self._node, as_python_int(count, "Dataset.take: count")))

    def skip(self, count: Any, name: str | None = None) -> Dataset:
        """Returns all but the first ``count`` elements; -1 skips all of them."""
        return Dataset(ordering.Skipped(self._node, as_python_int(count, "Dataset.skip: count")))

    def shard(self, num_shards: Any, index: Any, name: str | None = None) -> Dataset:
        """Returns every ``num_shards``-th element, from number ``index`` on.

        Raises:
            InvalidArgumentError: ``num_shards`` is below 1, or ``index`` is not in ``[0, num_shards)``.
        """
        shards = as_python_int(num_shards, "Dataset.shard: num_shards")
        shard_index = as_python_int(index, "Dataset.shard: index")
        if shards < 1 or not 0 <= shard_index < shards:
            raise InvalidArgumentError(f"shard: index must be in [0, num_shards), got {shard_index} of {shards}.")
        return Dataset(ordering.Sharded(self._node, shards, shard_index))

    def cache(self, filename: Any = "", name: str | None = None) -> Dataset:
        """Keeps the elements of the first complete iteration for all later iterations, in their order.

        An iteration is complete when its last element is requested; if the number of elements is not known, when it ends.

        Args:
            filename: a folder that keeps the elements for other processes, too. Default: memory.
        """
        path: Any = convert_to_tensor(filename)._elements()[()] if isinstance(filename, Tensor) else filename
        if not isinstance(path, (str, bytes, os.PathLike)):
            raise TypeError(f"Dataset.cache: Argument `filename` must be a path, got {filename!r}.")
        folder = os.fsdecode(path)
        return Dataset(cache.FileCached(self._node, folder) if folder else cache.MemoryCached(self._node))

    def snapshot(
        self,
        path: Any,
        compression: Any = "AUTO",
        reader_func: Any = None,
        shard_func: Any = None,
        name: str | None = None,
    ) -> Dataset:
        """Keeps the elements of the first complete iteration in a folder for other programs: ``cache(path)``.

        The folder does not record the pipeline: after a change of the pipeline, use another folder.

        Args:
            path: the folder.
            compression: kept for TensorFlow's signature.
            reader_func, shard_func: must be None: there are no shards.

        Raises:
            ValueError: a function for shards is given.
        """
        if reader_func is not None or shard_func is not None:
            raise ValueError("Dataset.snapshot: reader_func and shard_func are not there: a snapshot has no shards.")
        if path is None:
            raise ValueError("Dataset.snapshot: Argument `path` must be a path, got None.")
        return self.cache(path)

    def ignore_errors(self, log_warning: bool = False, name: str | None = None) -> Dataset:
        """Returns the elements that are made without an error.

        As in TensorFlow a batch with a failed element is left out, and a generator that raised has ended.

        Args:
            log_warning: whether a warning reports each element that is left out.
        """
        return Dataset(IgnoringErrors(self._node, log_warning))

    def prefetch(self, buffer_size: Any, name: str | None = None) -> Dataset:
        """Returns the same elements; a thread computes them in advance if an element takes longer than a thread switch.

        The thread ends with the iteration, even if the iteration is abandoned. It runs while compiled steps run. Elements that draw
        random numbers are not computed in advance.

        Args:
            buffer_size: the number of elements to compute in advance; ``tf.data.AUTOTUNE`` means 2.

        Raises:
            InvalidArgumentError: ``buffer_size`` is below -1.
        """
        return Dataset(prefetch.Prefetched(self._node, checked_buffer_size("Dataset.prefetch", buffer_size)))

    def with_options(self, options: Options, name: str | None = None) -> Dataset:
        """Returns the same elements, with ``options`` set; ``options()`` returns the settings."""
        return Dataset(WithOptions(self._node, options))

    def options(self) -> Options:
        """Returns the settings of this pipeline, made by ``with_options``."""
        return pipeline_options(self._node)

    def enumerate(self, start: Any = 0, name: str | None = None) -> Dataset:
        """Returns pairs of an int64 number, counted from ``start``, and the element."""
        return Dataset.zip(Dataset.range(start, _MAX_INT64), self)

    def concatenate(self, dataset: Dataset, name: str | None = None) -> Dataset:
        """Returns the elements of this dataset, then those of ``dataset``.

        Raises:
            TypeError: the elements differ in structure or dtype.
        """
        return Dataset(combining.Concatenated(self._node, checked_dataset("Dataset.concatenate", dataset)._node))

    def apply(self, transformation_func: abc.Callable[[Dataset], Dataset]) -> Dataset:
        """Returns ``transformation_func(self)``, for chaining.

        Raises:
            TypeError: ``transformation_func`` does not return a dataset.
        """
        dataset = checked_callable("Dataset.apply", "transformation_func", transformation_func)(self)
        if not isinstance(dataset, Dataset):
            raise TypeError(f"`transformation_func` must return a `tf.data.Dataset` object. Got {type(dataset)}.")
        return dataset

    # ---- reading -------------------------------------------------------------------------------

    def reduce(self, initial_state: Any, reduce_func: abc.Callable[[Any, Any], Any], name: str | None = None) -> Any:
        """Returns the last state after ``state = reduce_func(state, element)`` for every element.

        Args:
            initial_state: the state before the first element.
            reduce_func: maps the state and an element to the next state.

        Raises:
            ValueError: ``reduce_func`` is not callable.
            InvalidArgumentError: a new state has another structure.
            TypeError: a new state has other dtypes.
        """
        if not callable(reduce_func):
            raise ValueError(f"Dataset.reduce: Argument `reduce_func` must be callable, got {reduce_func!r}.")
        state = to_element(initial_state)
        traced = TracedFunction(reduce_func)
        for element in self:
            state = checked_next_state(state, traced(state, element), "Dataset.reduce")
        return state

    def get_single_element(self, name: str | None = None) -> Any:
        """Returns the only element.

        Raises:
            InvalidArgumentError: there is no element, or more than one.
        """
        elements = list(itertools.islice(self, 2))
        if len(elements) != 1:
            problem = "was empty" if not elements else "had more than one element"
            raise InvalidArgumentError(f"Dataset.get_single_element: Dataset {problem}.")
        return elements[0]

    def as_numpy_iterator(self) -> NumpyIterator:
        """Returns an iterator of the elements, with read-only NumPy arrays and scalars in place of tensors.

        Raises:
            TypeError: elements are datasets or hold datasets.
        """
        if any(isinstance(leaf, DatasetSpec) for leaf in nest.flatten(self._node.known_spec())):
            raise TypeError("`as_numpy_iterator()` is not supported for datasets that produce datasets: use flat_map.")
        return NumpyIterator(map(_numpy_element_or_raise, self._node.elements()))

    def cardinality(self) -> Tensor:
        """Returns the number of elements as an int64 tensor.

        An infinite dataset gives -1 (``tf.data.INFINITE_CARDINALITY``), an unknown number -2.
        """
        return Tensor(np.array(self._node.count(), np.int64))

    @property
    def element_spec(self) -> Any:
        """The TensorSpecs of an element, in its structure."""
        return self._node.spec()

    def _dataset_spec(self) -> DatasetSpec:
        return DatasetSpec(self.element_spec)

    def __iter__(self) -> Iterator:
        return Iterator(self)

    def __len__(self) -> int:
        count = self._node.count()
        if count == INFINITE:
            raise TypeError("The dataset is infinite.")
        if count == UNKNOWN:
            raise TypeError("The dataset length is unknown.")
        return count

    def __bool__(self) -> bool:
        return True

    def save(self, path: Any, compression: Any = None, shard_func: Any = None, checkpoint_args: Any = None) -> None:
        """Writes all elements to a folder; ``Dataset.load`` reads them.

        Args:
            path: the folder. An earlier saved dataset there is replaced.
            compression, shard_func, checkpoint_args: kept for TensorFlow's signature.
        """
        cache.save_elements(self._node.elements(), self._node.spec(), os.fspath(path))

    def __repr__(self) -> str:
        return f"<{self._node.name} element_spec={self.element_spec!r}>"


def _numpy_element_or_raise(element: Any) -> Any:
    return numpy_element(value_or_raise(element))


def _threads_of_parallel_calls(calls: Any, method: str) -> int:
    """Returns the number of threads for ``num_parallel_calls``; 0 for none."""
    if calls is None:
        return 0
    number = as_python_int(calls, f"Dataset.{method}: num_parallel_calls")
    if number < 1 and number != AUTOTUNE:
        raise InvalidArgumentError(f"Dataset.{method}: num_parallel_calls must be greater than zero, got {number}.")
    return default_threads() if number == AUTOTUNE else number


def checked_buffer_size(name: str, buffer_size: Any) -> int:
    """Returns the number of elements to make ahead; errors have the function's ``name``."""
    size = AUTOTUNE if buffer_size is None else as_python_int(buffer_size, f"{name}: buffer_size")
    if size < AUTOTUNE:
        raise InvalidArgumentError(f"{name}: buffer_size must be >= 0 or tf.data.AUTOTUNE, got {size}.")
    return 2 if size == AUTOTUNE else max(size, 1)


def checked_dataset(name: str, dataset: Any) -> Dataset:
    """Returns ``dataset``; TypeError with the function's ``name`` if it is not a dataset."""
    if not isinstance(dataset, Dataset):
        raise TypeError(f"{name}: Argument `dataset` must be a tf.data.Dataset, got {dataset!r}.")
    return dataset
