"""``tf.data.Dataset``: elements made one after the other by a pipeline of stages."""

from __future__ import annotations

import itertools
from collections import abc
from typing import Any

import numpy as np

from fastgrad import dtypes
from fastgrad.data import ordering, sources, transformations
from fastgrad.data.node import INFINITE, UNKNOWN, Node
from fastgrad.data.structure import converted, numpy_element, packer, result_element
from fastgrad.errors import InvalidArgumentError, OutOfRangeError, UnimplementedError
from fastgrad.ops.arguments import integer
from fastgrad.recording import recorders
from fastgrad.tensor import Tensor, convert_to_tensor

AUTOTUNE = -1
INFINITE_CARDINALITY = INFINITE
UNKNOWN_CARDINALITY = UNKNOWN

_LARGEST = int(np.iinfo(np.int64).max)


class Dataset:
    """A sequence of elements: tensors, or tuples and dicts of tensors.

    Made by ``from_tensor_slices``, ``from_tensors``, ``from_generator`` and ``range``; each method gives a new
    dataset. Iterating runs the pipeline from its start, on the calling thread; what it computes is not recorded by
    gradient tapes. Rows of arrays stay row numbers through ``shuffle``, ``take``, ``skip``, ``repeat``, ``shard`` and
    ``cache``, and ``batch`` gathers them at once, in the order in which single elements would come.
    """

    gives_elements = True  # a loop over it is none over things that a program could be written down with

    def __init__(self, variant_tensor: Any) -> None:
        if not isinstance(variant_tensor, Node):
            raise TypeError("Dataset: make one with Dataset.from_tensor_slices, from_tensors, from_generator or range.")
        self._node = variant_tensor

    # ---- sources -----------------------------------------------------------------------------

    @staticmethod
    def from_tensor_slices(tensors: Any, name: str | None = None) -> Dataset:
        """The rows of ``tensors``: element i holds row i of each.

        Args:
            tensors: a tensor or array, or a tuple or dict of them, all of one first dimension. A list is one tensor.
            name: kept for TensorFlow's signature, here and below.

        Raises:
            ValueError: a scalar, or different first dimensions.
        """
        return Dataset(sources.slices(_components(tensors)))

    @staticmethod
    def from_tensors(tensors: Any, name: str | None = None) -> Dataset:
        """A dataset of one element: ``tensors`` as it is."""
        return Dataset(sources.SingleElement(_components(tensors)))

    @staticmethod
    def range(*args: Any, output_type: Any = dtypes.int64, name: str | None = None) -> Dataset:
        """The numbers ``range(stop)``, ``range(start, stop)`` or ``range(start, stop, step)``, as int64.

        Raises:
            ValueError: no argument, or more than three.
            InvalidArgumentError: a step of 0.
        """
        if not 1 <= len(args) <= 3:
            raise ValueError(f"Invalid `args`. The length of `args` should be between 1 and 3 but was {len(args)}.")
        numbers = [integer(value, "Dataset.range") for value in args]
        start, stop, step = (0, numbers[0], 1) if len(numbers) == 1 else (*numbers, 1)[:3]
        if step == 0:
            raise InvalidArgumentError("Dataset.range: step must be a non-zero integer.")
        return Dataset(sources.numbers(start, stop, step, dtypes.as_dtype(output_type)))

    @staticmethod
    def from_generator(
        generator: abc.Callable[..., Any],
        output_types: Any = None,
        output_shapes: Any = None,
        args: Any = None,
        output_signature: Any = None,
        name: str | None = None,
    ) -> Dataset:
        """What ``generator(*args)`` yields, started again for each iteration.

        Args:
            generator: a function that gives an iterable.
            output_types: the dtypes of an element, in its form; or ``output_signature``.
            output_shapes: the shapes that belong to ``output_types``; unknown if not given.
            args: passed to ``generator`` as NumPy values.
            output_signature: the TensorSpecs of an element, in its form.

        Raises:
            TypeError: ``generator`` is not callable, or neither types nor signature are given.
            InvalidArgumentError: while iterating, for an element that does not fit.
        """
        if not callable(generator):
            raise TypeError("`generator` must be a Python callable.")
        signature = sources.generator_signature(output_types, output_shapes, output_signature)
        values = [] if args is None else [convert_to_tensor(value).numpy() for value in args]
        return Dataset(sources.Generated(generator, values, signature))

    @staticmethod
    def zip(*args: Any, datasets: Any = None, name: str | None = None) -> Dataset:
        """Elements of several datasets side by side, until the shortest ends.

        Args:
            *args: datasets, or one tuple or dict of them; ``datasets`` is the older name of the latter.

        Raises:
            TypeError: no dataset, or a list of them.
        """
        if bool(args) == (datasets is not None):
            raise TypeError("Dataset.zip: must pass datasets, either as `*args` or as `datasets`.")
        structure = datasets if not args else args[0] if len(args) == 1 else args
        leaves: list[Node] = []
        _collect(structure, leaves)
        return Dataset(transformations.Zipped(packer(structure), leaves))

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

        Args:
            map_func: called for every element, a tuple as several arguments, a dict as one; returns an element.
            num_parallel_calls, deterministic, synchronous, use_unbounded_threadpool: kept for TensorFlow's signature:
                calls are made in order, on the calling thread.
        """
        return Dataset(transformations.Mapped(self._node, map_func))

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

    def batch(
        self,
        batch_size: Any,
        drop_remainder: bool = False,
        num_parallel_calls: Any = None,
        deterministic: bool | None = None,
        name: str | None = None,
    ) -> Dataset:
        """Groups of ``batch_size`` elements, stacked along a new first dimension.

        Args:
            batch_size: a positive integer.
            drop_remainder: whether the last batch is left out if it is smaller.
            num_parallel_calls, deterministic: kept for TensorFlow's signature.

        Raises:
            InvalidArgumentError: ``batch_size`` below 1; while iterating, elements of different shapes.
        """
        size = integer(batch_size, "Dataset.batch: batch_size")
        if size < 1:
            raise InvalidArgumentError(f"Dataset.batch: Batch size must be greater than zero, got {size}.")
        return Dataset(transformations.Batched(self._node, size, bool(drop_remainder)))

    def unbatch(self, name: str | None = None) -> Dataset:
        """The rows of each element, one after the other."""
        return Dataset(transformations.Unbatched(self._node))

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
        key = _shuffle_key(None if seed is None else integer(seed, "Dataset.shuffle: seed"))
        reshuffle = reshuffle_each_iteration is not False
        return Dataset(ordering.Shuffled(self._node, _LARGEST if size == UNKNOWN else size, key, reshuffle))

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
        """The elements of the first complete iteration, kept in memory for all that follow, in their order.

        Raises:
            UnimplementedError: a ``filename``: elements are kept in memory only.
        """
        if filename != "":
            raise UnimplementedError(
                f"Dataset.cache: got filename {filename!r}; elements are kept in memory: use cache()."
            )
        return Dataset(ordering.Cached(self._node))

    def prefetch(self, buffer_size: Any, name: str | None = None) -> Dataset:
        """The same elements: they are made when they are asked for, on the calling thread.

        Args:
            buffer_size: how many elements TensorFlow would make ahead, or ``tf.data.AUTOTUNE``.

        Raises:
            InvalidArgumentError: ``buffer_size`` below -1.
        """
        size = AUTOTUNE if buffer_size is None else integer(buffer_size, "Dataset.prefetch: buffer_size")
        if size < AUTOTUNE:
            raise InvalidArgumentError(
                f"Dataset.prefetch: buffer_size must be >= 0 or set buffer_size to be -1 for auto-tuning, got {size}."
            )
        return Dataset(ordering.Prefetched(self._node))

    def enumerate(self, start: Any = 0, name: str | None = None) -> Dataset:
        """Pairs of a running int64 number, from ``start`` on, and the element."""
        return Dataset.zip(Dataset.range(start, _LARGEST), self)

    def concatenate(self, dataset: Dataset, name: str | None = None) -> Dataset:
        """This dataset's elements, then those of ``dataset``.

        Raises:
            TypeError: the elements differ in form or dtype.
        """
        return Dataset(transformations.Concatenated(self._node, dataset._node))

    def apply(self, transformation_func: abc.Callable[[Dataset], Dataset]) -> Dataset:
        """``transformation_func(self)``, for chaining.

        Raises:
            TypeError: it does not return a dataset.
        """
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
        """
        state = converted(initial_state)
        for element in self:
            state = result_element(transformations.unrecorded(reduce_func, state, element), "Dataset.reduce")
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
        """An iterator of the elements with NumPy arrays and scalars in place of tensors."""
        return map(numpy_element, self._node.elements())

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

    def __repr__(self) -> str:
        return f"<{self._node.name} element_spec={self.element_spec!r}>"


