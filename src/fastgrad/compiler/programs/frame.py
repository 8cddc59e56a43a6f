"""The frame of a program: its plan as the words that the driver reads (``kernels/runtime/driver.py``), and their memory.

A frame serves one run at a time. A program that several threads run at once has several frames.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fastgrad.compiler.graph.graph import Value, size_of
from fastgrad.compiler.programs.arena import ALIGNMENT
from fastgrad.compiler.programs.buffers import Action, InArena, InCaller, InStatic, Place, Plan, operands_of, prefix_of
from fastgrad.compiler.programs.chains import chains_of
from fastgrad.kernels.codegen.bounds import checks_bounds
from fastgrad.kernels.codegen.build import signature_of, step_address
from fastgrad.kernels.codegen.signature import ARRAY_KINDS, LIST_KINDS, Signature, array_size_words
from fastgrad.kernels.runtime import driver
from fastgrad.kernels.runtime.launch import InnerFrame, Input, KernelEntry, Launch, check_itemsize


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
        self._base = address_of(self._memory) + start
        self.plan = plan
        self._kept: list[Any] = []  # keeps the arrays alive that the words point to
        self._words: list[int] = []
        self._floats: list[float] = []
        self._float_positions: list[tuple[int, int]] = []
        self._inner: list[tuple[int, int]] = []  # words that hold the address of other words
        self._object_positions: dict[int, list[int]] = {}
        launched: list[tuple[int, ...]] = []
        self.steps: list[range] = []
        for action in plan.actions:
            first_step = len(launched)
            for launch in action.launches.launches if action.launches is not None else ():
                at = self._write_step(action, launch)
                launched.append((step_address(launch.kernel), at, launch.units, *shares_of(launch), 1))
            self.steps.append(range(first_step, len(launched)))
        self.inside: set[int] = set()
        self._join_chains(plan, launched)
        self.words = self._assembled_words(plan, launched)

    def _join_chains(self, plan: Plan, launched: list[tuple[int, ...]]) -> None:
        """Makes chains of steps that need no barrier in between; a chain with too little work stays separate steps."""
        start = 0
        for native, actions in itertools.groupby(plan.actions, lambda action: action.launches is not None):
            steps = [(a, launch) for a in actions if a.launches is not None for launch in a.launches.launches]
            for chain_start, count, most_shares in chains_of(steps) if native else ():
                times = [nanoseconds_of(launch) for _, launch in steps[chain_start : chain_start + count]]
                shares = _largest_power_of_two(
                    min(max(sum(times) / LEAST_CHAIN_SHARE_NANOSECONDS, 2), ENOUGH_SHARES_PER_STEP, most_shares)
                )
                if sum(times) >= LEAST_SHARED_STEP_NANOSECONDS:
                    entry, at, units, _, grain, _ = launched[start + chain_start]
                    launched[start + chain_start] = entry, at, units, shares, grain, count
                    self.inside.update(range(start + chain_start + 1, start + chain_start + count))
                    for number in range(start + chain_start, start + chain_start + count):
                        if steps[number - start][1].waits:
                            launched[number] = (*launched[number][:3], 1, 0, 1)
            start += len(steps)

    def array(self, place: Place, value: Value) -> np.ndarray | None:
        """Returns the array of a value in the arena or in permanent memory; None for arrays of the caller."""
        if isinstance(place, InArena):
            size = size_of(value)
            return self._arena[place.offset : place.offset + size].view(value.dtype).reshape(value.shape)
        if isinstance(place, InStatic):
            return prefix_of(place.array, value.shape)
        return None

    def forget_pause(self) -> None:
        """Makes the next run start at the first step, if the last run was abandoned during a pause."""
        for held in self._kept:
            if isinstance(held, Frame):
                held.forget_pause()
        self.words[driver.RESUME] = 0

    # ---- words -----------------------------------------------------------------------------------------

    def _write_step(self, action: Action, launch: Launch) -> int:
        """Writes the frame's 64-bit words for a step; returns the position of the first one."""
        signature = signature_of(launch.kernel)
        parameters = [p for p in signature.parameters if not p.is_share_bound]
        operands = {parameter.name: operand for _, parameter, operand in operands_of(launch, signature)}
        listed = next((operands[p.name] for p in parameters if p.kind in LIST_KINDS and operands[p.name]), ())
        at = len(self._words)
        self._words += [0] * len(parameters)
        kernel: Any = launch.kernel
        dtypes = {parameter.name: dtype for parameter, dtype in kernel.__self__.parameters}
        if checks_bounds():
            self._write_sizes(action, signature, operands, listed, dtypes, at)
        for position, parameter in enumerate(parameters, at):
            operand: Any = operands.get(parameter.name)
            if parameter.kind == "count":
                self._words[position] = len(listed)
            elif parameter.kind == "sizes":
                self._add_table(position, [action.array_of(array_operand)[1] for array_operand in listed])
            elif parameter.kind in ARRAY_KINDS:
                check_itemsize(launch.kernel, dtypes[parameter.name], action.array_of(operand)[2])
                self._write_address(position, action, operand)
            elif parameter.kind in LIST_KINDS:
                start = self._add_table(position, [0] * len(operand))
                for number, array_operand in enumerate(operand, start):
                    self._write_address(number, action, array_operand)
            elif isinstance(operand, Launch):
                self._inner.append((position, self._write_step(action, operand)))
            elif isinstance(operand, InnerFrame):
                frame = operand.make()
                self._kept.append(frame)
                self._words[position] = address_of(frame.words)
            elif isinstance(operand, KernelEntry):
                self._words[position] = step_address(operand.kernel)
            elif parameter.kind == "int":
                assert isinstance(operand, int)
                self._words[position] = operand
            elif isinstance(operand, Input):
                self._write_address(position, action, operand)
            else:
                assert isinstance(operand, (int, float))
                self._float_positions.append((position, len(self._floats)))
                self._floats.append(float(operand))
        return at

    def _add_table(self, pointer_position: int, words: Sequence[int]) -> int:
        """Adds a table of words to the frame, and sets the word at ``pointer_position`` to its address; returns its position."""
        start = len(self._words)
        self._inner.append((pointer_position, start))
        self._words += words
        return start

    def _write_address(self, word_position: int, action: Action, operand: Any) -> None:
        """Sets a word of the frame to the address of an array; the addresses of the caller's arrays are set at each call."""
        place, _, _ = action.array_of(operand)
        if isinstance(place, InArena):
            self._words[word_position] = self._base + place.offset
        elif isinstance(place, InStatic):
            self._kept.append(place.array)
            self._words[word_position] = address_of(place.array)
        else:
            assert isinstance(place, InCaller), f"{action.node}: an object has no address"
            self._object_positions.setdefault(place.number, []).append(word_position)

    def _write_sizes(
        self,
        action: Action,
        signature: Signature,
        operands: Mapping[str, Any],
        listed: Sequence[Any],
        dtypes: Mapping[str, np.dtype],
        at: int,
    ) -> None:
        """Writes the sizes that checked builds read after the parameters' words; see ``signature.array_size_words``."""
        positions = array_size_words(signature)
        self._words += [0] * sum(len(words) for words in positions.values())

        def count(operand: Any) -> int:
            extent = action.extent_of(operand)
            return (extent.end - extent.start) // dtypes[parameter.name].itemsize

        for parameter in signature.parameters:
            if parameter.kind == "sizes":
                self._words[at + positions[parameter.name][0]] = len(listed)
            elif parameter.kind in ARRAY_KINDS:
                self._words[at + positions[parameter.name][0]] = count(operands[parameter.name])
            elif parameter.kind in LIST_KINDS:
                table, length = positions[parameter.name]
                self._words[at + length] = len(operands[parameter.name])
                self._add_table(at + table, list(map(count, operands[parameter.name])))

    # ---- assembly ----------------------------------------------------------------------------------------

    def _assembled_words(self, plan: Plan, launched: Sequence[tuple[int, ...]]) -> np.ndarray:
        """Returns all words of the frame in one array: header, steps, words of steps, words of the caller's arrays."""
        steps_at = driver.HEADER_WORDS
        words_at = steps_at + driver.STEP_WORDS * len(launched)
        objects_at = words_at + len(self._words)
        objects, patched = self._words_of_caller_arrays(plan, objects_at)
        self._numbers = np.array(self._floats, np.float64)
        words = np.zeros(objects_at + len(objects), np.int64)
        base = address_of(words)

        def at(position: int) -> int:
            return base + 8 * position

        words[driver.STEPS], words[driver.OBJECTS] = at(steps_at), at(objects_at)
        words[driver.OBJECT_COUNT] = len(plan.arguments) + len(plan.results)
        words[driver.ARRAY_TYPE] = driver.ARRAY_TYPE_ADDRESS
        words[words_at:objects_at] = self._words
        words[objects_at:] = objects
        for number, (entry, start, *work) in enumerate(launched):
            words[steps_at + driver.STEP_WORDS * number :][: driver.STEP_WORDS] = entry, at(words_at + start), *work
        for index, target in self._inner:
            words[words_at + index] = at(words_at + target)
        for index, number in self._float_positions:
            words[words_at + index] = address_of(self._numbers) + 8 * number
        for position, target in patched:
            words[position] = at(target if target >= objects_at else words_at + ~target)
        return words

    def _words_of_caller_arrays(self, plan: Plan, start: int) -> tuple[list[int], list[tuple[int, int]]]:
        """Returns the words that describe the caller's arrays, and the addresses among all words: pairs (word, target word).

        Words of steps are counted from -1 downwards, as ``~number``, others from the beginning of the frame.
        """
        object_words: list[int] = []
        addresses = []
        for number, value in enumerate([*[value for _, value in plan.arguments], *plan.results]):
            patched_words = self._object_positions.get(number, [])
            object_words += [value.dtype.num, len(value.shape), *value.shape, len(patched_words)]
            for patched_word in patched_words:
                addresses.append((start + len(object_words), ~patched_word))
                object_words.append(0)
            addresses.append((start + len(object_words), start + len(object_words) + 1))
            object_words.append(0)
        return object_words, addresses


