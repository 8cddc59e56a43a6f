"""Runs one workload in every peer: prepare, compare losses, then time in alternating slices."""

import contextlib
import statistics
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.other_programs import others_share
from benchmarks.peers.known import OURS, PEERS
from benchmarks.peers.process import PREPARE_TIMEOUT, PeerError, PeerProcess
from benchmarks.peers.workload import Workload

LOSS_TOLERANCE = 1e-4


@dataclass(frozen=True)
class Settings:
    """The settings of a run: threads, rounds, durations, Pythons.

    Attributes:
        rounds: timed slices of each peer.
        slice_seconds: how long one is.
        threads: of each peer.
        pythons: each peer's interpreter.
        from_nothing: peers that keep compiled code on disk have an empty folder for it, and start twice.
    """

    rounds: int
    slice_seconds: float
    threads: int
    pythons: Mapping[str, str]
    from_nothing: bool = True


@dataclass
class PeerResult:
    """The result of one peer: its facts, losses, times, or its problem.

    Attributes:
        problem: why it was not timed, or no longer; empty if all went well.
        absent: the problem is only that the peer is not here, or has no program for this workload.
        output: the end of what a crashed peer printed.
        facts: versions, losses, import and first-step times, as the worker reported them. `cold` has those of a process before
            it that found no compiled code, for peers that keep some on disk; the others are always cold.
        microseconds: by round, the time of one step.
        triad: by round, the bytes a second that a triad reached in the peer's process; empty where it was not asked for.
        others: by round, the share of the peer's processors' time that other programs took meanwhile; empty if unknown.
        kernels: what a compiled step of fastgrad consists of, see `kernels.py`.
    """

    problem: str = ""
    absent: bool = False
    output: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    steps: int = 0
    microseconds: dict[int, float] = field(default_factory=dict)
    triad: dict[int, float] = field(default_factory=dict)
    others: dict[int, float] = field(default_factory=dict)
    kernels: list[dict[str, Any]] = field(default_factory=list)

    def median(self) -> float:
        """The median of the rounds' times, in microseconds a step."""
        return statistics.median(self.microseconds.values())

    def ratios(self, other: "PeerResult") -> list[float]:
        """Returns for each round the ratio of this peer's time to another's."""
        return [time / other.microseconds[r] for r, time in self.microseconds.items() if r in other.microseconds]


Results = dict[str, PeerResult]


def others_while_timed(results: Results) -> float | None:
    """Returns the share of the processors' time that other programs took in all slices; None if unknown."""
    shares = [share for result in results.values() for share in result.others.values()]
    return round(max(0.0, statistics.fmean(shares)), 3) if shares else None


COMPILED = tuple(peer for peer in OURS if PEERS[peer].compile)
"""The modes of fastgrad that compile the step."""


def disagreements(losses: Mapping[str, Sequence[float]], tolerance: float = LOSS_TOLERANCE) -> dict[str, str]:
    """Returns for each peer with other losses than the reference a sentence with the first step that differs.

    The measure is the peer that most libraries agree with (modes of one library count once); fastgrad is the
    measure only without other peers.
    """

    def parting(one: str, other: str) -> int | None:
        for step, (a, b) in enumerate(zip(losses[one], losses[other], strict=True)):
            if not abs(a - b) <= tolerance * max(abs(a), abs(b)):
                return step
        return None

    if not losses:
        return {}

    def libraries(one: str) -> set[str]:
        return {PEERS[other].library for other in losses if parting(one, other) is None}

    reference = max(sorted(losses, key=OURS.__contains__), key=lambda one: len(libraries(one)))
    found = {peer: parting(peer, reference) for peer in losses}
    return {
        peer: f"disagrees: loss {step + 1} of {len(losses[peer])} is {losses[peer][step]:.7g}, "
        f"{reference}'s is {losses[reference][step]:.7g}"
        for peer, step in found.items()
        if step is not None
    }