class Iterator:
    """An iteration of a dataset: what ``iter(dataset)`` gives.

    Args:
        dataset: what to iterate over.
    """

    gives_elements = True

    def __init__(self, dataset: Dataset) -> None:
        self._elements = iter(dataset._node.elements())
        self._dataset = dataset

    @property
    def element_spec(self) -> Any:
        """The TensorSpecs of an element, in its form."""
        return self._dataset.element_spec

    def get_next(self) -> Any:
        """The next element.

        Raises:
            OutOfRangeError: there is none left.
        """
        try:
            return next(self._elements)
        except StopIteration:
            raise OutOfRangeError("End of sequence") from None

    def __iter__(self) -> Iterator:
        return self

    def __next__(self) -> Any:
        for recorder in recorders.active:
            recorder.on_element()
        return next(self._elements)


def _components(tensors: Any) -> Any:
    return convert_to_tensor(tensors) if isinstance(tensors, list) else converted(tensors)


def _collect(structure: Any, leaves: list[Node]) -> None:
    """The nodes of the datasets in a structure of tuples and dicts, in the order of ``nest.flatten``."""
    if isinstance(structure, Dataset):
        leaves.append(structure._node)
    elif isinstance(structure, tuple):
        for item in structure:
            _collect(item, leaves)
    elif isinstance(structure, abc.Mapping):
        for key in sorted(structure):
            _collect(structure[key], leaves)
    else:
        raise TypeError(
            f"Invalid input to `zip`. Inputs are expected to be (nested) structures of `tf.data.Dataset` objects: tuples "
            f"and dicts, no lists. Got {type(structure)}."
        )


def _shuffle_key(seed: int | None) -> tuple[int, ...]:
    """The numbers from which a shuffle's orders are drawn: of the global seed and its own, or the next of all draws."""
    from fastgrad.ops.random_generator import default_drawn, default_key

    if seed is not None:
        return (default_key(seed) % 2**64,)
    low, high, key = default_drawn(None)((1,))._array.tolist()
    return tuple(word % 2**64 for word in (key, low, high))
