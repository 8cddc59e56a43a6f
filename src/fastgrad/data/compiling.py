"""Functions of elements: recorded at the first one, replayed operation by operation, and compiled where that pays.

TensorFlow traces them before the first element: their Python runs once. Here it runs once for each form of elements (and for each way
that values make it go), with the first of them. What was recorded is replayed with the bits of eager operations; a few elements are made
by a program, too, and compiled is what gave the same bits, left the generators of random numbers in the same states, and was faster.
What can't be recorded, such as a function of NumPy arrays, runs as Python for every element.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np

from fastgrad import nest
from fastgrad.data.structure import packer
from fastgrad.floating_errors import QUIET, errors_reset, errors_set
from fastgrad.ops.random_generator import default_states, restore_default_states
from fastgrad.placement import device_of, through_host
from fastgrad.recording import recorders
from fastgrad.tensor import Tensor
from fastgrad.trace.calling.eagerly import functions_run_eagerly, ops_are_deterministic
from fastgrad.trace.calling.results import ARGUMENT, COMPUTED
from fastgrad.trace.calling.ways import Way
from fastgrad.trace.function import Function
from fastgrad.trace.graphs.graph import Kind, Node
from fastgrad.trace.graphs.interpret import GuardError
from fastgrad.trace.recording.host_call import HostCall
from fastgrad.variable import Variable

AFTER = 32  # calls, before it is tried to compile
SLOW = 100e-6  # seconds; calls that take longer are tried at once
TRIALS = 8  # calls done both ways; the first compiles, and those after the second are timed
UNTIMED = 2
FORMS = 4  # shapes of elements for which a program is made
RECORDED_FORMS = 64  # shapes of elements for which what Python did is kept
WAYS = 16  # for each of them, so many ways that it went


def unrecorded(called: Callable[..., Any], *arguments: Any) -> Any:
    """``called(*arguments)``, unseen by the gradient tapes of this thread."""
    active = recorders.active
    if not active:
        return called(*arguments)
    recorders.active = ()
    try:
        return called(*arguments)
    finally:
        recorders.active = active


def call(called: Callable[..., Any], element: Any) -> Any:
    """A user's function on an element, unrecorded: a tuple is unpacked into arguments, anything else, named tuples too, passed whole."""
    return unrecorded(called, *element) if type(element) is tuple else unrecorded(called, element)


def traced_call(called: Traced, element: Any) -> Any:
    """As ``call``, of a function that is recorded."""
    return called(*element) if type(element) is tuple else called(element)


