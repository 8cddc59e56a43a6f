"""How much there is to do in a program, by which its driver is chosen, and whether it can be a step of another one."""

from __future__ import annotations

from typing import NamedTuple

from fastgrad.compiler.programs.buffers import Plan
from fastgrad.compiler.programs.frame import nanoseconds_of, shares_of

HELD = 50_000.0
"""Nanoseconds up to which a program keeps the GIL: giving it up and getting it back can take as long."""

SHARED = 40_000.0
"""Nanoseconds of work that can be shared, from which on a program calls for the team."""


class Work(NamedTuple):
    """What a program does natively.

    Attributes:
        steps: how many.
        nanoseconds: about, on one core.
        shared: about how many of these are of steps that threads share.
    """

    steps: int
    nanoseconds: float
    shared: float


def work_of(plan: Plan) -> Work:
    """What a program does natively, on all of its ways together."""
    launches = [launch for action in plan.actions if action.launches for launch in action.launches.launches]
    times = [nanoseconds_of(launch) for launch in launches]
    shared = [time for launch, time in zip(launches, times, strict=True) if shares_of(launch)[0] > 1]
    return Work(len(launches), sum(times), sum(shared))
