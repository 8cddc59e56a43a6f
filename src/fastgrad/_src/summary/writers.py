"""Writers of TensorBoard's event files, and the default writer, step and condition."""

from __future__ import annotations

import contextlib
import itertools
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

from fastgrad._src.core.argument_checks import checked_integer, checked_path
from fastgrad._src.files.formats.record_file import encode_record


class _SummaryDefaults(threading.local):
    """The default writer, step and condition of summaries, for each thread."""

    writer: SummaryWriter | None = None
    step: Any = None
    condition: Any = True


_defaults = _SummaryDefaults()


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
        self._file = _create_event_file(logdir, suffix)
        weakref.finalize(self, self._file.close)  # for a writer without `close`
        self._queue, self._seconds = queue, seconds
        self._waiting, self._flushed = 0, time.monotonic()
        self._write_record(file_version="brain.Event:2")

    def add(self, step: int, summary: Any) -> None:
        """Writes ``summary``, a ``Summary`` of ``tensorboardX.proto`` or a serialized one."""
        from tensorboardX.proto.summary_pb2 import Summary

        message = Summary.FromString(summary) if isinstance(summary, bytes) else summary
        self._write_record(step=step, summary=message)
        self._waiting += 1
        if self._waiting >= self._queue or time.monotonic() - self._flushed > self._seconds:
            self.flush()

    def add_graph(self, graph: bytes) -> None:
        """Writes a serialized ``GraphDef``."""
        self._write_record(step=0, graph_def=graph)

    def _write_record(self, **fields: Any) -> None:
        """Writes a record in one call: an exception or a thread between its parts would corrupt the file's rest."""
        from tensorboardX.proto.event_pb2 import Event

        self._file.write(encode_record(Event(wall_time=time.time(), **fields).SerializeToString()))

    def flush(self) -> None:
        """Writes waiting events and syncs them to the disk."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._waiting, self._flushed = 0, time.monotonic()

    def close(self) -> None:
        """Writes waiting events and closes the file."""
        self._file.close()


def _create_event_file(folder: str, suffix: str) -> BinaryIO:
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
        checked_path(what, "logdir", logdir),
        10 if max_queue is None else checked_integer(what, "max_queue", max_queue),
        (120_000 if flush_millis is None else checked_integer(what, "flush_millis", flush_millis)) / 1000,
        ".v2" if filename_suffix is None else filename_suffix,
    )


def flush(writer: SummaryWriter | None = None, name: str | None = None) -> None:
    """Writes waiting events of ``writer`` or of the default writer; ValueError if ``writer`` is not a SummaryWriter."""
    chosen = _defaults.writer if writer is None else writer
    if chosen is not None and not isinstance(chosen, SummaryWriter):
        raise ValueError(f"summary.flush: Argument `writer` must be a SummaryWriter, got {writer!r}.")
    if chosen is not None:
        chosen.flush()


def default_writer() -> SummaryWriter | None:
    """Returns the default writer of this thread; None without one."""
    return _defaults.writer


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


def set_step(step: Any) -> None:
    """Sets the default step of summaries: an integer, or an integer variable. TensorFlow: tf.summary.experimental.set_step."""
    _defaults.step = step


def get_step() -> Any:
    """Returns the step of ``set_step`` or ``as_default``. TensorFlow: tf.summary.experimental.get_step."""
    return _defaults.step
