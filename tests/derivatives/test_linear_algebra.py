# ruff: noqa: PLW0108  # a function without code of its own can't be lowered
"""Functions of `np.linalg`: reverse mode, forward mode and second derivatives, each against central differences."""

import numba
import numpy as np
import pytest

import fastgrad as fg
from fastgrad.errors import DifferentiationError
from tests.derivatives import central
from tests.derivatives.interpreted import forward, tangent_and_gradients, value_and_gradients
from tests.derivatives.table import A, B, V

TALL, WIDE = np.vstack((A, B)), np.hstack((A, B))
SPD = A @ A.T + np.eye(3)
OF_RANK_2 = np.array([[1.0, 2.0, 3.0], [2.0, 4.0, 6.0], [1.0, 0.0, 1.0]])
FUNCTIONS = {
    "solve": (lambda a, v: np.linalg.solve(a, v), A, V),
    "solve for a matrix": (lambda a, b: np.linalg.solve(a, b), A, B),
    "inv": (lambda a: np.linalg.inv(a), A),
    "det": (lambda a: np.linalg.det(a), A),
    "slogdet": (lambda a: np.linalg.slogdet(a)[1] * np.linalg.slogdet(a)[0], -A),
    "cholesky": (lambda a: np.linalg.cholesky(a), SPD),
    "eigenvalues": (lambda a: np.linalg.eigvalsh(a), A),
    "eigenvectors": (lambda a: np.linalg.eigh(a)[1] * np.linalg.eigh(a)[0], A),
    "singular values": (lambda a: np.linalg.svd(a)[1], A),
    "left singular vectors": (lambda a: np.linalg.svd(a)[0], A),
    "right singular vectors": (lambda a: np.linalg.svd(a)[2], A),
    "svd, tall": (lambda a: np.linalg.svd(a, full_matrices=False)[0], TALL),
    "svd, wide": (lambda a: np.linalg.svd(a, False)[2], WIDE),
    "svd, the first vectors of all": (lambda a: np.linalg.svd(a)[0][:, :3], TALL),
    "q": (lambda a: np.linalg.qr(a)[0], A),
    "r": (lambda a: np.linalg.qr(a)[1], A),
    "q, tall": (lambda a: np.linalg.qr(a)[0], TALL),
    "r, wide": (lambda a: np.linalg.qr(a)[1], WIDE),
    "pinv, tall": (lambda a: np.linalg.pinv(a), TALL),
    "pinv, wide": (lambda a: np.linalg.pinv(a), WIDE),
    "lstsq": (lambda a, v: np.linalg.lstsq(a, v)[0], TALL, np.arange(6.0)),
    "lstsq for a matrix": (lambda a, b: np.linalg.lstsq(a, b)[0], WIDE, B),
    "norm of order 2": (lambda a: np.linalg.norm(a, 2), A),
    "matrix_power": (lambda a: np.linalg.matrix_power(a, -2), A),
    "a product": (lambda a, b: a @ b, TALL, A),
    "a product of views": (lambda a, b: a[2:5] @ b.T, TALL, A),
}


def weights_of(value):
    weights = np.random.default_rng(1).normal(size=np.shape(value))
    return weights.astype(np.asarray(value).dtype) if np.ndim(value) else float(weights)


def differences(total, arguments):
    """The central differences of a number with respect to each argument."""
    gradients = []
    for place, argument in enumerate(arguments):
        gradient = np.zeros_like(argument)
        for index in np.ndindex(argument.shape):

            def moved(step, place=place, index=index):
                moved_to = [np.array(each) for each in arguments]
                moved_to[place][index] += step
                return total(*moved_to)

            gradient[index] = central.extrapolated(moved, 2.0**-9, np.finfo(float).eps)[0]
        gradients.append(gradient)
    return gradients


def assert_all_close(found, expected, tolerance=1e-9):
    for part, right in zip(found, expected, strict=True):
        np.testing.assert_allclose(part, right, rtol=0, atol=tolerance * (1.0 + np.max(np.abs(right))))


