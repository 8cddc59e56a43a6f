"""Functions of `numba.vectorize` that functions of Numba call."""

import math

import numba
import numpy as np
import pytest
from numba import float32

import fastgrad as fg

V = np.array([0.6, -0.9, 1.4])


@numba.vectorize
def sine_times(a, b):
    return a * math.sin(b)


@numba.vectorize(["float32(float32, float32)", "float64(float64, float64)"])
def by_sign(a, b):
    return a * math.sin(b) if a > 0 else b * b


of_numbers = numba.njit(lambda x, y: sine_times(x, y) + by_sign(x, 3) * y)
of_arrays = numba.njit(lambda x, y: (sine_times(x, y) * by_sign(x, x)).sum())


@numba.njit
def broadcast(x, v):
    return (sine_times(x.reshape(-1, 1), v) ** 2).sum()


@numba.njit
def into_an_array(x):
    result = np.empty_like(x)
    by_sign(x, sine_times(x, 2), result)
    return (result * x).sum()


@numba.njit
def of_a_transposed_matrix(x):
    matrix = x.reshape(1, -1) * np.arange(1.0, 3.0).reshape(2, 1)
    return by_sign(matrix.T, matrix.T).sum()


quotients = numba.njit(lambda x: float(by_division(x, x - x[0]).size) + (x * x).sum())


@numba.vectorize
def by_division(a, b):
    return a / b


CALLS = {
    "numbers": (of_numbers, (2.0, 0.7)),
    "numbers below 0": (of_numbers, (-1.5, 0.2)),
    "arrays": (of_arrays, (V, 0.7)),
    "a broadcast": (broadcast, (V, V[:2])),
    "an array for the result": (into_an_array, (V,)),
    "a transposed matrix": (of_a_transposed_matrix, (V,)),
    "divisions by 0, which raise nothing": (quotients, (V,)),
}


@pytest.mark.parametrize("name", CALLS)
def test_derivatives_are_differences(name):
    function, arguments = CALLS[name]
    value, gradient = fg.value_and_grad(function, argnums=tuple(range(len(arguments))))(*arguments)
    assert value == function(*arguments)
    for place, argument in enumerate(arguments):
        for index in np.ndindex(np.shape(argument)):
            tangent = np.zeros(np.shape(argument))
            tangent[index] = 1.0
            tangents = tuple(
                tangent + 0.0 if number == place else np.zeros(np.shape(x)) for number, x in enumerate(arguments)
            )
            tangents = tuple(t if t.ndim else float(t) for t in tangents)

            def along(step, tangents=tangents):
                return function(*[x + step * t for x, t in zip(arguments, tangents, strict=True)])

            difference = (8 * (along(1e-4) - along(-1e-4)) - (along(2e-4) - along(-2e-4))) / 12e-4
            assert np.asarray(gradient[place])[index] == pytest.approx(difference, rel=1e-7, abs=1e-9)
            assert fg.jvp(function, arguments, tangents)[1] == pytest.approx(difference, rel=1e-7, abs=1e-9)


def test_numbers_are_of_the_types_that_numba_chooses():
    x = np.array([1, 2], np.int32)

    scale = numba.njit(lambda factor, x: (by_sign(factor, x)).sum())
    value, slope = fg.value_and_grad(scale)(np.float32(1.5), x)
    assert value == scale(np.float32(1.5), x)
    assert slope == pytest.approx(np.sin(1.0) + np.sin(2.0), rel=1e-6)


def test_a_cast_to_float32_rounds():
    square = numba.njit(lambda x: float32(x) * float32(x))
    value, slope = fg.value_and_grad(square)(2.3)
    assert value == square(2.3)
    assert slope == np.float32(4.6)


def test_a_function_that_is_replaced_is_read_again():
    def make(function):
        vectorized = numba.vectorize(function)

        @numba.njit
        def call(x):
            return vectorized(x)

        return fg.grad(call)

    assert make(lambda x: x * x)(3.0) == 6.0
    assert make(lambda x: x * x * x)(3.0) == 27.0


def test_what_numba_refuses_is_refused():
    @numba.vectorize(["float32(float32)"])
    def single(x):
        return x * 2

    @numba.njit
    def call(x):
        return single(x)

    with pytest.raises(numba.TypingError):
        call(1.5)
    with pytest.raises(numba.TypingError):
        fg.grad(call)(1.5)


@numba.vectorize(["float64(float64)"])
def root_or_error(x):
    if x < 0.0:
        raise ValueError("a root of a negative number")
    return math.sqrt(x)


@numba.njit
def root_of_number(x):
    return root_or_error(x) + x


def test_a_derivative_raises_what_compiled_callers_of_a_vectorized_function_ignore():
    assert root_of_number(-4.0) == -4.0  # Numba reads 0 as the result of the call that raised
    for derivative in (fg.grad(root_of_number), lambda x: fg.jvp(root_of_number, (x,), (1.0,))):
        with pytest.raises(ValueError, match="a root of a negative number"):
            derivative(-4.0)
