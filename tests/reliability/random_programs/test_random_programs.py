"""Random programs give the same eager, compiled, over rows at once, and on TensorFlow."""

import json
import os
import runpy
from collections import Counter
from pathlib import Path
from unittest import mock

import numpy as np
import pytest

import fastgrad as tf
from tests.reliability.random_programs import batches, derivatives, runs
from tests.reliability.random_programs.batches import batch, many, not_compared_in_full
from tests.reliability.random_programs.check import _noisy, thresholds
from tests.reliability.random_programs.comparison import difference, explained, spread
from tests.reliability.random_programs.generator import program_of
from tests.reliability.random_programs.program import Program, Statement, Value
from tests.reliability.random_programs.reached import names
from tests.reliability.random_programs.referee import ROOT
from tests.reliability.random_programs.runs import Array, Outcome
from tests.reliability.random_programs.shrink import smaller
from tests.selection import run_seed

FIRST, COUNT = 0, 20_000
"""The seeds of the long run."""

FRESH, PARTS = 240, 6
"""Programs of the short run, and tests that they are dealt out to."""

FRESH_DERIVATIVES = 30
"""Numba functions that the short run differentiates; the long run differentiates `COUNT`."""

REPRODUCTIONS = sorted((Path(__file__).parent / "reproductions").glob("*.py"))


@pytest.mark.parametrize("path", REPRODUCTIONS, ids=lambda path: path.stem)
def test_programs_that_failed_once(path, capsys):
    with thresholds(True):  # what the program sets is as it was afterwards
        runpy.run_path(str(path))
    assert capsys.readouterr().out.endswith("the same\n")


@pytest.mark.parametrize("part", range(PARTS))
def test_fresh_programs(part, figure, full):
    if full:
        pytest.skip("the long form runs programs of fixed seeds")
    first = run_seed() * 1000 + part * (FRESH // PARTS)
    print(f"seeds {first} to {first + FRESH // PARTS - 1}")
    result = batch(first, FRESH // PARTS, os.environ.get("FASTGRAD_REFEREE_PYTHON"))
    figure("programs", result["figures"]["programs"])
    assert not_compared_in_full(result["figures"]) == []
    text = "\n\n".join([f"seed {f['seed']}, {f['against']}: {f['failure']}\n{f['text']}" for f in result["failures"]])
    assert not result["failures"], text


def test_many_programs_reach_each_decision_of_the_compiler(full, figure):
    if not full:
        pytest.skip("the long form runs them")
    journal = ROOT / ".cache" / "random_programs.jsonl"
    python = os.environ.get("FASTGRAD_REFEREE_PYTHON")
    result = many(FIRST, COUNT, python, os.cpu_count() or 1, journal)
    for name, value in result["figures"].items():
        figure(name, value)
    for name in names():
        figure(name, result["reached"][name])
    assert not result["failures"], "\n\n".join([f["text"] for f in result["failures"]])
    assert [name for name in names() if not result["reached"][name]] == []
    assert not_compared_in_full(result["figures"]) == []


def test_derivatives_of_numba_functions_are_right_or_refused(full, figure):
    if full:
        journal = ROOT / ".cache" / "random_derivatives.jsonl"
        result = many(FIRST, COUNT, None, os.cpu_count() or 1, journal, "--derivatives")
    else:
        result = derivatives.batch(run_seed() * 1000, FRESH_DERIVATIVES)
    for name, value in result["figures"].items():
        figure(name, value)
    assert not result["failures"], "\n\n".join([f"seed {f['seed']}: {f['text']}" for f in result["failures"]])


def test_a_journal_counts_only_for_the_sources_that_it_was_written_with(tmp_path):
    journal = tmp_path / "new" / "journal.jsonl"
    assert many(0, 1, None, 1, journal)["figures"]["programs"] == 1  # makes the folder
    old = {"first": 0, "count": 1, "sources": "of another version", "referee": False}
    old |= {"figures": {"programs": 7}, "reached": {}, "failures": []}
    journal.write_text(json.dumps(old) + "\n")
    assert many(0, 1, None, 1, journal)["figures"]["programs"] == 1
    assert len(journal.read_text().splitlines()) == 2
    with mock.patch.object(batches, "_started", side_effect=AssertionError("the batch runs again")):
        assert many(0, 1, None, 1, journal)["figures"]["programs"] == 1
        with pytest.raises(AssertionError, match="runs again"):
            many(0, 1, "python", 1, journal)


def test_the_digest_changes_with_each_source(tmp_path):
    with mock.patch.multiple(batches, SOURCES=(tmp_path,), ROOT=tmp_path):
        digests = [batches.sources_digest()]
        for name, content in (("a.py", "x = 1"), ("a.py", "x = 2"), ("b.py", "")):
            (tmp_path / name).write_text(content)
            digests.append(batches.sources_digest())
    assert len(set(digests)) == 4


def test_excuses_have_a_bound():
    figures = Counter({"programs": 500, batches.ROUNDING: 10, batches.RAISING: 10, batches.UNDECIDED: 0})
    assert not_compared_in_full(figures) == []
    figures[batches.ROUNDING] = 11
    assert not_compared_in_full(figures) == ["11 programs whose rounding explains a difference, at most 10"]


def outcome(value=1.0, state=0.0, error=""):
    values = [] if error else [Array("float64", np.array(value))]
    return Outcome(values, [Array("float64", np.array(state))], error)


def test_state_after_an_error_is_compared():
    assert difference([outcome(error="ValueError", state=1.0)], [outcome(error="ValueError")], 1e-9)


def test_calls_before_one_that_rounding_makes_raise_are_compared():
    raises = outcome(error="InvalidArgumentError")
    own = [outcome(), outcome()]
    away = spread([[outcome(), raises], own], own)
    assert len(away) == 1
    assert explained([outcome(), raises], own, away, 1e-9)
    assert not explained([outcome(value=2.0), raises], own, away, 1e-9)


def test_the_order_of_the_parts_of_a_gradient_is_rounding():
    """The gradient of `v` is 1 - 1 + 3e-6: TensorFlow and fastgrad add it up in other orders."""
    y, rate = Value("y", "float32", ((), ())), Value("rate", "python", ((), ()))
    statement = Statement("change", ("old = v * 1.0", "v.assign(rate * v)", "y = old - v + 3e-6 * v"), y)
    program = Program(
        seed=0,
        statements=(statement,),
        arguments=(rate,),
        setup={"v": ("v = tf.Variable(0.7)",)},
        returned=("y",),
        calls=("0.5",),
        tolerance=2e-4,
        gradient="first",
        targets=("y",),
        state=("v",),
    )
    own = runs.run(program.source(), tf)
    assert own[0].values[2].array == pytest.approx(3e-6, rel=0.05)
    away = spread([_noisy(program, seed, 4.0) for seed in range(4)], own)
    assert 1e-7 < away[0][2] < 2e-6  # of the gradient, which is 3e-6


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
