"""Parallel loops: `prange` with reductions and with writes to separate elements."""

import numpy as np
from numba import prange

from tests.derivatives.table import A, V, X, Y, program


@program((X, Y), parallel=True)
def sum_in_a_parallel_loop(x, y):
    total = 0.0
    for i in prange(len(x)):
        total += x[i] * y[i] * x[i]
    return total


@program((X, Y), parallel=True)
def product_in_a_parallel_loop(x, y):
    product = 1.0
    for i in prange(len(x)):
        product *= x[i] + 2.0 * y[i]
    return product


@program(X, parallel=True)
def maximum_in_a_parallel_loop(x):
    largest = -10.0
    for i in prange(len(x)):
        largest = max(largest, x[i] * x[i])
    return largest


@program(X, parallel=True)
def all_iterations_read_one_element(x):
    y = np.zeros(4)
    for i in prange(4):
        y[i] = x[i] * x[0] + np.sin(x[3])
    return (y * y).sum()


@program((A, V), parallel=True)
def rows_in_parallel(a, v):
    y = np.empty(3)
    for i in prange(3):
        t = 0.0
        for j in range(3):
            t += a[i, j] * v[j] * v[i]
        y[i] = t * t
    return y.sum()


@program(X, parallel=True)
def array_reduction_in_a_parallel_loop(x):
    y = np.zeros(2)
    for i in prange(4):
        y += np.array([x[i], x[i] * x[i]])
    return y[0] * y[1]


@program((X, Y), parallel=True)
def parallel_array_expressions(x, y):
    z = np.sin(x) * y
    return (z * z + x).sum()


@program((X, Y))
def parallel_loop_that_runs_in_series(x, y):
    total = 0.0
    for i in prange(4):
        x[i] = x[i] * y[i]
        total += x[i] * x[i]
    return total
