"""Traces: the recordings of one key, which differ in the outcomes of their guards."""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from fastgrad.compiler.control_flow.graph_operation import StatefulCall
from fastgrad.compiler.control_flow.of_graphs import is_outgrown, rooms_of
from fastgrad.compiler.dispatch.results import Results
from fastgrad.compiler.graph.graph import Graph, Kind, Node
from fastgrad.compiler.graph.interpret import GuardError
from fastgrad.compiler.passes.tree import Apart
from fastgrad.compiler.programs.program import Program, Unfit
from fastgrad.compiler.recording.made_operation import watched
from fastgrad.compiler.recording.record import Recording
from fastgrad.core.tensor import Tensor
from fastgrad.core.variable import sharing
from fastgrad.kernels.codegen.gc_pause import without_collections
from fastgrad.kernels.codegen.locks import new_rlock

MOST = 128
"""The most traces of one key. When there are more, the older half is dropped, and recorded again if it is needed."""

_MOST_ALWAYS_REBUILT = 8
"""Up to this number of traces each new one is compiled into the tree at once; later ones wait until they are a quarter of it."""


class NotCompiled(Exception):
    """The compiler failed by an internal error, which is the cause."""


class Way:
    """One trace: a recording for one set of guard outcomes.

    Args:
        recording: of a run that has ended.
        results: of that run.
        count: the number of arguments.
        by_value: arguments of the recording that are constants of the program, by their number.

    Attributes:
        graph: the recorded graph.
        results: how the results are put together.
        rooms: loops in it that are made for a limited number of iterations.
        device: the GPU that it ran on; None for the host.
    """

    def __init__(
        self, recording: Recording, results: Results, count: int, by_value: Mapping[int, np.ndarray] | None = None
    ) -> None:
        self.graph = with_constants(recording.graph(results.done()), by_value or {})
        self.results = results
        self.rooms = rooms_of(self.graph)
        self.device = recording.device
        self._count = count
        self._has_own_gradients = recording.has_own_gradients
        self._captured = [weakref.ref(tensor) for tensor in recording.captured]
        self._call: StatefulCall | None = None

    def call(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """Returns the results, computed as one operation on tensors, which tapes record.

        Raises:
            GuardError: a guard has another outcome; nothing has changed.
        """
        if self._call is None:
            self._call = StatefulCall(self.graph, self._count, "function")
        return self._call(*tensors)

    def hides_gradients(self) -> bool:
        """True if a gradient of the function, computed outside it, would differ from that of its Python.

        This is so if the function computes gradients itself, or if a tape watches a tensor that it captures.
        """
        if self._has_own_gradients:
            return True
        captured = [tensor for tensor in [weak() for weak in self._captured] if tensor is not None]
        return any(watched(captured))


def with_constants(graph: Graph, by_value: Mapping[int, np.ndarray]) -> Graph:
    """Returns the graph with constants for some of its arguments; the others are numbered without gaps."""
    if not by_value:
        return graph

    def changed(node: Node) -> Node:
        if node.kind is not Kind.ARGUMENT:
            return node
        if node.payload in by_value:
            return replace(node, kind=Kind.CONSTANT, payload=by_value[node.payload])
        return replace(node, payload=node.payload - sum(number < node.payload for number in by_value))

    return Graph([changed(node) for node in graph.nodes], graph.results)


class Tree:
    """A program of several traces.

    Attributes:
        ways: the traces, by their numbers in the program.
        program: compiled.
        single: the program as a function of arrays, if it is one native call.
        shared: the value of ``sharing.last`` when no tensor shared memory that the program writes.
    """

    def __init__(self, ways: Sequence[Way]) -> None:
        self.ways = tuple(ways)
        device = next((trace.device for trace in ways if trace.device is not None), None)
        graphs = [trace.graph for trace in ways]
        self.program = Program(*graphs) if device is None else device.program(*graphs)
        self.single = self.program.single() if self.program.plan.native else None
        self.shared = [-1]

    def replay(self, arrays: Sequence[np.ndarray]) -> tuple[Way, list[np.ndarray]]:
        """Runs the program; returns the trace that it took and the results. For one caller at a time.

        Raises:
            GuardError: a guard has an outcome without a trace; nothing has changed.
        """
        try:
            if self.single is None:
                raise Unfit
            if self.shared[0] != sharing.last:
                self.shared[0] = sharing.last
                self.program.release()
            number, results = self.single(*arrays)
        except Unfit:
            number, results = self.program.replay(arrays)
        return self.ways[number], results


class Ways:
    """All traces of one key; those that were called again are compiled, as one tree if possible."""

    def __init__(self) -> None:
        self.trees: list[Tree] = []
        self._waiting: list[Way] = []
        self._lock = new_rlock()

    def __len__(self) -> int:
        return sum(len(tree.ways) for tree in self.trees) + len(self._waiting)

    def __iter__(self) -> Any:
        return iter([trace for tree in self.trees for trace in tree.ways] + self._waiting)

    def add(self, way: Way) -> None:
        """Adds a new trace, and drops the traces with a loop whose capacity was too small."""
        with self._lock:
            usable = [trace for trace in self if not is_outgrown(trace.rooms)]
            usable = usable if len(usable) < MOST else usable[-MOST // 2 + 1 :]
            if len(usable) < len(self):
                self.trees, self._waiting = [], usable
            self._waiting.append(way)

    def prepare(self) -> None:
        """Compiles the first traces, which may take seconds, before a lock is held that other threads wait for."""
        if not self.trees:
            with self._lock:
                if not self.trees and self._waiting:
                    self._compile()

    def replay(self, arrays: Sequence[np.ndarray]) -> tuple[Way, list[np.ndarray]] | None:
        """Replays the trace that the values select; None if it was never recorded, and then nothing has changed."""
        for tree in self.trees:
            try:
                return tree.replay(arrays)
            except GuardError:
                continue
        with self._lock:
            if not self._waiting:
                return None
            self._compile()
        return self.replay(arrays)

    def _compile(self) -> None:
        """Compiles the traces that wait, together with the first tree if that pays; after a failure they still wait.

        Raises:
            MemoryError: there is too little memory now.
            NotCompiled: the compiler has failed.
        """
        try:
            with without_collections():
                self.trees, self._waiting = self._compiled(), []
        except MemoryError:
            raise
        except Exception as error:
            raise NotCompiled(error) from error

    def _compiled(self) -> list[Tree]:
        """Returns the trees, with the traces that wait."""
        first_traces = self.trees[0].ways if self.trees else ()
        loose = [trace for tree in self.trees[1:] for trace in tree.ways] + self._waiting
        if len(first_traces) < _MOST_ALWAYS_REBUILT or 4 * len(loose) >= len(first_traces):
            try:
                return [Tree([*first_traces, *loose])]
            except Apart:
                pass  # they differ without a guard: each becomes a separate program
        return [*self.trees, *[Tree([trace]) for trace in self._waiting]]

    def call(self, tensors: Sequence[Tensor]) -> tuple[Way, list[Tensor]] | None:
        """Does the same as ``replay``, on tensors and under tapes."""
        for trace in self:
            try:
                return trace, trace.call(tensors)
            except GuardError:
                continue
        return None

    def hide_gradients(self) -> bool:
        """True if only the Python function gives the right gradients under tapes."""
        return any(trace.hides_gradients() for trace in self)
