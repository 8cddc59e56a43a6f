"""A number that is skipped has the derivative 0, also where it is NaN: reverse mode gives what forward mode gives."""

import math

import numba
import numpy as np
import pytest

import fastgrad as fg
from fastgrad._src.derivatives.analysis.unused_numbers import statements_without_use
from fastgrad._src.derivatives.derivation import lowered_function

X, W = np.array([0.5, 0.0, -2.0, 3.0]), np.array([1.0, np.nan, 2.0, np.inf])


@numba.njit
def summed(x, w):
    return np.nansum(x * w * np.array([1.0, 1.0, 1.0, 0.0]))


@numba.njit
def largest(x, w):
    return np.nanmax(x * w * np.array([1.0, 1.0, 1.0, 0.0]))


@numba.njit
def middle(x, w):
    return np.nanmedian(x * w * np.array([1.0, 1.0, 1.0, 0.0]))


@numba.njit
def selected(x, w):
    return np.where(x > 0, np.log(x) * w, x)[:3].sum()


@numba.njit
def fmax(x, w):
    return np.fmax(x * w, 1.0)[:3].sum()


@numba.njit
def branch(x, w):
    total = 0.0
    for i in range(3):
        product = x[i] * w[i]
        if not math.isnan(product):
            total += product
    return total


@numba.njit
def early_end(x, w):
    total = 0.0
    for i in range(4):
        growth = np.exp(x[i] * w[i])
        if np.isnan(growth):
            continue
        if np.isinf(growth):
            break
        total += growth * x[i]
    return total


@numba.njit
def masked(x, w):
    product = x * w
    return product[np.isfinite(product)].sum()


@numba.njit
def overwritten(x, w):
    product = x * w
    product[np.isnan(product)] = 0.0
    return product[:3].sum()


@numba.njit
def last(x, w):
    product = x[0] * w[1]
    for i in range(3):
        product = x[i] * w[i]
    return product


@numba.njit
def last_of_some(x, w):
    root = np.log(x[1] * w[0]) * np.log(x[1])
    if w[0] > 2.0:
        root = x[0]
    for i in range(3):
        root = x[i] * w[0]
        if root < 0.0:
            break
    return root


@numba.njit
def smallest(x, w):
    product = x[1] * w[1]
    return min(x[0], product) + max(x[2], product, x[3])


ORDER = np.array([0, 2, 1])


@numba.njit
def next_one(x, w):
    total, product = 0.0, x[0] * w[0]
    for i in ORDER:
        total += product
        product = x[i] * w[i]
    return total


@numba.njit
def compared(x, w):
    total, product = 0.0, x * w
    for i in range(4):
        bound = product[i] * product[i]
        if bound < 100.0:
            total += x[i]
    return total


@numba.njit
def read_in_no_loop(x, w):
    total, product = 0.0, x * w
    for _ in range(int(w[0]) - 1):
        total += product.sum()
    return total + x[0]


@numba.njit
def read_until_break(x, w):
    total, product = 0.0, x * w
    for i in range(4):
        if i == 1:
            break
        total += product[i]
    return total


@numba.njit
def read_if(x, w):
    product = x * w
    return product.sum() if w[0] > 2.0 else x[0]


@numba.njit
def read_on_the_diagonal(x, w):
    total, product = 0.0, np.empty((5, 4))
    for i in range(4):
        for j in range(4):
            product[i, j] = x[j] * w[i] if i != j else x[j]
    for i in range(4):
        total += product[i, i]
    return total


@numba.njit
def written_again(x, w):
    product = x * w
    for i in range(4):
        product[i] = x[i]
    return product.sum()


@numba.njit
def made_again(x, w):
    total = 0.0
    for k in range(3):
        product = x * w[k]
        if k == 2:
            for i in range(4):
                total += product[i]
    return total


FUNCTIONS = [
    *(summed, largest, middle, selected, fmax, branch, early_end, masked, overwritten, last, last_of_some, smallest),
    *(next_one, compared, read_in_no_loop, read_until_break, read_if, read_on_the_diagonal, written_again, made_again),
]


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_what_is_skipped_has_the_derivative_zero(function):
    gradient = fg.grad(function)(X, W)
    forward = fg.jvp(function, argnums=0)
    slopes = [forward(X, W, direction)[1] for direction in np.eye(4)]
    assert np.isfinite(slopes).all()
    np.testing.assert_allclose(gradient, slopes, rtol=1e-12)


@numba.njit
def predators_and_prey(p, steps):
    x, y, total = p[4], p[5], 0.0
    for _ in range(steps):
        growth, decay = p[0] * x - p[1] * x * y, p[2] * x * y - p[3] * y
        x += 0.01 * growth
        y += 0.01 * decay
        total += x * x + y * y
    return total


@numba.njit
def rosenbrock(x, steps):
    return steps * (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()


@numba.njit
def sum_of_products(x, steps):
    a = np.empty((x.size, x.size))
    for i in range(x.size):
        for j in range(x.size):
            a[i, j] = x[i] * x[j]
    total = 0.0
    for i in range(x.size):
        for j in range(x.size):
            total += a[j, i] * x[i]
    return total


@pytest.mark.parametrize("function", [predators_and_prey, rosenbrock, sum_of_products])
def test_what_each_run_needs_is_not_guarded(function):
    _, flow = lowered_function(function, (numba.float64[::1], numba.int64), is_reverse=True)
    assert not statements_without_use(flow)


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_what_a_run_may_skip_is_guarded(function):
    _, flow = lowered_function(function, (numba.float64[::1], numba.float64[::1]), is_reverse=True)
    assert statements_without_use(flow)


def test_an_array_that_a_call_returns_may_be_written():
    doubled = numba.njit(lambda x: x + x)
    fg.adjoint(doubled)(lambda g, y, x: 2.0 * g)

    @numba.njit
    def written(x):
        total = 0.0
        for k in range(2):
            y = doubled(x)
            for i in range(y.size):
                y[i] = y[i] * x[k]
            total += y.sum()
        return total

    np.testing.assert_allclose(
        fg.grad(written)(X), 2.0 * (X[0] + X[1]) + 2.0 * X.sum() * np.array([1.0, 1.0, 0.0, 0.0])
    )
