"""Loops as native steps: one kernel runs the program of each iteration, and the condition's program before it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastgrad._src.compiler.graph.graph import size_of
from fastgrad._src.compiler.programs.buffers import Plan
from fastgrad._src.compiler.programs.cost import MOST_NANOSECONDS_ON_ONE_THREAD, NativeWork, native_work_of
from fastgrad._src.compiler.programs.frame import Frame, nanoseconds_of
from fastgrad._src.kernels.runtime import copies_and_jumps, loops
from fastgrad._src.kernels.runtime.driver import NANOSECONDS_SINCE_PAUSE_ADDRESS
from fastgrad._src.kernels.runtime.launch import Constant, InnerFrame, Input, Launch, Launches, Output, Scratch

BYTE_DTYPE: np.dtype = np.dtype(np.uint8)
WORD_DTYPE: np.dtype = np.dtype(np.int64)


def launches_of_loop(loop: Any, inputs: Any, outputs: Any) -> Launches | None:
    """Returns the launches of a loop: a kernel that runs all iterations, and copies of equal results.

    Args:
        loop: a ``Loop``.
        inputs, outputs: its values in a graph.

    Returns:
        None if an iteration has work that the thread pool should share or that is not native: then Python runs the program of
        each iteration.
    """
    plan = loop.body.program().plan
    if not is_short_native_call(plan):
        return None
    test = None if loop.condition is None else loop.condition.program().plan
    if test is not None and not (is_short_native_call(test) and test.results[0].dtype.kind == "b"):
        return None
    if loop.limited and inputs[-1].dtype != WORD_DTYPE:
        return None
    work = native_work_of(plan)
    test_work = NativeWork(0, 0.0, 0.0) if test is None else native_work_of(test)
    layout, buffers = _iteration_descriptors(loop, plan)
    test_layout = [] if test is None else _test_descriptors(loop, test, len(buffers))
    memory = [*buffers, *([8] if test_layout else [])]
    returned = plan.blocks[0].returned
    carried = [(len(plan.arguments) + returned[j], size_of(outputs[j])) for j in range(loop.carried)]
    most_trips = loop.trips if test is None else 1 << 62
    trip_nanoseconds, trips = (50.0, loop.trips) if test is None else (100.0, ASSUMED_WHILE_LOOP_ITERATIONS)
    operands = (
        InnerFrame(lambda: Frame(plan)),
        work.steps,
        0 if test is None else InnerFrame(lambda: Frame(test)),
        test_work.steps,
        address_table([Input(i) for i in range(len(inputs))]),
        address_table([Output(i) for i in range(len(outputs))]),
        address_table([Scratch(2 + i) for i in range(2 * len(memory))]),
        _flat_int64_operand(layout),
        _flat_int64_operand([*test_layout, (0, 0, 0)]),
        _flat_int64_operand([*carried, (0, 0)]),
        loop.carried,
        Input(len(inputs) - 1) if loop.limited or loop.counted else Constant(np.array([most_trips], np.int64)),
        int(loop.reverse),
        1 << 62 if test is None or loop.most is None else loop.most,
        len(buffers),
        loop.gives if loop.counts else -1,
        NANOSECONDS_SINCE_PAUSE_ADDRESS,
        int(trip_nanoseconds + cost_without_loops(plan) + (0.0 if test is None else cost_without_loops(test))),
        Scratch(0),
        Scratch(1),
    )
    cost = trips * (trip_nanoseconds + work.nanoseconds + test_work.nanoseconds)
    return Launches(
        (Launch(loops.run_loop[()], operands, 1, cost), *_result_copies(loop, plan, outputs)),
        (
            (WORD_DTYPE, max(len(layout), len(test_layout))),
            (WORD_DTYPE, loop.carried + 1),
            *[(BYTE_DTYPE, size) for size in memory for _ in range(2)],
        ),
    )


ArrayDescriptors = list[tuple[int, int, int]]

ASSUMED_WHILE_LOOP_ITERATIONS = 8
"""The number of iterations that the time estimate of a loop with a condition assumes."""


def _flat_int64_operand(tuples: Sequence[tuple[int, ...]]) -> Constant:
    return Constant(np.array(tuples, np.int64).reshape(-1))


def is_short_native_call(plan: Plan) -> bool:
    """True if a program is one native call of a single trace, without work that the thread pool should share."""
    is_single_call = plan.native and len(plan.blocks) == 1 and bool(plan.arguments or plan.results)
    return is_single_call and native_work_of(plan).nanoseconds <= MOST_NANOSECONDS_ON_ONE_THREAD


def cost_without_loops(plan: Plan) -> float:
    """Returns the estimated nanoseconds of a program without its loops, whose kernels count their own iterations."""
    launches = [launch for action in plan.actions if action.launches for launch in action.launches.launches]
    inner_loops = [launch for launch in launches if launch.kernel is loops.run_loop[()]]
    return native_work_of(plan).nanoseconds - sum(map(nanoseconds_of, inner_loops))


def address_table(operands: Sequence[Any]) -> Launch:
    """Returns the launch operand that is a table of the addresses of arrays."""
    return Launch(loops.address_table[()], (tuple(operands),))


def _stacked_results(loop: Any, plan: Plan) -> list[list[int]]:
    """Returns for each result of an iteration's program the numbers of the loop's stacked results that take it as a row."""
    stacked = list(enumerate(plan.blocks[0].returned))[loop.carried :]
    return [[position for position, taken in stacked if taken == number] for number in range(len(plan.results))]


def _iteration_descriptors(loop: Any, plan: Plan) -> tuple[ArrayDescriptors, list[int]]:
    """Returns a descriptor of each array of an iteration, and the sizes of the carried results that are not stacked."""
    layout: ArrayDescriptors = [_argument_descriptor(loop, number, size_of(value)) for number, value in plan.arguments]
    buffers: list[int] = []
    for value, stacked in zip(plan.results, _stacked_results(loop, plan), strict=True):
        if stacked:
            layout.append((loops.STACKED, stacked[0], size_of(value)))
        else:
            layout.append((loops.BUFFER, len(buffers), size_of(value)))
            buffers.append(size_of(value))
    return layout, buffers


def _test_descriptors(loop: Any, test: Plan, buffer: int) -> ArrayDescriptors:
    """Returns a descriptor of each array of a condition; its result is in the buffer of the number ``buffer``."""
    arguments = [_argument_descriptor(loop, number, 0) for number, _ in test.arguments]
    return [*arguments, (loops.BUFFER, buffer, 0)]


def _result_copies(loop: Any, plan: Plan, outputs: Any) -> list[Launch]:
    """Returns the launches that copy a stacked result to other results with the same values."""
    copies = []
    for source, *targets in filter(None, _stacked_results(loop, plan)):
        size = size_of(outputs[source])
        copies += [
            Launch(copies_and_jumps.copy_bytes[()], (Output(source), Output(target), size), -(-size // 64))
            for target in targets
        ]
    return copies


def _argument_descriptor(loop: Any, argument_number: int, byte_count: int) -> tuple[int, int, int]:
    if argument_number < loop.carried:
        return loops.CARRIED, argument_number, byte_count
    kind = loops.ROW if argument_number < loop.carried + loop.rows else loops.CAPTURED
    return kind, argument_number, byte_count
