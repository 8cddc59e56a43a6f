"""Moves threads apart that share one processor while another may be idle, on Linux.

When one thread wakes another, Linux may put both on the same processor. It may leave them there for tens of
milliseconds, or for seconds if the thread is woken again and again. Two threads of the pool then alternate, and a
program takes as long as on one thread. No thread is bound to a processor: it is moved once, and its affinity mask is
restored at once.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence

STATE_FIELD, PROCESSOR_FIELD = 0, 36
"""The positions of two words after the name in `/proc/…/stat`."""

RUNNABLE_STATE = b"R"
MOST_STAT_FILE_BYTES = 1024


class ThreadSpreader:
    """The open `stat` files of some threads of this process, which show their processors.

    Args:
        threads: their thread ids in the system.
    """

    def __init__(self, threads: Sequence[int]) -> None:
        self._threads = tuple(threads)
        self._files: list[int] = []
        self._here = getattr(ctypes.CDLL(None), "sched_getcpu", None) if hasattr(os, "sched_setaffinity") else None
        try:
            for thread in self._threads if self._here else ():
                self._files.append(os.open(f"/proc/self/task/{thread}/stat", os.O_RDONLY | os.O_CLOEXEC))
        except OSError:  # no such file system here
            self.close()

    def close(self) -> None:
        """Closes the files; from then on `separate_threads` does nothing."""
        for file in self._files:
            os.close(file)
        self._files = []

    def separate_threads(self) -> int:
        """Moves runnable threads off processors that the caller or another thread uses; returns how many it moved."""
        moved = 0
        if not self._files:
            return moved
        assert self._here is not None, "files are open where it is there alone"
        taken = {self._here()}
        try:
            for thread, file in zip(self._threads, self._files, strict=True):
                processor = _processor_of_runnable(file)
                if processor in taken:
                    allowed = os.sched_getaffinity(thread)
                    if allowed - taken:
                        os.sched_setaffinity(thread, allowed - taken)  # this moves the thread at once
                        os.sched_setaffinity(thread, allowed)
                        processor = _processor_of_runnable(file)
                        moved += 1
                if processor is not None:
                    taken.add(processor)
        except OSError:  # not allowed to
            self.close()
        return moved


def _processor_of_runnable(file: int) -> int | None:
    """Returns the processor of a runnable thread, None for a thread that sleeps."""
    words = os.pread(file, MOST_STAT_FILE_BYTES, 0).rpartition(b")")[2].split()
    return int(words[PROCESSOR_FIELD]) if words[STATE_FIELD] == RUNNABLE_STATE else None
