"""Programs: optimized, fused graphs, ready to be replayed in native calls.

A graph is planned (``plan.py``), the plan becomes a frame of words (``frame.py``), and a short generated function calls the
driver on it. Where every node has kernels that function is one native call; nodes that have none run as they
do eagerly, between two stretches of native steps.
"""

from __future__ import annotations

import linecache
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastgrad.errors import InternalError, InvalidArgumentError
from fastgrad.floating_errors import QUIET, errors_reset, errors_set
from fastgrad.kernels import driver
from fastgrad.kernels.body import digest
from fastgrad.kernels.team import begin_shared, go_on_shared
from fastgrad.operation import as_array
from fastgrad.trace.frame import Frame, nanoseconds_of, shares_of
from fastgrad.trace.fuse import fuse
from fastgrad.trace.graph import Graph, Kind, Node, Value
from fastgrad.trace.interpret import GuardError
from fastgrad.trace.passes import optimized
from fastgrad.trace.passes.stage_state import stage_state
from fastgrad.trace.plan import Action, InObject, InPython, Place, Plan, plan
from fastgrad.variable import sharing


class Program:
    """A graph, ready to be replayed. May be used by several threads, and while it runs.

    Args:
        graph: what was recorded; it is optimized, fused and planned here.

    Attributes:
        graph: what is run.
        plan: how.
        source: the generated function.
        arena_bytes: memory that one replay works in, beside what nodes without kernels allocate.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = fuse(stage_state(optimized(graph)))
        self.plan = plan(self.graph)
        self.arena_bytes = self.plan.arena_bytes
        first = Frame(self.plan)
        writer = _Writer(self, first)
        self.source = writer.source
        self._make = writer.compiled()
        self._idle: list[_Run] = [_Run(self, first)]
        self._shared = -1

    def __call__(self, arguments: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Replays the program.

        Args:
            arguments: for each argument of the recording an array of the same shape and dtype.

        Returns:
            The results, arrays of their own.

        Raises:
            GuardError: as ``interpret``.
            InvalidArgumentError: an array has another shape or dtype than it had in the recording.
        """
        if self._shared != sharing.last:
            self._release()
        try:
            run = self._idle.pop()  # in one step: another thread may be here, too
        except IndexError:
            run = _Run(self, Frame(self.plan))
        try:
            return run.replay(*arguments)
        except Unfit:
            return run.replay(*self._fitting(arguments))
        finally:
            self._idle.append(run)

    def function(self, frame: Frame) -> Callable[..., list[np.ndarray]]:
        """The generated function over one frame: arrays in, arrays out."""
        return self._make(frame)

    def stopped(self, frame: Frame, status: int, values: dict[str, Any]) -> None:
        """Raises what a native stretch had to say that did not come to its end."""
        if status != driver.STOPPED:
            raise Unfit
        step = int(frame.words[driver.STOPPED_AT])
        position = next(i for i, steps in enumerate(frame.steps) if step in steps)
        action = self.plan.actions[position]
        arrays = [
            frame.array(place, value) if not isinstance(place, InObject) else values[f"o{place.number}"]
            for place, value in zip(action.inputs, action.node.inputs, strict=True)
        ]
        if action.node.kind is Kind.GUARD:
            raise _left(action.node, arrays[0])
        _run_node(action.node, arrays)  # which says what is wrong
        raise InternalError(
            f"{action.node}: its kernel answered {int(frame.words[driver.ANSWER])}, and nothing is wrong."
        )

    def _release(self) -> None:
        """Gives all tensors that share the memory of variables that will change bytes of their own."""
        last = sharing.last
        for variable in self.plan.written:
            variable._writable()
        self._shared = last

    def _fitting(self, arguments: Sequence[np.ndarray]) -> list[np.ndarray]:
        """The arguments as arrays that the kernels can read."""
        found = list(arguments)
        for number, value in self.plan.arguments:
            array = np.asarray(found[number])
            if array.shape != value.shape or array.dtype != value.dtype:
                raise InvalidArgumentError(
                    f"A compiled program got {array.dtype.name}{list(array.shape)} for argument {number}; it was recorded with "
                    f"{value.type_text}. Record it again for other shapes and dtypes."
                )
            found[number] = np.array(array, dtype=value.dtype, order="C", subok=False, copy=True)
        return found


class Unfit(Exception):
    """An argument is not laid out as kernels read arrays."""


class _Run:
    """A program with memory of its own."""

    def __init__(self, program: Program, frame: Frame) -> None:
        self.frame = frame
        self.replay = program.function(frame)


HELD = 50_000.0
"""Nanoseconds up to which a program keeps the GIL: giving it up and getting it back can take as long."""


def _drivers(plan: Plan) -> tuple[Any, Any]:
    """What runs the steps of a program: with the GIL, without it, or with the team, by the work that there is."""
    launches = [launch for action in plan.actions if action.launches for launch in action.launches.launches]
    if any(shares_of(launch)[0] > 1 for launch in launches):
        return begin_shared, go_on_shared
    if sum(map(nanoseconds_of, launches)) > HELD:
        return driver.begin_released[()], driver.go_on_released[()]
    return driver.begin[()], driver.go_on[()]


def _left(node: Node, array: np.ndarray | None) -> GuardError:
    assert array is not None
    scalar = array.reshape(())
    return GuardError(node, bool(scalar) if node.payload[0] == "bool" else int(scalar))


