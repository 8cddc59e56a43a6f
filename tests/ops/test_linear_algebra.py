"""Linear systems, decompositions, matrix functions, norms and diagonals against NumPy and SciPy, and their gradients."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st

import fastgrad as tf
from tests.gradients import check_gradient, gradient_of

linalg = tf.linalg
Invalid = tf.errors.InvalidArgumentError
DTYPES = ["float32", "float64", "complex64", "complex128"]


def normal(*shape, seed=0, dtype=np.float64):
    x = np.random.default_rng(seed).standard_normal((2, *shape))
    return (x[0] + 1j * x[1]).astype(dtype) if np.dtype(dtype).kind == "c" else x[0].astype(dtype)


def adjoint(x):
    return x.conj().swapaxes(-1, -2)


def positive(*shape, seed=0, dtype=np.float64):
    x = normal(*shape, seed=seed, dtype=dtype)
    return x @ adjoint(x) + np.eye(shape[-1], dtype=dtype) * shape[-1]


def regular(*shape, seed=0, dtype=np.float64):
    return normal(*shape, seed=seed, dtype=dtype) + 3 * np.eye(shape[-1], dtype=dtype)


def close(found, expected, dtype=np.float64):
    rtol = 1e-3 if np.dtype(dtype).itemsize // (2 if np.dtype(dtype).kind == "c" else 1) == 4 else 1e-9
    np.testing.assert_allclose(np.asarray(found), expected, rtol=rtol, atol=rtol)


# ---- linear systems --------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("batch", [(), (3,), (2, 2), (0,)])
def test_cholesky_and_what_is_solved_with_it(batch, dtype):
    a, b = positive(*batch, 3, 3, dtype=dtype), normal(*batch, 3, 2, seed=1, dtype=dtype)
    factor = linalg.cholesky(a)
    assert factor.dtype == dtype
    close(factor, np.linalg.cholesky(a), dtype)
    close(linalg.cholesky_solve(factor, b), np.linalg.solve(a, b), dtype)
    close(linalg.logdet(a), np.linalg.slogdet(a)[1], dtype)


def test_cholesky_reads_the_lower_triangle_and_marks_what_it_cannot_factor():
    np.testing.assert_array_equal(linalg.cholesky([[4.0, 100.0], [2.0, 5.0]]).numpy(), [[2, 0], [1, 2]])
    both = linalg.cholesky(np.stack([np.eye(2), -np.eye(2)])).numpy()
    np.testing.assert_array_equal(both, [[[1, 0], [0, 1]], [[np.nan, 0], [np.nan, np.nan]]])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("adjointed", [False, True])
def test_solve_and_inv(dtype, adjointed):
    a, b = regular(2, 3, 3, dtype=dtype), normal(2, 3, 4, seed=1, dtype=dtype)
    m = adjoint(a) if adjointed else a
    close(linalg.solve(a, b, adjoint=adjointed), np.linalg.solve(m, b), dtype)
    close(linalg.inv(a, adjoint=adjointed), np.linalg.inv(m), dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("adjointed", [False, True])
@pytest.mark.parametrize("lower", [False, True])
@pytest.mark.parametrize(
    ("a", "b"), [((3, 3), (3, 2)), ((2, 3, 3), (3, 1)), ((1, 3, 3), (4, 3, 2)), ((0, 0), (0, 2)), ((3, 3), (3, 0))]
)
def test_triangular_solve(lower, adjointed, a, b, dtype):
    a, b = normal(*a, dtype=dtype) + 3 * np.eye(a[-1], dtype=dtype), normal(*b, seed=1, dtype=dtype)
    m = np.tril(a) if lower else np.triu(a)
    expected = np.linalg.inv(adjoint(m) if adjointed else m) @ b
    close(linalg.triangular_solve(a, b, lower=lower, adjoint=adjointed), expected, dtype)


def test_a_singular_triangle_gives_infinities():
    y = linalg.triangular_solve(np.diag([1.0, 0.0]), np.ones((2, 1)))
    np.testing.assert_array_equal(y.numpy(), [[1.0], [np.inf]])


@pytest.mark.parametrize("dtype", DTYPES)
def test_determinants(dtype):
    a = regular(4, 3, 3, dtype=dtype)
    close(linalg.det(a), np.linalg.det(a), dtype)
    sign, logarithm = linalg.slogdet(a)
    assert sign.dtype == logarithm.dtype == dtype
    close(sign, np.linalg.slogdet(a)[0], dtype)
    close(logarithm, np.linalg.slogdet(a)[1], dtype)


def test_determinants_of_singular_and_empty_matrices():
    assert float(linalg.det(np.ones((3, 3)))) == 0.0
    found = linalg.slogdet(np.zeros((2, 2)))
    assert (float(found.sign), float(found.log_abs_determinant)) == (0.0, -np.inf)
    assert float(linalg.det(np.zeros((0, 0)))) == 1.0


def minors(x):
    """The cofactors of a matrix, by their definition."""
    n = len(x)
    signs = (-1.0) ** np.add.outer(np.arange(n), np.arange(n))
    return signs * [[np.linalg.det(np.delete(np.delete(x, i, 0), j, 1)) for j in range(n)] for i in range(n)]


def derivative_of_minors(k, x):
    """The gradient of the sum of ``k`` times the cofactors, by central differences."""
    found = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[index] = 1e-5
        found[index] = (k * (minors(x + step) - minors(x - step))).sum() / 2e-5
    return found


SINGULAR = {
    "rank 2": np.arange(1.0, 10.0).reshape(3, 3),
    "rank 1": np.outer([1.0, -2.0, 3.0], [2.0, 0.5, 1.0]),
    "rank 0": np.zeros((3, 3)),
    "a zero on the diagonal": np.diag([1.0, 2.0, 0.0]),
    "a batch with a regular matrix": np.stack([np.eye(3) + 0.1, np.ones((3, 3)), np.diag([0.0, 3.0, 0.0])]),
    "complex": np.outer([1.0, 1.0j, 2.0], [2.0, 1.0, 1.0 + 1.0j]) + np.diag([1.0j, 0.0, 0.0]),
    "one element": np.zeros((1, 1)),
    "underflow": np.diag([1e-200, 1e-200]),
    "overflow": np.diag([1e200, 1e200]),
}


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("x", SINGULAR.values(), ids=SINGULAR)
def test_gradients_of_determinants_of_singular_matrices(x, compiled):
    weights = normal(*x.shape, seed=3, dtype=x.dtype)

    def derivatives(x):
        with tf.GradientTape() as outer:
            outer.watch(x)
            first = gradient_of(linalg.det, x)
            weighted = tf.math.real(tf.reduce_sum(tf.math.conj(first) * weights))
        return first, outer.gradient(weighted, x)

    function = tf.function(derivatives) if compiled else derivatives
    matrices, flat_weights = x.reshape(-1, *x.shape[-2:]), weights.reshape(-1, *x.shape[-2:])
    expected = np.reshape([minors(m).conj() for m in matrices], x.shape)
    pairs = zip(flat_weights, matrices, strict=True)
    expected_second = np.reshape([derivative_of_minors(k, m).conj() for k, m in pairs], x.shape)
    for _ in range(3):
        first, second = function(tf.constant(x))
        np.testing.assert_allclose(first, expected, rtol=1e-10, atol=1e-12 * (1e-9 < np.abs(x).max() < 1e9))
        if np.abs(x).max() < 1e9:  # differences have no digits there
            np.testing.assert_allclose(second, expected_second, rtol=1e-6, atol=1e-7)


def test_the_third_derivative_of_a_determinant_is_that_of_its_terms():
    x = np.array([[2.0, 1.0, 0.5], [0.3, -1.0, 2.0], [1.0, 0.2, 3.0]])

    def terms(x):
        a, b, c = tf.unstack(x)
        return tf.reduce_sum(a * linalg.cross(b, c))

    def third(function):
        z = tf.constant(x)
        with tf.GradientTape() as tape:
            tape.watch(z)
            with tf.GradientTape() as middle:
                middle.watch(z)
                first = gradient_of(function, z)
                total = tf.reduce_sum(first**2 * normal(3, 3, seed=1))
            second = middle.gradient(total, z)
            total = tf.reduce_sum(second * normal(3, 3, seed=2))
        return tape.gradient(total, z)

    np.testing.assert_allclose(third(linalg.det), third(terms), rtol=1e-10)


@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (3, 3), (2, 5, 3)])
@pytest.mark.parametrize("dtype", DTYPES)
def test_least_squares(shape, dtype):
    a, b = normal(*shape, dtype=dtype), normal(*shape[:-1], 2, seed=1, dtype=dtype)
    expected = np.linalg.pinv(a) @ b
    close(linalg.lstsq(a, b), expected, dtype)
    if np.dtype(dtype).kind == "f":
        close(linalg.pinv(a), np.linalg.pinv(a), dtype)
        close(linalg.lstsq(a, b, fast=False), expected, dtype)
    ridge = np.linalg.solve(adjoint(a) @ a + 0.5 * np.eye(shape[-1]), adjoint(a) @ b)
    close(linalg.lstsq(a, b, l2_regularizer=0.5), ridge, dtype)


@pytest.mark.parametrize("shapes", [((7, 5), (7, 2)), ((5, 7), (5, 2)), ((2, 6, 4), (6, 3)), ((6, 4), (2, 6, 3))])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_least_norm_solutions(shapes, dtype):
    """Also of matrices that do not have full rank, where they are those of the pseudo-inverse."""
    a, b = [normal(*shape, seed=seed, dtype=dtype) for seed, shape in enumerate(shapes)]
    repeated = np.concatenate([a[..., :-1], a[..., :1] - 2 * a[..., 1:2]], -1)
    for matrix in (a, repeated, np.zeros_like(a)):
        x = linalg.lstsq(matrix, b, fast=False)
        close(x, np.linalg.pinv(matrix, 1e-4) @ b, dtype)
    a.reshape(-1, *a.shape[-2:])[0, 0, 0] = np.nan
    x = linalg.lstsq(a, b, fast=False).numpy()
    assert np.isnan(x[0] if a.ndim == 3 else x).all()
    assert not (a.ndim == 3 and np.isnan(x[1:]).any())


@pytest.mark.parametrize(("rows", "columns", "count"), [(0, 3, 2), (3, 0, 2), (3, 3, 0)])
def test_least_norm_solutions_of_empty_matrices(rows, columns, count):
    x = linalg.lstsq(np.ones((rows, columns)), np.ones((rows, count)), fast=False).numpy()
    np.testing.assert_array_equal(x, np.zeros((columns, count)))


def test_pseudo_inverses_of_matrices_without_full_rank():
    a = np.outer([1.0, 2.0, 3.0], [1.0, -1.0])
    close(linalg.pinv(a), np.linalg.pinv(a))
    close(linalg.lstsq(a, np.ones((3, 1)), fast=False), np.linalg.pinv(a) @ np.ones((3, 1)))
    close(linalg.pinv(np.diag([1.0, 0.1]), rcond=0.5), np.diag([1.0, 0.0]))
    assert np.isnan(linalg.pinv(a * np.nan).numpy()).all()
    assert linalg.pinv(np.zeros((0, 3))).shape == (3, 0)
    assert int(linalg.matrix_rank(a)) == 1
    np.testing.assert_array_equal(linalg.matrix_rank(np.stack([np.eye(2), np.ones((2, 2))])).numpy(), [2, 1])
    assert int(linalg.matrix_rank(np.diag([1.0, 0.1]), tol=0.5)) == 1


def test_cross_product():
    a, b = normal(4, 3), normal(4, 3, seed=1)
    close(linalg.cross(a, b), np.cross(a, b))
    np.testing.assert_array_equal(linalg.cross([1, 2, 3], [4, 5, 6]).numpy(), [-3, 6, -3])


# ---- decompositions --------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(4, 3), (3, 4), (2, 3, 3), (0, 3), (3, 0), (0, 2, 3)])
@pytest.mark.parametrize("full", [False, True])
def test_svd_and_qr_multiply_to_the_matrix(shape, full, dtype):
    a = normal(*shape, dtype=dtype)
    s, u, v = linalg.svd(a, full_matrices=full)
    assert s.dtype == a.real.dtype
    assert u.dtype == v.dtype == dtype
    least = min(shape[-2:])
    assert u.shape[-2:] == (shape[-2], shape[-2] if full else least)
    assert v.shape[-2:] == (shape[-1], shape[-1] if full else least)
    close(u.numpy()[..., :least] * s.numpy()[..., None, :] @ adjoint(v.numpy()[..., :least]), a, dtype)
    close(
        adjoint(u.numpy()) @ u.numpy(),
        np.broadcast_to(np.eye(u.shape[-1]), (*u.shape[:-2], u.shape[-1], u.shape[-1])),
        dtype,
    )
    close(linalg.svd(a, compute_uv=False), np.linalg.svd(a, compute_uv=False), dtype)
    q, r = linalg.qr(a, full_matrices=full)
    close(q.numpy() @ r.numpy(), a, dtype)
    close(r, np.linalg.qr(a, "complete" if full else "reduced")[1], dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_lu(dtype):
    a = normal(2, 4, 4, dtype=dtype)
    packed, order = linalg.lu(a, output_idx_type=tf.int64)
    assert order.dtype == tf.int64
    lower, upper = np.tril(packed.numpy(), -1) + np.eye(4), np.triu(packed.numpy())
    close(lower @ upper, np.take_along_axis(a, order.numpy()[..., None], 1), dtype)
    close(packed[0], scipy.linalg.lu_factor(a[0])[0], dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_eigenvalues(dtype):
    a = positive(2, 3, 3, dtype=dtype)
    e, v = linalg.eigh(a)
    assert e.dtype == v.dtype == dtype
    close(e, np.linalg.eigvalsh(a), dtype)
    close(linalg.eigvalsh(a), np.linalg.eigvalsh(a), dtype)
    close(a @ v.numpy(), v.numpy() * e.numpy()[..., None, :], dtype)
    a = normal(2, 3, 3, dtype=dtype)
    e, v = tf.eig(a)
    assert e.dtype == v.dtype == np.result_type(dtype, np.complex64)
    close(a @ v.numpy(), v.numpy() * e.numpy()[..., None, :], dtype)
    close(np.sort_complex(tf.eigvals(a).numpy()), np.sort_complex(np.linalg.eigvals(a)), dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_matrix_functions(dtype):
    a = positive(2, 3, 3, dtype=dtype) / 10
    for function, reference in ((linalg.expm, scipy.linalg.expm), (linalg.sqrtm, scipy.linalg.sqrtm)):
        assert function(a).dtype == dtype
        close(function(a), np.stack([reference(m) for m in a]), dtype)
    if np.dtype(dtype).kind == "c":
        close(linalg.expm(linalg.logm(a)), a, dtype)


def test_matrix_functions_of_matrices_that_have_none():
    assert np.isnan(linalg.sqrtm(-np.eye(2)).numpy()).all()
    assert np.isnan(linalg.expm(np.full((2, 2), np.nan)).numpy()).all()
    assert linalg.expm(np.zeros((0, 0))).shape == (0, 0)


# ---- gradients -------------------------------------------------------------------------------------------

SMOOTH = {
    "triangular_solve": (linalg.triangular_solve, regular(3, 3), normal(2, 3, 2, seed=1)),
    "lstsq": (linalg.lstsq, normal(4, 2), normal(4, 2, seed=1)),
    "wide lstsq": (lambda a, b: linalg.lstsq(a, b, l2_regularizer=0.1), normal(2, 4), normal(2, 2, seed=1)),
    "lstsq by QR": (lambda a, b: linalg.lstsq(a, b, fast=False), normal(2, 4, 3), normal(4, 2, seed=1)),
    "wide lstsq by QR": (lambda a, b: linalg.lstsq(a, b, fast=False), normal(2, 4), normal(3, 2, 2, seed=1)),
    "pinv": (linalg.pinv, normal(2, 4, 3)),
    "wide pinv": (linalg.pinv, normal(2, 3)),
    "singular values": (lambda x: linalg.svd(x, compute_uv=False), normal(2, 4, 3)),
    "svd": (linalg.svd, np.diag([3.0, 2.0, 1.0]) + 0.2 * normal(3, 3)),
    "tall svd": (linalg.svd, np.eye(4, 2) * [2.0, 1.0] + 0.2 * normal(4, 2)),
    "wide svd": (linalg.svd, np.eye(2, 4) * [[2.0], [1.0]] + 0.2 * normal(2, 4)),
    "right singular vectors": (lambda x: linalg.svd(x)[2], np.diag([3.0, 1.0]) + 0.2 * normal(2, 2)),
    "singular values of a full svd": (lambda x: linalg.svd(x, full_matrices=True)[0], normal(4, 2)),
    "qr": (linalg.qr, normal(4, 3)),
    "wide qr": (linalg.qr, normal(2, 4)),
    "q of a wide qr": (lambda x: linalg.qr(x)[0], normal(2, 3)),
    "r": (lambda x: linalg.qr(x)[1], normal(2, 3, 2)),
    "full square qr": (lambda x: linalg.qr(x, full_matrices=True), normal(3, 3)),
    "lu": (lambda x: linalg.lu(x)[0], regular(2, 3, 3)),
    "eigh": (linalg.eigh, np.diag([1.0, 2.0, 4.0]) + 0.1 * normal(3, 3)),
    "expm": (linalg.expm, 0.5 * normal(2, 2, 2)),
    "sqrtm": (linalg.sqrtm, positive(2, 2)),
    "largest column": (lambda x: tf.norm(x, 1, axis=[0, 1]), normal(2, 3)),
    "largest singular value": (lambda x: tf.norm(x, 2, axis=[0, 2]), normal(3, 2, 2)),
}


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("name", SMOOTH)
def test_gradients(name, order):
    function, *arrays = SMOOTH[name]
    check_gradient(function, *arrays, order=order, rtol=2e-5, atol=1e-6)


def check_complex(function, x):
    """The gradient of a real number of a complex matrix, TensorFlow's way: of real and imaginary part, as re + i im."""
    x = np.asarray(x, np.complex128)

    def value(z):
        parts = [tf.cast(part, tf.complex128) for part in tf.nest.flatten(function(z))]
        return sum(tf.reduce_sum(tf.math.real(p) ** 2 + 0.5 * tf.math.real(p) + 0.3 * tf.math.imag(p)) for p in parts)

    z = tf.constant(x)
    found = gradient_of(value, z).numpy()
    expected = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        for unit in (1.0, 1.0j):
            step = np.zeros_like(x)
            step[index] = unit * 1e-6
            expected[index] += unit * float(value(tf.constant(x + step)) - value(tf.constant(x - step))) / 2e-6
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


