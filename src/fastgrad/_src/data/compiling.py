"""Functions of elements: recorded at the first element, replayed, and compiled if that is faster.

TensorFlow traces such functions before the first element, so their Python runs once. Here Python runs once for each form of elements
(shapes and dtypes) and for each path that their values select, with the first such element. A replay runs the recorded operations
one by one, with the bits of eager operations. For a few elements a compiled program runs, too. The program is used if it gave the same
bits, left the random generators in the same states, and was faster.
A function that can't be recorded, such as one of NumPy arrays, runs as Python for every element.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from time import perf_counter
from typing import Any

from fastgrad._src.compiler.dispatch.captures import CALL_CHANGED
from fastgrad._src.compiler.dispatch.eager_execution import functions_run_eagerly, ops_are_deterministic
from fastgrad._src.compiler.function import Function
from fastgrad._src.compiler.graph.interpret import GuardError
from fastgrad._src.core import nest
from fastgrad._src.core.recording import call_unrecorded
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.data.replay import RecordingReplay
from fastgrad._src.jit.locks import new_lock
from fastgrad._src.ops.default_generators import default_states, restore_default_states

CALLS_BEFORE_COMPILATION = 32  # calls before compilation is tried
SLOW_CALL_SECONDS = 100e-6  # seconds; slower calls are tried at once
TRIAL_CALLS = 8  # calls by replay and by program; the first compiles, the calls after the second are timed
UNTIMED_TRIAL_CALLS = 2
MAX_COMPILED_SIGNATURES = 4  # forms of elements that get a program
MAX_RECORDED_SIGNATURES = 64  # forms of elements that get recordings
MAX_RECORDINGS_PER_SIGNATURE = 16  # recordings for each form, one for each path


def call_with_element(function: Callable[..., Any], element: Any) -> Any:
    """Calls a user's function on an element, call_unrecorded.

    A tuple becomes several arguments. Any other element is one argument, also a named tuple.
    """
    return call_unrecorded(function, *element) if type(element) is tuple else call_unrecorded(function, element)


def call_traced_with_element(function: TracedFunction, element: Any) -> Any:
    """Calls a recorded function on an element, with the arguments of ``call_with_element``."""
    return function(*element) if type(element) is tuple else function(element)


class TracedFunction:
    """A function of elements whose Python runs once for each form of elements; later calls replay the recording.

    Args:
        function: the user's function.

    Attributes:
        recorded: the function as a ``tf.function``, for elements of some forms.
        forms: the shapes and dtypes of those elements.
        is_python: whether Python runs for every element, because the function can't be recorded.
        repeats: whether a program may be tried: there is one path, and it changes nothing but the states of random generators.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.recorded = Function(_wrapped_in_python_function(function), runs_unrecorded=True)
        self.forms: set[Any] = set()
        self.repeats = True
        self._replays: dict[Any, list[RecordingReplay]] = {}
        self._last_fast_replay: Callable[[Any], Any] = _replay_that_never_matches  # of the replay of the last call
        self.is_python = isinstance(function, Function)
        self._is_nested = False  # whether an argument has been a structure of tensors
        self._recording = new_lock()

    def __call__(self, *arguments: Any) -> Any:
        """Calls the function, hidden from the gradient tapes of this thread."""
        if self.is_python:
            return call_unrecorded(self.function, *arguments)
        leaves: Any = nest.flatten(arguments) if self._is_nested else arguments
        if ops_are_deterministic() or functions_run_eagerly():
            return call_unrecorded(self.function, *arguments)
        try:
            result = self._last_fast_replay(leaves)
        except GuardError:
            result = CALL_CHANGED
        return self._call_replay(arguments) if result is CALL_CHANGED else result

    def _call_replay(self, arguments: tuple[Any, ...]) -> Any:
        """Calls the replay for the shapes and dtypes of the arguments. The next call tries this replay first."""
        leaves = nest.flatten(arguments)
        self._is_nested = self._is_nested or any(
            leaf is not argument for leaf, argument in zip(leaves, arguments, strict=False)
        )
        self.is_python = self.is_python or not all(type(leaf) is Tensor for leaf in leaves)
        if self.is_python:
            return call_unrecorded(self.function, *arguments)
        arrays = [leaf._array for leaf in leaves]
        form = _signature_of_leaves(leaves)
        replays = self._replays.get(form, ())
        for replay in replays:
            try:
                result = replay(arrays, leaves)
            except GuardError:
                continue
            self._last_fast_replay = replay.fast
            return result
        is_full = len(replays) >= MAX_RECORDINGS_PER_SIGNATURE or (
            not replays and len(self._replays) >= MAX_RECORDED_SIGNATURES
        )
        if is_full or not self._recording.acquire(blocking=False):
            return call_unrecorded(self.function, *arguments)
        try:
            return self._record(form, arguments, arrays)
        finally:
            self._recording.release()

    def _record(self, form: Any, arguments: tuple[Any, ...], arrays: list[Any]) -> Any:
        """Runs the function as Python and keeps the recording."""
        replays = self._replays.get(form, [])
        is_first = not replays and len(self.forms) < MAX_COMPILED_SIGNATURES
        function = (
            self.recorded if is_first else Function(_wrapped_in_python_function(self.function), runs_unrecorded=True)
        )
        recordings_before = function.experimental_get_tracing_count()
        # Each leaf gets its own tensor: a tensor that occurs twice is two arguments.
        fresh_arguments = nest.pack_sequence_as(arguments, [Tensor(array) for array in arrays])
        result = call_unrecorded(function, *fresh_arguments)
        if function.gave_up:
            self.is_python = True
        elif function.experimental_get_tracing_count() > recordings_before and function.trace_tree is not None:
            replay = RecordingReplay(function.trace_tree.traces[-1], arrays)
            self.repeats = self.repeats and replay.repeats and not replays
            if replay.may_end_early:
                self.is_python = True
            else:
                self._replays[form] = [*replays, replay]
                self._last_fast_replay = replay.fast
                if is_first:
                    self.forms.add(form)
        return result


