"""Launches of an eager operation: they run at once, on the thread pool if there is much work.

The launches are a program of their own. Its frame (see `driver.py`) is kept with them and reused: a call gives it the
arrays, as a compiled function does, and does not build the table of steps again. A frame serves one call at a time; a
call that finds no free frame makes one. The first runs of little work make none: their shapes may not come again.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from fastgrad._src.jit.build import signature_of
from fastgrad._src.kernels.runtime import driver
from fastgrad._src.kernels.runtime.frame import ArrayPlace, FrameEncoder, address_of
from fastgrad._src.kernels.runtime.launch import Constant, Input, Launch, Launches, Output, Scratch, run_launches
from fastgrad._src.kernels.runtime.thread_pool import begin_on_free_pool, compute_pool, continue_on_free_pool

LEAST_POOL_NANOSECONDS = 50_000.0
"""Nanoseconds of work from which on the thread pool is used."""

RUNS_BEFORE_FRAME = 8
"""The number of runs that cost as much more without a frame as the frame itself."""


def run_on_thread_pool(launches: Launches, inputs: Sequence[np.ndarray], outputs: Sequence[np.ndarray]) -> bool:
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
        if compute_pool.is_awaited() if uses_pool(launches) else may_be_last:
            launches.runs_without_frame += 1
            inputs = _as_plain_arrays(inputs)
            return run_launches(launches, inputs, outputs) is None
        frame = EagerFrame(launches, inputs, outputs)
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
        frame = EagerFrame(launches, inputs, outputs)
        answer = frame.run((*inputs, *outputs, *scratch))
        if answer >= 0 and answer != driver.STOPPED:
            raise TypeError(
                f"run_on_thread_pool: takes C-contiguous results, got strides {[x.strides for x in outputs]}"
            )
    frames.append(frame)
    return answer < 0


def _as_plain_arrays(arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Returns C-contiguous, aligned arrays of NumPy's own class, which kernels take; copies where needed."""
    return [np.require(np.asarray(x), None, ["C", "A"]) for x in arrays]


def is_work_for_pool(nanoseconds: float) -> bool:
    """True if there is so much work that a thread pool does it sooner than one thread."""
    return nanoseconds >= LEAST_POOL_NANOSECONDS


def uses_pool(launches: Launches) -> bool:
    """True if launches run on the thread pool."""
    return compute_pool.threads > 1 and is_work_for_pool(sum([x.units * x.unit_cost for x in launches.launches]))


class EagerFrame:
    """A program, for the driver, that runs launches on any arrays of the shapes and dtypes that it was made for.

    Args:
        launches: the launches, which must live as long as the frame.
        inputs, outputs: as in `run_on_thread_pool`; the frame keeps only their shapes and dtypes.

    Attributes:
        threads: the number of threads of the thread pool when the frame was made.
        words: the frame, an argument of the driver.
    """

    __slots__ = ("_inner_frames", "_is_shared", "_step_count", "threads", "words")

    def __init__(self, launches: Launches, inputs: Sequence[np.ndarray], outputs: Sequence[np.ndarray]) -> None:
        self.threads = compute_pool.threads
        self._is_shared = uses_pool(launches)
        arrays = [(x.dtype, x.shape) for x in (*inputs, *outputs)]
        arrays += [(np.dtype(dtype), (size,)) for dtype, size in launches.scratch]
        first = {Input: 0, Output: len(inputs), Scratch: len(inputs) + len(outputs)}

        def array_place(operand: Any) -> ArrayPlace | None:
            if isinstance(operand, Constant):
                return ArrayPlace(operand.array.size, operand.array.dtype, address_of(operand.array))
            if not isinstance(operand, (Input, Output, Scratch)):
                return None
            number = first[type(operand)] + operand.number
            dtype, shape = arrays[number]
            return ArrayPlace(prod(shape), dtype, 0, number)

        encoder = FrameEncoder()
        for launch in launches.launches:
            encoder.add_step(launch, array_place, _share_count(launch), 1)
        self._step_count = len(encoder.steps)
        self._inner_frames = encoder.inner_frames
        self.words = encoder.words(arrays)

    def run(self, arrays: tuple[np.ndarray, ...]) -> int:
        """Runs the launches; returns the driver's answer (see `driver.begin_program`): a negative number if all kernels ran.

        Args:
            arrays: inputs, outputs and scratch memory.
        """
        begin, go_on = (
            (begin_on_free_pool, continue_on_free_pool)
            if self._is_shared
            else (driver.begin_program, driver.continue_program)
        )
        answer: int = begin(arrays, self.words, self._step_count)
        while answer == driver.STOPPED and self.words[driver.STATUS] == driver.PAUSED:
            answer = go_on(self.words, int(self.words[driver.STOPPED_AT]), self._step_count)
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
    if compute_pool.threads == 1 or not is_work_for_pool(units * unit_cost):
        kernel(*inputs, out, *numbers, 0, units)
        return
    shapes = (*[x.shape for x in inputs], out.shape)
    launches = _launches_of_call(kernel, shapes, numbers, units, unit_cost)
    run_on_thread_pool(launches, [np.ascontiguousarray(x) for x in inputs], (out,))


@functools.lru_cache(maxsize=512)
def _launches_of_call(
    kernel: Any, shapes: tuple[tuple[int, ...], ...], numbers: tuple[int, ...], units: int, unit_cost: float
) -> Launches:
    """Returns the launch of a kernel on arrays of `shapes`, the last one the result's; cached, with its frames."""
    places = [Input(number) for number in range(len(shapes) - 1)]
    return Launches((Launch(kernel, (*places, Output(0), *numbers), units, unit_cost),))


def _share_count(launch: Launch) -> int:
    """Returns how many parts a step is cut into: two for each thread, so that a late thread matters less."""
    return max(1, min(launch.units, 2 * compute_pool.threads)) if signature_of(launch.kernel).takes_shares else 1
