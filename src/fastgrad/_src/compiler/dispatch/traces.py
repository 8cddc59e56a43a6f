"""Trace trees: the traces of one key and one set of captured values differ in the outcomes of their guards."""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from fastgrad._src.compiler.control_flow.graph_operation import StatefulCall
from fastgrad._src.compiler.control_flow.subgraph_operation import have_overflowed, loops_with_capacity
from fastgrad._src.compiler.dispatch.background_compilation import BackgroundCompilation, StillCompiling
from fastgrad._src.compiler.dispatch.captures import Captures
from fastgrad._src.compiler.dispatch.results import Results
from fastgrad._src.compiler.graph.graph import Graph, Kind, Node
from fastgrad._src.compiler.graph.interpret import GuardError
from fastgrad._src.compiler.passes.tree import UnmergeableTracesError
from fastgrad._src.compiler.programs.program import Program, UnreadableLayout
from fastgrad._src.compiler.recording.record import Recording
from fastgrad._src.compiler.recording.unlisted_operation import are_watched
from fastgrad._src.core.memory_sharing import memory_sharing
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.jit.gc_pause import pause_gc
from fastgrad._src.jit.locks import new_rlock

MOST_TRACES_PER_TREE = 128
"""The most traces of a tree. When there are more, the older half is dropped, and recorded again if it is needed."""

_MOST_TRACES_COMPILED_AT_ONCE = 8
"""Up to this number of traces each new one is compiled with the others at once; later ones wait until they are a quarter of it."""


class NotCompiled(Exception):
    """Raised if the compiler fails by an internal error, which is the cause."""


class Trace:
    """A trace: a recording for one set of guard outcomes.

    Args:
        recording: of a run that has ended.
        results: of that run.
        count: the number of arguments.
        by_value: arguments of the recording that are constants of the program, by their number.

    Attributes:
        graph: the recorded graph.
        results: how the results are put together.
        loops_with_capacity: loops in it that are made for a limited number of iterations.
        device: the GPU that it ran on; None for the host.
    """

    def __init__(
        self, recording: Recording, results: Results, count: int, by_value: Mapping[int, np.ndarray] | None = None
    ) -> None:
        self.graph = with_constants(recording.graph(results.pop_tensors()), by_value or {})
        self.results = results
        self.loops_with_capacity = loops_with_capacity(self.graph)
        self.device = recording.device
        self._count = count
        self._has_custom_gradients = recording.has_custom_gradients
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

    def needs_python_gradients(self) -> bool:
        """True if a gradient through this trace would differ from a gradient through the Python function.

        This is so if the function computes gradients itself, or if a tape watches a tensor that it captures.
        """
        if self._has_custom_gradients:
            return True
        captured = [tensor for tensor in [weak() for weak in self._captured] if tensor is not None]
        return any(are_watched(captured))


def with_constants(graph: Graph, by_value: Mapping[int, np.ndarray]) -> Graph:
    """Returns the graph with constants for some of its arguments; the others are numbered without gaps."""
    if not by_value:
        return graph

    def without_known_argument(node: Node) -> Node:
        if node.kind is not Kind.ARGUMENT:
            return node
        if node.payload in by_value:
            return replace(node, kind=Kind.CONSTANT, payload=by_value[node.payload])
        return replace(node, payload=node.payload - sum(number < node.payload for number in by_value))

    return Graph([without_known_argument(node) for node in graph.nodes], graph.results)


class CompiledTree:
    """The program of a trace tree, or of some of its traces.

    Attributes:
        traces: by their numbers in the program.
        program: compiled.
        single: the program as a function of arrays, if it is one native call.
        shared: the value of ``memory_sharing.last`` when no tensor shared memory that the program writes.
    """

    def __init__(self, traces: Sequence[Trace]) -> None:
        self.traces = tuple(traces)
        device = next((trace.device for trace in traces if trace.device is not None), None)
        graphs = [trace.graph for trace in traces]
        self.program = Program(*graphs) if device is None else device.compiled_program(*graphs)
        self.single = self.program.exclusive_replay() if self.program.plan.native else None
        self.shared = [-1]

    def replay(self, arrays: Sequence[np.ndarray]) -> tuple[Trace, list[np.ndarray]]:
        """Runs the program; returns the selected trace and the results. Only one thread may call it at a time.

        Raises:
            GuardError: a guard has an outcome without a trace; nothing has changed.
        """
        try:
            if self.single is None:
                raise UnreadableLayout
            if self.program.plan.written:
                memory_sharing.has_single_thread()  # notes that this thread writes
            if self.shared[0] != memory_sharing.last:
                self.shared[0] = memory_sharing.last
                self.program.release()
            number, results = self.single(*arrays)
        except UnreadableLayout:
            number, results = self.program.replay(arrays)
        return self.traces[number], results


