"""Forward passes that repeat: programs compute the results of a tape's operations before their calls.

A tape whose backward pass has a program (``repeated_backward.py``) mostly comes with the same calls in the same order. A
segment is a part of this order that needs no new tensor from outside but at its first call, and values of variables. One native
program computes the results of a segment at its first call (``compiler/dispatch/forward_program.py``). Each call is then
compared with the known one. If operation, attributes and inputs are the same, it gets its result without a run. From the first
difference on, all calls run as always. The results have the bits of ``run``. The maker of the programs decides from the calls and
the sizes of their results whether they save time; a program on a busy machine gets the same decision.

| ``GradientTape._prediction`` | at a call of an operation | then |
| --- | --- | --- |
| ``UNDECIDED`` | looks for a known order that begins with this call | following, noting or None |
| ``FollowingPrediction`` | compares the call with the known one and returns its result | None at the first difference |
| ``_NotingPrediction`` | keeps the call | makes programs after 16 passes of one structure in a row |
| None | the operation runs | None |
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np

from fastgrad._src.core.backward import TapeEntry
from fastgrad._src.core.call_signature import Attributes, Layout, are_equal, has_layout
from fastgrad._src.core.dispatch import dispatchers
from fastgrad._src.core.hooks import Hook, module_of
from fastgrad._src.core.operation import Operation
from fastgrad._src.core.python_state_version import settings_now
from fastgrad._src.core.recording import call_unrecorded, recorders
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.core.variable import Variable

Tensors = tuple[Tensor, ...]

PASSES_IN_A_ROW = 16
"""The number of noted passes in a row, of tapes that begin alike, that have one structure before it gets programs."""

MOST_NOTED_PASSES = 64
"""The most passes whose calls are kept until one gets programs."""

MOST_CALLS = 4000
"""The most calls of a pass with programs."""

MOST_UNTAPED_BYTES = 32 << 20
"""The most memory of results that the tape does not keep: a pass with programs holds them longer than one without."""

MOST_MISSES = 8
"""The count above which programs are dropped: a pass that leaves the known order adds 2, one that keeps it takes 1 away."""

MOST_FORWARD_PASSES = 256
"""The most forward passes with programs."""

MOST_ARENA_BYTES = 512 << 20
"""The most working memory of all programs."""


class Segment(NamedTuple):
    """Calls whose results one program computes.

    Attributes:
        variables: the numbers of tensors that are values of variables and come in the segment, with the variables.
        constants: the numbers of shared scalars that come in the segment, with these tensors.
        arguments: the numbers of the tensors that the program takes.
        results: the numbers of the tensors that it computes.
        replay: the program; see ``Program.replay``.
    """

    variables: Sequence[tuple[int, weakref.ref[Variable]]]
    constants: Sequence[tuple[int, Tensor]]
    arguments: Sequence[int]
    results: Sequence[int]
    replay: Callable[[list[Any]], tuple[int, list[np.ndarray]]]


class KnownCall(NamedTuple):
    """A call in a known order. The tensors of the pass are numbered in the order in which they come.

    Attributes:
        operation, attributes: of the call.
        inputs, outputs: the numbers of its tensors.
        leaves: the positions of inputs that come from outside at this call, their numbers and layouts.
        is_tracked: whether the tape watches an input, or what it was computed from.
        layouts: those of the results, if the call runs; None if a segment computes them.
        segment: the segment that begins here, else None.
        is_on_tape: whether the tape keeps the call.
        has_one_result: whether the call returns a tensor, not a tuple.
        last_uses: the numbers of tensors that no later call takes.
    """

    operation: Operation
    attributes: Attributes | None
    inputs: Sequence[int]
    outputs: Sequence[int]
    leaves: Sequence[tuple[int, int, Layout]]
    is_tracked: bool
    layouts: Sequence[Layout] | None
    segment: Segment | None
    is_on_tape: bool
    has_one_result: bool
    last_uses: Sequence[int]


class ForwardPass:
    """A known order of calls.

    Args:
        calls: the calls.
        tensor_count: the number of their tensors.
        structure: the tape's structure (``repeated_backward.Structure``).
        numbers: the numbers of the structure's tensors, in its order.
        arena_bytes: the working memory of the programs.

    Attributes:
        entry_count: the number of entries of the tape.
        select: gives the structure's tensors from a list of the pass's tensors.
        settings: the settings with which the programs were made.
    """

    def __init__(
        self,
        calls: Sequence[KnownCall],
        tensor_count: int,
        structure: Any,
        numbers: Sequence[int],
        arena_bytes: int,
    ) -> None:
        self.calls, self.tensor_count, self.structure, self.arena_bytes = calls, tensor_count, structure, arena_bytes
        self.entry_count = sum(call.is_on_tape for call in calls)
        self.select = itemgetter(*numbers)
        self.settings = settings_now()
        self._misses = 0

    def note_end(self, is_complete: bool) -> None:
        """Takes whether a pass kept the known order; drops the programs if too few do."""
        self._misses = max(0, self._misses + (-1 if is_complete else 2))
        if self._misses > MOST_MISSES:
            forward_passes.remove(self)


class StepPrediction:
    """The base of what a tape's operations ask before they run, and what the tape tells afterwards."""

    __slots__ = ()

    def result(self, operation: Operation, inputs: Tensors, attributes: dict[str, Any], active: tuple[Any, ...]) -> Any:
        """Returns what a call returns, if that is known already; None if the operation has to run.

        Args:
            operation, inputs, attributes: of the call.
            active: the recorders of the thread; the tape is the first.
        """

    def on_operation(
        self, operation: Operation, inputs: Tensors, outputs: Tensors, attributes: dict[str, Any], tape: Any
    ) -> None:
        """Reports that ``operation`` has run; the tape has not taken it yet."""

    def found(self, entries: list[TapeEntry], targets: list[Tensor], keys: list[list[int]]) -> Any:
        """Returns the structure of the tape and its tensors, if the pass knows them; arguments as for ``backward_pass``."""

    def end(self, structure: Any, tensors: Sequence[Tensor], entries: list[TapeEntry]) -> None:
        """Reports the structure of the tape, and its tensors."""