def _replay_that_never_matches(leaves: Any) -> Any:
    return CALL_CHANGED


def _wrapped_in_python_function(function: Callable[..., Any]) -> Callable[..., Any]:
    """Returns a Python function that calls ``function``, which may be any callable object."""

    def called(*arguments: Any) -> Any:
        return function(*arguments)

    called.__signature__ = _ANY_ARGUMENTS_SIGNATURE  # type: ignore[attr-defined]  # which ``inspect`` would take long to find
    return called


_ANY_ARGUMENTS_SIGNATURE = inspect.Signature([inspect.Parameter("arguments", inspect.Parameter.VAR_POSITIONAL)])


class SelfCompilingFunction:
    """A function of elements that replays its recording, and changes to a compiled program if that is faster.

    Args:
        function: the function that a user passed to ``map``.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._traced = TracedFunction(function)
        self._compiled: Function | None = None
        self._is_decided = isinstance(function, Function)
        self._calls = self._trial_count = 0
        self._python = self._program = float("inf")  # seconds of the fastest call
        self._trial_lock = new_lock()

    def __call__(self, element: Any) -> Any:
        """Calls the function on an element."""
        compiled = self._compiled
        if compiled is not None:
            result = compiled._state.entry(element if type(element) is tuple else (element,), {})
            if result is not CALL_CHANGED:
                return result
        if compiled is not None and _signature_of_leaves(_leaves(element)) in self._traced.forms:
            return call_with_element(compiled, element)
        if self._traced.is_python:
            return call_with_element(self._traced.function, element)
        if compiled is not None or self._is_decided or not self._trial_lock.acquire(blocking=False):
            return call_traced_with_element(self._traced, element)
        try:
            return self._try_program(element) if self._is_trial_due(element) else self._call_timed(element)
        finally:
            self._trial_lock.release()

    def call_as_python(self, element: Any) -> Any:
        """Calls the function as Python, without recording, for sample elements that are not of the dataset."""
        return call_with_element(self._traced.function, element)

    def _is_trial_due(self, element: Any) -> bool:
        if (
            ops_are_deterministic() or not self._traced.repeats
        ):  # eight elements with equal bits do not prove that a program is deterministic
            return False
        if self._calls < CALLS_BEFORE_COMPILATION and (self._calls < 2 or self._python < SLOW_CALL_SECONDS):
            return False
        return _signature_of_leaves(_leaves(element)) in self._traced.forms

    def _call_timed(self, element: Any) -> Any:
        start_time = perf_counter()
        result = call_traced_with_element(self._traced, element)
        self._python = min(self._python, perf_counter() - start_time)
        self._calls += 1
        self._is_decided = self._traced.is_python
        return result

    def _try_program(self, element: Any) -> Any:
        """Runs the replay and the compiled program on ``element``, compares results and times, and returns the result."""
        if self._trial_count == UNTIMED_TRIAL_CALLS:
            self._python = self._program = float("inf")  # from now on both run under the same conditions
        states_before = default_states()
        result = self._call_timed(element)
        states_after = default_states()
        self._trial_count += 1
        restore_default_states(states_before)
        start_time = perf_counter()
        try:
            program_result = (
                call_with_element(self._traced.recorded, element)
                if _are_numbers(element) and _are_numbers(result)
                else None
            )
            self._program = min(self._program, perf_counter() - start_time)
            is_equal = program_result is not None and _result_bits(program_result) == _result_bits(result)
        except Exception:  # noqa: BLE001 (whatever it can't do compiled, the replay has just done)
            is_equal = False
        if default_states() != states_after:
            restore_default_states(states_after)
            is_equal = False
        self._is_decided = not is_equal or self._trial_count == TRIAL_CALLS
        if self._is_decided and is_equal and self._program < self._python:
            self._compiled = self._traced.recorded
        return result


def _leaves(element: Any) -> Any:
    if type(element) is Tensor:
        return (element,)
    if type(element) is tuple:
        for leaf in element:
            if type(leaf) is not Tensor:
                break
        else:
            return element
    return nest.flatten(element)


def _signature_of_leaves(leaves: Any) -> Any:
    """Returns the shapes and dtypes of leaves: elements with equal shapes and dtypes may share a program."""
    return tuple([(leaf._array.shape, leaf._array.dtype) if type(leaf) is Tensor else None for leaf in leaves])


def _are_numbers(element: Any) -> bool:
    """True if ``element`` holds only tensors of numbers."""
    return all(
        leaf is None or (isinstance(leaf, Tensor) and not leaf._array.dtype.hasobject) for leaf in nest.flatten(element)
    )


def _result_bits(result: Any) -> list[Any]:
    leaves = [leaf for leaf in nest.flatten(result) if leaf is not None]
    return [(leaf._array.dtype, leaf._array.shape, leaf._array.tobytes()) for leaf in leaves]
