"""Solving with the factors of tf.linalg.lu, against NumPy."""

import numpy as np
import pytest

import fastgrad as tf

MATRICES = np.random.default_rng(0).normal(size=(2, 3, 3)) + 2 * np.eye(3)
RIGHT = np.random.default_rng(1).normal(size=(2, 3, 2))


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex128"])
def test_the_factors_solve_invert_and_give_the_matrix_again(dtype):
    matrices, right = MATRICES.astype(dtype), RIGHT.astype(dtype)
    factors = tf.linalg.lu(matrices)
    exact = 1e-4 if dtype == "float32" else 1e-12
    np.testing.assert_allclose(tf.linalg.lu_reconstruct(*factors), matrices, atol=exact)
    np.testing.assert_allclose(tf.linalg.lu_matrix_inverse(*factors), np.linalg.inv(matrices), atol=exact)
    np.testing.assert_allclose(tf.linalg.lu_solve(*factors, right), np.linalg.solve(matrices, right), atol=exact)


def test_leading_dimensions_broadcast():
    one = tf.linalg.lu(MATRICES[0])
    np.testing.assert_allclose(tf.linalg.lu_solve(*one, RIGHT), np.linalg.solve(MATRICES[0], RIGHT))
    both = tf.linalg.lu(MATRICES)
    np.testing.assert_allclose(tf.linalg.lu_solve(*both, RIGHT[0]), np.linalg.solve(MATRICES, RIGHT[0]))


def test_what_does_not_fit_is_refused():
    factors, order = tf.linalg.lu(MATRICES[0])
    with pytest.raises(ValueError, match="must be square"):
        tf.linalg.lu_solve(factors[:2], order, RIGHT)
    with pytest.raises(ValueError, match="at least 2 dimensions"):
        tf.linalg.lu_solve(factors, order, RIGHT[0, :, 0])
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"\[2, 2, 2\].*\[3, 3\]"):
        tf.linalg.lu_solve(factors, order, RIGHT[:, :2])
    with pytest.raises(tf.errors.InvalidArgumentError, match="perm"):
        tf.linalg.lu_reconstruct(factors, order[:2])
