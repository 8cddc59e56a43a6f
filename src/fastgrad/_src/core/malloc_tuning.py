"""malloc settings of glibc that keep freed memory in the process, for the next arrays.

An eager step allocates and frees the same large arrays repeatedly. glibc returns freed memory at the end of its heap to
the system, which clears each page at the next allocation. That takes three quarters of the time of a step of
element-wise operations on 4 MB arrays.

The limit on kept memory adapts to the process: it is raised while steps get many pages from the system. An idle process
returns its free memory.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
import time

MOST_FREE_BYTES_KEPT = 64 << 20
"""The bytes of free memory at the end of the heap that the process keeps at first."""

FRACTION_OF_MEMORY_KEPT = 0.25
"""The limit of that bound, as a fraction of the machine's memory."""

LEAST_BYTES_WITH_OWN_PAGES = 32 << 20
"""The size in bytes from which an array gets its own pages until the bound is raised; glibc's maximum."""

SECONDS_BETWEEN_LOOKS = 0.1
MOST_PAGES_OF_A_STEP = 1024
"""The bound is raised while the average step gets more pages from the system."""

MEMORY_LIMIT = "/sys/fs/cgroup/memory.max"
"""The file with the limit of a container, in bytes."""

SECONDS_OF_REST = 1.0
PROCESSOR_SHARE_OF_REST = 0.02
"""The process rests if it takes less than this share of one processor for ``SECONDS_OF_REST``."""

_TRIM_THRESHOLD_OPTION, _MMAP_THRESHOLD_OPTION, _MMAP_MAX_OPTION = -1, -3, -4  # M_... of malloc.h
_MALLOC_ENVIRONMENT_VARIABLES = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES", "LD_PRELOAD")
_LARGEST_BOUND = (1 << 31) - 1  # mallopt takes an int


class _Heap:
    """The bound on the free memory that the heap keeps.

    Attributes:
        bytes_kept: the bound; 0 if this module does not control malloc.
    """

    def __init__(self) -> None:
        self.bytes_kept = 0
        self._steps = 0
        self._faults = 0
        self._last_look = 0.0
        self._watch: threading.Thread | None = None

    def take_control(self) -> bool:
        """Sets the first thresholds; returns whether malloc took them."""
        mallopt = ctypes.CDLL(None).mallopt
        if mallopt(_MMAP_THRESHOLD_OPTION, LEAST_BYTES_WITH_OWN_PAGES) and mallopt(
            _TRIM_THRESHOLD_OPTION, MOST_FREE_BYTES_KEPT
        ):
            self.bytes_kept = MOST_FREE_BYTES_KEPT
        return self.bytes_kept > 0

    def after_step(self) -> None:
        """Raises the bound if the last steps got many pages from the system."""
        self._steps += 1
        now = time.perf_counter()
        if now - self._last_look < SECONDS_BETWEEN_LOOKS or not self.bytes_kept:
            return
        self._last_look = now
        import resource

        steps, self._steps = self._steps, 0
        faults, before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt, self._faults
        self._faults = faults
        if faults - before < MOST_PAGES_OF_A_STEP * steps:
            return
        was_watched = self._watch is not None and self._watch.is_alive()
        if not was_watched:
            self._watch = threading.Thread(target=_trim_at_rest, name="fastgrad-memory", daemon=True)
            self._watch.start()
        if was_watched or self.bytes_kept == MOST_FREE_BYTES_KEPT:  # else these are the first steps after a rest
            self._raise_bound()

    def _raise_bound(self) -> None:
        limit = min(_LARGEST_BOUND, int(FRACTION_OF_MEMORY_KEPT * _bytes_of_memory()))
        bound = min(4 * self.bytes_kept, limit)
        if bound > self.bytes_kept:
            mallopt = ctypes.CDLL(None).mallopt
            mallopt(_TRIM_THRESHOLD_OPTION, bound)
            mallopt(_MMAP_MAX_OPTION, 0)  # no array has pages of its own
            self.bytes_kept = bound


_heap = _Heap()
after_step = _heap.after_step
"""A tape calls this after each computation of gradients."""


def keep_freed_memory() -> bool:
    """Sets the thresholds, unless the environment sets them or preloads a library such as another allocator.

    Returns:
        True if the thresholds are set.
    """
    if any(name in os.environ for name in _MALLOC_ENVIRONMENT_VARIABLES) or not _is_glibc():
        return False
    return _heap.take_control()


def memory_of_process() -> dict[str, int]:
    """Returns the bytes that the process has ("current"), the most it had ("peak"), and the bound on free bytes ("kept")."""
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            current = int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:  # not Linux
        current = peak
    return {"current": current, "peak": max(current, peak), "kept": _heap.bytes_kept}


def _trim_at_rest() -> None:
    """Waits until the process rests, then returns all free memory to the system."""
    while True:
        before = time.process_time()
        time.sleep(SECONDS_OF_REST)
        if time.process_time() - before < PROCESSOR_SHARE_OF_REST * SECONDS_OF_REST:
            ctypes.CDLL(None).malloc_trim(0)
            return


def _bytes_of_memory() -> int:
    """Returns the memory of the machine, or of the container."""
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    try:
        with open(MEMORY_LIMIT, encoding="ascii") as file:  # pathlib would make the import of fastgrad longer
            return min(machine, int(file.read()))
    except (OSError, ValueError):  # no control groups, or no limit ("max")
        return machine


def _is_glibc() -> bool:
    try:
        return (os.confstr("CS_GNU_LIBC_VERSION") or "").startswith("glibc")
    except (AttributeError, ValueError):  # Windows lacks the function, other C libraries the name
        return False
