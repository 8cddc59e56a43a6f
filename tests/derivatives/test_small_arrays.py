"""Small arrays of constant sizes are numbers in derivatives: gradients stay right in all modes, and so do refusals and errors."""

import math

import numba
import numpy as np
import pytest

import fastgrad as fg
from fastgrad._src.core.errors import DifferentiationError
from fastgrad._src.derivatives import derivation
from tests.derivatives import central
from tests.derivatives.interpreted import tangent_and_gradients, text_of_reverse_mode, value_and_gradients

X = np.array([0.3, -0.7, 1.1])


@numba.njit
def rotations(x):
    world = np.eye(3)
    for i in range(x.size):
        c, s = math.cos(x[i]), math.sin(x[i])
        world = world @ np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
    return (world @ np.array([1.0, 2.0, 3.0])).sum()


@numba.njit
def carried_matrix(x):
    m = np.zeros((2, 2))
    total = 0.0
    for i in range(x.size):
        v = m @ np.array([x[i], 1.0])
        m = m @ m.T * 0.1 + np.outer(v, v) + np.eye(2) * x[i]
        total += v.sum() + m[0, 1]
    return total


@numba.njit
def one_of_two(x):
    a, b = np.array([x[0], x[1]]), np.array([x[2], 2.0])
    chosen = a if x[0] > x[1] else b
    return (chosen * a).sum() + chosen[0]


@numba.njit
def view_of_one(x):
    m = np.array([[x[0], x[1]], [x[2], x[0] * x[1]]])
    row = m[0]
    other = m if x[1] > 0.0 else m.T
    for i in range(3):
        row = np.array([row[1] * x[i], row[0] + other[1, 0]])[::-1]
    return row[0] - row[-1] * other[0, 1]


@numba.njit
def written_in_branches(x):
    a = np.zeros(3)
    for i in range(3):
        if x[i] > 0.0:
            a[i] = x[i] ** 2
        elif i > 0:
            a[i] += a[i - 1] - x[i]
        a[-1] *= 1.5
    return a.sum()


@numba.njit
def exchanged(x):
    a, b = np.array([x[0], 1.0]), np.array([2.0, x[1]])
    for _ in range(5):
        a[0] += b[1] * x[2]
        a, b = b, a
    return a[0] * b[0] + a[1]


@numba.njit
def left_early(x):
    a = np.array([x[0], x[1], x[2]])
    total = 0.0
    for i in range(3):
        if a[i] > 1.0:
            break
        total += a[i] * a[2 - i]
    return total


@numba.njit
def no_iterations(x):
    a = np.ones(2) * x[0]
    for _ in range(0):
        a = a * x[1]
    return a.sum() * x[2]


@numba.njit
def counted_after_the_loop(x):
    a = np.zeros(4)
    i = 0
    while i < 4:
        a[i] = x[i % 3] * i
        i += 1
    return a.sum() * i


@numba.njit
def indexed_by_numbers(x):
    order = np.array([2, 0, 1])
    a = np.zeros(3)
    for i in range(3):
        a[order[i]] = x[i] * i
    for i in range(x.size):
        a[i] = math.sin(a[i]) + x[i]
    return (a * np.arange(3)).sum()


@numba.njit
def solved(x):
    m = np.array([[2.0 + x[0], x[1]], [0.5, 3.0]])
    return np.linalg.solve(m, np.array([x[2], 1.0])).sum() + np.linalg.det(m) * np.linalg.inv(m)[0, 1]


@numba.njit
def reshaped(x):
    m = np.array([x[0], x[1], x[2], 1.0])
    return (m.reshape(2, 2) @ m[:2]).sum() + m.reshape((4, 1))[2, 0]


@numba.njit
def of_complex_numbers(x):
    z = np.array([x[0] + 1j * x[1], x[2] * 1j])
    for _ in range(2):
        z = z * z[::-1]
    return abs(z[0]) + z[1].real


@numba.njit
def of_float32(x):
    a = np.zeros(2, np.float32)
    a[0], a[1] = x[0], x[1]
    return (a * x[2]).sum()


@numba.njit
def nested_loops(x):
    a = np.zeros((2, 2, 2))
    for i in range(2):
        for j in range(2):
            for k in range(2):
                if (i + j + k) % 2 == 0:
                    a[i, j, k] = x[i] * x[j + k]
                else:
                    a[i, j, k] -= a[0, j, k] * x[2]
    return (a * a).sum()