COMPLEX = {
    "det": (linalg.det, regular(2, 2, dtype=complex)),
    "sign and log determinant": (linalg.slogdet, regular(2, 2, dtype=complex)),
    "cholesky": (lambda x: linalg.cholesky(x @ linalg.adjoint(x)), regular(2, 2, dtype=complex)),
    "qr": (linalg.qr, normal(3, 2, dtype=complex)),
    "singular values": (lambda x: linalg.svd(x)[0], normal(3, 2, dtype=complex)),
    "a product of singular vectors": (
        lambda x: linalg.svd(x)[1] @ linalg.adjoint(linalg.svd(x)[2]),
        normal(3, 2, dtype=complex),
    ),
    "eigvalsh": (lambda x: linalg.eigvalsh(x @ linalg.adjoint(x)), normal(2, 2, dtype=complex)),
    "eigvals": (tf.eigvals, np.diag([1.0, 3.0]) + 0.2 * normal(2, 2, dtype=complex)),
    "expm": (linalg.expm, 0.5 * normal(2, 2, dtype=complex)),
    "logm": (linalg.logm, regular(2, 2, dtype=complex)),
    "l2_normalize": (lambda x: tf.nn.l2_normalize(x, 0), normal(3, dtype=complex)),
}


@pytest.mark.parametrize("name", COMPLEX)
def test_complex_gradients(name):
    check_complex(*COMPLEX[name])


