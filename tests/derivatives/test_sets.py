"""Sets: membership, and loops over their sorted items. The order of a set itself follows from hashes, so a loop over it is refused."""

from __future__ import annotations

import numba
import numpy as np
import pytest

import fastgrad as fg
from fastgrad.errors import DifferentiationError

A = np.array([1.3, 0.7, 2.1, 1.3, -0.4])
N = np.array([40, 3, 17, 3, 1, -5, 33, 65, 1025, 12, 9, 2**40, 7, 16, 48])


@numba.njit
def variable(a, n):
    s = {40, 3, 17, 1, 9, 25, 1024, 2**33}
    total = a[0]
    for i in sorted(s):
        total = total * a[1] + i % 7
    return total * len(s)


@numba.njit
def few_numbers(a, n):
    total = a[0]
    for i in sorted({n[0], n[1], n[2], n[3]}):
        total = total * a[1] + i
    return total


@numba.njit
def added(a, n):
    s = {n[0]}
    for k in range(30):
        s.add((k * k * 31) % 97 - 20)
    total = a[0]
    for i in sorted(s):
        total = total * a[1] * 0.9 + i
    return total


@numba.njit
def removed(a, n):
    s = set(n)
    for k in range(60):
        s.add(k * 17)
    for k in range(55):
        s.remove(k * 17)
        s.discard(k)
    s.add(n[3])
    total = a[0]
    for i in sorted(s):
        total = total * a[1] + i % 11
    return total


@numba.njit
def updated(a, n):
    s = {5, 33}
    s.update(n)
    s.update({1, 2, 3, 4, 99, 98, 97})
    s.update({n[0] + 1, 1000})
    total = a[0]
    for i in sorted(s):
        total = total * a[1] + i % 13
    s.clear()
    s.add(7)
    for i in sorted(s):
        total += a[2] * i
    return total


@numba.njit
def common(a, n):
    s = set(n)
    t = s.intersection({n[0], 2, n[2] + 1, 500})
    t.add(77)
    total = a[0] * len(t)
    for k in range(n.size):
        if n[k] in t:
            total = total * a[1] + a[2]
    for i in sorted(s.intersection(t)):
        total += a[2] * i
    return total


@numba.njit
def copied(a, n):
    s = set([i * i % 23 for i in n])  # noqa: C403  # Numba has no comprehensions of sets
    t = s.copy()
    t.add(1000)
    total = a[0]
    for i in sorted(s):
        total = total * a[1] + i
    for i in sorted(t):
        total = total * a[2] * 0.5 + i
    return total


@numba.njit
def set_of_a_set(a, n):
    s = set(n)
    s.add(500)
    total = a[0]
    for i in sorted(set(s)):
        total = total * a[1] + i % 17
    return total


@numba.njit
def floats(a, n):
    total = a[0]
    for y in sorted({0.5, 2.25, -1.0, 1e300 * 1e-300}):
        total = total * a[1] + y
    return total


@numba.njit
def active_floats(a, n):
    total, weight = 0.0, 1.0
    for y in sorted(set(a)):
        total += y * y * weight
        weight += 0.5
    return total


@numba.njit
def contained_floats(a, n):
    s = {a[0], a[1] * a[2]}
    total = 0.0
    for y in a:
        if y in s:
            total += y * y
    return total + len(s) * a[1]


@numba.njit
def _total(s, x):
    total = x
    for i in sorted(s):
        total = total * x + i
    return total


@numba.njit
def made_by_the_caller(a, n):
    s = {n[0], n[1], n[2]}
    total = 0.0
    for i in sorted(s):
        total += i * a[0]
    return _total(s, a[1]) + total


@numba.njit
def broken_off(a, n):
    total = a[0]
    for k in range(4):
        for i in sorted({k, k * 3 + 16, 5}):
            if i > 20:
                break
            total = total * a[1] + i
    return total


@numba.njit
def numbers_beside(a, n):
    total = a[0]
    for k, i in enumerate(sorted(set(n))):
        total = total * a[1] + i % 5 * k
    return total


