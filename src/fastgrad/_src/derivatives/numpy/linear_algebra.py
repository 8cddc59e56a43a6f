"""Functions of ``np.linalg``: LAPACK's functions, with the functions of their derivatives, and some plain loops.

An adjoint takes the cotangents of the results, the results and the arguments. A tangent rule takes the tangents of the arguments, the results and the
arguments. Second derivatives are derivatives of the tangent rule. Cholesky factors, eigenvalues and eigenvectors depend on the lower triangle only, so
the gradient is 0 above it.
"""
# mypy: ignore-errors

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numba import types
from numba.extending import overload

from fastgrad._src.derivatives.frontend.adjoint_calls import FunctionRule, result_type_of
from fastgrad._src.derivatives.numpy import small_matrices
from fastgrad._src.derivatives.numpy.small_matrices import (
    SMALL,
    cholesky_adjoint,
    conjugate,
    inv,
    kept,
    solve,
    solve_or_nan,
    times,
)
from fastgrad._src.jit.library_functions import LibraryFunction


def smallest(a):
    """Returns the smallest positive number that has all digits of the elements' type."""
    return float(np.finfo(a.dtype).tiny)


@overload(smallest)
def _smallest(a):
    least = float(np.finfo(str(getattr(a.dtype, "underlying_float", a.dtype))).tiny)
    return lambda a: least


@kept
def _slogdet(a):
    return np.linalg.slogdet(a)


@kept
def _eigh(a):
    return np.linalg.eigh(a)


@numba.njit
def symmetrize_lower(a):
    """Returns the symmetric matrix whose lower triangle is that of ``a``."""
    out = np.empty_like(a)
    for i in range(a.shape[0]):
        for j in range(i + 1):
            out[i, j] = a[i, j]
            out[j, i] = a[i, j]
    return out


@numba.njit
def symmetrize_lower_adjoint(s):
    """Returns the adjoint of ``symmetrize_lower``: the sum of the lower triangle and the mirrored upper one."""
    out = np.zeros_like(s)
    for i in range(s.shape[0]):
        out[i, i] = s[i, i]
        for j in range(i):
            out[i, j] = s[i, j] + s[j, i]
    return out


@numba.njit
def lower_triangle(s, offset):
    """Returns the elements of a square matrix from diagonal number ``offset``, 0 or -1, down. Numba compiles it five times as fast as ``np.tril``."""
    out = np.zeros_like(s)
    for i in range(s.shape[0]):
        for j in range(i + offset + 1):
            out[i, j] = s[i, j]
    return out


@numba.njit
def lower_with_half_diagonal(s):
    """Returns the lower triangle with half of the diagonal."""
    out = lower_triangle(s, 0)
    for i in range(s.shape[0]):
        out[i, i] /= 2
    return out


@numba.njit
def divide(x, difference, is_used=True):
    """Returns ``x / difference`` of two eigenvalues or singular values; of equal ones, whose vectors have no derivative, NaN if those are used."""
    if difference == 0.0:
        return math.nan if is_used else 0.0
    return x / difference


@numba.njit
def has_nonzero(matrix):
    """Returns for each column whether it has an element other than 0."""
    out = np.zeros(matrix.shape[1], np.bool_)
    for j in range(matrix.shape[1]):
        out[j] = np.any(matrix[:, j] != 0.0)
    return out


@numba.njit
def check_distinct(matrix, cotangents):
    """Raises if ``divide`` made an element of a matrix, and not one of the cotangents, whose sum is given, is NaN itself."""
    if np.isnan(np.sum(matrix)) and not np.isnan(cotangents):
        raise np.linalg.LinAlgError("Vectors of equal eigenvalues or singular values have no derivative.")


@kept
def negate(a):
    """Changes the signs of the elements of a matrix; returns it."""
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            a[i, j] = -a[i, j]
    return a


def outer_product(u, x):
    """Returns the product of two vectors, or of two matrices, whose second one is conjugated and, as a matrix, transposed."""
    return np.outer(u, np.conj(x)) if u.ndim == 1 else times(u, np.conj(x).T)


@overload(outer_product)
def _outer_product(u, x):
    def of_vectors(u, x):
        out = np.empty((u.size, x.size), u.dtype)
        for i in range(u.size):
            for j in range(x.size):
                out[i, j] = u[i] * conjugate(x[j])
        return out

    return of_vectors if u.ndim == 1 else lambda u, x: times(u, conjugate(x).T)


@kept
def _solve_adjoint(g, x, a, b):
    u = solve_or_nan(conjugate(a).T, g)
    return negate(outer_product(u, x)), u


