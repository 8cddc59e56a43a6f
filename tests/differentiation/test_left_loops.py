"""The way back leaves a loop at once where all cotangents are 0: what it has recorded is dropped, and what comes before is right."""

import numba
import numpy as np
import pytest
from numba.core import types

import fastgrad as fg
from fastgrad.differentiation.derivation import lowered_function
from fastgrad.differentiation.transform.reverse_mode import ReverseMode

POINTS = np.array([[0.1, 0.9], [0.8, 0.2], [0.4, 0.5], [0.95, 0.9]])


@numba.njit
def closest(points, centers):
    total = 0.0
    for i in range(len(points)):
        least = np.inf
        for j in range(len(centers)):
            distance = 0.0
            for axis in range(points.shape[1]):
                difference = points[i, axis] - centers[j, axis]
                distance += difference * difference
            least = min(least, distance)
        total += least
    return total


@numba.njit
def closest_by_branch(points, centers):
    total = 0.0
    for i in range(len(points)):
        least = 1e3 * centers[0, 0]
        for j in range(len(centers)):
            distance = 1.0
            for axis in range(points.shape[1]):
                distance *= 1.0 + np.sin(points[i, axis] - centers[j, axis]) ** 2
            if distance < least:
                least = distance * points[i, 0]
        total += least * total + least
    return total


@numba.njit
def begun_again(points, centers):
    total = centers[0, 1]
    for i in range(len(points)):
        for j in range(len(centers)):
            if i == 1 and j == 1:
                total = 0.5
            for axis in range(points.shape[1]):
                total = np.exp(-total * points[i, axis]) * centers[j, axis]
    return total


@numba.njit(inline="never")
def largest_row(points, centers):
    largest = -1.0
    for j in range(len(centers)):
        row = 0.0
        for axis in range(centers.shape[1]):
            row += centers[j, axis] * points[0, axis] ** 2
        largest = max(largest, row)
    return largest


@numba.njit
def by_calls(points, centers):
    total = 0.0
    for i in range(len(points)):
        total += largest_row(points[i : i + 1], centers) * total + largest_row(points[i:], centers)
    return total


@pytest.mark.parametrize("function", [closest, closest_by_branch, begun_again, by_calls])
@pytest.mark.parametrize("rows", [1, 2, 5])
def test_both_modes_agree_with_differences(function, rows):
    centers = np.random.default_rng(rows).random((rows, 2)) + 0.05
    for number, gradient in enumerate(fg.grad(function, argnums=(0, 1))(POINTS, centers)):
        arguments = [POINTS, centers]
        for position in np.ndindex(*gradient.shape):
            direction = np.zeros_like(arguments[number])
            direction[position] = 1.0
            _, tangent = fg.jvp(function, argnums=number)(*arguments, direction)
            moved = [
                function(*[a + step * direction if k == number else a for k, a in enumerate(arguments)])
                for step in (-1e-6, 1e-6)
            ]
            difference = (moved[1] - moved[0]) / 2e-6
            np.testing.assert_allclose(gradient[position], tangent, rtol=1e-9, atol=1e-12)
            np.testing.assert_allclose(gradient[position], difference, rtol=2e-6, atol=1e-7)


def test_a_loop_without_iterations_is_not_left():
    value, gradient = fg.value_and_grad(closest, argnums=0)(POINTS, np.zeros((0, 2)))
    assert np.isinf(value)
    assert not gradient.any()


def test_a_loop_with_an_inner_loop_is_left_by_a_jump():
    matrix = types.Array(types.float64, 2, "C")
    lowered, flow = lowered_function(closest, (matrix, matrix), is_reverse=True)
    text = ReverseMode(lowered, flow, (1,), 0).derivative(lambda _, cotangents: cotangents[0]).source
    lines = [line.strip() for line in text.splitlines()]
    (test,) = [number for number, line in enumerate(lines) if line.startswith("values_top -= v_k_3")]
    assert lines[test + 1] == "v_k_3 = 0"
    assert lines[test + 2].startswith("_block = ")
    assert lines[test + 3] == "continue"
