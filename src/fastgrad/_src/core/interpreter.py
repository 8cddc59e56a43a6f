"""Checks of the Python interpreter."""

from __future__ import annotations

import platform
import sys


def refuse_free_threading() -> None:
    """Raises ImportError on a Python without the global interpreter lock.

    Only that lock protects NumPy's objects while kernels read them, and programs, tapes and variables while they change.
    Free-threaded builds with the lock enabled (``PYTHON_GIL=1``) are rejected too: their object layout is untested.

    Raises:
        ImportError: this is a free-threaded build, or runs without the lock.
    """
    if "t" not in getattr(sys, "abiflags", "") and getattr(sys, "_is_gil_enabled", lambda: True)():
        return
    raise ImportError(
        f"fastgrad does not run on free-threaded Python, and this is one ({platform.python_version()}, {sys.executable}): without the global "
        "interpreter lock, threads would see half-written values. Use the build of the same version with the lock, "
        f"python{sys.version_info[0]}.{sys.version_info[1]}."
    )
