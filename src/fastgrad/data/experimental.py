"""``tf.data.experimental``: tables, copies to devices, and older names of ``tf.data`` functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastgrad.core.argument_checks import checked_integer
from fastgrad.core.names import namespace_hooks as _namespace_hooks
from fastgrad.core.tensor import Tensor
from fastgrad.data.asserted_cardinality import AssertedCardinality
from fastgrad.data.dataset import AUTOTUNE as AUTOTUNE
from fastgrad.data.dataset import INFINITE_CARDINALITY as INFINITE_CARDINALITY
from fastgrad.data.dataset import UNKNOWN_CARDINALITY as UNKNOWN_CARDINALITY
from fastgrad.data.dataset import Dataset, checked_dataset
from fastgrad.data.iterator import Iterator
from fastgrad.data.optional import Optional as Optional
from fastgrad.data.options import AutoShardPolicy as AutoShardPolicy
from fastgrad.data.options import AutotuneAlgorithm as AutotuneAlgorithm
from fastgrad.data.options import AutotuneOptions as AutotuneOptions
from fastgrad.data.options import DistributeOptions as DistributeOptions
from fastgrad.data.options import ExternalStatePolicy as ExternalStatePolicy
from fastgrad.data.options import OptimizationOptions as OptimizationOptions
from fastgrad.data.options import ThreadingOptions as ThreadingOptions
from fastgrad.data.readers import CsvDataset as CsvDataset
from fastgrad.data.readers import ParquetDataset as ParquetDataset
from fastgrad.data.readers import make_csv_dataset as make_csv_dataset
from fastgrad.data.to_device import copy_to_device as copy_to_device
from fastgrad.data.to_device import prefetch_to_device as prefetch_to_device


def cardinality(dataset: Dataset) -> Tensor:
    """Returns the number of elements as an int64 tensor: ``dataset.cardinality()``."""
    return checked_dataset("cardinality", dataset).cardinality()


def assert_cardinality(expected_cardinality: int) -> Callable[[Dataset], Dataset]:
    """Returns a transformation for ``Dataset.apply``: the same elements, of which there are ``expected_cardinality``.

    Args:
        expected_cardinality: the number of elements, or ``INFINITE_CARDINALITY``; the result's ``cardinality()``. Where the
            iteration finds another number, it raises FailedPreconditionError.
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
        raise AttributeError(
            f"get_next_as_optional: expected an iterator of a dataset, got {type(iterator).__name__}. Make one with iter(dataset)."
        )
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


__getattr__, __dir__ = _namespace_hooks("tf.data.experimental", globals())
