"""Backward passes that repeat: a tape with a known structure runs a native program instead of its gradient rules.

The structure of a tape is its operations, their attributes, and the shapes and dtypes of its tensors. A structure that comes
often gets a program (``compiler/dispatch/backward_program.py``). The program's results have the bits of ``backward_pass``.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import is_
from typing import Any, NamedTuple

import numpy as np

from fastgrad._src.core import settings_version
from fastgrad._src.core.backward import TapeEntry, backward_pass
from fastgrad._src.core.dispatch import dispatchers
from fastgrad._src.core.hooks import Hook, module_of
from fastgrad._src.core.operation import Operation
from fastgrad._src.core.recording import recorders
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.jit.jit_switch import compiling_threads

RUNS_BEFORE_PROGRAM = 16
"""The number of backward passes of one structure by its gradient rules, before it gets a program."""

MOST_ENTRIES = 2000
"""The most entries of a tape with a program."""

MOST_STRUCTURES = 256
"""The most structures that are counted or have programs."""

MOST_CANDIDATES = 8
"""The most structures that are compared with one tape, entry by entry."""

MOST_ARENA_BYTES = 512 << 20
"""The most working memory of all programs."""

Program = Callable[[list[Tensor]], list[Any]]


class _Layout(NamedTuple):
    """The dtype and shape of an array, and whether it is contiguous."""

    dtype: np.dtype
    shape: tuple[int, ...]
    is_contiguous: bool


class _EntryStructure(NamedTuple):
    """The structure of an entry of a tape. The tape's tensors are numbered in the order in which they come.

    Attributes:
        operation: its operation.
        inputs: the number of each input, and the layout of its array where a tensor that no operation made comes first;
            else None.
        outputs: the layouts of the results, if the inputs do not determine them; else None.
        attributes: the attributes.
        types: the types of the attributes: 1 equals 1.0.
        texts: the texts of the attributes where equality does not tell them apart, such as 0.0 and -0.0; else None.
    """

    operation: Operation
    inputs: tuple[tuple[int, _Layout | None], ...]
    outputs: tuple[_Layout, ...] | None
    attributes: dict[str, Any]
    types: list[type]
    texts: list[str] | None


class Structure:
    """The structure of a tape, the number of its runs, and its program.

    Args:
        entries: the structures of its entries.
        targets: the numbers of the targets.
        sources: for each source of gradients the numbers of its tensors; None for one that is not on the tape.

    Attributes:
        runs: the number of backward passes by the gradient rules.
        program: the program, once there is one.
        arena_bytes: the working memory of the program.
    """

    __slots__ = ("arena_bytes", "entries", "program", "runs", "sources", "targets")

    def __init__(self, entries: list[_EntryStructure], targets: list[int], sources: list[list[int | None]]) -> None:
        self.entries, self.targets, self.sources = entries, targets, sources
        self.runs = self.arena_bytes = 0
        self.program: Program | None = None

    def tensors_of(self, entries: list[TapeEntry], targets: list[Tensor], keys: list[list[int]]) -> list[Tensor] | None:
        """Returns the tensors of a tape with this structure, in their order; None for another structure.

        Args:
            entries: as many as ``self.entries``.
            targets, keys: as for ``backward_pass``; as many as ``self.targets`` and ``self.sources``.
        """
        tensors: list[Tensor] = []
        for entry, expected in zip(entries, self.entries, strict=True):
            operation, inputs, outputs, attributes = entry
            expected_operation, numbers, output_layouts, expected_attributes, types, texts = expected
            if operation is not expected_operation or len(inputs) != len(numbers):
                return None
            if attributes or expected_attributes:
                if attributes != expected_attributes or [*map(type, attributes.values())] != types:
                    return None
                if texts is not None and [*map(repr, attributes.values())] != texts:
                    return None
            for x, (number, layout) in zip(inputs, numbers, strict=True):
                if layout is None:
                    if tensors[number] is not x:
                        return None
                else:
                    array = x._array
                    if (
                        type(array) is not np.ndarray
                        or array.shape != layout.shape
                        or array.dtype != layout.dtype
                        or array.flags.c_contiguous is not layout.is_contiguous
                    ):
                        return None
                    tensors.append(x)
            if output_layouts is not None and tuple(map(_layout_of, outputs)) != output_layouts:
                return None
            tensors += outputs
        ids = set(map(id, tensors))
        if len(ids) != len(tensors):  # one tensor where the structure has two
            return None
        if not all(map(is_, targets, map(tensors.__getitem__, self.targets))):
            return None
        for source, numbers_of_source in zip(keys, self.sources, strict=True):
            if len(source) != len(numbers_of_source):
                return None
            for key, source_number in zip(source, numbers_of_source, strict=True):
                if key in ids if source_number is None else id(tensors[source_number]) != key:
                    return None
        return tensors


class _Programs:
    """The structures of the tapes that ran, with their programs.

    Attributes:
        structures: lists of structures by their signature, which is cheap to compare. The last one used is at the end of its list.
        count: the number of structures.
        arena_bytes: the working memory of their programs.
        is_on: whether tapes use programs.
    """

    def __init__(self) -> None:
        self.is_on = True
        self.structures: dict[tuple[Any, ...], list[Structure]] = {}
        self.count = self.arena_bytes = 0

    def __iter__(self) -> Any:
        return (structure for candidates in self.structures.values() for structure in candidates)

    def find(
        self, entries: list[TapeEntry], targets: list[Tensor], keys: list[list[int]]
    ) -> tuple[Structure, list[Tensor]] | None:
        """Returns the structure of a tape, which is new or known, and its tensors; None for a tape that no program takes."""
        if not entries:
            return None
        operation, inputs, _, _ = entries[0]
        first_shape = inputs[0]._array.shape if inputs else None
        signature = len(entries), len(targets), len(keys), operation, first_shape, settings_version.change_count[0]
        candidates = self.structures.get(signature, [])
        for structure in reversed(candidates):
            tensors = structure.tensors_of(entries, targets, keys)
            if tensors is not None:
                if structure is not candidates[-1]:  # a new list: other threads may be going through this one
                    self.structures[signature] = [*[other for other in candidates if other is not structure], structure]
                return structure, tensors
        structure_and_tensors = _structure_of(entries, targets, keys)
        if structure_and_tensors is not None:
            self.structures[signature] = candidates
            candidates.append(structure_and_tensors[0])
            self.count += 1
            if len(candidates) > MOST_CANDIDATES:
                self.arena_bytes -= candidates.pop(0).arena_bytes
                self.count -= 1
            if self.count > MOST_STRUCTURES:
                self.clear()
        return structure_and_tensors

    def add_program(self, structure: Structure, program: Program, arena_bytes: int) -> None:
        """Stores the program of a structure."""
        if self.arena_bytes + arena_bytes > MOST_ARENA_BYTES:
            self.clear()
        self.arena_bytes += arena_bytes
        structure.program, structure.arena_bytes = program, arena_bytes

    def clear(self) -> None:
        """Forgets all structures."""
        self.structures, self.count, self.arena_bytes = {}, 0, 0


programs = _Programs()


def gradients_of_tape(entries: list[TapeEntry], targets: list[Tensor], keys: list[list[int]]) -> list[Any]:
    """Returns what ``backward_pass`` returns for weights of ones, by a program if the structure has one; arguments as there."""
    if recorders.active or dispatchers or not programs.is_on or len(entries) > MOST_ENTRIES:
        return backward_pass(entries, targets, keys)
    structure_and_tensors = programs.find(entries, targets, keys)
    if structure_and_tensors is None:
        return backward_pass(entries, targets, keys)
    structure, tensors = structure_and_tensors
    program = structure.program
    if program is None:
        if structure.runs < RUNS_BEFORE_PROGRAM or compiling_threads:
            structure.runs += 1
            return backward_pass(entries, targets, keys)
        maker = module_of(Hook.BACKWARD_PROGRAMS)
        program, arena_bytes = maker.make_backward_program(entries, targets, keys, tensors)
        programs.add_program(structure, program, arena_bytes)
    try:
        return program(tensors)
    except Exception:  # noqa: BLE001  # the gradient rules raise the error that users know
        return backward_pass(entries, targets, keys)


def _layout_of(x: Tensor) -> _Layout:
    array = x._array
    return _Layout(array.dtype, array.shape, array.flags.c_contiguous)


def _structure_of(
    entries: list[TapeEntry], targets: list[Tensor], keys: list[list[int]]
) -> tuple[Structure, list[Tensor]] | None:
    """Returns the structure of a tape, and its tensors; None for a tape that no program takes."""
    numbers: dict[int, int] = {}
    tensors: list[Tensor] = []
    structures: list[_EntryStructure] = []
    for operation, inputs, outputs, attributes in entries:
        if operation.run is None:
            # `tape.record` makes one for each call: it does not repeat, and it holds the arrays of its call.
            return None
        numbered_inputs: list[tuple[int, _Layout | None]] = []
        for x in inputs:
            layout = None
            if id(x) not in numbers:
                if type(x._array) is not np.ndarray:
                    return None
                numbers[id(x)] = len(tensors)
                tensors.append(x)
                layout = _layout_of(x)
            numbered_inputs.append((numbers[id(x)], layout))
        for y in outputs:
            if id(y) in numbers or type(y._array) is not np.ndarray:
                return None
            numbers[id(y)] = len(tensors)
            tensors.append(y)
        inputs_determine_outputs = operation.result is not None and not operation.depends_on_values
        output_layouts = None if inputs_determine_outputs else tuple(map(_layout_of, outputs))
        values = attributes.values()
        try:
            hash(tuple(values))
        except TypeError:  # it may change
            return None
        texts = None if all(map(_equals_only_itself, values)) else [*map(repr, values)]
        types = [*map(type, values)]
        structures.append(_EntryStructure(operation, tuple(numbered_inputs), output_layouts, attributes, types, texts))
    if any(id(target) not in numbers for target in targets):
        return None
    sources = [[numbers.get(key) for key in source] for source in keys]
    return Structure(structures, [numbers[id(target)] for target in targets], sources), tensors


def _equals_only_itself(value: Any) -> bool:
    """True if an equal value of this type has the same bits."""
    if isinstance(value, (float, complex)):
        return value == value and value != 0  # noqa: PLR0124  # NaN does not equal itself
    return all(map(_equals_only_itself, value)) if isinstance(value, tuple) else True
