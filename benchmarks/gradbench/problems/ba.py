"""Bundle adjustment: the errors of points that cameras see, and their sparse Jacobian.

A camera has eleven parameters: rotation (angle times axis), center, focal length, principal point, two of radial distortion.
"""

import math
from typing import Any

import numba
import numpy as np

from benchmarks.gradbench.problem import SEED, Problem

CAMERA, POINT = 11, 3
BLOCK = CAMERA + POINT + 1  # the columns on which the two errors of an observation depend
SIZES = (
    (49, 7776, 31843),
    (21, 11315, 36455),
    (161, 48126, 182072),
    (372, 47423, 204472),
    (257, 65132, 225911),
    (539, 65220, 277273),
    (93, 61203, 287451),
    (88, 64298, 383937),
    (810, 88814, 393775),
    (1197, 126327, 563734),
    (1723, 156502, 678718),
    (253, 163691, 899155),
    (245, 198739, 1091386),
    (356, 226730, 1255268),
)


@numba.njit
def rotate(rotation, x, y, z):
    """Returns the point (x, y, z), rotated about an axis by the length of `rotation` (Rodrigues' formula)."""
    rx, ry, rz = rotation[0], rotation[1], rotation[2]
    square = rx * rx + ry * ry + rz * rz
    if square == 0.0:
        return x + ry * z - rz * y, y + rz * x - rx * z, z + rx * y - ry * x
    angle = math.sqrt(square)
    cosine, sine = math.cos(angle), math.sin(angle)
    ax, ay, az = rx / angle, ry / angle, rz / angle
    along = (ax * x + ay * y + az * z) * (1.0 - cosine)
    return (
        x * cosine + (ay * z - az * y) * sine + ax * along,
        y * cosine + (az * x - ax * z) * sine + ay * along,
        z * cosine + (ax * y - ay * x) * sine + az * along,
    )


@numba.njit
def project(camera, point):
    """Returns where a camera sees a point, in pixels."""
    x, y, z = rotate(camera[0:3], point[0] - camera[3], point[1] - camera[4], point[2] - camera[5])
    u, v = x / z, y / z
    square = u * u + v * v
    distortion = 1.0 + camera[9] * square + camera[10] * square * square
    return u * distortion * camera[6] + camera[7], v * distortion * camera[6] + camera[8]


@numba.njit
def reprojection_error(camera, point, weight, feature):
    """Returns the weighted difference of a projection and the feature that was measured, two numbers."""
    u, v = project(camera, point)
    error = np.empty(2)
    error[0] = weight * (u - feature[0])
    error[1] = weight * (v - feature[1])
    return error


@numba.njit
def weight_error(weight):
    """Returns how far the square of a weight is from one."""
    return 1.0 - weight * weight


@numba.njit
def errors(cameras, points, weights, observations, features):
    """Returns the errors of all projections, shape (observations, 2), and of all weights."""
    p = len(observations)
    reprojection = np.empty((p, 2))
    weighting = np.empty(p)
    for i in range(p):
        u, v = project(cameras[observations[i, 0]], points[observations[i, 1]])
        reprojection[i, 0] = weights[i] * (u - features[i, 0])
        reprojection[i, 1] = weights[i] * (v - features[i, 1])
        weighting[i] = weight_error(weights[i])
    return reprojection, weighting


def inputs(n: int, m: int, p: int) -> dict[str, Any]:
    """Returns one camera, point, weight and feature, which stand for n cameras, m points and p observations."""
    generator = np.random.default_rng(SEED)
    point = generator.normal(size=3)
    center = point + np.append(generator.normal(size=2), -10.0)  # the camera looks at the point
    camera = [*(generator.normal(size=3) * 0.3), *center, 400.0, *(generator.normal(size=2) * 5.0), 0.08, 0.003]
    return {
        "n": n,
        "m": m,
        "p": p,
        "cam": [float(number) for number in camera],
        "x": point.tolist(),
        "w": float(generator.random()),
        "feat": (generator.random(2) * 800.0).tolist(),
    }


def arguments(fields: dict[str, Any]) -> tuple[Any, ...]:
    """Returns the arguments of `errors`: observation i is of camera i modulo n and of point i modulo m."""
    n, m, p = fields["n"], fields["m"], fields["p"]
    order = np.arange(p)
    return (
        np.tile(np.array(fields["cam"]), (n, 1)),
        np.tile(np.array(fields["x"]), (m, 1)),
        np.full(p, float(fields["w"])),
        np.stack([order % n, order % m], axis=1),
        np.tile(np.array(fields["feat"]), (p, 1)),
    )


def objective_output(result: tuple[np.ndarray, np.ndarray]) -> dict[str, Any]:
    """Returns the first errors and how often they are repeated."""
    reprojection, weighting = result
    return {
        "reproj_error": {"elements": reprojection[0].tolist(), "repeated": len(reprojection)},
        "w_err": {"element": float(weighting[0]), "repeated": len(weighting)},
    }


def derivative_output(matrix: tuple[np.ndarray, np.ndarray, np.ndarray]) -> dict[str, Any]:
    """Returns of each part of the sparse matrix the elements of the first block and the last element."""
    parts = zip(("rows", "cols", "vals"), matrix, strict=True)
    return {name: [*part[: 2 * BLOCK].tolist(), part[-1].item()] for name, part in parts}


PROBLEM = Problem(
    name="ba",
    derivatives=("jacobian",),
    sizes={f"ba{i}_n{n}_m{m}_p{p}": {"n": n, "m": m, "p": p} for i, (n, m, p) in enumerate(SIZES, 1)},
    standard=("ba1_n49_m7776_p31843", "ba5_n257_m65132_p225911"),
    inputs=inputs,
    arguments=arguments,
    objective_name="objective",
    objective=errors,
    objective_output=objective_output,
    derivative_output=derivative_output,
)
