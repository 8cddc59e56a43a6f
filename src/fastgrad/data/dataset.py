"""``tf.data.Dataset``: elements made one after the other by a pipeline of stages."""

from __future__ import annotations

import itertools
import os
from collections import abc
from typing import Any

import numpy as np

from fastgrad import nest
from fastgrad.data import cache, combining, ordering, prefetch, transformations
from fastgrad.data.batching import Batching
from fastgrad.data.compiling import Traced
from fastgrad.data.constructors import Sources, drawn_key
from fastgrad.data.ignoring import IgnoringErrors
from fastgrad.data.iterator import Iterator
from fastgrad.data.node import INFINITE, UNKNOWN, Node, succeeded
from fastgrad.data.options import Options, OptionsSet, options_of
from fastgrad.data.resampling import Resampled
from fastgrad.data.structure import DatasetSpec, continued, converted, numpy_element
from fastgrad.errors import InvalidArgumentError
from fastgrad.kernels.runtime.processors import default_threads
from fastgrad.ops.arguments import integer
from fastgrad.tensor import Tensor, convert_to_tensor

AUTOTUNE = -1
INFINITE_CARDINALITY = INFINITE
UNKNOWN_CARDINALITY = UNKNOWN

_LARGEST = int(np.iinfo(np.int64).max)


