"""The lock of recordings and replays: one thread at a time."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from fastgrad._src.core.variable import writer_lock
from fastgrad._src.jit.locks import new_rlock, release_if_held

fast_path_block_count = [0]
"""Not 0 while a thread records, or while functions run eagerly: then no call may take the fast path."""

eager_mode = [False]
"""Whether functions run eagerly."""

_LOCK_TIMEOUT_SECONDS = 10.0
"""Seconds to wait for another thread's recording, which may itself be waiting for this thread."""


LOCK_NOT_FREE = object()
"""The result of ``run_under_recording_lock`` and ``run_under_replay_lock`` if the lock is not free in time: another thread's recording takes too long."""


class _RecordingLock:
    """The holder of the lock of recordings and replays."""

    def __init__(self) -> None:
        self.lock = new_rlock()


recording_lock = _RecordingLock()


def _reset_fast_path_block_count() -> None:
    """Resets the gate in a forked child, which has no other thread that records."""
    fast_path_block_count[0] = int(eager_mode[0])


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_fast_path_block_count)


def run_under_recording_lock(work: Callable[[], Any]) -> Any:
    """Returns ``work()``, run as a recording under the lock; ``LOCK_NOT_FREE`` if another thread holds it too long."""

    def run_without_replays() -> Any:
        fast_path_block_count[0] += 1
        try:
            with writer_lock.lock:
                pass  # waits for the end of running replays
            return work()
        finally:
            fast_path_block_count[0] -= 1

    return _run_locked(run_without_replays)


def run_under_replay_lock(work: Callable[[], Any]) -> Any:
    """Returns ``work()``, run as a replay under the lock; ``LOCK_NOT_FREE`` if another thread holds it too long."""

    def run_without_recording() -> Any:
        with writer_lock.lock:
            return work()

    return _run_locked(run_without_recording)


# Not a context manager: Ctrl-C may come before the first line of an `__exit__` that is written in Python.
def _run_locked(work: Callable[[], Any]) -> Any:
    acquired = None
    try:
        acquired = recording_lock.lock.acquire(timeout=_LOCK_TIMEOUT_SECONDS)
        return work() if acquired else LOCK_NOT_FREE
    finally:
        if acquired:
            recording_lock.lock.release()
        elif acquired is None:
            release_if_held(recording_lock.lock)
