"""Scalar functions become formulas."""

from __future__ import annotations

import math

import numba
import numpy as np
import pytest

from fastgrad._src.custom_operations.formula import Branch
from fastgrad._src.custom_operations.symbols import NotFollowedError
from fastgrad._src.custom_operations.tracer import MAX_PATHS, trace

FLOAT64 = np.dtype(np.float64)
X = np.linspace(-2, 2, 9)


helper = numba.njit(lambda x: math.tanh(x) + 1.0)


def plain_helper(x):
    return helper(x) * math.sqrt(4.0)


def formula_of(function, *dtypes):
    (formula,) = trace(function, dtypes or (FLOAT64,))
    return formula


def test_functions_that_it_calls_are_followed():
    factor = 3.0
    found = formula_of(lambda x: factor * plain_helper(x))
    np.testing.assert_allclose(found.run(X), 6 * (np.tanh(X) + 1))


def test_each_path_is_a_leaf_and_equal_terms_are_one():
    def function(x):
        square = x * x
        if x > 0:
            return square + 1.0
        return square - 1.0

    found = formula_of(function)
    assert isinstance(found.tree, Branch)
    rows = [term.operation.name for term in found.terms if term.operation is not None]
    assert sorted(rows) == ["add", "greater", "multiply", "subtract", "where"]
    np.testing.assert_array_equal(found.run(X), X * X + np.where(X > 0, 1, -1))


def test_a_condition_asked_twice_is_one_fork():
    def function(x):
        y = 1.0 if x > 0 else 2.0
        return x * y if x > 0 else x - y

    rows = [term.operation.name for term in formula_of(function).terms if term.operation is not None]
    assert rows.count("where") == 1


def test_loops_of_a_fixed_count_are_unrolled():
    def function(x):
        total = 0.0 * x
        for power in range(1, 4):
            total += x**power / math.factorial(power)
        return total

    np.testing.assert_allclose(formula_of(function).run(X), X + X**2 / 2 + X**3 / 6, atol=1e-15)


def test_several_results_are_several_formulas():
    a, b, c = trace(lambda x: (x + 1.0, None, 2.0), (FLOAT64,))
    assert b is None
    np.testing.assert_array_equal(a.run(X), X + 1)
    np.testing.assert_array_equal(c.run(X), np.full(9, 2.0))


def test_results_of_different_dtypes_are_promoted():
    found = formula_of(lambda x: max(0, x), np.dtype(np.float32))
    assert found.dtype == np.float32
    found = formula_of(lambda x: x if x > 0 else 0.5, np.dtype(np.int32))
    assert found.dtype == FLOAT64
    np.testing.assert_array_equal(found.run(np.array([3, -1], np.int32)), [3, 0.5])


def test_a_loop_that_goes_on_by_values_is_refused():
    def function(x):
        while x > 1.0:
            x = x / 2
        return x

    with pytest.raises(NotFollowedError, match=f"more than {MAX_PATHS} conditions"):
        trace(function, (FLOAT64,))


def test_a_function_of_itself_is_refused_or_followed():
    def factorial(n):
        return n * factorial(n - 1) if n > 1 else 1.0

    with pytest.raises(NotFollowedError):
        trace(factorial, (FLOAT64,))


def test_derivatives_are_formulas():
    found = formula_of(lambda x: x * x * x if x > 0 else -x)
    slope = found.derivative(0)
    np.testing.assert_allclose(slope.run(np.full(9, 2.0), X), 2 * np.where(X > 0, 3 * X * X, -1))
    second = slope.derivative(1)
    np.testing.assert_allclose(second.run(np.ones(9), np.full(9, 2.0), X), 2 * np.where(X > 0, 6 * X, 0))


def test_a_loop_whose_condition_stays_is_not_followed_for_ever():
    def doubled(x, bound):
        while bound > 1.0:
            x = x * bound
        return x

    with pytest.raises(NotFollowedError, match="more than 10000 times, as a loop that may never end"):
        trace(doubled, (FLOAT64, FLOAT64))
