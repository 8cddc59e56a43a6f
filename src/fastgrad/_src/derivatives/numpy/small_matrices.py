"""Functions of ``np.linalg`` and products for matrices of up to `SMALL` rows and columns: loops, which cost less than a call of LAPACK or BLAS.

Larger matrices go to the library, and so do small ones of other sizes than expected, with infinite numbers or NaN, and those which rounding may
make singular. So the library decides which error is raised, and for which matrices.
"""
# mypy: ignore-errors

from __future__ import annotations

import math

import numpy as np
from numba import types
from numba.extending import intrinsic, overload

from fastgrad._src.jit.jit_switch import jit_is_disabled
from fastgrad._src.jit.library_functions import njit_kept_on_disk
from fastgrad._src.jit.numba_internals import cgutils

SMALL = 8
"""The largest number of rows and of columns of a small matrix."""

kept = njit_kept_on_disk(links_code=False, error_model="numpy")
"""Compiles functions that call LAPACK: Numba takes seconds for each of NumPy's functions, so that their code is kept on disk."""


def _workspace(like, rows, columns):
    """Returns a small matrix of undefined numbers of the type of ``like``, in Python."""
    return np.empty((rows, columns), like.dtype)


@intrinsic
def _workspace_on_stack(typing, like, rows, columns):
    """Returns a small matrix of undefined numbers of the type of ``like``, of up to `SMALL` rows and two times as many columns.

    Its memory is on the stack of the calling function, which may not return it. Memory of the heap takes as long as the arithmetic.
    """

    def generate(context, builder, signature, arguments):
        index = context.get_value_type(types.intp)
        size = context.get_abi_sizeof(context.get_data_type(like.dtype))
        data = cgutils.alloca_once(builder, context.get_data_type(like.dtype), size=index(2 * SMALL * SMALL))
        array = context.make_array(signature.return_type)(context, builder)
        rows, columns = arguments[1:]
        array.data, array.itemsize, array.nitems = data, index(size), builder.mul(rows, columns)
        array.shape = cgutils.pack_array(builder, [rows, columns])
        array.strides = cgutils.pack_array(builder, [builder.mul(columns, index(size)), index(size)])
        array.meminfo = cgutils.get_null_value(array.meminfo.type)
        array.parent = cgutils.get_null_value(array.parent.type)
        return array._getvalue()

    return types.Array(like.dtype, 2, "C")(like, types.intp, types.intp), generate


workspace = _workspace if jit_is_disabled() else _workspace_on_stack


def conjugate(a):
    """Returns the conjugates of an array's elements, or of a number; real ones as they are."""
    return np.conj(a)


@overload(conjugate)
def _conjugate(a):
    return conjugate if isinstance(getattr(a, "dtype", a), types.Complex) else lambda a: a


def rounding(a):
    """Returns the relative rounding error of an array's elements, with a margin for the operations of an elimination."""
    return 128.0 * float(np.finfo(a.dtype).eps)


@overload(rounding)
def _rounding(a):
    number = getattr(a.dtype, "underlying_float", a.dtype)
    error = 128.0 * float(np.finfo(str(number)).eps)
    return lambda a: error


def write_right_sides(system, b):
    """Writes right sides, a vector or the columns of a matrix, to the right of a square matrix."""
    system[:, len(system) :] = b.reshape(len(b), -1)


@overload(write_right_sides)
def _write_right_sides(system, b):
    def write_vector(system, b):
        for i in range(b.shape[0]):
            system[i, b.shape[0]] = b[i]

    def write_matrix(system, b):
        for i in range(b.shape[0]):
            for j in range(b.shape[1]):
                system[i, b.shape[0] + j] = b[i, j]

    return write_vector if b.ndim == 1 else write_matrix


def solutions(system, b):
    """Returns a copy of the solutions, which are where the right sides ``b`` were."""
    return system[:, len(system) :].reshape(b.shape).copy()


@overload(solutions)
def _solutions(system, b):
    def vector(system, b):
        out = np.empty(b.shape[0], b.dtype)
        for i in range(b.shape[0]):
            out[i] = system[i, b.shape[0]]
        return out

    def matrix(system, b):
        out = np.empty((b.shape[0], b.shape[1]), b.dtype)
        for i in range(b.shape[0]):
            for j in range(b.shape[1]):
                out[i, j] = system[i, b.shape[0] + j]
        return out

    return vector if b.ndim == 1 else matrix


def columns_of(b):
    """Returns the number of right sides in a vector or a matrix."""
    return 1 if b.ndim == 1 else b.shape[1]


@overload(columns_of)
def _columns_of(b):
    return (lambda b: 1) if b.ndim == 1 else (lambda b: b.shape[1])


@kept
def eliminate(system):
    """Makes the square matrix at the left of a system of equations upper triangular, with partial pivoting, as LAPACK does.

    Returns:
        The sign of the permutation of rows; 0 if an element is infinite or NaN, or if rounding decides whether the matrix is singular.
    """
    n, width = system.shape
    largest, sign = 0.0, 1
    for i in range(n):
        for j in range(width):
            x = system[i, j]
            if x - x != 0:
                return 0
            if j < n:
                largest = max(largest, abs(x.real) + abs(x.imag))
    least = rounding(system) * largest
    for k in range(n):
        row, size = k, abs(system[k, k].real) + abs(system[k, k].imag)
        for i in range(k + 1, n):
            other = abs(system[i, k].real) + abs(system[i, k].imag)
            if other > size:
                row, size = i, other
        if not size > least:
            return 0
        if row != k:
            sign = -sign
            for j in range(k, width):
                x = system[k, j]
                system[k, j] = system[row, j]
                system[row, j] = x
        pivot = system[k, k]
        for i in range(k + 1, n):
            factor = system[i, k] / pivot
            for j in range(k + 1, width):
                system[i, j] -= factor * system[k, j]
    return sign


