"""The monitor of a job: tells all ranks when one fails, leaves, or runs another program.

Each rank has a monitor thread. It reads the messages of the other ranks and sets the engine's `FAILED` word, so that
native waits return and the waiting thread raises the error. A rank that raises prints its traceback, sends it to the
others, gives them a moment to print theirs, and calls `MPI_Abort`. A rank that ends sends a message, and waits until
all ranks have ended. So a rank that waits for it learns that it has ended.

Messages are point to point and non-blocking, so a busy rank does not delay the others.
"""

from __future__ import annotations

import atexit
import contextlib
import faulthandler
import os
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from importlib import metadata
from types import TracebackType
from typing import Any

from fastgrad._src.jit.tracebacks import short_tracebacks

POLL_SECONDS = 0.2
"""Seconds between two looks of the monitor for messages."""

STALL_SECONDS = 1.0
"""Seconds of a wait after which a rank tells the others what it waits for."""

WARNING_SECONDS = float(os.environ.get("FASTGRAD_STALL_WARNING_SECONDS", "60"))
"""Seconds of a wait after which a warning names the ranks that are not there yet.

`FASTGRAD_STALL_WARNING_SECONDS` changes them, for jobs whose ranks wait long for one that reads or writes files.
"""

GRACE_SECONDS = 3.0
"""Seconds that a failed rank gives the others to print their errors, before it ends the job."""

LAUNCHER_SECONDS = 0.25
"""Seconds between the last print of a rank and the end of the job: the launcher drops what it has not read yet."""

NOTICE_SECONDS = 1.0
"""Seconds after which the monitor prints another rank's failure, if the main thread has not raised it."""

MOST_RECENT_TRANSFERS = 16
"""The number of recent transfers that a rank tells the others."""

MOST_TEXT = 20_000
"""The number of characters of a traceback that are sent; the end of the text is kept."""

MOST_LISTED_RANKS = 64

RAISED, MISMATCH, LEFT, TRANSFERS, PROGRAM = "raised", "mismatch", "left", "transfers", "program"
"""The kinds of messages."""


