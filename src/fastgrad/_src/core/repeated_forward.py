"""Forward passes that repeat: native programs compute the results of a tape's operations ahead of their calls.

A tape whose backward pass has a program (``repeated_backward.py``) mostly comes with the same operations in the same order.
Once all operations of such a tape have been noted, the operations between two tensors from outside make a stretch. One program
computes a stretch at the call of its first operation. Each later call is compared with the noted one: the operation, the
attributes, and the inputs by identity. A call that matches gets its result; the first one that does not match, and all later
ones, run as always. The results have the bits of the operations' own ``run``.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from operator import itemgetter
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from fastgrad._src.core import settings_version
from fastgrad._src.core.dispatch import dispatchers
from fastgrad._src.core.hooks import Hook, module_of
from fastgrad._src.core.operation import TABLE, Form, Operation
from fastgrad._src.core.recording import call_unrecorded, recorders
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.core.variable import Variable

LEAST_CALLS = 3
"""The fewest operations of a stretch whose results a program computes."""

TIMED_PASSES = 24
"""The number of passes with programs, and without, whose least times are compared."""

LEAST_GAIN = 0.97
"""The time with programs over the time without, above which programs do not pay."""

MOST_MISSES = 4
"""The number of passes in a row that leave the noted order, after which the order is given up."""


class Layout(NamedTuple):
    """The dtype and shape of an array, and whether it is contiguous."""

    dtype: np.dtype
    shape: tuple[int, ...]
    is_contiguous: bool


def layout_of(x: Tensor) -> Layout:
    """Returns the layout of the array of ``x``."""
    array = x._array
    return Layout(array.dtype, array.shape, array.flags.c_contiguous)


class Call(NamedTuple):
    """An operation's call on a tape."""

    operation: Operation
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    attributes: dict[str, Any]


class Stretch(NamedTuple):
    """Calls whose results one program computes.

    Attributes:
        variables: the numbers of tensors that are values of variables, with these variables.
        constants: the numbers of tensors that are the same objects at each pass, with these tensors.
        arguments: the numbers of the tensors that the program takes.
        results: the numbers of the tensors that it computes.
        replay: the program.
    """

    variables: list[tuple[int, weakref.ref[Variable]]]
    constants: list[tuple[int, Tensor]]
    arguments: list[int]
    results: list[int]
    replay: Callable[[list[Any]], tuple[int, list[np.ndarray]]]


class Step(NamedTuple):
    """What is known of a call. The tensors of a pass are numbered in the order in which they come.

    Attributes:
        operation, attributes: of the call.
        types, texts: see ``repeated_backward._EntryStructure``.
        inputs, outputs: the numbers of its tensors.
        leaves: the numbers of inputs that come from outside here for the first time, with their layouts.
        layouts: those of the results of a call that runs by itself; None for one whose results a program computes.
        stretch: the stretch that begins at this call.
        is_on_tape: whether the tape keeps the call.
    """

    operation: Operation
    attributes: dict[str, Any]
    types: list[type]
    texts: list[str] | None
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    leaves: tuple[tuple[int, Layout], ...]
    layouts: tuple[Layout, ...] | None
    stretch: Stretch | None
    is_on_tape: bool
    is_tuple: bool


class ForwardPass:
    """The known order of the operations of a tape, and its stretches.

    Attributes:
        structure: the tape's structure (``repeated_backward.Structure``).
        tensors_of_structure: gives the structure's tensors from the pass's tensors.
        misses: the number of passes in a row that left the order.
    """

    def __init__(self, steps: list[Step], count: int, structure: Any, positions: list[int], arena_bytes: int) -> None:
        self.steps, self.count, self.structure, self.arena_bytes = steps, count, structure, arena_bytes
        self.entries = sum(step.is_on_tape for step in steps)
        self.tensors_of_structure = itemgetter(*positions)
        self.settings = settings_version.change_count[0]
        self.misses = 0
        self.is_timed = True
        self.seconds = [float("inf"), float("inf")]  # without programs, with programs
        self.passes = [0, 0]

    def note_time(self, with_programs: bool, begin: float) -> None:
        self.seconds[with_programs] = min(self.seconds[with_programs], perf_counter() - begin)
        self.passes[with_programs] += 1
        if self.passes[1] >= TIMED_PASSES:
            self.is_timed = False
            import os
            if os.environ.get("FGDEBUG"):
                print("TIMED", self.seconds, len(self.steps), [len(s.stretch.results) for s in self.steps if s.stretch])
            if self.seconds[1] > LEAST_GAIN * self.seconds[0]:
                forward_passes.remove(self)