def test_gradients_of_eigenvectors_of_any_matrix():
    def projector(x):
        e, v = tf.eig(x)
        first = tf.argmax(tf.math.real(e))
        return tf.math.real(v[:, first : first + 1] @ linalg.inv(v)[first : first + 1])

    check_gradient(projector, np.array([[1.0, 0.5], [0.2, 3.0]]), rtol=1e-5)


def test_equal_eigenvalues_have_no_share_in_the_gradient_of_vectors():
    for function in (lambda x: linalg.eigh(x)[1], lambda x: linalg.svd(x)[1]):
        x = tf.eye(2)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = function(x)
        np.testing.assert_array_equal(tape.gradient(y, x).numpy(), np.zeros((2, 2)))


def test_gradients_that_do_not_exist_are_refused():
    for function, shape, error in (
        (lambda x: linalg.svd(x, full_matrices=True)[1], (4, 2), tf.errors.UnimplementedError),
        (lambda x: linalg.qr(x, full_matrices=True)[0], (4, 2), tf.errors.UnimplementedError),
        (lambda x: linalg.slogdet(x)[1], (2, 2), Invalid),
    ):
        x = tf.ones(shape)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = function(x)
        with pytest.raises(error):
            tape.gradient(y, x)
    assert issubclass(tf.errors.UnimplementedError, NotImplementedError), "TensorFlow's gradients raise Python's class"


