"""The replicas that train together in the current scope: processes that sum their gradients.

A strategy of `tf.distribute` enters its group for a scope (`fastgrad/distribute/`). Layers, losses and optimizers ask here.
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


ALONE = ReplicaGroup(0, 1)


class _Scopes(threading.local):
    def __init__(self) -> None:
        self.groups: list[ReplicaGroup] = []


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
