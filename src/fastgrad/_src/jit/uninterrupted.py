"""Work that Ctrl-C does not interrupt: an interrupted import of Numba or compilation makes Numba unusable."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any


def _holds_compiler_lock() -> bool:
    """True if this thread is inside a compilation by Numba: another thread would wait for it forever."""
    module = sys.modules.get("numba.core.compiler_lock")
    lock = getattr(module, "global_compiler_lock", None)  # None while the module is imported
    return lock is not None and lock.is_locked()


def run_uninterrupted(function: Callable[..., Any], *arguments: Any) -> Any:
    """Returns `function(*arguments)`; runs it in another thread if this is the main thread.

    Python raises KeyboardInterrupt in the main thread. Ctrl-C then ends only the waiting; the work runs to its end.
    A thread that holds Numba's lock of compilations runs the work itself: another one would wait for the lock for ever.
    """
    if threading.current_thread() is not threading.main_thread() or _holds_compiler_lock():
        return function(*arguments)
    results: list[Any] = []
    errors: list[BaseException] = []

    def run_and_keep_result() -> None:
        try:
            results.append(function(*arguments))
        except BaseException as error:  # noqa: BLE001 - raised below
            errors.append(error)

    thread = threading.Thread(target=run_and_keep_result, name="fastgrad-compile")
    try:
        thread.start()
    except RuntimeError:  # the interpreter ends
        return function(*arguments)
    thread.join()
    if errors:
        raise errors.pop()
    return results[0]
