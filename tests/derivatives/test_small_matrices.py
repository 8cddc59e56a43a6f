"""Linear algebra of small matrices by loops: the library's results and errors."""

import numba
import numpy as np
import pytest

import fastgrad as fg
from fastgrad._src.derivatives.ir.scalar_operations import RULES_OF_SIZES
from fastgrad._src.derivatives.numpy import small_matrices
from fastgrad._src.derivatives.numpy.loop_sources import checked_first_size

SIZES = range(11)
DTYPES = [np.float32, np.float64, np.complex64, np.complex128]


def random_matrix(rows, columns, dtype, seed=0):
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(rows, columns)) + (
        1j * rng.normal(size=(rows, columns)) if dtype().imag.dtype != dtype else 0
    )
    return matrix.astype(dtype)


def assert_close(found, expected):
    assert found.dtype == expected.dtype
    tolerance = 1e4 * np.finfo(found.dtype).eps
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype", DTYPES)
def test_results_are_those_of_numpy_on_both_sides_of_the_limit(dtype):
    assert SIZES[-1] > small_matrices.SMALL
    for n in SIZES:
        a, b = random_matrix(n, n, dtype), random_matrix(n, 3, dtype, 1)
        positive = a @ a.conj().T + np.eye(n, dtype=dtype)
        assert_close(small_matrices.solve(a, b), np.linalg.solve(a, b))
        assert_close(small_matrices.solve(a, b[:, 0].copy()), np.linalg.solve(a, b[:, 0]))
        assert_close(small_matrices.inv(a), np.linalg.inv(a))
        assert_close(np.asarray(small_matrices.det(a), dtype), np.asarray(np.linalg.det(a), dtype))
        assert_close(small_matrices.cholesky(positive), np.linalg.cholesky(positive))
        assert_close(small_matrices.times(a, b), a @ b)


@pytest.mark.parametrize("layout", ["F", "A"])
def test_layouts(layout):
    a, b = random_matrix(4, 4, np.float64), random_matrix(4, 4, np.float64, 1)
    strided = np.zeros((8, 8))
    strided[::2, ::2] = a
    given = a.copy(order="F") if layout == "F" else strided[::2, ::2]
    assert_close(small_matrices.solve(given, b), np.linalg.solve(a, b))
    assert_close(small_matrices.inv(given), np.linalg.inv(a))


def test_pivots_are_the_largest_elements():
    a = np.array([[1e-20, 1.0], [1.0, 1.0]])
    np.testing.assert_allclose(small_matrices.solve(a, np.array([1.0, 2.0])), [1.0, 1.0], rtol=1e-14)
    assert small_matrices.det(np.array([[0.0, 2.0], [3.0, 0.0]])) == -6.0


SINGULAR = [np.zeros((3, 3)), np.ones((2, 2)), np.array([[1.0, 2.0, 3.0], [2.0, 4.0, 6.0], [1.0, 0.0, 1.0]])]


@pytest.mark.parametrize("a", SINGULAR)
def test_singular_matrices_raise(a):
    for call in (lambda: small_matrices.solve(a, a[0].copy()), lambda: small_matrices.inv(a)):
        with pytest.raises(np.linalg.LinAlgError, match="singular"):
            call()
    assert small_matrices.det(a) == 0.0
    with pytest.raises(np.linalg.LinAlgError, match="positive definite"):
        small_matrices.cholesky(a - 1.0)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("place", [(0, 0), (1, 0), (0, 1)])
def test_infinite_numbers_are_an_error_as_in_numba(bad, place):
    a, right = np.array([[2.0, 1.0], [1.0, 3.0]]), np.ones(2)
    a[place] = bad
    for call in (
        lambda: small_matrices.solve(a, right),
        lambda: small_matrices.solve(np.eye(2), np.array([1.0, bad])),
        lambda: small_matrices.inv(a),
        lambda: small_matrices.det(a),
    ):
        with pytest.raises(np.linalg.LinAlgError, match="infs or NaNs"):
            call()


@numba.njit
def library_cholesky(a):
    return np.linalg.cholesky(a)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -1.0])
@pytest.mark.parametrize("place", [(0, 0), (1, 0), (1, 1), (0, 1)])
def test_cholesky_of_other_matrices_is_that_of_the_library(bad, place):
    a = np.array([[2.0, 1.0], [1.0, 3.0]])
    a[place] = bad

    def outcome(function):
        try:
            return function(a).tolist()
        except np.linalg.LinAlgError as error:
            return str(error)

    np.testing.assert_equal(outcome(small_matrices.cholesky), outcome(library_cholesky))


