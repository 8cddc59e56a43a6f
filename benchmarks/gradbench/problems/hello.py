"""The square of a number, and its derivative: the smallest problem.

Its messages ask for one run only. What is timed is a first call, which says nothing about speed.
"""

import numba

from benchmarks.gradbench.problem import Problem


@numba.njit
def square(x):
    """Returns the square of x."""
    return x * x


PROBLEM = Problem(
    name="hello",
    derivatives=("double",),
    sizes={"x=8": {"x": 8.0}},
    standard=("x=8",),
    inputs=lambda x: x,
    arguments=lambda x: (float(x),),
    objective_name="square",
    objective=square,
)
