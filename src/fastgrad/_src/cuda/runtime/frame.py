"""The frame of a GPU program: its kernels with their launch words, and the memory that the words point to.

It is like `compiler/programs/frame.py` for a CPU, with a device's addresses. The addresses of arrays are either fixed, so that launches
can be recorded as a graph, or set for each run (`bind`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastgrad._src.compiler.graph.graph import size_of
from fastgrad._src.compiler.programs.buffers import Action, InArena, InCallerArray, InPermanent, Place, Plan
from fastgrad._src.cuda.codegen.kernel import STATUS_WITHOUT_ERROR
from fastgrad._src.cuda.devices.memory import Device
from fastgrad._src.jit.signature import LIST_KINDS
from fastgrad._src.kernels.runtime.launch import Constant, Input, Launch, Output, Scratch

ARENA_BASE = -1
"""The base of addresses in the arena. Other bases are numbers of the program's arrays."""


class PreparedLaunch:
    """A kernel with its launch words.

    Attributes:
        loaded: the driver's object for the kernel.
        words: addresses and numbers. The last word is the address of its status word.
        units: the number of units of work.
        moves: words that depend on the addresses of arrays: (index of the word, base, offset).
        status_index: the index of its status word, if it may stop the program.
    """

    __slots__ = ("loaded", "moves", "status_index", "units", "words")

    def __init__(self, loaded: Any, units: int, status_index: int | None) -> None:
        self.loaded, self.units, self.status_index = loaded, units, status_index
        self.words: list[int | float] = []
        self.moves: list[tuple[int, int, int]] = []


