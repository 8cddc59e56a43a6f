"""Argument checks with errors that name the called function."""

from __future__ import annotations

import operator
import os
from collections.abc import Callable
from typing import Any


def checked_path(name: str, argument: str, path: Any) -> str:
    """Returns ``path`` as a string; TypeError if it is not a path."""
    if not isinstance(path, (str, bytes, os.PathLike)):
        raise TypeError(f"{name}: Argument `{argument}` must be a path, got {path!r}.")
    return os.fsdecode(path)


def checked_callable(name: str, argument: str, function: Any) -> Callable[..., Any]:
    """Returns ``function``; TypeError if it is not callable."""
    if not callable(function):
        raise TypeError(f"{name}: Argument `{argument}` must be callable, got {function!r}.")
    found: Callable[..., Any] = function
    return found


def checked_integer(name: str, argument: str, number: Any) -> int:
    """Returns ``number`` as an int; TypeError if it is not an integer."""
    try:
        return operator.index(number)
    except TypeError:
        raise TypeError(f"{name}: Argument `{argument}` must be an integer, got {number!r}.") from None


def checked_number(name: str, argument: str, number: Any) -> float:
    """Returns ``number`` as a float; TypeError if it is not a number."""
    try:
        if not isinstance(number, (str, bytes)):
            return float(number)
    except (TypeError, ValueError):
        pass
    raise TypeError(f"{name}: Argument `{argument}` must be a number, got {number!r}.")
