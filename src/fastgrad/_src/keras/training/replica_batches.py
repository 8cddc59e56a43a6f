"""Batches of one replica of a strategy, and the logs of all replicas."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from fastgrad._src.core import nest
from fastgrad._src.core.composite import Composite
from fastgrad._src.core.replicas import ReplicaGroup
from fastgrad._src.core.tensor import tensor_of_data
from fastgrad._src.data.dataset import Dataset
from fastgrad._src.distribute.distributed_dataset import DistributedDataset
from fastgrad._src.keras.metrics.metric import Metric
from fastgrad._src.keras.training.batches import Batches
from fastgrad._src.ops.indexing import gather
from fastgrad._src.ops.replica_messages import common_values, gather_values


def row_range(group: ReplicaGroup, total: int) -> tuple[int, int]:
    """Returns the first row of this replica in a batch of ``total`` rows, and the row after its last, as TensorFlow cuts it.

    All replicas have as many rows as the first, except the last of those that have rows.
    """
    size = -(-total // group.size)
    return min(group.rank * size, total), min((group.rank + 1) * size, total)


def _rows(array: Any, rows: np.ndarray) -> Any:
    return gather(array, rows) if isinstance(array, Composite) else tensor_of_data(array[rows])


def row_count(batch: Any) -> int:
    """Returns the number of rows of a batch."""
    first = next(part for part in nest.flatten(batch) if part is not None)
    return int(first.shape[0])


def part_of_replica(group: ReplicaGroup, batch: Any) -> tuple[Any, Any, Any, int, bool]:
    """Returns the part of this replica in a batch of all replicas, as ``ReplicaBatches.epoch`` yields it."""
    total = row_count(batch)
    first, last = row_range(group, total)
    x, y, weights = nest.map_structure(lambda part: None if part is None else part[first:last], batch)
    return x, y, weights, total, total % group.size == 0


class ReplicaBatches:
    """The batches of this replica, with the number of rows of all replicas.

    Arrays and batches of generators are cut: each replica takes its rows of each batch, in the same order. A dataset is distributed
    by the strategy, and gives batches of this replica.

    Args:
        group: the replicas.
        batches: the data of ``fit``.
        method: the name of the model's method that uses them.

    Raises:
        UnavailableError: the replicas call different methods.
        ValueError: they give different kinds of data.
    """

    def __init__(self, group: ReplicaGroup, batches: Batches, method: str) -> None:
        self._group, self._batches = group, batches
        source = batches._source
        self._is_distributed = isinstance(source, DistributedDataset)
        if isinstance(source, Dataset):
            # The row numbers of arrays: shuffles draw the same order in all replicas.
            states = gather_values(group, source._node.random_state(), f"the order of the data of `{method}`")
            if any(len(other) != len(states[0]) for other in states):
                stages = f"{[len(other) for other in states]} stages draw random numbers"
                raise ValueError(f"The replicas have different data: {stages}. Call `{method}` alike in all processes.")
            source._node.restore_random_state(iter(states[0]))

    @property
    def size(self) -> int | None:
        """The number of batches per epoch, None if it is not known yet."""
        return self._batches.size

    @property
    def is_arrays(self) -> bool:
        """Whether the data are arrays."""
        return self._batches.is_arrays

    @property
    def labels(self) -> Any:
        """All labels if they are one array; else None."""
        return self._batches.labels

    def epoch(self, first: int = 0) -> Iterator[tuple[Any, Any, Any, int, bool]]:
        """Yields inputs, labels, weights, the number of rows of all replicas, and whether all have equally many.

        Raises:
            ValueError: replicas have different data.
        """
        batches: Iterator[Any] = self._batches.epoch(first)
        if self._batches.is_arrays:
            for row_numbers in batches:
                total = row_count(row_numbers)
                first_row, last_row = row_range(self._group, total)
                rows = row_numbers.numpy()[first_row:last_row]
                yield *self._rows_of_arrays(rows), total, total % self._group.size == 0
            return
        while True:
            batch: Any = next(batches, None)
            counts = gather_values(self._group, None if batch is None else row_count(batch[0]), "the rows of a batch")
            if all(count is None for count in counts):
                return
            if self._is_distributed:
                if batch is None:  # the others have more batches
                    batch = nest.map_structure(
                        lambda part: None if part is None else part[:0], self._batches.example_batch()
                    )
                yield *batch, sum(count or 0 for count in counts), len(set(counts)) == 1
            elif any(count != counts[0] for count in counts):
                raise ValueError(
                    f"The replicas have different data: the batches of ranks 0 to {self._group.size - 1} have {counts} rows "
                    "(None: no batch). Give the same batches on all ranks; each takes its rows of them. Or distribute "
                    "a dataset by `strategy.experimental_distribute_dataset`."
                )
            else:
                yield part_of_replica(self._group, batch)

    def example_batch(self) -> tuple[Any, Any, Any]:
        """Returns a batch with the structure of later batches."""
        if self._batches.is_arrays:
            return self._rows_of_arrays(np.zeros(1, np.int64))
        return self._batches.example_batch()

    def _rows_of_arrays(self, rows: np.ndarray) -> Any:
        return tuple(
            nest.map_structure(lambda array: None if array is None else _rows(array, rows), self._batches.arrays)
        )

    def state(self, in_epoch: bool) -> dict[str, np.ndarray]:
        """Returns the position in the data; see ``Batches.state``."""
        return self._batches.state(in_epoch)

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Continues from a result of ``state``."""
        self._batches.restore(state)


def join_metrics(group: ReplicaGroup, model: Any) -> None:
    """Lets the replicas of a model join its metrics, also those that were made outside of the strategy's scope."""
    for metric in model.single_metrics():
        if isinstance(metric, Metric) and metric._replicas.size == 1:
            metric._join_replicas(metric.variables, group)


def logs_of_replicas(
    group: ReplicaGroup, model: Any, logs: dict[str, Any], flag_name: str, is_own_step: bool
) -> dict[str, Any]:
    """Returns the logs over the rows of all replicas, the same in each.

    Args:
        group: the replicas.
        model: its metrics are read.
        logs: the logs of this replica.
        flag_name: a flag of the model, ``stop_training`` or ``stop_evaluating``: set in all replicas if it is in one.
        is_own_step: whether a user's step gave the logs: results of metrics in it are already joined, and all
            logs are the means of the replicas, as in Keras. Else the logs are the results of the model's metrics.
    """
    join_metrics(group, model)
    own = {name: np.asarray(value, np.float64) for name, value in logs.items()} if is_own_step else {}
    variables = [] if is_own_step else [v for metric in model.metrics for v in metric.variables]
    message = own, bool(getattr(model, flag_name))
    with common_values(group, variables, message, "the logs") as parts:
        if any(is_set for _, is_set in parts):
            setattr(model, flag_name, True)
        if not is_own_step:
            return dict(model.get_metrics_result())
    joined: dict[str, Any] = {}
    for name, value in own.items():
        values = [part[name] for part, _ in parts]
        is_same = all(np.array_equal(value, other) for other in values)
        mean = value if is_same else sum(values) / group.size
        joined[name] = float(mean) if mean.ndim == 0 else mean
    return joined
