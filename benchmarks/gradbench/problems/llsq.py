"""Least squares: a polynomial of m coefficients is fitted to the sign function at n points in [-1, 1]."""

from typing import Any

import numba
import numpy as np

from benchmarks.gradbench.problem import SEED, Problem, to_list

POINTS = (16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8196, 16392)
COEFFICIENTS = 128


@numba.njit
def sign(t):
    """Returns -1, 0 or 1."""
    if t > 0.0:
        return 1.0
    if t < 0.0:
        return -1.0
    return 0.0


@numba.njit
def half_squared_residuals(coefficients, n):
    """Returns half the sum of the squared residuals at n points."""
    total = 0.0
    for i in range(n):
        t = -1.0 + i * 2.0 / (n - 1)
        residual = sign(t)
        power = 1.0
        for coefficient in coefficients:
            residual -= coefficient * power
            power *= t
        total += residual * residual
    return total / 2.0


def inputs(n: int, m: int) -> dict[str, Any]:
    """Returns m coefficients between 0 and 1, and the number n of points."""
    return {"x": np.random.default_rng(SEED).random(m).tolist(), "n": n}


PROBLEM = Problem(
    name="llsq",
    derivatives=("gradient",),
    sizes={f"n={n},m={COEFFICIENTS}": {"n": n, "m": COEFFICIENTS} for n in POINTS},
    standard=("n=128,m=128", "n=2048,m=128", "n=16392,m=128"),
    inputs=inputs,
    arguments=lambda fields: (np.array(fields["x"]), fields["n"]),
    objective_name="primal",
    objective=half_squared_residuals,
    derivative_output=to_list,
)
