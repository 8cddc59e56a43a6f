"""Datasets of which each process has a part, and their iterators, which synchronize the processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from fastgrad._src.core.recording import hide_from_recorders
from fastgrad._src.core.replicas import replica_group
from fastgrad._src.data.dataset import Dataset, checked_dataset
from fastgrad._src.data.iterator import Iterator as DatasetIterator
from fastgrad._src.data.node import INFINITE
from fastgrad._src.distribute.objects import allgather_object
from fastgrad._src.distribute.sharding import empty_batch, shard_dataset
from fastgrad._src.ops.collectives import all_reduce


class InputContext:
    """The process for which ``distribute_datasets_from_function`` calls its function. TensorFlow: tf.distribute.InputContext.

    Args:
        num_input_pipelines, input_pipeline_id: the number of processes, and the number of this process.
        num_replicas_in_sync: the number of replicas.
    """

    def __init__(self, num_input_pipelines: int = 1, input_pipeline_id: int = 0, num_replicas_in_sync: int = 1) -> None:
        self.num_input_pipelines = num_input_pipelines
        self.input_pipeline_id = input_pipeline_id
        self.num_replicas_in_sync = num_replicas_in_sync

    def get_per_replica_batch_size(self, global_batch_size: int) -> int:
        """Returns the batch size of each replica; ValueError if the number of replicas does not divide the global batch size."""
        if global_batch_size % self.num_replicas_in_sync:
            raise ValueError(
                f"The `global_batch_size` {global_batch_size} is not divisible by `num_replicas_in_sync` "
                f"{self.num_replicas_in_sync}. Use a multiple."
            )
        return global_batch_size // self.num_replicas_in_sync

    def __repr__(self) -> str:
        return (
            f"tf.distribute.InputContext(input pipeline id {self.input_pipeline_id}, total: {self.num_input_pipelines})"
        )


class InputOptions(NamedTuple):
    """TensorFlow's options for distributed datasets, without effect. TensorFlow: tf.distribute.InputOptions."""

    experimental_fetch_to_device: bool | None = None
    experimental_replication_mode: Any = None
    experimental_place_dataset_on_device: bool = False
    experimental_per_replica_buffer_size: int = 1


class DistributedDataset:
    """The batches of this process. TensorFlow: tf.distribute.DistributedDataset.

    All processes iterate together: they make the same number of steps. For ``distribute_datasets_from_function``, ``len`` and
    ``cardinality`` count the batches of this process.

    Args:
        dataset: the dataset of this process's batches.
        rank, size: the number of this process, and the number of processes.
        is_same_in_all: whether all processes have the same pipeline, so that they must shuffle in the same order.
    """

    gives_elements = True
    is_distributed = True  # `fit` does not divide its batches again

    def __init__(self, dataset: Dataset, rank: int, size: int, is_same_in_all: bool = True) -> None:
        self._dataset = checked_dataset("distribute_datasets_from_function", dataset)
        self._rank, self._size, self._is_same_in_all = rank, size, is_same_in_all

    @property
    def element_spec(self) -> Any:
        """The TensorSpecs of this process's batches."""
        return self._dataset.element_spec

    @property
    def cardinality(self) -> np.int64:
        """The number of steps of this process: -1 if infinite, -2 if unknown."""
        return np.int64(self._dataset._node.count())

    def __len__(self) -> int:
        return len(self._dataset)

    def __bool__(self) -> bool:
        return True

    def __iter__(self) -> DistributedIterator:
        return DistributedIterator(self)

    def reduce(self, initial_state: Any, reduce_func: Callable[[Any, Any], Any]) -> Any:
        """Returns the last state after ``state = reduce_func(state, element)`` for every element."""
        state = initial_state
        for element in self:
            state = reduce_func(state, element)
        return state


def distribute_dataset(dataset: Any, rank: int, size: int) -> Dataset:
    """Returns the dataset of the batches for process ``rank`` of ``size``; errors as in ``shard_node``."""
    return shard_dataset(checked_dataset("experimental_distribute_dataset", dataset), size, rank)


class DistributedIterator(DatasetIterator):
    """An iteration of a distributed dataset. TensorFlow: tf.distribute.DistributedIterator.

    All processes create it together, and first compare their numbers of steps. A process without further rows gets empty batches
    until all processes have ended. If a number of steps is unknown, each step asks all processes whether they have rows.

    Args:
        dataset: the dataset to iterate over.
    """

    def __init__(self, dataset: DistributedDataset) -> None:
        self._size = dataset._size
        self._steps: int | None = None  # the number of steps of all processes
        self._asks_each_step = False
        if self._size > 1:
            self._synchronize_steps(dataset)
        super().__init__(dataset._dataset)

    def _synchronize_steps(self, dataset: DistributedDataset) -> None:
        """Compares the numbers of steps of all processes, and gives all processes the shuffles of the first."""
        node = dataset._dataset._node
        states = node.random_state() if dataset._is_same_in_all else None
        counts, all_states = zip(*allgather_object((node.count(), states)), strict=True)
        if dataset._is_same_in_all and any(other != all_states[0] for other in all_states):
            if len({len(other) for other in all_states}) > 1:
                raise ValueError(
                    "experimental_distribute_dataset: the processes have different pipelines: "
                    f"{[len(other) for other in all_states]} stages draw random numbers. Make the same dataset in all processes."
                )
            node.restore_random_state(iter(all_states[0]))
        if all(count >= 0 for count in counts):
            self._steps = max(counts)
        else:
            self._asks_each_step = any(count != INFINITE for count in counts)

    def _begin_at(self, position: int) -> None:
        super()._begin_at(position)
        self._elements = self._with_padding_batches(self._elements, position)

    def _with_padding_batches(self, elements: Iterator[Any], position: int) -> Iterator[Any]:
        """Yields the elements, and empty batches while other processes have elements."""
        end = object()
        while self._steps is None or position < self._steps:
            element = next(elements, end)
            if self._asks_each_step and not _is_true_anywhere(element is not end):
                return
            if element is end:
                if self._size == 1 or (self._steps is None and not self._asks_each_step):
                    return
                element = empty_batch(self._dataset.element_spec)
            position += 1
            yield element

    def get_next(self, name: str | None = None) -> Any:
        """Returns the next batch of this process; OutOfRangeError after all processes have ended, ValueError within ``strategy.run``."""
        group = replica_group()
        if group.strategy is not None and not group.is_cross_replica:
            raise ValueError(
                "next(iterator) should be called from outside of replica_fn. e.g. strategy.run(replica_fn, "
                "args=(next(iterator),))"
            )
        return super().get_next()


def _is_true_anywhere(value: bool) -> bool:
    with hide_from_recorders():
        return bool(all_reduce([np.array(int(value), np.int32)], "max")[0])
