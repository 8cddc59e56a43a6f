"""Writers that are killed; what they leave is read by a process that goes on. Run by ``test_kills.py``."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from typing import Any

from tests.reliability.faults.victims import killed_at_call
from tests.reliability.faults.writers import KINDS


def calls_of(write: Any) -> int:
    """The number of calls of C functions and returns from them in ``write()``."""
    count = [0]

    def profile(frame: Any, event: str, argument: Any) -> None:
        count[0] += event in ("c_call", "c_return")

    sys.setprofile(profile)
    try:
        write()
    finally:
        sys.setprofile(None)
    return count[0]


def killed_after(write: Any, seconds: float) -> bool:
    """Runs ``write()`` in a forked child that is killed after some time; False if it was through."""
    child = os.fork()
    if not child:
        try:
            write()
        finally:
            os._exit(0)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def kill(kind: str, folder: str, moments: int) -> int:
    """Kills writers at so many random times and so many random calls, and returns how many of them were killed before their end."""
    writer = KINDS[kind](folder)
    numbers = random.Random(kind)
    writer.write(0)
    assert writer.number() == 0
    began = time.perf_counter()
    writer.write(1)
    seconds = time.perf_counter() - began
    calls = calls_of(lambda: writer.write(2))
    there, killed = writer.number(), 0
    assert there == 2
    for moment in range(2 * moments):
        later = there + 1
        if moment % 2:
            dead = killed_after(lambda later=later: writer.write(later), numbers.uniform(0, seconds))
        else:
            dead = killed_at_call(lambda later=later: writer.write(later), numbers.randrange(calls) + 1)
        killed += dead
        number = writer.number()
        assert number in (there, later), (moment, there, number)
        assert dead or number == later, (moment, there, number)
        there = number
    writer.write(there + 1)
    assert writer.number() == there + 1
    return killed
