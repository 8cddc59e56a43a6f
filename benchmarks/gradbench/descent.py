"""Gradient descent with the step size of GradBench's problems `particle` and `saddle`."""

import math
from collections.abc import Callable
from typing import Any

import numba
import numpy as np

FIRST_RATE = 1e-5
TOLERANCE = 1e-5
STREAK = 10


def minimizer(value: Callable[..., Any], gradient: Callable[..., Any]) -> Callable[..., Any]:
    """Returns the compiled function `(start, data)` that minimizes `value(x, data)` over arrays x.

    The rate doubles after ten steps that made the value smaller, and halves at one that did not. The search ends where the
    gradient or the next step is shorter than the tolerance.

    Args:
        value: a compiled function of x and the data that returns a number.
        gradient: a compiled function of x and the data that returns the gradient by x.
    """

    @numba.njit
    def length(x):
        total = 0.0
        for i in range(len(x)):
            total += x[i] * x[i]
        return math.sqrt(total)

    @numba.njit
    def minimize(start, data):
        x = start.copy()
        least = value(x, data)
        direction = gradient(x, data)
        rate = FIRST_RATE
        streak = 0
        while length(direction) > TOLERANCE:
            if streak == STREAK:
                rate *= 2.0
                streak = 0
            candidate = np.empty(len(x))
            for i in range(len(x)):
                candidate[i] = x[i] - rate * direction[i]
            if rate * length(direction) <= TOLERANCE:
                break
            found = value(candidate, data)
            if found < least:
                x = candidate
                least = found
                direction = gradient(x, data)
                streak += 1
            else:
                rate /= 2.0
                streak = 0
        return x

    return minimize
