"""Functions of ``map``: run as Python, and compiled once that has turned out to give the same in less time.

TensorFlow traces them before the first element. Here they may do more than what can be written down, so the first elements are made by Python;
then a few by both, and compiled is what gave the same bits, left the generators of random numbers in the same states, and was faster.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import perf_counter
from typing import Any

from fastgrad import nest
from fastgrad.ops.random_generator import default_states, restore_default_states
from fastgrad.recording import recorders
from fastgrad.tensor import Tensor
from fastgrad.trace.calling.eagerly import ops_are_deterministic
from fastgrad.trace.function import Function
from fastgrad.trace.function import function as tf_function

AFTER = 32  # calls, before it is tried to compile
SLOW = 100e-6  # seconds; calls that take longer are tried at once
TRIALS = 8  # calls done both ways; the first records, the second compiles, and the others are timed
UNTIMED = 2
FORMS = 4  # shapes of elements for which a program is made


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


class Compiling:
    """A function of elements that is compiled where that pays.

    Args:
        function: what a user gave to ``map``.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._compiled: Callable[..., Any] | None = None
        self._decided = isinstance(function, Function)
        self._calls = self._trials = 0
        self._python = self._program = float("inf")  # seconds of the shortest call
        self._forms: set[Any] = set()
        self._candidate: Callable[..., Any] = function
        self._trying = threading.Lock()

    def __call__(self, element: Any) -> Any:
        """The function of an element."""
        compiled = self._compiled
        if compiled is not None:
            return call(compiled if self._is_known(element) else self._function, element)
        if self._decided or not self._trying.acquire(blocking=False):
            return call(self._function, element)
        try:
            return self._tried(element) if self._is_due() else self._timed(element)
        finally:
            self._trying.release()

    def _is_known(self, element: Any) -> bool:
        """Whether there is a program for elements of these shapes, or may be one more."""
        form = _shapes(element)
        if form in self._forms:
            return True
        if len(self._forms) < FORMS:
            self._forms.add(form)
            return True
        return False

    def _is_due(self) -> bool:
        if ops_are_deterministic():  # then eight elements that agree are not enough
            return False
        return self._calls >= AFTER or (self._calls > 1 and self._python > SLOW)

    def _timed(self, element: Any) -> Any:
        began = perf_counter()
        result = call(self._function, element)
        self._python = min(self._python, perf_counter() - began)
        self._calls += 1
        return result

    def _tried(self, element: Any) -> Any:
        """By Python and compiled."""
        if self._trials == 0:
            self._candidate = tf_function(self._function)
        if self._trials == UNTIMED:
            self._python = self._program = float("inf")  # from here on under the same conditions
        before = default_states()
        result = self._timed(element)
        after = default_states()
        self._trials += 1
        restore_default_states(before)
        began = perf_counter()
        try:
            found = call(self._candidate, element) if _are_numbers(element) and _are_numbers(result) else None
            self._program = min(self._program, perf_counter() - began)
            same = found is not None and _bits(found) == _bits(result)
        except Exception:  # noqa: BLE001 (whatever it can't do compiled, Python has just done)
            same = False
        if default_states() != after:
            restore_default_states(after)
            same = False
        self._decided = not same or self._trials == TRIALS
        if self._decided and same and self._program < self._python:
            self._compiled = self._candidate
        return result


def _shapes(element: Any) -> tuple[Any, ...]:
    if type(element) is tuple:
        try:
            return tuple([leaf._array.shape for leaf in element])
        except AttributeError:
            pass  # it is nested
    return tuple([None if leaf is None else leaf._array.shape for leaf in nest.flatten(element)])


def _are_numbers(element: Any) -> bool:
    """Whether there is nothing but tensors of numbers in it."""
    return all(
        leaf is None or (isinstance(leaf, Tensor) and not leaf._array.dtype.hasobject) for leaf in nest.flatten(element)
    )


def _bits(result: Any) -> list[Any]:
    leaves = [leaf for leaf in nest.flatten(result) if leaf is not None]
    return [(leaf._array.dtype, leaf._array.shape, leaf._array.tobytes()) for leaf in leaves]
