"""Launches of an eager operation, run at once by the team where there is much work.

The table of steps is made anew for each call, which takes some ten microseconds: it is for work of hundreds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastgrad.kernels.building.bounds import checks_bounds
from fastgrad.kernels.building.build import signature_of, step_address
from fastgrad.kernels.running import driver
from fastgrad.kernels.running.launch import (
    Constant,
    Input,
    Launch,
    Launches,
    Output,
    Scratch,
    run_launches,
    sizes_behind,
)
from fastgrad.kernels.running.team import go_on_shared, team

SHARED_FROM = 200_000.0
"""Nanoseconds of work from which on the team is called."""


def run_at_once(found: Launches, inputs: Sequence[np.ndarray], outputs: Sequence[np.ndarray]) -> None:
    """`run_launches`, with the team, for kernels that never stop and whose parameters are arrays and numbers.

    Args:
        found: what to run.
        inputs, outputs: C-contiguous arrays of the shapes and dtypes that `found` was made for.
    """
    work = sum(launch.units * launch.unit_cost for launch in found.launches)
    if team.threads == 1 or work < SHARED_FROM:
        run_launches(found, inputs, outputs)
        return
    table, memory = table_of(found, inputs, outputs, lambda launch: (_shares(launch), 1))
    frame = np.zeros(driver.HEADER_WORDS, np.int64)
    frame[driver.STEPS] = _address(table)
    go_on_shared(frame, 0, len(table))
    del memory  # not before


def call_at_once(
    kernel: Any, inputs: Sequence[np.ndarray], out: np.ndarray, *numbers: int, units: int, unit_cost: float
) -> None:
    """Calls a kernel of arrays, a result, numbers and a share, with the team where there is much work.

    Args:
        kernel: a native function.
        inputs, out: its arrays; `out` is C-contiguous.
        numbers: its parameters between the result and `first` and `last`.
        units, unit_cost: as for `Launch`.
    """
    if team.threads == 1 or units * unit_cost < SHARED_FROM:
        kernel(*inputs, out, *numbers, 0, units)
        return
    places = tuple([Input(number) for number in range(len(inputs))])
    launch = Launch(kernel, (*places, Output(0), *numbers), units, unit_cost)
    run_at_once(Launches((launch,)), [np.ascontiguousarray(x) for x in inputs], (out,))


def table_of(
    found: Launches,
    inputs: Sequence[np.ndarray],
    outputs: Sequence[np.ndarray],
    shares: Callable[[Launch], tuple[int, int]],
) -> tuple[np.ndarray, list[np.ndarray]]:
    """The table of steps of launches, and the memory beside the arrays whose addresses are in it.

    Args:
        found, inputs, outputs: as in `run_at_once`.
        shares: how many parts a launch is cut into, and the units that no cut divides.
    """
    scratch = [np.empty(size, dtype) for dtype, size in found.scratch]
    rows = [_words(launch, inputs, outputs, scratch) for launch in found.launches]
    table = [
        (step_address(launch.kernel), _address(row), launch.units, *shares(launch), 1)
        for launch, row in zip(found.launches, rows, strict=True)
    ]
    return np.array(table, np.int64), [*rows, *scratch]


def _address(array: np.ndarray) -> int:
    return int(array.__array_interface__["data"][0])


def _words(
    launch: Launch, inputs: Sequence[np.ndarray], outputs: Sequence[np.ndarray], scratch: list[np.ndarray]
) -> np.ndarray:
    found: list[Any] = []
    for operand in launch.operands:
        match operand:
            case Input(number):
                found.append(inputs[number])
            case Output(number):
                found.append(outputs[number])
            case Scratch(number):
                found.append(scratch[number])
            case Constant(array):
                found.append(array)
            case int():
                found.append(operand)
            case float():
                scratch.append(np.array(operand))  # a step reads it where it lies
                found.append(scratch[-1])
            case _:
                raise TypeError(
                    f"run_at_once: {launch.kernel.__name__} has an operand that is no array or number: {operand!r}"
                )
    behind = sizes_behind(launch.kernel, found) if checks_bounds() else []
    return np.array([_address(one) if type(one) is np.ndarray else one for one in found] + behind, np.int64)


def _shares(launch: Launch) -> int:
    """How many parts a step is cut into: two for each thread, so that one that is late matters less."""
    return max(1, min(launch.units, 2 * team.threads)) if signature_of(launch.kernel).takes_shares else 1