class DeviceFrame:
    """The kernels of a plan, ready to be launched.

    Args:
        plan: the plan to run, with launches of this device (`choice.GPU_TARGET`).
        device: the device.

    Attributes:
        plan, device: as given.
        calls: the calls of each action of the plan, in order; none for an action that runs as Python.
    """

    def __init__(self, plan: Plan, device: Device) -> None:
        self.plan, self.device = plan, device
        self._memory: dict[int, tuple[Any, Any]] = {}  # permanent host arrays, each with its copy on the device
        self._words: list[int] = []  # in device memory: addresses of lists, sizes, numbers
        self._moves: list[tuple[int, int, int]] = []
        self._inner: list[tuple[PreparedLaunch, int, int]] = []  # words that hold the address of such a word
        self._status_count = 0
        self.calls = [self._prepared_launches_of_action(action) for action in plan.actions]
        self._status_memory = device.array((max(self._status_count, 1),), np.uint64)
        self._table = device.put(np.array(self._words or [0], np.int64))
        for call, word_index, table_index in self._inner:
            call.words[word_index] = self._table.address + 8 * table_index
        for calls in self.calls:
            for call in calls:
                # A kernel without a status writes no status word, so its address does not matter.
                call.words[-1] = self._status_memory.address + 8 * (call.status_index or 0)

    def bind(self, arena: int, objects: Sequence[int]) -> None:
        """Sets the addresses of arrays in the launch words of all kernels.

        Args:
            arena: the address of the arena of `plan.arena_bytes` bytes.
            objects: the addresses of the arguments, then of the results.
        """
        for calls in self.calls:
            for call in calls:
                for word_index, base, offset in call.moves:
                    call.words[word_index] = (arena if base == ARENA_BASE else objects[base]) + offset
        if self._moves:
            for word_index, base, offset in self._moves:
                self._words[word_index] = (arena if base == ARENA_BASE else objects[base]) + offset
            self.device.driver.copy_in(self._table.address, np.array(self._words, np.int64))

    def address(self, place: Place, arena: int, objects: Sequence[int]) -> int:
        """Returns the device address of a value at ``place``."""
        if isinstance(place, InPermanent):
            return self._permanent_address(place.array)
        base, offset = _base_and_offset(place)
        return (arena if base == ARENA_BASE else objects[base]) + offset

    def clear_statuses(self) -> None:
        """Resets the status words of all kernels before a run of the program."""
        if self._status_count:
            self.device.driver.fill(self._status_memory.address, 255, 8 * self._status_count)

    def kernel_statuses(self) -> np.ndarray:
        """Returns the status words of kernels that may stop the program, in launch order, after all ended."""
        values = np.empty(self._status_count, np.uint64)
        self.device.driver.copy_out(values, self._status_memory.address)
        return values

    def upload_variable(self, host_array: np.ndarray) -> None:
        """Copies a variable's host array to its value on the device."""
        self.device.driver.copy_in(self._permanent_address(host_array), host_array)

    def download_variable(self, host_array: np.ndarray) -> None:
        """Copies a variable's value from the device to its host array."""
        self.device.driver.copy_out(host_array, self._permanent_address(host_array))

    # ---- words -----------------------------------------------------------------------------------------

    def _prepared_launches_of_action(self, action: Action) -> list[PreparedLaunch]:
        if action.launches is None:
            return []
        return [self._prepared_launch(action, launch) for launch in action.launches.launches]

    def _prepared_launch(self, action: Action, launch: Launch) -> PreparedLaunch:
        typed_kernel: Any = launch.kernel
        kernel, dtypes = typed_kernel
        status_index = None
        if kernel.signature.returns_status:
            status_index = self._status_count
            self._status_count += 1
        call = PreparedLaunch(self.device.driver.load(kernel, dtypes), launch.units, status_index)
        operand_iterator = iter(launch.operands)
        listed_arrays: tuple[Any, ...] = ()
        for word_index, parameter in enumerate(kernel.entry_parameters):
            call.words.append(0)
            if parameter.kind == "count":
                call.words[word_index] = len(listed_arrays)
            elif parameter.kind == "sizes":
                self._inner.append((call, word_index, len(self._words)))
                self._words += [_element_count(action, element) for element in listed_arrays]
            elif parameter.kind in LIST_KINDS:
                operand: Any = next(operand_iterator)
                listed_arrays = listed_arrays or operand
                self._inner.append((call, word_index, len(self._words)))
                for element in operand:
                    self._words.append(0)
                    self._set_word(self._words, self._moves, len(self._words) - 1, action, element)
            else:
                self._set_word(call.words, call.moves, word_index, action, next(operand_iterator))
        call.words.append(0)
        return call

    def _set_word(
        self, words: list[Any], moves: list[tuple[int, int, int]], at: int, action: Action, operand: Any
    ) -> None:
        """Sets a launch word to a number, or to the address of an array."""
        match operand:
            case Input(number):
                place = action.inputs[number]
            case Output(number):
                place = action.outputs[number]
            case Scratch(number):
                place = action.scratch[number]
            case Constant(array):
                place = InPermanent(array)
            case _:
                words[at] = operand
                return
        if isinstance(place, InPermanent):
            words[at] = self._permanent_address(place.array)
        else:
            moves.append((at, *_base_and_offset(place)))

    def _permanent_address(self, array: Any) -> int:
        """Returns the address of a permanent array: a variable's, or a constant's."""
        if not isinstance(array, np.ndarray):
            return int(array.address)
        if id(array) not in self._memory:
            self._memory[id(array)] = array, self.device.put(array)
        return int(self._memory[id(array)][1].address)


def _base_and_offset(place: Place) -> tuple[int, int]:
    if isinstance(place, InArena):
        return ARENA_BASE, place.offset
    assert isinstance(place, InCallerArray), "an object of Python's has no address"
    return place.number, 0


def _element_count(action: Action, operand: Any) -> int:
    match operand:
        case Input(number):
            value = action.node.inputs[number]
        case Output(number):
            place = action.outputs[number]
            if isinstance(place, InPermanent):  # an assignment's outputs do not include the variable
                return int(place.array.size)
            value = action.node.outputs[number]
        case Scratch(number):
            assert action.launches is not None
            return action.launches.scratch[number][1]
        case _:
            return int(operand.array.size)
    return size_of(value) // value.dtype.itemsize


def first_failed_kernel(statuses: np.ndarray) -> int | None:
    """Returns the index of the first status word with an error, or None."""
    numbers = np.flatnonzero(statuses != STATUS_WITHOUT_ERROR)
    return int(numbers[0]) if len(numbers) else None