class _UndecidedPrediction(StepPrediction):
    """What the first call of a tape asks, which decides what pass comes."""

    __slots__ = ()

    def result(self, operation: Operation, inputs: Tensors, attributes: dict[str, Any], active: tuple[Any, ...]) -> Any:
        tape = active[0]
        if len(active) != 1 or dispatchers:
            tape._prediction = None
            return None
        tape._prediction = prediction = forward_passes.prediction_of(operation, inputs)
        return None if prediction is None else prediction.result(operation, inputs, attributes, active)

    def on_operation(
        self, operation: Operation, inputs: Tensors, outputs: Tensors, attributes: dict[str, Any], tape: Any
    ) -> None:
        """Does the same after a first call that did not ask: a slice of a variable."""
        tape._prediction = prediction = forward_passes.prediction_of(operation, inputs)
        if prediction is not None:
            prediction.on_operation(operation, inputs, outputs, attributes, tape)


UNDECIDED = _UndecidedPrediction()


class FollowingPrediction(StepPrediction):
    """A pass that is compared with a known order.

    Args:
        forward_pass: the known order.
    """

    __slots__ = ("_forward_pass", "_position", "_running", "_tensors")

    def __init__(self, forward_pass: ForwardPass) -> None:
        self._forward_pass = forward_pass
        self._position = 0
        self._tensors: list[Any] = [None] * forward_pass.tensor_count
        self._running: KnownCall | None = None

    def result(self, operation: Operation, inputs: Tensors, attributes: dict[str, Any], active: tuple[Any, ...]) -> Any:
        calls, position, tensors, tape = self._forward_pass.calls, self._position, self._tensors, active[0]
        if position == len(calls) or self._running is not None or len(active) != 1 or dispatchers:
            return self._leave(tape)
        call = calls[position]
        known_operation, known_attributes, numbers, output_numbers, leaves, is_tracked, layouts, segment = call[:8]
        if operation is not known_operation or len(inputs) != len(numbers):
            return self._leave(tape)
        if (attributes or known_attributes) and not are_equal(attributes, known_attributes):
            return self._leave(tape)
        for place, number, layout in leaves:
            tensors[number] = x = inputs[place]
            if not has_layout(x, layout):
                return self._leave(tape)
        if segment is not None and not self._compute(segment):
            return self._leave(tape)
        for x, number in zip(inputs, numbers, strict=True):
            if tensors[number] is not x:
                return self._leave(tape)
        if tape._tracked.isdisjoint(map(id, inputs)) is is_tracked:
            return self._leave(tape)
        self._position = position + 1
        if layouts is not None:
            self._running = call
            return None
        outputs = tuple([tensors[number] for number in output_numbers])
        if call.is_on_tape:
            tape._tracked.update(map(id, outputs))
            tape._entries.append((operation, inputs, outputs, attributes))
        for number in call.last_uses:
            tensors[number] = _GONE
        return outputs[0] if call.has_one_result else outputs

    def on_operation(
        self, operation: Operation, inputs: Tensors, outputs: Tensors, attributes: dict[str, Any], tape: Any
    ) -> None:
        calls, position, active = self._forward_pass.calls, self._position, recorders.active
        if self._running is None and position < len(calls) and calls[position].layouts is not None and active:
            self.result(operation, inputs, attributes, active)  # it did not ask: a slice of a variable
            if tape._prediction is None:
                return
        call, self._running = self._running, None
        if call is None or operation is not call.operation or len(outputs) != len(call.outputs):
            self._leave(tape)
            return
        for y, number, layout in zip(outputs, call.outputs, call.layouts or (), strict=True):
            if not has_layout(y, layout):
                self._leave(tape)
                return
            self._tensors[number] = y
        for number in call.last_uses:
            self._tensors[number] = _GONE

    def found(self, entries: list[TapeEntry], targets: list[Tensor], keys: list[list[int]]) -> Any:
        forward_pass = self._forward_pass
        is_complete = self._position == len(forward_pass.calls) and len(entries) == forward_pass.entry_count
        if is_complete and self._running is None:
            tensors = forward_pass.select(self._tensors)
            if forward_pass.structure.has_ends([*map(id, tensors)], targets, keys):
                forward_pass.note_end(True)
                return forward_pass.structure, tensors
        forward_pass.note_end(False)
        return None

    def _compute(self, segment: Segment) -> bool:
        """Computes the results of a segment; False if that fails: the operations raise the errors that users know."""
        tensors = self._tensors
        for number, reference in segment.variables:
            variable = reference()
            if variable is None:
                return False
            tensors[number] = call_unrecorded(Variable._read, variable)
        for number, constant in segment.constants:
            tensors[number] = constant
        try:
            arrays = segment.replay([tensors[number]._array for number in segment.arguments])[1]
        except Exception:  # noqa: BLE001
            return False
        for number, array in zip(segment.results, arrays, strict=True):
            tensors[number] = Tensor(array)
        return True

    def _leave(self, tape: Any) -> None:
        """Lets all further calls run."""
        tape._prediction = None
        self._forward_pass.note_end(False)


