"""``tf.summary``: writes TensorBoard event files, with ``tensorboardX``."""

from __future__ import annotations

import contextlib
import itertools
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import numpy as np

from fastgrad.core.argument_checks import checked_integer as _checked_integer
from fastgrad.core.argument_checks import checked_path as _checked_path
from fastgrad.core.names import Namespace as _Namespace
from fastgrad.core.names import namespace_hooks as _namespace_hooks
from fastgrad.core.tensor import Tensor as _Tensor
from fastgrad.core.tensor import convert_to_tensor as _convert_to_tensor
from fastgrad.core.variable import Variable as _Variable
from fastgrad.dtypes import string as _string
from fastgrad.ops.python_function import numpy_function as _numpy_function
from fastgrad.storage.record_file import framed_record as _framed_record


class _SummaryDefaults(threading.local):
    """The default writer, step and condition of summaries, for each thread."""

    writer: SummaryWriter | None = None
    step: Any = None
    condition: Any = True


_defaults = _SummaryDefaults()
_MOST_HISTOGRAM_BUCKETS = 1 << 20


class _EventFile:
    """An event file with a unique name: a run restarted within a second must not overwrite it.

    ``tensorboardX``'s own writer names files by the second. It also hands events to a thread, and its ``flush`` does not
    wait for that thread.

    Args:
        logdir: the folder; it is created if missing.
        queue: the number of waiting events that causes a flush.
        seconds: the time since the last flush that causes a flush.
        suffix: the suffix of the file name.
    """

    def __init__(self, logdir: str, queue: int, seconds: float, suffix: str) -> None:
        os.makedirs(logdir, exist_ok=True)
        self._file = _new_file(logdir, suffix)
        weakref.finalize(self, self._file.close)  # for a writer without `close`
        self._queue, self._seconds = queue, seconds
        self._waiting, self._flushed = 0, time.monotonic()
        self._write_record(file_version="brain.Event:2")

    def add(self, summary_function_name: str, step: int, *values: Any, **options: Any) -> None:
        """Writes the summary that the function ``summary_function_name`` of ``tensorboardX.summary`` makes."""
        from tensorboardX import summary

        self._write_record(step=step, summary=getattr(summary, summary_function_name)(*values, **options))
        self._waiting += 1
        if self._waiting >= self._queue or time.monotonic() - self._flushed > self._seconds:
            self.flush()

    def _write_record(self, **fields: Any) -> None:
        """Writes a record in one call: an exception or a thread between its parts would corrupt the file's rest."""
        from tensorboardX.proto.event_pb2 import Event

        self._file.write(_framed_record(Event(wall_time=time.time(), **fields).SerializeToString()))

    def flush(self) -> None:
        """Writes waiting events and syncs them to the disk."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._waiting, self._flushed = 0, time.monotonic()

    def close(self) -> None:
        """Writes waiting events and closes the file."""
        self._file.close()


def _new_file(folder: str, suffix: str) -> BinaryIO:
    """Creates an event file with a name in TensorFlow's format: time, machine, process, number."""
    import socket

    for number in itertools.count():
        name = f"events.out.tfevents.{int(time.time()):010}.{socket.gethostname()}.{os.getpid()}.{number}{suffix}"
        with contextlib.suppress(FileExistsError):
            return open(os.path.join(folder, name), "xb")
    raise AssertionError


class SummaryWriter:
    """Writes to an event file of a folder; see ``create_file_writer``. The first summary creates the file."""

    def __init__(self, logdir: str, queue: int, seconds: float, suffix: str) -> None:
        self._make: Callable[[], Any] = lambda: _EventFile(logdir, queue, seconds, suffix)
        self._logdir = logdir
        self._made: Any = None
        self._closed = False

    def _files(self) -> Any:
        if self._closed:
            raise RuntimeError(f"The SummaryWriter of {self._logdir!r} is already closed")
        if self._made is None:
            self._made = self._make()
        return self._made

    @contextlib.contextmanager
    def as_default(self, step: Any = None) -> Iterator[SummaryWriter]:
        """A context in which ``scalar`` and similar functions use this writer, with the default step ``step``."""
        before = _defaults.writer, _defaults.step
        self.set_as_default(step)
        try:
            yield self
        finally:
            _defaults.writer, _defaults.step = before
            self.flush()

    def set_as_default(self, step: Any = None) -> None:
        """Makes this writer the default of ``scalar`` and similar functions."""
        _defaults.writer = self
        if step is not None:
            _defaults.step = step

    def init(self) -> None:
        """Creates the event file."""
        self._files()

    def flush(self) -> None:
        """Writes waiting events and syncs them to the disk."""
        if self._made is not None and not self._closed:
            self._made.flush()

    def close(self) -> None:
        """Writes waiting events and closes the file."""
        if self._made is not None and not self._closed:
            self._made.close()
        self._closed = True


