"""Functions of ``np.linalg`` as plain loops, which are lowered and so differentiated like the user's own."""
# mypy: ignore-errors

from __future__ import annotations

import math

import numba
import numpy as np


@numba.njit
def eliminate(a, b):
    """Turns ``a`` into an upper triangle by elimination with partial pivoting, does the same to ``b``; returns the sign of the permutation."""
    n = a.shape[0]
    if a.shape[1] != n:
        raise np.linalg.LinAlgError("Last 2 dimensions of the array must be square.")
    sign = 1.0
    for k in range(n):
        pivot = k
        for i in range(k + 1, n):
            if abs(a[i, k]) > abs(a[pivot, k]):
                pivot = i
        if pivot != k:
            sign = -sign
            for j in range(n):
                a[k, j], a[pivot, j] = a[pivot, j], a[k, j]
            for j in range(b.shape[1]):
                b[k, j], b[pivot, j] = b[pivot, j], b[k, j]
        if a[k, k] == 0.0 and k < n - 1:
            raise ValueError("the derivative of a determinant of a matrix of lower rank is not computed")
        for i in range(k + 1, n):
            factor = a[i, k] / a[k, k]
            for j in range(k + 1, n):
                a[i, j] -= factor * a[k, j]
            for j in range(b.shape[1]):
                b[i, j] -= factor * b[k, j]
    return sign


@numba.njit
def solve_upper(a, b):
    """Solves ``a @ x = b`` in place of ``b``; ``a`` is an upper triangle."""
    n = a.shape[0]
    for i in range(n - 1, -1, -1):
        for j in range(b.shape[1]):
            for k in range(i + 1, n):
                b[i, j] -= a[i, k] * b[k, j]
            b[i, j] /= a[i, i]


@numba.njit
def solve_lower(a, b):
    """Solves ``a @ x = b`` in place of ``b``; ``a`` is a lower triangle."""
    for i in range(a.shape[0]):
        for j in range(b.shape[1]):
            for k in range(i):
                b[i, j] -= a[i, k] * b[k, j]
            b[i, j] /= a[i, i]


def solve_matrix(a: 2, b: 2):
    """Returns the solution of ``a @ x = b``."""
    upper, x = a.copy(), b.copy()
    if eliminate(upper, x) == 0.0:
        raise np.linalg.LinAlgError("Matrix is singular to machine precision.")
    solve_upper(upper, x)
    return x


def solve_vector(a: 2, b: 1):
    """Returns the solution of ``a @ x = b`` for one right-hand side."""
    return np.linalg.solve(a, b.copy().reshape(-1, 1))[:, 0].copy()


def inv(a: 2):
    """Returns the inverse."""
    return np.linalg.solve(a, np.eye(a.shape[0], dtype=a.dtype))


def det(a: 2):
    """Returns the determinant."""
    upper = a.copy()
    result = eliminate(upper, np.zeros((a.shape[0], 0), a.dtype))
    for i in range(a.shape[0]):
        result *= upper[i, i]
    return result


def slogdet(a: 2):
    """Returns the sign of the determinant and the logarithm of its absolute value."""
    upper = a.copy()
    sign = eliminate(upper, np.zeros((a.shape[0], 0), a.dtype))
    if sign == 0.0:
        return 0.0, -math.inf
    logarithm = 0.0
    for i in range(a.shape[0]):
        logarithm += math.log(abs(upper[i, i]))
        if upper[i, i] < 0.0:
            sign = -sign
    return sign, logarithm


def cholesky(a: 2):
    """Returns the lower triangle whose product with its transpose is ``a``, of which only the lower triangle is read."""
    n = a.shape[0]
    out = np.zeros((n, n))
    for j in range(n):
        for i in range(j, n):
            total = a[i, j]
            for k in range(j):
                total -= out[i, k] * out[j, k]
            if i > j:
                out[i, j] = total / out[j, j]
            elif total > 0.0:
                out[i, i] = math.sqrt(total)
            else:
                raise np.linalg.LinAlgError("Matrix is not positive definite.")
    return out