class Monitor:
    """What this rank knows of the others, and the thread that reads their messages.

    Attributes:
        rank: the number of this process.
        failure: the text of the error that collectives of this rank raise; None while the job is well.
        left: the ranks that have ended, and the number of transfers that each had started.
        stopped: the ranks that have printed an error.
        programs: the programs that other ranks have recorded, by the number of transfers before the end of recording.
        compare_program: returns the difference between another rank's program and this rank's.
    """

    def __init__(self, group: Any) -> None:
        self.rank, self._size, self._mpi = group.rank, group.size, group.mpi
        self._messages = group.control.Dup()  # its own, so that no other receive takes these messages
        self._others = [rank for rank in range(self._size) if rank != self.rank]
        self._process = os.getpid()
        self._sends: list[Any] = []
        self._lock = threading.RLock()
        self._quit = threading.Event()
        self.failure: str | None = None
        self.left: dict[int, int] = {}
        self.stopped: set[int] = set()
        self._failed_at = 0.0  # when another rank's failure was told; 0.0 if none was
        self._noticed = False  # whether this rank has printed or raised that failure
        self._leaves = False  # whether this rank has said goodbye
        self._next = (0, 0)  # the number and the signature of the last transfer that was agreed on
        self._transfers: dict[int, dict[int, tuple[int, str]]] = {rank: {} for rank in self._others}
        self._started: dict[int, int] = {}
        self.programs: dict[int, dict[int, bytes]] = {rank: {} for rank in self._others}
        self.compare_program: Callable[[Monitor, int, int, bytes], str | None] | None = None
        self._waits_for, self._waits_since, self._told_at, self._warned = 0, 0.0, 0.0, False
        self._compare_versions(group.control)
        self._watched = self._processes_here(group.control)
        self._thread = threading.Thread(target=self._run, name="fastgrad-monitor", daemon=True)

    def start(self) -> None:
        """Starts the thread, and registers what runs when this rank raises or ends."""
        if not faulthandler.is_enabled():
            faulthandler.enable()  # a crash shows its traceback
        self._thread.start()
        previous, previous_of_threads = sys.excepthook, threading.excepthook

        def on_exception(kind: type[BaseException], value: BaseException, trace: TracebackType | None) -> None:
            if os.getpid() != self._process:  # a child made by `fork`
                previous(kind, value, trace)
                return
            is_default = getattr(previous, "__wrapped__", previous) is sys.__excepthook__
            self.stop_job(kind, value, trace, None if is_default else previous)

        def on_thread_exception(arguments: Any) -> None:
            if os.getpid() != self._process or arguments.exc_type is SystemExit or self._leaves:
                previous_of_threads(arguments)
                return
            self.stop_job(arguments.exc_type, arguments.exc_value, arguments.exc_traceback)

        sys.excepthook, threading.excepthook = on_exception, on_thread_exception
        atexit.register(self._say_goodbye_and_wait)  # before mpi4py finalises MPI

    # What this rank tells.

    def send_to_others(self, *message: Any) -> None:
        """Sends a message to all other ranks, without waiting."""
        with self._lock:
            self._sends += [self._messages.isend(message, rank) for rank in self._others]

    def request_transfers(self) -> None:
        """Tells the other ranks which transfers this rank has started last, and asks for theirs."""
        self.send_to_others(TRANSFERS, self.started_count(), self._own_transfers(), True)

    def agree_on_transfer(self, signature: int, seconds: float) -> None:
        """Tells the other ranks which transfer this rank starts next, and compares it with theirs.

        Args:
            signature: of the transfer.
            seconds: how long to wait for messages of the other ranks.
        """
        number = self.started_count() + 1
        self._next = number, signature
        self.send_to_others(TRANSFERS, number - 1, {number: (signature, names_of_signatures[signature])}, False)
        self.wait_for_others(lambda rank: number in self._transfers[rank], seconds)
        for rank in self._others:
            self._compare_transfers(rank)

    def wait_for_others(self, has_told: Callable[[int], bool], seconds: float) -> None:
        """Handles messages until all other ranks have told something or have left, or the job has failed."""
        self.wait_until(
            lambda: self.failure is not None or all(rank in self.left or has_told(rank) for rank in self._others),
            seconds,
        )

    def fail(self, text: str) -> None:
        """Makes collectives raise an error in all ranks."""
        with self._lock:
            if self.failure is None:
                self.send_to_others(MISMATCH, text)
                self._set_failure(text)

    # What the others tell.

    def poll(self) -> None:
        """Handles all messages that have arrived."""
        if not self._lock.acquire(blocking=False):
            return
        try:
            self._sends = [send for send in self._sends if not send.test()[0]]
            status = self._mpi.Status()
            while (message := self._messages.improbe(self._mpi.ANY_SOURCE, 0, status)) is not None:
                rank = status.Get_source()
                self._handle_message(rank, *message.recv())
        finally:
            self._lock.release()

    def wait_until(self, is_done: Callable[[], bool], seconds: float) -> bool:
        """Handles messages until ``is_done()``, for at most ``seconds``; returns whether it is."""
        end = time.monotonic() + seconds
        while True:
            self.poll()
            if is_done():
                return True
            if time.monotonic() > end:
                return False
            time.sleep(0.001)

    def failure_text(self) -> str:
        """Returns the text of the error of a collective that failed in this rank; asks the other ranks for it."""
        if self.failure is None:
            self.request_transfers()
            self.wait_until(lambda: self.failure is not None, STALL_SECONDS)
        self._noticed = True
        if self.failure is None:
            self.fail(
                f"A collective failed in rank {self.rank}: MPI reports an error, or the ranks reduce different tensors. "
                "Run the same program with the same shapes in all ranks."
            )
        return str(self.failure)

    def _handle_message(self, rank: int, kind: str, *content: Any) -> None:
        if kind == RAISED:
            summary, text, is_first = content
            self.stopped.add(rank)
            if is_first and not self._failed_at:
                self._failed_at = time.monotonic()
                self._set_failure(
                    f"Rank {rank} of {self._size} {summary}, so that rank {self.rank} stops."
                    + (f" The traceback of rank {rank}:\n\n{text.rstrip()}\n" if text else "")
                )
        elif kind == MISMATCH:
            self._set_failure(content[0])
        elif kind == LEFT:
            self.left[rank] = content[0]
            self._started[rank] = content[0]
        elif kind == TRANSFERS:
            started, transfers, asks = content
            self._started[rank] = max(started, self._started.get(rank, 0))
            known = self._transfers[rank]
            known.update(transfers)
            if asks:
                answer = TRANSFERS, self.started_count(), self._own_transfers(), False
                self._sends.append(self._messages.isend(answer, rank))
            for number in sorted(known)[: -2 * MOST_RECENT_TRANSFERS]:
                del known[number]
            self._compare_transfers(rank)
        elif kind == PROGRAM:
            moment, program = content
            self.programs[rank][moment] = program
            if self.compare_program and (difference := self.compare_program(self, moment, rank, program)):
                self.fail(difference)

    def _set_failure(self, text: str) -> None:
        if self.failure is None:
            self.failure = text
        if (words := self._engine_words()) is not None:
            from fastgrad._src.kernels.collectives.transfers import FAILED

            words[FAILED] = 1

    # The thread.

    def _run(self) -> None:
        last_look = time.monotonic()
        while not self._quit.wait(POLL_SECONDS):
            self.poll()
            now = time.monotonic()
            if self.failure is not None:
                self._set_failure(self.failure)  # of an engine that has started since
            if self._failed_at:
                self._handle_failure_elsewhere(now - self._failed_at)
            elif self.failure is None:
                self._check_wait(now)
                if now - last_look > STALL_SECONDS:
                    last_look = now
                    self._check_for_ended_ranks()

    def _handle_failure_elsewhere(self, seconds: float) -> None:
        """Prints the failure of another rank if the main thread computes on; ends the job if that rank does not."""
        if seconds > NOTICE_SECONDS and not self._noticed:
            self._noticed = True
            print_at_once(f"rank {self.rank} of {self._size} stops: {self.failure}\n")
            self.send_to_others(RAISED, "stopped", "", False)
        if seconds > GRACE_SECONDS + NOTICE_SECONDS:
            self._abort(1)

    def _check_wait(self, now: float) -> None:
        """Looks for how long a native wait lasts, and for what."""
        words = self._engine_words()
        if words is None:
            return
        from fastgrad._src.kernels.collectives.transfers import WAITING_FOR

        number = int(words[WAITING_FOR])
        if number != self._waits_for:
            self._waits_for, self._waits_since, self._told_at, self._warned = number, now, 0.0, False
        if not number:
            return
        for rank, started in self.left.items():
            if started < number:
                self.fail(
                    f"Rank {rank} of {self._size} has ended (end of its script, or sys.exit) after {started} collectives, "
                    f"and rank {self.rank} waits for it in collective {number}: {self._transfer_name(number)}. "
                    "Run the same number of steps in all ranks."
                )
                return
        seconds = now - self._waits_since
        if seconds > STALL_SECONDS and now - self._told_at > 10 * STALL_SECONDS:
            self._told_at = now
            self.request_transfers()
        for rank in self._others:
            self._compare_transfers(rank)
        if seconds > WARNING_SECONDS and not self._warned:
            self._warned = True
            absent = [rank for rank in self._others if self._started.get(rank, 0) < number]
            print_at_once(
                f"WARNING: rank {self.rank} has waited for {seconds:.0f} s in collective {number}, {self._transfer_name(number)}. "
                + (f"Not there yet: {_ranks_text(absent)}.\n" if absent else "All ranks are there.\n")
            )

    def _compare_transfers(self, rank: int) -> None:
        """Compares the transfers that another rank has told with those of this rank."""
        own = self._own_transfers()
        for number, (signature, text) in sorted(self._transfers[rank].items()):
            if number in own and own[number][0] != signature:
                names = sorted([(self.rank, own[number][1]), (rank, text)])
                self.fail(
                    f"The ranks run different collectives: as number {number}, "
                    + " and ".join(f"rank {one} runs {name}" for one, name in names)
                    + ". Run the same collectives in the same order with the same shapes in all ranks."
                )
                return

    def _check_for_ended_ranks(self) -> None:
        """Looks whether the other processes of this machine are alive."""
        for rank, process in list(self._watched.items()):
            if rank in self.left or rank in self.stopped:
                continue
            try:
                os.kill(process, 0)
            except ProcessLookupError:
                self.poll()
                if rank in self.left or rank in self.stopped or self._quit.is_set():
                    continue
                del self._watched[rank]
                self._failed_at = time.monotonic()
                text = f"Rank {rank} of {self._size} (process {process}) was killed or crashed: it ended without a message."
                self.send_to_others(MISMATCH, text)
                self._set_failure(text)
            except PermissionError:
                del self._watched[rank]

    # The end of this rank.

    def stop_job(
        self,
        kind: type[BaseException],
        value: BaseException | None,
        trace: TracebackType | None,
        show: Callable[..., Any] | None = None,
    ) -> None:
        """Shows an exception that nothing caught, tells the other ranks, and ends the job.

        Args:
            kind, value, trace: the exception.
            show: the function that shows it; None for Python's own text.
        """
        try:
            self._noticed = True
            is_first = not self._failed_at
            with short_tracebacks(value):
                text = "".join(traceback.format_exception(kind, value, value.__traceback__ if value else trace))
            print_at_once(f"rank {self.rank} of {self._size} failed:\n" + ("" if show else text))
            if show:
                show(kind, value, trace)
            interrupted = issubclass(kind, KeyboardInterrupt)
            summary = "was interrupted" if interrupted else f"raised {kind.__name__}"
            self.send_to_others(RAISED, summary, "" if interrupted else text[-MOST_TEXT:], is_first)
            gone = lambda: all(rank in self.stopped for rank in self._others)
            self.wait_until(gone, GRACE_SECONDS)
        except KeyboardInterrupt:  # the second Ctrl-C ends the job at once
            interrupted = True
        self._abort(130 if interrupted else 1)

    def _say_goodbye_and_wait(self) -> None:
        """Says goodbye, and waits until the other ranks have ended, too."""
        if os.getpid() != self._process or self._mpi.Is_finalized():
            return
        self._leaves = True
        try:
            self.send_to_others(LEFT, self.started_count())
            while not self.wait_until(lambda: all(rank in self.left for rank in self._others), POLL_SECONDS):
                pass
            self._quit.set()
            self._thread.join(timeout=5)
            self.wait_until(lambda: not self._sends, GRACE_SECONDS)
        except KeyboardInterrupt:
            self._abort(130)
        if self.failure is not None:  # MPI may wait in `MPI_Finalize` for a transfer that never ends
            import signal

            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(5)

    def _abort(self, status: int) -> None:
        """Ends all processes of the job."""
        self._quit.set()
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError, AttributeError):
                stream.flush()
        faulthandler.dump_traceback_later(5, exit=True)  # if MPI_Abort waits for something
        time.sleep(LAUNCHER_SECONDS)
        self._mpi.COMM_WORLD.Abort(status)

    # What this rank has done.

    def _engine_words(self) -> Any:
        """Returns the words of the engine of transfers; None before it starts."""
        transfers = sys.modules.get("fastgrad._src.kernels.collectives.transfers")
        engine: Any = getattr(transfers, "engine", None)
        return engine().words if engine is not None and engine.cache_info().currsize else None

    def started_count(self) -> int:
        """Returns the number of transfers that this rank has started."""
        from fastgrad._src.kernels.collectives.transfers import STARTED

        words = self._engine_words()
        return 0 if words is None else int(words[STARTED])

    def _own_transfers(self) -> dict[int, tuple[int, str]]:
        """Returns the signatures and names of this rank's last transfers, by number."""
        transfers: dict[int, tuple[int, str]] = {}
        words = self._engine_words()
        number, signature = self._next
        transfers[number] = signature, names_of_signatures.get(signature, "a collective")
        if words is None:
            return transfers
        from fastgrad._src.kernels.collectives.transfers import SIGNATURE, SLOT_WORDS, SLOTS, SLOTS_AT, STARTED

        started = int(words[STARTED])
        for number in range(max(1, started - MOST_RECENT_TRANSFERS + 1), started + 1):
            signature = int(words[SLOTS_AT + SLOT_WORDS * (number % SLOTS) + SIGNATURE])
            transfers[number] = signature, names_of_signatures.get(signature, "a collective")
        return transfers

    def _transfer_name(self, number: int) -> str:
        return self._own_transfers().get(number, (0, "a collective"))[1]

    # What the ranks tell at the start.

    def _compare_versions(self, control: Any) -> None:
        own = {
            "Python": ".".join(map(str, sys.version_info[:3])),
            "MPI": self._mpi.Get_library_version().splitlines()[0].strip("\0 \t"),
            "byte order": sys.byteorder,
        }
        for name in ("fastgrad", "numpy", "numba", "mpi4py"):
            try:
                own[name] = metadata.version(name)
            except metadata.PackageNotFoundError:
                own[name] = "no package"
        versions = control.allgather(own)
        for rank, others in enumerate(versions):
            differences = [
                f"{name} {others[name]} in rank {rank}, {version} in rank 0"
                for name, version in versions[0].items()
                if others[name] != version
            ]
            if differences:
                raise RuntimeError(
                    f"The ranks run different versions: {'; '.join(differences)}. Install the same versions on all machines."
                )

    def _processes_here(self, control: Any) -> dict[int, int]:
        """Returns the process numbers of the other ranks of this machine; prints those of all ranks."""
        try:
            space = os.stat("/proc/self/ns/pid").st_ino
        except OSError:
            space = 0
        places = control.allgather((socket.gethostname(), space, os.getpid()))
        if self.rank == 0 and self._size <= MOST_LISTED_RANKS:  # launchers name a killed process by its number alone
            listed = ", ".join(f"rank {rank} is process {place[2]} on {place[0]}" for rank, place in enumerate(places))
            print_at_once(f"fastgrad.distribute: {listed}\n")
        return {
            rank: place[2]
            for rank, place in enumerate(places)
            if rank != self.rank and place[:2] == places[self.rank][:2]
        }


names_of_signatures: dict[int, str] = {}
"""The collectives of this rank, as texts, by their signatures."""

_monitors: list[Monitor] = []


def start_monitor(group: Any) -> None:
    """Starts the monitor of this process; all processes of the world call it.

    Raises:
        RuntimeError: the ranks run different versions of Python, MPI, fastgrad, NumPy, Numba or mpi4py.
    """
    _monitors.append(Monitor(group))
    _monitors[0].start()


def monitor() -> Monitor | None:
    """Returns the monitor of this process; None in a world of one process."""
    return _monitors[0] if _monitors else None


def _ranks_text(ranks: Sequence[int]) -> str:
    return f"rank{'s' if len(ranks) > 1 else ''} {', '.join(map(str, ranks))}"


def print_at_once(text: str) -> None:
    """Writes to standard error in one piece, so that lines of ranks do not mix."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(text)
        sys.stderr.flush()
