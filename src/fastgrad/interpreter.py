"""What fastgrad asks of the Python that runs it."""

from __future__ import annotations

import platform
import sys


def refuse_free_threading() -> None:
    """Refuses a Python without the global interpreter lock.

    Kernels read NumPy's objects, and programs, tapes and variables change, where only that lock keeps other threads out. Free-threaded
    builds are also refused when they run with the lock (``PYTHON_GIL=1``): the layout of their objects has not been tried.

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
