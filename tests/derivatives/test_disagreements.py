"""Where a right derivative and central differences disagree; each case beside a function of the same shape whose derivative is wrong."""

from __future__ import annotations

import math

import numba
import numpy as np
import pytest

import fastgrad as fg
from fastgrad._src.derivatives.check import Comparer, Direction
from fastgrad._src.derivatives.package_check import noise
from fastgrad._src.derivatives.package_check.compare import compare_derivatives_of_call
from fastgrad._src.derivatives.package_check.record import Call, TimeIsOver
from tests.packages import classify

cube = numba.njit(lambda x: x**3)


@fg.adjoint(cube)
def wrong_by_a_tenth(cotangent, result, x):
    return 3.3 * x**2 * cotangent


square = numba.njit(lambda x: x**2)


@fg.adjoint(square)
def zero_everywhere(cotangent, result, x):
    return 0.0 * cotangent


@numba.njit
def wrong_at_0(x):
    return math.sin(x)


@fg.adjoint(wrong_at_0)
def cosine_but_at_0(cotangent, result, x):
    return cotangent * math.cos(x) if x != 0.0 else 0.0 * cotangent


identity = numba.njit(lambda x: x + 0.0)


@fg.adjoint(identity)
def infinite(cotangent, result, x):
    return cotangent * math.inf


def distance(x, y):
    """Has the differences of the items in float32, as umap's Mahalanobis distance."""
    difference = np.empty(x.shape[0], np.float32)
    for i in range(x.shape[0]):
        difference[i] = x[i] - y[i]
    total = 0.0
    for i in range(x.shape[0]):
        total += 1.5 * difference[i] * difference[i]
    return np.sqrt(total)


def distance_by_wrong_cube(x, y):
    difference = np.empty(x.shape[0], np.float32)
    for i in range(x.shape[0]):
        difference[i] = x[i] - y[i]
    total = 0.0
    for i in range(x.shape[0]):
        total += cube(1.0 * difference[i])
    return total


def rounded_square(x):
    return 1.0 * np.float32(square(x))


def root_to_1e8(p, slope):
    """Returns a root that bisection finds to about 1e-8, times a number that depends smoothly on the argument."""
    low, high = 0.0, 10.0
    while high - low > 1e-8:
        middle = 0.5 * (low + high)
        if middle * middle > p:
            high = middle
        else:
            low = middle
    return slope(p) * 0.5 * (low + high)


def bisection(p):
    low, high = 0.0, 10.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        if middle * middle > p:
            high = middle
        else:
            low = middle
    return low


def bisection_of_wrong_square(p):
    return bisection_in_numba(p) + square(p)


bisection_in_numba = numba.njit(bisection)


@numba.njit
def stumpff(psi):
    """Returns the Stumpff functions c2 and c3."""
    if psi > 1e-6:
        root = math.sqrt(psi)
        return (1.0 - math.cos(root)) / psi, (root - math.sin(root)) / (psi * root)
    if psi < -1e-6:
        root = math.sqrt(-psi)
        return (math.cosh(root) - 1.0) / -psi, (math.sinh(root) - root) / (-psi * root)
    return 0.5 - psi / 24.0, 1.0 / 6.0 - psi / 120.0


def universal_variable(k, start, end, time, count, scale):
    """Returns the velocity at the start of an orbit between two points, as hapsira's vallado: bisection finds a number, which formulas use."""
    from_start, from_end = np.dot(start, start) ** 0.5, np.dot(end, end) ** 0.5
    product = from_start * from_end
    a = (product + np.dot(start, end)) ** 0.5
    psi, low, high, y = 0.0, -4.0 * np.pi**2, 4.0 * np.pi**2, 0.0
    done = 0
    while done < count:
        c2, c3 = stumpff(psi)
        y = from_start + from_end + a * (psi * c3 - 1.0) / c2**0.5
        while y < 0.0:
            low = psi
            psi = 0.8 / c3 * (1.0 - product * np.sqrt(c2) / a)
            c2, c3 = stumpff(psi)
            y = from_start + from_end + a * (psi * c3 - 1.0) / c2**0.5
        x = np.sqrt(y / c2)
        found = (x**3 * c3 + a * np.sqrt(y)) / np.sqrt(k)
        if abs((found - time) / time) < 1e-15:
            break
        done += 1
        if found < time:
            low = psi
        else:
            high = psi
        psi = (high + low) / 2.0
    f, g = 1.0 - y / from_start, a * np.sqrt(y / k)
    return (end - f * start) / g * scale(1.0 + 1e-6 * k)


def bisection_by_products(p, slope):
    """Chooses by products with truth values."""
    low, high = 0.0, 10.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        is_above = middle * middle > p
        high = high + (middle - high) * is_above
        low = low + (middle - low) * (not is_above)
    return low * slope(p)