@kept
def _solve_tangent(t, tb, x, a, b):
    return solve_or_nan(a, tb - t @ x)


@kept
def _inv_adjoint(g, y, a):
    y = conjugate(y)
    return negate(times(times(y.T, g), y.T))


@kept
def _inv_tangent(t, y, a):
    return -times(times(y, t), y)


@numba.njit
def cofactors(a, determinant):
    """Returns the gradient of the determinant; by singular values where the matrix is singular or the determinant lost digits at the end of its range."""
    scaled = np.empty_like(a)
    if smallest(a) <= abs(determinant) < math.inf:
        inverse = inv(a)
        for i in range(a.shape[0]):
            for j in range(a.shape[0]):
                scaled[i, j] = determinant * inverse[j, i]
        return scaled
    u, s, vt = np.linalg.svd(a)
    sign = np.linalg.det(u) * np.linalg.det(vt)
    u, vt = conjugate(u), conjugate(vt)
    for k in range(s.size):
        product = sign
        for j in range(s.size):
            if j != k:
                product *= s[j]
        for i in range(s.size):
            scaled[i, k] = u[i, k] * product
    return scaled @ vt


@kept
def _det_adjoint(g, y, a):
    return g * conjugate(cofactors(a, y))


@kept
def _det_tangent(t, y, a):
    return np.sum(cofactors(a, y) * t)


def cotangent_of_logarithm(g_sign, g, sign):
    """Returns the cotangent of the logarithm of a determinant from those of the sign and of the modulus' logarithm."""
    return complex(g, (np.conj(g_sign) * 1j * sign).real)


@overload(cotangent_of_logarithm)
def _cotangent_of_logarithm(g_sign, g, sign):
    if isinstance(sign, types.Complex):
        return cotangent_of_logarithm
    return lambda g_sign, g, sign: g


def tangents_of_sign_and_modulus(t, sign):
    """Returns the tangents of the sign of a determinant and of its modulus' logarithm from that of its logarithm."""
    return 1j * sign * t.imag, t.real


@overload(tangents_of_sign_and_modulus)
def _tangents_of_sign_and_modulus(t, sign):
    if isinstance(sign, types.Complex):
        return tangents_of_sign_and_modulus
    return lambda t, sign: (None, t)


@kept
def _slogdet_adjoint(g_sign, g, sign, y, a):
    return cotangent_of_logarithm(g_sign, g, sign) * conjugate(inv(a)).T


@kept
def _slogdet_tangent(t, sign, y, a):
    return tangents_of_sign_and_modulus(np.sum(inv(a).T * t), sign)


@kept
def _cholesky_adjoint(g, c, a):
    if c.shape[0] <= SMALL:
        return cholesky_adjoint(g, c)
    x = solve_or_nan(c.T, lower_with_half_diagonal(c.T @ lower_triangle(g, 0)))
    return symmetrize_lower_adjoint(solve_or_nan(c.T, np.ascontiguousarray(x.T)))


@kept
def _cholesky_tangent(t, c, a):
    x = solve_or_nan(c, symmetrize_lower(t))
    return times(c, lower_with_half_diagonal(solve_or_nan(c, np.ascontiguousarray(x.T))))


@numba.njit
def eigen_tangents(p, w):
    """Returns the tangents of eigenvalues, and of the vectors as sums of vectors. ``p`` is the matrix' tangent in the vectors' basis."""
    k = np.zeros_like(p)
    tw = np.empty_like(w)
    for i in range(w.size):
        tw[i] = p[i, i]
        for j in range(w.size):
            if i != j:
                k[i, j] = divide(p[i, j], w[j] - w[i])
    return tw, k


@kept
def _eigh_adjoint(gw, gv, w, v, a):
    k, is_used = v.T @ gv, has_nonzero(gv)
    for i in range(w.size):
        for j in range(w.size):
            k[i, j] = gw[i] if i == j else divide(k[i, j], w[j] - w[i], is_used[i] or is_used[j])
    check_distinct(k, np.sum(gw) + np.sum(gv))
    return symmetrize_lower_adjoint(v @ k @ v.T)


@kept
def _eigh_tangent(t, w, v, a):
    tw, k = eigen_tangents(v.T @ symmetrize_lower(t) @ v, w)
    return tw, v @ k


def eigvalsh(a: 2):
    """Returns the eigenvalues of a symmetric matrix."""
    return np.linalg.eigh(a)[0]


@numba.njit
def _real_eigen(w, v):
    """Returns eigenvalues and vectors as real numbers; from NumPy 2.5 on they are complex."""
    if np.any(np.imag(w) != 0.0):
        raise np.linalg.LinAlgError("Complex eigenvalues of numpy.linalg.eig have no derivative.")
    return np.real(w), np.ascontiguousarray(np.real(v))