def create_file_writer(
    logdir: Any,
    max_queue: int | None = None,
    flush_millis: int | None = None,
    filename_suffix: str | None = None,
    name: str | None = None,
    experimental_trackable: bool = False,
) -> SummaryWriter:
    """Creates a writer of event files.

    Args:
        logdir: the folder; one per run.
        max_queue: the number of waiting events that causes a flush, default 10.
        flush_millis: the time that causes a flush, in milliseconds, default 2 minutes.
        filename_suffix: the suffix of the file name, default ``.v2``.
        name, experimental_trackable: kept for TensorFlow's signature.

    Raises:
        TypeError: ``logdir`` is not a path, a count not an integer, or the suffix not a string.
        ValueError: ``logdir`` is None.
    """
    what = "summary.create_file_writer"
    if logdir is None:
        raise ValueError(f"{what}: Argument `logdir` cannot be None.")
    if not isinstance(filename_suffix, (str, type(None))):
        raise TypeError(f"{what}: Argument `filename_suffix` must be a text, got {filename_suffix!r}.")
    return SummaryWriter(
        _checked_path(what, "logdir", logdir),
        10 if max_queue is None else _checked_integer(what, "max_queue", max_queue),
        (120_000 if flush_millis is None else _checked_integer(what, "flush_millis", flush_millis)) / 1000,
        ".v2" if filename_suffix is None else filename_suffix,
    )


def scalar(name: str, data: Any, step: Any = None, description: str | None = None) -> bool:
    """Writes a number.

    Args:
        name: the name of the curve.
        data: a number or a tensor with one number; a compiled function writes it at each call.
        step: the position on the axis, an integer or an integer variable; default: that of ``as_default`` or ``set_step``.
        description: a string that TensorBoard shows.

    Returns:
        True if there is a default writer and ``record_if`` permits the summary.

    Raises:
        ValueError: there is no step, or more than one number.
        TypeError: ``name`` is not a string, ``data`` not a real number, or ``step`` not an integer.
    """
    value = _numbers("summary.scalar", name, data, description)
    if value._array.size != 1:
        raise ValueError(f"summary.scalar: {name!r} must be one number, got the shape {value.shape}.")

    def write(files: _EventFile, x: np.ndarray, at: int) -> None:
        files.add("scalar", at, name, float(x), summary_description=description or "")

    return _write_default_summary("summary.scalar", value, step, write)


def histogram(
    name: str, data: Any, step: Any = None, buckets: int | None = None, description: str | None = None
) -> bool:
    """Writes a histogram of the values of a tensor.

    Args:
        name, step, description: as in ``scalar``.
        data: real numbers; at least one is finite.
        buckets: the number of intervals, from 1 to 2**20; default 30.

    Raises:
        ValueError: there is no step, ``buckets`` is out of range, or no number is finite.
        TypeError: as in ``scalar``.
    """
    what = "summary.histogram"
    value = _numbers(what, name, data, description)
    count = 30 if buckets is None else _checked_integer(what, "buckets", buckets)
    if not 1 <= count <= _MOST_HISTOGRAM_BUCKETS:
        raise ValueError(f"{what}: Argument `buckets` must be from 1 to {_MOST_HISTOGRAM_BUCKETS}, got {count}.")
    return _write_default_summary(
        what, value, step, lambda files, x, at: files.add("histogram", at, name, x.astype(np.float64), count)
    )