@numba.njit
def small_integers(a, n):
    s = set(n.astype(np.int32) % 100)
    total = a[0]
    for i in sorted(s):
        total = total * a[1] + i
    return total


@numba.njit
def _change(s):
    s.add(23)
    s.discard(17)
    return len(s)


@numba.njit
def _made(n, count):
    s = set(n)
    for k in range(count):
        s.add(k * 17)
    return s


@numba.njit
def changed_by_a_callee(a, n):
    s = _made(n[:9], 9)
    total = _total(s, a[1] * 0.8) + a[0] * _change(s)
    return total + _total(s, a[2] * 0.3)


@numba.njit
def passed_on(a, n):
    return _total({n[0], n[1], n[2]}, a[1]) + _total(set(n[:6]), a[0] * 0.5)


FUNCTIONS = [
    *(changed_by_a_callee, passed_on),
    *(variable, few_numbers, added, removed, updated, common, copied, set_of_a_set, floats, active_floats),
    *(contained_floats, made_by_the_caller, broken_off, numbers_beside, small_integers),
]


def differences(function, a):
    steps = 1e-5 * np.eye(len(a))
    # Equal elements move together: a set of floats has one of them.
    return np.array([(function(a + step) - function(a - step)) / 2e-5 for step in steps])


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.py_func.__name__)
def test_derivatives_of_loops_over_sorted_sets(function):
    a = np.array([1.3, 0.7, 2.1, 1.35, -0.4])
    expected = differences(lambda b: function(b, N), a)
    value, gradient = fg.value_and_grad(function)(a, N)
    assert value == function(a, N)
    np.testing.assert_allclose(gradient, expected, rtol=1e-6, atol=1e-6)
    with_constant = numba.njit(lambda b: function(b, N))
    direction = np.array([0.3, -0.2, 0.7, 0.1, 0.5])
    value, tangent = fg.jvp(with_constant, (a,), (direction,))
    assert (value, tangent) == pytest.approx((function(a, N), expected @ direction), rel=1e-6, abs=1e-6)


def test_second_derivatives_of_loops_over_sorted_sets():
    function = numba.njit(lambda a: active_floats(a, N) * variable(a, N))
    a = np.array([1.3, 0.7, 2.1])
    step = 1e-5 * np.eye(3)
    gradient = fg.grad(function)
    expected = [(gradient(a + s) - gradient(a - s)) / 2e-5 for s in step]
    np.testing.assert_allclose(fg.hessian(function)(a), expected, rtol=1e-5, atol=1e-5)


def test_random_operations_make_numbas_set():
    """Sets grow and shrink by operations that an array of numbers tells."""

    @numba.njit
    def f(x, operations):
        s, total = {0}, x
        for code in operations:
            key = code // 4
            if code % 4 == 0:
                s.discard(key)
            elif code % 4 == 1:
                s.update(operations[: key % 9])
            else:
                s.add(key)
        for i in sorted(s):
            total = total * 0.99 + i * x
        return total

    gradient, random = fg.value_and_grad(f), np.random.default_rng(0)
    for size in (3, 30, 300):
        for _ in range(10):
            operations = random.integers(0, 4 * size, 2 * size)
            value, slope = gradient(1.25, operations)
            assert value == f(1.25, operations)
            assert slope == pytest.approx(f(2.25, operations) - value, rel=1e-12)


def test_what_is_refused_of_sets():
    @numba.njit
    def loop(x):
        total, numbers = x, {1, 2}
        for i in numbers:
            total = total * x + i
        return total

    listed = numba.njit(lambda x: x * next(iter({1, 2})))
    popped = numba.njit(lambda x: x * {1, 2}.pop())

    for function, message in [
        (
            loop,
            r"a loop over a set can't be differentiated: its order follows from hashes. Go through sorted\(the set\)",
        ),
        (listed, "a loop over a set can't be differentiated"),
        (popped, "the method pop of a set can't be differentiated"),
    ]:
        with pytest.raises(DifferentiationError, match=message):
            fg.grad(function)(1.5)
