"""Calls of the functions of a package that Numba compiled, recorded while a program runs."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator
from types import CodeType, FunctionType
from typing import Any, NamedTuple
from unittest import mock

import numpy as np

from fastgrad._src.derivatives.transform_cache import copies, type_of
from fastgrad._src.jit.numba_internals import CPUDispatcher, DUFunc, GUFunc

_SECONDS_IN_PYTHON = 3.0


class Call(NamedTuple):
    """A function of ``numba.njit`` or ``numba.vectorize``, and copies of its arguments that were made before the call."""

    function: Any
    arguments: tuple[Any, ...]
    keywords: dict[str, Any]

    @property
    def python_function(self) -> FunctionType:
        """What Numba compiled; for ``numba.vectorize`` a function of numbers."""
        return python_function_of(self.function)


def python_function_of(function: Any) -> FunctionType:
    """Returns what Numba compiled."""
    if isinstance(function, GUFunc):
        function = function.gufunc_builder
    python_function: FunctionType = (function._dispatcher if isinstance(function, DUFunc) else function).py_func
    return python_function


@contextlib.contextmanager
def replaced_calls(method_of: Callable[[Any], Any]) -> Iterator[None]:
    """Lets calls from Python of functions of Numba run ``method_of`` their class in its block."""
    with contextlib.ExitStack() as patches:
        for kind in (CPUDispatcher, DUFunc):
            patches.enter_context(mock.patch.object(kind, "__call__", method_of(kind)))
        yield


class CallRecorder:
    """Records the first calls of each function of a package.

    Args:
        package: the name by which the package is imported.
        limit: how many argument types of a function are recorded, and how many calls if all types are the same.
    """

    def __init__(self, package: str, limit: int) -> None:
        self.calls: dict[CodeType, list[Call]] = {}
        self._package = package
        self._limit = limit
        self._pending: list[Call] = []
        self._types: dict[CodeType, set[Any]] = {}

    def is_of_package(self, function: Any) -> bool:
        """True if a module of the package defines ``function``."""
        module = str(python_function_of(function).__module__)
        return module == self._package or module.startswith(f"{self._package}.")

    def recording(self) -> contextlib.AbstractContextManager[None]:
        """Records all calls from Python in its block. Compiled functions call each other without Python."""
        return replaced_calls(lambda kind: self._recording_method(kind.__call__))

    def record_inner_calls(self) -> None:
        """Runs each recorded call as Python, for some seconds at most, and records the calls of that, and theirs."""
        with self.recording():
            for call in self._pending:  # which grows meanwhile
                function: Any = call.python_function
                function = np.vectorize(function) if isinstance(call.function, DUFunc) else function
                with contextlib.suppress(Exception, TimeIsOver), time_limit(_SECONDS_IN_PYTHON):
                    function(*copies(call.arguments), **call.keywords)

    def _recording_method(self, call: Any) -> Any:
        """Returns the method ``call``, which records its arguments."""

        def record_and_call(function: Any, *arguments: Any, **keywords: Any) -> Any:
            if self.is_of_package(function):
                self._record(function, arguments, keywords)
            return call(function, *arguments, **keywords)

        return record_and_call

    def _record(self, function: Any, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> None:
        code = python_function_of(function).__code__
        calls, signatures = self.calls.setdefault(code, []), self._types.setdefault(code, set())
        if len(signatures) >= self._limit:
            return
        signature = (function, *map(type_of, arguments), *((name, type_of(value)) for name, value in keywords.items()))
        if signature not in signatures or len(calls) < self._limit:
            signatures.add(signature)
            values = dict(zip(keywords, copies(list(keywords.values())), strict=True))
            calls.append(Call(function, tuple(copies(arguments)), values))
            self._pending.append(calls[-1])


class TimeIsOver(BaseException):
    """No handler of the function's own catches it."""


@contextlib.contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raises ``TimeIsOver`` in the main thread after some seconds."""

    def stop(*_: Any) -> None:
        raise TimeIsOver

    handler = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, handler)
