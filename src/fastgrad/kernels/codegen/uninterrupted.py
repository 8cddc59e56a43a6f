"""Work that Ctrl-C does not cut in the middle: an import of Numba or a compilation that is cut leaves Numba unusable for the process."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any


def uninterrupted(function: Callable[..., Any], *arguments: Any) -> Any:
    """`function(*arguments)`, in a thread of its own if this is the main thread, where Python raises KeyboardInterrupt.

    Ctrl-C then ends the waiting, and the work goes on to its end.
    """
    if threading.current_thread() is not threading.main_thread():
        return function(*arguments)
    results: list[Any] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(function(*arguments))
        except BaseException as error:  # noqa: BLE001 - raised below
            errors.append(error)

    thread = threading.Thread(target=run, name="fastgrad-compile")
    try:
        thread.start()
    except RuntimeError:  # the interpreter ends
        return function(*arguments)
    thread.join()
    if errors:
        raise errors.pop()
    return results[0]