class TraceTree:
    """The traces of one key and one set of captured values: they branch at their guards.

    Traces are compiled together. Those that differ without a guard have programs of their own.

    Args:
        captures: the captured names, and their values.

    Attributes:
        captures: as given.
        compiled: the programs.
        entries: straight-line code for calls, by their form.
        generators: those of the traces' operations with a seed; see ``Recording.generator_of``.
    """

    def __init__(self, captures: Captures) -> None:
        self.captures = captures
        self.generators: dict[Any, Any] = {}
        self.compiled: list[CompiledTree] = []
        self.entries: dict[Any, Any] = {}
        self._waiting: list[Trace] = []
        self._lock = new_rlock()
        self._compilation: BackgroundCompilation | None = None

    @property
    def traces(self) -> list[Trace]:
        """All traces: those that are compiled, and new ones that wait for compilation."""
        return [trace for compiled in self.compiled for trace in compiled.traces] + self._waiting

    def add(self, new_trace: Trace) -> None:
        """Adds a new trace, and drops the traces with a loop whose capacity was too small."""
        with self._lock:
            traces = self.traces
            usable = [trace for trace in traces if not have_overflowed(trace.loops_with_capacity)]
            usable = usable if len(usable) < MOST_TRACES_PER_TREE else usable[-MOST_TRACES_PER_TREE // 2 + 1 :]
            if len(usable) < len(traces):
                self.compiled, self._waiting = [], usable
            self._waiting.append(new_trace)

    def compile_first_traces(self) -> None:
        """Compiles waiting first traces, before the lock that other threads wait for is taken."""
        if not self.compiled:
            with self._lock:
                if not self.compiled and self._waiting:
                    self._compile()

    def can_compile_in_background(self) -> bool:
        """True if calls may run Python while another thread compiles: no process waits for this one, and no GPU is used."""
        return not any(
            trace.device is not None or any(node.is_collective for node in trace.graph.nodes) for trace in self._waiting
        )

    def replay(
        self, arrays: Sequence[np.ndarray], compiles_beside: bool = False
    ) -> tuple[Trace, list[np.ndarray]] | None:
        """Replays the trace that the values select; None if it was never recorded, and then nothing has changed.

        Args:
            arrays: the arguments.
            compiles_beside: whether another thread compiles what waits for the compiler.

        Raises:
            StillCompiling: another thread compiles.
        """
        for compiled in self.compiled:
            try:
                return compiled.replay(arrays)
            except GuardError:
                continue
        if compiles_beside and self._waiting and self.can_compile_in_background():
            if self._compilation is None:
                self._compilation = BackgroundCompilation(self._compile_waiting)
            if self._compilation.is_running():
                raise StillCompiling
            ended, self._compilation = self._compilation, None
            ended.raise_error()
            return self.replay(arrays, compiles_beside)
        if not self._waiting:
            return None
        self._compile_waiting()
        return self.replay(arrays)

    def _compile_waiting(self) -> None:
        with self._lock:
            if self._waiting:
                self._compile()

    def _compile(self) -> None:
        """Compiles the waiting traces, together with the first program's if that is cheap; after a failure they still wait.

        Raises:
            MemoryError: there is too little memory now.
            NotCompiled: the compiler has failed.
        """
        try:
            with pause_gc():
                self.compiled, self._waiting = self._compiled_with_waiting(), []
        except MemoryError:
            raise
        except Exception as error:
            raise NotCompiled(error) from error

    def _compiled_with_waiting(self) -> list[CompiledTree]:
        """Returns the programs of all traces, the waiting ones as well."""
        first_traces = self.compiled[0].traces if self.compiled else ()
        loose = [trace for compiled in self.compiled[1:] for trace in compiled.traces] + self._waiting
        if len(first_traces) < _MOST_TRACES_COMPILED_AT_ONCE or 4 * len(loose) >= len(first_traces):
            try:
                return [CompiledTree([*first_traces, *loose])]
            except UnmergeableTracesError:
                pass  # they differ without a guard: each becomes a separate program
        return [*self.compiled, *[CompiledTree([trace]) for trace in self._waiting]]

    def call(self, tensors: Sequence[Tensor]) -> tuple[Trace, list[Tensor]] | None:
        """Returns the trace whose guards pass for ``tensors``, and its results; None if no recorded trace passes."""
        for trace in self.traces:
            try:
                return trace, trace.call(tensors)
            except GuardError:
                continue
        return None

    def needs_python_gradients(self) -> bool:
        """True if tapes must run the Python function, as gradients through a trace would differ."""
        return any(trace.needs_python_gradients() for trace in self.traces)
