"""Resident memory of a process that repeats a workload: `python -m tests.reliability.memory.measure NAME ROUNDS WARM [--collect]`.

It prints JSON: the bytes after WARM rounds and after all, and what the process has then.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import json
import os
import sys
import warnings
from typing import Any

SAMPLES = 20


def resident() -> int:
    """The bytes of this process that are in memory."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def measured(name: str, rounds: int, warm: int, collects: bool) -> dict[str, Any]:
    """What a workload leaves.

    Args:
        name: of a workload.
        rounds: how many.
        warm: how many of them come before the first measurement.
        collects: whether garbage in cycles is collected before each measurement; without it, that is left to Python as in a user's program.
    """
    from tests.reliability.memory.workloads import WORKLOADS

    if not collects:  # a kernel that only some rounds need would bring the compiler after the first measurement
        import fastgrad._src.jit.compile  # noqa: F401
    warnings.simplefilter("ignore")  # that a step is recorded again and again
    work = WORKLOADS[name].rounds()
    samples = []
    parts = [warm, *[(rounds - warm) // SAMPLES] * SAMPLES]
    for count in parts:
        for _ in itertools.islice(work, count):
            pass
        if collects:
            gc.collect()
        samples.append((resident(), sys.getallocatedblocks()))
    return {
        "rounds": sum(parts),
        "warm": samples[0][0],
        "end": samples[-1][0],
        "megabytes": [round(bytes_ / 1e6, 1) for bytes_, _ in samples],
        "blocks": [blocks for _, blocks in samples],
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("rounds", type=int)
    parser.add_argument("warm", type=int)
    parser.add_argument("--collect", action="store_true")
    given = parser.parse_args()
    print(json.dumps(measured(given.name, given.rounds, given.warm, given.collect)))
