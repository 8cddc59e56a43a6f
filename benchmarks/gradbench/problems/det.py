"""The determinant of a square matrix by expansion by minors, which takes n! products."""

from typing import Any

import numba
import numpy as np

from benchmarks.gradbench.problem import SEED, Problem


@numba.njit
def minor(a, row, following):
    """Returns the determinant of the rows of `a` from `row` on, in the columns that are left.

    `following[j]` is the column after j among those that are left; the first follows the index n.
    """
    n = len(a)
    before = n
    column = following[before]
    if row == n - 1:
        return a[row, column]
    if row == n - 2:
        other = following[column]
        return a[row, column] * a[row + 1, other] - a[row, other] * a[row + 1, column]
    total = 0.0
    sign = 1.0
    for _ in range(n - row):
        following[before] = following[column]
        total += sign * a[row, column] * minor(a, row + 1, following)
        following[before] = column
        sign = -sign
        before = column
        column = following[column]
    return total


@numba.njit
def determinant(a):
    """Returns the determinant of a square matrix."""
    n = len(a)
    following = np.empty(n + 1, np.int64)
    for j in range(n):
        following[j] = j + 1
    following[n] = 0
    return minor(a, 0, following)


def inputs(ell: int) -> dict[str, Any]:
    """Returns a matrix of numbers between 0 and 1, row by row."""
    return {"A": np.random.default_rng(SEED).random(ell * ell).tolist(), "ell": ell}


PROBLEM = Problem(
    name="det",
    derivatives=("gradient",),
    sizes={f"{ell}": {"ell": ell} for ell in range(5, 12)},
    standard=("5", "7", "9"),
    inputs=inputs,
    arguments=lambda fields: (np.array(fields["A"]).reshape(fields["ell"], fields["ell"]),),
    objective_name="primal",
    objective=determinant,
    derivative_output=lambda gradient: gradient.ravel().tolist(),
)
