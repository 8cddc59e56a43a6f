"""The user's line at which an event happens, and warnings that point at it."""

from __future__ import annotations

import sys
import warnings
from typing import Any

_PACKAGE = __name__.partition(".")[0]
_LIBRARIES = frozenset({_PACKAGE, "numpy", "contextlib", "functools", "threading"})
_is_library_module: dict[str | None, bool] = {}  # modules by name: whether their frames are skipped


def user_frame(frame: Any = None) -> Any:
    """Returns the innermost frame of the user's code, outside this package and NumPy; None if there is none."""
    frame = frame or sys._getframe(1)
    while frame is not None:
        name = frame.f_globals.get("__name__")
        inside = _is_library_module.get(name)
        if inside is None:
            inside = _is_library_module[name] = (name or "").partition(".")[0] in _LIBRARIES
        if not inside:
            return frame
        frame = frame.f_back
    return None


def runs_package_code(frame: Any) -> bool:
    """True if a frame runs code of this package."""
    name = frame.f_globals.get("__name__") or ""
    return bool(name == _PACKAGE or name.startswith(_PACKAGE + "."))


def user_line() -> tuple[str, int] | None:
    """Returns the file and line of the user's code that is running."""
    frame = user_frame(sys._getframe(1))
    return None if frame is None else (frame.f_code.co_filename, frame.f_lineno)


def line_text(line: tuple[str, int] | None) -> str:
    """Returns a line as ``file:number``."""
    return "an unknown line" if line is None else f"{line[0]}:{line[1]}"


def warn_at(file: str, line: int, message: str, category: type[Warning] = UserWarning) -> None:
    """Warns at a line of the user's code that need not be running, such as one that Numba compiled."""
    warnings.warn_explicit(message, category, file, line)


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warns at the line of the user's code that is running; a thread without any has its first line instead."""
    frame = last = sys._getframe(1)
    frame = user_frame(frame)
    while frame is None and last.f_back is not None:
        last = last.f_back
    frame = frame or last
    registry = frame.f_globals.setdefault("__warningregistry__", {})
    name = frame.f_globals.get("__name__") or "<string>"
    warnings.warn_explicit(message, category, frame.f_code.co_filename, frame.f_lineno, name, registry)
