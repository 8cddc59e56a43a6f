"""Graphs, loops and branches on a GPU: the host runs each trip and reads the values that decide."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastgrad._src.compiler.control_flow.branches import Branches
from fastgrad._src.compiler.control_flow.control_flow_operation import ControlFlowOperation
from fastgrad._src.compiler.control_flow.graph_operation import GraphOperation
from fastgrad._src.compiler.control_flow.loops import Loop
from fastgrad._src.core.placement import move_to_device
from fastgrad._src.cuda.devices.memory import Device


def run_graph(device: Device, operation: GraphOperation, arrays: Sequence[Any]) -> list[Any]:
    """Runs a graph on arrays and returns the results.

    Raises:
        GuardError: a guard has another outcome.
    """
    if operation not in device.graphs:
        device.graphs[operation] = device.compiled_program(operation.graph)
    results: list[Any] = device.graphs[operation](arrays)
    return results


def run_structured(device: Device, operation: ControlFlowOperation, arrays: Sequence[Any]) -> list[Any]:
    """Runs a loop or branches; any other operation runs on the host's arrays."""
    if isinstance(operation, Branches):
        branch = operation.branch_number(move_to_device(arrays[0], None))
        return run_graph(device, operation.branches[branch], arrays[1:])
    if isinstance(operation, Loop):
        return _run_loop(device, operation, arrays)
    return [move_to_device(y, device) for y in operation.run(*[move_to_device(x, None) for x in arrays])]


def _run_loop(device: Device, loop: Loop, arrays: Sequence[Any]) -> list[Any]:
    carried, rows, captured, trip_limit = loop.split_inputs(arrays)
    trip_limit = None if trip_limit is None else move_to_device(trip_limit, None)
    stacks = [device.put(stack) for stack in loop.zero_filled_stacks()]
    total = loop.iteration_count_of_rows(trip_limit)
    trips_done = 0
    while _has_next_trip(device, loop, trips_done, carried, captured, trip_limit):
        row = loop.row_number(trips_done, total)
        results = run_graph(device, loop.body, [*carried, *[x[row] for x in rows], *captured])
        carried = results[: loop.carried]
        for stack, y in zip(stacks, results[loop.carried :], strict=True):
            stack[row].write(y)
        trips_done += 1
    return [*carried, *stacks, *([device.put(np.array(trips_done, np.int64))] if loop.counts else [])]


def _has_next_trip(
    device: Device, loop: Loop, trips_done: int, carried: Sequence[Any], captured: Sequence[Any], trip_limit: Any
) -> bool:
    """True if the loop has a further trip, as ``Loop.has_next_iteration``."""
    if loop.condition is None:
        return trips_done < loop.iteration_count_of_rows(trip_limit)
    if trip_limit is not None and trips_done >= int(trip_limit):
        return False
    (outcome,) = run_graph(device, loop.condition, [*carried, *captured])
    if not move_to_device(outcome, None).reshape(()):
        return False
    if loop.most is not None and trips_done >= loop.most:
        raise loop.double_capacity()
    return True
