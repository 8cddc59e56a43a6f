"""Decompositions of matrices: svd, qr, lu, eigh, eig and functions of their results.

Matrices are the last two dimensions, all others are batch dimensions. The dtypes are float32, float64, complex64
and complex128.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from fastgrad._src.core import dtypes
from fastgrad._src.core.argument_checks import refuse
from fastgrad._src.core.backward import zeros_of
from fastgrad._src.core.errors import InvalidArgumentError, UnimplementedError
from fastgrad._src.core.operation import TABLE, joint
from fastgrad._src.core.result_rules import ArraySpec, real_dtype, same_as_first
from fastgrad._src.core.tensor import Tensor, constant_tensor
from fastgrad._src.ops.arguments import tensor_of
from fastgrad._src.ops.arithmetic import conjugate, negative
from fastgrad._src.ops.casting import cast
from fastgrad._src.ops.comparison import greater
from fastgrad._src.ops.complex_numbers import real
from fastgrad._src.ops.contraction import matmul
from fastgrad._src.ops.diagonals import adjoint, band_part, diag, diag_part, set_diag
from fastgrad._src.ops.division import reciprocal_no_nan
from fastgrad._src.ops.joining import concat
from fastgrad._src.ops.lapack_threads import OF_SCIPY
from fastgrad._src.ops.linear_algebra import call_on_matrices, check_real_matrices, matrix_operation, triangular_solve
from fastgrad._src.ops.reduction import reduce_max, reduce_sum
from fastgrad._src.ops.shaping import expand_dims


def _as_row_vectors(x: Tensor) -> Tensor:
    return expand_dims(x, -2)


def _inverse_gaps(values: Tensor) -> Tensor:
    """The matrix ``1 / (values[j] - values[i])``, with 0 for equal eigenvalues or singular values."""
    return reciprocal_no_nan(_as_row_vectors(values) - expand_dims(values, -1))


def _minus_adjoint(x: Tensor) -> Tensor:
    return x - adjoint(x)


# ---- singular values -----------------------------------------------------------------------------------


def _svd_result(x: Any, full_matrices: bool) -> tuple[ArraySpec, ...]:
    *batch, rows, columns = x.shape
    least = min(rows, columns)
    widths = (rows, columns) if full_matrices else (least, least)
    u, v = ArraySpec((*batch, rows, widths[0]), x.dtype), ArraySpec((*batch, columns, widths[1]), x.dtype)
    return ArraySpec((*batch, least), real_dtype(x.dtype)), u, v


def _svd(x: np.ndarray, full_matrices: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rows, columns = x.shape[-2:]
    if not np.isfinite(x).all() or not x.size:
        smaller_side = min(rows, columns)
        widths = (rows, columns) if full_matrices else (smaller_side, smaller_side)
        filler = np.nan if x.size else 0
        s = np.full((*x.shape[:-2], smaller_side), filler, x.real.dtype)
        return s, _identity_or_filled(x, rows, widths[0], filler), _identity_or_filled(x, columns, widths[1], filler)
    u, s, vh = np.linalg.svd(x, full_matrices=full_matrices)
    return s, u, np.asarray(vh.swapaxes(-1, -2).conj(), order="C")


def _identity_or_filled(x: np.ndarray, rows: int, columns: int, fill_value: float) -> np.ndarray:
    out = np.full((*x.shape[:-2], rows, columns), fill_value, x.dtype)
    return out if x.size else out + np.eye(rows, columns, dtype=x.dtype)


def _svd_gradient(needs: Any, g: Any, y: Any, x: Tensor, full_matrices: bool) -> tuple[Tensor]:
    # Townsend, "Differentiating the singular value decomposition" (2016); the last term, for complex matrices, is of
    # Wan and Zhang, "Automatic differentiation for complex valued SVD" (2019).
    s, u, v = y
    gs, gu, gv = g
    rows, columns = x._array.shape[-2:]
    if full_matrices and rows != columns and (gu is not None or gv is not None):
        refuse("svd", f"no gradient of full_matrices for {x.shape}; use full_matrices=False", UnimplementedError)
    if full_matrices and rows != columns:
        s, u, v = _svd_operation(x, full_matrices=False)
    is_complex = x._array.dtype.kind == "c"
    s = cast(s, x.dtype)
    core = None if gs is None else diag(cast(gs, x.dtype))
    outside_term = None
    if gu is not None:
        projection = matmul(u, gu, adjoint_a=True)
        inverse_gaps = _inverse_gaps(s * s)
        core = _add_unless_none(core, inverse_gaps * _minus_adjoint(projection) * _as_row_vectors(s))
        if rows > columns:
            outside_term = matmul((gu - matmul(u, projection)) / _as_row_vectors(s), v, adjoint_b=True)
        if is_complex:
            core = core + diag(0.5 * diag_part(_minus_adjoint(projection)) / s)
    if gv is not None:
        projection = matmul(v, gv, adjoint_a=True)
        core = _add_unless_none(core, expand_dims(s, -1) * _inverse_gaps(s * s) * _minus_adjoint(projection))
        if columns > rows:
            outside_term = _add_unless_none(
                outside_term, matmul(u / _as_row_vectors(s), gv - matmul(v, projection), adjoint_b=True)
            )
    result = matmul(matmul(u, core), v, adjoint_b=True)
    return (_add_unless_none(result, outside_term),)


def _add_unless_none(a: Any, b: Any) -> Any:
    return b if a is None else a if b is None else a + b


_svd_operation = matrix_operation("svd", _svd, joint(_svd_gradient, zeros=False), _svd_result)


def svd(tensor: Any, full_matrices: bool = False, compute_uv: bool = True, name: str | None = None) -> Any:
    """The singular value decomposition ``tensor = u @ diag(s) @ v^H``.

    Args:
        tensor: shape (..., m, n), float or complex; k is the smaller of m and n.
        full_matrices: True for square ``u`` and ``v``, False for k columns.
        compute_uv: whether to return ``u`` and ``v``, too.
        name: kept for TensorFlow's signature.

    Returns:
        ``(s, u, v)``, or ``s`` alone: shape (..., k), real, in descending order; ``v`` is not transposed. The gradient of
        ``u`` and ``v`` leaves out the part that mixes equal singular values.

    Raises:
        InvalidArgumentError: fewer than two dimensions, or another dtype.
    """
    factors = call_on_matrices(_svd_operation, tensor, square=False, full_matrices=bool(full_matrices))
    return factors if compute_uv else factors[0]


def matrix_rank(a: Any, tol: Any = None, validate_args: bool = False, name: str | None = None) -> Tensor:
    """The number of singular values that are larger than ``tol``, as int32.

    Args:
        a: shape (..., m, n), float32 or float64; gives shape (...).
        tol: a number; None means ``max(m, n) * eps`` times the largest singular value.
        validate_args, name: kept for TensorFlow's signature.

    Raises:
        TypeError: another dtype.
        ValueError: fewer than two dimensions.
    """
    x = tensor_of(a)
    check_real_matrices(x)
    s = svd(x, compute_uv=False)
    if tol is None:
        eps = np.finfo(x._array.dtype).eps
        largest = reduce_max(s, -1, keepdims=True) if s.shape[-1] else s
        tol = largest * float(eps * max(x._array.shape[-2:]))
    return reduce_sum(cast(greater(s, tol), dtypes.int32), -1)


# ---- QR and LU -----------------------------------------------------------------------------------------


class Qr(NamedTuple):
    """The result of ``tf.linalg.qr``."""

    q: Tensor
    r: Tensor


def _qr_result(x: Any, full_matrices: bool) -> tuple[ArraySpec, ArraySpec]:
    *batch, rows, columns = x.shape
    width = rows if full_matrices else min(rows, columns)
    return ArraySpec((*batch, rows, width), x.dtype), ArraySpec((*batch, width, columns), x.dtype)


def _qr(x: np.ndarray, full_matrices: bool) -> tuple[np.ndarray, np.ndarray]:
    q, r = np.linalg.qr(x, "complete" if full_matrices else "reduced")
    return q, r


def _qr_gradient(needs: Any, g: Any, y: Any, x: Tensor, full_matrices: bool) -> tuple[Tensor]:
    # Roberts and Roberts, "QR and LQ decomposition matrix backpropagation algorithms" (2020).
    q, r = y
    gq, gr = g
    rows, columns = x._array.shape[-2:]
    if full_matrices and rows > columns:
        refuse("qr", f"no gradient of full_matrices for {x.shape}; use full_matrices=False", UnimplementedError)
    if rows >= columns:
        return (_tall_qr_gradient(gq, gr, q, r),)
    r_square = r[..., :rows]
    if gr is None:
        return (concat([_tall_qr_gradient(gq, None, q, r_square), zeros_of(x[..., rows:])], -1),)
    gr_rest = gr[..., rows:]
    gq = _add_unless_none(gq, matmul(x[..., rows:], gr_rest, adjoint_b=True))
    return (concat([_tall_qr_gradient(gq, gr[..., :rows], q, r_square), matmul(q, gr_rest)], -1),)


def _tall_qr_gradient(gq: Any, gr: Any, q: Tensor, r: Tensor) -> Tensor:
    middle = None if gr is None else matmul(r, gr, adjoint_b=True)
    middle = middle if gq is None else _add_unless_none(middle, negative(matmul(gq, q, adjoint_a=True)))
    lower = band_part(middle, -1, 0)
    diagonal = diag_part(middle)
    if diagonal._array.dtype.kind == "c":
        diagonal = cast(real(diagonal), diagonal.dtype)
    symmetric = set_diag(lower + adjoint(lower), diagonal)
    right_side = _add_unless_none(gq, matmul(q, symmetric))
    return adjoint(triangular_solve(r, adjoint(right_side), lower=False))


_qr_operation = matrix_operation("qr", _qr, joint(_qr_gradient, zeros=False), _qr_result)


def qr(input: Any, full_matrices: bool = False, name: str | None = None) -> Qr:
    """The decomposition ``input = q @ r`` into orthonormal columns and an upper triangle.

    Args:
        input: shape (..., m, n), float or complex; k is the smaller of m and n.
        full_matrices: True for ``q`` of shape (m, m) and ``r`` of (m, n), False for ``q`` of (m, k) and ``r`` of (k, n).
        name: kept for TensorFlow's signature.

    Returns:
        ``q`` and ``r``.

    Raises:
        InvalidArgumentError: fewer than two dimensions, or another dtype.
    """
    return Qr(*call_on_matrices(_qr_operation, input, square=False, full_matrices=bool(full_matrices)))


class Lu(NamedTuple):
    """The result of ``tf.linalg.lu``."""

    lu: Tensor
    p: Tensor


def _lu(x: np.ndarray, index_type: str) -> tuple[np.ndarray, np.ndarray]:
    from scipy.linalg.lapack import get_lapack_funcs

    lu = np.empty(x.shape, x.dtype)
    row_order = np.empty(x.shape[:-1], index_type)
    (factorize,) = get_lapack_funcs(("getrf",), (x,))
    for index in np.ndindex(x.shape[:-2] if x.size else (0,)):
        lu[index], swaps, failed = factorize(x[index])
        if failed or np.isnan(lu[index]).any():
            raise InvalidArgumentError("lu: Input is not invertible.")
        rows = np.arange(x.shape[-1])
        for row, other in enumerate(swaps):
            rows[[row, other]] = rows[[other, row]]
        row_order[index] = rows
    return lu, row_order


def _lu_gradient(needs: Any, g: Any, y: Any, x: Tensor, index_type: str) -> tuple[Tensor]:
    # Giles, "Collected matrix derivative results for forward and reverse mode AD" (2008): cotangents of the two triangles.
    packed, row_order = y
    size = x._array.shape[-1]
    ones = constant_tensor(np.ones(x._array.shape[:-1], x._array.dtype))
    zeros = zeros_of(ones)
    lower, upper = set_diag(band_part(packed, -1, 0), ones), band_part(packed, 0, -1)
    g_lower = set_diag(band_part(g[0], -1, 0), zeros)
    g_upper = band_part(g[0], 0, -1)
    left = set_diag(band_part(matmul(lower, g_lower, adjoint_a=True), -1, 0), zeros)
    middle = left + band_part(matmul(g_upper, upper, adjoint_b=True), 0, -1)
    half_solved = triangular_solve(lower, middle, adjoint=True)
    permuted = adjoint(triangular_solve(upper, adjoint(half_solved), lower=False))
    permutation = TABLE["gather"](constant_tensor(np.eye(size, dtype=x._array.dtype)), row_order, axis=0, batch_dims=0)
    return (matmul(permutation, permuted, transpose_a=True),)


_lu_operation = matrix_operation(
    "lu",
    _lu,
    joint(_lu_gradient),
    lambda x, index_type: (same_as_first(x), ArraySpec(x.shape[:-1], np.dtype(index_type))),
    blas=OF_SCIPY,
)


def lu(input: Any, output_idx_type: Any = dtypes.int32, name: str | None = None) -> Lu:
    """The decomposition ``gather(input, p) = L @ U`` with partial pivoting.

    Args:
        input: shape (..., n, n), float or complex.
        output_idx_type: int32 or int64.
        name: kept for TensorFlow's signature.

    Returns:
        ``lu`` and ``p``. ``lu`` holds ``U`` in the upper triangle and diagonal, and ``L``, whose diagonal is 1, below.

    Raises:
        InvalidArgumentError: a singular matrix, a matrix that is not square, or another dtype.
    """
    return Lu(*call_on_matrices(_lu_operation, input, index_type=dtypes.as_dtype(output_idx_type).name))


# ---- eigenvalues -----------------------------------------------------------------------------------------


def _eigh(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    values, vectors = _eigenpairs("eigh", np.linalg.eigh, x)
    return values.astype(x.dtype), vectors


def _eigenpairs(name: str, decompose: Callable[[np.ndarray], Any], x: np.ndarray) -> Any:
    try:
        if np.isfinite(x).all():
            return decompose(x)
    except np.linalg.LinAlgError:
        pass
    raise InvalidArgumentError(
        f"{name}: Eigen decomposition was not successful. The input might not be valid: is there NaN or inf in it?"
    )


def _eigh_gradient(needs: Any, g: Any, y: Any, x: Tensor) -> tuple[Tensor]:
    # Giles (2008), as above. The gradient of the upper triangle is added to the lower one: eigh reads only this one.
    values, vectors = y
    core = None if g[0] is None else diag(g[0])
    if g[1] is not None:
        core = _add_unless_none(core, _inverse_gaps(values) * matmul(vectors, g[1], adjoint_a=True))
    full = matmul(matmul(vectors, core), vectors, adjoint_b=True)
    lower = band_part(full + adjoint(full), -1, 0)
    return (set_diag(lower, 0.5 * diag_part(lower)),)


_eigh_operation = matrix_operation(
    "eigh", _eigh, joint(_eigh_gradient, zeros=False), lambda x: (ArraySpec(x.shape[:-1], x.dtype), same_as_first(x))
)


def eigh(tensor: Any, name: str | None = None) -> tuple[Tensor, Tensor]:
    """Eigenvalues and eigenvectors of symmetric (Hermitian) matrices.

    Args:
        tensor: shape (..., n, n), float or complex; only the lower triangle is read, and gets the gradient.
        name: kept for TensorFlow's signature.

    Returns:
        ``(e, v)``: the values in ascending order, in the dtype of ``tensor``, and the vectors as columns. The gradient of
        ``v`` leaves out the part that mixes equal eigenvalues.

    Raises:
        InvalidArgumentError: NaN or inf, a matrix that is not square, or another dtype.
    """
    return call_on_matrices(_eigh_operation, tensor)


def eigvalsh(tensor: Any, name: str | None = None) -> Tensor:
    """The eigenvalues of symmetric (Hermitian) matrices, in ascending order; see ``tf.linalg.eigh``.

    Args:
        tensor: shape (..., n, n); gives shape (..., n).
        name: kept for TensorFlow's signature.

    Raises:
        InvalidArgumentError: as ``tf.linalg.eigh``.
    """
    return eigh(tensor)[0]


def _eig_result(x: Any) -> tuple[ArraySpec, ArraySpec]:
    dtype = np.result_type(x.dtype, np.complex64)
    return ArraySpec(x.shape[:-1], dtype), ArraySpec(x.shape, dtype)


def _eig(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    dtype = np.result_type(x.dtype, np.complex64)
    values, vectors = _eigenpairs("eig", np.linalg.eig, x)
    return values.astype(dtype), vectors.astype(dtype)


def _eig_gradient(needs: Any, g: Any, y: Any, x: Tensor) -> tuple[Tensor]:
    # Boeddeker et al., "On the computation of complex-valued gradients" (2017), (4.77): vectors of length 1.
    values, vectors = y
    core = None if g[0] is None else diag(g[0])
    if g[1] is not None:
        projection = matmul(vectors, g[1], adjoint_a=True)
        lengths = cast(real(diag_part(projection)), vectors.dtype)
        corrected_projection = projection - matmul(vectors, vectors * _as_row_vectors(lengths), adjoint_a=True)
        core = _add_unless_none(core, conjugate(_inverse_gaps(values)) * corrected_projection)
    basis = adjoint(vectors)
    return (cast(TABLE["solve"](basis, matmul(core, basis), adjoint=False), x.dtype),)


_eig_operation = matrix_operation("eig", _eig, joint(_eig_gradient, zeros=False), _eig_result)


def eig(tensor: Any, name: str | None = None) -> tuple[Tensor, Tensor]:
    """Eigenvalues and eigenvectors of any square matrices, complex.

    Args:
        tensor: shape (..., n, n), float or complex.
        name: kept for TensorFlow's signature.

    Returns:
        ``(e, v)``: the values, in no particular order, and the vectors, of length 1, as columns.

    Raises:
        InvalidArgumentError: NaN or inf, a matrix that is not square, or another dtype.
    """
    return call_on_matrices(_eig_operation, tensor)


def eigvals(tensor: Any, name: str | None = None) -> Tensor:
    """The eigenvalues of any square matrices, complex; see ``tf.linalg.eig``.

    Args:
        tensor: shape (..., n, n); gives shape (..., n).
        name: kept for TensorFlow's signature.

    Raises:
        InvalidArgumentError: as ``tf.linalg.eig``.
    """
    return eig(tensor)[0]