def root_in_an_array(p, slope):
    """Writes the ends of the interval to an array."""
    ends = np.array([0.0, 10.0])
    for _ in range(70):
        middle = ends.sum() / 2.0
        if middle**3 > p[0]:
            ends[1] = middle
        else:
            ends[0] = middle
    return ends * slope(p[0]) + p[1]


def root_in_an_argument(p, ends, slope):
    """Writes the ends of the interval to an argument, which must not be the other one."""
    for _ in range(60):
        middle = ends.sum() / 2.0
        if middle**3 > p[0]:
            ends[1] = middle
        else:
            ends[0] = middle
    return ends * slope(p[0]) + p[1]


def pivot(x, m):
    """Leaves out what a multiplier of 0 would subtract, as quantecon's pivoting."""
    y = x.copy()
    for i in range(2):
        if m[i] == 0.0:
            continue
        for j in range(y.shape[0]):
            y[j] -= m[i] * x[i]
    return y


def pivot_by_wrong_cube(x, m):
    y = x.copy()
    for i in range(2):
        if m[i] == 0.0:
            continue
        for j in range(y.shape[0]):
            y[j] -= cube(1.0 + m[i]) * x[i]
    return y


def growth(k, x):
    """Has a limit for one rate; beside it the terms of the derivative cancel."""
    if k == 0.0:
        return x
    return math.expm1(k * x) / k


def growth_by_powers(k, x):
    """Has a limit for one rate; beside it the terms of the result cancel, too."""
    if k == 0.0:
        return math.log(x)
    return (x**k - 1.0) / k


def growth_by_wrong_cube(k, x):
    if k == 0.0:
        return x
    return math.expm1(k * x) / k * cube(1.0 + k)


def interpolated(time):
    """Has a kink at 0, as resampy's loops do at each time of their table, beside a large result that does not change."""
    table = (0.6, 0.7, 0.8003)
    place = int(time + 1.0)
    return np.array([table[place] + (time + 1.0 - place) * (table[place + 1] - table[place]), 300.0])


def call_of_wrong_at_0(x):
    return wrong_at_0(x) + 1.0


def quotient(x, y):
    return x / y


def infinite_identity(x):
    return identity(x)


def golden_section(a, b, slope):
    """Searches the minimum of a function, and chooses between two results after the loop, as consav does."""
    part = (math.sqrt(5.0) - 1.0) / 2.0
    for _ in range(25):
        c, d = b - part * (b - a), a + part * (b - a)
        if math.exp(c) - 1.4 * c < math.exp(d) - 1.4 * d:
            b = d
        else:
            a = c
    result = (a + d) / 2.0 if math.exp(c) - 1.4 * c < math.exp(d) - 1.4 * d else (c + b) / 2.0
    return result + slope(b)


def difference_quotient(f, x, step):
    """Rounds to a hundred-thousandth of what it subtracts, as the gradients of consav."""
    return (f(x + step) - f(x)) / step


def cancelled_contrasts(x, y, slope):
    """Adds contrasts of tiny numbers, as empymod's reflections. The terms of its derivative are 1e7 times as large as their sum."""
    total = 0.0
    for i in range(len(y)):
        total += (-1.0) ** i * (x - y[i]) / (x + y[i])
    return total + slope(1.0 + x)


@numba.njit
def power(x, n):
    """Calls itself, so that a derivative calls its derivative."""
    return 1.0 if n == 0 else x * power(x, n - 1)


@numba.njit
def power_with_wrong_cube(x, n):
    return cube(x) if n == 0 else x * power_with_wrong_cube(x, n - 1)


def status_of(function, *arguments):
    status, reason, _ = classify.compare_and_explain(Call(numba.njit(function), arguments, {}))
    return classify.category_of(status, reason)


X, Y = np.array([0.31, 0.62, 1.7]), np.array([0.1, 1.4, 0.9])
MULTIPLIERS = np.array([0.0, 0.7])
CONTRASTS = np.array([2.1e-6, 2.1e-6 + 2.1e-14, 3.5e-7, 3.5e-7 - 3.5e-15])
ORBIT = (398600.4418, np.array([15945.34, 0.0, 0.0]), np.array([12214.83899, 10249.46731, 0.0]), 4560.0)


