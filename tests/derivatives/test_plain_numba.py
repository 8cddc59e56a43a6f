"""Derivatives by Numba's own pipeline: with `FASTGRAD_PLAIN_NUMBA=1` values and gradients are the same, but for rounding."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

import fastgrad as fg
from fastgrad._src.jit.numba_canaries import Feature
from fastgrad._src.jit.numba_features import PLAIN_VARIABLE, features, is_plain
from tests.derivatives.cases import PROGRAMS, arguments_of
from tests.derivatives.table import active

SAMPLE = (
    "branches.early_returns",
    "calls.helper_that_writes",
    "complex_numbers.arithmetic",
    "linear_algebra.gauss_seidel_in_place",
    "linear_algebra.trace",
    "loops.break_after_a_write",
    "loops.for_in_while",
    "loops.newton",
    "overwriting.two_arrays_swapped",
    "parallel.array_reduction_in_a_parallel_loop",
    "parallel.sum_in_a_parallel_loop",
    "recursion.power_by_squares",
)


def answers(names):
    """Returns values and gradients of the first call of each program, as lists."""
    found = {}
    for name in names:
        arguments = arguments_of(name, 0)
        value, gradients = fg.value_and_grad(PROGRAMS[name].function, active(arguments))(*arguments)
        parts = [np.asarray(part) for part in (value, *gradients)]
        found[name] = [[part.real.tolist(), part.imag.tolist()] for part in parts]
    return found


PROGRAM = "import json, sys\nfrom tests.derivatives.test_plain_numba import answers\nprint(json.dumps(answers(json.load(sys.stdin))))"


@pytest.fixture(scope="module")
def plain_answers():
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input=json.dumps(SAMPLE),
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, PLAIN_VARIABLE: "1"},
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout.splitlines()[-1])


@pytest.mark.parametrize("name", SAMPLE)
def test_a_program_has_the_same_numbers(name, plain_answers):
    (expected,) = answers([name]).values()
    for part, reference in zip(plain_answers[name], expected, strict=True):
        np.testing.assert_allclose(part, reference, rtol=1e-12, atol=1e-14)


@pytest.fixture
def chosen(monkeypatch):
    """Returns a function that sets the variable, for features that are asked for afresh."""

    def choose(value):
        monkeypatch.setenv(PLAIN_VARIABLE, value)
        features.cache_clear()

    yield choose
    monkeypatch.undo()
    features.cache_clear()


def test_all_that_can_be_off_is_off(chosen):
    chosen("1")
    assert is_plain()
    assert features() == {feature for feature in Feature if not feature.is_optional}
    chosen("0")
    assert features() == frozenset(Feature)


def test_another_value_is_refused(chosen):
    chosen("yes")
    with pytest.raises(ValueError, match="FASTGRAD_PLAIN_NUMBA is 'yes'; it may be 0 or 1"):
        features()
