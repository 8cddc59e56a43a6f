"""Layer normalisation over the last axis, both ways. Arrays are (rows, columns).

Ba, Kiros and Hinton 2016: y = gamma (x - mean) / sqrt(variance + epsilon) + beta.
"""

import math
from collections.abc import Sequence

from fastgrad.kernels.building.body import local_array
from fastgrad.kernels.building.build import kernel
from fastgrad.kernels.functions.vector_math import least
from fastgrad.kernels.reducing.reductions import LANES, ROW_BLOCK, lane_total, sum_of
from fastgrad.kernels.running.launch import Input, Launch, Launches, Output, Spec, only

FLOATS = ("float32", "float64")


@kernel(
    "x: in[T], gamma: in[T], beta: in[T], y: out[T], mean: out[T], inverse: out[T], columns: int, epsilon: float, "
    "first: int, last: int",
    T=FLOATS,
)
def layer_norm(x, gamma, beta, y, mean, inverse, columns, epsilon, first, last):
    """The result, and each row's mean and 1 / sqrt(variance + epsilon) for the gradient."""
    lanes = local_array(T, 256)
    for r in range(first, last):
        at = r * columns
        centre = sum_of(x, at, columns, lanes) / T(columns)
        used = least(LANES, columns)
        for i in range(used):
            d = x[at + i] - centre
            lanes[i] = d * d
        for start in range(LANES, columns, LANES):
            for i in range(least(LANES, columns - start)):
                d = x[at + start + i] - centre
                lanes[i] += d * d
        scale = T(1) / math.sqrt(lane_total(lanes, used) / T(columns) + T(epsilon))
        mean[r] = centre
        inverse[r] = scale
        for c in range(columns):
            y[at + c] = (x[at + c] - centre) * scale * gamma[c] + beta[c]


@kernel(
    "g: in[T], x: in[T], gamma: in[T], mean: in[T], inverse: in[T], dx: out[T], columns: int, first: int, last: int",
    T=FLOATS,
)
def layer_norm_gradient(g, x, gamma, mean, inverse, dx, columns, first, last):
    """The cotangent of x from the result's, g, for the rows [first, last).

    With h = (x - mean) inverse and u = g gamma: dx = inverse (u - mean(u) - h mean(u h)).
    """
    lanes, products = local_array(T, 256), local_array(T, 256)
    for r in range(first, last):
        at = r * columns
        centre, scale = mean[r], inverse[r]
        used = least(LANES, columns)
        for i in range(used):
            u = g[at + i] * gamma[i]
            lanes[i] = u
            products[i] = u * ((x[at + i] - centre) * scale)
        for start in range(LANES, columns, LANES):
            for i in range(least(LANES, columns - start)):
                c = start + i
                u = g[at + c] * gamma[c]
                lanes[i] += u
                products[i] += u * ((x[at + c] - centre) * scale)
        mean_u = lane_total(lanes, used) / T(columns)
        mean_uh = lane_total(products, used) / T(columns)
        for c in range(columns):
            h = (x[at + c] - centre) * scale
            dx[at + c] = scale * (g[at + c] * gamma[c] - mean_u - h * mean_uh)


@kernel(
    "g: in[T], x: in[T], mean: in[T], inverse: in[T], dgamma: out[T], dbeta: out[T], rows: int, columns: int, "
    "first: int, last: int",
    T=FLOATS,
)
def layer_norm_parameters_gradient(g, x, mean, inverse, dgamma, dbeta, rows, columns, first, last):
    """The cotangents of gamma and beta: sums over the rows, of blocks of rows. A unit of work is `LANES` columns."""
    lanes, products = local_array(T, 256), local_array(T, 256)
    gamma_total, beta_total = local_array(T, 256), local_array(T, 256)
    for left in range(first * LANES, least(last * LANES, columns), LANES):
        width = least(LANES, columns - left)
        for c in range(width):
            gamma_total[c] = T(0)
            beta_total[c] = T(0)
        for start in range(0, rows, ROW_BLOCK):
            for c in range(width):
                lanes[c] = T(0)
                products[c] = T(0)
            for r in range(start, least(start + ROW_BLOCK, rows)):
                at = r * columns + left
                centre, scale = mean[r], inverse[r]
                for c in range(width):
                    lanes[c] += g[at + c]
                    products[c] += g[at + c] * ((x[at + c] - centre) * scale)
            for c in range(width):
                beta_total[c] += lanes[c]
                gamma_total[c] += products[c]
        for c in range(width):
            dbeta[left + c] = beta_total[c]
            dgamma[left + c] = gamma_total[c]


def layer_norm_launches(inputs: Sequence[Spec], outputs: Sequence[Spec], epsilon: float) -> Launches | None:
    """Of x, gamma and beta: the result, and the means and inverse deviations."""
    rows, columns = inputs[0].shape
    arrays = [*map(Input, range(3)), *map(Output, range(3))]
    return only(
        layer_norm[inputs[0].dtype], *arrays, columns, epsilon, units=rows, unit_cost=0.6 * columns, in_place=(0,)
    )


def layer_norm_gradient_launches(inputs: Sequence[Spec], outputs: Sequence[Spec]) -> Launches | None:
    """Of the result's cotangent, x, gamma, means and inverse deviations: the cotangents of x, gamma and beta."""
    rows, columns = inputs[0].shape
    dtype = inputs[0].dtype
    g, x, gamma, mean, inverse = map(Input, range(5))
    for_parameters = Launch(
        layer_norm_parameters_gradient[dtype],
        (g, x, mean, inverse, Output(1), Output(2), rows, columns),
        -(-columns // LANES),
        0.4 * rows * LANES,
    )
    for_x = Launch(layer_norm_gradient[dtype], (g, x, gamma, mean, inverse, Output(0), columns), rows, columns)
    return Launches((for_parameters, for_x), in_place=((0, 0), (0, 1)))
