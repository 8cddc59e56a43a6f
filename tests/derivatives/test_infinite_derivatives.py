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
def root_of_power(x):
    return math.sqrt(x[0] ** (x[1] + 3.0)) + math.sqrt(x[0]) * x[1]


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
    *(product_with_root, root_of_zero, quotient_of_itself, root_of_power, carried_element, carried_argument, exchanged),
    *(product_of_matrix, determinant, solution, call_before_root),
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


def on_numbers(formula):
    """Returns a function of a number; Numba divides by 0 as NumPy does."""
    namespace = {"np": np}
    exec(f"def function(x):\n    y = 1.5\n    return {formula}", namespace)
    return numba.njit(error_model="numpy")(namespace["function"])


def on_arrays(formula):
    """Returns a function of an array that sums the formula of its elements, by arrays that are stored."""
    namespace = {"np": np}
    exec(f"def function(x):\n    y = np.full(x.size, 1.5)\n    x = x + 0.0\n    return np.sum({formula})", namespace)
    return numba.njit(namespace["function"])


INDETERMINATE = [
    ("np.exp(np.log(x))", 0.0, 1.0),
    ("np.exp(2.0 * np.log(x))", 0.0, 0.0),
    ("np.log(np.exp(np.log(x)) + y)", 0.0, 1.0 / 1.5),
    ("np.logaddexp(np.log(x), y)", 0.0, np.exp(-1.5)),
    ("np.tanh(0.5 * np.log(x))", 0.0, 2.0),
    ("np.exp(-np.log(1.0 / x))", 0.0, 1.0),
    ("1.0 / np.log(x)", 0.0, -np.inf),
    ("1.0 / (1.0 / x + 1.0 / y)", 0.0, 1.0),
    ("1.0 / (1.0 + 1.0 / x)", 0.0, 1.0),
    ("np.reciprocal(np.reciprocal(x))", 0.0, 1.0),
    ("(1.0 / x) ** -1.0", 0.0, 1.0),
    ("1.0 / (x**-1.0 + 1.0)", 0.0, 1.0),
    ("1.0 / np.sqrt(1.0 / x)", 0.0, np.inf),
    ("np.arctan(y / x)", 0.0, -1.0 / 1.5),
    ("np.sqrt(x) ** 2", 0.0, 1.0),
    ("np.sqrt(x) * np.sqrt(x)", 0.0, 1.0),
    ("np.square(np.sqrt(x))", 0.0, 1.0),
    ("x**0.5 * x**0.5", 0.0, 1.0),
    ("np.cbrt(x) ** 3", 0.0, 1.0),
    ("np.cos(np.sqrt(x))", 0.0, -0.5),
    ("np.cosh(np.sqrt(x))", 0.0, 0.5),
    ("np.sinh(np.sqrt(x)) ** 2", 0.0, 1.0),
    ("np.hypot(np.sqrt(x), 0.0 * x) ** 2", 0.0, 1.0),
    ("np.arccos(x) ** 2", 1.0, -2.0),
    ("1.0 - np.cos(np.arccos(x))", 1.0, -1.0),
    ("np.sin(np.arccos(x)) ** 2", 1.0, -2.0),
    ("np.abs(np.sqrt(x + 0j)) ** 2", 0.0, 1.0),
    ("np.abs(np.sqrt(x + 0j))", 0.0, np.inf),
    ("np.cos(np.sqrt(x + 0j)).real", 0.0, -0.5),
]
"""Formulas of products of 0 and an infinite slope, an operand where they are, and the limit of the slope."""


@pytest.mark.parametrize(("formula", "x", "limit"), INDETERMINATE, ids=[formula for formula, *_ in INDETERMINATE])
def test_an_indeterminate_product_is_never_another_number(formula, x, limit):
    slopes = [
        fg.grad(on_numbers(formula))(x),
        fg.jvp(on_numbers(formula), argnums=0)(x, 1.0)[1],
        *fg.grad(on_arrays(formula))(np.full(2, x)),
        fg.jvp(on_arrays(formula), argnums=0)(np.full(2, x), np.array([1.0, 0.0]))[1],
    ]
    for slope in slopes:
        assert np.isnan(slope) or slope == pytest.approx(limit)


KNOWN_ZEROS = [
    *("np.exp(-1.0 / x**2)", "np.exp(-1.0 / x)", "1.0 / (1.0 + np.exp(-y / x))", "1.0 / (1.0 / x**2 + 1.0)"),
    *("np.sqrt(x * x) ** 2", "np.exp(np.log(x * x))", "np.sqrt(x) * x"),
    *("np.sqrt(x) * (x - x)", "np.arctan(y / (x * x))"),
    "np.log(x + 1.0) * np.log(x + y) * 0.0 + np.sqrt(x) * np.sin(x)",
]
"""Formulas whose slope at 0 is 0, since that of a statement before the infinite slope is, or that of one after it falls quicker."""


@pytest.mark.parametrize("formula", KNOWN_ZEROS)
def test_a_product_that_is_known_is_zero(formula):
    x = np.zeros(2)
    assert fg.grad(on_numbers(formula))(0.0) == fg.jvp(on_numbers(formula), argnums=0)(0.0, 1.0)[1] == 0.0
    np.testing.assert_array_equal(fg.grad(on_arrays(formula))(x), 0.0)
    assert fg.jvp(on_arrays(formula), argnums=0)(x, np.array([1.0, 0.0]))[1] == 0.0


