"""Linear and cubic splines, and multilinear interpolation, of interpolation."""

import numpy as np
from interpolation import interp, mlinterp
from interpolation.splines import (
    CGrid,
    CubicSpline,
    LinearSpline,
    UCGrid,
    eval_cubic,
    eval_linear,
    eval_spline,
    extrap_options,
    prefilter,
)

random = np.random.default_rng(0)


def attempt(function, *arguments, **options):
    """Calls a function; some do not go with this Numba."""
    try:
        return function(*arguments, **options)
    except Exception as error:  # noqa: BLE001
        print(f"{function}: {error}")


NODES = np.array([0.0, 0.4, 1.1, 1.7])
VALUES = random.normal(size=4)
attempt(interp, NODES, VALUES, 0.73)
attempt(interp, NODES, VALUES, np.array([0.2, 1.3]))
attempt(mlinterp, (NODES, NODES), random.normal(size=(4, 4)), (0.3, 1.2))
attempt(mlinterp, (NODES, NODES), random.normal(size=(4, 4)), (np.array([0.3, 0.5]), np.array([1.2, 0.1])))


POINT, POINTS = np.array([0.37, 0.61]), random.uniform(0.1, 0.9, (5, 2))
for grid in (UCGrid((0.0, 1.0, 5), (0.0, 1.0, 6)), CGrid(np.linspace(0, 1, 5), np.linspace(0, 1, 6) ** 2)):
    table = random.normal(size=(5, 6))
    for where in (POINT, POINTS):
        attempt(eval_linear, grid, table, where)
        attempt(eval_linear, grid, table, where, extrap_options.LINEAR)
    attempt(eval_spline, grid, table, POINTS, order=1, extrap_mode="linear")
grid = UCGrid((0.0, 1.0, 5), (0.0, 1.0, 6))
coefficients = attempt(prefilter, grid, random.normal(size=(5, 6)), 3)
if coefficients is not None:
    for where in (POINT, POINTS):
        attempt(eval_cubic, grid, coefficients, where)
    attempt(eval_spline, grid, coefficients, POINT, order=3, extrap_mode="nearest")
for kind in (LinearSpline, CubicSpline):
    spline = kind([0.0, 0.0], [1.0, 1.0], [5, 6], table)
    attempt(spline, POINT)
    attempt(spline, POINTS)