# ---- norms -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", [None, 0, -1, (0, 1), [2, 0]])
@pytest.mark.parametrize("order", ["euclidean", "fro", 1, 2, 3, 2.5, np.inf])
def test_norms_are_numpys(order, axis, keepdims):
    x = normal(2, 3, 4)
    is_matrix = isinstance(axis, (tuple, list))
    if (is_matrix and order in (3, 2.5)) or (not is_matrix and order == "fro"):
        with pytest.raises(ValueError, match="supported"):
            tf.norm(x, order, axis)
        return
    known = {"euclidean": "fro" if is_matrix else 2}.get(order, order)
    expected = np.linalg.norm(
        x.reshape(-1) if axis is None else x, known, tuple(axis) if is_matrix else axis or (0 if axis is None else axis)
    )
    found = tf.norm(x, order, axis, keepdims=keepdims)
    if keepdims:
        reduced = {None: (0, 1, 2)}.get(axis if not is_matrix else 0, (axis,)) if not is_matrix else tuple(axis)
        expected = np.expand_dims(expected, tuple(a % 3 for a in reduced))
    assert found.shape == expected.shape
    close(found, expected)


def test_norms_of_complex_numbers():
    assert complex(tf.norm(np.array([3 + 4j, 0]))) == 5
    close(tf.nn.l2_normalize(np.array([3 + 4j, 0])), [0.6 + 0.8j, 0])


