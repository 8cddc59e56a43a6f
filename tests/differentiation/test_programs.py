"""The table of programs: each compiles and runs, and its reference gradients are certain."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.differentiation import central
from tests.differentiation.table import active, all_programs, copy_of

PROGRAMS = all_programs()
CASES = [(name, place) for name, program in PROGRAMS.items() for place in range(len(program.cases))]
REFERENCES = [
    (name, place)
    for name, place in CASES
    if not PROGRAMS[name].refused and not PROGRAMS[name].kink and PROGRAMS[name].written(place) is None
]
KINKS = [(name, place) for name, place in CASES if PROGRAMS[name].kink]
WRITTEN = [(name, place) for name, place in CASES if PROGRAMS[name].written(place) is not None]


def is_single(name, arguments):
    """True if a program computes in float32."""
    return "float32" in PROGRAMS[name].tags or any(
        isinstance(value, (np.ndarray, np.generic)) and value.dtype == np.float32 for value in arguments
    )


def directions(arguments, places):
    """Yields each unit vector, and three random vectors, of the arguments at ``places``."""
    shapes = [np.shape(arguments[place]) for place in places]
    sizes = [math.prod(shape) for shape in shapes]
    rng = np.random.default_rng(7)
    for flat in [*np.eye(sum(sizes)), *rng.normal(size=(3, sum(sizes)))]:
        parts = np.split(flat, np.cumsum(sizes)[:-1])
        yield tuple(part.reshape(shape) for part, shape in zip(parts, shapes, strict=True))


def one_sided(name, place, direction):
    """Returns the finite derivatives from the left and from the right."""
    program = PROGRAMS[name]
    arguments = program.cases[place]
    found = central.directional(program.function, arguments, active(arguments), direction)
    return [float(each) for each in found if abs(each) < 1e6]


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
        slope = sum(float(np.sum(g * d)) for g, d in zip(gradient, direction, strict=True))
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