class Follower:
    """One pass that is compared with a known order."""

    __slots__ = ("begin", "forward", "pending", "position", "tape", "tensors")

    def __init__(self, forward: ForwardPass, tape: Any) -> None:
        self.forward, self.tape = forward, tape
        self.position = 0
        self.tensors: list[Any] = [None] * forward.count
        self.pending: Step | None = None
        self.begin = perf_counter()

    def take(
        self, operation: Operation, active: tuple[Any, ...], inputs: tuple[Tensor, ...], attributes: dict[str, Any]
    ) -> Any:
        """Returns what the call of ``operation`` returns, if it was computed ahead; None if it has to run."""
        steps = self.forward.steps
        if self.pending is not None or self.position >= len(steps) or len(active) != 1 or dispatchers:
            return self.leave()
        step = steps[self.position]
        known, known_attributes, types, texts, numbers, outputs, leaves, layouts, stretch, is_on_tape, is_tuple = step
        if operation is not known or len(inputs) != len(numbers):
            return self.leave()
        if attributes or known_attributes:
            if attributes != known_attributes or [*map(type, attributes.values())] != types:
                return self.leave()
            if texts is not None and [*map(repr, attributes.values())] != texts:
                return self.leave()
        tensors = self.tensors
        if leaves:
            for x, number in zip(inputs, numbers):
                if tensors[number] is None:
                    tensors[number] = x
            for number, layout in leaves:
                array = tensors[number]._array
                if (
                    type(array) is not np.ndarray
                    or array.shape != layout.shape
                    or array.dtype != layout.dtype
                    or array.flags.c_contiguous is not layout.is_contiguous
                ):
                    return self.leave()
        if stretch is not None and not self.run(stretch):
            return self.leave()
        for x, number in zip(inputs, numbers):
            if tensors[number] is not x:
                return self.leave()
        self.position += 1
        if layouts is not None:
            self.pending = step
            return None
        if is_tuple:
            y = results = tuple([tensors[number] for number in outputs])
        else:
            y = tensors[outputs[0]]
            results = (y,)
        if is_on_tape:
            tape = self.tape
            tape._tracked.update(map(id, results))
            tape._entries.append((operation, inputs, results, attributes))
        return y

    def run(self, stretch: Stretch) -> bool:
        """Computes the results of a stretch; False if that is not possible."""
        tensors = self.tensors
        for number, reference in stretch.variables:
            variable = reference()
            if variable is None:
                return False
            if tensors[number] is None:
                tensors[number] = call_unrecorded(Variable._read, variable)
        for number, constant in stretch.constants:
            tensors[number] = constant
        try:
            arrays = stretch.replay([tensors[number]._array for number in stretch.arguments])[1]
        except Exception:  # noqa: BLE001  # the operations raise the error that users know
            return False
        for number, array in zip(stretch.results, arrays):
            tensors[number] = Tensor(array)
        return True

    def ran(self, operation: Operation, inputs: Any, outputs: tuple[Tensor, ...], attributes: Any) -> None:
        """Takes the results of a call that ran."""
        if self.pending is None and self.take(operation, recorders.active, inputs, attributes) is not None:
            self.leave()
            return
        step = self.pending
        if step is None or operation is not step.operation or tuple(map(layout_of, outputs)) != step.layouts:
            self.leave()
            return
        self.pending = None
        for number, y in zip(step.outputs, outputs):
            self.tensors[number] = y

    def leave(self) -> None:
        """Lets all further operations of the pass run as always."""
        self.tape._forward = None
        forward = self.forward
        forward.misses += 1
        if forward.misses >= MOST_MISSES:
            forward_passes.remove(forward)

    def end(self, entries: list[Any]) -> None:
        pass