_GONE = object()
"""In place of a tensor that no further call takes."""


class NotedCall(NamedTuple):
    """A call of a pass whose order is to be known.

    Attributes:
        operation, inputs, outputs, attributes: of the call.
        is_tracked: whether the tape watches an input, or what it was computed from.
    """

    operation: Operation
    inputs: Tensors
    outputs: Tensors
    attributes: dict[str, Any]
    is_tracked: bool


class _NotingPrediction(StepPrediction):
    """A pass whose calls are kept."""

    __slots__ = ("_calls", "_untaped_bytes", "_variables")

    def __init__(self) -> None:
        self._untaped_bytes = 0
        self._calls: list[NotedCall] = []
        self._variables: dict[int, Variable] = {}  # by the ids of their values

    def on_operation(
        self, operation: Operation, inputs: Tensors, outputs: Tensors, attributes: dict[str, Any], tape: Any
    ) -> None:
        for x in inputs:
            variable = x._owner
            if variable is not None and variable._snapshot is not None and variable._snapshot() is x:
                self._variables[id(x)] = variable  # now: the variable may change before the end of the pass
        is_tracked = not tape._tracked.isdisjoint(map(id, inputs))
        self._calls.append(NotedCall(operation, inputs, outputs, attributes, is_tracked))
        if not is_tracked or operation.gradient is None:
            self._untaped_bytes += sum([y._array.size * y._array.dtype.itemsize for y in outputs])
        if len(self._calls) > MOST_CALLS or self._untaped_bytes > MOST_UNTAPED_BYTES:
            tape._prediction = None

    def end(self, structure: Any, tensors: Sequence[Tensor], entries: list[TapeEntry]) -> None:
        """Makes programs of the calls if the structure came often enough in a row."""
        beginning = _beginning_of(self._calls[0].operation, self._calls[0].inputs)
        if forward_passes.count_in_a_row(beginning, structure) == PASSES_IN_A_ROW:
            maker = module_of(Hook.FORWARD_PROGRAMS)
            forward_pass = maker.make_forward_pass(self._calls, self._variables, structure, tensors, entries)
            if forward_pass is not None:
                forward_passes.add(beginning, forward_pass)


