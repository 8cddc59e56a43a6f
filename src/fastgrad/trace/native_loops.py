"""Loops over rows as native steps: one kernel runs the program of a trip for each row."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from fastgrad.kernels import looping
from fastgrad.kernels.launch import Constant, Inner, Input, Launch, Launches, Output, Scratch
from fastgrad.trace.frame import SHARED_FROM, Frame, nanoseconds_of
from fastgrad.trace.graph import Value
from fastgrad.trace.places import Plan

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
    cost = sum(
        [nanoseconds_of(launch) for action in plan.actions if action.launches for launch in action.launches.launches]
    )
    if (
        not plan.native
        or len(plan.stretches) != 1
        or cost > SHARED_FROM
        or len(plan.arguments) + len(plan.results) == 0
    ):
        return None
    arrays = _arrays(loop, plan)
    if arrays is None:
        return None
    layout, buffers = arrays
    returned = plan.stretches[0].returned
    carried = [(len(plan.arguments) + returned[j], _size(outputs[j])) for j in range(loop.carried)]
    count = len(layout)

    def table(operands: tuple[Any, ...]) -> Launch:
        return Launch(looping.addresses[()], (operands,))

    steps = sum([len(action.launches.launches) for action in plan.actions if action.launches])
    operands = (
        Inner(lambda: Frame(plan)),
        steps,
        table(tuple([Input(i) for i in range(len(inputs))])),
        table(tuple([Output(i) for i in range(len(outputs))])),
        table(tuple([Scratch(2 + i) for i in range(2 * len(buffers))])),
        Constant(np.array(layout, np.int64).reshape(-1)),
        Constant(np.array([*carried, (0, 0)], np.int64).reshape(-1)),
        loop.carried,
        loop.trips,
        int(loop.reverse),
        Scratch(0),
        Scratch(1),
    )
    memory = [(BYTES, size) for size in buffers for _ in range(2)]
    kernel = looping.run_rows[()]
    return Launches(
        (Launch(kernel, operands, 1, loop.trips * (cost + 50.0)),), ((WORDS, count), (WORDS, loop.carried + 1), *memory)
    )


def _size(value: Value) -> int:
    return prod(value.shape) * value.dtype.itemsize


def _arrays(loop: Any, plan: Plan) -> tuple[list[tuple[int, int, int]], list[int]] | None:
    """A record for each array of a trip, and the sizes of the results that are only carried on."""
    layout: list[tuple[int, int, int]] = []
    ends = loop.carried, loop.carried + loop.rows
    for number, value in plan.arguments:
        kind = looping.CARRIED if number < ends[0] else looping.ROW if number < ends[1] else looping.CAPTURED
        layout.append((kind, number, _size(value)))
    buffers: list[int] = []
    returned = plan.stretches[0].returned
    for number, value in enumerate(plan.results):
        stacked = [place for place, one in enumerate(returned) if one == number and place >= loop.carried]
        if len(stacked) > 1:
            return None
        if stacked:
            layout.append((looping.STACKED, stacked[0], _size(value)))
        else:
            layout.append((looping.BUFFER, len(buffers), _size(value)))
            buffers.append(_size(value))
    return layout, buffers
