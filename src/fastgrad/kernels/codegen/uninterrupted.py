"""Work that Ctrl-C does not interrupt: an interrupted import of Numba or compilation makes Numba unusable."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any


def run_uninterrupted(function: Callable[..., Any], *arguments: Any) -> Any:
    """Returns `function(*arguments)`; runs it in another thread if this is the main thread.

    Python raises KeyboardInterrupt in the main thread. Ctrl-C then ends only the waiting; the work runs to its end.
    """
    if threading.current_thread() is not threading.main_thread():
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