@numba.njit
def _eig_adjoint(of_values, of_vectors, complex_w, complex_v, a):
    (w, v), (gw, gv) = _real_eigen(complex_w, complex_v), (np.real(of_values), np.real(of_vectors))
    g, is_used = np.empty_like(v), has_nonzero(gv)
    for j in range(w.size):  # the vectors keep their length
        along = np.sum(v[:, j] * gv[:, j])
        for i in range(w.size):
            g[i, j] = gv[i, j] - v[i, j] * along
    k = v.T @ g
    for i in range(w.size):
        for j in range(w.size):
            k[i, j] = gw[i] if i == j else divide(k[i, j], w[j] - w[i], is_used[j])
    check_distinct(k, np.sum(gw) + np.sum(gv))
    return solve_or_nan(np.ascontiguousarray(v.T), k @ v.T)


@numba.njit
def _eig_tangent(t, complex_w, complex_v, a):
    w, v = _real_eigen(complex_w, complex_v)
    tw, k = eigen_tangents(solve_or_nan(v, t @ v), w)
    tv = v @ k
    for j in range(w.size):
        tv[:, j] -= v[:, j] * np.sum(v[:, j] * tv[:, j])
    return tw.astype(complex_w.dtype), tv.astype(complex_v.dtype)


def eigvals(a: 2):
    """Returns the eigenvalues of a matrix."""
    return np.linalg.eig(a)[0]


@numba.njit
def _svd_adjoint(gu, gs, gvt, u, s, vt, a, full_matrices=1):
    size = s.size
    if np.any(gu[:, size:] != 0.0) or np.any(gvt[size:] != 0.0):
        raise np.linalg.LinAlgError(
            "Singular vectors beyond the smaller size have no derivative: full_matrices=False leaves them out."
        )
    u, gu = np.ascontiguousarray(u[:, :size]), np.ascontiguousarray(gu[:, :size])
    vt, gvt = vt[:size], gvt[:size]
    of_u, of_v = u.T @ gu, vt @ gvt.T
    is_used = has_nonzero(gu) | has_nonzero(gvt.T)
    k = np.empty_like(of_u)
    for i in range(size):
        for j in range(size):
            if i == j:
                k[i, i] = gs[i]
            else:
                gap = (s[j] - s[i]) * (s[j] + s[i])
                k[i, j] = divide(
                    (of_u[i, j] - of_u[j, i]) * s[j] + s[i] * (of_v[i, j] - of_v[j, i]), gap, is_used[i] or is_used[j]
                )
    u_rest, v_rest = gu - u @ of_u, gvt - of_v.T @ vt
    for k_th in range(size):
        for i in range(u.shape[0]):
            u_rest[i, k_th] = divide(u_rest[i, k_th], s[k_th], is_used[k_th]) if u.shape[0] > size else 0.0
        for j in range(vt.shape[1]):
            v_rest[k_th, j] = divide(v_rest[k_th, j], s[k_th], is_used[k_th]) if vt.shape[1] > size else 0.0
    result = u @ k @ vt + u_rest @ vt + u @ v_rest
    check_distinct(result, np.sum(gu) + np.sum(gs) + np.sum(gvt))
    return result, None


@numba.njit
def _svd_tangent(t, t_full, u, s, vt, a, full_matrices=1):
    size = s.size
    tu, ts, tvt = np.full_like(u, math.nan), np.empty_like(s), np.full_like(vt, math.nan)
    u, vt = np.ascontiguousarray(u[:, :size]), vt[:size]
    tv, ut = t @ vt.T, u.T @ t
    p = u.T @ tv
    of_u, of_v = np.zeros_like(p), np.zeros_like(p)
    for i in range(size):
        ts[i] = p[i, i]
        for j in range(size):
            if i != j:
                gap = (s[j] - s[i]) * (s[j] + s[i])
                of_u[i, j] = divide(p[i, j] * s[j] + s[i] * p[j, i], gap)
                of_v[i, j] = divide(s[i] * p[i, j] + p[j, i] * s[j], gap)
    u_rest, v_rest = tv - u @ p, ut - p @ vt
    of_u, of_v = u @ of_u, of_v.T @ vt
    for k in range(size):
        for i in range(u.shape[0]):
            tu[i, k] = of_u[i, k] + (divide(u_rest[i, k], s[k]) if u.shape[0] > size else 0.0)
        for j in range(vt.shape[1]):
            tvt[k, j] = of_v[k, j] + (divide(v_rest[k, j], s[k]) if vt.shape[1] > size else 0.0)
    return tu, ts, tvt


