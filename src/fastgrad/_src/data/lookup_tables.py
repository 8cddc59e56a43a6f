"""Lookup tables whose keys and values are the elements of a dataset (``tf.data.experimental``)."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.tensor import convert_to_tensor
from fastgrad._src.core.tensor_spec import TensorSpec
from fastgrad._src.data.dataset import Dataset, checked_dataset
from fastgrad._src.structures.lookup.initializers import KeyValueTensorInitializer
from fastgrad._src.structures.lookup.tables import StaticHashTable, StaticVocabularyTable


class DatasetInitializer(KeyValueTensorInitializer):
    """The keys and values of a table, from a dataset that is read once, here.

    Args:
        dataset: a finite dataset of pairs of scalars, a key and its value.

    Raises:
        TypeError: ``dataset`` is no dataset, or its elements are not pairs of scalars.
    """

    def __init__(self, dataset: Dataset) -> None:
        spec = checked_dataset("DatasetInitializer", dataset).element_spec
        if not (isinstance(spec, tuple) and len(spec) == 2 and all(_is_scalar(leaf) for leaf in spec)):
            raise TypeError(f"DatasetInitializer: the elements must be pairs of scalars (key, value), got {spec}.")
        pairs = list(dataset.as_numpy_iterator())
        keys, values = (
            convert_to_tensor(np.array([pair[place] for pair in pairs], leaf.dtype.numpy))
            for place, leaf in enumerate(spec)
        )
        super().__init__(keys, values)


def _is_scalar(spec: Any) -> bool:
    return isinstance(spec, TensorSpec) and spec.shape.rank == 0


def table_from_dataset(
    dataset: Any = None,
    num_oov_buckets: int = 0,
    vocab_size: int | None = None,
    default_value: Any = None,
    hasher_spec: Any = None,
    key_dtype: Any = dtypes.string,
    name: str | None = None,
) -> Any:
    """Returns a lookup table of the pairs of keys and values of a dataset.

    Args:
        dataset: a finite dataset of pairs of scalars.
        num_oov_buckets: the number of further values, after the size of the table, that a hash gives to other keys. The values of the
            dataset are then int64 numbers from 0 on.
        vocab_size: the number of pairs that are taken. Default: all.
        default_value: the value of other keys, if ``num_oov_buckets`` is 0. Default: -1.
        hasher_spec: kept for TensorFlow's signature: the hash is ``tf.strings.to_hash_bucket_fast``.
        key_dtype: the dtype of keys.
        name: kept for TensorFlow's signature.

    Returns:
        A ``tf.lookup.StaticHashTable``, or with ``num_oov_buckets`` a ``tf.lookup.StaticVocabularyTable``.

    Raises:
        ValueError: ``num_oov_buckets`` is negative, or ``vocab_size`` is below 1.
        TypeError: ``dataset`` is no dataset of pairs of scalars, or its keys do not have ``key_dtype``.
    """
    what = "table_from_dataset"
    if num_oov_buckets < 0 or (vocab_size is not None and vocab_size < 1):
        raise ValueError(f"{what}: {num_oov_buckets=} must be at least 0 and {vocab_size=} at least 1.")
    pairs = checked_dataset(what, dataset)
    initializer = DatasetInitializer(pairs if vocab_size is None else pairs.take(vocab_size))
    if initializer.key_dtype != dtypes.as_dtype(key_dtype):
        raise TypeError(f"{what}: the keys are {initializer.key_dtype}, and key_dtype is {key_dtype}.")
    if num_oov_buckets:
        return StaticVocabularyTable(initializer, num_oov_buckets)
    return StaticHashTable(initializer, -1 if default_value is None else default_value)


def index_table_from_dataset(
    dataset: Any = None,
    num_oov_buckets: int = 0,
    vocab_size: int | None = None,
    default_value: Any = -1,
    hasher_spec: Any = None,
    key_dtype: Any = dtypes.string,
    name: str | None = None,
) -> Any:
    """Returns a lookup table from the elements of a dataset to their numbers, from 0 on, in int64.

    Args:
        dataset: a finite dataset of scalars.
        num_oov_buckets, vocab_size, default_value, hasher_spec, key_dtype, name: as in ``table_from_dataset``, which also has the errors.
    """
    keys = checked_dataset("index_table_from_dataset", dataset)
    pairs = keys.enumerate().map(lambda number, key: (key, number))
    return table_from_dataset(pairs, num_oov_buckets, vocab_size, default_value, hasher_spec, key_dtype)
