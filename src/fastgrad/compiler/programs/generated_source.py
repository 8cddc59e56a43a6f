"""Generated Python source: compiled under a file name of its own, so that tracebacks and tools show its text."""

from __future__ import annotations

import linecache
import weakref
from typing import Any


def executed(source: str, filename: str, scope: dict[str, Any], name: str) -> Any:
    """Runs generated source in ``scope``; returns the function ``name`` that it defines, and removes it from ``scope``.

    A function in its own globals would be a cycle, and keep its text after its last use. ``linecache`` has the text as long
    as the function lives.

    Args:
        source: the text of a module.
        filename: of the text, unique among those alive.
        scope: the globals of the text.
        name: of a function in the text.
    """
    linecache.cache[filename] = len(source), None, source.splitlines(keepends=True), filename
    exec(compile(source, filename, "exec"), scope)  # noqa: S102 - our own text
    function = scope.pop(name)
    weakref.finalize(function, linecache.cache.pop, filename, None)
    return function
