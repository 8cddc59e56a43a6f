"""Tensors that share the memory of variables, and the threads that read and write variables."""

from __future__ import annotations

import itertools
import sys
import threading
import time
from threading import get_ident
from types import FrameType

_LONGEST_WAIT = 0.05
"""The most seconds that a write waits for calls of other threads."""


class MemorySharing:
    """Tracks tensors that share the memory of variables.

    With one thread, a write comes after all computations with tensors that share the memory. If several threads read or write
    variables, a read copies the value, under the lock of writers. Each thread is noted before its first write without the GIL.

    Attributes:
        last: a number that changes each time a tensor starts to share memory.
        numbers: the numbers that `last` takes.
        only_user: the id of the only thread that has read or written variables, else 0.
    """

    last = 0
    numbers = itertools.count(1)

    def __init__(self) -> None:
        self._users: dict[int, threading.Thread] = {}
        self.only_user = 0

    def has_single_thread(self) -> bool:
        """True if no other living thread has read or written a variable; notes this one."""
        thread = get_ident()
        if thread == self.only_user:
            return True
        users = {number: user for number, user in self._users.copy().items() if user.is_alive()}
        users[thread] = threading.current_thread()
        self._users = users
        self.only_user = thread if len(users) == 1 else 0
        return len(users) == 1

    def note_new_share(self) -> None:
        """Counts that one more tensor starts to share a variable's memory."""
        self.last = next(self.numbers)

    def wait_for_other_threads(self) -> None:
        """Waits for the calls of this library that other threads are in, which may read memory that was shared until now.

        Kernels and NumPy read it without the GIL. Later calls of these threads see that the tensors have memory of their own.
        """
        frames = sys._current_frames()
        calls = [
            call for thread in self._users if thread != get_ident() and (call := _library_call(frames.get(thread)))
        ]
        end = time.monotonic() + _LONGEST_WAIT
        while calls and time.monotonic() < end:
            time.sleep(0.0002)  # the other threads get the GIL
            frames = sys._current_frames()
            running = {frame for thread in self._users for frame in _frames_around(frames.get(thread))}
            calls = [call for call in calls if call in running]


def _frames_around(frame: FrameType | None) -> list[FrameType]:
    """Returns a frame and those of its callers, from the inside to the outside."""
    frames = []
    while frame is not None:
        frames.append(frame)
        frame = frame.f_back
    return frames


def _library_call(innermost: FrameType | None) -> FrameType | None:
    """Returns the frame of the innermost call of this library by other code; None outside of such calls."""
    of_library = [
        (frame, frame.f_globals.get("__name__", "").startswith("fastgrad.")) for frame in _frames_around(innermost)
    ]
    inside = itertools.dropwhile(lambda pair: not pair[1], of_library)  # NumPy's functions in Python
    calls = [frame for frame, _ in itertools.takewhile(lambda pair: pair[1], inside)]
    return calls[-1] if calls else None


memory_sharing = MemorySharing()