class _ForwardPasses:
    """The forward passes with programs. Their structures hold them.

    Attributes:
        are_expected: whether a tape may follow one, or be noted.
    """

    def __init__(self) -> None:
        self.are_expected = False
        self._by_beginning: weakref.WeakValueDictionary[Any, ForwardPass] = weakref.WeakValueDictionary()
        self._in_a_row: dict[Any, tuple[weakref.ref[Any], int]] = {}
        self._notes_left = 0

    def expect(self) -> None:
        """Lets the calls of the next passes be kept: one of them may get programs."""
        self._notes_left, self.are_expected = MOST_NOTED_PASSES, True

    def prediction_of(self, operation: Operation, inputs: Tensors) -> StepPrediction | None:
        """Returns the pass of a tape with this first call; None if it neither follows nor is noted."""
        forward_pass = self._by_beginning.get(_beginning_of(operation, inputs))
        if forward_pass is not None:
            if forward_pass.settings == settings_now():
                return FollowingPrediction(forward_pass)
            self.remove(forward_pass)
        if self._notes_left <= 0:
            self.are_expected, self._in_a_row = bool(self._by_beginning), {}
            return None
        self._notes_left -= 1
        return _NotingPrediction()

    def count_in_a_row(self, beginning: Any, structure: Any) -> int:
        """Returns how many noted passes with this beginning had this structure, up to now and in a row."""
        last, count = self._in_a_row.get(beginning, (None, 0))
        count = count + 1 if last is not None and last() is structure else 1
        self._in_a_row[beginning] = weakref.ref(structure), count
        return count

    def add(self, beginning: Any, forward_pass: ForwardPass) -> None:
        """Keeps a forward pass that begins like this."""
        arena_bytes = sum(other.arena_bytes for other in [*self._by_beginning.values()]) + forward_pass.arena_bytes
        if len(self._by_beginning) >= MOST_FORWARD_PASSES or arena_bytes > MOST_ARENA_BYTES:
            self.clear()
        self.are_expected = True
        self._by_beginning[beginning] = forward_pass.structure.forward_pass = forward_pass

    def remove(self, forward_pass: ForwardPass) -> None:
        """Drops a forward pass."""
        forward_pass.structure.forward_pass = None
        for key in [key for key, other in [*self._by_beginning.items()] if other is forward_pass]:
            self._by_beginning.pop(key, None)

    def clear(self) -> None:
        """Drops all."""
        self._by_beginning.clear()
        self._in_a_row, self._notes_left, self.are_expected = {}, 0, False


forward_passes = _ForwardPasses()


def _beginning_of(operation: Operation, inputs: Tensors) -> Any:
    """Returns what tells tapes apart at their first call: its operation and shape, and the first variable, which is one of a model."""
    owner = next((x._owner for x in inputs if x._owner is not None), None)
    return id(operation), inputs[0]._array.shape if inputs else None, id(owner)