class Timer:
    """A pass without programs whose time is taken."""

    __slots__ = ("begin", "forward", "tape")

    def __init__(self, forward: ForwardPass, tape: Any) -> None:
        self.forward, self.tape = forward, tape
        self.begin = perf_counter()

    def take(self, *_: Any) -> None:
        """Returns None: all calls run."""

    def ran(self, *_: Any) -> None:
        """Does nothing."""


class Notes:
    """The calls of a pass, all of them."""

    __slots__ = ("calls",)

    def __init__(self) -> None:
        self.calls: list[Call] = []

    def take(self, *_: Any) -> None:
        """Returns None: all calls run."""

    def ran(
        self, operation: Operation, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], attributes: Any
    ) -> None:
        """Keeps a call."""
        self.calls.append(Call(operation, inputs, outputs, attributes))


class Start:
    """The state of a tape before its first operation, which says what pass may follow."""

    __slots__ = ("tape",)

    def __init__(self, tape: Any) -> None:
        self.tape = tape

    def take(
        self, operation: Operation, active: tuple[Any, ...], inputs: tuple[Tensor, ...], attributes: dict[str, Any]
    ) -> Any:
        """Returns what the first call returns, if it was computed ahead; None if it has to run."""
        tape = self.tape
        tape._forward = None
        if len(active) != 1 or dispatchers:
            return None
        forward = forward_passes.find(operation, inputs)
        if forward is not None:
            if forward.is_timed and forward.passes[0] <= forward.passes[1]:
                tape._forward = tape._followed = Timer(forward, tape)
                return None
            follower = tape._forward = tape._followed = Follower(forward, tape)
            return follower.take(operation, active, inputs, attributes)
        if forward_passes.wanted:
            tape._forward = tape._followed = Notes()
        return None

    def ran(self, *_: Any) -> None:
        """Does nothing."""


class _ForwardPasses:
    def __init__(self) -> None:
        self.known: dict[Any, ForwardPass] = {}
        self.wanted = 0

    @property
    def is_on(self) -> bool:
        return bool(self.wanted or self.known)

    def find(self, operation: Operation, inputs: tuple[Tensor, ...]) -> ForwardPass | None:
        forward = self.known.get(_key(operation, inputs))
        if forward is not None and forward.settings != settings_version.change_count[0]:
            self.remove(forward)
            return None
        return forward

    def remove(self, forward: ForwardPass) -> None:
        for key, other in [*self.known.items()]:
            if other is forward:
                del self.known[key]

    def learn(self, notes: Notes, structure: Any, tensors: list[Tensor], entries: list[Any]) -> None:
        self.wanted -= 1
        forward = _forward_pass(notes.calls, structure, tensors, entries)
        if forward is not None:
            first = notes.calls[0]
            self.known[_key(first.operation, first.inputs)] = forward


forward_passes = _ForwardPasses()


def _key(operation: Operation, inputs: tuple[Tensor, ...]) -> Any:
    for x in inputs:
        if x._owner is not None:
            return operation, inputs[0]._array.shape, id(x._owner)
    return operation, inputs[0]._array.shape if inputs else None, None


def _runs_by_itself(call: Call) -> bool:
    """True for views."""
    return _shares_memory(call) and call.operation.lowering.index_map.views is not None


def _shares_memory(call: Call) -> bool:
    return any(np.may_share_memory(y._array, x._array) for y in call.outputs for x in call.inputs)


def _is_computable(call: Call, maker: Any) -> bool:
    row = call.operation
    if TABLE.get(row.name) is not row or row.form in {Form.RANDOM, Form.EXTERN} or row.depends_on_values:
        return False
    if any(type(x._array) is not np.ndarray or x._array.dtype == object for x in (*call.inputs, *call.outputs)):
        return False
    if not all(x._array.flags.c_contiguous for x in (*call.inputs, *call.outputs)):
        return False
    if _shares_memory(call) and not _runs_by_itself(call):
        return False
    return maker.has_bits(call.operation, call.inputs, call.outputs, call.attributes)