@kept
def substitute(system):
    """Replaces the right sides of a system of equations with an upper triangular matrix by the solutions."""
    n, width = system.shape
    for i in range(n - 1, -1, -1):
        for k in range(i + 1, n):
            factor = system[i, k]
            for j in range(n, width):
                system[i, j] -= factor * system[k, j]
        pivot = system[i, i]
        for j in range(n, width):
            system[i, j] = system[i, j] / pivot


@kept
def solve(a, b):
    """Returns what ``np.linalg.solve`` does."""
    n, columns = a.shape[0], columns_of(b)
    if n <= SMALL and columns <= SMALL and a.shape[1] == n and b.shape[0] == n:
        system = workspace(a, n, n + columns)
        for i in range(n):
            for j in range(n):
                system[i, j] = a[i, j]
        write_right_sides(system, b)
        if eliminate(system) != 0:
            substitute(system)
            return solutions(system, b)
    return np.ascontiguousarray(np.linalg.solve(a, b))


@kept
def solve_or_nan(a, b):
    """Returns what ``np.linalg.solve`` does; NaN where that would raise because an element is infinite or NaN."""
    is_finite = True
    for x in a.flat:
        is_finite = is_finite and x - x == 0
    for x in b.flat:
        is_finite = is_finite and x - x == 0
    return solve(a, b) if is_finite else np.full(b.shape, math.nan, b.dtype)


@kept
def inv(a):
    """Returns what ``np.linalg.inv`` does."""
    n = a.shape[0]
    if n <= SMALL and a.shape[1] == n:
        system = workspace(a, n, 2 * n)
        for i in range(n):
            for j in range(n):
                system[i, j] = a[i, j]
                system[i, n + j] = 0.0
            system[i, n + i] = 1.0
        if eliminate(system) != 0:
            substitute(system)
            return solutions(system, a)
    return np.ascontiguousarray(np.linalg.inv(a))


@kept
def det(a):
    """Returns what ``np.linalg.det`` does. A product that leaves the range of float32 comes from the library, which adds logarithms."""
    n = a.shape[0]
    if 1 <= n <= SMALL and a.shape[1] == n:
        system = workspace(a, n, n)
        for i in range(n):
            for j in range(n):
                system[i, j] = a[i, j]
        is_in_range = True
        sign = eliminate(system)
        product = system[0, 0]
        for i in range(1, n):
            is_in_range = is_in_range and 1e-30 < abs(product.real) + abs(product.imag) < 1e30
            product *= system[i, i]
        if sign != 0 and is_in_range and 1e-30 < abs(product.real) + abs(product.imag) < 1e30:
            return product if sign > 0 else -product
    return np.linalg.det(a)


@kept
def cholesky(a):
    """Returns what ``np.linalg.cholesky`` does."""
    n = a.shape[0]
    if n <= SMALL and a.shape[1] == n:
        out = np.empty((n, n), a.dtype)
        is_positive = True
        for i in range(n):
            for j in range(i):
                total = a[i, j]
                for k in range(j):
                    total -= out[i, k] * conjugate(out[j, k])
                out[i, j] = total / out[j, j]
                out[j, i] = 0.0
            size = a[i, i].real
            least = rounding(a) * size
            for k in range(i):
                size -= out[i, k].real * out[i, k].real + out[i, k].imag * out[i, k].imag
            if not size > least:
                is_positive = False
                break
            out[i, i] = math.sqrt(size)
        if is_positive:
            return out
    return np.linalg.cholesky(a)


@kept
def cholesky_adjoint(g, c):
    """Returns the cotangents of the lower triangle of a small matrix from those of its factor ``c``, by the steps of the factorization from last to first."""
    n = c.shape[0]
    out = np.empty((n, n), c.dtype)
    for i in range(n):
        for j in range(n):
            out[i, j] = g[i, j] if j <= i else 0.0
    for i in range(n - 1, -1, -1):
        x = out[i, i] / (c[i, i] + c[i, i])
        out[i, i] = x
        for k in range(i):
            out[i, k] -= (x + x) * c[i, k]
        for j in range(i - 1, -1, -1):
            x = out[i, j] / c[j, j]
            out[i, j] = x
            out[j, j] -= x * c[i, j]
            for k in range(j):
                out[i, k] -= x * c[j, k]
                out[j, k] -= x * c[i, k]
    return out


@kept
def times(a, b):
    """Returns the product of two matrices."""
    m, k, n = a.shape[0], a.shape[1], b.shape[1]
    if m <= SMALL and k <= SMALL and n <= SMALL and b.shape[0] == k:
        out = np.empty((m, n), a.dtype)
        for i in range(m):
            for j in range(n):
                total = a.dtype.type(0)
                for p in range(k):
                    total += a[i, p] * b[p, j]
                out[i, j] = total
        return out
    return np.dot(a, b)
