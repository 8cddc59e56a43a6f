"""Matrices of few diagonals beside the same ones written out."""

import numpy as np
import pytest

import fastgrad as tf
from fastgrad import linalg

RNG = np.random.default_rng(10)


def normal(*shape, dtype="float64"):
    values = RNG.normal(size=shape)
    return (values + 1j * RNG.normal(size=shape) if dtype.startswith("complex") else values).astype(dtype)


def dense(compact):
    return np.diag(compact[1]) + np.diag(compact[0, :-1], 1) + np.diag(compact[2, 1:], -1)


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
@pytest.mark.parametrize("size", [1, 2, 3, 9])
def test_a_tridiagonal_system_is_solved_as_a_dense_one(size, dtype):
    compact, rhs = normal(3, size, dtype=dtype), normal(size, 2, dtype=dtype)
    compact[1] += 4
    tolerance = 1e-4 if dtype in ("float32", "complex64") else 1e-11
    x = linalg.tridiagonal_solve(compact, rhs)
    assert x.dtype == dtype
    np.testing.assert_allclose(x, np.linalg.solve(dense(compact), rhs), rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(linalg.tridiagonal_matmul(compact, x), rhs, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("adjoint", [False, True])
@pytest.mark.parametrize("lower", [False, True])
@pytest.mark.parametrize("count", [2, 4])
def test_a_banded_system_is_solved_as_a_dense_one(count, lower, adjoint):
    bands, rhs = normal(2, count, 5, dtype="complex128"), normal(2, 5, 3, dtype="complex128")
    bands[:, 0 if lower else -1] += 4
    k = (1 - count, 0) if lower else (0, count - 1)
    matrix = tf.linalg.set_diag(np.zeros((2, 5, 5), "complex128"), bands, k=k, align="LEFT_RIGHT")
    wanted = linalg.triangular_solve(matrix, rhs, lower=lower, adjoint=adjoint)
    np.testing.assert_allclose(
        linalg.banded_triangular_solve(bands, rhs, lower, adjoint), wanted, rtol=1e-11, atol=1e-11
    )


def test_a_singular_system_has_no_solution_unless_it_is_perturbed():
    compact = np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    assert np.isnan(linalg.tridiagonal_solve(compact, [1.0, 2.0])).all()
    assert np.isfinite(linalg.tridiagonal_solve(compact, [1.0, 2.0], perturb_singular=True)).all()


def test_one_of_several_systems_may_be_singular():
    compact = np.ones((2, 3, 2))
    compact[1, 1] += 3.0
    x = linalg.tridiagonal_solve(compact, np.ones((2, 2)))
    np.testing.assert_allclose(x, [[np.nan, np.nan], [0.2, 0.2]])


def test_a_compiled_step_and_rows_at_once_have_the_values_of_eager_ones():
    compact, rhs = normal(4, 3, 5), normal(4, 5)
    compact[:, 1] += 5.0

    def solutions(compact, rhs):
        return linalg.tridiagonal_solve(compact, rhs)

    wanted = solutions(tf.constant(compact), tf.constant(rhs))
    np.testing.assert_allclose(tf.function(solutions)(compact, rhs), wanted)
    np.testing.assert_allclose(tf.vectorized_map(lambda row: solutions(*row), (compact, rhs)), wanted)
