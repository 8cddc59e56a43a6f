"""The cost of a program. It decides which driver runs it, and whether it can be a step of another program."""

from __future__ import annotations

from typing import NamedTuple

from fastgrad._src.compiler.programs.buffers import Plan
from fastgrad._src.compiler.programs.frame import nanoseconds_of, share_count_and_grain

MOST_NANOSECONDS_WITH_GIL = 50_000.0
"""Nanoseconds up to which a program keeps the GIL: releasing and acquiring it can take as long."""

MOST_NANOSECONDS_ON_ONE_THREAD = 40_000.0
"""Nanoseconds of shareable work from which on a program uses the thread pool."""


class NativeWork(NamedTuple):
    """The work of a program's kernels: the number of steps, and the estimated time.

    Attributes:
        steps: the number of steps.
        nanoseconds: about, on one core.
        shared: about how many of these nanoseconds belong to steps that threads share.
    """

    steps: int
    nanoseconds: float
    shared: float

    @property
    def is_for_threads(self) -> bool:
        """True if the program uses the thread pool."""
        return self.shared > MOST_NANOSECONDS_ON_ONE_THREAD

    @property
    def releases_gil(self) -> bool:
        """True if the program runs without the GIL, so that other threads may read variables meanwhile."""
        return self.nanoseconds > MOST_NANOSECONDS_WITH_GIL or self.is_for_threads


def native_work_of(plan: Plan) -> NativeWork:
    """Returns the native work of a program, summed over all of its traces."""
    launches = [launch for action in plan.actions if action.launches for launch in action.launches.launches]
    times = [nanoseconds_of(launch) for launch in launches]
    shared = [time for launch, time in zip(launches, times, strict=True) if share_count_and_grain(launch)[0] > 1]
    return NativeWork(len(launches), sum(times), sum(shared))
