"""``tf.profiler.experimental``: timelines of operations, compiled functions and marked parts, as files for trace viewers."""

from __future__ import annotations

import gzip
import json
import os
import socket
import sys
import threading
import time
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any, NamedTuple, Self

from fastgrad._src.compiler.function import Function as _Function
from fastgrad._src.core.argument_checks import checked_path as _checked_path
from fastgrad._src.core.errors import AlreadyExistsError as _AlreadyExistsError
from fastgrad._src.core.errors import UnavailableError as _UnavailableError
from fastgrad._src.core.operation import Binary as _Binary
from fastgrad._src.core.operation import Operation as _Operation
from fastgrad._src.core.operation import Unary as _Unary
from fastgrad._src.files.formats.atomic_write import write_atomically as _write_atomically

_MOST_EVENTS = 1_000_000
"""The most events of a session, as TensorFlow's trace viewer shows; further ones are counted."""


class ProfilerOptions(NamedTuple):
    """What a profile records.

    Attributes:
        host_tracer_level: 0 records only named parts (``Trace``); other levels also record operations and calls of compiled functions.
        python_tracer_level: 1 records every call of a Python function; 0 does not.
        device_tracer_level, delay_ms: kept for TensorFlow's signature.
    """

    host_tracer_level: int = 2
    python_tracer_level: int = 0
    device_tracer_level: int = 1
    delay_ms: int | None = None


def _operation_name(frame: FrameType) -> str:
    return str(frame.f_locals["self"].name)


_NAME_OF_CALL: dict[CodeType, Callable[[FrameType], str]] = {
    _Operation.__call__.__code__: _operation_name,
    _Unary.__call__.__code__: _operation_name,
    _Binary.__call__.__code__: _operation_name,
    _Function.__call__.__code__: lambda frame: str(frame.f_locals["self"].__name__),
}
"""For the code of each function whose calls are events: the function that returns the name of a call."""


class _OpenCalls(threading.local):
    def __init__(self) -> None:
        self.calls: list[tuple[FrameType, str, int]] = []


class _Session:
    """A running profile: the events so far, and the hook by which Python reports calls.

    The hook follows the thread that starts the session, and threads that start later.
    """

    def __init__(self, folder: str, options: ProfilerOptions) -> None:
        self._folder = folder
        self._python = bool(options.python_tracer_level)
        self._traces_calls = self._python or bool(options.host_tracer_level)
        self._events: list[dict[str, Any]] = []
        self._dropped = 0
        self._open = _OpenCalls()
        self._ended = False
        self._began = time.perf_counter_ns()
        self._hooks_before = sys.getprofile(), threading.getprofile()
        if self._traces_calls:
            threading.setprofile(self._on_call)
            sys.setprofile(self._on_call)

    def _on_call(self, frame: FrameType, event: str, argument: Any) -> None:
        if self._ended:  # stopped by another thread
            sys.setprofile(None)
        elif event == "call":
            name_of_call = _NAME_OF_CALL.get(frame.f_code)
            if name_of_call is not None:
                self._open.calls.append((frame, name_of_call(frame), time.perf_counter_ns()))
            elif self._python:
                self._open.calls.append((frame, frame.f_code.co_name, time.perf_counter_ns()))
        elif event == "return":
            calls = self._open.calls
            if calls and calls[-1][0] is frame:
                _, name, began = calls.pop()
                place = {"file": f"{frame.f_code.co_filename}:{frame.f_code.co_firstlineno}"} if self._python else {}
                self.add(name, began, place)

    def add(self, name: str, began: int, arguments: dict[str, str]) -> None:
        """Adds an event that ends now; ``began`` is a time of ``time.perf_counter_ns``."""
        if len(self._events) >= _MOST_EVENTS:
            self._dropped += 1
            return
        now = time.perf_counter_ns()
        start, duration = (began - self._began) / 1000, (now - began) / 1000
        event = {"name": name, "ph": "X", "pid": 1, "tid": threading.get_native_id(), "ts": start, "dur": duration}
        self._events.append({**event, "args": arguments} if arguments else event)

    def end(self) -> None:
        """Ends the recording of events, and sets the hooks that Python had before."""
        if self._traces_calls:
            threading.setprofile(self._hooks_before[1])
            # Equal, not the same: each read of a method makes an object.
            if sys.getprofile() == self._on_call:
                sys.setprofile(self._hooks_before[0])
        self._ended = True  # last: the hooks of other threads, and this thread's until here, look at it

    def save(self) -> None:
        """Writes the events to a new folder below ``plugins/profile``, in the format of Chrome's trace viewer."""
        runs = os.path.join(self._folder, "plugins", "profile")
        os.makedirs(runs, exist_ok=True)
        run = time.strftime("%Y_%m_%d_%H_%M_%S")
        folder, number = os.path.join(runs, run), 1
        while os.path.exists(folder):
            folder, number = os.path.join(runs, f"{run}_{number}"), number + 1
        os.makedirs(folder, exist_ok=True)
        process = {"name": "process_name", "ph": "M", "pid": 1, "args": {"name": f"fastgrad {os.getpid()}"}}
        names = {thread.native_id: thread.name for thread in threading.enumerate()}
        threads = [
            {"name": "thread_name", "ph": "M", "pid": 1, "tid": tid, "args": {"name": names.get(tid, str(tid))}}
            for tid in sorted({event["tid"] for event in self._events})
        ]
        trace = {
            "displayTimeUnit": "ns",
            "metadata": {"dropped_events": self._dropped},
            "traceEvents": [process, *threads, *self._events],
        }
        data = gzip.compress(json.dumps(trace).encode(), 6)
        path = os.path.join(folder, f"{socket.gethostname()}.trace.json.gz")
        _write_atomically(path, lambda file: file.write(data))


