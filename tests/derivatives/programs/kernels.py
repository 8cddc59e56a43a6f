"""Calls of generalized ufuncs and stencils, whose kernels are inlined into loops."""

import numba
import numpy as np
from numba import guvectorize, njit, stencil

from tests.derivatives.table import A, B, V, X, Y, formula, program

TABLE = np.arange(1.0, 21.0).reshape(4, 5) % 7.0 * 0.3


@guvectorize(["void(float64[:], float64[:])"], "(n)->(n)")
def running_squares(x, out):
    total = 0.0
    for i in range(len(x)):
        total += x[i] * x[i]
        out[i] = total


@guvectorize("(n),()->(n)")
def scaled(x, factor, out):
    for i in range(len(x)):
        out[i] = x[i] * factor + factor


@guvectorize(["void(float64[:], float64[:], float64[:])"], "(n),(n)->()")
def weighted_sum(x, y, out):
    total = 0.0
    for i in range(len(x)):
        total += x[i] * y[i] * y[i]
    out[0] = total


@guvectorize("(m,n),(n,p)->(m,p),()")
def product_and_trace(a, b, out, trace):
    trace[0] = 0.0
    for i in range(a.shape[0]):
        trace[0] += a[i, i]
        for j in range(b.shape[1]):
            out[i, j] = 0.0
            for k in range(a.shape[1]):
                out[i, j] += a[i, k] * b[k, j]


@stencil
def neighbours(x):
    return x[-1] * x[1] + 0.5 * x[0]


@stencil(cval=2.0, neighborhood=((-2, 1),))
def window_sums(x):
    total = 0.0
    for i in range(-2, 2):
        total += x[i] * x[0]
    return total


@stencil
def curvature(u):
    return u[-1, 0] * u[1, 0] + u[0, -1] * u[0, 1] - 4.0 * u[0, 0] * u.shape[0]


@stencil(standard_indexing=("weights",))
def convolution(x, weights, bias):
    return x[-1] * weights[0] + x[0] * weights[1] + x[1] * weights[2] + bias


@stencil
def of_two(x, y):
    if x[0] > y[1]:
        return x[2] * y[0]
    return x[0] * y[1]


@program(X)
def ufunc_of_a_row(x):
    out = np.zeros(4)
    running_squares(x, out)
    return (out * x).sum()


@program(A)
def ufunc_of_rows(a):
    out = np.zeros((3, 3))
    running_squares(a, out)
    running_squares(out, out)
    return (out * a).sum()


@program((X, 1.3))
def ufunc_of_an_array_and_a_number(x, factor):
    out = np.ones(4)
    scaled(x, factor, out)
    scaled(out, 2, out)
    return (out * x).sum()


@program((A, V))
def ufunc_to_numbers(a, v):
    out = np.zeros(3)
    weighted_sum(a, v, out)
    weighted_sum(v, a[1], out[1:2])
    return (out * out * v).sum()


@program((A, B))
def ufunc_with_two_results(a, b):
    out, trace = np.zeros((2, 3, 3)), np.zeros(2)
    both = np.stack((a, b))
    product_and_trace(both, both[::-1], out, trace)
    return (out[0] * b).sum() * trace[0] + out[1, 2, 0] * trace[1]


formula("stencil_of_an_array", lambda x: (neighbours(x) * x).sum(), X)
formula("stencil_with_a_neighborhood", lambda x: (window_sums(x) * x).sum(), X)


@program(TABLE)
def stencil_of_a_matrix(u):
    for _ in range(3):
        u = curvature(u) * 0.1 + u
    return u.sum() * u[1, 1]


formula("stencil_with_other_indices", lambda x, weights, bias: (convolution(x, weights, bias) * x).sum(), (X, V, 0.3))


@program(TABLE)
def stencil_into_an_array(u):
    out = np.ones_like(u)
    curvature(u, out=out)
    return (out * u).sum()


formula("stencil_of_two_arrays", lambda x, y: (of_two(x, y) * x).sum() + of_two(y[1:], x).sum(), (X, Y))
formula("stencil_of_a_strided_array", lambda x: neighbours(np.concatenate((x, x * x))[::2])[1:].sum(), X)


smoothed = njit(lambda x: neighbours(neighbours(x)))


formula("stencil_in_a_helper", lambda x: (smoothed(x) * x).sum(), X)


@program(X)
def stencil_of_a_closure(x):
    def kernel(a):
        return a[-1] * a[0]

    return numba.stencil(kernel)(x).sum()


@stencil(neighborhood=((-2, 0),))
def sums_of_the_last(x):
    total = 0.0
    for i in range(-2, 1):
        total += x[i] * x[0]
    return total


@stencil
def of_two_matrices(a, b):
    return a[0, -1] * b[1, 0]


@guvectorize("(n)->()")
def updated(x, out):
    out[0] = out[0] * x[0] + x[1]


@program(X)
def stencil_into_its_argument(x):
    neighbours(x, out=x)
    return (x * x).sum()


@program(X)
def stencil_into_a_view_of_its_argument(x):
    y = np.concatenate((x, x * x))
    neighbours(y[:-1], out=y[1:])
    return (y * y).sum()


@program((X, Y))
def stencil_into_its_second_argument(x, y):
    z = y * y
    of_two(x, z, out=z)
    return (z * x).sum() + of_two(x, x).sum()


@program(X)
def stencil_of_arrays_smaller_than_its_borders(x):
    return (neighbours(x[:1]) * x[:1]).sum() + (sums_of_the_last(x[:2]) * x[1:3]).sum() + neighbours(x[:0]).sum() + x[0]


@program(A)
def stencil_of_two_views_of_a_matrix(a):
    return (of_two_matrices(a, a.T) * a).sum() + (of_two_matrices(a[:, :2], a[:, 1:]) * a[:, :2]).sum()


@program((A, B))
def ufunc_into_its_arguments(a, b):
    trace = b[:2, 0]
    both = np.stack((a, b))
    product_and_trace(both, both, both, trace)
    running_squares(a, a)
    return both.sum() * trace[0] + (a * b).sum()


@program((X, 1.5))
def ufunc_that_reads_its_result(x, k):
    out = np.array([k, k * k])
    rows = np.stack((x, x * x))
    updated(rows, out)
    updated(rows, out)
    return out[0] * out[1]