class Dataset(Sources, Batching):
    """A sequence of elements: tensors, or tuples and dicts of tensors.

    Made by ``from_tensor_slices``, ``from_generator`` and the like (``constructors.py``); each method gives a new dataset, those
    that put elements together are in ``batching.py``. Iterating runs the pipeline from its start; what it computes is not recorded by
    gradient tapes. Rows of arrays stay row numbers through ``shuffle``, ``take``, ``skip``, ``repeat``, ``shard`` and
    ``cache``, and ``batch`` gathers them at once, in the order in which single elements would come. Threads make elements ahead where
    that pays (``prefetch``, and ``map`` with ``num_parallel_calls``); what comes, and in which order, does not depend on them.
    """

    gives_elements = True  # a loop over it is none over things that a program could be written down with

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
        """``map_func`` of each element.

        As in TensorFlow its Python runs once, with the first element; what its operations did is then done for the other elements, and
        compiled, like by ``tf.function``, if that gives the same in less time. Python runs again for elements of other shapes, for those whose
        values make it go another way, and for every element if it can't be recorded (where it takes a tensor's ``numpy()``).

        Args:
            map_func: of an element, a tuple as several arguments, a dict or a named tuple as one; returns an element.
            num_parallel_calls: by how many threads elements are made ahead, or ``tf.data.AUTOTUNE``, where a call takes long
                and draws no random numbers. Results come in order.
            deterministic, synchronous, use_unbounded_threadpool: kept for TensorFlow's signature.

        Raises:
            InvalidArgumentError: ``num_parallel_calls`` below 1.
        """
        return Dataset(transformations.Mapped(self._node, map_func, _threads(num_parallel_calls, "map")))

    def filter(self, predicate: abc.Callable[..., Any], name: str | None = None) -> Dataset:
        """The elements for which ``predicate`` is true.

        Raises:
            ValueError: while iterating, if ``predicate`` does not give a boolean scalar.
        """
        return Dataset(transformations.Filtered(self._node, predicate))

    def take_while(self, predicate: abc.Callable[..., Any], name: str | None = None) -> Dataset:
        """The elements before the first for which ``predicate`` is false."""
        return Dataset(transformations.TakenWhile(self._node, predicate))

    def flat_map(self, map_func: abc.Callable[..., Any], name: str | None = None) -> Dataset:
        """The elements of all datasets that ``map_func`` gives, one dataset after the other."""
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
        """The elements of the datasets that ``map_func`` gives, from several of them in turn.

        Args:
            map_func: of an element, a dataset.
            cycle_length: how many are open at a time; default, and for ``tf.data.AUTOTUNE``, 8.
            block_length: how many elements come from one before it is the next one's turn; default 1.
            num_parallel_calls, deterministic: kept for TensorFlow's signature: they are read in order.

        Raises:
            InvalidArgumentError: lengths below 1.
        """
        cycle = AUTOTUNE if cycle_length is None else integer(cycle_length, "Dataset.interleave: cycle_length")
        block = 1 if block_length is None else integer(block_length, "Dataset.interleave: block_length")
        if block < 1 or (cycle < 1 and cycle != AUTOTUNE):
            raise InvalidArgumentError(
                f"Dataset.interleave: cycle_length and block_length must be greater than zero, got {cycle} and {block}."
            )
        _threads(num_parallel_calls, "interleave")
        return Dataset(transformations.Interleaved(self._node, map_func, 8 if cycle == AUTOTUNE else cycle, block))

    def scan(
        self, initial_state: Any, scan_func: abc.Callable[[Any, Any], tuple[Any, Any]], name: str | None = None
    ) -> Dataset:
        """``scan_func`` of a state and each element: the outputs that it gives beside the next state.

        Args:
            initial_state: the state before the first element.
            scan_func: of the state and an element, a pair of the next state and an output.

        Raises:
            TypeError: while iterating, for anything but a pair.
        """
        return Dataset(transformations.Scanned(self._node, converted(initial_state), scan_func))

    def unique(self, name: str | None = None) -> Dataset:
        """Each element once, where it occurs for the first time."""
        return Dataset(transformations.Unique(self._node))

    def rejection_resample(
        self,
        class_func: abc.Callable[..., Any],
        target_dist: Any,
        initial_dist: Any = None,
        seed: Any = None,
        name: str | None = None,
    ) -> Dataset:
        """Pairs of class and element, from which elements of classes that come too often are left out.

        Args:
            class_func: of an element, the number of its class.
            target_dist: how often each class is to come.
            initial_dist: how often it comes; if it is not given, it is counted on the way.
            seed: makes it repeatable, together with ``tf.random.set_seed``.
        """
        target = convert_to_tensor(target_dist).numpy()
        initial = None if initial_dist is None else convert_to_tensor(initial_dist).numpy()
        return Dataset(Resampled(self._node, class_func, target, initial, drawn_key(seed)))

    def shuffle(
        self, buffer_size: Any, seed: Any = None, reshuffle_each_iteration: bool | None = True, name: str | None = None
    ) -> Dataset:
        """The elements in random order, drawn from a buffer that holds the next ``buffer_size`` of them.

        Args:
            buffer_size: how many elements wait to be drawn; as many as there are give a uniform order.
            seed: makes the orders repeatable, together with ``tf.random.set_seed``.
            reshuffle_each_iteration: whether each iteration has an order of its own.

        Raises:
            InvalidArgumentError: ``buffer_size`` below 1.
        """
        size = integer(buffer_size, "Dataset.shuffle: buffer_size")
        if size < 1 and size != UNKNOWN:
            raise InvalidArgumentError(
                f"Dataset.shuffle: buffer_size must be greater than zero or UNKNOWN_CARDINALITY, got {size}."
            )
        reshuffle = reshuffle_each_iteration is not False
        return Dataset(ordering.Shuffled(self._node, _LARGEST if size == UNKNOWN else size, drawn_key(seed), reshuffle))

    def repeat(self, count: Any = None, name: str | None = None) -> Dataset:
        """The whole dataset ``count`` times; without end if that is None or -1."""
        return Dataset(ordering.Repeated(self._node, -1 if count is None else integer(count, "Dataset.repeat: count")))

    def take(self, count: Any, name: str | None = None) -> Dataset:
        """The first ``count`` elements; all if that is -1."""
        return Dataset(ordering.Taken(self._node, integer(count, "Dataset.take: count")))

    def skip(self, count: Any, name: str | None = None) -> Dataset:
        """All but the first ``count`` elements; -1 skips all of them."""
        return Dataset(ordering.Skipped(self._node, integer(count, "Dataset.skip: count")))

    def shard(self, num_shards: Any, index: Any, name: str | None = None) -> Dataset:
        """Every ``num_shards``-th element, from number ``index`` on.

        Raises:
            InvalidArgumentError: ``num_shards`` below 1, or ``index`` not in ``[0, num_shards)``.
        """
        shards = integer(num_shards, "Dataset.shard: num_shards")
        place = integer(index, "Dataset.shard: index")
        if shards < 1 or not 0 <= place < shards:
            raise InvalidArgumentError(
                f"Dataset.shard: index must be in [0, num_shards), got {place} of {shards} shards."
            )
        return Dataset(ordering.Sharded(self._node, shards, place))

    def cache(self, filename: Any = "", name: str | None = None) -> Dataset:
        """The elements of the first complete iteration, kept for all that follow, in their order.

        It is complete when the last element is asked for, or, if their number is not known, the end.

        Args:
            filename: a folder, where they are kept for other processes, too; default in memory.
        """
        name = convert_to_tensor(filename).numpy() if isinstance(filename, Tensor) else filename
        if not isinstance(name, (str, bytes, os.PathLike)):
            raise TypeError(f"Dataset.cache: Argument `filename` must be a path, got {filename!r}.")
        folder = os.fsdecode(name)
        return Dataset(cache.KeptInFiles(self._node, folder) if folder else cache.Kept(self._node))

    def snapshot(
        self,
        path: Any,
        compression: Any = "AUTO",
        reader_func: Any = None,
        shard_func: Any = None,
        name: str | None = None,
    ) -> Dataset:
        """The elements of the first complete iteration, kept in a folder for other programs: ``cache(path)``.

        What is kept says nothing of how it was made: a program whose pipeline has changed takes another folder.

        Args:
            path: the folder.
            compression: kept for TensorFlow's signature.
            reader_func, shard_func: only None: there are no shards.

        Raises:
            ValueError: a function for shards.
        """
        if reader_func is not None or shard_func is not None:
            raise ValueError("Dataset.snapshot: reader_func and shard_func are not there: a snapshot has no shards.")
        if path is None:
            raise ValueError("Dataset.snapshot: Argument `path` must be a path, got None.")
        return self.cache(path)

    def ignore_errors(self, log_warning: bool = False, name: str | None = None) -> Dataset:
        """The elements that are made without an error.

        As in TensorFlow: a batch that has such an element is left out whole, and a generator that raised has ended.

        Args:
            log_warning: whether each that is left out is told of by a warning.
        """
        return Dataset(IgnoringErrors(self._node, log_warning))

    def prefetch(self, buffer_size: Any, name: str | None = None) -> Dataset:
        """The same elements, made ahead by a thread where making one takes longer than handing it over.

        The thread ends with the iteration, also one that is abandoned. It computes while compiled steps do. What draws random
        numbers is not made ahead.

        Args:
            buffer_size: how many elements are made ahead, or ``tf.data.AUTOTUNE``: 2.

        Raises:
            InvalidArgumentError: ``buffer_size`` below -1.
        """
        size = AUTOTUNE if buffer_size is None else integer(buffer_size, "Dataset.prefetch: buffer_size")
        if size < AUTOTUNE:
            raise InvalidArgumentError(f"Dataset.prefetch: buffer_size must be >= 0 or tf.data.AUTOTUNE, got {size}.")
        return Dataset(prefetch.Prefetched(self._node, 2 if size == AUTOTUNE else max(size, 1)))

    def with_options(self, options: Options, name: str | None = None) -> Dataset:
        """The same elements; ``options()`` gives what ``options`` sets."""
        return Dataset(OptionsSet(self._node, options))

    def options(self) -> Options:
        """What ``with_options`` has set in this pipeline."""
        return options_of(self._node)

    def enumerate(self, start: Any = 0, name: str | None = None) -> Dataset:
        """Pairs of a running int64 number, from ``start`` on, and the element."""
        return Dataset.zip(Dataset.range(start, _LARGEST), self)

    def concatenate(self, dataset: Dataset, name: str | None = None) -> Dataset:
        """This dataset's elements, then those of ``dataset``.

        Raises:
            TypeError: the elements differ in form or dtype.
        """
        return Dataset(combining.Concatenated(self._node, checked_dataset("Dataset.concatenate", dataset)._node))

    def apply(self, transformation_func: abc.Callable[[Dataset], Dataset]) -> Dataset:
        """``transformation_func(self)``, for chaining.

        Raises:
            TypeError: it does not return a dataset.
        """
        if not callable(transformation_func):
            raise TypeError(
                f"Dataset.apply: Argument `transformation_func` must be callable, got {transformation_func!r}."
            )
        dataset = transformation_func(self)
        if not isinstance(dataset, Dataset):
            raise TypeError(f"`transformation_func` must return a `tf.data.Dataset` object. Got {type(dataset)}.")
        return dataset

    # ---- reading -------------------------------------------------------------------------------

    def reduce(self, initial_state: Any, reduce_func: abc.Callable[[Any, Any], Any], name: str | None = None) -> Any:
        """The state left after ``state = reduce_func(state, element)`` for every element.

        Args:
            initial_state: the state before the first element.
            reduce_func: of the state and an element, each in its own form.

        Raises:
            ValueError: ``reduce_func`` is not callable.
            InvalidArgumentError: a new state of another form.
            TypeError: a new state of other dtypes.
        """
        if not callable(reduce_func):
            raise ValueError(f"Dataset.reduce: Argument `reduce_func` must be callable, got {reduce_func!r}.")
        state = converted(initial_state)
        traced = Traced(reduce_func)
        for element in self:
            state = continued(state, traced(state, element), "Dataset.reduce")
        return state

    def get_single_element(self, name: str | None = None) -> Any:
        """The only element.

        Raises:
            InvalidArgumentError: there is none, or more than one.
        """
        found = list(itertools.islice(self, 2))
        if len(found) != 1:
            got = "was empty" if not found else "had more than one element"
            raise InvalidArgumentError(f"Dataset.get_single_element: Dataset {got}.")
        return found[0]

    def as_numpy_iterator(self) -> abc.Iterator[Any]:
        """An iterator of the elements with NumPy arrays, which can't be written to, and scalars in place of tensors.

        Raises:
            TypeError: elements that are or hold datasets.
        """
        if any(isinstance(leaf, DatasetSpec) for leaf in nest.flatten(self._node.known_spec())):
            raise TypeError(
                "`tf.data.Dataset.as_numpy_iterator()` is not supported for datasets that produce datasets: use flat_map."
            )
        return map(_numpy, self._node.elements())

    def cardinality(self) -> Tensor:
        """The number of elements, as an int64 tensor: -1 (``tf.data.INFINITE_CARDINALITY``) or -2 (unknown) else."""
        return Tensor(np.array(self._node.count(), np.int64))

    @property
    def element_spec(self) -> Any:
        """The TensorSpecs of an element, in its form."""
        return self._node.spec()

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
        """Writes all elements to a folder, from which ``Dataset.load`` reads them.

        Args:
            path: the folder; what was saved there before is replaced.
            compression, shard_func, checkpoint_args: kept for TensorFlow's signature.
        """
        cache.saved(self._node.elements(), self._node.spec(), os.fspath(path))

    def __repr__(self) -> str:
        return f"<{self._node.name} element_spec={self.element_spec!r}>"


def _numpy(element: Any) -> Any:
    return numpy_element(succeeded(element))


def _threads(calls: Any, what: str) -> int:
    """How many threads ``num_parallel_calls`` asks for; 0 for none."""
    if calls is None:
        return 0
    number = integer(calls, f"Dataset.{what}: num_parallel_calls")
    if number < 1 and number != AUTOTUNE:
        raise InvalidArgumentError(f"Dataset.{what}: num_parallel_calls must be greater than zero, got {number}.")
    return default_threads() if number == AUTOTUNE else number


def checked_dataset(name: str, dataset: Any) -> Dataset:
    """``dataset`` itself; TypeError with the function's name if it is none."""
    if not isinstance(dataset, Dataset):
        raise TypeError(f"{name}: Argument `dataset` must be a tf.data.Dataset, got {dataset!r}.")
    return dataset
