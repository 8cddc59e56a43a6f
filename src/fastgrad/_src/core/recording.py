"""The recorder interface: reports running operations to tapes and recordings.

A recorder (a gradient tape, a forward accumulator, the tracer of ``fastgrad.function``) adds itself to the calling
thread's list. Then each operation, variable read and variable write of that thread is reported to it. With an empty
list, an operation pays one attribute look-up.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any


class Recorder:
    """The base class of recorders; each method does nothing unless overridden.

    All arguments are live objects; a recorder must not change them.

    Attributes:
        records_state: whether the recorder needs the source of variables' values: in-place additions then run as an
            operation and an assignment.
        control_flow_recorder: the handler of branches and loops (``compiler/control_flow/control_flow.py``), for recordings.
        is_trial_run: whether the run only serves the recording, and must have no lasting effects.
        defers: whether operations ask the recorder for their results, before they run (see deferral.py).
        is_for_file: whether the program is for a file, which can't hold calls of Python.
        _prediction: what operations ask for their results before they run, if the recorder is a tape (see repeated_forward.py).
    """

    records_state = False
    is_for_file = False
    _prediction: Any = None
    control_flow_recorder: Any = None
    is_trial_run = False
    defers = False

    def on_operation(
        self, operation: Any, inputs: tuple[Any, ...], outputs: tuple[Any, ...], attributes: dict[str, Any]
    ) -> None:
        """Reports that ``operation`` has computed the tensors ``outputs`` from the tensors ``inputs``."""

    def on_constant(self, tensor: Any) -> None:
        """Reports that ``tensor`` depends only on Python values and shapes, not on values of other tensors."""

    def on_read(self, variable: Any, tensor: Any) -> None:
        """Reports that the program reads ``variable``; ``tensor`` is its value."""

    def on_create(self, variable: Any) -> None:
        """Reports that ``variable`` was created, with its initial value."""

    def on_assign(self, variable: Any, tensor: Any) -> None:
        """Reports that ``variable`` was assigned the value of ``tensor``."""

    def on_write(self, variable: Any) -> None:
        """Reports that ``variable`` will be written; the value is unknown unless ``on_assign`` follows."""

    def on_effect(self, effect_name: str) -> None:
        """Reports a side effect ``effect_name`` that no replay can repeat."""

    def on_seed(self, seed: Any) -> bool:
        """Takes the seed of the draws that follow in a function; False if it is no matter of the recorder."""
        return False

    def has_varying_value(self, tensor: Any) -> bool:
        """True if ``tensor`` is one that a recorded program computes, and that may have another value in another run."""
        return False

    def symbol(self, tensor: Any) -> str | None:
        """Returns the name of ``tensor`` if it may have another value in another run of a recorded program, else None."""
        return None

    def watches(self, tensor: Any) -> bool:
        """True if the recorder may need derivatives of results computed from ``tensor``."""
        return False

    def on_call(self, name: str, function: Any, inputs: tuple[Any, ...], outputs: tuple[Any, ...], acts: bool) -> None:
        """Reports a call of Python: ``function(*arrays of inputs)`` returned the arrays of ``outputs``.

        ``acts`` tells that the function also has side effects.
        """

    def on_dependency(self, reached: Any) -> None:
        """Reports what the functions of a user's operation reach, a ``Snapshot`` of derivatives/functions/snapshot.py."""

    def generator_of(self, seed: int | None, make: Callable[[int, Any], Any]) -> Any:
        """Returns the generator of the next operation, which ``make`` may make of its seed and that of the function.

        None if it is no matter of the recorder, or there is neither seed.
        """

    def iterations(self, elements: Iterator[Any]) -> Iterator[Any]:
        """Returns the elements of a tensor that a loop iterates over."""
        return elements

    def on_dataset_element(self) -> None:
        """Reports that the next element of a dataset will be taken."""

    def on_value_use(self, tensor: Any, use: str) -> None:
        """Reports a read of the value of ``tensor``.

        ``use`` is what the program asks for: "bool", "int", "index", "float", "complex" or "numpy"; or "argument" if an
        operation needs the elements to know what it computes, as with shapes and axes.
        """


class _Recorders(threading.local):
    active: tuple[Recorder, ...] = ()


recorders = _Recorders()
"""The calling thread's recorders, outermost first: ``recorders.active``."""


def start(recorder: Recorder) -> None:
    """Adds ``recorder`` to the recorders of this thread."""
    active = recorders.active
    if active:
        # Ctrl-C may come after the end of a `with` block and before its `__exit__`. Then the recorder would stay active
        # forever. Its reference count reveals it: only this list refers to it.
        counts = _python_reference_counts(active)
        active = tuple(
            [other for other, count in zip(active, counts, strict=True) if count > _REFERENCE_COUNT_OF_UNREFERRED]
        )
    recorders.active = (*active, recorder)


def _python_reference_counts(objects: tuple[Any, ...]) -> list[int]:
    return [sys.getrefcount(one) for one in objects]


(_REFERENCE_COUNT_OF_UNREFERRED,) = _python_reference_counts((object(),))


def stop(recorder: Recorder) -> None:
    """Removes ``recorder`` from the recorders of this thread; recorders may stop in any order."""
    recorders.active = tuple(other for other in recorders.active if other is not recorder)


def symbol_of(tensor: Any) -> str | None:
    """Returns the name of ``tensor`` in the outermost recording of this thread whose replays compute it again, else None."""
    return next(filter(None, [recorder.symbol(tensor) for recorder in recorders.active]), None)


def is_recorded_for_file() -> bool:
    """True if a recorder of this thread makes a program for a file."""
    return any(recorder.is_for_file for recorder in recorders.active)


