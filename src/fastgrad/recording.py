"""The one hook by which running operations become known to whoever records them.

A recorder (a gradient tape, a forward accumulator, the tracer of ``fastgrad.function``) puts itself on
the calling thread's list; every operation, variable read and variable write of that thread is
then reported to it. With nobody on the list an operation pays one attribute look-up.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


class Recorder:
    """What a recorder answers to; each method does nothing unless overridden.

    All arguments are live objects, none may be changed.

    Attributes:
        follows_state: whether it must be told how variables come by their values: additions in place are then run as
            an operation and an assignment.
        control_flow: what takes over branches and loops (``compiler/control_flow/control_flow.py``) for who writes down whole programs.
        rehearses: whether the program is run for what is written down alone, and must leave nothing behind.
    """

    follows_state = False
    control_flow: Any = None
    rehearses = False

    def on_operation(
        self, operation: Any, inputs: tuple[Any, ...], outputs: tuple[Any, ...], attributes: dict[str, Any]
    ) -> None:
        """``operation`` has run on the tensors ``inputs`` and given the tensors ``outputs``."""

    def on_constant(self, tensor: Any) -> None:
        """``tensor`` was made of Python values and shapes alone: it would be the same for any values of other tensors."""

    def on_read(self, variable: Any, tensor: Any) -> None:
        """``tensor`` is the value of ``variable`` that the program reads now."""

    def on_create(self, variable: Any) -> None:
        """``variable`` has just been made, with its first value."""

    def on_assign(self, variable: Any, tensor: Any) -> None:
        """``variable`` has been given the value of ``tensor``."""

    def on_write(self, variable: Any) -> None:
        """``variable`` is about to be written to; by what, ``on_assign`` tells, else it is not known."""

    def on_effect(self, what: str) -> None:
        """The program has done something besides, which ``what`` names and no replay can do again."""

    def watches(self, tensor: Any) -> bool:
        """Whether it may be asked for derivatives of what is computed from ``tensor``."""
        return False

    def on_call(self, name: str, function: Any, inputs: tuple[Any, ...], outputs: tuple[Any, ...], acts: bool) -> None:
        """Python has been called: ``function(*arrays of inputs)`` gave the arrays of ``outputs``.

        With ``acts`` it is called for what it does, too.
        """

    def on_element(self) -> None:
        """The next element of a dataset is about to be taken."""

    def on_value(self, tensor: Any, kind: str) -> None:
        """The program has asked ``tensor`` for its Python value: ``kind`` is "bool", "int", "float", "index", "numpy"."""


class _Recorders(threading.local):
    active: tuple[Recorder, ...] = ()


recorders = _Recorders()
"""The calling thread's recorders, outermost first: ``recorders.active``."""


def start(recorder: Recorder) -> None:
    """Reports what this thread does to ``recorder`` from now on."""
    active = recorders.active
    if active:
        # Ctrl-C may come when a `with` block has ended and its `__exit__` has not begun. Such a recorder would record for
        # ever; it is known by that nothing but this list refers to it.
        counts = _reference_counts(active)
        active = tuple([other for other, count in zip(active, counts, strict=True) if count > _UNREFERRED])
    recorders.active = (*active, recorder)


def _reference_counts(recorders: tuple[Any, ...]) -> list[int]:
    return [sys.getrefcount(one) for one in recorders]


(_UNREFERRED,) = _reference_counts((object(),))


def stop(recorder: Recorder) -> None:
    """Ends what ``start`` began; recorders may end in any order."""
    recorders.active = tuple(other for other in recorders.active if other is not recorder)


def state_followed() -> bool:
    """Whether a recorder of this thread follows state: what changes variables must then be operations and assignments."""
    return any(recorder.follows_state for recorder in recorders.active)


def control_flow_of() -> Any:
    """What takes over branches and loops of this thread, if anything does."""
    for recorder in reversed(recorders.active):
        if recorder.control_flow is not None:
            return recorder.control_flow
    return None


class EndOfElements(StopIteration):
    """``next`` of a dataset's iterator beyond its end: out of a compiled function it comes as an ``OutOfRangeError``."""


def rehearsing() -> bool:
    """Whether a recorder of this thread rehearses: then nothing is printed, and no Python called that can't be undone."""
    return any(recorder.rehearses for recorder in recorders.active)


def rehearsal() -> Any:
    """The innermost recorder of this thread that rehearses, if any does."""
    return next((recorder for recorder in reversed(recorders.active) if recorder.rehearses), None)


def report_effect(what: str) -> None:
    """Tells all recorders of something that no replay can do again; ``what`` names it, as in "tf.random.set_seed"."""
    for recorder in recorders.active:
        recorder.on_effect(what)


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


@contextmanager
def paused() -> Iterator[None]:
    """No tape hears of what this thread does inside the ``with``; who writes down whole programs does."""
    before = recorders.active
    recorders.active = tuple(recorder for recorder in before if recorder.follows_state)
    try:
        yield
    finally:
        recorders.active = before


@contextmanager
def following_state() -> Iterator[None]:
    """What changes variables inside the ``with`` is done by operations and assignments."""
    before = recorders.active
    recorders.active = (*before, _FOLLOWER)
    try:
        yield
    finally:
        recorders.active = before


class _Follower(Recorder):
    follows_state = True


_FOLLOWER = _Follower()


@contextmanager
def unheard() -> Iterator[None]:
    """Nothing that this thread does inside the ``with`` is reported to anybody."""
    before = recorders.active
    recorders.active = ()
    try:
        yield
    finally:
        recorders.active = before
