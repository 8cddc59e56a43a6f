"""Arrays of a tuple that functions write, chosen by a number while the derivative runs, as the tableaux of quantecon's Lemke-Howson algorithm."""

from __future__ import annotations

import numba
import numpy as np
import pytest

import fastgrad as fg
from fastgrad.errors import DifferentiationError

RNG = np.random.default_rng(0)
A, B = RNG.uniform(0.5, 1.5, (3, 4)), RNG.uniform(0.5, 1.5, (3, 4))


@numba.njit
def pivoting(t, col, row):
    p = t[row, col]
    for j in range(t.shape[1]):
        t[row, j] /= p
    for i in range(t.shape[0]):
        if i == row:
            continue
        m = t[i, col]
        if m == 0:
            continue
        for j in range(t.shape[1]):
            t[i, j] -= t[row, j] * m


@numba.njit
def pivoting_with_options(t, col, row, factor=1.0, tolerance=0.0):
    pivoting(t, col, row)
    for j in range(t.shape[1]):
        if abs(t[row, j]) > tolerance:
            t[row, j] *= factor


@numba.njit
def ratio(t, col):
    best, row = 1e300, 0
    for i in range(t.shape[0]):
        if t[i, col] > 1e-9:
            q = t[i, -1] / t[i, col]
            if q < best:
                best, row = q, i
    return True, row


@numba.njit
def pivoting_in_turn(a, b):
    A, B = a.copy(), b.copy()
    ts = (A, B)
    bases = (np.arange(3), np.arange(3))
    pivot = 1
    for _it in range(2):
        for pl in range(2):
            _ok, row = ratio(ts[pl], pivot)
            pivoting(ts[pl], pivot, row)
            bases[pl][row], pivot = pivot, bases[pl][row]
    return (A * A).sum() + (ts[1] * ts[1]).sum() * (1 + bases[0][1])


@numba.njit
def written_with_options(a, b):
    ts = (a.copy(), b.copy())
    for pl in range(2):
        _ok, row = ratio(ts[pl], 1)
        pivoting_with_options(ts[pl], 1, row)
        pivoting_with_options(col=2, t=ts[1 - pl], row=row, factor=1.5)
    return (ts[0] * ts[1]).sum() + ts[1][1, 1]


@numba.njit
def two_of_a_tuple(a, b):
    ts = (a.copy(), b.copy())
    for pl in range(2):
        tin, tout = ts[pl], ts[1 - pl]
        for i in range(3):
            tout[i, 0] += tin[i, 1] * tin[0, 0]
        pivoting(tin, 0, 1)
    return (ts[0] * ts[1]).sum()


@numba.njit
def exchanged(a, b):
    x, y = a.copy(), b.copy()
    for _k in range(3):
        pivoting(x, 1, 0)
        y[1] = x[0] * y[0]
        x, y = y, x
    return (x * y).sum()


@numba.njit
def carried_by_the_loop(a, b):
    ts = (a.copy(), b.copy())
    pl = 0
    cur = ts[0]
    for _k in range(3):
        cur[0, 1] = cur[1, 0] * cur[0, 0]
        pl = 1 - pl
        cur = ts[pl]
    return (ts[0] * ts[1]).sum()


@numba.njit
def total(t):
    return t.sum() * t[0, 0]


@numba.njit
def step(ts, bases, pl, pivot):
    _ok, row = ratio(ts[pl], pivot)
    pivoting(ts[pl], pivot, row)
    bases[pl][row], pivot = pivot, bases[pl][row]
    return pivot


@numba.njit
def tuple_passed_on(a, b):
    ts = (a.copy(), b.copy())
    bases = (np.arange(3), np.arange(3))
    pivot = 1
    for k in range(4):
        pivot = step(ts, bases, k % 2, pivot)
    s = 0.0
    for k in range(2):
        s += total(ts[k])
    return s + ts[0][1, 1]


@numba.njit
def change_and_return(t, k):
    t[k, 0] *= t[0, 1]
    return t


