"""Derivatives that are 0 because a function searches for its result: a warning says so, with the remedy."""

import warnings

import numpy as np
import pytest
from numba import njit

import fastgrad as fg
from fastgrad._src.derivatives import derivation

X = np.array([0.1, 0.7, 0.4])


@njit
def bisection(p):
    low, high = 0.0, 10.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        if middle * middle > p:
            high = middle
        else:
            low = middle
    return 0.5 * (low + high)


@njit
def bisection_that_keeps_residuals(p):
    low, high, at_low = 0.0, 10.0, -p
    while high - low > 1e-9:
        middle = 0.5 * (low + high)
        residual = middle * middle - p
        if residual == 0.0:
            return middle
        if residual * at_low > 0.0:
            low, at_low = middle, residual
        else:
            high = middle
    return low


@njit
def bisection_by_selections(p):
    low, high = 0.0, 10.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        is_above = middle * middle > p
        high = middle if is_above else high
        low = low if is_above else middle
    return low


@njit
def golden_section(p):
    a, b = -5.0, 5.0
    while b - a > 1e-8:
        c, d = b - 0.618 * (b - a), a + 0.618 * (b - a)
        if (c - p) ** 2 < (d - p) ** 2:
            b = d
            continue
        a = c
    return a


@njit
def compass_search(p):
    x, step, best = np.zeros(2), 1.0, 1e9
    while step > 1e-6:
        is_better = False
        for i in range(2):
            for sign in (-1.0, 1.0):
                y = x.copy()
                y[i] += sign * step
                value = (y[0] - p) ** 2 + (y[1] - 2.0 * p) ** 2
                if value < best:
                    best = value
                    x[:] = y
                    is_better = True
        if not is_better:
            step *= 0.5
    return x[0] + x[1]


@njit
def compass_search_with_new_arrays(p):
    x, step, best = np.zeros(2), 1.0, 1e9
    while abs(step) > 1e-6:
        is_better = False
        for i in range(2):
            y = x.copy()
            y[i] += step
            value = (y[0] - p) ** 2 + (y[1] - 2.0 * p) ** 2
            if value < best:
                best = value
                x = y
                is_better = True
        if not is_better:
            step = -0.5 * step
    return x[0] + x[1]


distance_of_root = njit(lambda p, scale: scale * (bisection(p) - 2.0) ** 2 + scale)


bisection_with_tangent = fg.jvp(bisection, argnums=0)


uses_tangent_of_root = njit(lambda p: p * bisection_with_tangent(p, p)[1])


@njit
def sum_of_roots(p):
    roots = np.empty(3)
    for i in range(3):
        roots[i] = bisection(p[i])
    return roots.sum()


floor = njit(lambda x: np.floor(x[0]) * 2.0)


@njit
def signs(x):
    total = 0.0
    for value in x:
        total += np.sign(value) + np.round(value)
    return total


@njit
def count(x):
    n = 0
    for value in x:
        if value > 0.3:
            n += 1
    return float(n)


@njit
def count_in_a_float(x):
    n, total = 0.0, 0.0
    for value in x:
        total += value
        if total > 0.3:
            n += 1.0
    return n


@njit
def steps_of_a_loop(x):
    k = 0.0
    while x[0] * 30.0 - k > 1.0:
        k += 1.0
    return k


@njit
def angle(x):
    turns = 0.0
    while 100.0 * x[0] - turns * 6.28 > 3.14:
        turns += 1.0
    return 100.0 * x[0] - turns * 6.28


@njit
def positions(x):
    return float(np.argmax(x)) + np.searchsorted(np.sort(x), 0.3) + np.argsort(x).astype(np.float64).sum()


@njit
def nearest(x):
    best, result = 1e9, 0.0
    for node in (0.0, 0.3, 0.6):
        distance = abs(x[0] - node)
        if distance < best:
            best, result = distance, node * node
    return result


@njit
def newton(x):
    y, tolerance = 1.0, 1e-9
    while abs(y * y - x[1]) > tolerance:
        y = y - (y * y - x[1]) / (2.0 * y) if abs(y) > 1e-3 else 1.0
    return y


@njit
def adaptive_steps(x):
    y, t, h = x[0], 0.0, 0.1
    while t < 1.0:
        whole = y - h * y
        halves = whole + 0.5 * h * (y - whole)
        if abs(whole - halves) < 1e-3:
            y, t, h = halves, t + h, 1.5 * h
        else:
            h *= 0.5
    return y


SEARCHES = [
    *(bisection, bisection_that_keeps_residuals, bisection_by_selections, golden_section),
    *(compass_search, compass_search_with_new_arrays),
]
"""Functions that look for what depends on p = 2."""
OTHERS = [floor, signs, count, count_in_a_float, steps_of_a_loop, angle, positions, nearest, newton, adaptive_steps]


pytestmark = pytest.mark.usefixtures("no_kept_derivatives")  # warnings come from deriving


@pytest.fixture(autouse=True)
def _lines_warn_again(monkeypatch):
    """A line warns once in a process."""
    monkeypatch.setattr(derivation, "WARNED_OF", set())


@pytest.mark.parametrize("search", SEARCHES)
def test_the_derivative_of_a_search_is_zero_and_warns(search):
    code = search.py_func.__code__
    with pytest.warns(UserWarning, match=r"depends on p only through comparisons") as found:
        assert fg.grad(search)(2.0) == 0.0
    (warning,) = found
    assert warning.filename == code.co_filename
    assert code.co_firstlineno < warning.lineno < code.co_firstlineno + 20
    for remedy in ("fg.implicit_root", "fg.fixed_point", "fg.adjoint"):
        assert remedy in str(warning.message)


@pytest.mark.parametrize("function", OTHERS)
def test_other_functions_do_not_warn(function):
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        fg.grad(function)(X)
        fg.jvp(function, argnums=0)(X, np.ones(3))
    assert found == []


def test_the_parameters_are_looked_at_one_by_one():
    with pytest.warns(UserWarning, match="depends on p only"):
        slopes = fg.grad(distance_of_root, (0, 1))(2.0, 1.5)
    assert slopes == (0.0, pytest.approx(1.0 + (np.sqrt(2.0) - 2.0) ** 2))
    fg.grad(distance_of_root, 1)(2.0, 1.5)


@pytest.mark.parametrize(
    "call",
    [
        lambda: fg.grad(sum_of_roots)(np.full(3, 2.0)),
        lambda: fg.jvp(bisection, argnums=0)(2.0, 1.0),
        lambda: fg.vjp(golden_section, 2.0)[1](1.0),
        lambda: fg.hessian(bisection)(2.0),
        lambda: fg.grad(uses_tangent_of_root)(2.0),
    ],
    ids=["grad", "jvp", "vjp", "hessian", "grad of jvp"],
)
def test_each_transformation_warns(call):
    with pytest.warns(UserWarning, match="depends on p only"):
        call()


def test_a_line_warns_once():
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        for _ in range(2):
            fg.grad(bisection)(np.float64(2.0))
            fg.value_and_grad(bisection)(2.0)
    assert len(found) == 1


def test_the_remedy_does_not_warn():
    solver = njit(lambda start, p: start + bisection(p))
    root = fg.implicit_root(lambda x, p: x * x - p, solver)
    assert fg.grad(lambda p: root(0.0, p) * 3.0)(2.0) == pytest.approx(3.0 * 0.5 / np.sqrt(2.0))