def test_l2_normalize():
    x = normal(2, 3)
    close(tf.nn.l2_normalize(x), x / np.linalg.norm(x))
    close(tf.math.l2_normalize(x, 1), x / np.linalg.norm(x, axis=1, keepdims=True))
    close(linalg.l2_normalize(x, dim=0), x / np.linalg.norm(x, axis=0))
    zero = tf.zeros(2)
    with tf.GradientTape() as tape:
        tape.watch(zero)
        y = tf.nn.l2_normalize(zero)
    np.testing.assert_array_equal(y.numpy(), [0, 0])
    np.testing.assert_allclose(tape.gradient(y, zero).numpy(), [1e6, 1e6], rtol=1e-5)


# ---- diagonals -------------------------------------------------------------------------------------------


@st.composite
def bands(draw):
    rows, columns = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    ends = sorted(draw(st.tuples(*[st.integers(1 - rows, columns - 1)] * 2)))
    align = draw(st.sampled_from(["LEFT_RIGHT", "RIGHT_LEFT", "LEFT_LEFT", "RIGHT_RIGHT"]))
    return normal(*draw(st.sampled_from([(), (2,)])), rows, columns), tuple(ends), align


@settings(max_examples=100, deadline=None)
@given(bands())
def test_diagonals_are_packed_from_the_highest_down(case):
    x, (lower, upper), align = case
    packed = linalg.diag_part(x, k=(lower, upper), align=align, padding_value=-9.0).numpy()
    rows = packed[..., None, :] if lower == upper else packed
    above, below = align.split("_")
    for place, k in enumerate(range(upper, lower - 1, -1)):
        diagonal = np.diagonal(x, k, -2, -1)
        spare = rows.shape[-1] - diagonal.shape[-1]
        side = above if k > 0 else below
        widths = [(0, 0)] * (x.ndim - 2) + [(0, spare) if side == "LEFT" else (spare, 0)]
        np.testing.assert_array_equal(rows[..., place, :], np.pad(diagonal, widths, constant_values=-9.0))
    again = linalg.set_diag(np.zeros_like(x), packed, k=(lower, upper), align=align).numpy()
    band = np.triu(np.tril(x, upper), lower)
    np.testing.assert_array_equal(again, band)
    least = {"num_rows": x.shape[-2], "num_cols": x.shape[-1]}
    np.testing.assert_array_equal(linalg.diag(packed, k=(lower, upper), align=align, **least).numpy(), band)


