"""`benchmarks/derivative_hints.py` compares derivatives that are equal, and prints a row for each."""

import itertools
import time

import numpy as np
import pytest

import fastgrad as fg
from benchmarks import derivative_hints


def test_the_programs_are_those_of_their_docstrings():
    rng = np.random.default_rng(1)
    w, x = rng.normal(size=3), rng.normal(size=(7, 3))
    states = derivative_hints.series(w, x)
    assert derivative_hints.squares(w, x) == pytest.approx((states**2).sum())
    assert derivative_hints.list_squares(w, x) == derivative_hints.squares(w, x)
    assert derivative_hints.temporaries(w, x) == pytest.approx(derivative_hints.elements(w, x))
    np.testing.assert_allclose(
        fg.jacobian(derivative_hints.series)(w, x).T @ (2 * states), fg.grad(derivative_hints.squares)(w, x)
    )


def test_a_time_is_the_least_of_a_call(monkeypatch):
    clock = itertools.count(0.0, 0.5)  # half a second between two looks at it
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    calls = []
    assert derivative_hints.least_times([lambda: calls.append("a"), lambda: calls.append("b")], seconds=2.0) == [
        0.5,
        0.5,
    ]
    assert calls[:4] == ["a", "a", "b", "b"]
    assert calls[4:6] == ["a", "b"]  # they take turns


def test_the_tables_have_a_row_for_each_program(monkeypatch, capsys):
    def times(programs, seconds=1.0):
        for program in programs:
            program()
        return [float(number) for number in range(2, 2 + len(programs))]

    monkeypatch.setattr(derivative_hints, "least_times", times)
    derivative_hints.main()
    functions, hints = capsys.readouterr().out.split("\n\n")
    ratios = dict(line.strip("| ").rsplit(" | ", 1) for line in functions.splitlines()[2:])
    assert ratios["f"] == ratios["f of many results"] == "1.0"
    assert ratios["grad"] == "1.5"
    assert ratios["jacobian"] == "1.1"  # the time of `series` is 9
    names = [line.strip("| ").rsplit(" | ", 1)[0] for line in hints.splitlines()[2:]]
    assert names[:-2] == [*derivative_hints.pairs()]
    assert [name.split(":")[0] for name in names[-2:]] == ["float64; float32"] * 2
