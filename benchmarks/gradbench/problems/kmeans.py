"""Newton's step of k-means: the gradient of the cost by the centroids, divided by the diagonal of its Hessian."""

from typing import Any

import numba
import numpy as np

from benchmarks.gradbench.problem import SEED, Problem, to_list

BLOCK = 256
"""The points whose distances are computed side by side, in the lanes of vectors."""


@numba.njit
def closest_centroids(points, centroids):
    """Returns the number of the closest centroid of each point."""
    n, d = points.shape
    closest = np.zeros(n, np.int64)
    for start in range(0, n, BLOCK):
        columns = np.ascontiguousarray(points[start : start + BLOCK].T)
        least = np.full(columns.shape[1], np.inf)
        distances = np.empty_like(least)
        for j in range(len(centroids)):
            distances[:] = 0.0
            for axis in range(d):
                for i in range(len(distances)):
                    difference = columns[axis, i] - centroids[j, axis]
                    distances[i] += difference * difference
            for i in range(len(distances)):
                if distances[i] < least[i]:
                    least[i] = distances[i]
                    closest[start + i] = j
    return closest


@numba.njit
def cost(points, centroids):
    """Returns the sum over all points of the squared distance to the closest centroid."""
    closest = closest_centroids(points, centroids)
    total = 0.0
    for i in range(len(points)):
        for axis in range(points.shape[1]):
            difference = points[i, axis] - centroids[closest[i], axis]
            total += difference * difference
    return total


def inputs(k: int, n: int, d: int) -> dict[str, Any]:
    """Returns n points between 0 and 1 in d dimensions, the last k of which are the centroids: no cluster is empty."""
    points = np.random.default_rng(SEED).random((n, d))
    return {"points": points.tolist(), "centroids": points[-k:].tolist()}


PROBLEM = Problem(
    name="kmeans",
    derivatives=("dir",),
    sizes={
        f"k={k},n={n},d={d}": {"k": k, "n": n, "d": d} for k in (10, 100, 1000) for n in (1000, 10000) for d in (8, 16)
    },
    standard=("k=10,n=1000,d=8", "k=100,n=1000,d=16", "k=100,n=10000,d=16"),
    inputs=inputs,
    arguments=lambda fields: (np.array(fields["points"]), np.array(fields["centroids"])),
    objective_name="cost",
    objective=cost,
    derivative_output=to_list,
)
