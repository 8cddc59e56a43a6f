"""The user's line at which an event happens."""

from __future__ import annotations

import sys
from typing import Any

_PACKAGE = __name__.partition(".")[0]
_is_package_file: dict[str | None, bool] = {}  # modules by name: whether their frames are skipped


def user_frame(frame: Any = None) -> Any:
    """Returns the innermost frame of the user's code, outside this package and NumPy; None if there is none."""
    frame = frame or sys._getframe(1)
    while frame is not None:
        name = frame.f_globals.get("__name__")
        inside = _is_package_file.get(name)
        if inside is None:
            inside = _is_package_file[name] = runs_package_code(frame) or (name or "").startswith("numpy.")
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
