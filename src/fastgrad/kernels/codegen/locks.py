"""Locks that are free in a forked child, which has none of the threads that would release them."""

from __future__ import annotations

import os
import threading
import weakref
from typing import Any

_PATIENCE = 10.0
"""Seconds that a fork waits for a held lock; the lock's holder may itself wait for the thread that forks."""

_locks: weakref.WeakSet[Any] = weakref.WeakSet()
_held_at_fork: list[Any] = []
_acquired: list[Any] = []


def new_lock() -> Any:
    """Returns a ``threading.Lock`` that is free in a forked child."""
    return _renewed(threading.Lock())


def new_rlock() -> Any:
    """Returns a ``threading.RLock`` that is free in a forked child."""
    return _renewed(threading.RLock())


def new_rlock_held_at_fork() -> Any:
    """Returns a ``new_rlock`` for which a fork waits, so that the guarded state is consistent in the child."""
    lock = new_rlock()
    _held_at_fork.append(lock)
    return lock


def give_back(lock: Any) -> None:
    """Releases an RLock if this thread holds it: a signal may come between `lock.acquire()` and storing its result.

    A caller that has recorded its lock releases the lock itself. A signal may also come while the thread waits: then
    another thread holds the lock.
    """
    if lock._is_owned():
        lock.release()


def _renewed(lock: Any) -> Any:
    _locks.add(lock)
    return lock


def _before_fork() -> None:
    _acquired[:] = [lock for lock in _held_at_fork if lock.acquire(timeout=_PATIENCE)]


def _after_fork_in_parent() -> None:
    while _acquired:
        _acquired.pop().release()


def _after_fork_in_child() -> None:
    _acquired.clear()
    for lock in list(_locks):
        lock._at_fork_reinit()  # as Python's own modules do


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
