"""``tf.data.experimental``: copies to devices, and older names of ``tf.data`` functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastgrad._src.core import nest
from fastgrad._src.core.argument_checks import checked_integer
from fastgrad._src.core.errors import OutOfRangeError
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.data.asserted_cardinality import AssertedCardinality
from fastgrad._src.data.dataset import AUTOTUNE as AUTOTUNE
from fastgrad._src.data.dataset import INFINITE_CARDINALITY as INFINITE_CARDINALITY
from fastgrad._src.data.dataset import UNKNOWN_CARDINALITY as UNKNOWN_CARDINALITY
from fastgrad._src.data.dataset import Dataset, checked_dataset
from fastgrad._src.data.element_spec import map_leaves, spec_of, to_element
from fastgrad._src.data.example_records import TFRecordWriter as TFRecordWriter
from fastgrad._src.data.example_records import make_batched_features_dataset as make_batched_features_dataset
from fastgrad._src.data.example_records import parse_example_dataset as parse_example_dataset
from fastgrad._src.data.grouping import ElementListNode
from fastgrad._src.data.iterator import Iterator
from fastgrad._src.data.node import value_or_raise
from fastgrad._src.data.optional import Optional as Optional
from fastgrad._src.data.options import AutoShardPolicy as AutoShardPolicy
from fastgrad._src.data.options import AutotuneAlgorithm as AutotuneAlgorithm
from fastgrad._src.data.options import AutotuneOptions as AutotuneOptions
from fastgrad._src.data.options import DistributeOptions as DistributeOptions
from fastgrad._src.data.options import ExternalStatePolicy as ExternalStatePolicy
from fastgrad._src.data.options import OptimizationOptions as OptimizationOptions
from fastgrad._src.data.options import ThreadingOptions as ThreadingOptions
from fastgrad._src.data.readers import CsvDataset as CsvDataset
from fastgrad._src.data.readers import ParquetDataset as ParquetDataset
from fastgrad._src.data.readers import make_csv_dataset as make_csv_dataset
from fastgrad._src.data.to_device import prefetch_to_device as prefetch_to_device
from fastgrad._src.ops.arguments import as_python_int


def cardinality(dataset: Dataset) -> Tensor:
    """Returns the number of elements as an int64 tensor: ``dataset.cardinality()``."""
    return checked_dataset("cardinality", dataset).cardinality()


def assert_cardinality(expected_cardinality: int) -> Callable[[Dataset], Dataset]:
    """Returns a transformation for ``Dataset.apply``: the same elements, with the ``cardinality()`` ``expected_cardinality``.

    Args:
        expected_cardinality: the number of elements, or ``INFINITE_CARDINALITY``. An iteration that finds another number
            raises FailedPreconditionError.
    """
    count = checked_integer("assert_cardinality", "expected_cardinality", expected_cardinality)

    def asserted(dataset: Dataset) -> Dataset:
        return Dataset(AssertedCardinality(checked_dataset("assert_cardinality", dataset)._node, count))

    return asserted


def get_next_as_optional(iterator: Iterator) -> Optional:
    """Returns an ``Optional`` of the next element: ``iterator.get_next_as_optional()``.

    Raises:
        AttributeError: ``iterator`` is no iterator of a dataset.
    """
    if not hasattr(iterator, "get_next_as_optional"):
        raise AttributeError(f"get_next_as_optional: expected an iter(dataset), got {type(iterator).__name__}.")
    return iterator.get_next_as_optional()


def get_single_element(dataset: Dataset) -> object:
    """Returns the only element: ``dataset.get_single_element()``."""
    return checked_dataset("get_single_element", dataset).get_single_element()


def dense_to_ragged_batch(
    batch_size: Any, drop_remainder: bool = False, row_splits_dtype: Any = "int64"
) -> Callable[[Dataset], Dataset]:
    """Returns a transformation for ``Dataset.apply``: ``dataset.ragged_batch(...)`` under its older name."""

    def batched(dataset: Dataset) -> Dataset:
        source = checked_dataset("dense_to_ragged_batch", dataset)
        return source.ragged_batch(batch_size, drop_remainder, row_splits_dtype)

    return batched


def parallel_interleave(
    map_func: Callable[..., Any],
    cycle_length: Any,
    block_length: Any = 1,
    sloppy: Any = False,
    buffer_output_elements: Any = None,
    prefetch_input_elements: Any = None,
) -> Callable[[Dataset], Dataset]:
    """Returns a transformation for ``Dataset.apply``: ``dataset.interleave(map_func, cycle_length, block_length)``, always in order."""
    return lambda dataset: checked_dataset("parallel_interleave", dataset).interleave(
        map_func, cycle_length, block_length
    )


def from_list(elements: list[Any], name: str | None = None) -> Dataset:
    """Returns a dataset of the items of a list, which may differ in shape.

    Args:
        elements: tensors, arrays, numbers or strings, or tuples or dicts of them, all of one structure and of the same dtypes.
        name: kept for TensorFlow's signature.

    Raises:
        ValueError: ``elements`` is no list, or is empty.
        TypeError: the items differ in structure or dtype.
    """
    if not isinstance(elements, list):
        raise ValueError(f"from_list: Invalid `elements`. `elements` must be a list, got {type(elements).__name__}.")
    if not elements:
        raise ValueError(
            "from_list: `elements` should not be empty. For an empty dataset use tf.data.Dataset.range(0)."
        )
    items = list(map(to_element, elements))
    specs = list(map(spec_of, items))
    try:
        spec = map_leaves(lambda leaf, *others: leaf.most_specific_common_supertype(others), *specs)
    except ValueError:
        spec = None
    if spec is None or None in nest.flatten(spec):
        raise TypeError(f"from_list: all elements must have one structure and the same dtypes, got {specs[:10]}.")
    return Dataset(ElementListNode(items, spec))


def at(dataset: Dataset, index: Any) -> Any:
    """Returns the element of a number, from 0 on.

    Args:
        dataset: a dataset.
        index: an integer scalar.

    Raises:
        TypeError: ``dataset`` is no dataset, or ``index`` no integer.
        OutOfRangeError: there is no such element.
    """
    node, number = checked_dataset("at", dataset)._node, as_python_int(index, "at: index")
    element = next(node.elements_after(number), None) if number >= 0 else None
    if element is None:
        raise OutOfRangeError(
            f"at: Index {number} out of range: the dataset has {node.count()} elements (-2: unknown)."
        )
    return value_or_raise(element)


def _transformation_factory(name: str) -> Callable[..., Callable[[Dataset], Dataset]]:
    """Returns an older function: it takes the arguments of the method ``name``, and returns a transformation for ``Dataset.apply``."""

    def make(*args: Any, **kwargs: Any) -> Callable[[Dataset], Dataset]:
        return lambda dataset: getattr(checked_dataset(name, dataset), name)(*args, **kwargs)

    make.__name__ = make.__qualname__ = name
    make.__doc__ = f"Returns a transformation for ``Dataset.apply``: ``dataset.{name}(...)`` under its older name."
    return make


group_by_window, ignore_errors, bucket_by_sequence_length = map(
    _transformation_factory, ("group_by_window", "ignore_errors", "bucket_by_sequence_length")
)
scan, snapshot, unbatch, unique = map(_transformation_factory, ("scan", "snapshot", "unbatch", "unique"))
choose_from_datasets, sample_from_datasets = Dataset.choose_from_datasets, Dataset.sample_from_datasets
Counter, RandomDataset, load = Dataset.counter, Dataset.random, Dataset.load


def shuffle_and_repeat(buffer_size: Any, count: Any = None, seed: Any = None) -> Callable[[Dataset], Dataset]:
    """Returns a transformation for ``Dataset.apply``: ``dataset.shuffle(buffer_size, seed).repeat(count)``."""
    return lambda dataset: checked_dataset("shuffle_and_repeat", dataset).shuffle(buffer_size, seed).repeat(count)


def map_and_batch(
    map_func: Callable[..., Any],
    batch_size: Any,
    num_parallel_batches: Any = None,
    drop_remainder: bool = False,
    num_parallel_calls: Any = None,
) -> Callable[[Dataset], Dataset]:
    """Returns a transformation for ``Dataset.apply``: ``dataset.map(map_func).batch(batch_size, drop_remainder)``."""
    return lambda dataset: checked_dataset("map_and_batch", dataset).map(map_func).batch(batch_size, drop_remainder)


def get_structure(dataset_or_iterator: Any) -> Any:
    """Returns the ``element_spec``; TypeError if the argument has none."""
    if not hasattr(dataset_or_iterator, "element_spec"):
        raise TypeError(f"get_structure: expected a dataset or an iterator, got {type(dataset_or_iterator).__name__}.")
    return dataset_or_iterator.element_spec


def save(
    dataset: Dataset, path: Any, compression: Any = None, shard_func: Any = None, checkpoint_args: Any = None
) -> None:
    """Writes the elements to a folder: ``dataset.save(...)`` under its older name."""
    checked_dataset("save", dataset).save(path, compression, shard_func, checkpoint_args)