def text(name: str, data: Any, step: Any = None, description: str | None = None) -> bool:
    """Writes a string; not in compiled functions.

    Args:
        name, step, description: as in ``scalar``.
        data: a ``str`` or a string tensor of shape ().

    Raises:
        ValueError: there is no step.
        TypeError: ``data`` is not a string, or as in ``scalar``.
    """
    _check_names("summary.text", name, description)
    if isinstance(data, _Tensor) and data.dtype is _string and not data.ndim:
        data = bytes(data._on_host()[()]).decode(errors="replace")
    if not isinstance(data, str):
        raise TypeError(f"summary.text: {name!r} must be a text, got {data!r}.")
    return _write_default_summary("summary.text", None, step, lambda files, x, at: files.add("text", at, name, data))


def _check_names(function_name: str, name: Any, description: Any) -> None:
    for argument, text in (("name", name), ("description", description)):
        if not isinstance(text, str) and (text is not None or argument == "name"):
            raise TypeError(f"{function_name}: Argument `{argument}` must be a text, got {text!r}.")


def _numbers(function_name: str, name: Any, data: Any, description: Any) -> _Tensor:
    """Returns ``data`` as a tensor of real numbers."""
    _check_names(function_name, name, description)
    value = _convert_to_tensor(data)
    if value.dtype is _string or value.dtype.is_complex:
        raise TypeError(f"{function_name}: {name!r} must be real numbers, got dtype {value.dtype.name} in {data!r}.")
    return value


def _checked_step(function_name: str, step: Any) -> Any:
    """Returns ``step`` checked: an int, or a tensor of one number."""
    value = step.read_value() if isinstance(step, _Variable) else step
    if isinstance(value, _Tensor):
        if value.ndim or not (value.dtype.is_integer or value.dtype.is_floating):
            raise TypeError(f"{function_name}: Argument `step` must be one integer, got {value!r}.")
        return value
    number = _checked_integer(function_name, "step", value)
    if not -(1 << 63) <= number < 1 << 63:
        raise ValueError(f"{function_name}: Argument `step` must fit into 64 bits, got {number}.")
    return number


def _write_default_summary(function_name: str, value: Any, step: Any, write: Callable[[Any, Any, int], Any]) -> bool:
    writer, at = _defaults.writer, _defaults.step if step is None else step
    if writer is None or not should_record_summaries():
        return False
    if at is None:
        raise ValueError(
            "No step set. Please specify one either through the `step` argument or through tf.summary.experimental.set_step()"
        )
    at = _checked_step(function_name, at)
    files = writer._files()
    if value is None:
        write(files, None, int(at))
        return True

    def call(x: np.ndarray, number: np.ndarray) -> None:
        write(files, x, int(number))

    _numpy_function(call, [value, at], [])
    return True


def flush(writer: SummaryWriter | None = None, name: str | None = None) -> None:
    """Writes waiting events of ``writer`` or of the default writer; ValueError if ``writer`` is not a SummaryWriter."""
    chosen = _defaults.writer if writer is None else writer
    if chosen is not None and not isinstance(chosen, SummaryWriter):
        raise ValueError(f"summary.flush: Argument `writer` must be a SummaryWriter, got {writer!r}.")
    if chosen is not None:
        chosen.flush()


def should_record_summaries() -> bool:
    """True if there is a default writer, and ``record_if`` permits summaries or is not used."""
    condition = _defaults.condition
    return _defaults.writer is not None and bool(condition() if callable(condition) else condition)


@contextlib.contextmanager
def record_if(condition: Any) -> Iterator[None]:
    """A context that writes summaries only if ``condition``, a boolean or a function that returns one, is True."""
    before, _defaults.condition = _defaults.condition, condition
    try:
        yield
    finally:
        _defaults.condition = before


def _set_step(step: Any) -> None:
    """Sets the default step of summaries: an integer, or an integer variable. TensorFlow: tf.summary.experimental.set_step."""
    _defaults.step = step


def _get_step() -> Any:
    """Returns the step of ``set_step`` or ``as_default``. TensorFlow: tf.summary.experimental.get_step."""
    return _defaults.step


experimental = _Namespace("tf.summary.experimental", set_step=_set_step, get_step=_get_step)

__getattr__, __dir__ = _namespace_hooks("tf.summary", globals())
