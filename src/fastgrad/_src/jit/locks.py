"""Locks that are free in a forked child, which has none of the threads that would release them."""

from __future__ import annotations

import functools
import importlib._bootstrap
import os
import sys
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any, TypeVar

_Result = TypeVar("_Result")

_FORK_WAIT_SECONDS = 10.0
"""Seconds that a fork waits for a held lock; the lock's holder may itself wait for the thread that forks."""

_LIBRARY_LOCK_PATHS = "numba.core.compiler_lock global_compiler_lock _lock", "llvmlite.binding.ffi lib _lock _lock"
"""The locks of native code for which a fork waits. Threads may compile functions of their own, and freeing a kernel
takes LLVM's lock only."""

_locks_free_in_child: weakref.WeakSet[Any] = weakref.WeakSet()
_held_at_fork: list[Any] = []
_acquired_for_fork: list[Any] = []


def new_lock() -> Any:
    """Returns a ``threading.Lock`` that is free in a forked child."""
    return _new_lock_like(threading.Lock())


def new_rlock() -> Any:
    """Returns a ``threading.RLock`` that is free in a forked child."""
    return _new_lock_like(threading.RLock())


def new_rlock_held_at_fork() -> Any:
    """Returns a ``new_rlock`` for which a fork waits, so that the guarded state is consistent in the child."""
    lock = new_rlock()
    _held_at_fork.append(lock)
    return lock


def cached_once(compute: Callable[[], _Result]) -> Callable[[], _Result]:
    """Returns a function that computes a value once, also if several threads ask for it at the same time."""
    lock, cached = new_rlock(), functools.cache(compute)

    @functools.wraps(compute)
    def value() -> _Result:
        with lock:
            return cached()

    return value


def free_properties_at_fork(owner: type) -> type:
    """Frees the locks of a class's `cached_property` in forked children, and returns the class; Python 3.12 has none."""
    for value in vars(owner).values():
        if isinstance(value, functools.cached_property) and hasattr(value, "lock"):
            _new_lock_like(value.lock)
    return owner


def release_if_held(lock: Any) -> None:
    """Releases an RLock if this thread holds it, for the case that a signal came right after `lock.acquire()`.

    A caller that has recorded its lock releases the lock itself. A signal may also come while the thread waits: then
    another thread holds the lock.
    """
    if lock._is_owned():
        lock.release()


def _new_lock_like(lock: Any) -> Any:
    _locks_free_in_child.add(lock)
    return lock


def _before_fork() -> None:
    libraries = [_new_lock_like(lock) for lock in map(_library_lock, _LIBRARY_LOCK_PATHS) if lock is not None]
    _acquired_for_fork[:] = [lock for lock in (*_held_at_fork, *libraries) if lock.acquire(timeout=_FORK_WAIT_SECONDS)]
    # An import that another thread has begun would never end in the child.
    end = time.monotonic() + _FORK_WAIT_SECONDS
    while _another_thread_imports() and time.monotonic() < end:
        time.sleep(0.001)


def _another_thread_imports() -> bool:
    """True if another thread has the lock of a module, which an import holds from its beginning to its end."""
    locks = [reference() for reference in [*getattr(importlib._bootstrap, "_module_locks", {}).values()]]
    return any(getattr(lock, "owner", None) not in (None, threading.get_ident()) for lock in locks)


def _library_lock(path: str) -> Any:
    """Returns the lock of a library, by module and attributes; None if the library is not imported."""
    module, *names = path.split(" ")
    return functools.reduce(lambda value, name: getattr(value, name, None), names, sys.modules.get(module))


def _after_fork_in_parent() -> None:
    while _acquired_for_fork:
        _acquired_for_fork.pop().release()


def _after_fork_in_child() -> None:
    _acquired_for_fork.clear()
    for lock in list(_locks_free_in_child):
        lock._at_fork_reinit()  # as Python's own modules do


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
