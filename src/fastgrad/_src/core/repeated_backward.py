"""Backward passes that repeat: a tape with a known structure runs a native program instead of its gradient rules.

The structure of a tape is its operations, their attributes, and the shapes and dtypes of its tensors. A structure that comes
often gets a program (``compiler/dispatch/backward_program.py``). The program's results have the bits of ``backward_pass``.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np

from fastgrad._src.core.backward import TapeEntry, backward_pass
from fastgrad._src.core.call_signature import Attributes, Layout, are_equal, known_attributes, layout_of
from fastgrad._src.core.dispatch import dispatchers
from fastgrad._src.core.hooks import Hook, module_of
from fastgrad._src.core.operation import TABLE
from fastgrad._src.core.python_state_version import settings_now
from fastgrad._src.core.recording import recorders
from fastgrad._src.core.repeated_forward import ForwardPass, StepPrediction, forward_passes
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

Program = Callable[[Sequence[Tensor]], list[Any]]


class _Parts(NamedTuple):
    """The entries of a tape, column by column: Python compares a column at once.

    Attributes:
        operations, attributes: of the entries.
        counts: the numbers of the inputs of each, then those of the outputs.
        operands: all inputs, then all outputs; a tensor may come several times.
        ids: the ids of the operands.
    """

    operations: tuple[Any, ...]
    attributes: tuple[dict[str, Any], ...]
    counts: list[int]
    operands: list[Tensor]
    ids: tuple[int, ...]


def _parts_of(entries: list[TapeEntry]) -> _Parts:
    operations, inputs, outputs, attributes = zip(*entries, strict=True)
    operands = [*chain.from_iterable(inputs), *chain.from_iterable(outputs)]
    return _Parts(operations, attributes, [*map(len, inputs), *map(len, outputs)], operands, tuple(map(id, operands)))


class Structure:
    """The structure of a tape, the number of its runs, and its program.

    Args:
        parts: the entries of such a tape.
        known: what is known of the attributes of each entry.
        layouts: the layouts that neither operations nor other operands determine, with the positions of their operands.
        targets, keys: as for ``backward_pass``.

    Attributes:
        runs: the number of backward passes by the gradient rules.
        program: the program, once there is one. It takes the operands without repetitions.
        arena_bytes: the working memory of the program.
        forward_pass: the known order of such tapes' calls, once there is one.
    """

    __slots__ = (
        "__weakref__",
        "_attributes",
        "_counts",
        "_distinct",
        "_first",
        "_known",
        "_layouts",
        "_operations",
        "_sources",
        "_targets",
        "arena_bytes",
        "forward_pass",
        "program",
        "runs",
    )

    def __init__(
        self,
        parts: _Parts,
        known: list[Attributes | None],
        layouts: list[tuple[int, Layout]],
        targets: list[Tensor],
        keys: list[list[int]],
    ) -> None:
        first_positions: dict[int, int] = {}
        for position, key in enumerate(parts.ids):
            first_positions.setdefault(key, position)
        numbers = {key: number for number, key in enumerate(first_positions)}
        self._operations, self._attributes, self._counts = parts.operations, parts.attributes, parts.counts
        self._known = [(entry, one) for entry, one in enumerate(known) if one is not None]
        self._layouts = layouts
        self._first = itemgetter(*[first_positions[key] for key in parts.ids])
        self._distinct = itemgetter(*first_positions.values())
        self._targets = [numbers[id(target)] for target in targets]
        self._sources = [[numbers.get(key) for key in source] for source in keys]
        self.runs = self.arena_bytes = 0
        self.program: Program | None = None
        self.forward_pass: ForwardPass | None = None

    def user_operation(self) -> Any:
        """Returns an operation of a user that such tapes have; None if all are of the table."""
        return next((one for one in self._operations if TABLE.get(one.name) is not one), None)

    def tensors_of(self, parts: _Parts, targets: list[Tensor], keys: list[list[int]]) -> Sequence[Tensor] | None:
        """Returns the tensors of a tape with this structure, each once; None for another structure.

        Args:
            parts: of the tape.
            targets, keys: as for ``backward_pass``.
        """
        operations, attributes, counts, operands, ids = parts
        if operations != self._operations or attributes != self._attributes or counts != self._counts:
            return None
        if self._first(ids) != ids:  # another tensor where the structure has one twice
            return None
        for entry, known in self._known:
            if not are_equal(attributes[entry], known):
                return None
        for position, (dtype, shape, is_contiguous) in self._layouts:
            array = operands[position]._array
            if (
                type(array) is not np.ndarray
                or array.shape != shape
                or array.dtype != dtype
                or array.flags.c_contiguous is not is_contiguous
            ):
                return None
        tensors: tuple[Tensor, ...] = self._distinct(operands)
        return tensors if self.has_ends(self._distinct(ids), targets, keys) else None

    def has_ends(self, ids: Sequence[int], targets: list[Tensor], keys: list[list[int]]) -> bool:
        """True if a tape with the entries of this structure has its targets and sources, too.

        Args:
            ids: those of the tensors of the tape, each once.
            targets, keys: as for ``backward_pass``.
        """
        if len(set(ids)) != len(ids) or [*map(id, targets)] != [ids[number] for number in self._targets]:
            return False
        wanted = [[None if number is None else ids[number] for number in source] for source in self._sources]
        return keys == wanted or self._has_sources_elsewhere(ids, keys, wanted)

    def _has_sources_elsewhere(self, ids: Sequence[int], keys: list[list[int]], wanted: list[list[int | None]]) -> bool:
        """True if ``keys`` are as wanted, with ids that are not on the tape in place of None."""
        if [*map(len, keys)] != [*map(len, wanted)]:
            return False
        pairs = zip(chain.from_iterable(keys), chain.from_iterable(wanted), strict=True)
        return all(key not in ids if other is None else key == other for key, other in pairs)


class _Programs:
    """The structures of the tapes that ran, with their programs.

    An operation of a user holds the structures with it, so that they are freed together.

    Attributes:
        structures: lists of structures by their signature, which is cheap to compare. The last one used is at the end of its list.
        is_on: whether tapes use programs.
    """

    def __init__(self) -> None:
        self.is_on = True
        self.structures: dict[tuple[Any, ...], list[weakref.ref[Structure]]] = {}
        self._held: set[Structure] = set()

    def switch(self, on: bool) -> None:
        """Lets tapes use programs, or not."""
        self.is_on = on
        self.clear()

    def __iter__(self) -> Iterator[Structure]:
        references = chain.from_iterable([*self.structures.values()])
        return (structure for reference in references if (structure := reference()) is not None)

    @property
    def count(self) -> int:
        """The number of structures."""
        return sum(1 for _ in self)

    @property
    def arena_bytes(self) -> int:
        """The working memory of the programs."""
        return sum(structure.arena_bytes for structure in self)

    def find(
        self, entries: list[TapeEntry], targets: list[Tensor], keys: list[list[int]]
    ) -> tuple[Structure, Sequence[Tensor]] | None:
        """Returns the structure of a tape, which is new or known, and its tensors; None for a tape that no program takes."""
        if not entries:
            return None
        operation, inputs, _, _ = entries[0]
        first_shape = inputs[0]._array.shape if inputs else None
        signature = len(entries), len(targets), len(keys), id(operation), first_shape, settings_now()
        candidates = self.structures.get(signature, [])
        parts = _parts_of(entries)
        for reference in reversed(candidates):
            structure = reference()
            tensors = None if structure is None else structure.tensors_of(parts, targets, keys)
            if structure is not None and tensors is not None:
                if reference is not candidates[-1]:  # a new list: other threads may be going through this one
                    self.structures[signature] = [*[one for one in candidates if one is not reference], reference]
                return structure, tensors
        structure_and_tensors = _structure_of(parts, targets, keys)
        if structure_and_tensors is not None:
            self._add(signature, structure_and_tensors[0])
        return structure_and_tensors

    def _add(self, signature: tuple[Any, ...], structure: Structure) -> None:
        if self.count >= MOST_STRUCTURES:
            self._keep(lambda other: other.program is not None)
            if self.count >= MOST_STRUCTURES:
                self.clear()
        candidates = [reference for reference in self.structures.get(signature, []) if reference() is not None]
        for reference in candidates[: 1 - MOST_CANDIDATES]:
            self._held.discard(reference())
        self.structures[signature] = [*candidates[1 - MOST_CANDIDATES :], weakref.ref(structure)]
        operation = structure.user_operation()
        if operation is None:
            self._held.add(structure)
        else:
            vars(operation).setdefault("structures_of_tapes", []).append(structure)

    def add_program(self, structure: Structure, program: Program, arena_bytes: int) -> None:
        """Stores the program of a structure."""
        if self.arena_bytes + arena_bytes > MOST_ARENA_BYTES:
            self.clear()
        structure.program, structure.arena_bytes = program, arena_bytes

    def _keep(self, is_kept: Callable[[Structure], bool]) -> None:
        """Forgets the structures for which a function is false."""
        self._held = {structure for structure in self._held if is_kept(structure)}
        kept = {structure for structure in self if is_kept(structure)}
        lists = {key: [one for one in references if one() in kept] for key, references in self.structures.items()}
        self.structures = {key: references for key, references in lists.items() if references}

    def clear(self) -> None:
        """Forgets all structures."""
        self.structures, self._held = {}, set()
        forward_passes.clear()


programs = _Programs()
_making = threading.Lock()
"""Held by the thread that makes a program; other threads use the gradient rules meanwhile."""


def gradients_of_tape(
    entries: list[TapeEntry],
    targets: list[Tensor],
    keys: list[list[int]],
    forward: StepPrediction | None = None,
) -> list[Any]:
    """Returns what ``backward_pass`` returns for weights of ones, by a program if the structure has one.

    Args:
        entries, targets, keys: as for ``backward_pass``.
        forward: the tape's pass, if it follows a known order or is noted; see ``repeated_forward.py``.
    """
    if recorders.active or dispatchers or not programs.is_on or len(entries) > MOST_ENTRIES:
        return backward_pass(entries, targets, keys)
    structure_and_tensors = forward.found(entries, targets, keys) if forward is not None else None
    if structure_and_tensors is None:
        structure_and_tensors = programs.find(entries, targets, keys)
        if structure_and_tensors is None:
            return backward_pass(entries, targets, keys)
    structure, tensors = structure_and_tensors
    program = structure.program
    if program is None:
        if structure.runs < RUNS_BEFORE_PROGRAM or compiling_threads or not _making.acquire(blocking=False):
            structure.runs += 1
            return backward_pass(entries, targets, keys)
        try:
            program = structure.program  # of another thread, perhaps
            if program is None:
                maker = module_of(Hook.BACKWARD_PROGRAMS)
                program, arena_bytes = maker.make_backward_program(entries, targets, keys, tensors)
                programs.add_program(structure, program, arena_bytes)
                forward_passes.expect()
        finally:
            _making.release()
    elif forward is not None:
        forward.end(structure, tensors, entries)
    try:
        return program(tensors)
    except Exception:  # noqa: BLE001  # the gradient rules raise the error that users know
        return backward_pass(entries, targets, keys)


def _structure_of(
    parts: _Parts, targets: list[Tensor], keys: list[list[int]]
) -> tuple[Structure, Sequence[Tensor]] | None:
    """Returns the structure of a tape, and its tensors; None for a tape that no program takes."""
    operations, attributes, counts, operands, ids = parts
    count = len(operations)
    first_output = sum(counts[:count])
    made = set(ids[first_output:])
    if len(made) != len(ids) - first_output or not made.union(ids[:first_output]).issuperset(map(id, targets)):
        return None
    leaves = {key: position for position, key in reversed([*enumerate(ids[:first_output])]) if key not in made}
    given = sorted(leaves.values())
    position = first_output
    for operation, output_count in zip(operations, counts[count:], strict=True):
        if operation.run is None:
            # `tape.record` makes one for each call: it does not repeat, and it holds the arrays of its call.
            return None
        if operation.result is None or operation.depends_on_values:
            given += range(position, position + output_count)
        position += output_count
    if any(type(x._array) is not np.ndarray for x in operands):
        return None
    try:
        known = [*map(known_attributes, attributes)]
    except TypeError:
        return None
    structure = Structure(parts, known, [(n, layout_of(operands[n])) for n in given], targets, keys)
    tensors = structure.tensors_of(parts, targets, keys)
    return None if tensors is None else (structure, tensors)