@pytest.mark.parametrize(
    ("function", "arguments", "status"),
    [
        (distance, (X, Y), "right within noise"),
        (distance_by_wrong_cube, (X, Y - 2.0), "wrong"),
        (rounded_square, (0.7,), "wrong"),
        (difference_quotient, (numba.njit(lambda x: x**3), 0.41, 1e-5), "right within noise"),
        (difference_quotient, (cube, 0.41, 1e-5), "wrong"),
        (cancelled_contrasts, (7e-7, CONTRASTS, numba.njit(lambda x: x**3)), "right within noise"),
        (cancelled_contrasts, (7e-7, CONTRASTS, cube), "wrong"),
        (pivot, (X, MULTIPLIERS), "at a branch"),
        (pivot_by_wrong_cube, (X, MULTIPLIERS), "wrong"),
        (growth, (0.0, 0.7), "at a branch"),
        (growth, (0.0, 2.9), "at a branch"),
        (growth_by_powers, (0.0, 0.7), "at a branch"),
        (growth_by_wrong_cube, (0.0, 0.7), "wrong"),
        (call_of_wrong_at_0, (0.0,), "wrong"),
        (quotient, (2e-309, 1e-309), "not smooth"),
        (infinite_identity, (1e-309,), "wrong"),
        (interpolated, (0.0,), "not smooth"),
    ],
)
def test_the_status_of_a_derivative_that_differs_from_differences(function, arguments, status):
    assert status_of(function, *arguments) == status


@pytest.mark.parametrize(
    ("function", "arguments", "status"),
    [
        (distance, (X, Y), "right"),
        (distance_by_wrong_cube, (X, Y - 2.0), "disagrees"),
        (difference_quotient, (numba.njit(lambda x: x**3), 0.41, 1e-5), "right"),
        (growth, (0.0, 0.7), "disagrees"),
        (bisection_by_products, (2.0, numba.njit(lambda p: p * p)), "disagrees"),
        (interpolated, (0.0,), "not smooth"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*only through comparisons")
def test_the_command_allows_for_noise_and_tells_no_other_disagreement_from_a_wrong_derivative(
    function, arguments, status
):
    outcome = compare_derivatives_of_call(Call(numba.njit(function), arguments, {}))
    assert outcome.status == status
    assert outcome.reason.startswith("within noise: by ") == ("right within noise" in outcome.directions)
    assert ("right within noise" in outcome.directions) == (status == "right")


@pytest.mark.parametrize(
    ("function", "arguments", "status"),
    [
        (bisection, (2.0,), "search"),
        (bisection_of_wrong_square, (2.0,), "wrong"),
        (root_to_1e8, (2.0, numba.njit(lambda p: p * p)), "search"),
        (root_to_1e8, (2.0, cube), "wrong"),
        (universal_variable, (*ORBIT, 35, numba.njit(lambda x: x * x)), "search"),
        (universal_variable, (*ORBIT, 90, numba.njit(lambda x: x * x)), "search"),
        (universal_variable, (*ORBIT, 90, cube), "wrong"),
        (bisection_by_products, (2.0, numba.njit(lambda p: p * p)), "search"),
        (bisection_by_products, (2.0, cube), "wrong"),
        (root_in_an_array, (np.array([2.0, 0.7]), numba.njit(lambda p: p * p)), "search"),
        (root_in_an_array, (np.array([2.0, 0.7]), cube), "wrong"),
        (root_in_an_argument, (np.array([2.0, 0.7]), np.array([0.0, 10.0]), numba.njit(lambda p: p * p)), "search"),
        (root_in_an_argument, (np.array([2.0, 0.7]), np.array([0.0, 10.0]), cube), "wrong"),
        (root_to_1e8, (2.0, numba.njit(lambda p: power(p, 2))), "search"),
        (root_to_1e8, (2.0, numba.njit(lambda p: power_with_wrong_cube(p, 2))), "wrong"),
        (golden_section, (-1.0, 2.0, numba.njit(lambda x: x * x)), "search"),
        (golden_section, (-1.0, 2.0, cube), "wrong"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*only through comparisons")
def test_a_search_by_comparisons(function, arguments, status):
    assert status_of(function, *arguments) == status


def raise_time_is_over(*_, **__):
    raise TimeIsOver


@pytest.mark.filterwarnings("ignore:.*only through comparisons")
def test_a_search_whose_run_in_python_takes_too_long_is_not_told_from_noise(monkeypatch):
    monkeypatch.setattr(classify, "time_limit", raise_time_is_over)
    assert status_of(root_to_1e8, 2.0, numba.njit(lambda p: p * p)) == "not smooth"


@pytest.mark.filterwarnings("ignore:.*only through comparisons")
@pytest.mark.parametrize(("error", "status"), [(ZeroDivisionError, "not smooth"), (NameError, "failed")])
def test_what_a_run_in_python_raises_by_its_numbers_leaves_the_status_and_a_defect_does_not(error, status, monkeypatch):
    def interpreted_function(_):
        def run(*_):
            raise error

        return run

    monkeypatch.setattr(classify, "interpreted_function", interpreted_function)
    assert status_of(root_to_1e8, 2.0, numba.njit(lambda p: p * p)) == status


def test_the_rounding_of_a_derivative_is_measured_by_reverse_mode_only(monkeypatch):
    comparer = Comparer(growth, [1e-5, 0.7], (0,))
    monkeypatch.setattr(Comparer, "compare", None)
    assert 1e-14 < noise._rounding_of_derivative(comparer, Direction(0, (), 1.0)) < 1e-9
