"""Programs of forward passes over tapes; see ``core/repeated_forward.py``."""

from __future__ import annotations

import weakref
from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from fastgrad._src.compiler.dispatch.backward_program import MOST_ARENA_BYTES, NotAProgram, with_used_arguments
from fastgrad._src.compiler.dispatch.locking import LOCK_NOT_FREE, run_under_recording_lock
from fastgrad._src.compiler.graph.graph import Kind, Node
from fastgrad._src.compiler.passes.keep_eager_bits import has_bits_of_eager
from fastgrad._src.compiler.programs.pipeline import optimize_for_tapes
from fastgrad._src.compiler.programs.program import Program
from fastgrad._src.compiler.recording.record import Recording
from fastgrad._src.core.backward import TapeEntry
from fastgrad._src.core.call_signature import Layout, known_attributes, layout_of
from fastgrad._src.core.operation import TABLE, Form
from fastgrad._src.core.repeated_forward import ForwardPass, KnownCall, NotedCall, Segment
from fastgrad._src.core.tensor import Tensor, scalars
from fastgrad._src.core.variable import Variable

LEAST_RESULTS = 3
"""The fewest calls of a segment; below, a call of the program takes longer than it saves."""

COMPARISON_COST = 2.5
SEGMENT_COST = 5.0
RESULT_GAIN = 3.5
MEGABYTE_GAIN = 15.0
"""Microseconds: what the comparison of a call and the run of a segment take, and what a result of a segment and a megabyte of such results
save. They are fitted to the steps of ``benchmarks/peers`` on an AMD EPYC; only their ratios matter."""


def make_forward_pass(
    calls: list[NotedCall],
    variables: dict[int, Variable],
    structure: Any,
    tensors: Sequence[Tensor],
    entries: list[TapeEntry],
) -> ForwardPass | None:
    """Returns the forward pass of a tape with its programs; None if no program computes a part of it.

    Args:
        calls: all calls of the pass.
        variables: the variables whose values are inputs, by the ids of these tensors.
        structure, tensors: those of the tape.
        entries: the calls that the tape keeps.
    """
    try:
        made = run_under_recording_lock(_Maker(calls, variables, structure, tensors, entries).forward_pass)
    except Exception:  # noqa: BLE001  # whatever stops the compiler, the operations run
        return None
    return None if made is LOCK_NOT_FREE else made


def _belongs_on_tape(call: NotedCall) -> bool:
    """True if a tape keeps such a call."""
    has_floats = any(y._array.dtype.kind in "fcV" for y in call.outputs)
    return call.is_tracked and call.operation.gradient is not None and has_floats


