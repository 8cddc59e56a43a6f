"""The replicas that train together in the current scope: processes that sum their gradients.

A strategy of `tf.distribute` enters its group for a scope (`fastgrad/distribute/`). Layers, losses and optimizers ask here.
Small messages between the processes of a group go through MPI's `control` communicator, in Python.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np


class ReplicaGroup(NamedTuple):
    """The replicas that train together.

    Attributes:
        rank: the number of this process among them, from 0.
        size: the number of replicas.
        strategy: the strategy that made the group; None without one.
        is_cross_replica: whether the code runs outside of `strategy.run`: its values are those of the whole group.
    """

    rank: int
    size: int
    strategy: Any = None
    is_cross_replica: bool = False

    def __copy__(self) -> ReplicaGroup:
        """Returns the group itself: copies of a model belong to the same group."""
        return self

    def __deepcopy__(self, memo: Any) -> ReplicaGroup:
        """Returns the group itself, with its strategy."""
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickles no group: an unpickled object belongs to the group of its own process."""
        return replica_group, ()


ALONE = ReplicaGroup(0, 1)


class StepRows(NamedTuple):
    """The rows of a batch in a step that all replicas run.

    Attributes:
        rows: the number of rows of this replica; None if the step does not know it.
        total: the number of rows of all replicas; None if the step does not know it.
    """

    rows: int | None = None
    total: int | None = None


class _Scopes(threading.local):
    def __init__(self) -> None:
        self.groups: list[ReplicaGroup] = []
        self.steps: list[StepRows] = []


_scopes = _Scopes()


def replica_group() -> ReplicaGroup:
    """Returns the group of the innermost scope of a strategy in this thread; a group of one replica without a scope."""
    return _scopes.groups[-1] if _scopes.groups else ALONE


@contextlib.contextmanager
def replicas(group: ReplicaGroup) -> Iterator[None]:
    """Makes a group current within a `with` statement."""
    _scopes.groups.append(group)
    try:
        yield
    finally:
        _scopes.groups.pop()


@contextlib.contextmanager
def replica_step(rows: int | None = None, total: int | None = None) -> Iterator[None]:
    """Marks code that each replica runs with its own rows of a batch: a training step, or `strategy.run`.

    Random draws differ between replicas there.

    Args:
        rows, total: as in `StepRows`.
    """
    _scopes.steps.append(StepRows(rows, total))
    try:
        yield
    finally:
        _scopes.steps.pop()


def step_rows() -> StepRows | None:
    """Returns the rows of the innermost step that replicas run in this thread; None outside of such steps."""
    return _scopes.steps[-1] if _scopes.steps else None


def random_stream() -> int:
    """Returns the number of the random stream of this replica: its rank in a step, 0 elsewhere."""
    return replica_group().rank if _scopes.steps else 0


def loss_weight() -> float | None:
    """Returns the weight of this replica's mean loss in the mean loss of all replicas; None for a single replica.

    It is the share of the rows, or the same for all replicas if the step does not know its rows. As in Keras, losses
    that are means are multiplied by it, because optimizers sum the gradients of all replicas.
    """
    group = replica_group()
    if group.size == 1:
        return None
    step = step_rows()
    if step is None or step.rows is None or step.total is None:
        return 1.0 / group.size
    return step.rows / max(step.total, 1)


# ---- messages between replicas: all replicas call these functions in the same order ---------------------------------


def _control() -> Any:
    from fastgrad.kernels.collectives.world import world

    return world().control


def gathered(group: ReplicaGroup, value: Any) -> list[Any]:
    """Returns the values that the replicas give, in the order of ranks; values are pickled."""
    return [value] if group.size == 1 else list(_control().allgather(value))


def from_first_replica(group: ReplicaGroup, value: Any) -> Any:
    """Returns the value that replica 0 gives."""
    return value if group.size == 1 else _control().bcast(value, root=0)


def run_on_first_replica(group: ReplicaGroup, action: Callable[[], Any]) -> Any:
    """Runs `action` in replica 0, such as the writing of a file; it starts when all replicas have come, and they wait.

    Returns:
        The result of `action` in all replicas.

    Raises:
        Exception: `action` raised it, in replica 0; all replicas raise it.
    """
    if group.size == 1:
        return action()
    gathered(group, None)  # so no replica reads a file that is older or newer than the others see
    result: Any = None
    error: Exception | None = None
    if group.rank == 0:
        try:
            result = action()
        except Exception as raised:  # noqa: BLE001 - all replicas raise it below
            error = raised
    result, remote_error = from_first_replica(group, (result, error))
    if error is not None:
        raise error
    if remote_error is not None:
        raise remote_error
    return result


def initial_value_of_first_replica(group: ReplicaGroup, array: np.ndarray, name: str | None) -> np.ndarray:
    """Returns the initial value of a variable in replica 0, which all replicas start with.

    Raises:
        ValueError: the variable has another shape or dtype in replica 0.
    """
    first: np.ndarray = from_first_replica(group, array)
    if first.shape != array.shape or first.dtype != array.dtype:
        raise ValueError(
            f"tf.Variable {name or ''}: the initial value of replica {group.rank} has shape {array.shape} and dtype "
            f"{array.dtype}, that of replica 0 has shape {first.shape} and dtype {first.dtype}. "
            "Create the same variables in the same order on all replicas."
        )
    return first


def sum_over_replicas(values: list[np.ndarray]) -> np.ndarray:
    """Returns the sum of the arrays of all replicas, in their dtype; floats are added in float64."""
    total: np.ndarray = np.sum(np.stack(values), axis=0, dtype=np.float64 if values[0].dtype.kind in "fV" else None)
    return total.astype(values[0].dtype)


def is_summed(variable: Any) -> bool:
    """True if a variable counts the rows of its replica alone, such as that of a metric: the sum is its joint value."""
    return getattr(variable, "aggregation", None) == "sum" and not variable.trainable


def average_on_read(group: ReplicaGroup, variables: Iterable[Any]) -> None:
    """Gives variables that each replica updates by itself the mean of their values in all replicas.

    These are the variables with the aggregation "mean" that are not trained, such as moving means of a replica's own
    batches. They are averaged when they are saved, and before `evaluate` and `predict`.
    """
    if group.size == 1:
        return
    for variable in variables:
        if variable.trainable or getattr(variable, "aggregation", None) != "mean":
            continue
        values = gathered(group, variable.numpy())
        total = sum(np.asarray(value, np.float64) for value in values)
        variable.assign((total / group.size).astype(values[0].dtype))
