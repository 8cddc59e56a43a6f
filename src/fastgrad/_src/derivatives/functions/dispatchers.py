"""Numba's dispatchers of users' functions, compiled for steps of programs."""

from __future__ import annotations

import importlib
from types import FunctionType
from typing import Any

from fastgrad._src.jit.jit_switch import jit_is_disabled
from fastgrad._src.jit.uninterrupted import run_uninterrupted

_DROPPED_NUMBA_OPTIONS = frozenset(["nopython", "forceobj", "looplift", "cache", "parallel"])
# ``prange`` loops run serially: a thread of a step starts no further threads.


def imported_numba() -> Any:
    """Returns Numba, which is imported when the first function of a user needs it."""
    try:
        return run_uninterrupted(importlib.import_module, "numba")
    except ImportError as error:
        raise ImportError("functions of users are compiled by Numba; install numba.") from error


def renewed_dispatcher(function: Any, copy: FunctionType, **options: Any) -> Any:
    """Returns ``copy`` compiled by Numba, with the options of ``function``, if Numba compiled that, and ``options``."""
    target_options = getattr(function, "targetoptions", None) or {}
    options = {key: value for key, value in target_options.items() if key not in _DROPPED_NUMBA_OPTIONS} | options
    if not jit_is_disabled():
        return imported_numba().njit(**options)(copy)
    from numba.core.registry import CPUDispatcher  # njit returns it where the JIT is not disabled

    return CPUDispatcher(copy, targetoptions={"nopython": True, **options})