def directions(arguments):
    rng = np.random.default_rng(2)
    return [rng.normal(size=argument.shape).astype(argument.dtype) for argument in arguments]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_both_modes_are_those_of_central_differences(name):
    function, *arguments = FUNCTIONS[name]
    value = function(*arguments)
    weights = weights_of(value)
    result, gradients = value_and_gradients(function, tuple(arguments), weights)
    np.testing.assert_allclose(result, value, rtol=1e-12, atol=1e-13)
    assert_all_close(gradients, differences(lambda *moved: np.sum(function(*moved) * weights), arguments))
    tangents = directions(arguments)
    _, tangent = forward(function, tuple(arguments))(*arguments, *tangents)
    along = sum(np.sum(gradient * t) for gradient, t in zip(gradients, tangents, strict=True))
    assert np.sum(tangent * weights) == pytest.approx(along, rel=1e-11, abs=1e-11)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_second_derivatives_are_those_of_central_differences(name):
    function, *arguments = FUNCTIONS[name]
    tangents = directions(arguments)
    weights = weights_of(function(*arguments))
    text = forward(function, tuple(arguments))
    _, gradients = tangent_and_gradients(function, tuple(arguments), tuple(tangents), (0.0 * weights, weights))
    expected = differences(lambda *moved: np.sum(text(*moved, *tangents)[1] * weights), arguments)
    assert_all_close(gradients[: len(arguments)], expected, 1e-8)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_float32_stays_float32(name):
    function, *arguments = FUNCTIONS[name]
    weights = weights_of(function(*arguments))
    _, expected = value_and_gradients(function, tuple(arguments), weights)
    single = tuple(argument.astype(np.float32) for argument in arguments)
    _, gradients = value_and_gradients(function, single, np.float32(weights))
    assert [gradient.dtype for gradient in gradients] == [np.float32] * len(single)
    assert_all_close(gradients, expected, 2e-4)
    tangents = [t.astype(np.float32) for t in directions(arguments)]
    _, tangent = forward(function, single)(*single, *tangents)
    _, double = forward(function, tuple(arguments))(*arguments, *directions(arguments))
    assert_all_close([tangent], [double], 2e-4)


def test_the_gradient_of_the_determinant_of_a_singular_matrix_is_that_of_its_cofactors():
    _, (gradient,) = value_and_gradients(lambda a: np.linalg.det(a), (OF_RANK_2,), 1.0)
    assert np.linalg.det(OF_RANK_2) == 0.0
    np.testing.assert_allclose(gradient, [[4.0, 4.0, -4.0], [-2.0, -2.0, 2.0], [0.0, 0.0, 0.0]], atol=1e-12)
    _, (gradient,) = value_and_gradients(lambda a: np.linalg.det(a), (np.zeros((3, 3)),), 1.0)
    np.testing.assert_array_equal(gradient, np.zeros((3, 3)))


def test_errors_of_shapes_and_of_singular_matrices_are_those_of_the_function():
    wrong = [
        (lambda a, v: np.linalg.solve(a, v), (np.zeros((3, 3)), V), "[Ss]ingular"),
        (lambda a, v: np.linalg.solve(a, v), (A, np.ones(4)), "mismatch|Incompatible"),
        (lambda a: np.linalg.inv(a), (WIDE,), "square"),
        (lambda a: np.linalg.cholesky(a), (-A,), "positive definite"),
    ]
    for function, arguments, message in wrong:
        with pytest.raises(ValueError, match=message):  # which LinAlgError is
            value_and_gradients(function, arguments, np.ones(1))


def test_vectors_of_equal_values_have_no_derivative():
    def first(a):
        return np.linalg.eigh(a)[1][0, 0]

    def all_values(a):
        return np.sum(np.linalg.eigh(a)[0] ** 2)

    with pytest.raises(np.linalg.LinAlgError, match="equal eigenvalues"):
        value_and_gradients(first, (np.eye(3),), 1.0)
    _, (gradient,) = value_and_gradients(all_values, (np.eye(3),), 1.0)
    np.testing.assert_allclose(gradient, 2.0 * np.eye(3))
    with pytest.raises(np.linalg.LinAlgError, match="full_matrices=False"):
        value_and_gradients(lambda a: np.linalg.svd(a)[0][0, 5], (TALL,), 1.0)
    with pytest.raises(np.linalg.LinAlgError, match="full rank"):
        value_and_gradients(lambda a: np.linalg.pinv(a)[0, 0], (OF_RANK_2,), 1.0)


