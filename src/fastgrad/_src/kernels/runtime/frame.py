"""The encoder of frames: writes launches as the 64-bit words that the driver reads (see `driver.py`)."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from fastgrad._src.jit.bounds import checks_bounds
from fastgrad._src.jit.build import signature_of, step_address
from fastgrad._src.jit.signature import ARRAY_KINDS, LIST_KINDS, Parameter, Signature, array_size_words
from fastgrad._src.kernels.runtime import driver
from fastgrad._src.kernels.runtime.launch import InnerFrame, KernelEntry, Launch, check_itemsize


class ArrayPlace(NamedTuple):
    """Where a step finds the array of an operand.

    Attributes:
        size: the number of its elements.
        dtype: their dtype.
        address: of its first element; 0 for an array of the caller, whose address the driver writes at each call.
        number: the number of the caller's array; -1 for other arrays.
    """

    size: int
    dtype: np.dtype
    address: int
    number: int = -1


class FrameEncoder:
    """Encodes steps as the words of a frame.

    Attributes:
        steps: for each step its words in the table of steps; the second one is the position of its arguments' words.
        inner_frames: the frames that kernels run, which must live as long as the words.
    """

    def __init__(self) -> None:
        self.steps: list[list[int]] = []
        self.inner_frames: list[Any] = []
        self._words = [0] * driver.HEADER_WORDS
        self._pointers: list[tuple[int, int]] = []  # the position of a word, and of the word whose address it holds
        self._positions_of_caller_arrays: dict[int, list[int]] = {}

    def add_step(self, launch: Launch, place_of: Callable[[Any], ArrayPlace | None], shares: int, grain: int) -> None:
        """Adds a launch as a step.

        Args:
            launch: the launch.
            place_of: returns the place of the array of an operand; None if the operand is no array.
            shares, grain: see `driver.py`.

        Raises:
            TypeError: a parameter takes an array, and the operand is none or has too small elements.
        """
        position = self._add_arguments(launch, place_of)
        self.steps.append([step_address(launch.kernel), position, launch.units, shares, grain, 1])

    def words(self, arrays: Iterable[tuple[np.dtype, tuple[int, ...]]]) -> np.ndarray:
        """Returns the frame, for a call with arrays of these dtypes and shapes; the encoder is then used up."""
        self._pointers.append((driver.STEPS, len(self._words)))
        for entry, arguments, *work in self.steps:
            self._pointers.append((len(self._words) + 1, arguments))
            self._words += [entry, 0, *work]
        self._pointers.append((driver.OBJECTS, len(self._words)))
        for number, (dtype, shape) in enumerate(arrays):
            self._words[driver.OBJECT_COUNT] += 1
            positions = self._positions_of_caller_arrays.get(number, ())
            self._words += [dtype.num, len(shape), *shape, len(positions)]
            self._pointers += enumerate((*positions, len(self._words) + len(positions) + 1), len(self._words))
            self._words += [0] * (len(positions) + 1)
        self._words[driver.ARRAY_TYPE] = driver.ARRAY_TYPE_ADDRESS
        words = np.array(self._words, np.int64)
        sources, targets = np.array(self._pointers, np.int64).T
        words[sources] = address_of(words) + 8 * targets
        return words

    def _add_arguments(self, launch: Launch, place_of: Callable[[Any], ArrayPlace | None]) -> int:
        """Adds the words of a launch's arguments; returns the position of the first one."""
        kernel: Any = launch.kernel
        signature = signature_of(kernel)
        parameters = signature.word_parameters
        operands: dict[str, Any] = {
            parameter.name: operand
            for (_, parameter), operand in zip(signature.operand_parameters, launch.operands, strict=True)
        }
        dtypes = kernel.__self__.dtypes
        places: dict[str, list[ArrayPlace]] = {}
        for parameter in signature.array_parameters:
            operand = operands[parameter.name]
            each = operand if parameter.kind in LIST_KINDS else (operand,)
            places[parameter.name] = [_checked_place(kernel, dtypes[parameter.name], x, place_of(x)) for x in each]
        listed = next((places[p.name] for p in parameters if p.kind in LIST_KINDS and places[p.name]), [])
        start = len(self._words)
        self._words += [0] * len(parameters)
        if checks_bounds():
            self._add_sizes(signature, start, places, len(listed), dtypes)
        for position, parameter in enumerate(parameters, start):
            if parameter.kind == "int" and type(operands[parameter.name]) is int:
                self._words[position] = operands[parameter.name]
            elif parameter.kind == "count":
                self._words[position] = len(listed)
            elif parameter.kind == "sizes":
                self._add_table(position, [place.size for place in listed])
            elif parameter.kind in ARRAY_KINDS:
                self._set_address(position, places[parameter.name][0])
            elif parameter.kind in LIST_KINDS:
                table = self._add_table(position, [0] * len(places[parameter.name]))
                for table_position, place in enumerate(places[parameter.name], table):
                    self._set_address(table_position, place)
            else:
                self._set_number(position, parameter, operands[parameter.name], place_of)
        return start

    def _set_number(
        self, position: int, parameter: Parameter, operand: Any, place_of: Callable[[Any], ArrayPlace | None]
    ) -> None:
        """Sets the word of an `int` or `float` parameter: an int, or the address of words or of a float."""
        if isinstance(operand, Launch):
            self._pointers.append((position, self._add_arguments(operand, place_of)))
        elif isinstance(operand, InnerFrame):
            self.inner_frames.append(operand.make())
            self._words[position] = address_of(self.inner_frames[-1].words)
        elif isinstance(operand, KernelEntry):
            self._words[position] = step_address(operand.kernel)
        elif parameter.kind == "int":
            self._words[position] = operand
        elif (place := place_of(operand)) is not None:
            self._set_address(position, place)
        else:
            self._add_table(position, struct.unpack("q", struct.pack("d", operand)))

    def _add_table(self, pointer_position: int, words: Sequence[int]) -> int:
        """Adds words, and sets the word at ``pointer_position`` to their address; returns the position of the first one."""
        start = len(self._words)
        self._pointers.append((pointer_position, start))
        self._words += words
        return start

    def _set_address(self, position: int, place: ArrayPlace) -> None:
        """Sets a word to the address of an array."""
        self._words[position] = place.address
        if place.number >= 0:
            self._positions_of_caller_arrays.setdefault(place.number, []).append(position)

    def _add_sizes(
        self, signature: Signature, start: int, places: dict[str, list[ArrayPlace]], listed: int, dtypes: dict[str, Any]
    ) -> None:
        """Adds the sizes that checked builds read after the parameters' words; see ``signature.array_size_words``."""
        positions = array_size_words(signature)
        self._words += [0] * sum(map(len, positions.values()))
        for name, (first, *length) in positions.items():
            counts = [x.size * x.dtype.itemsize // dtypes[name].itemsize for x in places.get(name, ())]
            if length:
                self._add_table(start + first, counts)
                self._words[start + length[0]] = len(counts)
            else:
                self._words[start + first] = counts[0] if counts else listed


def _checked_place(kernel: Any, dtype: np.dtype, operand: Any, place: ArrayPlace | None) -> ArrayPlace:
    if place is None:
        raise TypeError(f"kernel {kernel.__self__.name}: takes an array here, got {operand!r}.")
    check_itemsize(kernel, dtype, place.dtype)
    return place


def address_of(array: np.ndarray) -> int:
    """Returns the address of an array's first element."""
    address: int = array.__array_interface__["data"][0]
    return address
