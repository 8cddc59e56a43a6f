"""The measurement of a case: each contestant in a process of its own, rounds in alternation, values compared first."""

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

from benchmarks.apart import ROOT, THREADS, thread_settings
from benchmarks.other_programs import others_share
from benchmarks.peers.process import PeerError, PeerProcess
from benchmarks.reported.case import FASTGRAD, OPTION_OF, TORCH_ONE_THREAD, Case

TIMEOUT = 240.0
SLICE_SECONDS = 0.1
PROCESS_ROUNDS = 3
TINY = 1e-300
WARM = "warm"
"""The key of fastgrad's processes that find compiled kernels on disk."""


class Processes:
    """The processes of the contestants, one each, started at their first request; closed by `with`.

    Args:
        pythons: by `jax`, `old_jax` and `peers`, a Python that has the libraries; contestants without one have no process.
        threads: of each process.
    """

    def __init__(self, pythons: Mapping[str, str], threads: int = THREADS) -> None:
        self._pythons = pythons
        self._threads = threads
        self._running: dict[str, PeerProcess] = {}
        self._cache = tempfile.TemporaryDirectory()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        for process in self._running.values():
            process.close()
        self._cache.cleanup()

    def python(self, contestant: str) -> str:
        """Returns the Python that runs a contestant; empty if none was given."""
        return sys.executable if contestant == FASTGRAD else self._pythons.get(OPTION_OF[contestant], "")

    @property
    def bytecode(self) -> str:
        """A folder for Python's bytecode, deleted at the end."""
        return os.path.join(self._cache.name, "bytecode")

    def ask(self, contestant: str, **request: Any) -> dict[str, Any]:
        """Returns the answer of a contestant's process, which stands still before and after; drops one that crashed or hung."""
        if contestant not in self._running:
            threads = 1 if contestant == TORCH_ONE_THREAD else self._threads
            environment = {"FASTGRAD_CACHE_DIR": self._cache.name, "FASTGRAD_QUIET": "1", "CONTESTANT": contestant}
            worker = ("benchmarks.reported.worker", str(threads))
            self._running[contestant] = PeerProcess(self.python(contestant), threads, environment, worker)
        process = self._running[contestant]
        process.resume()
        try:
            answer = process.ask(TIMEOUT, **request)
        except PeerError as error:
            self._running.pop(contestant).close()
            return {"failed": str(error)}
        process.stop()
        return answer


def measure(case: Case, processes: Processes, rounds: int, seconds: float = SLICE_SECONDS) -> dict[str, Any]:
    """Measures a case.

    Args:
        case: the case.
        processes: of the contestants.
        rounds: how often each contestant has its turn.
        seconds: of calls in a turn.

    Returns:
        by contestant, what it took: lists `cpu` and `wall` of seconds a call, `first`, `versions`, `error`, or `problem`
        with the reason why there are none; and `others_share` of the processors' time.
    """
    found: dict[str, dict[str, Any]] = {}
    chosen = []
    for contestant in case.contestants:
        if processes.python(contestant):
            chosen.append(contestant)
        else:
            found[contestant] = {"problem": f"not measured: no --{OPTION_OF[contestant].replace('_', '-')}"}
    with others_share() as others:
        if case.whole_process:
            _measure_processes(case, chosen, processes, min(rounds, PROCESS_ROUNDS), found)
        else:
            _measure_calls(case, chosen, processes, rounds, seconds, found)
    return {"contestants": found, "others_share": others.value}


def _measure_calls(
    case: Case,
    chosen: Sequence[str],
    processes: Processes,
    rounds: int,
    seconds: float,
    found: dict[str, dict[str, Any]],
) -> None:
    reference: list[list[float]] | None = None
    order = []
    for contestant in chosen:
        answer = processes.ask(contestant, do="prepare", program=case.program(contestant), size=case.size)
        if "failed" in answer:
            found[contestant] = {"problem": answer["failed"]}
            continue
        values = answer.pop("values")
        reference = values if reference is None else reference
        answer["error"] = difference(values, reference)
        if not answer["error"] <= case.tolerance:
            found[contestant] = {"problem": f"its values differ by {answer['error']:.1e}"}
            continue
        found[contestant] = {**answer, "cpu": [], "wall": []}
        order.append(contestant)
    for round_ in range(rounds):
        turn = round_ % max(1, len(order))
        for contestant in order[turn:] + order[:turn]:
            answer = processes.ask(contestant, do="slice", seconds=seconds)
            if "failed" in answer:
                raise RuntimeError(f"{case.name}: {contestant} failed in a turn: {answer['failed']}")
            for clock in ("cpu", "wall"):
                found[contestant][clock].append(answer[clock])


def difference(values: Sequence[list[float]], reference: Sequence[list[float]]) -> float:
    """Returns the largest difference of results, relative to the largest element of each array; infinity for other shapes.

    Args:
        values: of each array, the sum of absolute values and then elements, as `worker.arrays_of` gives them.
        reference: the same of the result to compare with.
    """
    if [len(one) for one in values] != [len(one) for one in reference]:
        return float("inf")
    largest = 0.0
    for ours, theirs in zip(values, reference, strict=True):
        gaps = np.abs(np.subtract(ours, theirs))
        scales = max(abs(theirs[0]), TINY), max(TINY, np.abs(theirs[1:]).max())
        largest = float(np.max([largest, gaps[0] / scales[0], gaps[1:].max() / scales[1]]))
    return largest


def _measure_processes(
    case: Case, chosen: Sequence[str], processes: Processes, rounds: int, found: dict[str, dict[str, Any]]
) -> None:
    reference: list[list[float]] | None = None
    for round_ in range(rounds + 1):
        for contestant in chosen:
            with tempfile.TemporaryDirectory() as folder:
                for key in (contestant, WARM) if contestant == FASTGRAD else (contestant,):
                    run = run_process(case, contestant, processes.python(contestant), folder, processes.bytecode)
                    if round_ == 0:  # it writes the bytecode, which an installation would have
                        continue
                    values = [[run["value"], run["value"]]]
                    reference = values if reference is None else reference
                    error = difference(values, reference)
                    if not error <= case.tolerance:
                        raise RuntimeError(f"{case.name}: the result of {key} differs by {error:.1e}")
                    kept = found.setdefault(key, {"cpu": [], "wall": [], "versions": run["versions"], "error": error})
                    kept["cpu"].append(run["cpu"])
                    kept["wall"].append(run["wall"])


def run_process(case: Case, contestant: str, python: str, folder: str, bytecode: str) -> dict[str, Any]:
    """Runs a program as a process.

    Args:
        case: whose program prints the library's version and its result in its last line.
        contestant: whose program.
        python: what runs it.
        folder: for compiled kernels.
        bytecode: a folder for Python's bytecode, which later processes read.

    Raises:
        RuntimeError: it failed; the last line of its errors is in the message.
    """
    environment = {**os.environ, **thread_settings(THREADS), "FASTGRAD_CACHE_DIR": folder, "FASTGRAD_QUIET": "1"}
    environment |= {"PYTHONPYCACHEPREFIX": bytecode, "PYTHONDONTWRITEBYTECODE": ""}
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    finished = subprocess.run(
        [python, "-c", case.program(contestant)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT,
    )
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if finished.returncode:
        last = (finished.stderr.splitlines() or ["no message"])[-1]
        raise RuntimeError(f"{case.name}: the process of {contestant} failed: {last}")
    version, value = finished.stdout.splitlines()[-1].split()
    cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return {"cpu": cpu, "wall": wall, "value": float(value), "versions": {contestant: version}}
