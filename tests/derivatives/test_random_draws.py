# Numba has NumPy's first random functions only
"""Random draws of `np.random` and `random`: smooth ones, and those by rejection, whose parameters must not depend on the inputs."""

import random

import numba
import numpy as np
import pytest

import fastgrad as fg
from fastgrad.errors import DifferentiationError


def seeded(function):
    """The function with the same draws at each call."""
    compiled = numba.njit(function)

    @numba.njit
    def call(x):
        np.random.seed(3)
        random.seed(4)
        return compiled(x)

    return call


def scale_of_gamma(x):
    return np.random.gamma(2.0, x) * x


def scale_of_python_gamma(x):
    return random.gammavariate(0.5, x)


def mean_of_vonmises(x):
    return np.random.vonmises(x, 2.0) * x


def mean_of_a_uniform_angle(x):
    return np.random.vonmises(x, 1e-8) + x


def constant_parameters(x):
    return x * np.random.binomial(5, 0.3) + x * x * np.random.standard_t(3.0) * np.random.wald(1.0, 1.0)


def in_a_loop(x):
    total = 0.0
    for i in range(50):
        total += np.sin(x * np.random.beta(1.0, 2.0 + i)) + random.gammavariate(0.5, x) * np.random.poisson(2.0)
    return total


def python_draws(x):
    total = random.uniform(0.5, x) * random.random() + random.gauss(0.1, x) + random.normalvariate(x, 1.0)
    return total + random.expovariate(x) + random.lognormvariate(0.0, x) + random.randint(1, 6) * x


def more_python_draws(x):
    return random.paretovariate(x) + random.weibullvariate(1.0, x) + random.triangular(0.0, x, 0.1)


def of_integers(x):
    return x[0] * np.random.chisquare(float(len(x)))


RIGHT = [
    *(scale_of_gamma, scale_of_python_gamma, mean_of_vonmises, mean_of_a_uniform_angle, constant_parameters, in_a_loop),
    *(python_draws, more_python_draws),
]


@pytest.mark.parametrize("function", RIGHT, ids=lambda function: function.__name__)
def test_derivatives_with_the_same_draws(function):
    fg.check_gradients(seeded(function), 1.7)


def test_values_are_numbas():
    for function in RIGHT:
        assert fg.value_and_grad(seeded(function))(1.7)[0] == seeded(function)(1.7)
    fg.check_gradients(seeded(of_integers), np.ones(3))


@pytest.mark.parametrize(
    "function",
    [
        lambda x: np.random.gamma(x, 1.0),
        lambda x: np.random.vonmises(0.0, x),
        lambda x: x * np.random.poisson(x),
        lambda x: random.betavariate(x, 1.0),
        lambda x: float(np.random.geometric(x / 3)),
    ],
)
def test_parameters_where_a_draw_jumps_are_refused(function):
    for derivative, more in ((fg.grad, ()), (fg.jvp, (1.0,))):
        with pytest.raises(DifferentiationError, match="may jump where its parameters change"):
            derivative(numba.njit(function))(1.7, *more)


@numba.njit
def drawn_by_a_callee(x, n):
    if n == 0:
        return x
    return drawn_by_a_callee(x * np.random.beta(2.0, 3.0), n - 1)


@numba.njit
def jumping_callee(x, n):
    if n == 0:
        return x
    return jumping_callee(np.random.beta(x, 3.0), n - 1)


def test_draws_of_functions_that_are_not_inlined():
    fg.check_gradients(seeded(lambda x: drawn_by_a_callee(x, 4)), 0.7)
    with pytest.raises(DifferentiationError, match="may jump"):
        fg.grad(numba.njit(lambda x: jumping_callee(x, 4)))(0.7)


def test_a_long_loop_draws_once():
    """A checkpointed loop would run again, with other draws."""

    def walk(x):
        for _ in range(5000):
            x = np.sin(x) + 0.1 * np.random.beta(2.0, 3.0)
        return x

    fg.check_gradients(seeded(walk), 0.7)
