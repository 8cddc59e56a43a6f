"""Functions of generated Python source. Tracebacks, debuggers and `inspect` show their text, which is in ``linecache``."""

from __future__ import annotations

import itertools
import linecache
import weakref
from collections.abc import Sequence
from types import FunctionType
from typing import Any


def name_in_source(name: str) -> str:
    """Returns the name of a function as an identifier: a ``lambda`` has none."""
    return name if name.isidentifier() else "unnamed"


def unused_name(name: str, used: Sequence[str]) -> str:
    """Returns a name, with underscores if it is used."""
    while name in used:
        name += "_"
    return name


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


_numbers = itertools.count()


def generated_function(name: str, source: str, what: str, scope: dict[str, Any]) -> FunctionType:
    """Returns the function ``name`` of a text, which tracebacks call ``what``."""
    filename = f"<{what} {next(_numbers)}: {name}>"
    return function_from_source(name, source, filename, {"__name__": __name__, **scope})
