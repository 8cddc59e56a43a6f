"""Random programs give the same eager, compiled, over rows at once, and on TensorFlow."""

import os
import runpy
import time
from pathlib import Path

import pytest

from tests.reliability.random_programs.batches import batch, many
from tests.reliability.random_programs.check import thresholds
from tests.reliability.random_programs.generator import program_of
from tests.reliability.random_programs.program import Program
from tests.reliability.random_programs.reached import names
from tests.reliability.random_programs.referee import ROOT
from tests.reliability.random_programs.shrink import smaller

FIRST, COUNT = 0, 20_000
"""The seeds of the long run."""

FRESH, PARTS = 300, 6
"""Programs of the short run, and tests that they are dealt out to."""

REPRODUCTIONS = sorted((Path(__file__).parent / "reproductions").glob("*.py"))


@pytest.mark.parametrize("path", REPRODUCTIONS, ids=lambda path: path.stem)
def test_programs_that_failed_once(path, capsys):
    with thresholds(True):  # what the program sets is as it was afterwards
        runpy.run_path(str(path))
    assert capsys.readouterr().out.endswith("the same\n")


@pytest.mark.parametrize("part", range(PARTS))
def test_fresh_programs(part, figure, full):
    if full:
        return
    chosen = os.environ.get("FASTGRAD_RANDOM_SEED")
    seed = int(chosen) if chosen else time.time_ns() // 1_000_000 % 10**9 * 1000
    first = seed + part * (FRESH // PARTS)
    print(f"seeds {first} to {first + FRESH // PARTS - 1}")
    result = batch(first, FRESH // PARTS, os.environ.get("FASTGRAD_REFEREE_PYTHON"))
    figure("programs", result["figures"]["programs"])
    text = "\n\n".join([f"seed {f['seed']}, {f['against']}: {f['failure']}\n{f['text']}" for f in result["failures"]])
    assert not result["failures"], text


def test_many_programs_reach_each_decision_of_the_compiler(full, figure):
    if not full:
        return
    journal = ROOT / ".cache" / "random_programs.jsonl"
    python = os.environ.get("FASTGRAD_REFEREE_PYTHON")
    result = many(FIRST, COUNT, python, os.cpu_count() or 1, journal)
    for name, value in result["figures"].items():
        figure(name, value)
    for name in names():
        figure(name, result["reached"][name])
    assert not result["failures"], "\n\n".join([f["text"] for f in result["failures"]])
    assert [name for name in names() if not result["reached"][name]] == []


def test_programs_follow_from_their_seed():
    for seed in range(50):
        assert program_of(seed).text() == program_of(seed).text()


def test_shrinking_keeps_what_fails():
    program = next(p for p in map(program_of, range(100)) if "tf.cumsum" in p.source() and len(p.statements) > 8)

    def fails(candidate: Program) -> bool:
        return "tf.cumsum" in "".join([line for s in candidate.statements for line in s.lines])

    least = smaller(program, fails)
    assert len(least.statements) == 1
    assert len(least.calls) == 1
    compile(least.text(), "program", "exec")