@numba.njit
def large_products(x):
    a, m = np.zeros(3), np.ones((5, 5)) * x[0]
    for i in range(3):
        large = m @ (m * x[i])
        a[i] = large[i, 0] + np.linalg.inv(np.eye(5) + large * 0.001)[0, i]
    return (a * a).sum()


@numba.njit
def tangent_split_alone(x):
    """An index that is no constant keeps ``z`` in memory. Its tangent is split, and unrolls the last loop."""
    z = np.ones(3)
    total, product = z[int(x[0])], 1.0
    if x[2] != 0.0:
        z = np.array([x[0], x[1], x[2] * x[1]])
    for each in x:
        total += each * each
    for each in z:
        product *= each
    return total + product


FUNCTIONS = [
    rotations,
    carried_matrix,
    one_of_two,
    view_of_one,
    written_in_branches,
    exchanged,
    left_early,
    no_iterations,
    counted_after_the_loop,
    indexed_by_numbers,
    solved,
    reshaped,
    of_complex_numbers,
    of_float32,
    nested_loops,
    large_products,
    tangent_split_alone,
]


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
@pytest.mark.parametrize("x", [X, -X, X[::-1].copy()], ids=["x", "-x", "reversed"])
def test_gradients(function, x):
    value, gradient = fg.value_and_grad(function)(x)
    tolerance = 1e-6 if function is of_float32 else 1e-9
    np.testing.assert_allclose(value, function(x), rtol=1e-13)
    (by_differences,), _ = central.reference(function, (x,), (0,))
    np.testing.assert_allclose(gradient, by_differences.astype(float), rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(fg.jvp(function, (x,), (X,))[1], gradient @ X, rtol=1e-6)
    interpreted, (by_text,) = value_and_gradients(function, (x,), 1.0)
    assert interpreted == pytest.approx(value, rel=1e-6)
    np.testing.assert_allclose(by_text, gradient, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize(
    "function", [rotations, carried_matrix, view_of_one, nested_loops, tangent_split_alone], ids=lambda f: f.__name__
)
def test_second_derivatives(function):
    gradient = fg.grad(function)
    differences = [(gradient(X + step) - gradient(X - step)) / 2e-6 for step in np.eye(3) * 1e-6]
    np.testing.assert_allclose(fg.hessian(function)(X), differences, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(fg.hvp(function)(X, X), differences @ X, rtol=1e-5, atol=1e-6)
    _, (by_text, _) = tangent_and_gradients(function, (X,), (X,), (0.0, 1.0))
    np.testing.assert_allclose(by_text, differences @ X, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("function", [rotations, carried_matrix, no_iterations, nested_loops], ids=lambda f: f.__name__)
def test_the_code_has_no_small_array(function):
    text = text_of_reverse_mode(function, (X,), (0,))
    assert "np.zeros" not in text.replace("d_a_x = np.zeros", "")
    assert "add_product" not in text


@numba.njit
def written_copy(x):
    a = np.array([[x[0], x[1]], [x[2], 1.0]])
    b = np.ascontiguousarray(a[:, ::1])
    b[0, 0] = 2.0
    return (a * b).sum()


@numba.njit
def written_by_another_name(x):
    a, b = np.array([x[0], 1.0]), np.array([x[1], 2.0])
    c = a if x[2] > 0 else b
    c[0] = 3.0
    return a[0] * b[0]


@pytest.mark.parametrize("function", [written_copy, written_by_another_name], ids=lambda f: f.__name__)
def test_what_depends_on_shared_memory_is_refused(function):
    with pytest.raises(DifferentiationError, match="another name|another variable"):
        fg.grad(function)(X)


def test_a_large_loop_is_not_unrolled():
    @numba.njit
    def f(x):
        a = np.zeros(16)
        for i in range(16):
            for j in range(16):
                for k in range(16):
                    a[(i + j + k) % 16] += x[0] * a[i] + j
        return a.sum()

    lowered, _ = derivation.lowered_function(f, (numba.typeof(X),), is_reverse=True)
    assert len(lowered.counters) == 4
    assert sum(len(block.statements) for block in lowered.blocks) < 100


def test_an_index_beyond_the_end_keeps_the_array():
    @numba.njit(boundscheck=True)
    def f(x):
        a = np.array([x[0], x[1]])
        return a[2] * x[2]

    with pytest.raises(IndexError):
        fg.grad(f)(X)
