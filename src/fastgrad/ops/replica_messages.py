"""Messages between the replicas of a strategy, in Python. All replicas call these functions in the same order.

Messages are collectives of bytes. So a replica that runs another collective meanwhile gets an error, and no replica waits for ever.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from fastgrad.core.recording import hidden_from_recorders
from fastgrad.core.replicas import ReplicaGroup
from fastgrad.core.tensor import Tensor
from fastgrad.ops.collectives import all_gather, broadcast

_INLINE_BYTES = 1016
"""The size of a message that needs one collective; with its length it fills 1 KiB."""


def gathered(group: ReplicaGroup, value: Any) -> list[Any]:
    """Returns the values that the replicas give, in the order of ranks; values are pickled."""
    if group.size == 1:
        return [value]
    messages, lengths = _inline_messages(group, value)
    most = 1 << (max(lengths) - 1).bit_length()  # few sizes, so few collectives that the ranks compare at first use
    if max(lengths) > _INLINE_BYTES:
        padded = np.zeros(most, np.uint8)
        padded[: len(messages[group.rank])] = np.frombuffer(messages[group.rank], np.uint8)
        parts = _all_gather(padded).reshape(group.size, most)
        messages = [part[:length].tobytes() for part, length in zip(parts, lengths, strict=True)]
    return [pickle.loads(message) for message in messages]  # noqa: S301  # from processes of this job


def from_first_replica(group: ReplicaGroup, value: Any) -> Any:
    """Returns the value that replica 0 gives."""
    if group.size == 1:
        return value
    messages, lengths = _inline_messages(group, value if group.rank == 0 else None)
    message = messages[0]
    if lengths[0] > _INLINE_BYTES:
        data = np.frombuffer(message, np.uint8).copy() if group.rank == 0 else np.empty(lengths[0], np.uint8)
        with hidden_from_recorders():
            message = broadcast(Tensor(data)).numpy().tobytes()
    return pickle.loads(message)  # noqa: S301  # from a process of this job


def _inline_messages(group: ReplicaGroup, value: Any) -> tuple[list[bytes], list[int]]:
    """Returns the pickled values of all replicas and their lengths; a long value is only there for this replica."""
    own = pickle.dumps(value)
    record = np.zeros(8 + _INLINE_BYTES, np.uint8)
    record[:8] = np.frombuffer(np.array([len(own)], np.int64).tobytes(), np.uint8)
    record[8 : 8 + len(own)] = np.frombuffer(own[:_INLINE_BYTES], np.uint8)
    records = _all_gather(record).reshape(group.size, -1)
    lengths = [int(number) for number in np.ascontiguousarray(records[:, :8]).view(np.int64)[:, 0]]
    messages = [row[8 : 8 + length].tobytes() for row, length in zip(records, lengths, strict=True)]
    messages[group.rank] = own
    return messages, lengths


def _all_gather(data: np.ndarray) -> np.ndarray:
    with hidden_from_recorders():
        joined: np.ndarray = all_gather(Tensor(data)).numpy()
    return joined


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


def sum_over_replicas(values: list[np.ndarray]) -> np.ndarray:
    """Returns the sum of the arrays of all replicas, in their dtype; floats are added in float64."""
    wide = np.float64 if values[0].dtype.kind in "fV" else None
    return np.asarray(np.sum(np.stack(values), axis=0, dtype=wide)).astype(values[0].dtype)


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
        mean = np.asarray(np.sum(np.stack(values), axis=0, dtype=np.float64) / group.size)
        variable.assign(mean.astype(values[0].dtype))
