"""Ways: the recordings of one key, which differ in where the program went by the values it found."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastgrad.tensor import Tensor
from fastgrad.trace.graph import Kind
from fastgrad.trace.graph_operation import StatefulCall
from fastgrad.trace.interpret import GuardError
from fastgrad.trace.made_operation import watched
from fastgrad.trace.program import Program
from fastgrad.trace.record import Comparison, Recording
from fastgrad.trace.results import Results
from fastgrad.trace.state import Saved, may_leave_late, state_of

MOST = 128
"""How many ways of one key are kept: the ones used last."""


class Way:
    """One recording: compiled when it is first replayed.

    Args:
        recording: of a run that has ended.
        results: of that run.
        count: the number of arguments.

    Attributes:
        graph: what was recorded.
        results: how the results are put together.
        answers: what each guard found, in order, with the guard's payload.
        replays: how often it was replayed to its end.
    """

    def __init__(self, recording: Recording, results: Results, count: int) -> None:
        self.graph = graph = recording.graph(results.done())
        self.results = results
        self._count = count
        self._has_own_gradients = recording.has_own_gradients
        self._captured = [weakref.ref(tensor) for tensor in recording.captured]
        self._call: StatefulCall | None = None
        self.guards = [node.payload for node in graph.nodes if node.kind is Kind.GUARD]
        self.answers = [payload[1] for payload in self.guards]
        self.replays = 0
        self._program: Program | None = None
        self._staged: list[Any] = []
        self._compiling = threading.Lock()

    @property
    def program(self) -> Program:
        """The compiled graph; compiled here if it is not yet."""
        if self._program is None:
            with self._compiling:
                if self._program is None:
                    program = Program(self.graph)
                    self._staged = state_of(program.graph) if may_leave_late(program.graph) else []
                    self._program = program
        return self._program

    def replay(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Runs the program; nothing has changed if it is left by an error.

        Raises:
            GuardError: it would have gone another way.
        """
        program = self.program
        if not self._staged:
            found = program(arrays)
        else:
            saved = Saved(self._staged)
            try:
                found = program(arrays)
            except BaseException:
                saved.restore()
                raise
        self.replays += 1
        return found

    def call(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """The results as one operation on tensors, of which tapes hear.

        Raises:
            GuardError: it would have gone another way; nothing has changed.
        """
        if self._call is None:
            self._call = StatefulCall(self.graph, self._count, "function")
        return self._call(*tensors)

    def hides_gradients(self) -> bool:
        """Whether a gradient of the function, asked from outside, would be another one than that of its Python.

        It is where the function has gradients of its own, or a tape watches a tensor that it captures.
        """
        if self._has_own_gradients:
            return True
        captured = [tensor for tensor in [weak() for weak in self._captured] if tensor is not None]
        return any(watched(captured))

    @property
    def runner(self) -> Callable[[Sequence[np.ndarray]], list[np.ndarray]]:
        """The shortest way to do what ``replay`` does."""
        program = self.program
        return self.replay if self._staged else program

    def position_of(self, error: GuardError) -> int | None:
        """Which of the recorded guards found another value."""
        for position, payload in enumerate(self.guards):
            if payload is error.node.payload:
                return position
        return None


class Ways:
    """All recordings of one key, the one used last first."""

    def __init__(self) -> None:
        self._ways: list[Way] = []

    def __len__(self) -> int:
        return len(self._ways)

    def __iter__(self) -> Any:
        return iter(list(self._ways))

    @property
    def last(self) -> Way | None:
        """The way that was gone last."""
        return self._ways[0] if self._ways else None

    def add(self, way: Way) -> None:
        """A new recording."""
        self._ways.insert(0, way)
        del self._ways[MOST:]

    def replay(self, arrays: Sequence[np.ndarray]) -> tuple[Way, list[np.ndarray]] | None:
        """Goes the way that the values want; None if it was never recorded, and then nothing has changed."""
        return self._first_of(list(self._ways), arrays, Way.replay)

    def _first_of(self, candidates: list[Way], inputs: Sequence[Any], run: Callable[..., Any]) -> Any:
        while candidates:
            way = candidates[0]
            try:
                found = run(way, inputs)
            except GuardError as error:
                candidates = _others(way, error, candidates)
            else:
                self._to_front(way)
                return way, found
        return None

    def call(self, tensors: Sequence[Tensor]) -> tuple[Way, list[Tensor]] | None:
        """As ``replay``, on tensors and under tapes."""
        return self._first_of(list(self._ways), tensors, Way.call)

    def hide_gradients(self) -> bool:
        """Whether under tapes only the Python function itself will do."""
        return any(way.hides_gradients() for way in self._ways)

    def go_on(
        self, way: Way, error: GuardError, arrays: Sequence[np.ndarray], given: Sequence[Any], missed: Any
    ) -> Any:
        """The result of the call by another way, after ``way`` was left; ``missed`` if it was never recorded."""
        found = self._first_of(_others(way, error, list(self._ways)), arrays, Way.replay)
        return missed if found is None else found[0].results.packed(found[1], given)

    def _to_front(self, way: Way) -> None:
        if self._ways and self._ways[0] is not way and way in self._ways:
            self._ways.remove(way)
            self._ways.insert(0, way)


def _others(way: Way, error: GuardError, candidates: list[Way]) -> list[Way]:
    """The candidates that go as far as ``way`` did, and then by the value found."""
    others = [other for other in candidates if other is not way]
    position = way.position_of(error)
    if position is None:
        return others
    before = way.answers[:position]
    # A guard on several elements is a comparison, which says only that they differ.
    return [
        other
        for other in others
        if len(other.answers) > position
        and other.answers[:position] == before
        and (other.answers[position] == error.found or type(other.guards[position]) is Comparison)
    ]
