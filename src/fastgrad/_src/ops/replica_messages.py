"""Messages between the replicas of a strategy, in Python. All replicas call these functions in the same order.

Messages are collectives of bytes. So a replica that runs another collective meanwhile gets an error, and no replica waits for ever.
"""

from __future__ import annotations

import contextlib
import pickle
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from fastgrad._src.core.errors import UnavailableError
from fastgrad._src.core.placement import move_to_device
from fastgrad._src.core.recording import hide_from_recorders, recorders
from fastgrad._src.core.replicas import ReplicaGroup
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.ops.collectives import all_gather, all_reduce, broadcast

_RECORD_BYTES = 1024
_INLINE_BYTES = _RECORD_BYTES - 72
"""The size of a message that needs one collective; a record also has its length in 8 bytes, and its purpose in 64."""


def gather_values(group: ReplicaGroup, value: Any, purpose: str = "a value") -> list[Any]:
    """Returns the values that the replicas give, in the order of ranks.

    Args:
        group: the replicas.
        value: what pickle can store.
        purpose: what the value is, for errors; it is the same in all replicas.

    Raises:
        UnavailableError: the replicas give values for different purposes, or run another collective.
    """
    if group.size == 1:
        return [value]
    messages, lengths = _inline_messages(group, value, purpose)
    most = 1 << (max(lengths) - 1).bit_length()  # few sizes, so few collectives that the ranks compare at first use
    if max(lengths) > _INLINE_BYTES:
        padded = np.zeros(most, np.uint8)
        padded[: len(messages[group.rank])] = np.frombuffer(messages[group.rank], np.uint8)
        parts = _all_gather(padded).reshape(group.size, most)
        messages = [part[:length].tobytes() for part, length in zip(parts, lengths, strict=True)]
    return [pickle.loads(message) for message in messages]  # noqa: S301  # from processes of this job


def value_from_first_replica(group: ReplicaGroup, value: Any, purpose: str = "a value") -> Any:
    """Returns the value that replica 0 gives; arguments and errors as in `gather_values`."""
    return value_from_replica(group, 0, value, purpose)


def value_from_replica(group: ReplicaGroup, root: int, value: Any, purpose: str) -> Any:
    """Returns the value that the replica ``root`` gives; other arguments and errors as in `gather_values`."""
    if group.size == 1:
        return value
    messages, lengths = _inline_messages(group, value if group.rank == root else None, purpose)
    message = messages[root]
    if lengths[root] > _INLINE_BYTES:
        data = np.frombuffer(message, np.uint8).copy() if group.rank == root else np.empty(lengths[root], np.uint8)
        with hide_from_recorders():
            message = broadcast(Tensor(data), root).numpy().tobytes()
    return pickle.loads(message)  # noqa: S301  # from a process of this job


def _inline_messages(group: ReplicaGroup, value: Any, purpose: str) -> tuple[list[bytes], list[int]]:
    """Returns the pickled values of all replicas and their lengths; a long value is only there for this replica."""
    own = pickle.dumps(value)
    record = np.zeros(_RECORD_BYTES, np.uint8)
    for start, data in ((0, len(own).to_bytes(8, "little")), (8, purpose.encode()[:64]), (72, own[:_INLINE_BYTES])):
        record[start : start + len(data)] = np.frombuffer(data, np.uint8)
    records = [row.tobytes() for row in _all_gather(record).reshape(group.size, -1)]
    purposes = [row[8:72].rstrip(b"\0").decode(errors="replace") for row in records]
    if any(other != purposes[0] for other in purposes):
        texts = ", ".join(f"rank {rank}: {text}" for rank, text in enumerate(purposes))
        raise UnavailableError(
            f"The replicas exchange different things ({texts}). "
            "Call `fit`, `evaluate`, `predict` and methods that save, and read metrics, in all processes, in the same order."
        )
    lengths = [int.from_bytes(row[:8], "little") for row in records]
    messages = [row[72 : 72 + length] for row, length in zip(records, lengths, strict=True)]
    messages[group.rank] = own
    return messages, lengths


def _all_gather(data: np.ndarray) -> np.ndarray:
    with hide_from_recorders():
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
    gather_values(
        group, None, "the writing of a file"
    )  # so no replica reads a file that is older or newer than the others see
    result: Any = None
    error: Exception | None = None
    if group.rank == 0:
        try:
            result = action()
        except Exception as raised:  # noqa: BLE001 - all replicas raise it below
            error = raised
    result, remote_error = value_from_first_replica(group, (result, error), "the result of the writing of a file")
    if error is not None:
        raise error
    if remote_error is not None:
        raise remote_error
    return result


@contextlib.contextmanager
def common_values(
    group: ReplicaGroup, variables: Iterable[Any], message: Any = None, purpose: str = "the values of variables"
) -> Iterator[list[Any]]:
    """Lets reads of variables give the common values of all replicas within a `with` statement; all replicas enter it.

    The values travel together: as a message, or by collectives in a function that is recorded, or under a tape.

    Args:
        group: the replicas.
        variables: those that are not `ON_READ` variables of a strategy keep their values.
        message, purpose: as `value` and `purpose` of `gather_values`; a recording sends no message.

    Yields:
        The messages of all replicas.

    Raises:
        ValueError: a variable without aggregation differs between replicas.
        UnavailableError: as in `gather_values`.
    """
    joined = [v for v in variables if hasattr(v, "_combines_at_read") and v._combines_at_read() and v._common is None]
    try:
        if recorders.active and joined:
            messages = [message]
            for variable, value in zip(joined, _recorded_common_values(group, joined), strict=True):
                variable._common = value
        else:
            parts = gather_values(
                group, ([move_to_device(variable._array, None) for variable in joined], message), purpose
            )
            messages = [part[1] for part in parts]
            for variable, *values in zip(joined, *[part[0] for part in parts], strict=True):
                variable._common = Tensor(_common_value(variable, values))
        yield messages
    finally:
        for variable in joined:
            variable._common = None


def _recorded_common_values(group: ReplicaGroup, variables: Sequence[Any]) -> list[Tensor]:
    values = [variable._read_as_stored() for variable in variables]
    summed = [number for number, variable in enumerate(variables) if variable._rule in ("SUM", "MEAN")]
    for number, total in zip(summed, all_reduce([values[number] for number in summed]), strict=True):
        values[number] = total / group.size if variables[number]._rule == "MEAN" else total
    return [
        broadcast(value) if variable._rule == "ONLY_FIRST_REPLICA" else value
        for variable, value in zip(variables, values, strict=True)
    ]


def _common_value(variable: Any, values: list[np.ndarray]) -> np.ndarray:
    """Returns the common value of the values of all replicas, in their dtype; floats are added in float64."""
    if variable._rule == "NONE" and any(value.tobytes() != values[0].tobytes() for value in values):
        raise ValueError(
            f"The variable {variable.name!r} of a metric differs between replicas, and has aggregation {variable.aggregation!r}. "
            "Make it by `add_variable`, which has the argument `aggregation`: 'sum', 'mean' or 'only_first_replica'."
        )
    if variable._rule not in ("SUM", "MEAN"):
        return values[0]
    wide = np.float64 if values[0].dtype.kind in "fV" else None
    total = np.asarray(np.sum(np.stack(values), axis=0, dtype=wide))
    return np.asarray(total / len(values) if variable._rule == "MEAN" else total).astype(values[0].dtype)


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
        values = gather_values(group, variable.numpy(), f"the mean of {variable.name}")
        mean = np.asarray(np.sum(np.stack(values), axis=0, dtype=np.float64) / group.size)
        variable.assign(mean.astype(values[0].dtype))
