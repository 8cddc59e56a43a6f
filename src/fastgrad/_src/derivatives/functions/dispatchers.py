"""Numba's dispatchers of users' functions, compiled for steps of programs."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterator
from types import FunctionType
from typing import Any

from fastgrad._src.jit.uninterrupted import run_uninterrupted

_DROPPED_NUMBA_OPTIONS = frozenset(["nopython", "forceobj", "looplift", "cache", "parallel"])
# ``prange`` loops run serially: a thread of a step starts no further threads.


def import_numba() -> Any:
    """Returns Numba, which is imported when the first function of a user needs it."""
    try:
        return run_uninterrupted(importlib.import_module, "numba")
    except ImportError as error:
        raise ImportError("functions of users are compiled by Numba; install numba.") from error


@contextlib.contextmanager
def numba_with_compiler() -> Iterator[Any]:
    """Gives Numba with its compiler switched on, also under `NUMBA_DISABLE_JIT`: types of results are inferred by it."""
    numba = import_numba()
    disabled, numba.config.DISABLE_JIT = numba.config.DISABLE_JIT, 0
    try:
        yield numba
    finally:
        numba.config.DISABLE_JIT = disabled


def dispatcher_of_copy(function: Any, copy: FunctionType, **options: Any) -> Any:
    """Returns ``copy`` compiled by Numba, with the options of ``function``, if Numba compiled that, and ``options``."""
    target_options = getattr(function, "targetoptions", None) or {}
    options = {key: value for key, value in target_options.items() if key not in _DROPPED_NUMBA_OPTIONS} | options
    with numba_with_compiler() as numba:
        return numba.njit(**options)(copy)
