"""The recorder of a compiled function: one eager run of the Python function becomes a trace."""

from __future__ import annotations

import weakref
from typing import Any, NamedTuple

from fastgrad._src.compiler.dispatch.agreement import compare_with_other_ranks
from fastgrad._src.compiler.dispatch.captures import CALL_CHANGED, Captures
from fastgrad._src.compiler.dispatch.python_function import PythonFunction
from fastgrad._src.compiler.dispatch.results import Results, as_results
from fastgrad._src.compiler.dispatch.signature import Call, traced_arguments
from fastgrad._src.compiler.dispatch.state import State
from fastgrad._src.compiler.dispatch.traces import Trace, TraceTree
from fastgrad._src.compiler.graph.interpret import GuardError
from fastgrad._src.compiler.recording.record import Recording
from fastgrad._src.compiler.recording.state import SavedVariables
from fastgrad._src.core import nest
from fastgrad._src.core.errors import TraceError
from fastgrad._src.core.history import HistoryNeeded
from fastgrad._src.core.recording import recorders
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.jit.phases import phase


class _Unrecorded(Exception):
    """Raised when a run has ended that can't be replayed.

    Attributes:
        result: of the run.
    """

    def __init__(self, result: Any) -> None:
        super().__init__()
        self.result = result


class _Run(NamedTuple):
    """A run that was recorded.

    Attributes:
        trace: of the run; None if the next call is recorded again: the run has made variables, which the trace would keep alive, or it
            is undecided whether the function reads first what it keeps.
        results: how the result is put together.
        tensors: the results that the program computes.
        read_floats: labels of the floats whose Python value was read.
        settled: labels of the captured names that the function itself has changed.
        created: weak references to the variables that it made.
        saved: the values of variables before it changed them.
        reached: what the users' operations in it reach; see ``Captures.add_snapshots``.
        generators: as of its trace tree.
    """

    trace: Trace | None
    results: Results
    tensors: list[Tensor]
    read_floats: list[str]
    settled: frozenset[str]
    created: list[Any]
    saved: SavedVariables
    reached: dict[int, Any]
    generators: dict[Any, Any]