def _forward_pass(calls: list[Call], structure: Any, tensors: list[Tensor], entries: list[Any]) -> ForwardPass | None:
    from fastgrad._src.core.repeated_backward import _equals_only_itself

    maker = module_of(Hook.BACKWARD_PROGRAMS)
    on_tape = {id(outputs[0]) for _, _, outputs, _ in entries}
    numbers: dict[int, int] = {}
    all_tensors: list[Tensor] = []
    computable = [_is_computable(call, maker) for call in calls]

    def number_of(x: Tensor) -> int:
        if id(x) not in numbers:
            numbers[id(x)] = len(numbers)
            all_tensors.append(x)
        return numbers[id(x)]

    first_use: list[tuple[int, ...]] = []
    made: set[int] = set()
    for call in calls:
        fresh = []
        for x in call.inputs:
            if id(x) not in numbers:
                fresh.append(number_of(x))
        first_use.append(tuple(fresh))
        for y in call.outputs:
            if id(y) in numbers:
                return None
            made.add(number_of(y))

    from fastgrad._src.core.tensor import scalars

    shared = {id(x) for x in list(scalars.values())}

    def variable_of(number: int) -> Any:
        x = all_tensors[number]
        owner = x._owner
        return owner if owner is not None and owner._snapshot is not None and owner._snapshot() is x else None

    # stretches
    stretches: list[list[int]] = []
    current: list[int] = []
    for position, call in enumerate(calls):
        if not computable[position]:
            # the results arrive from outside
            if current:
                stretches.append(current)
            current = []
            continue
        from_outside = [
            n for n in first_use[position] if variable_of(n) is None and id(all_tensors[n]) not in shared
        ]
        if from_outside and current:
            stretches.append(current)
            current = []
        current.append(position)
    if current:
        stretches.append(current)
    starts: dict[int, Stretch] = {}
    in_stretch: set[int] = set()
    arena_bytes = 0
    for positions in stretches:
        computed = [p for p in positions if not _runs_by_itself(calls[p])]
        # views at the begin and end serve nothing
        if len(computed) < LEAST_CALLS:
            continue
        inside = {numbers[id(y)] for p in positions for y in calls[p].outputs}
        arguments = []
        for p in positions:
            for x in calls[p].inputs:
                n = numbers[id(x)]
                if n not in inside and n not in arguments:
                    arguments.append(n)
        wanted = [numbers[id(y)] for p in computed for y in calls[p].outputs]
        made_program = maker.make_forward_program(
            [calls[p] for p in positions], [all_tensors[n] for n in arguments], [all_tensors[n] for n in wanted]
        )
        if made_program is None:
            continue
        program, used = made_program
        arena_bytes += program.arena_bytes
        begin_fresh = first_use[positions[0]]
        variables, constants = [], []
        for n in arguments:
            v = variable_of(n)
            if v is not None:
                variables.append((n, weakref.ref(v)))
            elif id(all_tensors[n]) in shared:
                constants.append((n, all_tensors[n]))
        starts[positions[0]] = Stretch(variables, constants, [arguments[u] for u in used], wanted, program.replay)
        in_stretch.update(computed)
    if not starts:
        return None
    predicted = {n for s in starts.values() for n, _ in (*s.variables, *s.constants)}
    steps = []
    for position, call in enumerate(calls):
        values = call.attributes.values()
        try:
            hash(tuple(values))
        except TypeError:
            return None
        steps.append(
            Step(
                call.operation,
                call.attributes,
                [*map(type, values)],
                None if all(map(_equals_only_itself, values)) else [*map(repr, values)],
                tuple([numbers[id(x)] for x in call.inputs]),
                tuple([numbers[id(y)] for y in call.outputs]),
                tuple([(n, layout_of(all_tensors[n])) for n in first_use[position] if n not in predicted]),
                None if position in in_stretch else tuple(map(layout_of, call.outputs)),
                starts.get(position),
                id(call.outputs[0]) in on_tape if call.outputs else False,
                len(call.outputs) != 1,
            )
        )
    if any(id(x) not in numbers for x in tensors):
        return None
    return ForwardPass(steps, len(numbers), structure, [numbers[id(x)] for x in tensors], arena_bytes)
