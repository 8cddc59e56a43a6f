"""Exchange of Python objects between processes, as pickled bytes."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np

from fastgrad.core.recording import hidden_from_recorders
from fastgrad.core.tensor import Tensor
from fastgrad.distribute.gathering import gathered_from_world, row_counts
from fastgrad.kernels.collectives.world import world
from fastgrad.ops.collectives import broadcast


def broadcast_object(obj: Any = None, root_rank: int = 0, name: str | None = None) -> Any:
    """Returns the object of the process ``root_rank``, in all processes.

    Args:
        obj: what pickle can store; other processes may give anything.
        root_rank: the rank of the process whose object is sent.
        name: kept for Horovod's signature.
    """
    group = world()
    if group.size == 1:
        return obj
    with hidden_from_recorders():
        is_root = group.rank == root_rank
        text = np.frombuffer(pickle.dumps(obj), np.uint8) if is_root else np.empty(0, np.uint8)
        size = int(broadcast(np.array([len(text)], np.int64), root_rank).numpy()[0])
        sent = broadcast(Tensor(text.copy() if is_root else np.empty(size, np.uint8)), root_rank)
        return pickle.loads(sent.numpy().tobytes())  # noqa: S301  # from a process of this job


def allgather_object(obj: Any, name: str | None = None) -> list[Any]:
    """Returns the objects of all processes, in the order of ranks.

    Args:
        obj: what pickle can store.
        name: kept for Horovod's signature.
    """
    if world().size == 1:
        return [obj]
    with hidden_from_recorders():
        text = np.frombuffer(pickle.dumps(obj), np.uint8).copy()
        counts = row_counts(len(text))
        joined, starts = gathered_from_world(Tensor(text)).numpy().tobytes(), np.cumsum([0, *counts]).tolist()
        parts = [joined[start : start + count] for start, count in zip(starts, counts, strict=False)]
        return [pickle.loads(part) for part in parts]  # noqa: S301  # from processes of this job
