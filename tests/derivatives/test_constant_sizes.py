"""Sizes of arrays that are constants: gradients stay right, errors of shapes stay, and the text of the derivative reads no size."""

import numba
import numpy as np
import pytest

import fastgrad as fg
from tests.derivatives import central
from tests.derivatives.interpreted import text_of_reverse_mode, value_and_gradients

X = np.array([0.3, -0.7, 1.1])


@numba.njit
def product_of_matrices(x):
    m = np.eye(3)
    for i in range(x.size):
        m = m @ np.array([[x[i], 1.0, 0.0], [0.0, x[i] * x[i], 2.0], [1.0, 0.0, 0.5]]) + 0.1
    return (m @ np.array([1.0, 2.0, 3.0])).sum()


@numba.njit
def vectors_that_broadcast(x):
    carried = np.zeros(3)
    for i in range(4):
        carried = np.sin(carried + i * x)
    return (carried * x).sum()


@numba.njit
def one_of_two_sizes(x):
    m = np.eye(3) if x[0] > 0.0 else np.eye(2)
    return (m * x[1]).sum() + (m @ m)[1, 1] * x[2]


@numba.njit
def sizes_that_shrink(x):
    part = np.ones(3) * x[0]
    total = 0.0
    while part.size > 1:
        part = part[1:] * x[1]
        total += part.sum() * part.size
    return total


@numba.njit
def sizes_that_grow(x):
    part = np.zeros(1) + x[0]
    for _ in range(3):
        part = np.append(part, part[-1] * x[1])
    return (part * np.arange(part.size)).sum()


FUNCTIONS = [product_of_matrices, vectors_that_broadcast, one_of_two_sizes, sizes_that_shrink, sizes_that_grow]


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
@pytest.mark.parametrize("x", [X, -X], ids=["x", "-x"])
def test_gradients(function, x):
    value, gradient = fg.value_and_grad(function)(x)
    np.testing.assert_allclose(value, function.py_func(x), rtol=1e-13)
    (by_differences,), _ = central.reference(function, (x,), (0,))
    np.testing.assert_allclose(gradient, by_differences.astype(float), rtol=1e-9, atol=1e-11)
    interpreted, (by_text,) = value_and_gradients(function, (x,), 1.0)
    assert interpreted == pytest.approx(value, rel=1e-13)
    np.testing.assert_allclose(by_text, gradient, rtol=1e-12)
    fg.check_gradients(function, x)


@pytest.mark.parametrize(
    "function", [product_of_matrices, vectors_that_broadcast], ids=lambda function: function.__name__
)
def test_the_text_reads_no_size_of_a_carried_array(function):
    text = text_of_reverse_mode(function, (X,), (0,))
    reads = [line for line in text.splitlines() if ".shape[" in line and "p_v_" not in line]
    assert [line.strip() for line in reads] == ["v_n_1 = a_x.shape[0]"]


@pytest.mark.parametrize("function", [one_of_two_sizes, sizes_that_shrink, sizes_that_grow], ids=lambda f: f.__name__)
def test_a_size_that_varies_is_read(function):
    text = text_of_reverse_mode(function, (X,), (0,))
    assert any(".shape[0]" in line and "a_x" not in line for line in text.splitlines())


@pytest.mark.parametrize("size", [2, 4])
def test_shapes_that_do_not_fit_are_errors(size):
    with pytest.raises(ValueError, match="broadcast"):
        fg.grad(vectors_that_broadcast)(np.ones(size))


def test_one_element_broadcasts_to_a_constant_size():
    x = np.array([0.4])
    (by_differences,), _ = central.reference(vectors_that_broadcast, (x,), (0,))
    np.testing.assert_allclose(fg.grad(vectors_that_broadcast)(x), by_differences.astype(float), rtol=1e-9)
