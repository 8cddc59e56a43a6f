"""Constructs of published Numba code that were refused once."""

import math

import numpy as np
from numba import njit

from tests.derivatives.table import A, B, V, program


@njit
def leapfrog(x, v, n):
    for _ in range(n):
        v += 0.1 * np.sin(x)
        x += 0.2 * v
    return x


@program((A, B, 3), (A, B, 0))
def caller_reads_an_array_that_a_loop_of_the_callee_changes(x, v, n):
    """A loop changes arguments in place: after it the caller's names show the same arrays."""
    y = leapfrog(x, v, n)
    return (y * v).sum() + x[1, 0] * v[0, 1]


@program((A, B, 3), (A, B, 0))
def loop_in_a_loop_changes_an_array_in_place(x, v, n):
    y = x * v
    for i in range(n):
        for j in range(i + 1):
            y += 0.1 * x * (j + 1)
            x *= np.cos(y)
        y *= 0.9
    return (y * v).sum() + x[1, 0] * x[2, 2]


@program((0.7, 6))
def gamma_of_integers(x, n):
    """A series whose coefficients are gamma functions of integers."""
    total = 1.0 / math.gamma(2 + 2 + 1)
    for k in range(1, n):
        total += (-x) ** k / math.gamma(2 * k + 5)
    return total * x


@program((V, V * V))
def cross_products_of_lists_and_tuples(x, y):
    """Lists and tuples of numbers beside arrays are arrays, too."""
    n = np.cross([0, 0, 1], x)
    m = np.cross(y, (x[0], 0.5, y[1]))
    return (n * m).sum() + (np.cross([x[0], y[1], 1.0], n) * y).sum()


@program((V, 3), (V, 1), (V, 0))
def flag_that_one_way_does_not_set(x, n):
    """A boolean that has no value on one way."""
    total = x[0] * x[0]
    if n > 0:
        is_large = total > 0.1
    if n > 1 and is_large:
        total *= x[1]
    return total * x[0]