def test_diag_makes_the_smallest_matrix():
    np.testing.assert_array_equal(linalg.diag([1, 2]).numpy(), [[1, 0], [0, 2]])
    np.testing.assert_array_equal(linalg.diag([1, 2], k=1, num_rows=2).numpy(), [[0, 1, 0], [0, 0, 2]])
    np.testing.assert_array_equal(
        linalg.diag([1.0, 2.0], k=-1, padding_value=9).numpy(), [[9, 9, 9], [1, 9, 9], [9, 2, 9]]
    )
    assert linalg.diag(np.ones((2, 3))).shape == (2, 3, 3)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 4), st.integers(1, 4), st.integers(-1, 4), st.integers(-1, 4))
def test_band_part(rows, columns, lower, upper):
    lower, upper = min(lower, rows), min(upper, columns)
    x = normal(2, rows, columns)
    expected = x if lower < 0 else np.triu(x, -lower)
    expected = expected if upper < 0 else np.tril(expected, upper)
    np.testing.assert_array_equal(linalg.band_part(x, lower, upper).numpy(), expected)


def test_a_band_has_no_nan_outside():
    np.testing.assert_array_equal(linalg.band_part(np.full((2, 2), np.nan), 0, 0).numpy(), [[np.nan, 0], [0, np.nan]])