def _run_node(node: Node, arrays: Sequence[Any]) -> tuple[Any, ...]:
    """The results of a node without kernels."""
    token = errors_set(QUIET)
    try:
        found = node.payload.run(*arrays, **node.attributes)
    finally:
        errors_reset(token)
    return found if type(found) is tuple else (found,)


class _Writer:
    """Writes the generated function of a program."""

    def __init__(self, program: Program, frame: Frame) -> None:
        self.plan = plan = program.plan
        self.scope: dict[str, Any] = {
            "empty": np.empty,
            "copyto": np.copyto,
            "run_node": _run_node,
            "left": _left,
            "as_array": as_array,
            "program": program,
        }
        self._lines: list[str] = []
        self._held: dict[tuple[int, int], str] = {}  # arrays of the frame that Python reads, by place and value
        self._views: list[str] = []
        self._begun = False
        for number, value in enumerate(plan.results, len(plan.arguments)):
            if not isinstance(plan.places.get(id(value)), InPython):
                self.scope[f"dtype{number}"] = value.dtype
                self._lines.append(f"o{number} = empty({value.shape}, dtype{number})")
            else:
                self._lines.append(f"o{number} = empty((), object)  # in its place, a Python object")
        objects = [f"a{number}" for number, _ in plan.arguments]
        self._objects = [*objects, *[f"o{n}" for n in range(len(objects), len(objects) + len(plan.results))]]
        self._write(frame)
        count = max([number for number, _ in plan.arguments], default=-1) + 1
        parameters = ", ".join([*[f"a{i}" for i in range(count)], "*unused"])
        lines = ["def make(frame):", "    words = frame.words", *[f"    {line}" for line in self._views]]
        lines += [f"    def replay({parameters}):", *[f"        {line}" for line in self._lines]]
        first = {number: i for i, number in reversed(list(enumerate(plan.returned)))}
        returned = ", ".join(
            self._result(number) + ("" if first[number] == i else ".copy()") for i, number in enumerate(plan.returned)
        )
        self.source = "\n".join([*lines, f"        return [{returned}]", "    return replay"]) + "\n"

    def compiled(self) -> Callable[[Frame], Callable[..., list[np.ndarray]]]:
        """The maker of the function, to be given a frame."""
        filename = f"<fastgrad program {digest(self.source.encode())[:12]}>"
        linecache.cache[filename] = len(self.source), None, self.source.splitlines(keepends=True), filename
        exec(compile(self.source, filename, "exec"), self.scope)  # noqa: S102 - our own text
        found: Callable[[Frame], Callable[..., list[np.ndarray]]] = self.scope["make"]
        return found

    def _write(self, frame: Frame) -> None:
        steps = range(0)
        for position, (action, own) in enumerate(zip(self.plan.actions, frame.steps, strict=True)):
            if action.launches is not None:
                steps = range(steps.start, own.stop)
                continue
            self._native(steps)
            steps = range(own.stop, own.stop)
            self._python(position, action)
        self._native(steps)

    def _native(self, steps: range) -> None:
        """A stretch of steps in one call; the first call also gives the program its arrays, even if it has no step."""
        if not self._begun:
            self._begun = True
            self.scope["begin"], self.scope["go_on"] = _drivers(self.plan)
            arrays = "".join(f"{name}, " for name in self._objects)
            self._lines.append(f"status = begin(({arrays}), words, {steps.stop})")
        elif steps:
            self._lines.append(f"status = go_on(words, {steps.start}, {steps.stop})")
        else:
            return
        named = ", ".join(f"'o{i}': {name}" for i, name in enumerate(self._objects))
        self._lines.append(f"if status != -1: program.stopped(frame, status, {{{named}}})")

    def _python(self, position: int, action: Action) -> None:
        node = action.node
        self.scope[f"node{position}"] = node
        inputs = [self._array(p, v) for p, v in zip(action.inputs, node.inputs, strict=True)]
        if node.kind is Kind.GUARD:
            look = "bool" if node.payload[0] == "bool" else "int"
            self._lines.append(f"if {look}({inputs[0]}.reshape(())) != {node.payload[1]!r}:")
            self._lines.append(f"    raise left(node{position}, {inputs[0]})")
            return
        if node.kind is Kind.ASSIGN:
            self.scope[f"variable{position}"] = node.payload
            self._lines.append(f"copyto(variable{position}._array, {inputs[0]})")
            return
        self._lines.append(f"found = run_node(node{position}, ({''.join(f'{x}, ' for x in inputs)}))")
        for number, (place, value) in enumerate(zip(action.outputs, node.outputs, strict=True)):
            name = self._array(place, value)
            if isinstance(place, InPython):
                self._lines.append(f"{name} = as_array(found[{number}])")
            else:
                self._lines.append(f"copyto({name}, found[{number}])")

    def _array(self, place: Place, value: Value) -> str:
        """The expression of a value's array."""
        if isinstance(place, InPython):
            return f"v{value.number}"
        if isinstance(place, InObject):
            return f"{self._objects[place.number]}.reshape({value.shape})"
        key = id(value), 0
        if key not in self._held:
            name = self._held[key] = f"m{len(self._held)}"
            self.scope[f"place_{name}"], self.scope[f"value_{name}"] = place, value
            self._views.append(f"{name} = frame.array(place_{name}, value_{name})")
        return self._held[key]

    def _result(self, number: int) -> str:
        value = self.plan.results[number]
        place = self.plan.places.get(id(value))
        if isinstance(place, InPython):
            return f"v{value.number}.copy()"
        return f"o{len(self.plan.arguments) + number}"
