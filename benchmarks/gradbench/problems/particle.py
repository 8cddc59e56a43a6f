"""The control of a charged particle that makes it hit the origin: a derivative of a path whose forces are derivatives.

Two charges push the particle; the control moves one of them. Its path is integrated by Euler's method until it crosses
the x axis. The control is found by gradient descent on the square of x at this place.
"""

import math
from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from benchmarks.gradbench.problem import Problem

STEP = 0.1
CONTROL = 0.2071918746486116
START = (0.0, 8.0, 0.75, 0.0)


@numba.njit
def potential(x, y, control):
    """Returns the potential of the two charges at the place (x, y)."""
    first = math.sqrt((x - 10.0) ** 2 + (y - 10.0 + control) ** 2)
    second = math.sqrt((x - 10.0) ** 2 + y**2)
    return 1.0 / first + 1.0 / second


def squared_miss(slope: Callable[..., Any]) -> Callable[..., Any]:
    """Returns the compiled function of a control and of the first place and speed, whose result is the square of x at y = 0.

    Args:
        slope: a compiled function of the arguments of `potential` that returns its derivatives by x and by y.
    """

    @numba.njit
    def miss(control, start):
        x, y, speed_x, speed_y = start[0], start[1], start[2], start[3]
        while True:
            by_x, by_y = slope(x, y, control[0])
            x += STEP * speed_x
            y += STEP * speed_y
            if y <= 0.0:
                break
            speed_x -= STEP * by_x
            speed_y -= STEP * by_y
        crossing = x - y / speed_y * speed_x
        return crossing * crossing

    return miss


PROBLEM = Problem(
    name="particle",
    derivatives=("rr", "fr", "rf", "ff"),
    sizes={"w=0": {"w": 0.0}},
    standard=("w=0",),
    inputs=lambda w: {"w": w},
    arguments=lambda fields: (np.array([float(fields["w"])]), np.array(START)),
    derivative_output=lambda control: float(control[0]),
    expected=CONTROL,
)
