"""Derivatives that raise free their records and arrays: Numba frees nothing where an exception leaves a function."""

import gc
import math
import os

import numpy as np
import pytest
from numba import njit

import fastgrad as fg

SIZE, CALLS = 20_000, 300
RAISED = (ArithmeticError, IndexError, KeyError, ValueError, np.linalg.LinAlgError)


@njit
def recorded(x):
    total = 0.5
    for i in range(x.size):
        if x[i] > 0.0:
            total = math.sin(total) * x[i]
    return total


@njit
def divides_by_zero(x, k):
    return recorded(x) / (k - k)


@njit
def divides_an_integer_by_zero(x, k):
    return recorded(x) * (7 // int(k - k))


@njit
def takes_a_wrong_shape(x, k):
    return recorded(x) * x.reshape((3, 7))[0, 1] * k


@njit
def solves_a_singular_system(x, k):
    return recorded(x) * np.linalg.solve(np.zeros((2, 2)) * k, x[:2].copy())[0]


@njit
def positive(x):
    if x[0] < 10.0:
        raise KeyError("not positive")
    return x[0]


@njit
def raises_in_a_function_that_it_calls(x, k):
    return recorded(x) * positive(x) * k


@njit
def quotients(x, depth):
    if depth == 0:
        return recorded(x) / (x[0] - x[1])
    return math.sin(x[depth]) * quotients(x, depth - 1) + recorded(x)


@njit
def raises_in_a_recursion(x, k):
    return quotients(x, 5) * k


@njit
def doubled(x):
    return 2.0 * x


@fg.adjoint(doubled)
def raising_adjoint(g, y, x):
    if x[0] < 10.0:
        raise ValueError("not linear")
    return 2.0 * g


@njit
def has_an_adjoint_that_raises(x, k):
    return recorded(x) * doubled(x[:5])[0] * k


@njit
def halved(x):
    if x[0] < 10.0:
        raise ValueError("too small")
    return 0.5 * x


@fg.adjoint(halved)
def adjoint_of_halved(g, y, x):
    return 0.5 * g


@njit
def raises_in_a_function_with_an_adjoint(x, k):
    return recorded(x) * halved(x[:5])[0] * k


@njit
def inner_slope(k):
    return 1.0 / (k - k)


slope = fg.grad(inner_slope)


@njit
def raises_in_a_gradient(x, k):
    return recorded(x) * slope(k)


def resident_bytes():
    gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def leaked_bytes(call):
    """Returns the bytes by which the process grows for each call that raises."""
    for count in (20, CALLS):
        before = resident_bytes()
        for _ in range(count):
            with pytest.raises(RAISED):
                call()
    return (resident_bytes() - before) / CALLS


needs_statm = pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="reads the resident memory of Linux")
FUNCTIONS = [
    *(divides_by_zero, divides_an_integer_by_zero, takes_a_wrong_shape, solves_a_singular_system),
    *(raises_in_a_function_that_it_calls, raises_in_a_recursion, raises_in_a_function_with_an_adjoint),
    *(has_an_adjoint_that_raises, raises_in_a_gradient),
]


@needs_statm
@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_a_gradient_that_raises_frees_its_records_and_arrays(function):
    gradient = fg.value_and_grad(function)
    assert leaked_bytes(lambda: gradient(np.ones(SIZE), 2.0)) < SIZE  # the gradient alone has 8 bytes an element


@needs_statm
@pytest.mark.parametrize("transform", ["vjp", "jacobian", "hvp"])
def test_other_derivatives_that_raise_free_their_records_and_arrays(transform):
    function, ones = raises_in_a_recursion, np.ones(SIZE)
    hvp, jacobian = fg.hvp(function), fg.jacobian(function)
    calls = {
        "vjp": lambda: fg.vjp(has_an_adjoint_that_raises, ones.copy(), 2.0)[1](1.0),
        "jacobian": lambda: jacobian(ones.copy(), 2.0),
        "hvp": lambda: hvp(ones.copy(), 2.0, ones.copy()),
    }
    assert leaked_bytes(calls[transform]) < SIZE


def test_gradients_are_right_after_one_that_raised():
    quotient = njit(lambda x, k: recorded(x) / k)
    gradient = fg.grad(quotient)
    x = np.linspace(0.5, 1.5, 50)
    expected = gradient(x, 2.0)
    for _ in range(20):
        with pytest.raises(ZeroDivisionError):
            gradient(x, 0.0)
        np.testing.assert_array_equal(gradient(x, 2.0), expected)


def test_a_recursive_function_that_raises_after_its_stacks_grew():
    @njit
    def deep(x, depth, k):
        if depth == 0:
            return x[0] / k
        return math.sin(x[depth % x.size]) * deep(x, depth - 1, k)

    gradient = fg.grad(deep)
    x = np.linspace(0.5, 1.5, 7)
    expected = gradient(x, 3, 2.0)
    for depth in (3, 3000, 500):
        with pytest.raises(ZeroDivisionError):
            gradient(x, depth, 0.0)
        np.testing.assert_array_equal(gradient(x, 3, 2.0), expected)
