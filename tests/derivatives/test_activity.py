"""Which numbers and arrays have tangents: those that depend on the inputs and that the result depends on."""

import numba
import numpy as np
import pytest

import fastgrad as fg
from fastgrad._src.derivatives.derivation import lowered_function
from fastgrad._src.derivatives.output.text import text_of_code
from fastgrad._src.derivatives.transform.forward_mode import ForwardMode


@numba.njit
def squared_distance_to_the_closest(point, centers):
    distances = np.zeros(len(centers))
    for i in range(len(centers)):
        for axis in range(len(point)):
            distances[i] += (point[axis] - centers[i, axis]) ** 2
    closest = np.argmin(distances)
    total = 0.0
    for axis in range(len(point)):
        total += (point[axis] - centers[closest, axis]) ** 2
    return total


@numba.njit
def notes(values, x):
    for i in range(len(values)):
        values[i] = x * x * i
    return x


@numba.njit
def first_of(x, unused):
    values = np.zeros(3)
    notes(values, x)
    for i in range(len(unused)):
        values[0] += unused[i]
    return x * x


def text_of_forward_mode(function, *arguments):
    lowered, flow = lowered_function(function, tuple(map(numba.typeof, arguments)))
    return text_of_code(ForwardMode(lowered, flow, tuple(range(len(arguments)))).derivative().code)


POINT, CENTERS = np.array([0.3, 0.7]), np.array([[0.1, 0.1], [0.4, 0.9], [0.9, 0.2]])


def test_what_only_decides_has_no_tangents():
    text = text_of_forward_mode(squared_distance_to_the_closest, POINT, CENTERS)
    assert "dot_v_array" not in text
    fg.check_gradients(squared_distance_to_the_closest, POINT, CENTERS)
    hessian = fg.hessian(squared_distance_to_the_closest)(POINT, CENTERS)
    np.testing.assert_array_equal(hessian, 2.0 * np.eye(2))


def test_what_the_caller_sees_has_tangents():
    """A function that is not inlined writes the tangents of an array, though its result does not depend on them."""

    @numba.njit
    def filled(values, x, n):
        if n == 0:
            return 0
        values[n - 1] = np.sin(x * n)
        return filled(values, x, n - 1)

    @numba.njit
    def total(x):
        values = np.zeros(4)
        filled(values, x, 4)
        return np.sum(values * values)

    expected = sum(n * np.sin(2.0 * n * 0.4) for n in range(1, 5))
    assert np.isclose(fg.jvp(total)(0.4, 1.0)[1], expected)
    assert np.isclose(fg.grad(total)(0.4), expected)


def test_what_is_not_read_has_no_tangents():
    text = text_of_forward_mode(first_of, 2.0, np.ones(2))
    assert "dot_v_array" not in text
    value, tangent = fg.jvp(first_of, argnums=(0, 1))(2.0, np.ones(2), 1.0, np.ones(2))
    assert (value, tangent) == (4.0, 4.0)


def test_tangents_that_do_not_matter_have_the_shapes_of_their_arguments():
    with pytest.raises(ValueError, match="another shape"):
        fg.jvp(first_of, argnums=1)(2.0, np.ones(2), np.ones(3))


def test_an_array_that_is_one_of_two_has_the_tangents_of_both():
    @numba.njit
    def chosen(x, y):
        first, second = np.sin(x), np.cos(y)
        if x[0] > y[0]:
            first, second = second, first
        first[0] = 2.0 * y[1]
        return np.sum(first * first)

    y = np.array([0.5, 0.7])
    along = fg.jvp(chosen, argnums=(0, 1))
    for x in (np.array([0.2, 0.3]), np.array([0.8, 0.3])):
        of_x, of_y = fg.grad(chosen, argnums=(0, 1))(x, y)
        ones = np.ones(2)
        assert np.isclose(along(x, y, ones, ones)[1], np.sum(of_x) + np.sum(of_y))
        fg.check_gradients(chosen, x, y)
