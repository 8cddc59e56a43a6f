"""Constructs that a compiler may refuse, and must differentiate rightly if it does not."""

import heapq
import math

import numpy as np
from numba import vectorize

from tests.derivatives.table import A, B, V, X, Y, formula, program


@vectorize
def squared_plus(x, y):
    return x * x + y


formula("user_ufunc", lambda x, y: squared_plus(x, y).sum() * squared_plus(x[0], y[1]), (X, Y), refused=None)


@program(X, refused=None)
def mapped(x):
    total = 0.0
    for value in map(lambda v: v * v, x):
        total += value
    return total


@program(X, refused=None)
def filtered(x):
    total = 0.0
    for value in filter(lambda v: v > 0.0, x):
        total += value * value
    return total


@program(X, refused=None)
def heap_of_floats(x):
    heap = [x[0]]
    for i in range(1, 4):
        heapq.heappush(heap, x[i] * x[i])
    return heapq.heappop(heap) * heapq.heappop(heap)


@program(X, refused=None)
def list_sorted(x):
    values = [value * value for value in x]
    values.sort()
    return values[0] + 2.0 * values[1] + 3.0 * values[2] * values[3]


@program((X, Y), refused=None)
def nditer(x, y):
    total = 0.0
    for a, b in np.nditer((x, y)):
        total += a.item() * b.item()
    return total


@program(X, refused=None)
def list_inserted_and_reversed(x):
    values = [x[0], x[1]]
    values.insert(1, x[2] * x[0])
    values.reverse()
    values.extend([x[3], x[3] * x[3]])
    return values[0] * values[1] + values[2] * values[4]


@program(X, refused=None)
def shuffled_in_place(x):
    np.random.seed(3)
    np.random.shuffle(x)
    return x[0] + 2.0 * x[1] ** 2 + 3.0 * x[2] ** 3 + 4.0 * x[3] ** 4


@program((0.5, 1.2), refused=None)
def exponential_draw_of_a_scale(scale, x):
    np.random.seed(3)
    return np.random.exponential(scale) * x


@program(X, refused=None)
def partitioned(x):
    y = np.partition(x, 2)
    return y[2] * y[2] + x[0]


@program((X, Y), refused=None)
def set_of_local_arrays_by_a_tuple_of_slices(x, y):
    m = np.zeros((2, 4))
    m[(0, slice(1, 3))] = x[:2] * y[:2]
    return (m * m).sum() + m[0, 1]


@program((A, B), refused=None)
def product_into_an_output(a, b):
    out = np.empty((3, 3))
    np.dot(a, b, out)
    return (out * out).sum()


@program((A, V), refused=None)
def eigenvalues_of_a_matrix_with_real_ones(a, v):
    w = np.linalg.eigvals(a @ a.T + np.eye(3)).real
    return (w * w).sum() + v[0]


@program(A, refused=None)
def condition_number(a):
    return np.linalg.cond(a)


@program((X, Y), refused=None)
def covariances(x, y):
    c = np.cov(x, y)
    return c[0, 1] * c[0, 0] + np.corrcoef(x, y)[0, 1]


@program(X, refused=None)
def histogram_counts_as_weights(x):
    counts, edges = np.histogram(x, 3)
    return counts[0] * x[0] + counts[1] * x[1] * x[1]


@program((X, 0.3), refused=None)
def digitized(x, s):
    bins = np.array([-1.0, 0.0, 1.0])
    n = np.digitize(x, bins)
    return (x * n).sum() * s


@program((X, Y), refused=None)
def error_that_carries_on(x, y):
    total = 0.0
    for i in range(4):
        try:
            if x[i] < 0.0:
                raise ValueError("negative")
            total += math.sqrt(x[i]) * y[i]
        except Exception:
            total += x[i] * x[i]
    return total
