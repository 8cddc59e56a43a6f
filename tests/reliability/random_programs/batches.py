"""Many programs: seeds in a row, in processes of their own, with counts of what they reached."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest import mock

from fastgrad._src.jit import cache
from tests.reliability.random_programs.check import Result, checked
from tests.reliability.random_programs.generator import program_of
from tests.reliability.random_programs.program import Program
from tests.reliability.random_programs.reached import Reached, statement_name
from tests.reliability.random_programs.referee import ROOT, Referee
from tests.reliability.random_programs.shrink import smaller

BATCH = 500
"""Programs of a process: LLVM keeps about 85 kB of each kernel that it has compiled."""

SOURCES = (ROOT / "src" / "fastgrad", ROOT / "tests" / "derivatives", Path(__file__).parent)
"""Folders whose content decides what a batch of programs gives."""

EXCUSED = 0.02
"""Share of the programs of a run that may raise, or whose differences may be excused by rounding."""

SHRINKING = 90.0
"""Seconds that making a program smaller may take."""


def batch(first: int, count: int, python: str | None) -> dict[str, Any]:
    """Runs the programs of some seeds in a row.

    Args:
        first, count: the seeds.
        python: one with TensorFlow, if there is.

    Returns:
        "figures", "reached": counts by name; "failures": for each a seed, what differs, and a program that stands for itself.
    """
    referee = Referee(python) if python else None
    figures: Counter[str] = Counter()
    failures: list[dict[str, Any]] = []
    reached = Reached()
    start = time.process_time()
    with reached.counting(), mock.patch.object(cache, "CACHE_LIMIT_BYTES", 4 << 30):  # kernels stay for the next run
        for seed in range(first, first + count):
            program = program_of(seed)
            result = checked(program, referee)
            _add(figures, program, result)
            reached.counts.update({statement_name(kind) for kind in {s.kind for s in program.statements}})
            if result.failure:
                failures.append(_failure(program, result, referee))
                print(
                    f"seed {seed}: {failures[-1]['failure'][:2000]}\n{failures[-1]['text']}",
                    file=sys.stderr,
                    flush=True,
                )
    if referee is not None:
        referee.close()
    figures["CPU seconds"] = round(time.process_time() - start)
    return {"figures": figures, "reached": reached.counts, "failures": failures}


def _add(figures: Counter[str], program: Program, result: Result) -> None:
    figures["programs"] += 1
    figures["operations"] += len(program.statements)
    figures["programs compared with TensorFlow"] += result.refereed
    figures["programs without a gradient in TensorFlow"] += result.without_gradient
    figures["programs under vectorized_map"] += program.form == "map"
    figures["programs with gradients"] += bool(program.gradient)
    figures["programs with an optimizer"] += bool(program.optimizer)
    figures["programs with an optimizer, compared with TensorFlow"] += bool(program.optimizer) and result.refereed
    figures["programs compiled with the decisions for large arrays"] += program.small
    figures[f"programs in {program.dtype}"] += 1
    figures["programs with mixed_bfloat16 or mixed_float16"] += "mixed_" in program.source()
    figures["programs with int64"] += "int64" in "".join(program.calls)
    figures[RAISING] += bool(result.raised)
    figures[ROUNDING] += bool(result.rounding)
    figures[UNDECIDED] += bool(result.undecided)
    figures["programs that differ"] += bool(result.failure)


RAISING = "programs that raise"
ROUNDING = "programs whose rounding explains a difference"
UNDECIDED = "programs whose rounding decides whether a call raises"


def not_compared_in_full(figures: Mapping[str, int]) -> list[str]:
    """The figures of programs that raise, or whose differences are excused, that are more than `EXCUSED` of all programs, in words."""
    most = max(3, EXCUSED * figures["programs"])
    return [
        f"{figures[name]} {name}, at most {most:g}" for name in (RAISING, ROUNDING, UNDECIDED) if figures[name] > most
    ]


def _failure(program: Program, result: Result, referee: Referee | None) -> dict[str, Any]:
    end = time.monotonic() + SHRINKING
    kind = _kind(result)

    def fails(candidate: Program) -> bool:
        return time.monotonic() < end and _kind(checked(candidate, referee)) == kind

    least = smaller(program, fails)
    return {"seed": program.seed, "against": result.against, "failure": result.failure[-3000:], "text": least.text()}


def _kind(result: Result) -> tuple[str, str]:
    """What tells failures apart: what differs from what, and the last line of an error."""
    lines = [line for line in result.failure.splitlines() if line and not line[0].isspace() and "Error" in line[:60]]
    return result.against, lines[-1].partition(":")[0] if lines else "numbers" if result.failure else ""


def many(
    first: int, count: int, python: str | None, processes: int, journal: Path | None = None, *options: str
) -> dict[str, Any]:
    """Runs many programs in processes of their own.

    Args:
        first, count, python: see `batch`.
        processes: how many work side by side.
        journal: a file of the batches that are done, a line each; a run that was stopped goes on after them. A line counts only for the
            sources and the referee that it was written with.
        *options: of the command that runs a batch: "--derivatives".
    """
    run = {"sources": sources_digest(), "referee": python is not None}
    done = {}
    if journal is not None and journal.exists():
        lines = map(json.loads, journal.read_text(encoding="utf-8").splitlines())
        done = {(line["first"], line["count"]): line for line in lines if run.items() <= line.items()}
    batches = [(start, min(BATCH, first + count - start)) for start in range(first, first + count, BATCH)]
    waiting = iter([seeds for seeds in batches if seeds not in done])
    running: dict[subprocess.Popen[str], tuple[int, int]] = {}
    results = [done[seeds] for seeds in batches if seeds in done]
    while True:
        while len(running) < processes and (seeds := next(waiting, None)) is not None:
            running[_started(*seeds, python, *options)] = seeds
        if not running:
            return _added(results)
        for process in list(_finished(running)):
            seeds = running.pop(process)
            assert process.stdout is not None
            text = process.stdout.read()
            process.stdout.close()
            lines = text.splitlines()
            if process.returncode or not lines:
                raise RuntimeError(f"the programs from seed {seeds[0]} ended with exit code {process.returncode}")
            result = {"first": seeds[0], "count": seeds[1], **run, **json.loads(lines[-1])}
            results.append(result)
            if journal is not None and sources_digest() == run["sources"]:
                journal.parent.mkdir(parents=True, exist_ok=True)
                with journal.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(result) + "\n")


def sources_digest() -> str:
    """A hash of the names and contents of all files in `SOURCES`."""
    digest = hashlib.sha256()
    for folder in SOURCES:
        for path in sorted(path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts):
            digest.update(f"{path.relative_to(ROOT)} {path.stat().st_size} ".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _started(first: int, count: int, python: str | None, *options: str) -> subprocess.Popen[str]:
    arguments = [sys.executable, "-m", "tests.reliability.random_programs", str(first), str(count), "--batch", *options]
    environment = os.environ | {"FASTGRAD_NUM_THREADS": "2" if first // BATCH % 5 == 4 else "1"}
    environment |= {"FASTGRAD_REFEREE_PYTHON": python} if python else {}
    return subprocess.Popen(arguments, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)


def _finished(running: dict[subprocess.Popen[str], tuple[int, int]]) -> Iterator[subprocess.Popen[str]]:
    while True:
        finished = [process for process in running if process.poll() is not None]
        if finished:
            yield from finished
            return
        time.sleep(0.2)


def _added(results: list[dict[str, Any]]) -> dict[str, Any]:
    figures: Counter[str] = Counter()
    reached: Counter[str] = Counter()
    failures = []
    for result in results:
        figures.update(result["figures"])
        reached.update(result["reached"])
        failures += result["failures"]
    return {"figures": figures, "reached": reached, "failures": failures}
