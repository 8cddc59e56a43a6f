"""Loops over rows as native steps: one kernel runs the program of a trip for each row."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from fastgrad.kernels import looping
from fastgrad.kernels.launch import Constant, Inner, Input, Launch, Launches, Output, Scratch
from fastgrad.trace.frame import Frame, nanoseconds_of
from fastgrad.trace.graph import Value
from fastgrad.trace.places import Plan
from fastgrad.trace.replay_writer import SHARED

BYTES: np.dtype = np.dtype(np.uint8)
WORDS: np.dtype = np.dtype(np.int64)


def launches_of_rows(loop: Any, inputs: Any, outputs: Any) -> Launches | None:
    """The kernel of a loop.

    Args:
        loop: a ``Loop``.
        inputs, outputs: its values in a graph.

    Returns:
        None if it has a condition, if a trip has work that the team should share or that is not native, or if it gives a
        value twice: then Python runs the program of each trip.
    """
    if loop.trips is None:
        return None
    plan = loop.body.program().plan
    if not is_one_call(plan) or cost_of(plan) > SHARED:
        return None
    arrays = _arrays(loop, plan)
    if arrays is None:
        return None
    layout, buffers = arrays
    returned = plan.stretches[0].returned
    carried = [(len(plan.arguments) + returned[j], size_of(outputs[j])) for j in range(loop.carried)]
    operands = (
        Inner(lambda: Frame(plan)),
        steps_of(plan),
        table([Input(i) for i in range(len(inputs))]),
        table([Output(i) for i in range(len(outputs))]),
        table([Scratch(2 + i) for i in range(2 * len(buffers))]),
        Constant(np.array(layout, np.int64).reshape(-1)),
        Constant(np.array([*carried, (0, 0)], np.int64).reshape(-1)),
        loop.carried,
        loop.trips,
        int(loop.reverse),
        Scratch(0),
        Scratch(1),
    )
    memory = [(BYTES, size) for size in buffers for _ in range(2)]
    launch = Launch(looping.run_rows[()], operands, 1, loop.trips * (50.0 + cost_of(plan)))
    return Launches((launch,), ((WORDS, len(layout)), (WORDS, loop.carried + 1), *memory))


def is_one_call(plan: Plan) -> bool:
    """Whether a program is one native call that goes one way and has arrays."""
    return plan.native and len(plan.stretches) == 1 and bool(plan.arguments or plan.results)


def cost_of(plan: Plan) -> float:
    """About how many nanoseconds a program takes on one core."""
    return sum(
        [nanoseconds_of(launch) for action in plan.actions if action.launches for launch in action.launches.launches]
    )


def steps_of(plan: Plan) -> int:
    """The number of steps of a program."""
    return sum([len(action.launches.launches) for action in plan.actions if action.launches])


def table(operands: Sequence[Any]) -> Launch:
    """Words that tell the addresses of arrays."""
    return Launch(looping.addresses[()], (tuple(operands),))


def size_of(value: Value) -> int:
    """Bytes of a value."""
    return prod(value.shape) * value.dtype.itemsize


def _arrays(loop: Any, plan: Plan) -> tuple[list[tuple[int, int, int]], list[int]] | None:
    """A record for each array of a trip, and the sizes of the results that are only carried on."""
    layout: list[tuple[int, int, int]] = []
    ends = loop.carried, loop.carried + loop.rows
    for number, value in plan.arguments:
        kind = looping.CARRIED if number < ends[0] else looping.ROW if number < ends[1] else looping.CAPTURED
        layout.append((kind, number, size_of(value)))
    buffers: list[int] = []
    returned = plan.stretches[0].returned
    for number, value in enumerate(plan.results):
        stacked = [place for place, one in enumerate(returned) if one == number and place >= loop.carried]
        if len(stacked) > 1:
            return None
        if stacked:
            layout.append((looping.STACKED, stacked[0], size_of(value)))
        else:
            layout.append((looping.BUFFER, len(buffers), size_of(value)))
            buffers.append(size_of(value))
    return layout, buffers
