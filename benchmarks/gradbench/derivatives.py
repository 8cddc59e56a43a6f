"""The derivatives that GradBench asks for, in terms of `fg.grad`, `fg.jacobian` and `fg.jvp`.

Each function here returns the compiled derivative for one name in `Problem.derivatives`, which takes the arguments of the
problem's objective.
"""

from collections.abc import Callable
from typing import Any

import numba
import numpy as np

import fastgrad as fg
from benchmarks.gradbench.descent import minimizer
from benchmarks.gradbench.problem import Problem
from benchmarks.gradbench.problems import ba, det, gmm, hello, ht, kmeans, llsq, lse, lstm, ode, particle, saddle

Compiled = Callable[..., Any]
REVERSE = "r"


def derivative(problem: Problem, function: str) -> Compiled:
    """Returns the derivative of a problem that has this name in GradBench."""
    return _DERIVATIVES[problem.name](function)


def newton_step(_: str) -> Compiled:
    """Returns the gradient of the cost of k-means by the centroids, divided by the diagonal of its Hessian."""
    gradient_and_slope = fg.jvp(fg.grad(kmeans.cost, argnums=1), argnums=1)

    @numba.njit
    def step(points, centroids):
        gradient, diagonal = gradient_and_slope(points, centroids, np.ones_like(centroids))
        for j in range(len(gradient)):
            for axis in range(gradient.shape[1]):
                gradient[j, axis] /= diagonal[j, axis]
        return gradient

    return step


def bundle_jacobian(_: str) -> Compiled:
    """Returns the Jacobian of bundle adjustment in compressed sparse rows: row pointers, columns and values."""
    block = fg.jacobian(ba.reprojection_error, argnums=(0, 1, 2))
    weight_slope = fg.grad(ba.weight_error)

    @numba.njit
    def jacobian(cameras, points, weights, observations, features):
        p = len(observations)
        rows = np.empty(3 * p + 1, np.int64)
        columns = np.empty((2 * ba.BLOCK + 1) * p, np.int64)
        values = np.empty(len(columns))
        first_point = cameras.size
        first_weight = first_point + points.size
        rows[0] = 0
        entry = 0
        for i in range(p):
            camera, point = observations[i, 0], observations[i, 1]
            by_camera, by_point, by_weight = block(cameras[camera], points[point], weights[i], features[i])
            for error in range(2):
                for j in range(ba.CAMERA):
                    columns[entry] = ba.CAMERA * camera + j
                    values[entry] = by_camera[error, j]
                    entry += 1
                for j in range(ba.POINT):
                    columns[entry] = first_point + ba.POINT * point + j
                    values[entry] = by_point[error, j]
                    entry += 1
                columns[entry] = first_weight + i
                values[entry] = by_weight[error]
                entry += 1
                rows[2 * i + error + 1] = entry
        for i in range(p):
            columns[entry] = first_weight + i
            values[entry] = weight_slope(weights[i])
            entry += 1
            rows[2 * p + i + 1] = entry
        return rows, columns, values

    return jacobian


def hand_jacobian(_: str) -> Compiled:
    """Returns the Jacobian of hand tracking: a column for each coordinate in a triangle, then one for each parameter.

    A residual depends on its own point's coordinates only, so that one tangent gives the first of all points.
    """
    by_theta = fg.jacobian(ht.residuals, argnums=0)
    along_us = fg.jvp(ht.residuals, argnums=1)

    def jacobian(theta, us, *data):
        columns = []
        for coordinate in range(2):
            tangent = np.zeros_like(us)
            tangent[:, coordinate] = 1.0
            columns.append(along_us(theta, us, *data, tangent)[1])
        return np.column_stack([*columns, by_theta(theta, us, *data)])

    return jacobian


def gradient(function: Compiled, mode: str, size: int) -> Compiled:
    """Returns the gradient by the first of two arguments, an array of so many elements, in reverse or in forward mode."""
    if mode == REVERSE:
        return fg.grad(function)
    along = fg.jvp(function)

    @numba.njit
    def forward(x, data):
        result = np.empty(size)
        for i in range(size):
            tangent = np.zeros(size)
            tangent[i] = 1.0
            result[i] = along(x, data, tangent)[1]
        return result

    return forward


def particle_control(modes: str) -> Compiled:
    """Returns the search for the control of the particle; `modes` has the mode of the search, then that of the forces."""
    if modes[1] == REVERSE:
        slope = fg.grad(particle.potential, argnums=(0, 1))
    else:
        along = fg.jvp(particle.potential, argnums=(0, 1))

        @numba.njit
        def slope(x, y, control):
            return along(x, y, control, 1.0, 0.0)[1], along(x, y, control, 0.0, 1.0)[1]

    miss = particle.squared_miss(slope)
    return minimizer(miss, gradient(miss, modes[0], 1))


def saddle_point(modes: str) -> Compiled:
    """Returns the search for the saddle point; `modes` has the mode of the outer search, then that of the inner one."""
    inner = gradient(saddle.negative_payoff, modes[1], 2)
    largest = saddle.largest_payoff(inner)
    outer_search = minimizer(largest, gradient(largest, modes[0], 2))
    inner_search = minimizer(saddle.negative_payoff, inner)

    @numba.njit
    def search(start):
        x = outer_search(start, start)
        y = inner_search(start, x)
        result = np.empty(4)
        result[:2] = x
        result[2:] = y
        return result

    return search


_DERIVATIVES: dict[str, Callable[[str], Compiled]] = {
    "hello": lambda _: fg.grad(hello.square),
    "llsq": lambda _: fg.grad(llsq.half_squared_residuals),
    "lse": lambda _: fg.grad(lse.log_sum_exp),
    "det": lambda _: fg.grad(det.determinant),
    "ode": lambda _: fg.grad(ode.last_element),
    "kmeans": newton_step,
    "gmm": lambda _: fg.grad(gmm.log_posterior, argnums=(0, 1, 2, 3)),
    "lstm": lambda _: fg.grad(lstm.loss, argnums=(0, 1)),
    "ba": bundle_jacobian,
    "ht": hand_jacobian,
    "particle": particle_control,
    "saddle": saddle_point,
}
