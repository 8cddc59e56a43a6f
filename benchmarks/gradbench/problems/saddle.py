"""A saddle point by gradient descent inside gradient descent: x is best against the y that is best against x."""

from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from benchmarks.gradbench.descent import minimizer
from benchmarks.gradbench.problem import Problem, to_list

COORDINATE = 8.246324826140356e-06


@numba.njit
def payoff(x, y):
    """Returns the function whose saddle point is looked for."""
    return (x[0] * x[0] + x[1] * x[1]) - (y[0] * y[0] + y[1] * y[1])


@numba.njit
def negative_payoff(y, x):
    """Returns what the inner descent minimizes over y."""
    return -payoff(x, y)


def largest_payoff(gradient: Callable[..., Any]) -> Callable[..., Any]:
    """Returns the compiled function of x and of the first y, whose result is the largest payoff over all y.

    Args:
        gradient: a compiled function that returns the gradient of `negative_payoff` by y.
    """
    best_answer = minimizer(negative_payoff, gradient)

    @numba.njit
    def largest(x, start):
        return payoff(x, best_answer(start, x))

    return largest


PROBLEM = Problem(
    name="saddle",
    derivatives=("rr", "fr", "rf", "ff"),
    sizes={"w=0": {"start": [1.0, 1.0]}},
    standard=("w=0",),
    inputs=lambda start: {"start": start},
    arguments=lambda fields: (np.array(fields["start"], dtype=float),),
    derivative_output=to_list,
    expected=[COORDINATE] * 4,
)
