"""Random programs compile, compute what Python does, and have no condition near a tie."""

from __future__ import annotations

import random

import numpy as np
import pytest

from tests.derivatives import central, random_derivatives, random_programs
from tests.derivatives.table import copy_of
from tests.derivatives.wide_programs import WideWriter


@pytest.mark.filterwarnings("ignore:.*faster on contiguous arrays")  # of a product in the program itself
@pytest.mark.parametrize("seed", range(24))
def test_a_random_program_computes_what_python_does(seed):
    source, function, arguments, _ = random_derivatives.drawn(seed)
    result = function(*map(copy_of, arguments))
    assert result == pytest.approx(float(central.value(function, arguments)), rel=1e-11, abs=1e-11)
    assert random_programs.margin(source, arguments) >= random_programs.SMALLEST_MARGIN


def test_a_seed_draws_the_same_program_again():
    source, _, arguments, _ = random_programs.draw(3)
    again, _, same, _ = random_programs.draw(3)
    assert source == again
    for left, right in zip(arguments, same, strict=True):
        np.testing.assert_array_equal(left, right)


def test_random_programs_have_all_parts_of_the_language():
    text = "".join(random_programs.Writer(random.Random(seed)).text() for seed in range(80))
    parts = (
        "for ",
        "while ",
        "break",
        "continue",
        "if ",
        "elif ",
        "else:",
        "return ",
        "enumerate(",
        "zip(",
        "index[",
        "[::-1]",
    )
    assert [part for part in parts if part not in text] == []
    for helper in "def scalar(", "def pair(", "def changed(":
        assert helper in text


def test_wide_random_programs_have_all_parts_of_the_language():
    text = "".join(WideWriter(random.Random(seed)).text() for seed in range(80))
    parts = (
        "complex(",
        "prange(",
        "while True",
        "np.argsort(",
        "np.concatenate(",
        ".pop(",
        "else:",
        "enumerate(M",
        "[1:] += ",
    )
    assert [part for part in parts if part not in text] == []
    for helper in "recursive", "refill", "tail", "smoothed", "moved":
        assert f"def {helper}(" in text


TIED = """
from numba import njit
@njit
def program(x):
    if x > {limit}:
        return x * x
    return x
"""


def test_a_margin_is_the_least_difference_of_compared_floats():
    assert random_programs.margin(TIED.format(limit=0.25), (0.75,)) == pytest.approx(0.5)
    assert random_programs.margin(TIED.format(limit=0.7499), (0.75,)) == 0.0


def test_the_reference_of_a_random_program_is_certain():
    gradients, errors = random_programs.draw(5).reference
    for gradient, error in zip(gradients, errors, strict=True):
        assert np.all(error <= 1e-9 * (1 + np.abs(gradient)))