@numba.njit
def _write_columns(out, start, columns):  # type: ignore[no-untyped-def]
    """Writes columns of a matrix from number ``start`` on. Numba compiles it faster than the assignment to a slice, whose error message formats shapes."""
    for i in range(columns.shape[0]):
        for j in range(columns.shape[1]):
            out[i, start + j] = columns[i, j]


@numba.njit
def _qr_adjoint(gq, gr, q, r, a):
    m, n = a.shape
    out = np.empty_like(a)
    if m < n:  # the columns beyond the m-th are q times those of r
        rest = np.ascontiguousarray(gr[:, m:])
        gq = gq + np.ascontiguousarray(a[:, m:]) @ rest.T
        _write_columns(out, m, q @ rest)
    r, gr = np.ascontiguousarray(r[:, :m]), np.ascontiguousarray(gr[:, :m])
    x = lower_with_half_diagonal(r @ lower_triangle(gr.T, 0) - gq.T @ q)
    _write_columns(out, 0, solve_or_nan(r, (gq + q @ (x + x.T)).T).T)
    return out


@numba.njit
def _qr_tangent(t, q, r, a):
    m, n = a.shape
    tr = np.empty_like(r)
    first = np.ascontiguousarray(r[:, :m])
    c = np.ascontiguousarray(solve_or_nan(first.T, np.ascontiguousarray(t[:, :m].T)).T)
    p = q.T @ c
    x = lower_triangle(p, -1)
    skew = x - x.T
    tq = q @ skew + c - q @ p
    _write_columns(tr, 0, (p - skew) @ first)
    if m < n:
        rest = tq.T @ np.ascontiguousarray(a[:, m:]) + q.T @ np.ascontiguousarray(t[:, m:])
        _write_columns(tr, m, rest)
    return tq, tr


@numba.njit
def check_rank(p, a):
    """Raises if the matrix ``a``, whose pseudo-inverse is ``p``, has not full rank."""
    if np.sum(p * a.T) < min(a.shape) - 0.5:
        raise np.linalg.LinAlgError("The derivative needs a matrix of full rank.")


@numba.njit
def _pinv_adjoint(g, p, a, rcond=1e-15):
    check_rank(p, a)
    left, right = g.T @ p, p @ g.T
    rows, columns = left @ p.T, p.T @ right
    return rows - a @ (p @ rows) + columns - (columns @ p) @ a - p.T @ g @ p.T, None


@numba.njit
def _pinv_tangent(t, t_rcond, p, a, rcond=1e-15):
    check_rank(p, a)
    rows, columns = p @ (p.T @ t.T), (t.T @ p.T) @ p
    return rows - (rows @ a) @ p + columns - p @ (a @ columns) - p @ t @ p


def _differentiate_as(function: Any, rule: Callable[..., Any]) -> None:
    """Lets calls of a function of the library be differentiated by ``rule``, a `FunctionRule` or NumPy's function."""

    def lower(lowering, arguments):
        type = result_type_of(function, lowering.operands.types_of(arguments))
        if isinstance(rule, FunctionRule):
            return rule(lowering, arguments, {}, type)
        return lowering.calls.call(rule, arguments, {}, type, rule.__name__)

    if isinstance(function, LibraryFunction):  # not where Numba's compiler is off
        function.lowering_rule = lower


_differentiate_as(solve, np.linalg.solve)
_differentiate_as(solve_or_nan, FunctionRule(solve_or_nan, _solve_adjoint, _solve_tangent))  # NaN in all orders
_differentiate_as(inv, np.linalg.inv)
_differentiate_as(times, np.dot)

LAPACK_RULES = {
    function: FunctionRule(function, adjoint, tangent, kept=kept_function)
    for function, adjoint, tangent, kept_function in (
        (np.linalg.solve, _solve_adjoint, _solve_tangent, solve),
        (np.linalg.inv, _inv_adjoint, _inv_tangent, inv),
        (np.linalg.det, _det_adjoint, _det_tangent, small_matrices.det),
        (np.linalg.slogdet, _slogdet_adjoint, _slogdet_tangent, _slogdet),
        (np.linalg.cholesky, _cholesky_adjoint, _cholesky_tangent, small_matrices.cholesky),
        (np.linalg.eigh, _eigh_adjoint, _eigh_tangent, _eigh),
        (np.linalg.eig, _eig_adjoint, _eig_tangent, None),
        (np.linalg.svd, _svd_adjoint, _svd_tangent, None),
        (np.linalg.qr, _qr_adjoint, _qr_tangent, None),
        (np.linalg.pinv, _pinv_adjoint, _pinv_tangent, None),
    )
}


