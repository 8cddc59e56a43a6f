"""Hand tracking: how far measured points are from the surface of a hand that 26 parameters pose.

The parameters are rotation, translation, and four angles of each finger. A bone's transformation is relative to its parent's;
bones move the vertices of a mesh by their weights. A measured point belongs to a triangle of the mesh, at two of its
barycentric coordinates, which are differentiated, too.
"""

import math
from typing import Any

import numba
import numpy as np

from benchmarks.gradbench.problem import SEED, Problem, to_list

PARAMETERS, FINGERS, BONES = 26, 5, 22
VERTICES, TRIANGLES = 10000, 1084  # of GradBench's big model
BONES_OF_A_VERTEX = 4
POINTS = (100, 192, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 51200, 100000)
SMALL_ANGLE = 1e-4


@numba.njit
def matrix_product(a, b):
    """Returns the product of two matrices."""
    product = np.zeros((a.shape[0], b.shape[1]))
    for i in range(a.shape[0]):
        for k in range(a.shape[1]):
            for j in range(b.shape[1]):
                product[i, j] += a[i, k] * b[k, j]
    return product


@numba.njit
def axis_rotation(rotation):
    """Returns the matrix of a rotation about an axis by the length of `rotation`."""
    result = np.eye(3)
    angle = math.sqrt(rotation[0] ** 2 + rotation[1] ** 2 + rotation[2] ** 2)
    if angle < SMALL_ANGLE:
        return result
    x, y, z = rotation[0] / angle, rotation[1] / angle, rotation[2] / angle
    s, c = math.sin(angle), math.cos(angle)
    result[0, 0] = x * x + (1.0 - x * x) * c
    result[0, 1] = x * y * (1.0 - c) - z * s
    result[0, 2] = x * z * (1.0 - c) + y * s
    result[1, 0] = x * y * (1.0 - c) + z * s
    result[1, 1] = y * y + (1.0 - y * y) * c
    result[1, 2] = y * z * (1.0 - c) - x * s
    result[2, 0] = x * z * (1.0 - c) - y * s
    result[2, 1] = y * z * (1.0 - c) + x * s
    result[2, 2] = z * z + (1.0 - z * z) * c
    return result


@numba.njit
def joint_rotation(bend, spread):
    """Returns the homogeneous matrix of a rotation by `bend` about the x axis, then by `spread` about the z axis."""
    result = np.eye(4)
    result[0, 0] = math.cos(spread)
    result[0, 1] = -math.sin(spread) * math.cos(bend)
    result[0, 2] = math.sin(spread) * math.sin(bend)
    result[1, 0] = math.sin(spread)
    result[1, 1] = math.cos(spread) * math.cos(bend)
    result[1, 2] = -math.cos(spread) * math.sin(bend)
    result[2, 1] = math.sin(bend)
    result[2, 2] = math.cos(bend)
    return result


@numba.njit
def joint_angles(theta, bones):
    """Returns bend and spread of each bone; of a finger's four bones the last three bend, the first of these spreads, too."""
    angles = np.zeros((bones, 2))
    for finger in range(FINGERS):
        first = 4 * finger + 2
        parameter = 4 * finger + 6
        angles[first, 0] = theta[parameter]
        angles[first, 1] = theta[parameter + 1]
        angles[first + 1, 0] = theta[parameter + 2]
        angles[first + 2, 0] = theta[parameter + 3]
    return angles


@numba.njit
def posed_vertices(theta, parents, base_relatives, inverse_base_absolutes, base_positions, weights, mirrored):
    """Returns the positions of all vertices of the posed hand, shape (vertices, 3)."""
    bones = len(parents)
    angles = joint_angles(theta, bones)
    absolutes = np.empty((bones, 4, 4))
    transforms = np.empty((bones, 4, 4))
    for bone in range(bones):
        absolute = matrix_product(base_relatives[bone], joint_rotation(angles[bone, 0], angles[bone, 1]))
        if parents[bone] != -1:
            absolute = matrix_product(absolutes[parents[bone]], absolute)
        absolutes[bone] = absolute
        transforms[bone] = matrix_product(absolute, inverse_base_absolutes[bone])
    positions = np.empty((len(base_positions), 3))
    for vertex in range(len(base_positions)):
        for i in range(3):
            position = 0.0
            for bone in range(bones):
                moved = 0.0
                for j in range(4):
                    moved += transforms[bone, i, j] * base_positions[vertex, j]
                position += weights[vertex, bone] * moved
            positions[vertex, i] = position
    if mirrored:
        for vertex in range(len(positions)):
            positions[vertex, 0] = -positions[vertex, 0]
    rotation = axis_rotation(theta[0:3])
    result = np.empty_like(positions)
    for vertex in range(len(positions)):
        for i in range(3):
            result[vertex, i] = theta[3 + i]
            for j in range(3):
                result[vertex, i] += rotation[i, j] * positions[vertex, j]
    return result


