"""The table of programs: each compiles and runs, and its reference gradients are certain."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.derivatives import central
from tests.derivatives.cases import CASES, PROGRAMS, directions, one_sided, slope_along
from tests.derivatives.record import check, digest, recorded, reference
from tests.derivatives.table import active
from tests.record import skip_unanswered
from tests.selection import once_in

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


@pytest.mark.parametrize("module", sorted({program.tags[0] for program in PROGRAMS.values()}))
def test_the_record_is_of_these_programs(module):
    record = recorded().get(module)
    if record is None or record["digest"] != digest(module):  # then references are computed
        skip_unanswered([module])
    names = {f"{name} {place}" for name, place in REFERENCES if name.startswith(f"{module}.")}
    assert record["references"].keys() == names


@pytest.mark.parametrize(("name", "place"), [case for case in REFERENCES if once_in(100, f"{case}")])
def test_a_recorded_reference_is_what_python_computes(name, place):
    program = PROGRAMS[name]
    checked = check(program, place)
    assert checked is not None
    for gradients, again in zip(reference(program, place), checked, strict=True):
        for recorded_part, part in zip(gradients, again, strict=True):
            np.testing.assert_allclose(np.asarray(part, recorded_part.dtype), recorded_part, rtol=1e-9, atol=1e-12)


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
