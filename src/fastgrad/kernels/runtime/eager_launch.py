"""Launches of an eager operation: they run at once, on the thread pool if there is much work.

The launches are a program of their own. Its frame (see `driver.py`) is kept with them and reused: a call gives it the
arrays, as a compiled function does, and does not build the table of steps again. A frame serves one call at a time; a
call that finds no free frame makes one. The first runs of little work make none: their shapes may not come again.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastgrad.kernels.codegen.bounds import checks_bounds
from fastgrad.kernels.codegen.build import signature_of, step_address
from fastgrad.kernels.runtime import driver
from fastgrad.kernels.runtime.launch import (
    Constant,
    Input,
    Launch,
    Launches,
    Output,
    Scratch,
    array_operands,
    check_itemsize,
    checked_sizes,
    operand_value,
    run_launches,
)
from fastgrad.kernels.runtime.thread_pool import begin_on_free_pool, compute_pool, continue_on_free_pool

LEAST_POOL_NANOSECONDS = 50_000.0
"""Nanoseconds of work from which on the thread pool is used."""

RUNS_BEFORE_FRAME = 8
"""The number of runs that cost as much more without a frame as the frame itself."""


def run_eagerly(launches: Launches, inputs: Sequence[np.ndarray], outputs: Sequence[np.ndarray]) -> bool:
    """Runs launches on the thread pool; returns False if a kernel stopped, so that the outputs are not complete.

    Args:
        launches: the launches to run; the parameters of their kernels are arrays and numbers.
        inputs, outputs: C-contiguous arrays of the shapes and dtypes that `launches` was made for.
    """
    frames = launches.frames
    try:
        frame = frames.pop()
    except IndexError:
        frame = None
    if frame is None or frame.threads != compute_pool.threads:
        may_be_last = launches.runs_without_frame < RUNS_BEFORE_FRAME
        if (may_be_last or not has_plain_operands(launches)) and not is_work_for_pool(launches):
            launches.runs_without_frame += 1
            inputs = _as_plain_arrays(inputs)
            return run_launches(launches, inputs, outputs) is None
        frame = Frame(launches, inputs, outputs)
    if launches.starts_as or launches.packed:
        launches.copy_initial_values(inputs, outputs)
    scratch = [np.empty(size, dtype) for dtype, size in launches.scratch] if launches.scratch else ()
    try:
        answer = frame.run((*inputs, *outputs, *scratch))
    except BaseException:
        launches.unfinished = scratch
        raise
    if answer == driver.STOPPED:
        launches.unfinished = scratch
    if answer >= 0 and answer != driver.STOPPED:
        # An array of a subclass, an unaligned array, or the same elements in another shape.
        inputs = _as_plain_arrays(inputs)
        frame = Frame(launches, inputs, outputs)
        answer = frame.run((*inputs, *outputs, *scratch))
        if answer >= 0 and answer != driver.STOPPED:
            raise TypeError(f"run_at_once: takes C-contiguous results, got strides {[x.strides for x in outputs]}")
    frames.append(frame)
    return answer < 0


def _as_plain_arrays(arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Returns C-contiguous, aligned arrays of NumPy's own class, which kernels take; copies where needed."""
    return [np.require(np.asarray(x), None, ["C", "A"]) for x in arrays]


def is_work_for_pool(launches: Launches) -> bool:
    """True if there is so much work that the thread pool does it."""
    return (
        compute_pool.threads > 1
        and sum([one.units * one.unit_cost for one in launches.launches]) >= LEAST_POOL_NANOSECONDS
    )


def has_plain_operands(launches: Launches) -> bool:
    """True if all operands are arrays and numbers, so that a frame can be made."""
    return all(type(operand) in _ARRAY_OR_NUMBER_TYPES for launch in launches.launches for operand in launch.operands)


_ARRAY_OR_NUMBER_TYPES = (Input, Output, Scratch, Constant, int, float)