def matrix_power(a: 2, n: 0):
    """Returns the product of ``n`` equal matrices."""
    if a.shape[0] != a.shape[1]:
        raise ValueError("input must be a square array")
    base, result = a.copy(), np.zeros_like(a)
    for i in range(a.shape[0]):
        result[i, i] = 1.0
    if n < 0:
        base[:] = np.linalg.inv(a)
    left = abs(n)
    while left > 0:
        if left % 2 == 1:
            result[:] = np.dot(result, base)
        left //= 2
        if left > 0:
            base[:] = np.dot(base, base)
    return result


def matrix_rank(A: 2):  # NumPy's name
    """Returns the number of singular values that are larger than rounding errors."""
    s = np.linalg.svd(A)[1]
    return np.count_nonzero(s > s[0] * max(A.shape) * np.finfo(A.dtype).eps)


def matrix_rank_of_tolerance(A: 2, tol: 0):
    """Returns the number of singular values that are larger than ``tol``."""
    return np.count_nonzero(np.linalg.svd(A)[1] > tol)


def cond(x: 2):
    """Returns the condition number of a matrix: the largest singular value over the smallest one."""
    s = np.linalg.svd(x)[1]
    return math.inf if s[0] == 0.0 else s[0] / s[-1]  # of a matrix of zeros too, as in Numba


def cond_of_order(x: 2, p: 0):
    """Returns the condition number of a matrix by the norm of order ``p``."""
    return np.linalg.norm(x, p) * np.linalg.norm(np.linalg.inv(x), p)


@numba.njit
def check_rows(a, b):
    """Raises as Numba's ``lstsq`` does if a matrix and its right sides differ in their numbers of rows."""
    if a.shape[0] != b.shape[0]:
        raise np.linalg.LinAlgError("Incompatible array sizes, system is not dimensionally valid.")


def lstsq(a: 2, b):
    """Returns the shortest of the vectors ``x`` for which ``a @ x - b`` is shortest, for ``a`` of full rank."""
    check_rows(a, b)
    return np.linalg.pinv(a) @ b


def lstsq_of_cutoff(a: 2, b, rcond: 0):
    """Returns what ``lstsq`` does; singular values below ``rcond`` times the largest one count as 0, so ``a`` has not full rank."""
    check_rows(a, b)
    return np.linalg.pinv(a, max(rcond, 1e-15)) @ b


# ---- norms ------------------------------------------------------------------------------------------------------


def norm(x):
    """Returns the square root of the sum of squares. Its gradient at 0 is 0."""
    largest = 0.0
    for value in x.ravel():
        largest = np.maximum(largest, abs(value))
    if largest == 0.0:
        return 0.0
    scale = 1.0 if 1e-100 < largest < 1e100 or largest == math.inf else largest
    total = 0.0
    for value in x.ravel():
        total += (value / scale) * (value / scale)
    return scale * math.sqrt(total)


@numba.njit
def largest_of(values, start):
    """Returns the largest of ``start`` and some numbers. As in Numba's norms, NaN counts only as ``start``."""
    for value in values:
        if value > start:  # noqa: PLR1730  # as in Numba's norms
            start = value
    return start


@numba.njit
def smallest_of(values, start):
    """Returns the smallest of ``start`` and some numbers. As in Numba's norms, NaN counts only as ``start``."""
    for value in values:
        if value < start:  # noqa: PLR1730  # as in Numba's norms
            start = value
    return start


def vector_norm(x: 1, ord: 0):
    """Returns the norm of order ``ord`` of a vector."""
    if x.size == 0:
        return 0.0
    if ord == 2:
        return np.linalg.norm(x)
    if ord == math.inf:
        return largest_of(np.abs(x), abs(x[0]))
    if ord == -math.inf:
        return smallest_of(np.abs(x), abs(x[0]))
    if ord == 0:
        return float(np.count_nonzero(x))
    if ord == 1:
        return np.sum(np.abs(x))
    return np.sum(np.abs(x) ** ord) ** (1.0 / ord)


def matrix_norm(x: 2, ord: 0):
    """Returns the norm of a matrix: of order 1, -1, inf or -inf the largest or smallest sum of a column or row, of 2 or -2 a singular value."""
    if x.size == 0:
        return 0.0
    if ord * ord == 4:
        s = np.linalg.svd(x)[1]
        return s[0] if ord > 0 else s[-1]
    sums = np.sum(np.abs(x), 0) if ord * ord == 1 else np.sum(np.abs(x), 1)
    return largest_of(sums, 0.0) if ord > 0 else smallest_of(sums, np.finfo(x.dtype).max)
