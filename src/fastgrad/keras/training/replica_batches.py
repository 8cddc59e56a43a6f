"""Batches of one replica of a strategy, and the logs of all replicas."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from fastgrad.core import nest
from fastgrad.core.replicas import ReplicaGroup, from_first_replica, gathered, is_summed, sum_over_replicas
from fastgrad.data.dataset import Dataset
from fastgrad.keras.training.batches import Batches
from fastgrad.keras.weight import Weight


def row_range(group: ReplicaGroup, total: int) -> tuple[int, int]:
    """Returns the first row of this replica in a batch of ``total`` rows, and the row after its last."""
    return tuple([-(-total * rank // group.size) for rank in (group.rank, group.rank + 1)])  # type: ignore[return-value]


def row_count(batch: Any) -> int:
    """Returns the number of rows of a batch."""
    first = next(part for part in nest.flatten(batch) if part is not None)
    return int(first.shape[0])


def rows_of_replica(group: ReplicaGroup, batch: Any) -> Any:
    """Returns the rows of this replica in the tensors of a batch of all replicas."""
    first, last = row_range(group, row_count(batch))
    return nest.map_structure(lambda part: None if part is None else part[first:last], batch)


class ReplicaBatches:
    """The batches of this replica, with the number of rows of all replicas.

    Arrays and datasets of whole batches are cut: each replica takes its rows of each batch, in the same order. A dataset that
    is distributed already, a result of ``strategy.experimental_distribute_dataset``, gives batches of this replica.

    Args:
        group: the replicas.
        batches: the data of ``fit``.
        is_distributed: whether the batches are those of this replica.
    """

    def __init__(self, group: ReplicaGroup, batches: Batches, is_distributed: bool = False) -> None:
        self._group, self._batches, self._is_distributed = group, batches, is_distributed
        self._empty: Any = None
        source = batches._source
        if isinstance(source, Dataset) and not is_distributed:
            # Each replica runs the whole pipeline, so its shuffles must draw the same order.
            states = from_first_replica(group, source._node.random_state())
            source._node.restore_random_state(iter(states))

    @property
    def size(self) -> int | None:
        """The number of batches per epoch, None if it is not known yet."""
        return self._batches.size

    @property
    def labels(self) -> Any:
        """All labels if they are one array; else None."""
        return self._batches.labels

    def epoch(self, first: int = 0) -> Iterator[tuple[Any, Any, Any, int]]:
        """Yields inputs, labels, weights, and the number of rows of all replicas.

        Raises:
            ValueError: replicas have different data.
        """
        batches = self._batches.epoch(first)
        if self._batches._is_arrays:
            for batch in batches:
                yield *rows_of_replica(self._group, batch), row_count(batch)
            return
        while True:
            batch = next(batches, None)
            counts = gathered(self._group, None if batch is None else row_count(batch[0]))
            if all(count is None for count in counts):
                return
            if self._is_distributed:
                if batch is None:  # the others have more batches
                    batch = nest.map_structure(
                        lambda part: None if part is None else part[:0], self._batches.example_batch()
                    )
                yield *batch, sum(count or 0 for count in counts)
            elif any(count != counts[0] for count in counts):
                raise ValueError(
                    f"The replicas have different data: the batches of ranks 0 to {self._group.size - 1} have {counts} rows "
                    "(None: no batch). Give the same batches on all ranks; each takes its rows of them. Or distribute "
                    "a dataset by `strategy.experimental_distribute_dataset`."
                )
            else:
                yield *rows_of_replica(self._group, batch), counts[0]

    def example_batch(self) -> tuple[Any, Any, Any]:
        """Returns a batch with the structure of later batches."""
        return self._batches.example_batch()

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
    parts = gathered(group, ([variable.numpy() for variable in variables], own, bool(getattr(model, flag_name))))
    for variable, *values in zip(variables, *[part[0] for part in parts], strict=True):
        variable.assign(_joined_value(variable, values))
    if any(part[2] for part in parts):
        setattr(model, flag_name, True)
    results = model.get_metrics_result()
    if results.keys() == own.keys():
        return dict(results)
    means = {name: sum(part[1][name] for part in parts) / group.size for name in own}
    return {name: float(mean) if mean.ndim == 0 else mean for name, mean in means.items()}