class Frame:
    """A program, for the driver, that runs launches on any arrays of the shapes and dtypes that it was made for.

    Args:
        found: the launches.
        inputs, outputs: as in `run_eagerly`; the frame keeps only their shapes and dtypes.

    Attributes:
        threads: the number of threads of the thread pool when the frame was made.
    """

    __slots__ = ("_is_shared", "_memory", "_steps", "_words", "threads")

    def __init__(self, launches: Launches, inputs: Sequence[np.ndarray], outputs: Sequence[np.ndarray]) -> None:
        self.threads = compute_pool.threads
        self._is_shared = is_work_for_pool(launches)
        scratch = [np.empty(size, dtype) for dtype, size in launches.scratch]
        arrays = (*inputs, *outputs, *scratch)
        table, memory = step_table(launches, inputs, outputs, lambda launch: (_share_count(launch), 1), scratch)
        first = {Input: 0, Output: len(inputs), Scratch: len(inputs) + len(outputs)}
        places: list[list[int]] = [[] for _ in arrays]
        for launch, step in zip(launches.launches, table, strict=True):
            for number, operand in enumerate(launch.operands):
                if isinstance(operand, (Input, Output, Scratch)):
                    places[first[type(operand)] + operand.number].append(int(step[1]) + 8 * number)
        wanted, kept = 0, []
        for array, used in reversed([*zip(arrays, places, strict=True)]):
            row = np.array([array.dtype.num, array.ndim, *array.shape, len(used), *used, wanted], np.int64)
            wanted = _data_address(row)
            kept.append(row)
        self._words = np.zeros(driver.HEADER_WORDS, np.int64)
        self._words[driver.STEPS], self._words[driver.OBJECTS] = _data_address(table), wanted
        self._words[driver.OBJECT_COUNT] = len(arrays)
        self._words[driver.ARRAY_TYPE] = driver.ARRAY_TYPE_ADDRESS
        self._steps = len(table)
        # The frame does not keep this call's arrays: each call fills in the addresses.
        self._memory = [table, *kept, *memory[: len(memory) - len(scratch)]]

    def run(self, arrays: tuple[np.ndarray, ...]) -> int:
        """Runs the launches; returns the driver's answer (see `driver.begin`): a negative number if all kernels ran.

        Args:
            arrays: inputs, outputs and scratch memory.
        """
        begin, go_on = (
            (begin_on_free_pool, continue_on_free_pool) if self._is_shared else (driver.begin, driver.continue_program)
        )
        answer: int = begin(arrays, self._words, self._steps)
        while answer == driver.STOPPED and self._words[driver.STATUS] == driver.PAUSED:
            answer = go_on(self._words, int(self._words[driver.STOPPED_AT]), self._steps)
        return answer


def call_eagerly(
    kernel: Any, inputs: Sequence[np.ndarray], out: np.ndarray, *numbers: int, units: int, unit_cost: float
) -> None:
    """Calls a kernel of arrays, a result, numbers and a share, on the thread pool if there is much work.

    Args:
        kernel: a native function.
        inputs, out: its arrays; `out` is C-contiguous.
        numbers: its parameters between the result and `first` and `last`.
        units, unit_cost: as for `Launch`.
    """
    if compute_pool.threads == 1 or units * unit_cost < LEAST_POOL_NANOSECONDS:
        kernel(*inputs, out, *numbers, 0, units)
        return
    shapes = (*[x.shape for x in inputs], out.shape)
    found = _launches_of_call(kernel, shapes, numbers, units, unit_cost)
    run_eagerly(found, [np.ascontiguousarray(x) for x in inputs], (out,))


@functools.lru_cache(maxsize=512)
def _launches_of_call(
    kernel: Any, shapes: tuple[tuple[int, ...], ...], numbers: tuple[int, ...], units: int, unit_cost: float
) -> Launches:
    """Returns the launch of a kernel on arrays of `shapes`, the last one the result's; cached, with its frames."""
    places = [Input(number) for number in range(len(shapes) - 1)]
    return Launches((Launch(kernel, (*places, Output(0), *numbers), units, unit_cost),))


def step_table(
    launches: Launches,
    inputs: Sequence[np.ndarray],
    outputs: Sequence[np.ndarray],
    shares: Callable[[Launch], tuple[int, int]],
    scratch: list[np.ndarray] | None = None,
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Returns the table of steps of launches, and the memory that the table points to: words, numbers, scratch.

    Args:
        launches, inputs, outputs: as in `run_eagerly`.
        shares: returns how many parts a launch is cut into, and the units that no cut divides.
        scratch: the scratch memory; None allocates it.
    """
    scratch = [np.empty(size, dtype) for dtype, size in launches.scratch] if scratch is None else scratch
    numbers: list[np.ndarray] = []
    rows = [_step_words(launch, inputs, outputs, scratch, numbers) for launch in launches.launches]
    table = [
        (step_address(launch.kernel), _data_address(row), launch.units, *shares(launch), 1)
        for launch, row in zip(launches.launches, rows, strict=True)
    ]
    return np.array(table, np.int64), [*rows, *numbers, *scratch]


def _data_address(array: np.ndarray) -> int:
    return int(array.__array_interface__["data"][0])


def _step_words(
    launch: Launch,
    inputs: Sequence[np.ndarray],
    outputs: Sequence[np.ndarray],
    scratch: list[np.ndarray],
    numbers: list[np.ndarray],
) -> np.ndarray:
    found: list[Any] = []
    for operand in launch.operands:
        if not isinstance(operand, _ARRAY_OR_NUMBER_TYPES):
            raise TypeError(
                f"run_at_once: {launch.kernel.__name__} has an operand that is no array or number: {operand!r}"
            )
        found.append(operand_value(operand, inputs, outputs, scratch))
        if isinstance(operand, float):
            found[-1] = np.array(operand)  # a step reads the number from memory
            numbers.append(found[-1])
    for dtype, array in array_operands(launch.kernel, found):
        check_itemsize(launch.kernel, dtype, array.dtype)
    behind = checked_sizes(launch.kernel, found) if checks_bounds() else []
    return np.array([_data_address(one) if type(one) is np.ndarray else one for one in found] + behind, np.int64)


def _share_count(launch: Launch) -> int:
    """Returns how many parts a step is cut into: two for each thread, so that a late thread matters less."""
    return max(1, min(launch.units, 2 * compute_pool.threads)) if signature_of(launch.kernel).takes_shares else 1
