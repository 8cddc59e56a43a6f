"""A slope of 0 times an infinite one adds 0: in forward mode, in each column of a Jacobian, and in reverse mode, which agree."""

import math

import numba
import numpy as np
import pytest

import fastgrad as fg


@numba.njit
def product_with_root(x):
    return math.sqrt(x[0]) * x[1] + x[1]


@numba.njit
def root_of_zero(x):
    return math.sqrt(abs(x[0]) * 0.0) + x[0] * x[0] + (x[1] - x[1]) ** 0.5


@numba.njit
def quotient_of_itself(x):
    shifted = x[0] + 2.0
    return (shifted / shifted - 1.0) ** 0.5 + x[1]


@numba.njit
def saturated_log(x):
    return math.tanh(np.log(x[0])) + x[1]


@numba.njit
def root_of_power(x):
    return math.sqrt(x[0] ** (x[1] + 3.0)) + math.sqrt(x[0]) ** (x[1] + 3.0)


@numba.njit
def carried_element(x):
    q = np.empty(2)
    q[0], q[1] = x[0] * x[0], x[1]
    total = 0.0
    for _ in range(3):
        total += math.sqrt(q[0])
        q[0] = q[0] * q[1]
    return total


@numba.njit
def carried_argument(x):
    total = 0.0
    for _ in range(3):
        x[0] = x[0] * x[0]
        total += math.sqrt(x[0]) + math.sqrt(x[1] * x[1])
        x[1] = x[1] * x[0]
    return total


@numba.njit
def exchanged(x):
    a, b = x * x, np.zeros(2)
    total = 0.0
    for _ in range(3):
        for i in range(2):
            b[i] = a[i] * a[i] * x[i]
        a, b = b, a
        total += math.sqrt(a[0]) + math.sqrt(a[1])
    return total


@numba.njit
def product_of_matrix(x):
    return np.sqrt(np.diag(x + 1.0) @ (x * x))[0] + x[1]


@numba.njit
def determinant(x):
    return math.sqrt(np.linalg.det(np.eye(2) + np.diag(x * x)) - 1.0) + x[0]


@numba.njit
def solution(x):
    return np.sqrt(np.linalg.solve(np.eye(2) + np.diag(x), x * x)).sum()


@numba.njit
def with_adjoint(x, w):
    return x * w * w


@fg.adjoint(with_adjoint)
def _(g, y, x, w):
    return g * w * w, 2.0 * g * x * w


@numba.njit
def call_before_root(x):
    return math.sqrt(with_adjoint(x[0] + 1.0, x[1])) + x[0]


FUNCTIONS = [
    product_with_root,
    root_of_zero,
    quotient_of_itself,
    saturated_log,
    root_of_power,
    carried_element,
    carried_argument,
    exchanged,
    product_of_matrix,
    determinant,
    solution,
    call_before_root,
]


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_modes_agree_where_a_slope_is_infinite(function):
    x = np.zeros(2)
    gradient = fg.grad(function)(x.copy())
    slopes = [fg.jvp(function, argnums=0)(x.copy(), direction)[1] for direction in np.eye(2)]
    assert np.isfinite(slopes).all()
    np.testing.assert_array_equal(gradient, slopes)
    np.testing.assert_array_equal(fg.jacobian(function)(x.copy()), slopes)


def test_an_infinite_slope_stays_infinite():
    gradient = fg.grad(lambda x: np.sqrt(np.diag(np.ones(2)) @ x).sum())(np.array([0.0, 4.0]))
    np.testing.assert_array_equal(gradient, [np.inf, 0.25])
    assert fg.jvp(lambda x: 2.0 * math.sqrt(x), argnums=0)(0.0, 1.0)[1] == np.inf


def test_second_derivatives_behind_a_root():
    """Forward mode with guards is differentiated like other functions."""
    value = fg.hessian(lambda x: math.sqrt(x) * x * x)(4.0)
    assert value == pytest.approx(3.75 * 2.0)


def test_a_pole_whose_own_result_is_zero_is_as_documented():
    @numba.njit
    def parallel(x, y):
        return (1.0 / (1.0 / x + 1.0 / y)).sum()

    @numba.njit
    def without_pole(x, y):
        return (x * y / (x + y)).sum()

    x, y = np.zeros(1), np.ones(1)
    assert fg.grad(parallel)(x, y) == 0.0
    assert np.isnan(fg.jvp(parallel, (x, y), (y, x))[1])
    assert fg.grad(without_pole)(x, y) == fg.jvp(without_pole, (x, y), (y, x))[1] == 1.0