class Recorder:
    """Records runs of a Python function into the state of a compiled function.

    Args:
        python: the Python function.
        state: of the compiled function.
        runs_unrecorded: whether a call that can't be recorded is no error, as its one run counts.
    """

    def __init__(self, python: PythonFunction, state: State, runs_unrecorded: bool) -> None:
        self._python, self._state, self.runs_unrecorded = python, state, runs_unrecorded

    def record(self, call: Call, objects: list[Any], tree: TraceTree | None, restore_state: bool = False) -> Any:
        """Runs the function for a call, and adds the trace to the state; returns the result.

        Args:
            call: the call.
            objects: that the call depends on by identity.
            tree: the trace tree of the call; None if there is none.
            restore_state: whether the state is restored, and ``CALL_CHANGED`` returned, if the call can be replayed now.
        """
        try:
            is_of_tree = tree is not None and tree.captures.are_unchanged(objects)
            generators: dict[Any, Any] = tree.generators if tree is not None and is_of_tree else {}
            run = self._run_with_capacity(call, objects, generators)
        except _Unrecorded as end:
            return end.result
        try:
            return self._add(run, call, objects, tree, restore_state)
        except BaseException:  # Ctrl-C may come here, too
            if restore_state:
                run.saved.restore()
            raise

    def _add(self, run: _Run, call: Call, objects: list[Any], tree: TraceTree | None, restore_state: bool) -> Any:
        """Adds the trace of a run to the state; returns the result, or ``CALL_CHANGED``."""
        state = self._state
        if run.created:
            self._refuse_created_variables(run, call, objects)
        state.recordings += 1
        for label in run.read_floats:
            state.floats.make_static(label)
        if run.read_floats:
            call = Call(call.arguments, state.floats)  # these floats are part of its key
        key = state.cache.add(call)
        captures = Captures(self._python.callable(), call.arguments, objects, run.settled, run.reached)
        if run.trace is None:  # the next call is recorded again
            if run.created:
                key.made_variables = captures
            return run.results.build_from_recording(run.tensors, call.passed_leaves)
        if tree is None or tree not in key.trees or not tree.captures.are_unchanged(objects):
            tree = key.add(captures)
            tree.generators = run.generators
        elif tree.captures.add_snapshots(run.reached):  # the tree's entries do not compare this
            tree.entries.clear()
            state.forget_uses()
        tree.add(run.trace)
        state.last = tree
        if restore_state:
            run.saved.restore()
            return CALL_CHANGED
        return run.results.build_from_recording(run.tensors, call.passed_leaves)

    def _run_with_capacity(self, call: Call, objects: list[Any], generators: dict[Any, Any]) -> _Run:
        """Returns ``_run``, repeated while a loop that only a gradient runs has too small a capacity, and once for ``tf.gradients``."""
        last_error: GuardError | None = None
        while True:
            try:
                return self._run(call, objects, generators)
            except HistoryNeeded:
                continue
            except GuardError as error:
                if last_error is not None and error.found <= last_error.found:
                    raise
                last_error = error  # its traceback keeps the loop alive, which now knows the capacity that it needs

    def _run(self, call: Call, objects: list[Any], generators: dict[Any, Any]) -> _Run:
        """Runs the function under a recording; if it fails, the state is restored."""
        read_floats: dict[str, int] = {}
        tensors, leaves = traced_arguments(call, read_floats.__setitem__)
        captures = Captures(self._python.callable(), call.arguments, objects)
        tensors_before = captures.tensors()
        recording = Recording(tensors, may_give_up=True, refuses=not self.runs_unrecorded)
        recording.generators = generators
        has_ended = False
        try:
            with phase("recording"), recording:
                value = self._python.call(call, leaves)
                has_ended = True
                value = as_results(value, self._python.name)
                # A float whose Python value was read is part of the key from now on, not an array of later calls.
                by_value = {number: tensors[number]._array for number in read_floats.values()}
                inputs = [tensor for number, tensor in enumerate(tensors) if number not in by_value]
                results = Results(value, inputs, recording)
                computed = results.tensors
                if recording.gave_up:
                    self._state.gave_up = True
                    self._state.cache.add(call).runs_eagerly = True
                    passed_leaves = [x for number, x in enumerate(call.passed_leaves) if number not in by_value]
                    raise _Unrecorded(results.build_from_recording(computed, passed_leaves))
                trace = Trace(recording, results, len(inputs), by_value)
            settled, is_undecided = self._names_changed_by_function(captures, recording, tensors_before)
        except _Unrecorded:
            raise
        except BaseException as error:
            if has_ended and self.runs_unrecorded and isinstance(error, (TraceError, TypeError)):
                self._state.gave_up = True
                raise _Unrecorded(value) from None
            if not recording.gave_up:
                recording.saved.restore()
            raise
        try:
            compare_with_other_ranks(self._python.name, trace.graph)
            self._state.retracing.count_control_flow_numbers(recording.numbers)
            created = [weakref.ref(variable) for variable in recording.created]
            kept_trace = None if created or is_undecided else trace
            if not recorders.active:  # tapes around the call hold tensors of the run rightly
                computed = recording.end_scope(computed, self._python.name)
            return _Run(
                kept_trace,
                results,
                computed,
                list(read_floats),
                settled,
                created,
                recording.saved,
                recording.reached,
                generators,
            )
        except BaseException:
            recording.saved.restore()
            raise

    def _names_changed_by_function(
        self, before: Captures, recording: Recording, tensors_before: dict[str, list[Tensor]]
    ) -> tuple[frozenset[str], bool]:
        """Returns the labels of captured names that the function itself has changed, and whether the next call is recorded again.

        A function that keeps a tensor may write ``self.y`` and read it after that, or read first what the call before has
        written. In the second call the name refers to a tensor, and the recording tells whether it is used.

        Args:
            tensors_before: the tensors that the names referred to before the run, by label.

        Raises:
            TraceError: it keeps a tensor that it computed under a name that it reads first: a replay would not.
        """
        changes = before.changed_values()
        used = {id(x) for x in recording.constants_from_outside()}
        is_undecided = False
        for label, value in [] if recording.created else changes.items():
            leaves = nest.flatten(value) if nest.is_nested(value) else [value]
            if any(isinstance(item, Tensor) and recording.may_vary(item) for item in leaves):
                is_undecided |= not tensors_before.get(label)
                if any(id(x) in used for x in tensors_before.get(label, ())):
                    raise TraceError(
                        f"{self._python.name}(): the function gives {label!r} a tensor that it has computed, and reads {label!r}. A replay "
                        "runs no Python, so the name would not be given another one. Keep state in a tf.Variable: v.assign(...)."
                    )
        return frozenset(changes), is_undecided

    def _refuse_created_variables(self, run: _Run, call: Call, objects: list[Any]) -> None:
        """Refuses functions that make variables at every call."""
        for tensor in run.tensors:
            if tensor._owner is not None:  # a variable's value must not keep the variable alive
                tensor._array, tensor._owner = tensor._array.copy(), None
        key = self._state.cache.get(call)
        captures = None if key is None else key.made_variables
        is_repeated = captures is not None and captures.are_unchanged(objects)
        lost = any(variable() is None for variable in run.created)
        if is_repeated or lost:
            run.saved.restore()
            raise ValueError(
                f"{self._python.name}(): tf.function only supports singleton tf.Variables created on the first call. This call made "
                f"{len(run.created)} variables{' though one before it had made some already' if is_repeated else ', and nobody keeps them'}. "
                "Make them outside, or once and for all: `if self.v is None: self.v = tf.Variable(...)`."
            )
