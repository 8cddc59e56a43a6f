"""Backward passes that repeat: a tape with a known structure runs a native program instead of its gradient rules.

The structure of a tape is all that its backward pass depends on but the numbers in its tensors. A structure that comes
often gets a program (``compiler.dispatch.backward_program.py``). Its results have the bits of ``backward_pass``.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from fastgrad.core import settings_version
from fastgrad.core.backward import TapeEntry, backward_pass
from fastgrad.core.dispatch import dispatchers
from fastgrad.core.operation import Operation
from fastgrad.core.recording import recorders
from fastgrad.core.tensor import Tensor

RUNS_BEFORE_PROGRAM = 16
"""The number of backward passes of one structure by its gradient rules, before it gets a program."""

MOST_ENTRIES = 2000
"""The most entries of a tape with a program."""

MOST_STRUCTURES = 256
"""The most structures that are counted or have programs."""

MOST_SIMILAR_STRUCTURES = 8
"""The most structures that are compared with a tape, entry by entry."""

MOST_ARENA_BYTES = 512 << 20
"""The most working memory of all programs."""

Program = Callable[[list[Tensor]], list[Any]]


class _Array(NamedTuple):
    """What is known of an array: all but its elements."""

    dtype: np.dtype
    shape: tuple[int, ...]
    is_contiguous: bool


class _Step(NamedTuple):
    """An entry of a tape.

    Attributes:
        operation: its operation.
        inputs: the number of each input in the order in which the tape's tensors come, and what is known of its array
            where it is the first use of a tensor that no operation made; else None.
        outputs: what is known of the arrays of the results, if it does not follow from the inputs; else None.
        attributes: the attributes.
        types: the types of the attributes: 1 equals 1.0.
        texts: the texts of the attributes where equality does not tell them apart, such as 0.0 and -0.0; else None.
    """

    operation: Operation
    inputs: tuple[tuple[int, _Array | None], ...]
    outputs: tuple[_Array, ...] | None
    attributes: dict[str, Any]
    types: list[type]
    texts: list[str] | None


class Structure:
    """The structure of a tape, and how often it came or its program.

    Args:
        steps: what is known of its entries.
        targets: the numbers of the targets.
        sources: for each source of gradients the numbers of its tensors; None for one that is not on the tape.

    Attributes:
        runs: the number of backward passes by the gradient rules.
        program: the program, once there is one.
        arena_bytes: the working memory of the program.
    """

    __slots__ = ("arena_bytes", "program", "runs", "sources", "steps", "targets")

    def __init__(self, steps: list[_Step], targets: list[int], sources: list[list[int | None]]) -> None:
        self.steps, self.targets, self.sources = steps, targets, sources
        self.runs = self.arena_bytes = 0
        self.program: Program | None = None

    def tensors_of(self, entries: list[TapeEntry], targets: list[Tensor], keys: list[list[int]]) -> list[Tensor] | None:
        """Returns the tensors of a tape with this structure, in their order; None for another structure.

        Args:
            entries: as many as ``steps``.
            targets, keys: as for ``backward_pass``; as many as ``self.targets`` and ``self.sources``.
        """
        tensors: list[Tensor] = []
        for entry, step in zip(entries, self.steps, strict=True):
            operation, inputs, outputs, attributes = entry
            known_operation, numbers, made, known_attributes, types, texts = step
            if operation is not known_operation or len(inputs) != len(numbers):
                return None
            if attributes or known_attributes:
                if attributes != known_attributes or [*map(type, attributes.values())] != types:
                    return None
                if texts is not None and [*map(repr, attributes.values())] != texts:
                    return None
            for x, (number, known) in zip(inputs, numbers, strict=True):
                if known is None:
                    if tensors[number] is not x:
                        return None
                else:
                    array = x._array
                    if (
                        type(array) is not np.ndarray
                        or array.shape != known.shape
                        or array.dtype != known.dtype
                        or array.flags.c_contiguous is not known.is_contiguous
                    ):
                        return None
                    tensors.append(x)
            if made is not None and tuple(map(_array_of, outputs)) != made:
                return None
            tensors += outputs
        ids = set(map(id, tensors))
        if len(ids) != len(tensors):  # one tensor where the structure has two
            return None
        for target, number in zip(targets, self.targets, strict=True):
            if tensors[number] is not target:
                return None
        for source, known_numbers in zip(keys, self.sources, strict=True):
            if len(source) != len(known_numbers):
                return None
            for key, position in zip(source, known_numbers, strict=True):
                if key in ids if position is None else id(tensors[position]) != key:
                    return None
        return tensors


class _Programs:
    """What is known of structures, in the order of their first runs.

    Attributes:
        known: structures by what is quickly compared; the last that came is the last of its list.
        is_on: whether tapes use programs.
    """

    def __init__(self) -> None:
        self.is_on = True
        self.known: dict[tuple[Any, ...], list[Structure]] = {}
        self.count = self.arena_bytes = 0

    def __iter__(self) -> Any:
        return (structure for similar in self.known.values() for structure in similar)

    def find(
        self, entries: list[TapeEntry], targets: list[Tensor], keys: list[list[int]]
    ) -> tuple[Structure, list[Tensor]] | None:
        """Returns the structure of a tape, which is new or known, and its tensors; None for a tape that no program takes."""
        if not entries:
            return None
        operation, inputs, _, _ = entries[0]
        first = inputs[0]._array.shape if inputs else None
        quick = len(entries), len(targets), len(keys), operation, first, settings_version.change_count[0]
        similar = self.known.get(quick, [])
        for structure in reversed(similar):
            tensors = structure.tensors_of(entries, targets, keys)
            if tensors is not None:
                if structure is not similar[-1]:  # a new list: other threads may be going through this one
                    self.known[quick] = [*[other for other in similar if other is not structure], structure]
                return structure, tensors
        found = _structure_of(entries, targets, keys)
        if found is not None:
            self.known[quick] = similar
            similar.append(found[0])
            self.count += 1
            if len(similar) > MOST_SIMILAR_STRUCTURES:
                self.arena_bytes -= similar.pop(0).arena_bytes
                self.count -= 1
            if self.count > MOST_STRUCTURES:
                self.clear()
        return found

    def add_program(self, structure: Structure, program: Program, arena_bytes: int) -> None:
        """Gives a structure its program."""
        if self.arena_bytes + arena_bytes > MOST_ARENA_BYTES:
            self.clear()
        self.arena_bytes += arena_bytes
        structure.program, structure.arena_bytes = program, arena_bytes

    def clear(self) -> None:
        """Forgets all structures."""
        self.known, self.count, self.arena_bytes = {}, 0, 0


programs = _Programs()


def gradients_of_tape(entries: list[TapeEntry], targets: list[Tensor], keys: list[list[int]]) -> list[Any]:
    """Returns what ``backward_pass`` returns for weights of ones, by a program if the structure has one; arguments as there."""
    if recorders.active or dispatchers or not programs.is_on or len(entries) > MOST_ENTRIES:
        return backward_pass(entries, targets, keys)
    found = programs.find(entries, targets, keys)
    if found is None:
        return backward_pass(entries, targets, keys)
    structure, tensors = found
    if structure.program is None:
        if structure.runs < RUNS_BEFORE_PROGRAM:
            structure.runs += 1
            return backward_pass(entries, targets, keys)
        maker = importlib.import_module("fastgrad.compiler.dispatch.backward_program")
        programs.add_program(structure, *maker.make_backward_program(entries, targets, keys, tensors))
    try:
        return structure.program(tensors)  # type: ignore[misc]
    except Exception:  # noqa: BLE001  # the gradient rules raise the error that users know
        return backward_pass(entries, targets, keys)


def _array_of(x: Tensor) -> _Array:
    array = x._array
    return _Array(array.dtype, array.shape, array.flags.c_contiguous)


def _structure_of(
    entries: list[TapeEntry], targets: list[Tensor], keys: list[list[int]]
) -> tuple[Structure, list[Tensor]] | None:
    """Returns the structure of a tape, and its tensors; None for a tape that no program takes."""
    numbers: dict[int, int] = {}
    tensors: list[Tensor] = []
    steps: list[_Step] = []
    for operation, inputs, outputs, attributes in entries:
        read: list[tuple[int, _Array | None]] = []
        for x in inputs:
            known = None
            if id(x) not in numbers:
                if type(x._array) is not np.ndarray:
                    return None
                numbers[id(x)] = len(tensors)
                tensors.append(x)
                known = _array_of(x)
            read.append((numbers[id(x)], known))
        for y in outputs:
            if id(y) in numbers or type(y._array) is not np.ndarray:
                return None
            numbers[id(y)] = len(tensors)
            tensors.append(y)
        follows = operation.result is not None and not operation.looks_at_values
        made = None if follows else tuple(map(_array_of, outputs))
        values = attributes.values()
        try:
            hash(tuple(values))
        except TypeError:  # it may change
            return None
        texts = None if all(map(_equals_only_itself, values)) else [*map(repr, values)]
        steps.append(_Step(operation, tuple(read), made, attributes, [*map(type, values)], texts))
    if any(id(target) not in numbers for target in targets):
        return None
    sources = [[numbers.get(key) for key in source] for source in keys]
    return Structure(steps, [numbers[id(target)] for target in targets], sources), tensors


def _equals_only_itself(value: Any) -> bool:
    """True if an equal value of this type has the same bits."""
    if isinstance(value, (float, complex)):
        return value == value and value != 0  # noqa: PLR0124  # NaN does not equal itself
    return all(map(_equals_only_itself, value)) if isinstance(value, tuple) else True
