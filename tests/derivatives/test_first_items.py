"""Derivatives of functions that take the first item of a generator by ``next``."""

from __future__ import annotations

import numba
import numpy as np
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
    return total * x


@numba.njit
def in_steps(x):
    generator = multiples(9, x)
    a = next(generator)
    b = a * next(generator)
    if b > 1.0:
        b += next(generator)
    for k in range(3):
        b += a * k * x
    return b * next(generator) + a


@numba.njit
def uneven(x):
    yield x * x, 1
    for i in range(5):
        for j in range(i):
            if x * j < 2.0:
                yield x * j + i, j
        if x > 1.0:
            yield x, 2 * i
    yield x * x * x, 7


@numba.njit
def of_several_kinds(x):
    generator = uneven(x)
    a, i = next(generator)
    b, j = next(generator)
    c, k = next(generator)
    total = a * b * c + i * x
    for y, m in generator:
        if y > 3.0 and m % 2:
            continue
        if total > 500.0:
            break
        total += y * total / 5 + j * y - k
    return total * a


@numba.njit
def remaining_in_a_list(x):
    generator = multiples(6, x)
    first, second = next(generator), next(generator)
    rest = list(generator)
    return first * second * sum(rest) + len(rest) * x


@numba.njit
def numbers_from(x):
    while True:
        yield x
        x = x * 1.5 + 1.0


@numba.njit
def without_an_end(x):
    total = 0.0
    for k in range(3):
        generator = numbers_from(x + k)
        first = next(generator)
        second = next(generator)
        total += first * second * x
        for y in generator:
            total += y * x
            if y > 20.0:
                break
    return total


@numba.njit
def written_between(x):
    a = np.array([x, x * x, 1.0])
    generator = elements(a)
    total = next(generator)
    a[1] *= x
    total += next(generator) * a[1]
    a[2] = total
    return total * next(generator)


@numba.njit
def elements(a):
    for i in range(len(a)):
        yield a[i] * a[0]
        a[0] += a[i]


@numba.njit
def as_arguments(x):
    generator = numbers_from(x)
    total = np.sin(next(generator)) + np.cos(next(generator)) * sum([next(generator), next(generator)])
    for y in generator:
        total += np.tanh(0.1 * y) * y
        if y > 50.0:
            break
    return total


@numba.njit
def two_generators(x):
    first, second = multiples(5, x), powers(x)
    a = next(first) * next(first)
    b = next(second)
    return a * b + next(second)


@pytest.mark.parametrize("x", [0.7, 1.3])
@pytest.mark.parametrize(
    "function",
    [
        *(twice, then_a_loop, in_steps, of_several_kinds, remaining_in_a_list, without_an_end, written_between),
        *(two_generators, as_arguments),
    ],
    ids=lambda function: function.py_func.__name__,
)
def test_derivatives_of_generators_that_are_read_more_than_once(function, x):
    slope = (function(x + 1e-5) - function(x - 1e-5)) / 2e-5
    assert fg.value_and_grad(function)(x) == pytest.approx((function(x), slope), rel=1e-7)
    assert fg.jvp(function, (x,), (1.0,)) == pytest.approx((function(x), slope), rel=1e-7)


def test_a_read_beyond_the_end_is_an_error():
    @numba.njit
    def twice_of_a_search(x):
        generator = large_multiples(x)
        return next(generator)[1] * next(generator)[1]

    assert fg.grad(twice_of_a_search)(0.7) == pytest.approx(2 * 0.7 * 12)
    for call in (twice_of_a_search, fg.grad(twice_of_a_search), fg.value_and_grad(twice_of_a_search)):
        with pytest.raises(StopIteration):
            call(0.25)


def test_reads_that_may_come_in_any_order_are_refused():
    @numba.njit
    def in_its_loop(x):
        generator, total = multiples(5, x), 0.0
        for _ in range(3):
            total += next(generator) * x
        return total

    @numba.njit
    def in_a_loop_after_the_first(x):
        generator = multiples(5, x)
        total = next(generator)
        for _ in range(3):
            total += next(generator) * x
        return total

    @numba.njit
    def within_its_own_loop(x):
        generator = multiples(9, x)
        total = next(generator)
        for y in generator:
            total += y * next(generator)
        return total

    @numba.njit
    def after_the_loop(x):
        generator = multiples(9, x)
        total = next(generator)
        for y in generator:
            total += y * x
            if total > 3.0:
                break
        return total * next(generator)

    @numba.njit
    def in_turn(x):
        first, second = multiples(5, x), powers(x)
        total = next(first) * next(second)
        return total * next(first) + next(second)

    for function in (in_turn, in_its_loop, in_a_loop_after_the_first, within_its_own_loop, after_the_loop):
        with pytest.raises(DifferentiationError, match="a generator can be differentiated only where"):
            fg.grad(function)(1.3)