def test_traces_and_tensor_diagonals():
    x = normal(2, 3, 4)
    close(linalg.trace(x), np.trace(x, axis1=1, axis2=2))
    d = normal(2, 3)
    full = linalg.tensor_diag(d).numpy()
    assert full.shape == (2, 3, 2, 3)
    close(full.reshape(6, 6), np.diag(d.reshape(-1)))
    close(linalg.tensor_diag_part(full), d)


def test_transposes_of_matrices():
    x = normal(2, 3, 4, dtype=complex)
    np.testing.assert_array_equal(linalg.matrix_transpose(x).numpy(), x.swapaxes(1, 2))
    np.testing.assert_array_equal(linalg.adjoint(x).numpy(), adjoint(x))


def test_diagonals_read_from_a_variable_keep_their_values():
    v = tf.Variable(np.eye(3))
    diagonal, transposed = linalg.diag_part(v), linalg.matrix_transpose(v)
    v.assign(np.zeros((3, 3)))
    np.testing.assert_array_equal(diagonal.numpy(), np.ones(3))
    np.testing.assert_array_equal(transposed.numpy(), np.eye(3))


# ---- what is refused ---------------------------------------------------------------------------------------

F = np.ones
SQUARE = ("cholesky", "inv", "det", "slogdet", "logdet", "lu", "eigh", "eigvalsh", "eig", "eigvals", "expm", "sqrtm")


@pytest.mark.parametrize("name", SQUARE)
def test_only_square_matrices_of_floats_are_factored(name):
    function = getattr(linalg, name)
    with pytest.raises(Invalid, match=r"square.*\[2, 3\]"):
        function(F((2, 3)))
    with pytest.raises(Invalid, match="rank >= 2"):
        function(F(3))
    with pytest.raises(Invalid, match="int64"):
        function(F((3, 3), int))
    with pytest.raises(Invalid, match="float16"):
        function(F((3, 3), np.float16))