@numba.njit
def solve_and_change(a, v):
    total = 0.0
    for _ in range(2):
        total += np.sum(np.linalg.solve(a, v) * v)
        a[:, 1] *= 0.5
    return total


@pytest.mark.parametrize("order", ["C", "F"])
def test_an_argument_of_any_order_that_changes_later(order):
    """What the reverse sweep reads is kept as it was, in the order in which it is read."""
    a = np.array(A, order=order)
    gradient = fg.grad(solve_and_change)(a.copy(order=order), V)
    expected = differences(lambda x: solve_and_change(np.array(x, order=order), V), [a])[0]
    assert_all_close([gradient], [expected])


@numba.njit
def solution_of_roots(x):
    return np.linalg.solve(np.array([[2.0, 0.5], [0.5, 1.0]]), np.sqrt(x)).sum()


def test_second_derivatives_of_a_solution_with_infinite_tangents_are_not_finite():
    x = np.array([0.0, 1.0])
    assert fg.grad(solution_of_roots)(x)[0] == np.inf
    second = fg.hessian(solution_of_roots)(x)
    assert not np.isfinite(second[0, 0])
    assert second[1, 1] == pytest.approx(-3 / 14)


@numba.njit
def written_result_of_constants(x):
    m = np.linalg.inv(np.eye(3) * 2.0)
    m[2, 0] = np.sin(x[0]) * x[1]
    return m


def test_a_result_of_constants_that_is_written_has_tangents():
    x, direction = np.array([0.3, 2.0]), np.array([1.0, -1.0])
    value, tangent = fg.jvp(written_result_of_constants, (x,), (direction,))
    np.testing.assert_allclose(value, written_result_of_constants(x))
    wanted = np.zeros((3, 3))
    wanted[2, 0] = np.cos(x[0]) * x[1] - np.sin(x[0])
    np.testing.assert_allclose(tangent, wanted, rtol=1e-14)
    (jacobian,) = fg.jacobian(written_result_of_constants, argnums=(0,))(x)
    np.testing.assert_allclose(jacobian @ direction, wanted, rtol=1e-14)


def test_eigenvalues_of_a_matrix_without_symmetry():
    """From NumPy 2.5 on they are complex numbers; complex ones have no derivative, or Numba refuses them."""

    @numba.njit
    def function(a):
        values, vectors = np.linalg.eig(a)
        return np.sum(np.real(values) ** 2) + np.sum(np.abs(np.real(vectors)) ** 3) + np.real(np.linalg.eigvals(a))[0]

    a = np.array([[2.0, 1.0, 0.3], [0.5, 3.0, 0.2], [0.1, 0.7, 5.0]])
    gradient = fg.grad(function)(a)
    for place in np.ndindex(a.shape):
        step = np.zeros_like(a)
        step[place] = 1e-6
        difference = (function(a + step) - function(a - step)) / 2e-6
        np.testing.assert_allclose(gradient[place], difference, rtol=1e-6, atol=1e-7)
        np.testing.assert_allclose(fg.jvp(function, (a,), (1e6 * step,))[1], difference, rtol=1e-6, atol=1e-7)
    with pytest.raises((ValueError, np.linalg.LinAlgError)):
        fg.grad(function)(np.array([[0.0, 1.0], [-1.0, 0.0]]))
    with pytest.raises(DifferentiationError, match="of complex numbers"):
        fg.grad(lambda x: np.real(np.linalg.eigvals(np.array([[x, 1.0], [0.5, x * 2.0]]) * (1.0 + 0.1j)))[0])(0.5)
