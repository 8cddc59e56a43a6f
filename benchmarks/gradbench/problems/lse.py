"""The logarithm of a sum of exponentials."""

import math
from typing import Any

import numba
import numpy as np

from benchmarks.gradbench.problem import SEED, Problem, to_list

LENGTHS = tuple(2500 * 2**i for i in range(10))


@numba.njit
def log_sum_exp(x):
    """Returns the logarithm of the sum of exponentials of the elements of x."""
    largest = x[0]
    for i in range(1, len(x)):
        largest = max(largest, x[i])
    total = 0.0
    for i in range(len(x)):
        total += math.exp(x[i] - largest)
    return math.log(total) + largest


def inputs(n: int) -> dict[str, Any]:
    """Returns n numbers between 0 and 1."""
    return {"x": np.random.default_rng(SEED).random(n).tolist()}


PROBLEM = Problem(
    name="lse",
    derivatives=("gradient",),
    sizes={f"n={n}": {"n": n} for n in LENGTHS},
    standard=("n=2500", "n=40000", "n=640000"),
    inputs=inputs,
    arguments=lambda fields: (np.array(fields["x"]),),
    objective_name="primal",
    objective=log_sum_exp,
    derivative_output=to_list,
)
