"""Threads that stand on one processor while another may be idle are moved apart, on Linux.

A thread that is woken may be put onto the processor of the one that wakes it, and the system may leave it there: for tens of
milliseconds, or for seconds where it is woken again and again. Two threads of a team then take turns, and a program takes as long as
on one. Nothing is bound to a processor: a thread is moved once, and may go wherever it was allowed to before.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence

STATE, PROCESSOR = 0, 36
"""Which words after the name in `/proc/…/stat`."""

RUNNABLE = b"R"
STAT_BYTES = 1024


class Spreading:
    """What it takes to see where some threads of this process stand.

    Args:
        threads: their numbers in the system.
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
        """Nothing is seen or moved any more."""
        for file in self._files:
            os.close(file)
        self._files = []

    def move_apart(self) -> int:
        """Moves each thread that wants to run where the caller or an earlier one is; how many it has moved."""
        moved = 0
        if not self._files:
            return moved
        assert self._here is not None, "files are open where it is there alone"
        taken = {self._here()}
        try:
            for thread, file in zip(self._threads, self._files, strict=True):
                processor = _stands_on(file)
                if processor in taken:
                    allowed = os.sched_getaffinity(thread)
                    if allowed - taken:
                        os.sched_setaffinity(thread, allowed - taken)  # it is there at once
                        os.sched_setaffinity(thread, allowed)
                        processor = _stands_on(file)
                        moved += 1
                if processor is not None:
                    taken.add(processor)
        except OSError:  # not allowed to
            self.close()
        return moved


def _stands_on(file: int) -> int | None:
    """The processor of a thread that runs or wants to; None for one that sleeps."""
    words = os.pread(file, STAT_BYTES, 0).rpartition(b")")[2].split()
    return int(words[PROCESSOR]) if words[STATE] == RUNNABLE else None
