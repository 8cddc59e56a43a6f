"""The calls of all NumPy functions that Numba compiles: values and gradients, against NumPy and central differences."""

import warnings

import numba
import numpy as np
import pytest

import fastgrad as fg
from tests.differentiation.numpy_calls import (
    CALLS,
    float_positions,
    numpy_calls,
    results_and_gradients,
    status,
    statuses_on_page,
    weights,
)
from tests.selection import once_in

STATUSES = statuses_on_page()
SAMPLE = [name for name in STATUSES if once_in(20, f"numpy {name}")]
SMOOTH_DRAWS = [name for name, text in STATUSES.items() if name.startswith("random.") and text == "derived"]
STEP = 1e-5


@pytest.fixture(autouse=True)
def _without_warnings():
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # functions that NumPy will drop
        yield


@pytest.mark.completeness
def test_each_function_of_numba_has_a_call():
    assert [name for name, call in numpy_calls().items() if call.function is None] == []


def test_the_page_has_all_functions():
    assert set(numpy_calls()) <= set(STATUSES), "run python -m tests.differentiation.numpy_calls"


@pytest.mark.parametrize("name", SAMPLE)
def test_the_page_has_the_status(name):
    call = numpy_calls().get(name)
    if call is not None:  # another NumPy may lack it
        assert status(call).partition(":")[0] == STATUSES[name].partition(":")[0]


@pytest.mark.parametrize("name", [name for name in SAMPLE if STATUSES[name] == "derived" and "random." not in name])
def test_values_and_gradients(name):
    call = numpy_calls().get(name)
    if call is None:
        return
    results, gradients = results_and_gradients(call)
    for result, expected in zip(results, call.results, strict=True):
        np.testing.assert_allclose(result, expected, rtol=1e-12, atol=1e-13)
    for place, gradient in zip(float_positions(call), gradients, strict=True):
        np.testing.assert_allclose(gradient, _differences(call, place), rtol=3e-6, atol=3e-7)


def _differences(call, place):
    gradient = np.zeros_like(call.arguments[place])
    for index in np.ndindex(gradient.shape):
        for axis in (1.0, 1j) if gradient.dtype.kind == "c" else (1.0,):
            above, below = (_moved(call, place, index, sign * STEP * axis) for sign in (1.0, -1.0))
            gradient[index] += axis * (above - below) / (2.0 * STEP)
    return gradient


def _moved(call, place, index, step):
    arguments = [np.array(argument) for argument in call.arguments]
    arguments[place][index] += step
    arguments = [argument if argument.ndim else argument[()] for argument in arguments]
    result = call.function(*arguments)
    results = [np.asarray(part) for part in (result if isinstance(result, (tuple, list)) else [result])]
    return sum(float(np.sum(np.real(np.conj(weights(part)) * part))) for part in results)


@pytest.mark.parametrize("name", [name for name in SMOOTH_DRAWS if once_in(16, f"draw {name}")])
def test_draws(name):
    assert fg.check_gradients(numba.njit(CALLS[name]), *numpy_calls()[name].arguments) is None
