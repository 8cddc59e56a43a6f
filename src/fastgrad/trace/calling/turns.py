"""Whose turn it is: recordings and replays of all threads, one at a time."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from fastgrad.variable import writing

gate = [0]
"""Not 0 while somebody records, or while functions run eagerly: then no entry may take its short way."""

eagerly = [False]
"""Whether functions run eagerly."""

_PATIENCE = 10.0
"""Seconds to wait for another thread's recording, which may itself be waiting for this thread."""


class _Turns:
    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """A forked child has no thread that would release the lock."""
        self.recording = threading.RLock()
        gate[0] = int(eagerly[0])


turns = _Turns()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=turns.renew)


@contextmanager
def recording() -> Iterator[bool]:
    """The turn of a recording; False if it could not be had, because another thread's takes too long."""
    if not turns.recording.acquire(timeout=_PATIENCE):
        yield False
        return
    gate[0] += 1
    try:
        with writing.lock:
            pass  # replays that have begun are over now
        yield True
    finally:
        gate[0] -= 1
        turns.recording.release()


@contextmanager
def replaying() -> Iterator[bool]:
    """The turn of a replay; False if another thread records for too long."""
    if not turns.recording.acquire(timeout=_PATIENCE):
        yield False
        return
    try:
        with writing.lock:
            yield True
    finally:
        turns.recording.release()
