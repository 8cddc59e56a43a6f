"""The lock of recordings and replays: one thread at a time."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from fastgrad.core.variable import writing
from fastgrad.kernels.codegen.locks import new_rlock, release_if_held

gate = [0]
"""Not 0 while a thread records, or while functions run eagerly: then no call may take the fast path."""

eagerly = [False]
"""Whether functions run eagerly."""

_PATIENCE = 10.0
"""Seconds to wait for another thread's recording, which may itself be waiting for this thread."""


NOT_MINE = object()
"""The result of ``recorded`` and ``replayed`` if the lock is not free in time: another thread's recording takes too long."""


class _Turns:
    """The lock of recordings and replays."""

    def __init__(self) -> None:
        self.lock = new_rlock()


turns = _Turns()


def _reset_gate() -> None:
    """Resets the gate in a forked child, which has no other thread that records."""
    gate[0] = int(eagerly[0])


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_gate)


def recorded(work: Callable[[], Any]) -> Any:
    """Returns ``work()``, run as a recording under the lock; or ``NOT_MINE``."""

    def record() -> Any:
        gate[0] += 1
        try:
            with writing.lock:
                pass  # waits for the end of running replays
            return work()
        finally:
            gate[0] -= 1

    return _locked(record)


def replayed(work: Callable[[], Any]) -> Any:
    """Returns ``work()``, run as a replay under the lock; or ``NOT_MINE``."""

    def replay() -> Any:
        with writing.lock:
            return work()

    return _locked(replay)


# Not a context manager: Ctrl-C may come before the first line of an `__exit__` that is written in Python.
def _locked(work: Callable[[], Any]) -> Any:
    acquired = None
    try:
        acquired = turns.lock.acquire(timeout=_PATIENCE)
        return work() if acquired else NOT_MINE
    finally:
        if acquired:
            turns.lock.release()
        elif acquired is None:
            release_if_held(turns.lock)