_lock = threading.Lock()
_running: list[_Session] = []
"""The running session, if there is one."""


def start(logdir: Any, options: ProfilerOptions | None = None) -> None:
    """Starts a profile of this thread, and of threads that start later.

    Each operation that runs eagerly, each call of a compiled function and each ``Trace`` becomes an event with its time. For
    the kernels inside a compiled function see its ``report()``. A tape that comes again and again computes the results of several
    operations at the first of them, whose event has the time of all.

    Args:
        logdir: the folder for TensorBoard; ``stop`` writes ``plugins/profile/TIME/HOST.trace.json.gz`` below it, which
            TensorBoard's profile page, Chrome's ``chrome://tracing`` and Perfetto open.
        options: what is recorded; None for the defaults.

    Raises:
        AlreadyExistsError: a profile is running.
        TypeError: ``logdir`` is not a path, or ``options`` are no ``ProfilerOptions``.
    """
    caller = "profiler.experimental.start"
    folder = _checked_path(caller, "logdir", logdir)
    if not isinstance(options, (ProfilerOptions, type(None))):
        raise TypeError(f"{caller}: Argument `options` must be ProfilerOptions, got {options!r}.")
    with _lock:
        if _running:
            raise _AlreadyExistsError(f"{caller}: Another profiler is running; call profiler.experimental.stop first.")
        _running.append(_Session(folder, options or ProfilerOptions()))


def stop(save: bool = True) -> None:
    """Stops the profile, and writes its file.

    Args:
        save: whether to write the file.

    Raises:
        UnavailableError: no profile is running.
        OSError: the file can't be written. The profile has stopped.
    """
    with _lock:
        session = _running.pop() if _running else None
    if session is None:
        raise _UnavailableError("profiler.experimental.stop: No profiler is running; call profiler.experimental.start.")
    session.end()
    if save:
        session.save()


class Trace:
    """A context of a named part of a program, an event of the running profile. Without a profile it does nothing.

    Args:
        name: the name of the event.
        kwargs: values that the event shows, such as ``step_num=3``. Names with a leading underscore are for the viewer and not shown.

    Raises:
        TypeError: ``name`` is not a string.
    """

    def __init__(self, name: str, **kwargs: Any) -> None:
        if not isinstance(name, str):
            raise TypeError(f"profiler.experimental.Trace: Argument `name` must be a string, got {name!r}.")
        self._name = name
        self._arguments: dict[str, Any] = kwargs
        self._session = next(iter(_running), None)
        self._began = time.perf_counter_ns()

    def __enter__(self) -> Self:
        return self

    def set_metadata(self, **kwargs: Any) -> None:
        """Adds values that the event shows."""
        self._arguments = self._arguments | kwargs

    def __exit__(self, *exception: object) -> None:
        if self._session is not None and self._session in _running:
            shown = {name: str(value) for name, value in self._arguments.items() if not name.startswith("_")}
            self._session.add(self._name, self._began, shown)
