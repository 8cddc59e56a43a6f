"""Functions of generated Python source. Tracebacks, debuggers and `inspect` show their text, which is in ``linecache``."""

from __future__ import annotations

import itertools
import linecache
import weakref
from types import FunctionType
from typing import Any


def name_in_source(name: str) -> str:
    """Returns the name of a function as an identifier: a ``lambda`` has none."""
    return name if name.isidentifier() else "unnamed"


def function_from_source(name: str, source: str, filename: str, scope: dict[str, Any]) -> FunctionType:
    """Returns the function ``name`` that a source text defines.

    Args:
        name: of a function in the text.
        source: the text of a module.
        filename: the name of the text, unique among those alive.
        scope: the globals of the text.
    """
    linecache.cache[filename] = len(source), None, source.splitlines(keepends=True), filename
    exec(compile(source, filename, "exec"), scope)  # noqa: S102 - our own text
    function: FunctionType = scope[name]
    return function


def temporary_function_from_source(name: str, source: str, filename: str, scope: dict[str, Any]) -> FunctionType:
    """Returns the function ``name`` that a source text defines; the text is dropped when the function is deleted.

    The function is removed from ``scope``: a function in its own globals would be a cycle. Arguments as for
    ``function_from_source``.
    """
    function = function_from_source(name, source, filename, scope)
    del scope[name]
    weakref.finalize(function, linecache.cache.pop, filename, None)
    return function


Line = tuple[str, int]
"""A file and the number of a line."""
_LINES: dict[str, dict[int, Line]] = {}
_numbers = itertools.count()


def generated_function(
    name: str, source: str, what: str, scope: dict[str, Any], lines: dict[int, Line] | None = None
) -> FunctionType:
    """Returns the function ``name`` of a text, which tracebacks call ``what``; ``lines`` are those that lines of the text come from."""
    filename = f"<{what} {next(_numbers)}: {name}>"
    if lines:
        _LINES[filename] = lines
    return function_from_source(name, source, filename, {"__name__": __name__, **scope})


def original_user_line(file: str, number: int) -> Line:
    """Returns the line of the user's file that a line of a text, or of a text that is derived from a text, comes from."""
    while file in _LINES:
        lines = _LINES[file]
        nearest = max((line for line in lines if line <= number), default=min(lines))
        file, number = lines[nearest]
    return file, number
