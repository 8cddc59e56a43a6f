"""Derivatives of functions that take the first item of a generator by ``next``."""

from __future__ import annotations

import numba
import pytest

import fastgrad as fg
from fastgrad.errors import DifferentiationError


@numba.njit
def powers(x):
    yield x
    yield x * x


@numba.njit
def large_multiples(x):
    for i in range(10):
        if x * i > 2.0:
            yield i, x * i


@numba.njit
def multiples(n, x):
    for i in range(1, n):
        yield x * i


@numba.njit
def first_of_a_search(x):
    i, y = next(large_multiples(x))
    return y * y * i


@numba.njit
def in_a_loop(x):
    total = 0.0
    for k in range(3):
        generator = powers(x + k)
        y = next(generator)
        total += y * y + next(large_multiples(y))[1]
    return total


@numba.njit
def in_a_branch(x):
    y = next(powers(x)) if x > 1.0 else x * 2.0
    return y * y


@numba.njit
def as_an_argument(x):
    return next(multiples(4, next(powers(x * x)) + 1.0)) * sum(list(multiples(3, next(powers(x)))))


@pytest.mark.parametrize("x", [0.7, 1.3])
@pytest.mark.parametrize(
    "function",
    [first_of_a_search, in_a_loop, in_a_branch, as_an_argument],
    ids=lambda function: function.py_func.__name__,
)
def test_derivatives_of_first_items(function, x):
    slope = (function(x + 1e-5) - function(x - 1e-5)) / 2e-5
    assert fg.value_and_grad(function)(x) == pytest.approx((function(x), slope), rel=1e-8)
    assert fg.jvp(function, (x,), (1.0,)) == pytest.approx((function(x), slope), rel=1e-8)


def test_a_generator_without_items_is_an_error():
    for call in (first_of_a_search, fg.grad(first_of_a_search), fg.value_and_grad(first_of_a_search)):
        with pytest.raises(StopIteration):
            call(0.01)


def test_a_generator_that_is_read_more_than_once_is_refused():
    @numba.njit
    def twice(x):
        generator = powers(x)
        return next(generator) * next(generator)

    @numba.njit
    def then_a_loop(x):
        generator = multiples(5, x)
        total = next(generator)
        for y in generator:
            total += y * y
        return total

    @numba.njit
    def in_its_loop(x):
        generator, total = multiples(5, x), 0.0
        for _ in range(3):
            total += next(generator) * x
        return total

    for function in (twice, then_a_loop, in_its_loop):
        with pytest.raises(DifferentiationError, match="a generator can be differentiated only where"):
            fg.grad(function)(1.3)
