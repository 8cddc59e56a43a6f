"""Systems of linear equations, inverses and determinants: cholesky, solve, triangular_solve, inv, det, lstsq, pinv ...

The last two dimensions are matrices, all others are batches. Dtypes are float32, float64, complex64 and complex128.
LAPACK computes the results, through NumPy and SciPy. One file, because the gradients are made of each other's operations.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.argument_checks import checked_number, refuse
from fastgrad._src.core.backward import sum_to_shape
from fastgrad._src.core.errors import FailedPreconditionError, InvalidArgumentError
from fastgrad._src.core.operation import REAL_DTYPES, TABLE, Form, Operation, joint, operation
from fastgrad._src.core.result_rules import ArraySpec, Rule, same_as_first
from fastgrad._src.core.tape import GradientTape
from fastgrad._src.core.tensor import Tensor, constant_tensor, convert_like
from fastgrad._src.ops.arguments import tensor_of, tensors_of
from fastgrad._src.ops.arithmetic import conjugate, negative
from fastgrad._src.ops.batching import leading_axes_rule
from fastgrad._src.ops.complex_numbers import complex as to_complex
from fastgrad._src.ops.complex_numbers import imag, real
from fastgrad._src.ops.contraction import matmul
from fastgrad._src.ops.diagonals import adjoint as adjoint_of
from fastgrad._src.ops.diagonals import band_part, diag_part, matrix_transpose, set_diag
from fastgrad._src.ops.exponential import log
from fastgrad._src.ops.kernel_launches import KERNEL_FLOATS, launches_from
from fastgrad._src.ops.lapack_threads import OF_NUMPY, OF_SCIPY, OpenBlas, with_one_thread_if_small
from fastgrad._src.ops.reduction import reduce_sum
from fastgrad._src.ops.shaping import reshape

LAPACK_DTYPES = frozenset(np.dtype(name) for name in ("float32", "float64", "complex64", "complex128"))
"""The dtypes that LAPACK supports."""


def _check_matrices(operation: Operation, x: np.ndarray, square: bool = True) -> None:
    """Raises InvalidArgumentError unless ``x`` holds matrices (square if ``square``) of a dtype of ``operation``."""
    operation.check_dtype(x)
    if x.ndim < 2:
        refuse(operation.name, "Input tensor must have rank >= 2", InvalidArgumentError, shape=x.shape)
    if square and x.shape[-1] != x.shape[-2]:
        raise InvalidArgumentError(f"{operation.name}: Input matrix must be square, got shape {list(x.shape)}.")


def matrix_operation(
    name: str,
    run: Callable[..., Any],
    gradient: Any,
    result: Rule = same_as_first,
    dtypes: frozenset[np.dtype] = LAPACK_DTYPES,
    blas: OpenBlas = OF_NUMPY,
) -> Operation:
    """Declares an operation of matrices that LAPACK computes; ``blas`` is the one that ``run`` calls."""
    return operation(
        name,
        Form.EXTERN,
        run=with_one_thread_if_small(run, blas),
        gradient=gradient,
        dtypes=dtypes,
        batched=leading_axes_rule,
        in_python="LAPACK computes it",
        result=result,
    )


def call_on_matrices(operation: Operation, value: Any, square: bool = True, **attributes: Any) -> Any:
    """Calls ``operation`` on a tensor of matrices.

    Raises:
        InvalidArgumentError: the dtype or rank is wrong, or ``square`` and the matrices are not square.
    """
    x = tensor_of(value)
    _check_matrices(operation, x._array, square)
    return operation(x, **attributes)


# ---- Cholesky ------------------------------------------------------------------------------------------


def _run_cholesky(x: np.ndarray) -> np.ndarray:
    try:
        return np.linalg.cholesky(x)
    except np.linalg.LinAlgError:
        out = np.empty_like(x)
    for index in np.ndindex(x.shape[:-2]):
        try:
            out[index] = np.linalg.cholesky(x[index])
        except np.linalg.LinAlgError:
            out[index] = np.tril(np.full(x.shape[-2:], np.nan, x.dtype))
    return out


def _cholesky_gradient(g: Tensor, y: Tensor, x: Tensor) -> Tensor:
    # Murray, "Differentiation of the Cholesky decomposition" (2016); the cotangent is symmetric, as in TensorFlow.
    middle = matmul(y, g, adjoint_a=True)
    middle = band_part(set_diag(middle, 0.5 * diag_part(middle)), -1, 0)
    left = _triangular_solve_operation(y, middle, lower=True, adjoint=True)
    right = _triangular_solve_operation(y, adjoint_of(left), lower=True, adjoint=True)
    return 0.5 * (right + adjoint_of(right))


_cholesky_operation = matrix_operation("cholesky", _run_cholesky, _cholesky_gradient)


def cholesky(input: Any, name: str | None = None) -> Tensor:
    """The lower triangular ``L`` with ``input = L @ L^H``, for positive definite matrices.

    Args:
        input: shape (..., n, n), float or complex; only the lower triangle is read.
        name: kept for TensorFlow's signature.

    Returns:
        Shape (..., n, n). A matrix that is not positive definite gives NaN in the lower triangle.

    Raises:
        InvalidArgumentError: matrices are not square, or the dtype is unsupported.
    """
    return call_on_matrices(_cholesky_operation, input)


# ---- triangular systems --------------------------------------------------------------------------------


def _run_triangular_solve(a: np.ndarray, b: np.ndarray, lower: bool, adjoint: bool) -> np.ndarray:
    from scipy.linalg.blas import get_blas_funcs

    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    out = np.empty(batch + b.shape[-2:], b.dtype)
    if not out.size:
        return out
    (solve_matrix,) = get_blas_funcs(("trsm",), (a, b))
    a, b = np.broadcast_to(a, batch + a.shape[-2:]), np.broadcast_to(b, out.shape)
    for index in np.ndindex(batch):
        out[index] = solve_matrix(1.0, a[index], b[index], lower=lower, trans_a=2 if adjoint else 0)
    return out


def _solve_result(a: Any, b: Any, **attributes: Any) -> ArraySpec:
    return ArraySpec((*np.broadcast_shapes(a.shape[:-2], b.shape[:-2]), *b.shape[-2:]), b.dtype)


def _triangular_matrix_cotangent(g: Tensor, y: Tensor, a: Tensor, b: Tensor, lower: bool, adjoint: bool) -> Tensor:
    from_b = _triangular_solve_operation(a, g, lower=lower, adjoint=not adjoint)
    matrix_cotangent = matmul(y, from_b, adjoint_b=True) if adjoint else matmul(from_b, y, adjoint_b=True)
    matrix_cotangent = negative(matrix_cotangent)
    return sum_to_shape(
        band_part(matrix_cotangent, -1, 0) if lower else band_part(matrix_cotangent, 0, -1), a._array.shape
    )


_triangular_solve_operation: Operation = matrix_operation(
    "triangular_solve",
    _run_triangular_solve,
    (
        _triangular_matrix_cotangent,
        lambda g, y, a, b, lower, adjoint: sum_to_shape(
            _triangular_solve_operation(a, g, lower=lower, adjoint=not adjoint), b._array.shape
        ),
    ),
    _solve_result,
    blas=OF_SCIPY,
)


def triangular_solve(
    matrix: Any, rhs: Any, lower: bool = True, adjoint: bool = False, name: str | None = None
) -> Tensor:
    """Solves ``matrix @ x = rhs`` for a triangular matrix, by substitution.

    Args:
        matrix: shape (..., n, n); the other triangle is not read. A zero on the diagonal gives inf or NaN.
        rhs: shape (..., n, k); the leading dimensions broadcast.
        lower: whether the matrix is the lower triangle; otherwise the upper triangle.
        adjoint: whether to solve with the conjugate transpose of the triangle.
        name: kept for TensorFlow's signature.

    Raises:
        InvalidArgumentError: shapes do not fit, dtypes differ, or a dtype is unsupported.
    """
    a, b = tensors_of((matrix, rhs), "triangular_solve")
    _check_matrices(_triangular_solve_operation, a._array)
    _check_right_hand_side(a._array, b._array, "triangular_solve")
    return _triangular_solve_operation(a, b, lower=bool(lower), adjoint=bool(adjoint))


def _check_right_hand_side(a: np.ndarray, b: np.ndarray, name: str, broadcast: bool = True) -> None:
    if b.ndim < 2:
        raise InvalidArgumentError(f"{name}: rhs ndims must be >= 2: {b.ndim}, {b.shape}. Use tf.expand_dims(rhs, -1)")
    if a.shape[-2] != b.shape[-2]:
        refuse(name, "matrix and rhs need as many rows", InvalidArgumentError, shapes=(a.shape, b.shape))
    if broadcast:
        try:
            np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        except ValueError:
            raise InvalidArgumentError(
                f"{name}: matrix and rhs must have compatible batch dimensions: {list(a.shape)} vs. {list(b.shape)}."
            ) from None
    elif a.shape[:-2] != b.shape[:-2]:
        raise InvalidArgumentError(
            f"{name}: All input tensors must have the same rank and outer dimensions, got {list(a.shape)} and {list(b.shape)}."
        )


def cholesky_solve(chol: Any, rhs: Any, name: str | None = None) -> Tensor:
    """Solves ``A @ x = rhs``, given ``chol = tf.linalg.cholesky(A)``.

    Args:
        chol: shape (..., n, n), lower triangular.
        rhs: shape (..., n, k); the leading dimensions broadcast.
        name: kept for TensorFlow's signature.

    Raises:
        InvalidArgumentError: as in ``tf.linalg.triangular_solve``.
    """
    chol, rhs = tensors_of((chol, rhs), "cholesky_solve")
    return triangular_solve(chol, triangular_solve(chol, rhs), adjoint=True)


# ---- systems and inverses --------------------------------------------------------------------------------


def _run_solve(a: np.ndarray, b: np.ndarray, adjoint: bool) -> np.ndarray:
    try:
        return np.linalg.solve(a.swapaxes(-1, -2).conj() if adjoint else a, b)
    except np.linalg.LinAlgError:
        raise InvalidArgumentError("solve: Input matrix is not invertible.") from None


def _solve_matrix_cotangent(g: Tensor, y: Tensor, a: Tensor, b: Tensor, adjoint: bool) -> Tensor:
    from_b = _solve_operation(a, g, adjoint=not adjoint)
    return negative(matmul(y, from_b, adjoint_b=True) if adjoint else matmul(from_b, y, adjoint_b=True))


_solve_operation: Operation = matrix_operation(
    "solve",
    _run_solve,
    (_solve_matrix_cotangent, lambda g, y, a, b, adjoint: _solve_operation(a, g, adjoint=not adjoint)),
    _solve_result,
)


def solve(matrix: Any, rhs: Any, adjoint: bool = False, name: str | None = None) -> Tensor:
    """Solves ``matrix @ x = rhs``.

    Args:
        matrix: shape (..., n, n), float or complex.
        rhs: shape (..., n, k), with the same leading dimensions.
        adjoint: whether to solve with the conjugate transpose of the matrix.
        name: kept for TensorFlow's signature.

    Raises:
        InvalidArgumentError: a matrix is singular, shapes do not fit, dtypes differ, or a dtype is unsupported.
    """
    a, b = tensors_of((matrix, rhs), "solve")
    _check_matrices(_solve_operation, a._array)
    _check_right_hand_side(a._array, b._array, "solve", broadcast=False)
    return _solve_operation(a, b, adjoint=bool(adjoint))


def _run_inv(x: np.ndarray, adjoint: bool) -> np.ndarray:
    try:
        y = np.linalg.inv(x)
    except np.linalg.LinAlgError:
        y = None
    if y is None or np.isnan(y).any():
        raise InvalidArgumentError("inv: Input is not invertible.")
    return np.asarray(y.swapaxes(-1, -2).conj() if adjoint else y, order="C")


def _inv_gradient(g: Tensor, y: Tensor, x: Tensor, adjoint: bool) -> Tensor:
    if adjoint:
        return negative(matmul(matmul(y, g, adjoint_b=True), y))
    return negative(matmul(matmul(y, g, adjoint_a=True), y, adjoint_b=True))


_inv_operation: Operation = matrix_operation("inv", _run_inv, _inv_gradient)


def inv(input: Any, adjoint: bool = False, name: str | None = None) -> Tensor:
    """The inverses of square matrices.

    Args:
        input: shape (..., n, n), float or complex.
        adjoint: whether to give the conjugate transpose of the inverse.
        name: kept for TensorFlow's signature.

    Raises:
        InvalidArgumentError: a matrix is singular or not square, or the dtype is unsupported.
    """
    return call_on_matrices(_inv_operation, input, adjoint=bool(adjoint))


# ---- determinants ------------------------------------------------------------------------------------------


def _with_matrix_axes(x: Tensor) -> Tensor:
    return reshape(x, (*x._array.shape, 1, 1))


def _products_without_one(s: np.ndarray) -> np.ndarray:
    """Returns for each number of the last axis the product of the others, without a division: they may be 0."""
    ones = np.ones_like(s[..., :1])
    before = np.concatenate([ones, s[..., :-1]], -1).cumprod(-1)
    after = np.concatenate([ones, s[..., :0:-1]], -1).cumprod(-1)[..., ::-1]
    return before * after


def _svd_with_sign(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Returns the singular value decomposition of matrices, and the determinant of the two unitary matrices' product."""
    try:
        u, s, w = np.linalg.svd(x)
    except np.linalg.LinAlgError:  # x is not finite
        u = w = np.full_like(x, np.nan)
        s = np.full_like(x[..., 0].real, np.nan)
    return u, s, w, (np.linalg.det(u) * np.linalg.det(w))[..., None, None]


