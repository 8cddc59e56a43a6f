"""Short tracebacks of uncaught errors: frames of this package are not printed, and stay in the traceback for debuggers."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

from fastgrad._src.jit.user_lines import runs_package_code

_LIBRARIES = ("numpy", "numba", "llvmlite", "scipy")
_STANDARD_LIBRARY = os.path.dirname(os.__file__) + os.sep
_is_enabled = [True]


def enable_traceback_filtering() -> None:
    """Prints tracebacks of uncaught errors without the inner frames of fastgrad, the default.

    Frames of the user's code stay, and of each call of fastgrad its first frame. The exception itself keeps its whole
    traceback, so debuggers, ``logging`` and the module ``traceback`` show all frames.
    """
    _is_enabled[0] = True


def disable_traceback_filtering() -> None:
    """Prints tracebacks of uncaught errors with all frames."""
    _is_enabled[0] = False


def _is_library_frame(frame: Any) -> bool:
    """True if a frame that fastgrad calls is no code of the user: of NumPy, Numba, SciPy or Python's own library."""
    name, path = frame.f_globals.get("__name__") or "", frame.f_code.co_filename
    if name.partition(".")[0] in _LIBRARIES or path.startswith("<frozen "):
        return True
    return path.startswith(_STANDARD_LIBRARY) and "-packages" not in path


def _shortened(traceback: TracebackType | None) -> TracebackType | None:
    """Returns a copy of a traceback with the user's frames and the first frame of each call of this package."""
    kept, is_inside = [], False
    while traceback is not None:
        frame = traceback.tb_frame
        was_inside, is_inside = is_inside, runs_package_code(frame) or (is_inside and _is_library_frame(frame))
        if not (was_inside and is_inside):
            kept.append(traceback)
        traceback = traceback.tb_next
    short = None
    for entry in reversed(kept):
        short = TracebackType(short, entry.tb_frame, entry.tb_lasti, entry.tb_lineno)
    return short


@contextmanager
def short_tracebacks(error: BaseException | None) -> Iterator[None]:
    """Gives an error, its causes and contexts short tracebacks within the scope, and then their own ones again."""
    tracebacks: dict[int, tuple[BaseException, TracebackType | None]] = {}  # by id: errors need no hash
    pending: list[BaseException | None] = [error] if _is_enabled[0] and isinstance(error, Exception) else []
    while pending:
        link = pending.pop()
        if link is not None and id(link) not in tracebacks:
            tracebacks[id(link)] = link, link.__traceback__
            pending += [link.__cause__, link.__context__]
    try:
        for link, traceback in tracebacks.values():
            link.__traceback__ = _shortened(traceback)
        yield
    finally:
        for link, traceback in tracebacks.values():
            link.__traceback__ = traceback


def install_hooks() -> None:
    """Prints short tracebacks of errors that a program, a thread or IPython does not catch; earlier hooks are called as before."""
    previous, previous_of_threads = sys.excepthook, threading.excepthook

    def show_short_traceback(kind: type[BaseException], error: Any, traceback: TracebackType | None) -> None:
        with short_tracebacks(error):
            previous(kind, error, error.__traceback__ if error is not None else traceback)

    def show_short_traceback_of_thread(arguments: Any) -> None:
        error = arguments.exc_value
        with short_tracebacks(error):
            values = (arguments.exc_type, error, error and error.__traceback__, arguments.thread)
            previous_of_threads(threading.ExceptHookArgs(values))

    show_short_traceback.__wrapped__ = previous  # type: ignore[attr-defined]
    sys.excepthook, threading.excepthook = show_short_traceback, show_short_traceback_of_thread
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if shell is not None and not shell.custom_exceptions:
        shell.set_custom_exc((Exception,), _show_in_ipython)


def _show_in_ipython(
    shell: Any, kind: type[BaseException], error: BaseException, traceback: Any, tb_offset: Any
) -> None:
    with short_tracebacks(error):
        shell.showtraceback((kind, error, error.__traceback__), tb_offset=tb_offset)
    sys.last_traceback = shell.InteractiveTB.tb = traceback  # what `%debug` looks at
