"""malloc settings of glibc that keep freed memory in the process, for the next arrays.

An eager step allocates and frees the same large arrays repeatedly. glibc returns freed memory at the end of its heap to
the system, which clears each page at the next allocation. That takes three quarters of the time of a step of
element-wise operations on 4 MB arrays.
"""

from __future__ import annotations

import ctypes
import os

MOST_FREE_BYTES_KEPT = 64 << 20
"""The bytes of free memory at the end of the heap that the process keeps."""

LEAST_BYTES_WITH_OWN_PAGES = 32 << 20
"""The size in bytes from which an array gets its own pages, returned to the system when freed; glibc's maximum."""

_TRIM_THRESHOLD_OPTION, _MMAP_THRESHOLD_OPTION = -1, -3  # M_TRIM_THRESHOLD, M_MMAP_THRESHOLD of malloc.h
_MALLOC_ENVIRONMENT_VARIABLES = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES", "LD_PRELOAD")


def keep_freed_memory() -> bool:
    """Sets both thresholds, unless the environment sets them or preloads a library such as another allocator.

    Returns:
        True if the thresholds are set.
    """
    if any(name in os.environ for name in _MALLOC_ENVIRONMENT_VARIABLES) or not _is_glibc():
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(
        mallopt(_MMAP_THRESHOLD_OPTION, LEAST_BYTES_WITH_OWN_PAGES)
        and mallopt(_TRIM_THRESHOLD_OPTION, MOST_FREE_BYTES_KEPT)
    )


def _is_glibc() -> bool:
    try:
        return (os.confstr("CS_GNU_LIBC_VERSION") or "").startswith("glibc")
    except (AttributeError, ValueError):  # Windows lacks the function, other C libraries the name
        return False