@numba.njit
def differences(us, vertices, correspondences, points, triangles):
    """Returns the differences of measured points and their places on a hand with such vertices, x, y and z of each point in turn."""
    result = np.empty(3 * len(points))
    for point in range(len(points)):
        corners = triangles[correspondences[point]]
        u, v = us[point, 0], us[point, 1]
        for i in range(3):
            place = u * vertices[corners[0], i] + v * vertices[corners[1], i] + (1.0 - u - v) * vertices[corners[2], i]
            result[3 * point + i] = points[point, i] - place
    return result


@numba.njit
def residuals(
    theta,
    us,
    correspondences,
    points,
    triangles,
    parents,
    base_relatives,
    inverse_base_absolutes,
    base_positions,
    weights,
    mirrored,
):
    """Returns the differences of measured points and their places on the posed hand, x, y and z of each point in turn."""
    vertices = posed_vertices(theta, parents, base_relatives, inverse_base_absolutes, base_positions, weights, mirrored)
    return differences(us, vertices, correspondences, points, triangles)


def inputs(points: int, vertices: int = VERTICES) -> dict[str, Any]:
    """Returns a random hand with as many bones and triangles as GradBench's, and so many measured points."""
    generator = np.random.default_rng(SEED)
    parents = [-1, *(0 if bone % 4 == 1 else bone - 1 for bone in range(1, BONES - 1)), 0]
    relatives = np.tile(np.eye(4), (BONES, 1, 1))
    absolutes = np.empty_like(relatives)
    for bone, parent in enumerate(parents):
        relatives[bone, :3, :3] = axis_rotation(generator.normal(size=3))
        relatives[bone, :3, 3] = generator.normal(size=3) * 0.03
        absolutes[bone] = relatives[bone] if parent == -1 else absolutes[parent] @ relatives[bone]
    weights = np.zeros((vertices, BONES))
    movers = generator.integers(BONES, size=(vertices, BONES_OF_A_VERTEX))
    np.put_along_axis(weights, movers, generator.random(movers.shape), axis=1)
    weights /= weights.sum(axis=1, keepdims=True)
    positions = np.concatenate([generator.normal(size=(vertices, 3)) * 0.1, np.ones((vertices, 1))], axis=1)
    model = {
        "bone_count": BONES,
        "bone_names": [f"bone{bone}" for bone in range(BONES)],
        "parents": parents,
        "base_relatives": relatives.tolist(),
        "inverse_base_absolutes": np.linalg.inv(absolutes).tolist(),
        "base_positions": positions.tolist(),
        "weights": weights.tolist(),
        "triangles": generator.integers(vertices, size=(TRIANGLES, 3)).tolist(),
        "is_mirrored": False,
    }
    return {
        "theta": (generator.normal(size=PARAMETERS) * 0.3).tolist(),
        "data": {
            "model": model,
            "correspondences": generator.integers(TRIANGLES, size=points).tolist(),
            "points": (generator.normal(size=(points, 3)) * 0.1).tolist(),
        },
        "us": (generator.random((points, 2)) * 0.5).tolist(),
    }


def arguments(fields: dict[str, Any]) -> tuple[Any, ...]:
    """Returns the arguments of `residuals`."""
    data = fields["data"]
    model = data["model"]
    matrices = ("base_relatives", "inverse_base_absolutes", "base_positions", "weights")
    return (
        np.array(fields["theta"]),
        np.array(fields["us"]),
        np.array(data["correspondences"]),
        np.array(data["points"]),
        np.array(model["triangles"]),
        np.array(model["parents"]),
        *(np.array(model[name], dtype=float) for name in matrices),
        model["is_mirrored"],
    )


PROBLEM = Problem(
    name="ht",
    derivatives=("jacobian",),
    sizes={f"hand{i}_t26_c{points}": {"points": points} for i, points in enumerate(POINTS, 1)},
    standard=("hand1_t26_c100", "hand6_t26_c1600", "hand9_t26_c12800"),
    inputs=inputs,
    arguments=arguments,
    objective_name="objective",
    objective=residuals,
    objective_output=to_list,
    derivative_output=to_list,
)
