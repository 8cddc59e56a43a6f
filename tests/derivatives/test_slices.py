"""Slices whose step is known at run time, as in vectorbt, and loops over the elements of a view."""

from __future__ import annotations

import numba
import numpy as np
import pytest

import fastgrad as fg

X = np.arange(1.0, 8.0) / 7.0


@numba.njit
def sum_of_slices(x, step):
    return np.sum(x[::step] ** 2) + np.sum(np.exp(x[1::step])) + np.sum(x[:-2:step] ** 3) + np.sum(x[5:1:step] * x[0])


@numba.njit
def triple(a):
    for i in range(a.size):
        a[i] *= 3.0


@numba.njit
def written_slices(x, step):
    y = x * x
    triple(y[1::step])
    y[::step] += x[2]
    y[-1::step] = np.sin(y[-1::step])
    return np.sum(y * np.arange(1.0, 8.0))


@numba.njit
def slices_of_rows(x, step):
    a = np.outer(x, x)
    return np.sum(a[step, ::step] * a[::step, 0]) + np.sum(a[::step].T @ a[::step])


@numba.njit
def sums_of_columns(x, step):
    a = np.outer(x, x * x)
    total = 0.0
    for column in range(a.shape[1]):
        for number, value in enumerate(a[:, column].flat):
            total += number * value * step
        total += np.sum(np.nancumsum(a[:, column]))
    return total


@pytest.mark.filterwarnings("ignore::numba.NumbaPerformanceWarning")
@pytest.mark.parametrize("step", [1, 2, 3, 20, -1, -2, -20])
@pytest.mark.parametrize("function", [sum_of_slices, written_slices])
def test_vectors(function, step):
    assert fg.check_gradients(function, X, step) is None


@pytest.mark.filterwarnings("ignore::numba.NumbaPerformanceWarning")
@pytest.mark.parametrize("step", [1, 3, -2])
@pytest.mark.parametrize("function", [slices_of_rows, sums_of_columns])
def test_rows_and_columns(function, step):
    assert fg.check_gradients(function, X, step) is None


def test_a_step_of_0_is_an_error_as_in_numba():
    with pytest.raises(ValueError, match="slice step cannot be zero"):
        fg.grad(sum_of_slices)(X, 0)
