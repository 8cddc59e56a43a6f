"""Gradients of every program of the table: right, or refused with the program's file and line."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from zlib import crc32

import numba
import numpy as np
import pytest
from numba.core.errors import NumbaError

import fastgrad as fg
from tests.derivatives import random_derivatives
from tests.derivatives.cases import (
    CASES,
    PROGRAMS,
    REFUSED_TODAY,
    RIGHT,
    arguments_of,
    directions,
    one_sided,
    slope_along,
)
from tests.derivatives.interpreted import value_and_gradients
from tests.derivatives.record import reference
from tests.derivatives.table import active, copy_of
from tests.selection import run_seed

PYPROJECT = (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")
REFUSED = [(name, place) for name, place in CASES if PROGRAMS[name].refused]
EITHER = [(name, place) for name, place in CASES if PROGRAMS[name].refused is None]
ALL_ACTIVE = [
    (name, place)
    for name, place in RIGHT
    if len(active(PROGRAMS[name].cases[place])) == len(PROGRAMS[name].cases[place])
]


def assert_right(name, place, gradients):
    """Asserts that gradients, one for each active argument, are those of the program."""
    program = PROGRAMS[name]
    arguments = program.cases[place]
    places = active(arguments)
    assert [np.shape(part) for part in gradients] == [np.shape(arguments[at]) for at in places]
    if program.nan and any(np.any(np.isnan(part)) for part in gradients):
        return
    tolerance = 2e-4 if program.is_single(place) else 1e-9
    if program.kink:
        for direction in directions(arguments, places):
            slope = slope_along(gradients, direction)
            sides = one_sided(name, place, direction)
            assert min(sides) - 1e-6 <= slope <= max(sides) + 1e-6
        return
    if program.written(place) is not None:
        expected, errors = program.written(place), tuple(np.zeros(np.shape(part)) for part in gradients)
    else:
        expected, errors = reference(program, place)
    for found, right, error in zip(gradients, expected, errors, strict=True):
        finite = np.where(np.isfinite(right), right, 0.0)
        largest = np.max(np.abs(finite), initial=0.0)
        close = np.abs(np.where(np.isfinite(right), found, 0.0) - finite) <= error + tolerance * (1.0 + largest)
        assert np.all(close), (found, right)
        assert np.all(np.isfinite(right) | (found == right)), (found, right)


def reverse(name, place):
    """Returns the value and the gradients of a program by the derivative's text, which runs as Python.

    Compiled code takes its place where Python raises and compiled code does not: 1 / 0, or 0 ** -1.
    """
    program = PROGRAMS[name]
    places = active(program.cases[place])
    try:
        with np.errstate(all="ignore"):
            return value_and_gradients(program.function, arguments_of(name, place), 1.0, tuple(places))
    except (ArithmeticError, ValueError):
        return fg.value_and_grad(program.function, argnums=places)(*arguments_of(name, place))


def unless_the_oldest_numba_refuses(test):
    """Skips a test whose program the oldest Numba does not compile, or types so that it is refused: later releases take more."""

    @functools.wraps(test)
    def run(name, place):
        try:
            test(name, place)
        except (NumbaError, fg.errors.DifferentiationError) as error:
            if f'"numba=={numba.__version__}"' not in PYPROJECT:
                raise
            pytest.skip(str(error))

    return run


@pytest.mark.parametrize(("name", "place"), RIGHT)
@unless_the_oldest_numba_refuses
def test_the_gradient_is_right_or_refused(name, place):
    if name in REFUSED_TODAY:
        with pytest.raises(fg.errors.DifferentiationError) as refusal:
            reverse(name, place)
        assert_names_the_line(name, refusal.value)
        return
    value, gradients = reverse(name, place)
    expected = PROGRAMS[name].function(*arguments_of(name, place))
    single = PROGRAMS[name].is_single(place)
    assert value == pytest.approx(expected, rel=1e-5 if single else 1e-12, abs=1e-12)
    assert_right(name, place, gradients)


COMPILED = [case for case in RIGHT if case[0] not in REFUSED_TODAY and crc32(repr(case).encode()) % 24 == 0]


@pytest.mark.parametrize(("name", "place"), COMPILED)
@unless_the_oldest_numba_refuses
def test_the_compiled_gradient_is_right(name, place):
    program = PROGRAMS[name]
    places = active(program.cases[place])
    differentiated = fg.value_and_grad(program.function, argnums=places)
    value, gradients = differentiated(*arguments_of(name, place))
    expected = program.function(*arguments_of(name, place))
    assert value == pytest.approx(expected, rel=1e-5 if program.is_single(place) else 1e-12, abs=1e-12)
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


@pytest.mark.parametrize(("name", "place"), [case for case in COMPILED if case in ALL_ACTIVE])
@unless_the_oldest_numba_refuses
def test_forward_and_reverse_mode_agree(name, place):
    program = PROGRAMS[name]
    _, pullback = fg.vjp(program.function, *arguments_of(name, place))
    gradients = pullback(1.0)
    assert_right(name, place, gradients)
    rng = np.random.default_rng(5)
    axes = [1.0 + 0.5j if np.iscomplexobj(value) else 1.0 for value in program.cases[place]]
    tangents = tuple(
        copy_of(value * 0 + (rng.normal(size=np.shape(value)) * axis)[()])
        for value, axis in zip(program.cases[place], axes, strict=True)
    )
    _, tangent = fg.jvp(program.function, arguments_of(name, place), tangents)
    along = slope_along(gradients, tangents)
    if np.isfinite(along) and not program.kink:
        scale = 1.0 + sum(np.sum(np.abs(g * t)) for g, t in zip(gradients, tangents, strict=True))
        assert abs(tangent - along) <= (2e-4 if program.is_single(place) else 1e-9) * scale


def assert_names_the_line(name, refusal):
    """Asserts that a message has a line of the program's file, where the program or a function that it calls is."""
    file = PROGRAMS[name].file.rpartition("/")[2]
    assert re.search(rf"{file}:\d+: ", str(refusal)), refusal


@pytest.mark.parametrize(("name", "place"), REFUSED)
def test_the_program_is_refused_with_its_line(name, place):
    program = PROGRAMS[name]
    with pytest.raises(fg.errors.DifferentiationError) as refusal:
        fg.value_and_grad(program.function, argnums=active(program.cases[place]))(*arguments_of(name, place))
    assert_names_the_line(name, refusal.value)


@pytest.mark.parametrize(("name", "place"), EITHER)
def test_the_program_is_refused_or_its_gradient_is_right(name, place):
    try:
        _, gradients = reverse(name, place)
    except fg.errors.DifferentiationError as refusal:
        assert_names_the_line(name, refusal)
    else:
        assert_right(name, place, gradients)


@pytest.mark.parametrize("seed", [run_seed() * 1000 + number for number in range(24)])
def test_derivatives_of_a_random_program_are_right_or_refused(seed):
    source, results = random_derivatives.outcomes(seed)
    assert [text for text in results.values() if not text.startswith(("right", "refused: "))] == [], source
