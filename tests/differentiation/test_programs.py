"""The table of programs: each compiles and runs, and its reference gradients are certain."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.differentiation import central
from tests.differentiation.cases import CASES, PROGRAMS, directions, is_single, one_sided, slope_along
from tests.differentiation.table import active, copy_of

REFERENCES = [
    (name, place)
    for name, place in CASES
    if not PROGRAMS[name].refused and not PROGRAMS[name].kink and PROGRAMS[name].written(place) is None
]
KINKS = [(name, place) for name, place in CASES if PROGRAMS[name].kink]
WRITTEN = [(name, place) for name, place in CASES if PROGRAMS[name].written(place) is not None]


def test_the_table_is_large():
    assert len(PROGRAMS) >= 300
    assert sum(program.refused is True for program in PROGRAMS.values()) >= 20


@pytest.mark.sweep
@pytest.mark.parametrize(("name", "place"), CASES)
def test_a_program_compiles_and_computes_what_python_does(name, place):
    program = PROGRAMS[name]
    arguments = program.cases[place]
    result = program.function(*map(copy_of, arguments))
    if not program.refused:
        assert isinstance(result, float | np.floating)
        assert math.isfinite(result)
        assert active(arguments)
        expected = float(central.value(program.function, arguments))
        assert result == pytest.approx(expected, rel=1e-5 if is_single(name, arguments) else 1e-11, abs=1e-11)


@pytest.mark.sweep
@pytest.mark.parametrize(("name", "place"), REFERENCES)
def test_a_reference_gradient_is_certain(name, place):
    program = PROGRAMS[name]
    arguments = program.cases[place]
    places = active(arguments)
    reference = central.reference(program.function, arguments, places)
    for at, gradient, error in zip(places, reference.gradients, reference.errors, strict=True):
        assert np.shape(gradient) == np.shape(arguments[at])
        assert np.all(np.isfinite(gradient))
        assert np.all(error <= 1e-9 * (1 + abs(gradient)))


@pytest.mark.parametrize(("name", "place"), KINKS)
def test_a_kink_has_two_derivatives(name, place):
    program = PROGRAMS[name]
    arguments = program.cases[place]
    assert any(
        abs(left - right) > 0.1
        for left, right in (one_sided(name, place, each) for each in directions(arguments, active(arguments)))
    )


@pytest.mark.parametrize(("name", "place"), WRITTEN)
def test_a_written_gradient_is_between_the_derivatives_from_both_sides(name, place):
    program = PROGRAMS[name]
    arguments = program.cases[place]
    gradient = program.written(place)
    assert [np.shape(part) for part in gradient] == [np.shape(arguments[at]) for at in active(arguments)]
    for direction in directions(arguments, active(arguments)):
        slope = slope_along(gradient, direction)
        sides = one_sided(name, place, direction)
        if sides and math.isfinite(slope):
            assert min(sides) - 1e-6 <= slope <= max(sides) + 1e-6


def test_central_differences_know_their_error():
    def smooth(h):
        return np.exp(1.5 + h) * np.sin(1.5 + h)

    derivative, error = central.extrapolated(smooth, np.longdouble(central.STEP), float(np.finfo(np.longdouble).eps))
    exact = np.exp(np.longdouble(1.5)) * (np.sin(np.longdouble(1.5)) + np.cos(np.longdouble(1.5)))
    assert abs(derivative - exact) <= error <= 1e-11

    def bent(h):
        return abs(h - np.longdouble(central.STEP) / 3)

    derivative, error = central.extrapolated(bent, np.longdouble(central.STEP), float(np.finfo(np.longdouble).eps))
    assert abs(derivative + 1) <= 100 * error
    assert error > 1e-3
