"""Batches of one replica of a strategy, and the logs of all replicas."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from fastgrad.core import nest
from fastgrad.core.replicas import ReplicaGroup
from fastgrad.core.tensor import tensor_of_data
from fastgrad.data.dataset import Dataset
from fastgrad.distribute.distributed_dataset import DistributedDataset
from fastgrad.keras.training.batches import Batches
from fastgrad.keras.weight import Weight
from fastgrad.ops.replica_messages import from_first_replica, gathered, is_summed, sum_over_replicas


def row_range(group: ReplicaGroup, total: int) -> tuple[int, int]:
    """Returns the first row of this replica in a batch of ``total`` rows, and the row after its last, as TensorFlow cuts it.

    All replicas have as many rows as the first, except the last of those that have rows.
    """
    size = -(-total // group.size)
    return min(group.rank * size, total), min((group.rank + 1) * size, total)


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
    """

    def __init__(self, group: ReplicaGroup, batches: Batches) -> None:
        self._group, self._batches = group, batches
        source = batches._source
        self._is_distributed = isinstance(source, DistributedDataset)
        if isinstance(source, Dataset):
            # The row numbers of arrays: shuffles draw the same order in all replicas.
            states = from_first_replica(group, source._node.random_state(), "the order of the data")
            source._node.restore_random_state(iter(states))

    @property
    def size(self) -> int | None:
        """The number of batches per epoch, None if it is not known yet."""
        return self._batches.size

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
            counts = gathered(self._group, None if batch is None else row_count(batch[0]), "the rows of a batch")
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
            nest.map_structure(
                lambda array: None if array is None else tensor_of_data(array[rows]), self._batches.arrays
            )
        )

    def state(self, in_epoch: bool) -> dict[str, np.ndarray]:
        """Returns the position in the data; see ``Batches.state``."""
        return self._batches.state(in_epoch)

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Continues from a result of ``state``."""
        self._batches.restore(state)


def _joined_value(variable: Any, values: list[np.ndarray]) -> np.ndarray:
    aggregation = getattr(variable, "aggregation", "none") if isinstance(variable, Weight) else "none"
    if aggregation == "sum":
        return sum_over_replicas(values)
    if aggregation == "mean":
        total = np.sum(np.stack(values), axis=0, dtype=np.float64) / len(values)
        mean: np.ndarray = total.astype(values[0].dtype)
        return mean
    if aggregation != "only_first_replica" and any(value.tobytes() != values[0].tobytes() for value in values):
        raise ValueError(
            f"The variable {variable.name!r} of a metric differs between replicas, and has aggregation {aggregation!r}. "
            "Make it by `add_variable`, which has the argument `aggregation`: 'sum', 'mean' or 'only_first_replica'."
        )
    return values[0]


def metric_variables(model: Any) -> list[Any]:
    """Returns the variables of all metrics of a model, each once."""
    return list({id(v): v for metric in model.metrics for v in metric.variables}.values())


def keep_sums_on_first_replica(group: ReplicaGroup, model: Any) -> None:
    """Clears the sums in the metrics of all replicas but the first, so that their total stays the same."""
    if group.rank:
        for variable in metric_variables(model):
            if is_summed(variable):
                variable.assign(np.zeros(variable.shape, variable.dtype.numpy))


def logs_of_replicas(group: ReplicaGroup, model: Any, logs: dict[str, Any], flag_name: str) -> dict[str, Any]:
    """Returns the logs over the rows of all replicas, the same in each; the metrics then have these rows, too.

    Args:
        group: the replicas.
        model: its metrics are joined.
        logs: the logs of this replica. As in Keras, the model's metrics replace logs of the same names; other logs are means.
        flag_name: a flag of the model, ``stop_training`` or ``stop_evaluating``: set in all replicas if it is in one.
    """
    variables = metric_variables(model)
    own = {name: np.asarray(value, np.float64) for name, value in logs.items()}
    state = [variable.numpy() for variable in variables], own, bool(getattr(model, flag_name))
    parts = gathered(group, state, "the state of metrics")
    for variable, *values in zip(variables, *[part[0] for part in parts], strict=True):
        variable.assign(_joined_value(variable, values))
    if any(part[2] for part in parts):
        setattr(model, flag_name, True)
    results = model.get_metrics_result()
    if results.keys() == own.keys():
        return dict(results)
    means = {name: sum(part[1][name] for part in parts) / group.size for name in own}
    return {name: float(mean) if mean.ndim == 0 else mean for name, mean in means.items()}