def _inverses_and_exceptions(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns determinants and inverses, and for which matrices they are not accurate."""
    det = np.asarray(np.linalg.det(x))
    try:
        inverse = np.linalg.inv(x)
    except np.linalg.LinAlgError:
        return det[..., None, None], np.empty_like(x), np.ones(x.shape[:-2], bool)
    condition = np.abs(x).sum(-1).max(-1, initial=0) * np.abs(inverse).sum(-1).max(-1, initial=0)
    is_accurate = (condition < np.finfo(x.dtype).eps ** -0.5) & (det != 0) & np.isfinite(det)
    return det[..., None, None], inverse, ~is_accurate


def _run_cofactors(x: np.ndarray) -> np.ndarray:
    det, inverse, exceptions = _inverses_and_exceptions(x)
    y = det * inverse.swapaxes(-1, -2)
    if exceptions.any():
        u, s, w, sign = _svd_with_sign(x[exceptions])
        y[exceptions] = sign * (u.conj() * _products_without_one(s)[..., None, :]) @ w.conj()
    return np.ascontiguousarray(y)


def _run_cofactors_derivative(k: np.ndarray, x: np.ndarray) -> np.ndarray:
    det, inverse, exceptions = _inverses_and_exceptions(x)
    m = inverse.swapaxes(-1, -2)
    trace = (k * m).sum((-2, -1))[..., None, None]
    y = det * (trace * m - m @ k.swapaxes(-1, -2) @ m)
    if exceptions.any():
        u, s, w, sign = _svd_with_sign(x[exceptions])
        n = s.shape[-1]
        # The cofactors of a diagonal matrix change by products of all its numbers but two.
        others = np.where(np.eye(n, dtype=bool), np.ones_like(s)[..., None, :], s[..., None, :])
        products = np.where(np.eye(n, dtype=bool), 0, _products_without_one(others))
        inner = u.conj().swapaxes(-1, -2) @ k[exceptions] @ w.conj().swapaxes(-1, -2)
        change = -products * inner.swapaxes(-1, -2)
        change[..., range(n), range(n)] = (products @ inner.diagonal(0, -2, -1)[..., None])[..., 0]
        y[exceptions] = sign * u.conj() @ change @ w.conj()
    return np.ascontiguousarray(y)


def _third_derivative_cotangent(g: Tensor, k: Tensor, x: Tensor) -> Tensor:
    """Returns the cotangent of the matrices of a derivative of cofactors, by the formula for regular ones."""
    with GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(x)
        m = matrix_transpose(_inv_operation(x, adjoint=False))
        trace = _with_matrix_axes(reduce_sum(k * m, axis=(-2, -1)))
        y = _with_matrix_axes(_det_operation(x)) * (trace * m - matmul(matmul(m, k, transpose_b=True), m))
    return tape.gradient(y, x, g)


_cofactors_derivative: Operation = matrix_operation(
    "cofactors_derivative",
    _run_cofactors_derivative,
    (
        lambda g, y, k, x: conjugate(_cofactors_derivative(conjugate(g), x)),
        lambda g, y, k, x: _third_derivative_cotangent(g, k, x),
    ),
)
"""Of matrices k and x: the derivative of the sum of k times the cofactors of x."""

_cofactors = matrix_operation(
    "cofactors", _run_cofactors, lambda g, y, x: conjugate(_cofactors_derivative(conjugate(g), x))
)
"""The determinants' derivatives by each element: det(x) times the inverse's transpose, also for singular matrices."""

_det_operation = matrix_operation(
    "det",
    np.linalg.det,
    lambda g, y, x: _with_matrix_axes(g) * conjugate(_cofactors(x)),
    lambda x: ArraySpec(x.shape[:-2], x.dtype),
)


def det(input: Any, name: str | None = None) -> Tensor:
    """The determinants of square matrices.

    Args:
        input: shape (..., n, n), float or complex; the result has shape (...).
        name: kept for TensorFlow's signature.

    Raises:
        InvalidArgumentError: matrices are not square, or the dtype is unsupported; or a third derivative is computed at a singular matrix.
    """
    return call_on_matrices(_det_operation, input)


class LogMatrixDeterminant(NamedTuple):
    """The result of ``tf.linalg.slogdet``."""

    sign: Tensor
    log_abs_determinant: Tensor


def _run_slogdet(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    sign, logarithm = np.linalg.slogdet(x)
    return np.asarray(sign), np.asarray(logarithm).astype(x.dtype)


def _slogdet_gradient(needs: Any, g: Any, y: Any, x: Tensor) -> tuple[Tensor]:
    weight = g[1]
    if x._array.dtype.kind == "c":
        # d log det = trace(inv(x) dx): the real part changes the logarithm, the imaginary part rotates the sign.
        weight = to_complex(real(weight), imag(g[0] * conjugate(y[0])))
    return (_with_matrix_axes(weight) * _inv_operation(x, adjoint=True),)


_slogdet_operation = matrix_operation(
    "slogdet", _run_slogdet, joint(_slogdet_gradient), lambda x: (ArraySpec(x.shape[:-2], x.dtype),) * 2
)


def slogdet(input: Any, name: str | None = None) -> LogMatrixDeterminant:
    """The sign and the logarithm of the absolute value of determinants, also where the determinant overflows.

    Args:
        input: shape (..., n, n), float or complex.
        name: kept for TensorFlow's signature.

    Returns:
        ``sign`` and ``log_abs_determinant``, each of shape (...) and of the dtype of ``input``; 0 and -inf for a
        singular matrix.

    Raises:
        InvalidArgumentError: matrices are not square, or the dtype is unsupported; or a gradient is computed at a singular matrix.
    """
    return LogMatrixDeterminant(*call_on_matrices(_slogdet_operation, input))


def logdet(matrix: Any, name: str | None = None) -> Tensor:
    """The logarithms of the determinants of positive definite matrices, by Cholesky decomposition.

    Args:
        matrix: shape (..., n, n), float or complex; the result has shape (...), NaN for matrices that are not positive
            definite.
        name: kept for TensorFlow's signature.

    Raises:
        InvalidArgumentError: matrices are not square, or the dtype is unsupported.
    """
    diagonal = diag_part(cholesky(matrix))
    if diagonal._array.dtype.kind == "c":
        diagonal = real(diagonal)
    return 2.0 * reduce_sum(log(diagonal), -1)


# ---- least squares -----------------------------------------------------------------------------------------


def lstsq(matrix: Any, rhs: Any, l2_regularizer: float = 0.0, fast: bool = True, name: str | None = None) -> Tensor:
    """The least-norm minimiser ``x`` of ``|matrix @ x - rhs|^2 + l2_regularizer * |x|^2``.

    Args:
        matrix: shape (..., m, n), float or complex.
        rhs: shape (..., m, k); the leading dimensions broadcast.
        l2_regularizer: at least 0.
        fast: whether to solve the normal equations by Cholesky decomposition, which gives NaN unless the matrix has full
            rank or there is a regulariser. Otherwise decomposes the matrix by QR with pivoting and ignores the regulariser.
        name: kept for TensorFlow's signature.

    Returns:
        Shape (..., n, k).

    Raises:
        InvalidArgumentError: shapes do not fit, dtypes differ, or a dtype is unsupported.
    """
    a, b = tensors_of((matrix, rhs), "lstsq")
    TABLE["cholesky"].check_dtype(a._array)
    if a._array.ndim < 2:
        raise InvalidArgumentError(f"lstsq: matrix must have rank >= 2, got shape {list(a._array.shape)}.")
    _check_right_hand_side(a._array, b._array, "lstsq")
    if not fast:
        check_real_matrices(a)
        return _least_norm_operation(a, b)
    tall = a._array.shape[-2] >= a._array.shape[-1]
    gramian = matmul(a, a, adjoint_a=True) if tall else matmul(a, a, adjoint_b=True)
    if l2_regularizer:
        gramian = gramian + constant_tensor(
            np.asarray(
                checked_number("lstsq", "l2_regularizer", l2_regularizer) * np.eye(gramian.shape[-1]), a._array.dtype
            )
        )
    chol = cholesky(gramian)
    if tall:
        return cholesky_solve(chol, matmul(a, b, adjoint_a=True))
    return matmul(a, cholesky_solve(chol, b), adjoint_a=True)


def _run_pinv(x: np.ndarray, cutoff: np.ndarray) -> np.ndarray:
    if not x.size:
        return np.zeros((*x.shape[:-2], x.shape[-1], x.shape[-2]), x.dtype)
    if not np.isfinite(x).all():
        return np.full((*x.shape[:-2], x.shape[-1], x.shape[-2]), np.nan, x.dtype)
    return np.asarray(np.linalg.pinv(x, cutoff), x.dtype)


def _pinv_gradient(g: Tensor, y: Tensor, x: Tensor, cutoff: Tensor) -> Tensor:
    # Golub and Pereyra, "The differentiation of pseudo-inverses and nonlinear least squares problems" (1973), (4.12).
    left = adjoint_of(g) - matmul(x, matmul(y, g, adjoint_b=True))
    right = adjoint_of(g) - matmul(matmul(g, y, adjoint_a=True), x)
    outer = matmul(left, matmul(y, y, adjoint_b=True)) + matmul(matmul(y, y, adjoint_a=True), right)
    return outer - matmul(matmul(y, g, adjoint_a=True), y, adjoint_b=True)


_pinv_operation = matrix_operation(
    "pinv",
    _run_pinv,
    (_pinv_gradient, None),
    lambda x, cutoff: ArraySpec((*x.shape[:-2], x.shape[-1], x.shape[-2]), x.dtype),
)


def pinv(a: Any, rcond: Any = None, validate_args: bool = False, name: str | None = None) -> Tensor:
    """The Moore-Penrose pseudo-inverse. TensorFlow: tf.linalg.pinv.

    Args:
        a: shape (..., m, n), float32 or float64; the result has shape (..., n, m).
        rcond: singular values up to ``rcond`` times the largest count as zero; one number, or one number per matrix. None
            means ``10 * max(m, n) * eps`` of the dtype.
        validate_args, name: kept for TensorFlow's signature.

    Raises:
        TypeError: ``a`` has another dtype.
        ValueError: ``a`` has fewer than two dimensions.
    """
    x = tensor_of(a)
    check_real_matrices(x)
    if rcond is None:
        rcond = _rank_tolerance(x._array)
    return _pinv_operation(x, convert_like(rcond, x._array.dtype))


def _run_least_norm(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    from scipy.linalg.lapack import get_lapack_funcs

    rows, columns = a.shape[-2:]
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    out = np.zeros((*batch, columns, b.shape[-1]), b.dtype)
    if not a.size or not out.size:
        return out
    solve_least_norm, get_work_size = get_lapack_funcs(("gelsy", "gelsy_lwork"), (a, b))
    cutoff = _rank_tolerance(a)
    work_size = int(get_work_size(rows, columns, b.shape[-1], cutoff)[0])
    a, b = np.broadcast_to(a, (*batch, rows, columns)), np.broadcast_to(b, (*batch, *b.shape[-2:]))
    # LAPACK returns the solution in place of the right side.
    right = np.zeros((max(rows, columns), b.shape[-1]), b.dtype)
    for index in np.ndindex(batch):
        if not (np.isfinite(a[index]).all() and np.isfinite(b[index]).all()):
            out[index] = np.nan
            continue
        right[:rows] = b[index]
        pivots = np.zeros(columns, np.int32)
        out[index] = solve_least_norm(a[index], right, pivots, cutoff, work_size)[1][:columns]
    return out


def _least_norm_matrix_cotangent(g: Tensor, y: Tensor, a: Tensor, b: Tensor) -> Tensor:
    inverse = pinv(a)
    of_inverse = sum_to_shape(matmul(g, b, adjoint_b=True), inverse._array.shape)
    return _pinv_gradient(of_inverse, inverse, a, a)


_least_norm_operation = matrix_operation(
    "least_norm_solution",
    _run_least_norm,
    (
        _least_norm_matrix_cotangent,
        lambda g, y, a, b: sum_to_shape(matmul(pinv(a), g, adjoint_a=True), b._array.shape),
    ),
    lambda a, b: ArraySpec((*np.broadcast_shapes(a.shape[:-2], b.shape[:-2]), a.shape[-1], b.shape[-1]), b.dtype),
    dtypes=KERNEL_FLOATS,
    blas=OF_SCIPY,
)


def _rank_tolerance(x: np.ndarray) -> float:
    """The ratio of singular values up to which the smaller one counts as zero."""
    return float(10.0 * max(x.shape[-2:]) * np.finfo(x.dtype).eps)


def check_real_matrices(x: Tensor) -> None:
    """Raises TensorFlow's errors for pinv and matrix_rank unless ``x`` holds float32 or float64 matrices."""
    if x.dtype not in (dtypes.float32, dtypes.float64):
        raise TypeError(f"Input `a` must have `float`-like `dtype` (saw {x.dtype.name}); use float32 or float64.")
    if x._array.ndim < 2:
        raise ValueError(f"Input `a` must have at least 2 dimensions (saw: {x._array.ndim}).")


# ---- the cross product ---------------------------------------------------------------------------------------


def _run_cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    out = np.empty_like(a)
    for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        out[..., i] = a[..., j] * b[..., k] - a[..., k] * b[..., j]
    return out


_cross_operation: Operation = operation(
    "cross",
    Form.EXTERN,
    run=_run_cross,
    gradient=(lambda g, y, a, b: _cross_operation(b, g), lambda g, y, a, b: _cross_operation(g, a)),
    dtypes=REAL_DTYPES,
    launches=launches_from("movement.numbering", "cross_launches"),
    batched=leading_axes_rule,
    result=same_as_first,
)


def cross(a: Any, b: Any, name: str | None = None) -> Tensor:
    """The cross product of vectors of three elements.

    Args:
        a: shape (..., 3), a real dtype.
        b: a tensor of the shape and dtype of ``a``.
        name: kept for TensorFlow's signature.

    Raises:
        InvalidArgumentError: shapes or dtypes differ.
        FailedPreconditionError: the last dimension is not 3.
    """
    a, b = tensors_of((a, b), "cross")
    _cross_operation.check_dtype(a._array)
    if a._array.shape != b._array.shape:
        refuse("cross", "Both inputs must be of same shape", InvalidArgumentError, shapes=(a.shape, b.shape))
    if a._array.shape[-1:] != (3,):
        raise FailedPreconditionError(f"cross: Cross-products are only defined for 3-element vectors, got {a.shape}.")
    return _cross_operation(a, b)
