"""Gradients of every program of the table: right, or refused with the program's file and line."""

from __future__ import annotations

import re

import numpy as np
import pytest

import fastgrad as fg
from tests.differentiation import central, random_programs
from tests.differentiation.cases import CASES, PROGRAMS, directions, is_single, one_sided
from tests.differentiation.table import active, copy_of

RIGHT = [(name, place) for name, place in CASES if PROGRAMS[name].refused is False]
REFUSED = [(name, place) for name, place in CASES if PROGRAMS[name].refused]
EITHER = [(name, place) for name, place in CASES if PROGRAMS[name].refused is None]
ALL_ACTIVE = [
    (name, place)
    for name, place in RIGHT
    if len(active(PROGRAMS[name].cases[place])) == len(PROGRAMS[name].cases[place])
]


def arguments_of(name, place):
    return tuple(map(copy_of, PROGRAMS[name].cases[place]))


def assert_right(name, place, gradients):
    """Asserts that gradients, one for each active argument, are those of the program."""
    program = PROGRAMS[name]
    arguments = program.cases[place]
    places = active(arguments)
    assert [np.shape(part) for part in gradients] == [np.shape(arguments[at]) for at in places]
    if program.nan and any(np.any(np.isnan(part)) for part in gradients):
        return
    tolerance = 2e-4 if is_single(name, arguments) else 1e-9
    if program.kink:
        for direction in directions(arguments, places):
            slope = sum(float(np.sum(g * d)) for g, d in zip(gradients, direction, strict=True))
            sides = one_sided(name, place, direction)
            assert min(sides) - 1e-6 <= slope <= max(sides) + 1e-6
        return
    if program.written(place) is not None:
        expected, errors = program.written(place), tuple(np.zeros(np.shape(part)) for part in gradients)
    else:
        expected, errors = central.reference(program.function, arguments, places)
    for found, right, error in zip(gradients, expected, errors, strict=True):
        finite = np.where(np.isfinite(right), right, 0.0)
        largest = np.max(np.abs(finite), initial=0.0)
        close = np.abs(np.where(np.isfinite(right), found, 0.0) - finite) <= error + tolerance * (1.0 + largest)
        assert np.all(close), (found, right)
        assert np.all(np.isfinite(right) | (found == right)), (found, right)


@pytest.mark.sweep
@pytest.mark.parametrize(("name", "place"), RIGHT)
def test_the_gradient_is_right(name, place):
    program = PROGRAMS[name]
    places = active(program.cases[place])
    differentiated = fg.value_and_grad(program.function, argnums=places)
    value, gradients = differentiated(*arguments_of(name, place))
    expected = program.function(*arguments_of(name, place))
    assert value == pytest.approx(expected, rel=1e-5 if is_single(name, program.cases[place]) else 1e-12, abs=1e-12)
    assert_right(name, place, gradients)

    # A second call finds nothing that the first one left.
    arguments, plain = arguments_of(name, place), arguments_of(name, place)
    program.function(*plain)
    _, again = differentiated(*arguments)
    for first, second in zip(gradients, again, strict=True):
        np.testing.assert_allclose(second, first, rtol=1e-12)

    # Arrays are as they were, or as the function leaves them.
    for left, run, original in zip(arguments, plain, program.cases[place], strict=True):
        if isinstance(left, np.ndarray):
            assert np.array_equal(left, original, equal_nan=left.dtype.kind == "f") or np.array_equal(left, run)


@pytest.mark.sweep
@pytest.mark.parametrize(("name", "place"), RIGHT)
def test_the_gradient_by_one_argument_is_right(name, place):
    program = PROGRAMS[name]
    gradients = tuple(
        fg.grad(program.function, argnums=at)(*arguments_of(name, place)) for at in active(program.cases[place])
    )
    assert_right(name, place, gradients)


@pytest.mark.sweep
@pytest.mark.parametrize(("name", "place"), ALL_ACTIVE)
def test_forward_and_reverse_mode_agree(name, place):
    program = PROGRAMS[name]
    _, pullback = fg.vjp(program.function, *arguments_of(name, place))
    gradients = pullback(1.0)
    assert_right(name, place, gradients)
    rng = np.random.default_rng(5)
    tangents = tuple(copy_of(value * 0 + rng.normal(size=np.shape(value))[()]) for value in program.cases[place])
    _, tangent = fg.jvp(program.function, arguments_of(name, place), tangents)
    along = sum(np.sum(g * t) for g, t in zip(gradients, tangents, strict=True))
    if np.isfinite(along) and not program.kink:
        scale = 1.0 + sum(np.sum(np.abs(g * t)) for g, t in zip(gradients, tangents, strict=True))
        assert abs(tangent - along) <= (2e-4 if is_single(name, program.cases[place]) else 1e-9) * scale


def assert_names_the_line(name, refusal):
    """Asserts that a message has the file of the program and a line of it."""
    message = str(refusal)
    assert PROGRAMS[name].file.rpartition("/")[2] in message
    lines = {int(number) for number in re.findall(r"\d+", message)}
    assert lines & set(PROGRAMS[name].lines), message


@pytest.mark.parametrize(("name", "place"), REFUSED)
def test_the_program_is_refused_with_its_line(name, place):
    program = PROGRAMS[name]
    with pytest.raises(fg.errors.DifferentiationError) as refusal:
        fg.value_and_grad(program.function, argnums=active(program.cases[place]))(*arguments_of(name, place))
    assert_names_the_line(name, refusal.value)


@pytest.mark.sweep
@pytest.mark.parametrize(("name", "place"), EITHER)
def test_the_program_is_refused_or_its_gradient_is_right(name, place):
    program = PROGRAMS[name]
    differentiated = fg.value_and_grad(program.function, argnums=active(program.cases[place]))
    try:
        _, gradients = differentiated(*arguments_of(name, place))
    except fg.errors.DifferentiationError as refusal:
        assert_names_the_line(name, refusal)
    else:
        assert_right(name, place, gradients)


@pytest.mark.sweep
@pytest.mark.parametrize("seed", range(40))
def test_the_gradient_of_a_random_program_is_right(seed):
    source, function, arguments = random_programs.draw(seed)
    places = active(arguments)
    _, gradients = fg.value_and_grad(function, argnums=places)(*map(copy_of, arguments))
    expected, errors = central.reference(function, arguments, places)
    largest = max(np.max(np.abs(part)) for part in expected)
    for found, right, error in zip(gradients, expected, errors, strict=True):
        assert np.all(np.abs(found - right) <= error + 1e-9 * (1.0 + largest)), source
