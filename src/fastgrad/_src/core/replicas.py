"""The replicas that train together in the current scope: processes that sum their gradients.

A strategy of `tf.distribute` enters its group for a scope (`distribute/strategy.py`). Layers, losses and optimizers query this module.
`ops/replica_messages.py` sends messages between them.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any, NamedTuple


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
        joins_metrics: whether results of metrics are over the rows of all replicas; else over those of this replica.
    """

    rows: int | None = None
    total: int | None = None
    joins_metrics: bool = False


class _Scopes(threading.local):
    def __init__(self) -> None:
        self.groups: list[ReplicaGroup] = []
        self.steps: list[StepRows] = []


_scopes = _Scopes()


def replica_group() -> ReplicaGroup:
    """Returns the group of the innermost scope of a strategy in this thread; a group of one replica without a scope."""
    return _scopes.groups[-1] if _scopes.groups else ALONE


@contextlib.contextmanager
def replica_group_scope(group: ReplicaGroup) -> Iterator[None]:
    """Makes a group current within a `with` statement."""
    _scopes.groups.append(group)
    try:
        yield
    finally:
        _scopes.groups.pop()


@contextlib.contextmanager
def replica_step(rows: int | None = None, total: int | None = None, joins_metrics: bool = False) -> Iterator[None]:
    """Marks code that each replica runs with its own rows of a batch: a training step, or `strategy.run`.

    Random draws differ between replicas there.

    Args:
        rows, total, joins_metrics: as in `StepRows`.
    """
    _scopes.steps.append(StepRows(rows, total, joins_metrics))
    try:
        yield
    finally:
        _scopes.steps.pop()


def current_step_rows() -> StepRows | None:
    """Returns the rows of the innermost step that replicas run in this thread; None outside of such steps."""
    return _scopes.steps[-1] if _scopes.steps else None


def in_replica() -> bool:
    """Returns whether the code runs in the context of one replica: in `strategy.run`, or in a step of `fit`."""
    group = replica_group()
    return group.strategy is not None and not group.is_cross_replica


def group_in_current_context(group: ReplicaGroup) -> ReplicaGroup:
    """Returns `group`, the scope of an object, in the context of the code that runs if both belong to one strategy."""
    current = replica_group()
    return current if current.strategy is group.strategy else group


def random_stream() -> int | None:
    """Returns the number of the random stream of this replica, its rank, in a step or in `strategy.run`; None elsewhere."""
    group = replica_group()
    is_in_step = bool(_scopes.steps) or in_replica()
    return group.rank if is_in_step and group.size > 1 else None


def loss_weight() -> float | None:
    """Returns the weight of this replica's mean loss in the mean loss of all replicas; None for a single replica.

    It is the share of the rows, or the same for all replicas if the step does not know its rows. As in Keras, losses
    that are means are multiplied by it, because optimizers sum the gradients of all replicas.
    """
    group = replica_group()
    if group.size == 1:
        return None
    step = current_step_rows()
    if step is None or step.rows is None or step.total is None:
        return 1.0 / group.size
    return step.rows / max(step.total, 1)
