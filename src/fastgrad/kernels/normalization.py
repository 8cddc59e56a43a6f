"""Layer normalisation over the last axis, both ways. Arrays are (rows, columns).

Ba, Kiros and Hinton 2016: y = gamma (x - mean) / sqrt(variance + epsilon) + beta.
"""

import math

from fastgrad.kernels.body import local_array
from fastgrad.kernels.build import kernel
from fastgrad.kernels.reductions import LANES, ROW_BLOCK, lane_total, sum_of
from fastgrad.kernels.vector_math import least

FLOATS = ("float32", "float64")


@kernel(
    "x: in[T], gamma: in[T], beta: in[T], y: out[T], mean: out[T], inverse: out[T], rows: int, columns: int, "
    "epsilon: float",
    T=FLOATS,
)
def layer_norm(x, gamma, beta, y, mean, inverse, rows, columns, epsilon):
    """The result, and each row's mean and 1 / sqrt(variance + epsilon) for the gradient."""
    lanes = local_array(T, 256)
    for r in range(rows):
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
    "g: in[T], x: in[T], gamma: in[T], mean: in[T], inverse: in[T], dx: out[T], dgamma: out[T], dbeta: out[T], "
    "rows: int, columns: int",
    T=FLOATS,
)
def layer_norm_gradient(g, x, gamma, mean, inverse, dx, dgamma, dbeta, rows, columns):
    """The cotangents of x, gamma and beta from the result's, g.

    With h = (x - mean) inverse and u = g gamma: dx = inverse (u - mean(u) - h mean(u h)).
    """
    lanes, products = local_array(T, 256), local_array(T, 256)
    for r in range(rows):
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
    # The column sums, in tiles of columns and blocks of rows.
    gamma_total, beta_total = local_array(T, 256), local_array(T, 256)
    for first in range(0, columns, LANES):
        width = least(LANES, columns - first)
        for c in range(width):
            gamma_total[c] = T(0)
            beta_total[c] = T(0)
        for start in range(0, rows, ROW_BLOCK):
            for c in range(width):
                lanes[c] = T(0)
                products[c] = T(0)
            for r in range(start, least(start + ROW_BLOCK, rows)):
                at = r * columns + first
                centre, scale = mean[r], inverse[r]
                for c in range(width):
                    lanes[c] += g[at + c]
                    products[c] += g[at + c] * ((x[at + c] - centre) * scale)
            for c in range(width):
                beta_total[c] += lanes[c]
                gamma_total[c] += products[c]
        for c in range(width):
            dbeta[first + c] = beta_total[c]
            dgamma[first + c] = gamma_total[c]