REFUSED = [
    (lambda: linalg.inv(F((3, 3))), Invalid, "not invertible"),
    (lambda: linalg.inv(np.full((2, 2), np.nan)), Invalid, "not invertible"),
    (lambda: linalg.solve(F((3, 3)), F((3, 2))), Invalid, "not invertible"),
    (lambda: linalg.lu(F((3, 3))), Invalid, "not invertible"),
    (lambda: linalg.eigh(np.full((2, 2), np.nan)), Invalid, "not successful"),
    (lambda: linalg.eig(np.full((2, 2), np.inf)), Invalid, "not successful"),
    (lambda: linalg.svd(F(3)), Invalid, "rank >= 2"),
    (lambda: linalg.qr(F((3, 3), int)), Invalid, "int64"),
    (lambda: linalg.logm(F((3, 3))), Invalid, "complex"),
    (lambda: linalg.solve(F((3, 3)), F(3)), Invalid, "expand_dims"),
    (lambda: linalg.solve(F((3, 3)), F((5, 3, 2))), Invalid, r"\[3, 3\] and \[5, 3, 2\]"),
    (lambda: linalg.solve(F((3, 3)), F((4, 2))), Invalid, r"as many rows.*\(3, 3\), \(4, 2\)"),
    (lambda: linalg.solve(tf.ones((3, 3)), tf.ones((3, 2), tf.float64)), Invalid, "float32.*float64"),
    (lambda: linalg.triangular_solve(F((3, 2)), F((3, 2))), Invalid, "square"),
    (lambda: linalg.triangular_solve(F((5, 3, 3)), F((4, 3, 2))), Invalid, "compatible batch"),
    (lambda: linalg.cholesky_solve(F((3, 3)), F((4, 2))), Invalid, r"as many rows.*\(4, 2\)"),
    (lambda: linalg.lstsq(F((3, 3)), F(3)), Invalid, "expand_dims"),
    (lambda: linalg.pinv(F((3, 3), int)), TypeError, "int64"),
    (lambda: linalg.pinv(F(3)), ValueError, "at least 2 dimensions"),
    (lambda: linalg.matrix_rank(F((3, 3), complex)), TypeError, "complex128"),
    (lambda: linalg.cross(F(2), F(2)), tf.errors.FailedPreconditionError, "3-element"),
    (lambda: linalg.cross(F((2, 3)), F(3)), Invalid, r"\[2, 3\].*\[3\]"),
    (lambda: tf.norm(F((2, 2)), -1), ValueError, "vector norm"),
    (lambda: tf.norm(F((2, 2)), "nuc"), ValueError, "vector norm"),
    (lambda: tf.norm(F((2, 2)), axis=[0, 0]), ValueError, "2 unique integers"),
    (lambda: tf.norm(F((2, 2)), axis=[1]), ValueError, "2 unique integers"),
    (lambda: tf.norm(F((2, 2)), axis=5), Invalid, "5"),
    (lambda: tf.norm(F((2, 2), int)), Invalid, "int64"),
    (lambda: tf.nn.l2_normalize([3, 4]), TypeError, "int32"),
    (lambda: tf.nn.l2_normalize([3.0], axis=0, dim=0), ValueError, "both"),
    (lambda: linalg.diag(1.0), Invalid, r"\[\]"),
    (lambda: linalg.diag([1.0, 2.0], k=(0, 1)), Invalid, "2 diagonals"),
    (lambda: linalg.diag([1.0, 2.0], num_rows=1), Invalid, "not consistent"),
    (lambda: linalg.diag([1.0, 2.0], num_rows=3, num_cols=4), Invalid, "not consistent"),
    (lambda: linalg.diag([1.0, 2.0], align="LEFT"), Invalid, "align"),
    (lambda: linalg.diag_part(F(3)), Invalid, r"\[3\]"),
    (lambda: linalg.diag_part(F((2, 3)), k=5), Invalid, "between -2 and 3"),
    (lambda: linalg.diag_part(F((2, 3)), k=(1, 0)), Invalid, r"must not be larger.*\(1, 0\)"),
    (lambda: linalg.diag_part(F((2, 3)), k=(1, 2, 3)), Invalid, "one or two"),
    (lambda: linalg.set_diag(F((3, 3)), F(2)), Invalid, r"\[3\].*\[2\]"),
    (lambda: linalg.set_diag(tf.ones((3, 3)), tf.ones(3, tf.int32)), Invalid, "float32.*int32"),
    (lambda: linalg.band_part(F((3, 3)), 4, 0), Invalid, "at most 3 rows.*4"),
    (lambda: linalg.band_part(F(3), 0, 0), Invalid, r"\[3\]"),
    (lambda: linalg.trace(F(3)), Invalid, r"\[3\]"),
    (lambda: linalg.tensor_diag(1.0), Invalid, "rank 1"),
    (lambda: linalg.tensor_diag_part(F((2, 3, 3, 2))), Invalid, r"\[2, 3, 3, 2\]"),
    (lambda: linalg.adjoint(F(3)), ValueError, r"\[3\]"),
]


@pytest.mark.parametrize(("call", "error", "message"), REFUSED)
def test_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize("function", [linalg.logm, linalg.sqrtm])
def test_functions_of_singular_matrices_do_not_warn(function):
    for matrix in (np.zeros((2, 2)), np.diag([1e-320, 1.0]), np.full((2, 2), 1e300)):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert function(tf.constant(matrix, tf.complex128)).shape == (2, 2)
