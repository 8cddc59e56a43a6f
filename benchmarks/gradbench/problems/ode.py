"""An ordinary differential equation by Runge and Kutta's method: y₀' = x₀ and yᵢ' = xᵢ yᵢ₋₁, from y = 0 at t = 0 to t = 2.

GradBench's gradient by hand is a formula for the exact solution, without steps. It agrees where all
derivatives are far below the tolerance of the comparison, as they are for a thousand elements and more.
"""

from typing import Any

import numba
import numpy as np

from benchmarks.gradbench.problem import SEED, Problem, to_list

END = 2.0


@numba.njit
def slope(x, y):
    """Returns the derivative of y by time."""
    result = np.empty_like(y)
    result[0] = x[0]
    for i in range(1, len(y)):
        result[i] = x[i] * y[i - 1]
    return result


@numba.njit
def solve(x, steps):
    """Returns y at the end, after so many steps of the fourth order."""
    h = END / steps
    n = len(x)
    y = np.zeros(n)
    moved = np.empty(n)
    for _ in range(steps):
        k1 = slope(x, y)
        for i in range(n):
            moved[i] = y[i] + h * k1[i] / 2.0
        k2 = slope(x, moved)
        for i in range(n):
            moved[i] = y[i] + h * k2[i] / 2.0
        k3 = slope(x, moved)
        for i in range(n):
            moved[i] = y[i] + h * k3[i]
        k4 = slope(x, moved)
        for i in range(n):
            y[i] += h * (k1[i] + 2.0 * k2[i] + 2.0 * k3[i] + k4[i]) / 6.0
    return y


@numba.njit
def last_element(x, steps):
    """Returns the last element of y at the end, which is differentiated."""
    return solve(x, steps)[-1]


def inputs(n: int, s: int) -> dict[str, Any]:
    """Returns n numbers between 0 and 1, and the number s of steps."""
    return {"x": np.random.default_rng(SEED).random(n).tolist(), "s": s}


PROBLEM = Problem(
    name="ode",
    derivatives=("gradient",),
    sizes={f"n={n},s={s}": {"n": n, "s": s} for n in (1000, 10000, 100000) for s in (1, 10, 100)},
    standard=("n=1000,s=1", "n=1000,s=100", "n=10000,s=100"),
    inputs=inputs,
    arguments=lambda fields: (np.array(fields["x"]), fields["s"]),
    objective_name="primal",
    objective=solve,
    objective_output=to_list,
    derivative_output=to_list,
)