def matrix_power(a: 2, n: 0):
    """Returns the product of ``n`` equal matrices."""
    base, result = a.copy(), np.eye(a.shape[0])
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


@numba.njit
def orthogonalize(q, r):
    """Makes the columns of ``q`` orthonormal in place, by Gram-Schmidt's method done twice; the old ``q`` is the new one times ``r``."""
    m, n = q.shape
    for j in range(n):
        before = 0.0
        for i in range(m):
            before += q[i, j] * q[i, j]
        for _ in range(2):
            for k in range(j):
                c = 0.0
                for i in range(m):
                    c += q[i, k] * q[i, j]
                r[k, j] += c
                for i in range(m):
                    q[i, j] -= c * q[i, k]
        total = 0.0
        for i in range(m):
            total += q[i, j] * q[i, j]
        if total <= 1e-26 * before:
            raise np.linalg.LinAlgError("The derivative needs a matrix of full rank.")
        r[j, j] = math.sqrt(total)
        for i in range(m):
            q[i, j] /= r[j, j]


@numba.njit
def least_squares(a, b):
    """Returns the shortest ``x`` for which ``a @ x - b`` is shortest, for ``a`` of full rank."""
    m, n = a.shape
    out = np.zeros((n, b.shape[1]))
    size = min(m, n)
    r = np.zeros((size, size))
    if m >= n:
        q = a.copy()
        orthogonalize(q, r)
        out[:] = np.dot(q.T, b)
        solve_upper(r, out)
    else:
        p = a.T.copy()
        orthogonalize(p, r)
        x = b.copy()
        solve_lower(r.T, x)
        out[:] = np.dot(p, x)
    return out


def lstsq_matrix(a: 2, b: 2):
    """Returns the least squares solution and the sums of squares of what is left."""
    x = least_squares(a, b)
    left = b - np.dot(a, x)
    return x, np.sum(left * left, 0)


def lstsq_vector(a: 2, b: 1):
    """Returns the least squares solution for one right-hand side, and the sum of squares of what is left."""
    x, left = lstsq_matrix_of(a, b.copy().reshape(-1, 1))
    return x.reshape(-1), left


lstsq_matrix_of = numba.njit(lstsq_matrix)


def pinv(a: 2):
    """Returns the pseudo-inverse of a matrix of full rank."""
    return least_squares(a, np.eye(a.shape[0]))


# ---- norms ------------------------------------------------------------------------------------------------------


def norm(x):
    """Returns the square root of the sum of squares. Its gradient at 0 is 0."""
    largest = 0.0
    for value in x.ravel():
        largest = np.maximum(largest, abs(value))
    if largest == 0.0:
        return 0.0
    scale = 1.0 if 1e-100 < largest < 1e100 else largest
    total = 0.0
    for value in x.ravel():
        total += (value / scale) * (value / scale)
    return scale * math.sqrt(total)


def vector_norm(x: 1, ord: 0):
    """Returns the norm of order ``ord`` of a vector."""
    if ord == 2:
        return np.linalg.norm(x)
    if ord == math.inf:
        return np.max(np.abs(x))
    if ord == -math.inf:
        return np.min(np.abs(x))
    if ord == 0:
        return float(np.count_nonzero(x))
    if ord == 1:
        return np.sum(np.abs(x))
    return np.sum(np.abs(x) ** ord) ** (1.0 / ord)


def matrix_norm(x: 2, ord: 0):
    """Returns the norm of order 1, -1, inf or -inf of a matrix: the largest or smallest sum of a column or row."""
    sums = np.sum(np.abs(x), 0) if ord * ord == 1 else np.sum(np.abs(x), 1)
    return np.max(sums) if ord > 0 else np.min(sums)
