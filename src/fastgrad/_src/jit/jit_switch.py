"""`NUMBA_DISABLE_JIT`, Numba's switch for running users' functions as plain Python, read without importing Numba."""

from __future__ import annotations

import functools
import os
import threading

from fastgrad._src.jit.user_lines import warn

DISABLE_JIT_VARIABLE = "NUMBA_DISABLE_JIT"


@functools.cache
def jit_is_disabled() -> bool:
    """True if users' functions run as plain Python: `NUMBA_DISABLE_JIT` is a whole number other than 0, as Numba reads it."""
    value = os.environ.get(DISABLE_JIT_VARIABLE)
    if value is None:
        return False
    try:
        return int(value) != 0
    except ValueError:
        warn(
            f"{DISABLE_JIT_VARIABLE} is {value!r}, which is no whole number; functions are compiled",
            RuntimeWarning,
        )
        return False


compiling_threads: set[threading.Thread] = set()
"""The threads that compile programs while others run. A kernel that is compiled meanwhile waits for them."""
