"""The frame of a program: its plan as 64-bit words for the driver, and their memory (``kernels/runtime/frame.py`` encodes the words).

A frame serves one run at a time. A program that several threads run at once has several frames.
"""

from __future__ import annotations

import itertools
from functools import partial
from typing import Any

import numpy as np

from fastgrad._src.compiler.graph.graph import Value, size_of
from fastgrad._src.compiler.programs.arena import ALIGNMENT
from fastgrad._src.compiler.programs.buffers import (
    Action,
    InArena,
    InCallerArray,
    InPermanent,
    Place,
    Plan,
    leading_elements_of,
)
from fastgrad._src.compiler.programs.chains import chains_of
from fastgrad._src.jit.build import signature_of
from fastgrad._src.kernels.runtime import driver
from fastgrad._src.kernels.runtime.frame import ArrayPlace, FrameEncoder, address_of
from fastgrad._src.kernels.runtime.launch import Launch


class Frame:
    """The frame of a program: the words that the driver reads, and the memory of one run.

    Args:
        plan: the plan to run.

    Attributes:
        plan: as given.
        words: the frame, an argument of the driver.
        steps: for each action the numbers of its steps, as a range; empty for actions that run in Python.
        inside: the numbers of the steps that are in a chain, except the first step of each chain.
    """

    def __init__(self, plan: Plan) -> None:
        self._memory = np.empty(plan.arena_bytes + ALIGNMENT, np.uint8)
        start = -address_of(self._memory) % ALIGNMENT
        self._arena = self._memory[start : start + plan.arena_bytes]
        self._arena_address = address_of(self._memory) + start
        self.plan = plan
        encoder = FrameEncoder()
        self.steps: list[range] = []
        for action in plan.actions:
            first_step = len(encoder.steps)
            for launch in action.launches.launches if action.launches is not None else ():
                encoder.add_step(launch, partial(self._array_place, action), *share_count_and_grain(launch))
            self.steps.append(range(first_step, len(encoder.steps)))
        self.inside: set[int] = set()
        self._join_chains(plan, encoder.steps)
        self._inner_frames: list[Frame] = encoder.inner_frames
        values = [*[value for _, value in plan.arguments], *plan.results]
        self.words = encoder.words([(value.dtype, value.shape) for value in values])

    def _join_chains(self, plan: Plan, table: list[list[int]]) -> None:
        """Makes chains of steps that need no barrier in between; a chain with too little work stays separate steps."""
        start = 0
        for native, actions in itertools.groupby(plan.actions, lambda action: action.launches is not None):
            steps = [(a, launch) for a in actions if a.launches is not None for launch in a.launches.launches]
            for chain_start, count, most_shares in chains_of(steps) if native else ():
                times = [nanoseconds_of(launch) for _, launch in steps[chain_start : chain_start + count]]
                shares = _largest_power_of_two(
                    min(max(sum(times) / LEAST_CHAIN_SHARE_NANOSECONDS, 2), ENOUGH_SHARES_PER_STEP, most_shares)
                )
                if sum(times) >= LEAST_THREADED_STEP_NANOSECONDS:
                    first = start + chain_start
                    table[first][3], table[first][5] = shares, count
                    self.inside.update(range(first + 1, first + count))
                    for number in range(first, first + count):
                        if steps[number - start][1].waits:
                            table[number][3:] = 1, 0, 1
            start += len(steps)

    def array(self, place: Place, value: Value) -> np.ndarray | None:
        """Returns the array of a value in the arena or in permanent memory; None for arrays of the caller."""
        if isinstance(place, InArena):
            size = size_of(value)
            return self._arena[place.offset : place.offset + size].view(value.dtype).reshape(value.shape)
        if isinstance(place, InPermanent):
            return leading_elements_of(place.array, value.shape)
        return None

    def clear_resume_point(self) -> None:
        """Makes the next run start at the first step, if the last run was abandoned during a pause for signals."""
        for frame in self._inner_frames:
            frame.clear_resume_point()
        self.words[driver.RESUME] = 0

    def _array_place(self, action: Action, operand: Any) -> ArrayPlace | None:
        """Returns the place of the array of an action's operand; None if the operand is no array."""
        if isinstance(operand, (int, float)):
            return None
        place, size, dtype = action.array_of(operand)
        if isinstance(place, InArena):
            return ArrayPlace(size, dtype, self._arena_address + place.offset)
        if isinstance(place, InPermanent):
            return ArrayPlace(size, dtype, address_of(place.array))
        assert isinstance(place, InCallerArray), f"{action.node}: an object has no address"
        return ArrayPlace(size, dtype, 0, place.number)


LEAST_THREADED_STEP_NANOSECONDS = 4_000.0
LEAST_SHARE_NANOSECONDS = 2_000.0
"""Nanoseconds: the least of a step that threads share, and of a share. A barrier costs about 400, each share 50."""

ENOUGH_SHARES_PER_STEP, LONGEST_SHARE_NANOSECONDS, MOST_SHARES_PER_STEP = 16, 60_000.0, 256
"""The number of shares that is enough for balance; the nanoseconds above which a share is cut; the most shares."""

LEAST_GROUPS_TO_SHARE = 16
"""From so many groups of units on (`Launch.together`), shares are whole groups: equal shares then differ by a sixteenth at most."""

LEAST_CHAIN_SHARE_NANOSECONDS = 10_000.0
"""Nanoseconds of a share of a chain: each share reads again the matrices that all rows are multiplied with."""

SHARE_ALIGNMENT_UNITS = 64


def share_count_and_grain(launch: Launch) -> tuple[int, int]:
    """Returns the number of shares of a step, and the grain: the number of units that each share is a multiple of.

    Shares are equal except for one such block of units. Their number is a power of two. So two or four threads, each of
    which begins at the first share of its part, have equal parts, and the same rows in every step.
    """
    time = nanoseconds_of(launch)
    if time < LEAST_THREADED_STEP_NANOSECONDS or not signature_of(launch.kernel).takes_shares:
        return 1, launch.units
    groups = launch.units // launch.together
    keeps_together = launch.together > 1 and groups >= LEAST_GROUPS_TO_SHARE
    target_shares = min(
        max(min(time / LEAST_SHARE_NANOSECONDS, ENOUGH_SHARES_PER_STEP), time / LONGEST_SHARE_NANOSECONDS),
        MOST_SHARES_PER_STEP,
        groups if keeps_together else launch.units,
    )
    shares = _largest_power_of_two(target_shares)
    if keeps_together:
        return shares, launch.together
    grain = (
        SHARE_ALIGNMENT_UNITS if launch.units >= SHARE_ALIGNMENT_UNITS * shares else 1
    )  # no cache line is written by two threads
    return shares, grain


def _largest_power_of_two(upper_bound: float) -> int:
    return 1 << (int(upper_bound).bit_length() - 1)


def nanoseconds_of(launch: Launch) -> float:
    """Returns the estimated nanoseconds of a step on one core."""
    return launch.units * launch.unit_cost
