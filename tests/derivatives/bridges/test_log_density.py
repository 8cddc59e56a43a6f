"""`fg.log_density`: log densities with their gradients behind a C pointer, as samplers take them."""

from __future__ import annotations

import ctypes
import threading

import numba
import numpy as np
import pytest
import scipy.stats

import fastgrad as fg
from fastgrad.errors import DifferentiationError

Y = np.random.default_rng(0).normal(1.5, 2.0, 20)
SHAPES = {"mean": (), "deviation": (), "weights": (3, 2), "share": 2, "loss": ()}
BOUNDS = {"deviation": (0.0, None), "weights": (-1.0, 3.0), "share": (0.25, 0.5), "loss": (None, -2.0)}


@numba.njit
def log_normal(mean, deviation, weights, share, loss, y, power):
    if deviation > 1e3:
        raise ValueError("the deviation is too large")
    total = -np.sum(weights**2) + share[0] * share[1] + loss
    for value in y:
        total -= 0.5 * abs((value - mean) / deviation) ** power + np.log(deviation)
    return total


@pytest.fixture(scope="module")
def density():
    return fg.log_density(log_normal, SHAPES, (Y, 2), BOUNDS)


def call_by_pointer(density, u):
    u, gradient, value = np.array(u), np.full(density.size, np.nan), np.zeros(1)
    pointers = [array.ctypes.data_as(ctypes.POINTER(ctypes.c_double)) for array in (u, gradient, value)]
    return density.cfunc.ctypes(u.size, *pointers, None), value[0], gradient


def test_the_gradient_is_that_of_differences(density):
    for u in (np.linspace(-1.5, 1.5, density.size), np.zeros(density.size), np.full(density.size, -40.0)):
        value, gradient = density.value_and_grad(u)
        for i in range(density.size):
            step = np.zeros(density.size)
            step[i] = 1e-5
            ends = [density.value_and_grad(u + side * step)[0] for side in (-1, 1)]
            assert gradient[i] == pytest.approx((ends[1] - ends[0]) / 2e-5, rel=1e-6, abs=1e-6 * (1.0 + abs(value)))


def test_parameters_lie_between_their_bounds(density):
    u = np.random.default_rng(1).normal(size=(4, 5, density.size)) * 3.0
    parameters = density.parameters(u)
    axes = [value.shape[2:] for value in parameters.values()]
    assert axes == [(), (), (3, 2), (2,), ()]
    np.testing.assert_array_equal(parameters["mean"], u[..., 0])
    for name, (lower, upper) in BOUNDS.items():
        assert lower is None or np.all(parameters[name] > lower)
        assert upper is None or np.all(parameters[name] < upper)
    assert density.parameters(u[0, 0])["weights"].shape == (3, 2)


def test_the_density_of_the_real_numbers_has_the_derivative_of_the_bounds():
    """A uniform density between bounds becomes the logistic one, and an exponential one Gumbel's."""
    uniform = fg.log_density(lambda x: 0.0 * x, {"x": ()}, bounds={"x": (2.0, 5.0)})
    exponential = fg.log_density(lambda x: -x, {"x": ()}, bounds={"x": (0.0, None)})
    mirrored = fg.log_density(lambda x: x, {"x": ()}, bounds={"x": (None, 0.0)})
    for u in (-30.0, -1.0, 0.0, 0.7, 30.0):
        expected = scipy.stats.logistic.logpdf(u) + np.log(3.0)
        assert uniform.value_and_grad([u])[0] == pytest.approx(expected, rel=1e-12)
    for u in (-3.0, 0.0, 2.0):
        expected = scipy.stats.gumbel_l.logpdf(u)
        assert exponential.value_and_grad([u])[0] == pytest.approx(expected, rel=1e-12)
        assert mirrored.value_and_grad([u])[0] == pytest.approx(expected, rel=1e-12)


def test_the_c_function_has_the_same_results(density):
    u = np.linspace(-1.0, 1.0, density.size)
    value, gradient = density.value_and_grad(u)
    status, by_pointer, slope = call_by_pointer(density, u)
    assert (status, by_pointer) == (0, value)
    np.testing.assert_array_equal(slope, gradient)
    assert call_by_pointer(density, u[:3])[0] == -1


def test_threads_call_it_at_the_same_time(density):
    points = np.random.default_rng(2).normal(size=(8, density.size))
    expected = [density.value_and_grad(u)[0] for u in points]
    results = np.zeros((8, 200))

    def calls(number):
        for k in range(200):
            results[number, k] = call_by_pointer(density, points[number])[1]

    threads = [threading.Thread(target=calls, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    np.testing.assert_array_equal(results, np.repeat(np.array(expected)[:, None], 200, 1))


def test_a_rejected_step_says_why():
    density = fg.log_density(log_normal, SHAPES, (Y, 2))
    assert density.last_rejection() is None
    u = np.full(density.size, 0.5)
    u[1] = 2e3
    status, value, gradient = call_by_pointer(density, u)
    assert (status, value) == (0, -np.inf)
    np.testing.assert_array_equal(gradient, np.zeros(density.size))
    assert "ValueError: the deviation is too large (mean=0.5, deviation=2000.0" in density.last_rejection()
    u[1] = -1.0
    assert call_by_pointer(density, u)[1] == -np.inf
    assert "the log density is nan" in density.last_rejection()
    with pytest.raises(ValueError, match="the deviation is too large"):
        density.value_and_grad(np.full(density.size, 2e3))


def test_the_data_are_copied():
    y = Y.copy()
    density = fg.log_density(lambda x, y: -np.sum((y - x) ** 2), {"x": ()}, (y,))
    y[:] = 0.0
    assert density.value_and_grad([0.5])[0] == pytest.approx(-np.sum((Y - 0.5) ** 2))
    assert call_by_pointer(density, [0.5])[1] == pytest.approx(-np.sum((Y - 0.5) ** 2))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((lambda x: x, {"x": (), "y": ()}), TypeError, "takes 1 arguments; got 2 shapes of parameters and 0 data"),
        ((lambda: 0.0, {}), ValueError, "the shape of at least one"),
        ((lambda x, y: x * y[0], {"x": ()}, ([1.0],)), TypeError, "data are numbers and arrays of NumPy; got list"),
        ((lambda x: x, {"x": 0}), ValueError, "the shape of at least one"),
        ((lambda x: x, {"x": ()}, (), {"z": (0, 1)}), ValueError, "bounds of z; the parameters are x"),
        (
            (lambda x: x, {"x": ()}, (), {"x": (2, 1)}),
            ValueError,
            "the lower bound of x, 2, is not below the upper one, 1",
        ),
        ((lambda x: x, {"x": 2}), DifferentiationError, "the gradient of one float"),
        ((3.0, {"x": ()}), TypeError, "log_density: expected a Python function"),
    ],
)
def test_wrong_calls_are_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        fg.log_density(*arguments)


def test_wrong_vectors_are_refused(density):
    with pytest.raises(ValueError, match=r"expected a vector of 11 numbers; got the shape \(3,\)"):
        density.value_and_grad(np.zeros(3))
    with pytest.raises(ValueError, match="expected the last axis to have 11 numbers"):
        density.parameters(np.zeros((11, 3)))