class Traced:
    """A function of elements whose Python runs once for elements of one form, and replays what it did for others.

    Args:
        function: what a user gave.

    Attributes:
        recorded: the same as ``tf.function`` has it, for elements of some forms.
        forms: their shapes and dtypes.
        repeats: whether a program may be tried: there is one way, which changes nothing but the states of random numbers.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.recorded = Function(_plain(function), runs_unrecorded=True)
        self.forms: set[Any] = set()
        self.repeats = True
        self._replays: dict[Any, list[Replay]] = {}
        self._is_python = isinstance(function, Function)
        self._recording = threading.Lock()

    def __call__(self, *arguments: Any) -> Any:
        """The function of the arguments, unseen by the gradient tapes of this thread."""
        leaves: Any = arguments
        if not all([type(leaf) is Tensor for leaf in leaves]):  # noqa: C419  # twice as fast as a generator
            leaves = nest.flatten(arguments)
            self._is_python = self._is_python or not all(type(leaf) is Tensor for leaf in leaves)
        if self._is_python or ops_are_deterministic() or functions_run_eagerly():
            return unrecorded(self.function, *arguments)
        arrays = [leaf._array for leaf in leaves]
        form = _form(leaves)
        replays = self._replays.get(form, ())
        for replay in replays:
            try:
                return replay(arrays, leaves)
            except GuardError:
                continue
        is_full = len(replays) >= WAYS or (not replays and len(self._replays) >= RECORDED_FORMS)
        if is_full or not self._recording.acquire(blocking=False):
            return unrecorded(self.function, *arguments)
        try:
            return self._record(form, arguments, arrays)
        finally:
            self._recording.release()

    def _record(self, form: Any, arguments: tuple[Any, ...], arrays: list[Any]) -> Any:
        """Runs the function as Python and keeps what it did."""
        replays = self._replays.get(form, [])
        is_first = not replays and len(self.forms) < FORMS
        function = self.recorded if is_first else Function(_plain(self.function), runs_unrecorded=True)
        before = function._recordings
        # Each leaf is a tensor of its own: one that stands in two places is two arguments.
        passed = nest.pack_sequence_as(arguments, [Tensor(array) for array in arrays])
        result = unrecorded(function, *passed)
        if function.gave_up:
            self._is_python = True
        elif function._recordings > before and function._last is not None:
            replay = Replay(list(function._last.ways)[-1])
            self.repeats = self.repeats and replay.repeats and not replays
            if replay.may_end_early:
                self._is_python = True
            else:
                self._replays[form] = [*replays, replay]
                if is_first:
                    self.forms.add(form)
        return result


def _plain(function: Callable[..., Any]) -> Callable[..., Any]:
    """A Python function that calls ``function``, which may be any object."""

    def called(*arguments: Any) -> Any:
        return function(*arguments)

    return called


class Replay:
    """What a function has done, operation by operation: the bits of eager operations, and without a compiler.

    Args:
        way: what was recorded.

    Attributes:
        may_end_early: whether a guard comes after a change of state.
        repeats: whether it changes nothing but the states of random numbers.
    """

    def __init__(self, way: Way) -> None:
        graph, self._results = way.graph, way.results
        states = {id(generator._state) for generator, _ in default_states()}
        assigned = {id(node.payload) for node in graph.nodes if node.kind is Kind.ASSIGN}
        kinds = [node.kind for node in graph.nodes]
        self.may_end_early = bool(assigned) and Kind.GUARD in kinds[kinds.index(Kind.ASSIGN) :]
        self.repeats = assigned <= states and not any(isinstance(node.payload, HostCall) for node in graph.nodes)
        places: dict[int, int] = {}
        self._values: list[Any] = []  # constants in their places
        self._arguments: list[tuple[int, int]] = []
        self._steps: list[tuple[Callable[..., Any], list[int], dict[str, Any], list[int]]] = []
        for node in graph.nodes:
            inputs = [places[id(value)] for value in node.inputs]
            for value in node.outputs:
                places[id(value)] = len(self._values)
                self._values.append(node.payload if node.kind is Kind.CONSTANT else None)
            outputs = [places[id(value)] for value in node.outputs]
            match node.kind:
                case Kind.ARGUMENT:
                    self._arguments.append((outputs[0], node.payload))
                case Kind.READ:
                    self._steps.append((_reader(node.payload, id(node.payload) in assigned), inputs, {}, outputs))
                case Kind.OPERATION:
                    self._steps.append((node.payload.run, inputs, node.attributes, outputs))
                case Kind.ASSIGN:
                    self._steps.append((_assigner(node.payload), inputs, {}, []))
                case Kind.GUARD:
                    self._steps.append((_Guard(node), inputs, {}, []))
        self._given = [places[id(value)] for value in graph.results]
        plan = self._results.plan
        self._pack = None
        if plan[0] is list and all(part[0] in (COMPUTED, ARGUMENT) for part in plan[2]):
            self._pack = packer(plan[1])

    def __call__(self, arrays: list[Any], leaves: Any) -> Any:
        """The function's result.

        Args:
            arrays: those of the arguments' tensors.
            leaves: these tensors.

        Raises:
            GuardError: the values want another way; nothing has changed.
        """
        if any(map(device_of, arrays)):
            given = through_host(lambda found: self._run(list(found)), arrays)
        else:
            given = self._run(arrays)
        if self._pack is None:
            return self._results.packed(given, leaves)
        return self._pack(
            [Tensor(given[place]) if kind is COMPUTED else leaves[place] for kind, place in self._results.plan[2]]
        )

    def _run(self, arrays: list[Any]) -> list[np.ndarray]:
        values = self._values.copy()
        for place, number in self._arguments:
            values[place] = arrays[number]
        snapshots = []  # which keep their values while they are alive
        token = errors_set(QUIET)
        try:
            for run, inputs, attributes, outputs in self._steps:
                found = run(*[values[place] for place in inputs], **attributes)
                if type(found) is np.ndarray:
                    values[outputs[0]] = found
                elif type(found) is Tensor:
                    snapshots.append(found)
                    values[outputs[0]] = found._array
                else:
                    for place, array in zip(outputs, found if type(found) is tuple else (found,), strict=False):
                        values[place] = np.asarray(array)
        finally:
            errors_reset(token)
        return [values[place] for place in self._given]


def _reader(variable: Variable, is_assigned: bool) -> Callable[[], Any]:
    def read() -> Any:
        return variable._array.copy() if is_assigned else unrecorded(variable._read)  # a snapshot, which costs nothing

    return read


def _assigner(variable: Variable) -> Callable[[np.ndarray], tuple[()]]:
    def assign(array: np.ndarray) -> tuple[()]:
        unrecorded(variable.assign, array.copy())
        return ()

    return assign


class _Guard:
    def __init__(self, node: Node) -> None:
        self._node = node
        self._kind, self._wanted = node.payload

    def __call__(self, array: np.ndarray) -> tuple[()]:
        scalar = array.reshape(())
        found = bool(scalar) if self._kind == "bool" else int(scalar)
        if found != self._wanted:
            raise GuardError(self._node, found)
        return ()


class Compiling:
    """A function of elements that is compiled where that pays.

    Args:
        function: what a user gave to ``map``.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._traced = Traced(function)
        self._compiled: Callable[..., Any] | None = None
        self._decided = isinstance(function, Function)
        self._calls = self._trials = 0
        self._python = self._program = float("inf")  # seconds of the shortest call
        self._trying = threading.Lock()

    def __call__(self, element: Any) -> Any:
        """The function of an element."""
        compiled = self._compiled
        if compiled is not None and _form(nest.flatten(element)) in self._traced.forms:
            return call(compiled, element)
        if compiled is not None or self._decided or not self._trying.acquire(blocking=False):
            return traced_call(self._traced, element)
        try:
            return self._tried(element) if self._is_due(element) else self._timed(element)
        finally:
            self._trying.release()

    def as_python(self, element: Any) -> Any:
        """The function of an element that is none of the dataset's: nothing is recorded."""
        return call(self._traced.function, element)

    def _is_due(self, element: Any) -> bool:
        if (
            ops_are_deterministic() or not self._traced.repeats
        ):  # in the first case eight elements that agree are not enough
            return False
        if self._calls < AFTER and (self._calls < 2 or self._python < SLOW):
            return False
        return _form(nest.flatten(element)) in self._traced.forms

    def _timed(self, element: Any) -> Any:
        began = perf_counter()
        result = traced_call(self._traced, element)
        self._python = min(self._python, perf_counter() - began)
        self._calls += 1
        return result

    def _tried(self, element: Any) -> Any:
        """By the replay of what was recorded, and compiled."""
        if self._trials == UNTIMED:
            self._python = self._program = float("inf")  # from here on under the same conditions
        before = default_states()
        result = self._timed(element)
        after = default_states()
        self._trials += 1
        restore_default_states(before)
        began = perf_counter()
        try:
            found = call(self._traced.recorded, element) if _are_numbers(element) and _are_numbers(result) else None
            self._program = min(self._program, perf_counter() - began)
            same = found is not None and _bits(found) == _bits(result)
        except Exception:  # noqa: BLE001 (whatever it can't do compiled, the replay has just done)
            same = False
        if default_states() != after:
            restore_default_states(after)
            same = False
        self._decided = not same or self._trials == TRIALS
        if self._decided and same and self._program < self._python:
            self._compiled = self._traced.recorded
        return result


def _form(leaves: Any) -> Any:
    """What elements that may share a program have in common."""
    return tuple([(leaf._array.shape, leaf._array.dtype) if type(leaf) is Tensor else None for leaf in leaves])


def _are_numbers(element: Any) -> bool:
    """Whether there is nothing but tensors of numbers in it."""
    return all(
        leaf is None or (isinstance(leaf, Tensor) and not leaf._array.dtype.hasobject) for leaf in nest.flatten(element)
    )


def _bits(result: Any) -> list[Any]:
    leaves = [leaf for leaf in nest.flatten(result) if leaf is not None]
    return [(leaf._array.dtype, leaf._array.shape, leaf._array.tobytes()) for leaf in leaves]
