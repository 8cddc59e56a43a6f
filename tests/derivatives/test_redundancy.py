"""What the reverse sweep need not record, compute or run: gradients stay right, and the derivative's text shows it."""

import inspect
import sys

import numba
import numpy as np
import pytest

import fastgrad as fg
from fastgrad._src.derivatives.codegen.functions_of_code import with_text
from fastgrad._src.derivatives.transform.reverse_mode import ReverseMode
from tests.derivatives import central
from tests.derivatives.interpreted import value_and_gradients
from tests.derivatives.table import active, copy_of

A = np.array([0.9, 1.7, -0.4, 1.2])
B = np.array([[0.3, 1.1, -0.6, 2.0], [1.4, 0.2, 0.8, -1.3], [0.5, -0.9, 1.6, 0.1]])


@numba.njit
def distance_to_the_nearest(a, b):
    closest = np.inf
    for j in range(len(b)):
        distance = 0.0
        for i in range(len(a)):
            distance += (a[i] - b[j, i]) ** 2
        closest = min(closest, distance)
    return closest


@numba.njit
def two_sums_of_which_one_counts(a, b):
    total = 0.0
    for j in range(len(b)):
        first, second = 0.0, 0.0
        for i in range(len(a)):
            first += a[i] * a[i] * b[j, i]
            second += np.exp(a[i])
        total += first if j == 1 else 0.0 * b[j, 0]
        total += second if j == 2 else 0.0
    return total


@numba.njit
def nothing_counts_before_the_last(a, b):
    scale = 1.0
    for j in range(len(b)):
        scale = a[j] * b[j, 1]
        for i in range(len(a)):
            scale *= a[i] + 2.0
    return scale


@numba.njit
def last_value_of_an_earlier_loop(a, b):
    total = 0.0
    last = 1.0
    for j in range(len(b)):
        total += last * a[j]
        part = 1.0
        for i in range(len(a)):
            last = a[i] * b[j, i]
            part *= last + 1.5
        if j == 0:
            total += part
    return total


@numba.njit
def counters_by_hand(a, b):
    total, k, even = 0.0, 0, -2
    for j in range(len(b)):
        for i in range(j, len(a)):
            even += 2
            total += a[k % 4] * b[j, i] * a[i] + even * a[j] * a[j]
            k += 1
    return total * a[k % 4]


@numba.njit
def triangle(a, b):
    flat = b.copy().reshape(12)
    out = np.zeros(4)
    below = 0
    for column in range(4):
        for row in range(column + 1, 4):
            out[row] += flat[below] * a[column] * a[row]
            below += 1
    return out[1] * out[2] + out[3] * out[3]


@numba.njit
def element_beside_an_empty_loop(a, b):
    total = a[0]
    for j in range(len(a) + 1):
        for i in range(j, len(a)):  # no iteration reads a[4]
            total += a[j] * b[1, i] * a[i]
    return total


@numba.njit
def array_written_later(a, b):
    scales = np.empty(a.size)
    for i in range(4):
        scales[i] = np.exp(a[i])
    total = 0.0
    for i in range(4):
        total += scales[i] * scales[i] * b[0, i]
    for i in range(4):
        scales[i] = total * a[i]
    for i in range(4):
        total += scales[i] * scales[i]
    return total


@numba.njit
def stored_and_loaded(a, b):
    part = np.empty(2)
    total = 0.0
    for i in range(4):
        part[0] = a[i] * b[0, i]
        part[1] = part[0] * part[0]
        part[0] = part[1] + part[0]
        total += part[0] * part[1]
    return total


@numba.njit
def while_loop(a, b):
    total, i = 0.0, 0
    while i < len(a):
        j = 1
        while True:
            if j >= len(b):
                break
            total += a[i] * b[j, i] * a[i]
            j += 1
        i += 1
    return total


@numba.njit
def loop_that_is_left(a, b):
    total = 0.0
    for j in range(len(b)):
        for i in range(len(a)):
            total += a[j] * a[i] * b[j, i]
            if total > 1.0:
                break
    return total * total


PROGRAMS = [
    distance_to_the_nearest,
    two_sums_of_which_one_counts,
    nothing_counts_before_the_last,
    last_value_of_an_earlier_loop,
    counters_by_hand,
    triangle,
    element_beside_an_empty_loop,
    array_written_later,
    stored_and_loaded,
    while_loop,
    loop_that_is_left,
]


RECORDS = {
    distance_to_the_nearest: 0,
    counters_by_hand: 3,
    triangle: 1,
    while_loop: 1,
    array_written_later: 2,
}
"""How many numbers the text of a gradient records."""


@pytest.mark.parametrize("program", RECORDS, ids=lambda program: program.__name__)
def test_the_text_records_what_cannot_be_computed_again(program, monkeypatch):
    monkeypatch.setattr(ReverseMode, "has_checkpoints", False)  # snapshots are records, too
    text = inspect.getsource(with_text(fg.grad(program).derive((numba.typeof(A), numba.typeof(B)))))
    assert text.count("push_value(") == RECORDS[program]


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_the_gradient_is_right(program):
    arguments = (A, B)
    places = active(arguments)
    expected, errors = central.reference(program, arguments, places)
    _, interpreted = value_and_gradients(program, tuple(map(copy_of, arguments)), 1.0)
    compiled = fg.grad(program, argnums=(0, 1))(*map(copy_of, arguments))
    for found in (interpreted, compiled):
        for gradient, right, error in zip(found, expected, errors, strict=True):
            assert np.all(np.abs(gradient - right) <= error + 1e-9 * (1 + np.max(np.abs(right))))


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_the_second_derivative_is_right(program):
    direction = np.array([0.7, -0.2, 1.0, 0.4])
    step = 1e-6
    gradient = fg.grad(program)
    ahead, behind = gradient(A + step * direction, B), gradient(A - step * direction, B)
    product = fg.hvp(program)(A, B, direction)
    np.testing.assert_allclose(product, (ahead - behind) / (2 * step), rtol=1e-5, atol=1e-6)


@numba.njit
def largest_root(a):
    largest = -1.0
    for j in range(len(a)):
        root = 0.0
        for _ in range(1):
            root += np.sqrt(a[j])
        largest = max(largest, root)
    return largest


def test_a_loop_without_cotangents_adds_nothing():
    """The slope of the square root is infinite at 0, and 0 times infinity is no number: the loop does not run."""
    np.testing.assert_array_equal(fg.grad(largest_root)(np.array([0.0, 0.25, 0.04])), [0.0, 1.0, 0.0])


@numba.njit
def long_chain(x, n):
    for _ in range(n):
        x = 0.5 * x * x + 0.3
    return x


@pytest.mark.skipif(sys.platform != "linux", reason="counts the page faults of Linux")
def test_the_next_call_takes_the_same_pages():
    import resource  # Windows lacks it

    gradient = fg.grad(long_chain)
    length = 10_000_000  # 80 MB of records
    first = gradient(0.5, length)
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    assert gradient(0.5, length) == first
    assert resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults < 1000