@numba.njit
def returned_and_read(a, b):
    ts = (a.copy(), b.copy())
    s = 0.0
    for k in range(2):
        r = change_and_return(ts[k], k)
        s += r[k, 0]
    return s + (ts[0] * ts[1]).sum()


@numba.njit
def returned_and_written(a, b):
    ts = (a.copy(), b.copy())
    s = 0.0
    for k in range(2):
        r = change_and_return(ts[k], k)
        r[1, 1] = r[0, 0] * 2
        s += r[k, 0]
    return s + (ts[0] * ts[1]).sum()


@numba.njit
def both(t, u):
    t[0] += u[1] * u[0]
    u[1] -= t[0]


@numba.njit
def two_arguments(a, b):
    ts = (a.copy(), b.copy())
    for k in range(3):
        both(ts[k % 2], ts[1 - k % 2])
    both(ts[0], ts[0])
    return (ts[0] * ts[1]).sum()


@numba.njit
def item_of_a_list(a, b):
    ts = [a.copy(), b.copy()]
    for k in range(3):
        pivoting(ts[k % 2], 0, 1)
    return (ts[0] * ts[1]).sum()


@numba.njit
def gone_through(a, b):
    for t in (a, b):
        pivoting(t, 1, 0)
    return (a * b).sum()


@numba.njit
def written_by_a_view(t, k):
    part = t[1:]
    part[k, 1:] *= t[0, 0]


@numba.njit
def parts_of_a_tuple(a, b):
    ts, total = (a.copy(), b.copy(), a * b), 0.0
    for k in range(5):
        written_by_a_view(ts[k % 3], k % 2)
        total += ts[k % 3][1, 1] * ts[2][2, 2]
    return total


@numba.njit
def recursive(ts, k):
    if k > 0:
        ts[k % 2][k % 3, 0] *= ts[1 - k % 2][0, 1]
        recursive(ts, k - 1)


@numba.njit
def written_by_a_recursive_function(a, b):
    ts = (a.copy(), b.copy())
    recursive(ts, 4)
    return (ts[0] * ts[1]).sum()


FUNCTIONS = [
    *(pivoting_in_turn, two_of_a_tuple, exchanged, tuple_passed_on, returned_and_read, two_arguments, item_of_a_list),
    *(gone_through, parts_of_a_tuple, written_with_options),
]


def differences(function, arrays):
    """Returns the central differences of a function with respect to the elements of its arrays."""
    results = []
    for place, array in enumerate(arrays):
        slopes = np.empty_like(array)
        for index in np.ndindex(array.shape):
            values = []
            for step in (1e-5, -1e-5):
                moved = [other.copy() for other in arrays]
                moved[place][index] += step
                values.append(function(*moved))
            slopes[index] = (values[0] - values[1]) / 2e-5
        results.append(slopes)
    return results


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.py_func.__name__)
def test_derivatives_of_functions_that_write_a_chosen_array(function):
    expected = differences(function, [A, B])
    value, gradients = fg.value_and_grad(function, (0, 1))(A.copy(), B.copy())
    assert value == pytest.approx(function(A.copy(), B.copy()), rel=1e-13)
    for gradient, slopes in zip(gradients, expected, strict=True):
        np.testing.assert_allclose(gradient, slopes, rtol=1e-5, atol=1e-6)
    direction = RNG.normal(size=A.shape)
    _, tangent = fg.jvp(function, (A.copy(), B.copy()), (direction, np.zeros_like(B)))
    assert tangent == pytest.approx(np.sum(expected[0] * direction), rel=1e-5)


@pytest.mark.parametrize("function", [carried_by_the_loop, returned_and_written, written_by_a_recursive_function])
def test_what_can_not_be_told_apart_is_right_or_refused(function):
    expected = differences(function, [A, B])
    try:
        gradients = fg.grad(function, (0, 1))(A.copy(), B.copy())
    except DifferentiationError:
        return
    for gradient, slopes in zip(gradients, expected, strict=True):
        np.testing.assert_allclose(gradient, slopes, rtol=1e-5, atol=1e-6)