def run(workload: Workload, peers: Sequence[str], settings: Settings, tell: Callable[[str], None]) -> Iterator[Results]:
    """Measures a workload in all peers; yields the same results object after each stage, so that an interrupt loses nothing.

    Args:
        workload: what to run.
        peers: names out of `PEERS`; those that the workload is not for are left out.
        settings: rounds, slice length, threads and interpreters.
        tell: takes one line about the progress.
    """
    peers = [peer for peer in peers if PEERS[peer].takes_part(workload)]
    results: Results = {peer: PeerResult() for peer in peers}
    yield results
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as processes:
        inputs = Path(folder, "inputs.npz")
        np.savez(inputs, **workload.inputs())
        running: dict[str, PeerProcess] = {}
        for peer in peers:
            tell(f"{workload.name}: preparing {peer}")
            with _problems_into(results[peer]):
                prepared = _Preparation(workload, peer, inputs, settings, Path(folder, "kept", peer))
                process = prepared.process(results[peer], processes)
                if process is not None:
                    running[peer] = process
        for peer, problem in disagreements({peer: results[peer].facts["losses"] for peer in running}).items():
            process = running.pop(peer)
            results[peer].problem, results[peer].output = problem, process.output()
            process.close()
        yield results
        for round_ in range(settings.rounds):
            tell(f"{workload.name}: round {round_ + 1} of {settings.rounds}")
            order = list(running)
            for peer in order[round_ % max(1, len(order)) :] + order[: round_ % max(1, len(order))]:
                with _problems_into(results[peer]):
                    _slice(running[peer], results[peer], round_, workload.bytes_moved > 0 and peer in OURS)
                if results[peer].problem:
                    running.pop(peer).close()  # what hangs would go on beside the others
            yield results
        for peer in set(running) & set(COMPILED):
            with _problems_into(results[peer]):
                running[peer].resume()
                results[peer].kernels = running[peer].ask(PREPARE_TIMEOUT, do="kernels")["kernels"]
        yield results


@contextlib.contextmanager
def _problems_into(result: PeerResult) -> Iterator[None]:
    try:
        yield
    except PeerError as error:
        result.problem, result.output = f"crashed: {error}", error.output


@dataclass(frozen=True)
class _Preparation:
    """The preparation of a peer for timing: its first steps; `kept` is a folder for compiled code."""

    workload: Workload
    peer: str
    inputs: Path
    settings: Settings
    kept: Path

    def process(self, result: PeerResult, processes: contextlib.ExitStack) -> PeerProcess | None:
        """Returns the peer's process, stopped after its first steps; None, with the reason in the result, if it failed."""
        known = PEERS[self.peer]
        if known.program(self.workload) is None:
            result.problem, result.absent = "has no program for this workload", True
            return None
        cold: dict[str, Any] = {}
        if known.kept_by and self.settings.from_nothing:
            with contextlib.ExitStack() as first:
                process, facts = self._asked("start", first)
                if self._failed(facts, result, process):
                    return None
                cold = {"cold": {name: value for name, value in facts.items() if name != "losses"}}
        process, facts = self._asked("prepare", processes)
        if self._failed(facts, result, process):
            return None
        result.facts = facts | cold
        result.steps = max(1, round(facts["steps_per_second"] * self.settings.slice_seconds))
        process.stop()
        return process

    def _asked(self, do: str, processes: contextlib.ExitStack) -> tuple[PeerProcess, dict[str, Any]]:
        kept_by = PEERS[self.peer].kept_by if self.settings.from_nothing else ()
        environment = dict.fromkeys(kept_by, str(self.kept)) | PEERS[self.peer].environment
        process = PeerProcess(self.settings.pythons[self.peer], self.settings.threads, environment)
        processes.callback(process.close)
        request = {"peer": self.peer, "workload": self.workload.name, "inputs": str(self.inputs)}
        try:
            return process, process.ask(PREPARE_TIMEOUT, do=do, threads=self.settings.threads, **request)
        except PeerError:
            process.close()
            raise

    def _failed(self, facts: dict[str, Any], result: PeerResult, process: PeerProcess) -> bool:
        if "missing" in facts:
            result.problem = f"missing: {self.settings.pythons[self.peer]} has no {facts['missing']}"
            result.absent = True
        elif "failed" in facts:
            result.problem, result.output = f"fails: {facts['failed']}", process.output()
        return bool(result.problem)


def _slice(process: PeerProcess, result: PeerResult, round_: int, triad: bool) -> None:
    with others_share(process.processors()) as others:
        answer = process.timed_slice(result.steps, triad)
    if others.value is not None:
        result.others[round_] = others.value
    result.microseconds[round_] = answer["microseconds"]
    if "triad" in answer:
        result.triad[round_] = answer["triad"]
