"""The process of a peer: gets requests over pipes, is stopped while others are timed, and always ends."""

import contextlib
import json
import os
import select
import signal
import subprocess
import tempfile
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from benchmarks.apart import ROOT, thread_settings

LAST_LINES = 15
WARM_SECONDS = 0.05
PREPARE_TIMEOUT = 600.0
SLICE_TIMEOUT = 120.0


class PeerError(Exception):
    """An error of a peer: it crashed, hung or sent an invalid answer; `output` has the last lines of its process."""

    def __init__(self, message: str, output: str) -> None:
        super().__init__(message)
        self.output = output


class PeerProcess:
    """A process of a worker's module under `python`, with every thread pool set to `threads`, and `environment` on top of ours."""

    def __init__(
        self,
        python: str,
        threads: int,
        environment: Mapping[str, str] | None = None,
        module: Sequence[str] = ("benchmarks.peers.worker",),
    ) -> None:
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close()
        try:
            self._process = subprocess.Popen(
                [python, "-m", *module],
                cwd=ROOT,
                env={name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"}
                | thread_settings(threads)
                | dict(environment or {}),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
                start_new_session=True,  # Ctrl-C is for the runner, which then ends its workers
            )
        except OSError as error:
            self._log.close()
            raise PeerError(f"{python} does not start: {error.strerror}", "") from error

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def processors(self) -> Collection[int] | None:
        """The processors that the process may use; None for all of ours."""
        if not hasattr(os, "sched_getaffinity"):
            return None
        try:
            return os.sched_getaffinity(self.pid)
        except ProcessLookupError:  # it has ended; the next request raises the error
            return None

    def ask(self, timeout: float, **request: Any) -> dict[str, Any]:
        """Sends a request and waits for its answer.

        Raises:
            PeerError: the process ended, did not answer in `timeout` seconds, or printed nonsense.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._failure() from None
        answer = bytearray()
        deadline = time.monotonic() + timeout
        while not answer.endswith(b"\n"):
            readable, _, _ = select.select([self._process.stdout], [], [], max(0.0, deadline - time.monotonic()))
            if not readable:
                raise PeerError(f"no answer to {request['do']!r} after {timeout:.0f} s", self.output())
            part = os.read(self._process.stdout.fileno(), 65536)
            if not part:
                raise self._failure()
            answer += part
        return json.loads(answer)

    def prepare(self, slice_seconds: float, **request: Any) -> int:
        """Has the process prepare a workload and stops it; returns the number of steps in a slice.

        Raises:
            PeerError: as `ask`; the process can't run the workload.
        """
        facts = self.ask(PREPARE_TIMEOUT, do="prepare", **request)
        if "steps_per_second" not in facts:
            raise PeerError(f"{request['peer']} with {request['threads']} threads: {facts}", self.output())
        self.stop()
        return max(1, round(facts["steps_per_second"] * slice_seconds))

    def timed_slice(self, steps: int, triad: bool = False, peak: bool = False) -> dict[str, Any]:
        """Resumes the stopped process for a slice; returns its answer, with the `microseconds` of a step.

        Args:
            steps: of the slice, which is warmed up first.
            triad, peak: whether the process then measures a triad's bandwidth, and the speed of arithmetic.

        Raises:
            PeerError: as `ask`.
        """
        self.resume()
        answer = self.ask(SLICE_TIMEOUT, do="slice", warm_seconds=WARM_SECONDS, steps=steps, triad=triad, peak=peak)
        self.stop()
        return answer | {"microseconds": answer["seconds"] / steps * 1e6}

    def _failure(self) -> PeerError:
        code = self._process.wait()
        reason = f"ended with exit code {code}" if code >= 0 else f"was killed by {signal.Signals(-code).name}"
        return PeerError(f"its process {reason}", self.output())

    def output(self) -> str:
        """Returns the last lines that the process printed."""
        if self._log.closed:
            return ""
        size = self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, size - 20_000))
        return "\n".join(self._log.read().decode(errors="replace").splitlines()[-LAST_LINES:])

    def stop(self) -> None:
        """Stops the process with its threads and children (SIGSTOP); returns when it has stopped."""
        self._signal(signal.SIGSTOP)
        if hasattr(os, "waitid") and self._process.poll() is None:
            os.waitid(os.P_PID, self._process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def resume(self) -> None:
        """Resumes a stopped process (SIGCONT)."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):  # it ended just now
                os.killpg(self._process.pid, number)  # the group is its own, as the session is

    def close(self) -> None:
        """Ends the process and its children, stopped or not; may be called again."""
        self._signal(signal.SIGKILL)
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._log):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):  # of a request that was never read
                    pipe.close()


def measure_in_turns(
    prepared: Sequence[tuple[PeerProcess, int]], rounds: int, peak: bool = False
) -> Iterator[list[dict[str, Any]]]:
    """Times processes in turns, one slice each in a round; yields for each round their answers, in the order of the processes.

    Args:
        prepared: the stopped processes, each with the steps of a slice.
        rounds: the number of slices of each.
        peak: as for `PeerProcess.timed_slice`.

    Raises:
        PeerError: a process failed.
    """
    for _ in range(rounds):
        yield [process.timed_slice(steps, peak=peak) for process, steps in prepared]
