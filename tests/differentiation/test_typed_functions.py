"""A function is typed once for its derivatives, and again when something that it reaches has changed."""

import numba
import numpy as np
import pytest
from numba.extending import overload

import fastgrad as fg
from fastgrad.differentiation.frontend import typed_functions
from fastgrad.differentiation.frontend.lowering import lower
from fastgrad.differentiation.runtime.extensions import Extensions

WEIGHTS = np.array([2.0, 3.0])
PAIR = (WEIGHTS, 1.0)
FACTOR = 2.0


@numba.njit
def scaled(x):
    return FACTOR * x


def weighted(x):
    return WEIGHTS[0] * x * x


def weighted_by_pair(x):
    return PAIR[0][0] * x * x


def of_scaled(x):
    return scaled(x) * x


def slope(function, x=1.0):
    """Returns a derivative that shares no text with `fg.grad`."""
    return fg.jvp(function, (x,), (1.0,))[1]


@pytest.fixture
def typed_names(monkeypatch):
    """The names of the functions of users that are typed, in order."""
    names = []
    type_function = typed_functions._typed_function

    def noted(function, argument_types):
        names.append(function.__name__)
        return type_function(function, argument_types)

    monkeypatch.setattr(typed_functions, "_typed_function", noted)
    return names


def test_derivatives_of_a_function_share_its_types(typed_names):
    def callee(x):
        return np.sin(x) * x

    compiled = numba.njit(callee)

    def function(x):
        return compiled(x) + compiled(2.0 * x)

    for _ in range(2):  # derivatives on disk are not derived
        lower(function, (numba.float64,))
    assert [name for name in typed_names if name in ("function", "callee")] == ["function", "callee"]


@pytest.mark.parametrize("name", ["WEIGHTS", "PAIR"])
def test_an_equal_array_in_the_place_of_one_that_changes_later(name, monkeypatch):
    first = np.array([2.0, 3.0])
    function = weighted if name == "WEIGHTS" else weighted_by_pair
    monkeypatch.setitem(globals(), name, first if name == "WEIGHTS" else (first, 1.0))
    assert fg.grad(function)(1.0) == 4.0
    second = first.copy()
    first[0] = 50.0
    monkeypatch.setitem(globals(), name, second if name == "WEIGHTS" else (second, 1.0))
    assert slope(function) == 4.0


def test_an_array_whose_elements_or_dtype_change(monkeypatch):
    monkeypatch.setitem(globals(), "WEIGHTS", np.array([4.0, 3.0]))
    assert fg.grad(weighted)(1.0) == 8.0
    WEIGHTS[0] = 7.0
    assert slope(weighted) == 14.0
    WEIGHTS.dtype = np.int64
    WEIGHTS[0] = 5
    assert fg.hvp(weighted)(1.0, 1.0) == 10.0


def test_a_number_that_a_callee_reads_changes(monkeypatch):
    assert fg.grad(of_scaled)(1.0) == 4.0
    monkeypatch.setitem(globals(), "FACTOR", 5.0)
    assert slope(of_scaled) == 10.0
    monkeypatch.setitem(globals(), "FACTOR", 2)
    assert fg.hvp(of_scaled)(1.0, 1.0) == 4.0


def test_another_callee_of_equal_code():
    first, second = [numba.njit(lambda x, factor=factor: factor * x * x) for factor in (3.0, 4.0)]
    callee = first

    def function(x):
        return callee(x)

    assert fg.grad(function)(1.0) == 6.0
    callee = second
    assert slope(function) == 8.0


def test_an_extension_of_numba_counts():
    before = Extensions.count()

    def doubled(x):
        return 2.0 * x

    @overload(doubled)
    def _(x):
        return lambda x: 2.0 * x

    assert Extensions.count() > before
    assert fg.grad(lambda x: doubled(x) * x)(1.0) == 4.0