def is_state_recorded() -> bool:
    """True if a recorder of this thread records changes of variables, which must then be operations and assignments."""
    return any(recorder.records_state for recorder in recorders.active)


def control_flow_handler() -> Any:
    """Returns the innermost recorder's handler of branches and loops, None without one."""
    for recorder in reversed(recorders.active):
        if recorder.control_flow_recorder is not None:
            return recorder.control_flow_recorder
    return None


class EndOfElements(StopIteration):
    """The end of a dataset's iterator; a compiled function raises ``OutOfRangeError`` instead."""


def in_trial_run() -> bool:
    """True if this thread runs a function only to record operations: prints and other side effects must not happen."""
    return any(recorder.is_trial_run for recorder in recorders.active)


def trial_recorder() -> Any:
    """Returns the innermost recorder of this thread whose run only serves the recording; None without a trial run."""
    return next((recorder for recorder in reversed(recorders.active) if recorder.is_trial_run), None)


def report_effect(effect_name: str) -> None:
    """Reports the side effect ``effect_name``, such as "tf.random.set_seed", which no replay can repeat."""
    for recorder in recorders.active:
        recorder.on_effect(effect_name)


def _deferral_recorders(active: tuple[Recorder, ...]) -> tuple[Recorder, ...]:
    """Returns the recorder of a deferral, if it is among ``active``: hiding recorders does not hide a deferral."""
    return active[:1] if active and active[0].defers else ()


def call_unrecorded(function: Callable[..., Any], *arguments: Any) -> Any:
    """Returns ``function(*arguments)``, hidden from the recorders of this thread."""
    active = recorders.active
    if not active:
        return function(*arguments)
    recorders.active = _deferral_recorders(active)
    try:
        return function(*arguments)
    finally:
        recorders.active = active


@contextmanager
def _with_recorders(active: tuple[Recorder, ...]) -> Iterator[None]:
    """A context in which ``active`` are the recorders of this thread."""
    before = recorders.active
    recorders.active = active
    try:
        yield
    finally:
        recorders.active = before


def hide_from_tapes() -> AbstractContextManager[None]:
    """A context that hides this thread's operations from tapes; recordings (``records_state``) still see them."""
    return _with_recorders(tuple(one for one in recorders.active if one.records_state or one.defers))


class _StateRecorder(Recorder):
    records_state = True


_STATE_RECORDER = _StateRecorder()


def as_if_recording_state() -> AbstractContextManager[None]:
    """A context in which variables change only by operations and assignments."""
    return _with_recorders((*recorders.active, _STATE_RECORDER))


def hide_from_recorders() -> AbstractContextManager[None]:
    """A context that hides this thread's operations from all recorders."""
    return _with_recorders(_deferral_recorders(recorders.active))


class Initialization(Recorder):
    """The recorder of what runs once, during a recording: its results are constants of the recording.

    Args:
        recordings: the recordings of the thread.
    """

    records_state = True  # so that additions to variables are reported

    def __init__(self, recordings: tuple[Recorder, ...]) -> None:
        self._recordings = recordings
        self._read: list[Any] = []

    def has_varying_value(self, tensor: Any) -> bool:
        return any(recorder.has_varying_value(tensor) for recorder in self._recordings)

    def symbol(self, tensor: Any) -> str | None:
        return next(filter(None, [recorder.symbol(tensor) for recorder in self._recordings]), None)

    def on_read(self, variable: Any, tensor: Any) -> None:
        """Takes the value of a variable as a constant, though the program may read another one at each run."""
        self._read.append(tensor)
        self.on_constant(tensor)

    def on_operation(
        self, operation: Any, inputs: tuple[Any, ...], outputs: tuple[Any, ...], attributes: dict[str, Any]
    ) -> None:
        """Refuses inputs that a program has computed, and reports the outputs as constants."""
        self._refuse_varying(operation.name, inputs)
        for tensor in outputs:
            self.on_constant(tensor)

    def on_call(self, name: str, function: Any, inputs: tuple[Any, ...], outputs: tuple[Any, ...], acts: bool) -> None:
        """Does the same for a call of Python."""
        self._refuse_varying(name, inputs)
        for tensor in outputs:
            self.on_constant(tensor)

    def on_assign(self, variable: Any, tensor: Any) -> None:
        """Refuses to keep a value that a program has computed."""
        self._refuse_varying(f"assignment to {variable.name}", (tensor,))

    def on_constant(self, tensor: Any) -> None:
        for recorder in self._recordings:
            recorder.on_constant(tensor)

    def on_value_use(self, tensor: Any, use: str) -> None:
        for recorder in self._recordings:
            recorder.on_value_use(tensor, use)

    def _refuse_varying(self, name: str, inputs: tuple[Any, ...]) -> None:
        for tensor in inputs:
            if self.has_varying_value(tensor) and not any(tensor is value for value in self._read):
                raise TypeError(
                    f"tf.init_scope: {name} takes a tensor that the function computes, {tensor!r}, which is out of scope here: this part runs "
                    "once, and is no part of the recorded function. Compute this outside of tf.init_scope."
                )


def inside_function() -> bool:
    """True if ``tf.function`` records this thread. TensorFlow: tf.inside_function."""
    return any(one.records_state and not isinstance(one, Initialization) for one in recorders.active)


def init_scope() -> AbstractContextManager[None]:
    """A context whose operations run once, outside of gradient tapes and of a function that is recorded. TensorFlow: tf.init_scope.

    Use it to make constants and state in the first call of a ``tf.function``. Each later call uses the same objects.

    Raises:
        TypeError: an operation takes a tensor that the function computes.
    """
    recordings = tuple([one for one in recorders.active if one.records_state])
    outside = (Initialization(recordings),) if recordings else ()
    return _with_recorders((*_deferral_recorders(recorders.active), *outside))