def test_other_numbers_of_a_sum_keep_their_slopes():
    """Only the operand of the infinite slope gets NaN, as in JAX."""

    log_sum = numba.njit(lambda p, theta: np.log(np.sum(np.exp(np.log(p) + theta))))
    p, theta = np.array([0.0, 0.5, 0.5]), np.array([0.1, 0.2, 0.3])
    of_p, of_theta = fg.grad(log_sum, argnums=(0, 1))(p, theta)
    weights = p * np.exp(theta)
    np.testing.assert_array_equal(np.isnan(of_p), [True, False, False])
    np.testing.assert_allclose(of_p[1:], np.exp(theta[1:]) / weights.sum())
    np.testing.assert_allclose(of_theta, weights / weights.sum())


def test_a_loop_whose_cotangents_are_zero_still_meets_an_infinite_slope():
    @numba.njit
    def product(p):
        total = 0.0
        for i in range(p.size):
            total += math.log(p[i])
        return math.exp(total)

    @numba.njit
    def plain_product(p):
        total = 1.0
        for i in range(p.size):
            total *= p[i]
        return total

    p = np.array([0.0, 0.5, 2.0])
    gradient = fg.grad(product)(p)
    assert np.isnan(gradient[0])
    np.testing.assert_array_equal(gradient[1:], fg.grad(plain_product)(p)[1:])


@numba.njit
def first_of_roots(x, m):
    s = np.sqrt(x)
    return s[0] ** 2 + m[0]


@numba.njit
def squares_of_chosen_roots(x, m):
    total = 0.0
    for i in range(x.size):
        s = math.sqrt(x[i])
        if m[i] > 0.0:
            total += s * s
    return total


@numba.njit
def squares_of_chosen_stored_roots(x, m):
    roots = np.empty(x.size)
    for i in range(x.size):
        roots[i] = math.sqrt(x[i])
    total = 0.0
    for i in range(x.size):
        if m[i] > 0.0:
            total += roots[i] ** 2
    return total


@numba.njit
def exponentials_of_chosen_logarithms(x, m):
    total = 0.0
    for i in range(x.size):
        number = np.log(x[i])
        if m[i] > 0.0:
            total += math.exp(number)
    return total


@numba.njit
def selected_roots(x, m):
    return np.sum(np.where(m > 0.0, np.sqrt(x) ** 2, 0.0))


UNUSED = [
    *(first_of_roots, squares_of_chosen_roots, squares_of_chosen_stored_roots),
    *(exponentials_of_chosen_logarithms, selected_roots),
]


@pytest.mark.parametrize("function", UNUSED, ids=lambda function: function.__name__)
def test_what_nothing_uses_adds_zero(function):
    """Its cotangent is 0 for no slope's sake, so the infinite slope does not count. Where a slope of 0 is met, it may."""
    x, m = np.array([4.0, 0.0, 9.0]), np.array([1.0, 0.0, 1.0])
    gradient = fg.grad(function)(x, m)
    expected = [fg.jvp(function, argnums=0)(x, m, direction)[1] for direction in np.eye(3)]
    np.testing.assert_allclose(gradient, expected)
    assert gradient[1] == 0.0
    used = fg.grad(function)(np.zeros(3), np.ones(3))
    assert np.isnan(used[0])


def test_an_infinite_constant_is_no_singularity():
    """As in the recursions of dynamic time warping and of hidden Markov models, whose first values are infinite."""

    @numba.njit
    def soft_minimum(costs, gamma):
        total = np.full(costs.size + 1, np.inf)
        total[0] = 0.0
        for i in range(costs.size):
            first, second = -total[i] / gamma, -total[i + 1] / gamma
            largest = max(first, second)
            total[i + 1] = costs[i] - gamma * (
                np.log(np.exp(first - largest) + np.exp(second - largest) * (1.0 + gamma)) + largest
            )
        return total[-1] * gamma

    costs = np.array([0.3, 0.7, 0.2])
    of_costs, of_gamma = fg.grad(soft_minimum, argnums=(0, 1))(costs, 0.5)
    assert fg.jvp(soft_minimum, argnums=1)(costs, 0.5, 1.0)[1] == pytest.approx(of_gamma)
    np.testing.assert_allclose(fg.jacobian(soft_minimum)(costs, 0.5), of_costs)
    fg.check_gradients(soft_minimum, costs, 0.5)


@numba.njit
def sum_of_logarithms(p, count):
    return 0.0 if count == 0 else math.log(p[count - 1]) + sum_of_logarithms(p, count - 1)


@numba.njit
def square_at(x, depth):
    return x * x if depth == 0 else square_at(x, depth - 1)


def test_an_indeterminate_product_across_calls():
    product = numba.njit(lambda p: math.exp(sum_of_logarithms(p, p.size)))

    @numba.njit(parallel=True)
    def parallel_product(p):
        total = 0.0
        for i in numba.prange(p.size):
            total += np.log(p[i])
        return np.exp(total)

    square_of_root = numba.njit(lambda x: square_at(math.sqrt(x), 2))

    for function in (product, parallel_product):
        p = np.array([0.0, 0.5, 2.0])
        np.testing.assert_array_equal(fg.grad(function)(p), [np.nan, 0.0, 0.0])
        slopes = [fg.jvp(function, argnums=0)(p, direction)[1] for direction in np.eye(3)]
        np.testing.assert_array_equal(slopes, [np.nan, 0.0, 0.0])
    assert np.isnan(fg.grad(square_of_root)(0.0))
    assert np.isnan(fg.jvp(square_of_root, argnums=0)(0.0, 1.0)[1])
