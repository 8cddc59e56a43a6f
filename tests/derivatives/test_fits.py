"""Derivatives in the solvers of SciPy and in the cost functions of iminuit."""

import numba
import numpy as np
import pytest
from numba_stats import norm, truncexpon
from scipy.integrate import odeint
from scipy.optimize import root

import fastgrad as fg


@numba.njit
def rate(y, t, k):
    """Robertson's stiff reactions."""
    slow, fast, square = k[0] * y[0], k[1] * y[1] * y[2], k[2] * y[1] * y[1]
    return np.array([fast - slow, slow - fast - square, square])


def test_odeint_takes_a_jacobian():
    k, times = np.array([0.04, 1e4, 3e7]), np.array([0.0, 1.0, 40.0])
    options = {"args": (k,), "rtol": 1e-9, "atol": 1e-11, "full_output": True}
    start = np.array([1.0, 0.0, 0.0])
    path, with_jacobian = odeint(rate, start, times, Dfun=fg.jacobian(rate), **options)
    expected, without = odeint(rate, start, times, **options)
    np.testing.assert_allclose(path, expected, rtol=1e-6)
    assert with_jacobian["nfe"][-1] < without["nfe"][-1]


def test_root_takes_a_jacobian():
    @numba.njit
    def equations(x, a):
        return np.array([x[0] + 0.5 * (x[0] - x[1]) ** 3 - a, 0.5 * (x[1] - x[0]) ** 3 + x[1]])

    found = root(equations, np.zeros(2), args=(1.0,), jac=fg.jacobian(equations))
    assert found.success
    np.testing.assert_allclose(found.x, [0.8411639, 0.1588361], rtol=1e-6)


@numba.njit
def density(x, mean, width):
    return norm.pdf(x, mean, width)


count = numba.njit(lambda signal, background, mean: signal + background)


@numba.njit
def density_of_events(x, signal, background, mean):
    return signal * norm.pdf(x, mean, 0.3) + background * truncexpon.pdf(x, 0.0, 4.0, 0.0, 2.0)


def events():
    random = np.random.default_rng(3)
    return np.concatenate([random.normal(1.5, 0.3, 400), random.exponential(2.0, 600)])


def fitted(cost, start):
    iminuit = pytest.importorskip("iminuit")
    minuit = iminuit.Minuit(cost, **start)
    minuit.limits[0] = (0.05, None)
    minuit.migrad()
    assert minuit.valid
    return minuit


def test_a_likelihood_of_iminuit_takes_the_jacobian_of_a_density():
    cost = pytest.importorskip("iminuit.cost")
    slopes = fg.jacobian(density, argnums=(1, 2))
    x = np.random.default_rng(1).normal(1.0, 2.0, 500)
    start = {"mean": 0.5, "width": 1.5}
    fit = fitted(cost.UnbinnedNLL(x, density, grad=lambda *given: np.array(slopes(*given))), start)
    plain = fitted(cost.UnbinnedNLL(x, density), start)
    np.testing.assert_allclose(fit.values, plain.values, rtol=1e-4)
    assert fit.ngrad > 0
    assert fit.nfcn < plain.nfcn


def test_an_extended_likelihood_of_iminuit_takes_a_gradient_and_a_jacobian():
    cost = pytest.importorskip("iminuit.cost")
    of_count, of_density = fg.grad(count, (0, 1, 2)), fg.jacobian(density_of_events, (1, 2, 3))

    def model(x, signal, background, mean):
        return count(signal, background, mean), density_of_events(x, signal, background, mean)

    def gradient(x, *parameters):
        return np.array(of_count(*parameters)), np.array(of_density(x, *parameters))

    x = events()
    x = x[x < 4.0]
    start = {"signal": 300.0, "background": 500.0, "mean": 1.4}
    fit = fitted(cost.ExtendedUnbinnedNLL(x, model, grad=gradient), start)
    plain = fitted(cost.ExtendedUnbinnedNLL(x, model), start)
    np.testing.assert_allclose(fit.values, plain.values, rtol=1e-3)
    assert fit.nfcn < plain.nfcn
