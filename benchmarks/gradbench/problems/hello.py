"""The square of a number, and its derivative: the smallest problem."""

import numba

from benchmarks.gradbench.problem import Problem


@numba.njit
def square(x):
    """Returns the square of x."""
    return x * x


def inputs(x: float) -> float:
    """Returns the number itself."""
    return x


PROBLEM = Problem(
    name="hello",
    derivatives=("double",),
    sizes={"x=1": {"x": 1.0}, "x=2": {"x": 2.0}, "x=8": {"x": 8.0}, "x=128": {"x": 128.0}},
    standard=("x=8",),
    inputs=inputs,
    arguments=lambda x: (float(x),),
    objective_name="square",
    objective=square,
)