class _Maker:
    """The maker of a forward pass; arguments as for ``make_forward_pass``.

    Attributes:
        all: the tensors of the pass, in the order in which they come.
        numbers: their numbers, by ids.
        new: for each call the numbers of its inputs that come from outside there.
        arena_bytes: the working memory of the programs so far.
    """

    def __init__(
        self,
        calls: list[NotedCall],
        variables: dict[int, Variable],
        structure: Any,
        tensors: Sequence[Tensor],
        entries: list[TapeEntry],
    ) -> None:
        self.calls, self.variables, self.structure, self.tensors = calls, variables, structure, tensors
        self.on_tape = {id(outputs[0]) for _, _, outputs, _ in entries}
        self.scalars = {id(x) for x in list(scalars.values())}
        self.all: list[Tensor] = []
        self.numbers: dict[int, int] = {}
        self.new: list[list[int]] = []
        self.arena_bytes = 0

    def forward_pass(self) -> ForwardPass | None:
        """Returns the forward pass; None if no program computes a part of it, or the tape lacks a call."""
        if any(
            (id(call.outputs[0]) in self.on_tape) is not _belongs_on_tape(call) for call in self.calls if call.outputs
        ):
            return None  # Ctrl-C came between the notes and the tape
        self._number_tensors()
        segments: dict[int, Segment] = {}
        computed: dict[int, bool] = {}
        predicted: set[int] = set()
        for part in self._parts():
            with suppress(Exception):  # the calls of a segment without a program run
                segment, has_one_result = self._segment(part)
                segments[part[0]] = segment
                computed.update(has_one_result)
                predicted.update(number for number, _ in (*segment.variables, *segment.constants))
        if not segments or not self._saves_time(segments, computed):
            return None
        last_uses = self._last_uses()
        known_calls = []
        for position, (operation, inputs, outputs, attributes, is_tracked) in enumerate(self.calls):
            known_calls.append(
                KnownCall(
                    operation,
                    known_attributes(attributes),
                    self._numbers_of(inputs),
                    self._numbers_of(outputs),
                    self._leaves(position, predicted),
                    is_tracked,
                    None if position in computed else [*map(layout_of, outputs)],
                    segments.get(position),
                    id(outputs[0]) in self.on_tape,
                    computed.get(position, True),
                    last_uses[position],
                )
            )
        numbers = self._numbers_of(self.tensors)
        return ForwardPass(known_calls, len(self.all), self.structure, numbers, self.arena_bytes)

    def _saves_time(self, segments: Collection[int], computed: Collection[int]) -> bool:
        """True if programs that compute the results of the calls at some positions save more than all comparisons take."""
        size = sum(y._array.nbytes for position in computed for y in self.calls[position].outputs) / 1e6
        cost = COMPARISON_COST * len(self.calls) + SEGMENT_COST * len(segments)
        return RESULT_GAIN * len(computed) + MEGABYTE_GAIN * size > cost

    def _leaves(self, position: int, predicted: set[int]) -> list[tuple[int, int, Layout]]:
        inputs = self._numbers_of(self.calls[position].inputs)
        return [(inputs.index(n), n, layout_of(self.all[n])) for n in self.new[position] if n not in predicted]

    def _number_tensors(self) -> None:
        for _, inputs, outputs, _, _ in self.calls:
            self.new.append([])
            for x in inputs:
                if id(x) not in self.numbers:
                    self.new[-1].append(len(self.all))
                    self._number(x)
            for y in outputs:
                if id(y) in self.numbers:
                    raise NotAProgram  # the result of another call
                self._number(y)
        if any(id(x) not in self.numbers for x in self.tensors):
            raise NotAProgram  # entries of other origin

    def _number(self, x: Tensor) -> None:
        self.numbers[id(x)] = len(self.all)
        self.all.append(x)

    def _numbers_of(self, tensors: Sequence[Tensor]) -> list[int]:
        return [self.numbers[id(x)] for x in tensors]

    def _parts(self) -> list[list[int]]:
        """Returns the positions of the calls of each segment."""
        parts: list[list[int]] = [[]]
        predictable = self.scalars | self.variables.keys()
        for position, call in enumerate(self.calls):
            if not self._is_computable(call):
                parts.append([])
                continue
            if any(id(self.all[n]) not in predictable for n in self.new[position]):
                parts.append([])
            parts[-1].append(position)
        return [part for part in parts if len(self._computed(part)) >= LEAST_RESULTS]

    def _is_computable(self, call: NotedCall) -> bool:
        """True if a program can compute the results of a call before the call, with the bits of a run."""
        operation, inputs, outputs, attributes, _ = call
        if TABLE.get(operation.name) is not operation or operation.form in {Form.RANDOM, Form.EXTERN}:
            return False
        arrays = [[x._array for x in tensors] for tensors in (inputs, outputs)]
        if not all(type(x) is np.ndarray and x.flags.c_contiguous for x in (*arrays[0], *arrays[1])):
            return False
        if any(x.dtype.kind not in "fcV" for x in arrays[1]) and id(outputs[0]) in self.on_tape:
            return False  # a tape does not watch integers
        if _shares_memory(call) and not _makes_view(call):
            return False
        node = Node(Kind.OPERATION, operation, tuple(arrays[0]), tuple(arrays[1]), attributes)
        return not (operation.depends_on_values or node.is_collective or node.has_effect) and has_bits_of_eager(node)

    def _computed(self, part: Sequence[int]) -> list[int]:
        """Returns the positions of the calls whose results a program computes: a view is made at its call, which costs less."""
        return [position for position in part if not _makes_view(self.calls[position])]

    def _segment(self, part: Sequence[int]) -> tuple[Segment, dict[int, bool]]:
        """Returns the segment of the calls at these positions, and by position whether a call returns a tensor, not a tuple."""
        made = {id(y) for position in part for y in self.calls[position].outputs}
        arguments = {id(x): x for position in part for x in self.calls[position].inputs if id(x) not in made}
        twins = {key: Tensor(x._array) for key, x in arguments.items()}
        computed = {*self._computed(part)}
        results: list[Tensor] = []
        has_one_result = {}
        recorded = list(twins.values())
        recording = Recording(recorded)
        with recording:
            for position in part:
                operation, inputs, outputs, attributes, _ = self.calls[position]
                y = operation(*[twins[id(x)] for x in inputs], **attributes)
                twins.update(zip(map(id, outputs), y if type(y) is tuple else (y,), strict=True))
                if position in computed:
                    results += outputs
                    has_one_result[position] = type(y) is not tuple
            graph = recording.graph([twins[id(y)] for y in results])
        if recording.captured:
            raise NotAProgram
        graph, used = with_used_arguments(graph, recorded)
        program = Program(graph, optimize=optimize_for_tapes)
        if program.arena_bytes > MOST_ARENA_BYTES:
            raise NotAProgram
        self.arena_bytes += program.arena_bytes
        numbers = self._numbers_of([*arguments.values()])
        new = [(n, self.all[n]) for position in part for n in self.new[position]]
        segment = Segment(
            [(n, weakref.ref(self.variables[id(x)])) for n, x in new if id(x) in self.variables],
            [(n, x) for n, x in new if id(x) in self.scalars and id(x) not in self.variables],
            [numbers[i] for i in used],
            self._numbers_of(results),
            program.replay,
        )
        return segment, has_one_result

    def _last_uses(self) -> list[list[int]]:
        """Returns for each call the numbers of the tensors that no later call takes, and that are not on the tape."""
        kept = {id(x) for x in self.tensors}
        last = {id(x): position for position, call in enumerate(self.calls) for x in (*call.inputs, *call.outputs)}
        uses: list[list[int]] = [[] for _ in self.calls]
        for x in self.all:
            if id(x) not in kept:
                uses[last[id(x)]].append(self.numbers[id(x)])
        return uses


def _makes_view(call: NotedCall) -> bool:
    return call.operation.lowering.index_map.views is not None and _shares_memory(call)


def _shares_memory(call: NotedCall) -> bool:
    return any(np.may_share_memory(y._array, x._array) for y in call.outputs for x in call.inputs)
