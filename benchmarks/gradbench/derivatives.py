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
PORTION = 256
"""The observations whose copies of cameras and points are in memory at a time."""


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
    """Returns the Jacobian of bundle adjustment in compressed sparse rows: row pointers, columns and values.

    An error depends on one camera, one point and one weight. Where each observation has copies of its own, the gradient of the sum of all
    first errors has the rows of all first errors. Observations go by in portions, which the caches hold. NumPy allocates the
    result in huge pages, Numba in small ones, each of which is a page fault.
    """
    gradients_of_first, gradients_of_second = (fg.grad(_sum_of_errors(axis), argnums=(0, 1, 2)) for axis in range(2))
    weight_slope = fg.grad(ba.weight_error)

    @numba.njit
    def fill(columns, values, error, start, observations, by_camera, by_point, by_weight, first_point, first_weight):
        for i in range(len(by_weight)):
            row = start + i
            entry = ba.BLOCK * (2 * row + error)
            camera = ba.CAMERA * observations[row, 0]
            point = first_point + ba.POINT * observations[row, 1]
            for j in range(ba.CAMERA):
                columns[entry + j] = camera + j
                values[entry + j] = by_camera[i, j]
            for j in range(ba.POINT):
                columns[entry + ba.CAMERA + j] = point + j
                values[entry + ba.CAMERA + j] = by_point[i, j]
            columns[entry + ba.BLOCK - 1] = first_weight + row
            values[entry + ba.BLOCK - 1] = by_weight[i]

    @numba.njit
    def fill_all(rows, columns, values, cameras, points, weights, observations, features):
        p = len(observations)
        first_point = cameras.size
        first_weight = first_point + points.size
        for start in range(0, p, PORTION):
            n = min(PORTION, p - start)
            its_cameras, its_points = np.empty((n, ba.CAMERA)), np.empty((n, ba.POINT))
            for i in range(n):
                for j in range(ba.CAMERA):
                    its_cameras[i, j] = cameras[observations[start + i, 0], j]
                for j in range(ba.POINT):
                    its_points[i, j] = points[observations[start + i, 1], j]
            portion = (its_cameras, its_points, weights[start : start + n], features[start : start + n])
            first = gradients_of_first(*portion)
            fill(columns, values, 0, start, observations, *first, first_point, first_weight)
            second = gradients_of_second(*portion)
            fill(columns, values, 1, start, observations, *second, first_point, first_weight)
        for i in range(2 * p):
            rows[i] = ba.BLOCK * i
        entry = 2 * ba.BLOCK * p
        for i in range(p):
            rows[2 * p + i] = entry + i
            columns[entry + i] = first_weight + i
            values[entry + i] = weight_slope(weights[i])
        rows[3 * p] = entry + p

    def jacobian(*arguments):
        p = len(arguments[3])
        rows, columns = np.empty(3 * p + 1, np.int64), np.empty((2 * ba.BLOCK + 1) * p, np.int64)
        values = np.empty(len(columns))
        fill_all(rows, columns, values, *arguments)
        return rows, columns, values

    return jacobian


def _sum_of_errors(axis: int) -> Compiled:
    """Returns the compiled sum of one of the two errors over observations that have cameras and points of their own."""

    @numba.njit
    def total(cameras, points, weights, features):
        result = 0.0
        for i in range(len(weights)):
            result += weights[i] * (ba.project(cameras[i], points[i])[axis] - features[i, axis])
        return result

    return total


def hand_jacobian(_: str) -> Compiled:
    """Returns the Jacobian of hand tracking: a column for each coordinate in a triangle, then one for each parameter.

    A residual depends on its own point's coordinates only, so that one tangent gives the first of all points.
    """
    by_theta = fg.jacobian(ht.residuals, argnums=0)
    along_us = fg.jvp(ht.differences, argnums=0)

    def jacobian(theta, us, *data):
        correspondences, points, triangles, *model = data
        vertices = ht.posed_vertices(theta, *model)
        columns = []
        for coordinate in range(2):
            tangent = np.zeros_like(us)
            tangent[:, coordinate] = 1.0
            columns.append(along_us(us, vertices, correspondences, points, triangles, tangent)[1])
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
