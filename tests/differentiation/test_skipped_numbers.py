"""A number that is skipped has the derivative 0, also where it is NaN: reverse mode gives what forward mode gives."""

import math

import numba
import numpy as np
import pytest

import fastgrad as fg

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


FUNCTIONS = [
    summed,
    largest,
    middle,
    selected,
    fmax,
    branch,
    early_end,
    masked,
    overwritten,
    last,
    last_of_some,
    smallest,
]


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_what_is_skipped_has_the_derivative_zero(function):
    gradient = fg.grad(function)(X, W)
    forward = fg.jvp(function, argnums=0)
    slopes = [forward(X, W, direction)[1] for direction in np.eye(4)]
    assert np.isfinite(slopes).all()
    np.testing.assert_allclose(gradient, slopes, rtol=1e-12)
