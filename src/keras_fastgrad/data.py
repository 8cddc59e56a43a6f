"""The batches of ``fit``, ``evaluate`` and ``predict``: slices of arrays, without a ``tf.data`` pipeline."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np

import fastgrad as fg
from fastgrad._src.core.tensor import constant_tensor

_NUMBER_KINDS = "biufcV"
"""The kinds of NumPy's dtypes that tensors have; V is that of bfloat16 and its kin."""


def override_predicates(module: ModuleType) -> None:
    """Replaces predicates that know TensorFlow's classes by the names of their modules."""
    vars(module).update(
        is_tensorflow_tensor=lambda value: isinstance(value, (fg.Tensor, fg.RaggedTensor, fg.SparseTensor)),
        is_tensorflow_ragged=lambda value: isinstance(value, fg.RaggedTensor),
        is_tensorflow_sparse=lambda value: isinstance(value, fg.SparseTensor),
    )


def override_adapters(module: ModuleType) -> None:
    """Replaces the predicate that chooses the adapter of datasets."""
    vars(module)["is_tf_dataset"] = lambda x: isinstance(x, fg.data.Dataset)


def epoch_iterator_of(trainer_module: ModuleType) -> type:
    """Returns the class that replaces ``TFEpochIterator`` in Keras's trainer."""
    tree, config, keras_iterator = trainer_module.tree, trainer_module.config, trainer_module.TFEpochIterator
    utilities = trainer_module.data_adapter_utils

    class EpochIterator(keras_iterator):  # type: ignore[valid-type,misc]
        """Iterates over the batches of a data adapter."""

        def __init__(self, distribute_strategy: Any = None, *args: Any, **kwargs: Any) -> None:
            super(keras_iterator, self).__init__(*args, **kwargs)  # no pipeline
            self._distribute_strategy = distribute_strategy

        def _get_iterator(self) -> Any:
            adapter = self.data_adapter
            kind = type(adapter).__name__
            if kind == "ArrayDataAdapter" and all(map(_is_number_array, tree.flatten(adapter._inputs))):
                return ArrayBatches(adapter, self, tree, config.floatx())
            if kind in ("ArrayDataAdapter", "TFDatasetAdapter"):
                return iter(adapter.get_tf_dataset())
            return (tree.map_structure(tensor_of, batch) for batch in adapter.get_numpy_iterator())

    def tensor_of(x: Any) -> Any:
        """Converts a part of a batch of a generator or dataset of another library."""
        if isinstance(x, np.ndarray):
            return constant_tensor(x) if x.dtype.kind in _NUMBER_KINDS else fg.convert_to_tensor(x)
        if utilities.is_scipy_sparse(x):
            return utilities.scipy_sparse_to_tf_sparse(x)
        if utilities.is_jax_sparse(x):
            return utilities.jax_sparse_to_tf_sparse(x)
        return fg.convert_to_tensor(x) if hasattr(x, "__array__") and not fg.is_tensor(x) else x

    return EpochIterator


class ArrayBatches:
    """The batches of arrays in one epoch, as ``ArrayDataAdapter`` gives them.

    Args:
        adapter: Keras's adapter.
        epoch: the epoch iterator that counts the batches.
        tree: Keras's functions for nested structures.
        floatx: the dtype that floating arrays of another one are cast to.
    """

    def __init__(self, adapter: Any, epoch: Any, tree: Any, floatx: str) -> None:
        self._epoch = epoch
        self._batches = self._slices(adapter, tree, np.dtype(floatx))

    def __iter__(self) -> ArrayBatches:
        return self

    def __next__(self) -> Any:
        return next(self._batches)

    def rest(self) -> Iterator[Any]:
        """Returns the other batches of the epoch, which the caller takes all; none if the epoch has a number of steps of its own."""
        if self._epoch.steps_per_epoch:
            return iter(())
        self._epoch._steps_seen = self._epoch._num_batches
        return self._batches

    @staticmethod
    def _slices(adapter: Any, tree: Any, floatx: np.dtype) -> Iterator[Any]:
        structure, size, count = adapter._inputs, adapter._batch_size, adapter._num_samples
        arrays = [
            x if x is None or x.dtype.kind != "f" else x.astype(floatx, copy=False) for x in tree.flatten(structure)
        ]
        is_flat = type(structure) is tuple and not any(tree.is_nested(x) for x in structure)
        # NumPy's global generator: Keras's own iterators draw from it, and `keras.utils.set_random_seed` seeds it.
        order = np.random.permutation(count) if adapter._shuffle and adapter._shuffle != "batch" else None  # noqa: NPY002
        for start in range(0, count, size):
            rows: Any = slice(start, min(start + size, count))
            if order is not None:
                rows = order[rows]
            elif adapter._shuffle == "batch":
                rows = np.random.permutation(rows.stop - start) + start  # noqa: NPY002
            parts = [x if x is None else x[rows].copy() if type(rows) is slice else x.take(rows, 0) for x in arrays]
            batch = [x if x is None else constant_tensor(x) for x in parts]
            yield tuple(batch) if is_flat else tree.pack_sequence_as(structure, batch)


def _is_number_array(x: Any) -> bool:
    return x is None or (isinstance(x, np.ndarray) and x.dtype.kind in _NUMBER_KINDS)
