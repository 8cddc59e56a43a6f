"""The reverse sweep leaves a loop at once where all cotangents are 0: what it has recorded is dropped, and what comes before is right."""

import numba
import numpy as np
import pytest

import fastgrad as fg
from tests.derivatives.interpreted import text_of_reverse_mode

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


@numba.njit
def both_ends(points, centers):
    total = 1.0
    for i in range(len(points)):
        least, largest, other = points[i, 0], -np.inf, 0.0
        for j in range(len(centers)):
            x = np.sin(3.0 * centers[j, 0] * points[i, 1]) * total
            least = min(x, least)
            largest = max(largest, x, 0.3)
            other = max(other, x * x)
        total += least * largest - other
    return total


@numba.njit
def read_again(points, centers):
    total = 0.0
    for i in range(len(points)):
        least = 2.0
        for j in range(len(centers)):
            least = min(least, centers[j, 0] * points[i, 0] + centers[j, 1] ** 2)
            total += least * centers[j, 1]
    return total


@numba.njit
def chosen_in_a_branch(points, centers):
    total = 0.0
    for i in range(len(points)):
        least = 2.0
        for j in range(len(centers)):
            if centers[j, 1] > 0.4:
                least = min(least, centers[j, 0] * points[i, 0])
        total += least * least
    return total


@numba.njit
def chosen_twice(points, centers):
    total = 0.0
    for i in range(len(points)):
        least = 2.0
        for j in range(len(centers)):
            least = min(least, np.exp(centers[j, 0] * points[i, 0]))
            least = max(least, 0.1 * centers[j, 1])
        total += least * points[i, 1]
    return total


@numba.njit
def left_early(points, centers):
    total = 0.0
    for i in range(len(points)):
        least = 2.0
        for j in range(len(centers)):
            least = min(least, centers[j, 0] * points[i, 0])
            if least < 0.2:
                break
        total += least * points[i, 1]
    return total


@numba.njit
def path(points, centers):
    score = centers[:, 0] * points[0, 0]
    following = np.zeros(len(centers))
    for i in range(1, len(points)):
        for j in range(len(centers)):
            best = -np.inf
            for k in range(len(centers)):
                best = max(best, score[k] + centers[k, 1] * centers[j, 0] * points[i, 0])
            following[j] = best + np.sin(centers[j, 1] * points[i, 1])
        for j in range(len(centers)):
            score[j] = following[j]
    best = score[0]
    for j in range(len(centers)):
        best = max(best, score[j])
    return best


@numba.njit
def log_of_sum(points, centers):
    largest = centers[0, 0]
    for i in range(1, len(centers)):
        largest = max(largest, centers[i, 0])
    total = 0.0
    for i in range(len(centers)):
        total += np.exp(centers[i, 0] - largest) * points[0, 0]
    return np.log(total) + largest * points[1, 1]


FUNCTIONS = [
    closest,
    closest_by_branch,
    begun_again,
    by_calls,
    both_ends,
    read_again,
    chosen_in_a_branch,
    chosen_twice,
    left_early,
    path,
    log_of_sum,
]


@pytest.mark.parametrize("function", FUNCTIONS)
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


@pytest.mark.parametrize("function", FUNCTIONS)
def test_second_derivatives_agree_with_differences(function):
    centers = np.random.default_rng(5).random((4, 2)) + 0.05
    direction = np.random.default_rng(6).normal(size=(4, 2))
    gradient = fg.grad(function, argnums=1)
    value, product = fg.jvp(gradient, argnums=1)(POINTS, centers, direction)
    np.testing.assert_allclose(value, gradient(POINTS, centers), rtol=1e-12)
    moved = [gradient(POINTS, centers + step * direction) for step in (-1e-6, 1e-6)]
    np.testing.assert_allclose(product, (moved[1] - moved[0]) / 2e-6, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["closest", "both_ends", "path"])
def test_checkpoints_change_nothing(monkeypatch, name):
    centers = np.random.default_rng(7).random((3, 2))
    points = np.random.default_rng(8).random((200, 2))
    expected = fg.grad(globals()[name], argnums=(0, 1))(points, centers)
    monkeypatch.setenv("FASTGRAD_CHECKPOINT_BYTES", "64")
    again = numba.njit(globals()[name].py_func)
    for one, other in zip(fg.grad(again, argnums=(0, 1))(points, centers), expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_loop_without_iterations_is_not_left():
    value, gradient = fg.value_and_grad(closest, argnums=0)(POINTS, np.zeros((0, 2)))
    assert np.isinf(value)
    assert not gradient.any()


def lines_of_reverse_mode(function):
    matrix = np.zeros((1, 1))
    return [line.strip() for line in text_of_reverse_mode(function, (matrix, matrix), (1,)).splitlines()]


def test_a_loop_with_an_inner_loop_is_left_by_a_jump():
    lines = lines_of_reverse_mode(closest)
    place = lines.index("if ((v_k_3 > 0) & (d_v_least_1 == 0.0)):")
    assert lines[place + 1] == "v_k_3 = 0"
    assert lines[place + 2].startswith("_block = ")
    assert lines[place + 3] == "continue"


def test_the_reverse_sweep_of_a_minimum_begins_at_the_last_choice():
    lines = lines_of_reverse_mode(closest)
    assert "v_k_3 = (v_least_2_place_last + 1)" in lines
    assert "push_value(values, values_top, v_least_2_place_last)" in lines
    assert not any(line.startswith("push_value(values, values_top, v_t") for line in lines)