def test_shapes_that_do_not_fit_raise():
    a = np.ones((3, 2))
    for call in (
        lambda: small_matrices.solve(np.eye(3), np.ones(2)),
        lambda: small_matrices.inv(a),
        lambda: small_matrices.det(a),
        lambda: small_matrices.cholesky(a),
    ):
        with pytest.raises(np.linalg.LinAlgError):
            call()
    with pytest.raises(ValueError, match=r"[Ii]ncompatible|dot"):
        small_matrices.times(a, a)


def test_a_determinant_whose_partial_product_overflows():
    assert small_matrices.det(np.diag([1e200, 1e200, 1e-200, 1e-200])) == pytest.approx(1.0, rel=1e-9)
    assert small_matrices.det(np.diag(np.float32([1e-25, 1e-25, 1e25, 1e25]))) == pytest.approx(1.0, rel=1e-4)


@numba.njit
def likelihood(a, b):
    positive = a @ a.T + np.eye(a.shape[0])
    factor = np.linalg.cholesky(positive)
    inverse = np.linalg.inv(positive)
    x = np.linalg.solve(a, b)
    return (
        (factor * factor[0, 0]).sum()
        + (inverse @ x).sum()
        + np.linalg.det(a)
        + (np.linalg.solve(a, inverse) ** 2).sum()
    )


def test_gradients_on_both_sides_of_the_limit_are_those_of_differences():
    gradients = fg.grad(likelihood, (0, 1))
    step = 1e-6
    for n in SIZES[1:]:
        arguments = random_matrix(n, n, np.float64) + 4 * np.eye(n), random_matrix(n, 1, np.float64, 1)[:, 0].copy()
        for gradient, argument in zip(gradients(*arguments), arguments, strict=True):
            expected = np.zeros_like(argument)
            for index in np.ndindex(argument.shape):
                value = argument[index]
                argument[index] = value + step
                above = likelihood(*arguments)
                argument[index] = value - step
                expected[index] = (above - likelihood(*arguments)) / (2 * step)
                argument[index] = value
            scale = 1.0 + abs(likelihood(*arguments)) + np.max(np.abs(expected))
            np.testing.assert_allclose(gradient, expected, rtol=1e-5, atol=1e-8 * scale)
    assert gradients(np.eye(2), np.ones(2))[0].shape == (2, 2)


@numba.njit
def determinant(a):
    return np.linalg.det(a)


@pytest.mark.parametrize(
    ("dtype", "scale"), [(np.float32, 1e-22), (np.float32, 1e20), (np.float64, 1e-160), (np.float64, 1e160)]
)
def test_gradients_of_determinants_at_the_end_of_the_range(dtype, scale):
    a = (scale * np.array([[2.0, 1.0], [1.5, 3.0]])).astype(dtype)
    gradient = fg.grad(determinant)(a)
    assert gradient.dtype == dtype
    np.testing.assert_allclose(gradient, [[a[1, 1], -a[1, 0]], [-a[0, 1], a[0, 0]]], rtol=16 * np.finfo(dtype).eps)


@numba.njit
def real_part(a, b):
    x = np.linalg.solve(a, b)
    return ((x * x).sum() + np.linalg.det(a) * x[0]).real


@pytest.mark.parametrize("dtype", [np.float32, np.complex64])
def test_gradients_in_single_precision_are_those_in_double_precision(dtype):
    a, b = random_matrix(3, 3, dtype) + 2 * np.eye(3, dtype=dtype), random_matrix(3, 1, dtype, 1)[:, 0].copy()
    gradients = fg.grad(real_part, (0, 1))
    double = np.result_type(dtype, np.float64)
    for gradient, wanted in zip(gradients(a, b), gradients(a.astype(double), b.astype(double)), strict=True):
        assert gradient.dtype == dtype
        np.testing.assert_allclose(gradient, wanted, atol=1e-5 * np.abs(wanted).max())


@numba.njit
def product_of_reshaped(x):
    a, s = x.reshape(3, 3), np.eye(3)
    for _ in range(4):
        s = s @ a
    return s.sum()


def test_sizes_of_a_reshape_that_is_checked_stay_constants():
    """The matrices that the loop carries stay numbers: their sizes are known though the number of elements is not."""
    assert RULES_OF_SIZES[checked_first_size](3, None, None) == 3
    value, gradient = fg.value_and_grad(product_of_reshaped)(np.arange(9.0))
    assert value == product_of_reshaped(np.arange(9.0))
    assert gradient.shape == (9,)
    with pytest.raises(ValueError, match="total size"):
        fg.value_and_grad(product_of_reshaped)(np.arange(8.0))