LEAST_SHARED_STEP_NANOSECONDS = 4_000.0
LEAST_SHARE_NANOSECONDS = 2_000.0
"""Nanoseconds: the shortest step that is shared, and the smallest share. A barrier costs about 400, each share 50."""

ENOUGH_SHARES_PER_STEP, LONGEST_SHARE_NANOSECONDS, MOST_SHARES_PER_STEP = 16, 60_000.0, 256
"""The number of shares that is enough for balance; the nanoseconds above which a share is cut; the most shares."""

LEAST_CHAIN_SHARE_NANOSECONDS = 10_000.0
"""Nanoseconds of a share of a chain: each share reads again the matrices that all rows are multiplied with."""

SHARE_GRAIN_UNITS = 64


def shares_of(launch: Launch) -> tuple[int, int]:
    """Returns the number of shares of a step, and the grain: the number of units that a share is a multiple of.

    Shares are equal except for one such block of units. Their number is a power of two. So two or four threads, each of
    which begins at the first share of its part, have equal parts, and the same rows in every step.
    """
    time = nanoseconds_of(launch)
    if time < LEAST_SHARED_STEP_NANOSECONDS or not signature_of(launch.kernel).takes_shares:
        return 1, launch.units
    target_shares = min(
        max(min(time / LEAST_SHARE_NANOSECONDS, ENOUGH_SHARES_PER_STEP), time / LONGEST_SHARE_NANOSECONDS),
        MOST_SHARES_PER_STEP,
        launch.units,
    )
    shares = _largest_power_of_two(target_shares)
    grain = (
        SHARE_GRAIN_UNITS if launch.units >= SHARE_GRAIN_UNITS * shares else 1
    )  # no cache line is written by two threads
    return shares, grain


def _largest_power_of_two(upper_bound: float) -> int:
    return 1 << (int(upper_bound).bit_length() - 1)


def nanoseconds_of(launch: Launch) -> float:
    """Returns the estimated nanoseconds of a step on one core."""
    return launch.units * launch.unit_cost


def address_of(array: np.ndarray) -> int:
    """Returns the address of an array's first element."""
    address: int = array.__array_interface__["data"][0]
    return address
