"""Exchange of Python objects between all processes of a job."""

from __future__ import annotations

from typing import Any

from fastgrad._src.core.replicas import ReplicaGroup
from fastgrad._src.kernels.collectives.world import world
from fastgrad._src.ops.replica_messages import gather_values, value_from_replica


def broadcast_object(obj: Any = None, root_rank: int = 0, name: str | None = None) -> Any:
    """Returns the object of the process ``root_rank``, in all processes.

    Args:
        obj: an object that pickle can store; only that of the process ``root_rank`` is used.
        root_rank: the rank of the process whose object is sent.
        name: kept for Horovod's signature.
    """
    return value_from_replica(ReplicaGroup(world().rank, world().size), root_rank, obj, "broadcast_object")


def allgather_object(obj: Any, name: str | None = None) -> list[Any]:
    """Returns the objects of all processes, in the order of ranks.

    Args:
        obj: an object that pickle can store.
        name: kept for Horovod's signature.
    """
    return gather_values(ReplicaGroup(world().rank, world().size), obj, "allgather_object")
