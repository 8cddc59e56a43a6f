"""Layer normalisation over the last axis, forward and backward. Arrays are (rows, columns).

Ba, Kiros and Hinton 2016: y = gamma (x - mean) / sqrt(variance + epsilon) + beta. A result may use the whole memory of
an argument (`in_place` below): an element is written after its last read.
"""

import math
from collections.abc import Sequence

from numpy import float64

from fastgrad._src.jit.body import fused_multiply_add, local_array
from fastgrad._src.jit.build import kernel
from fastgrad._src.kernels.math.vector_math import least
from fastgrad._src.kernels.reduction.reductions import LANES
from fastgrad._src.kernels.reduction.row_blocks import (
    ROW_PARTS,
    SEGMENT_COLUMNS,
    add_parts_to_totals,
    clear_totals,
    row_distance_sums,
    row_square_sums,
    rows_per_block,
)
from fastgrad._src.kernels.runtime.launch import (
    Input,
    Launch,
    Launches,
    Output,
    Scratch,
    Spec,
    in_place_operands,
    single_launch,
)

FLOATS = ("float32", "float64")
SUM_BLOCK_ROWS = 8  # of a block; the blocks' sums for gamma and beta are then added up
MOST_ELEMENTS_TO_SUM_BY_SHARE = (
    1 << 16
)  # most elements for which threads sum their own rows: other threads' results are in other caches


@kernel(
    "x: in[T], gamma: in[T], beta: in[T], y: out[T], mean: out[T], inverse: out[T], columns: int, epsilon: float, "
    "first: int, last: int",
    noalias=True,
    T=FLOATS,
    in_place={"y": ("x",)},
)
def layer_norm(x, gamma, beta, y, mean, inverse, columns, epsilon, first, last):
    """Computes the result, and each row's mean and 1 / sqrt(variance + epsilon) as residuals.

    The mean is computed from distances to the first element, which lose no digits. The square of the mean's rounding
    error is subtracted from the variance.
    """
    parts, across = local_array(T, 256), local_array(T, 256)
    centres, totals, lacks = local_array(T, 16), local_array(float64, 16), local_array(float64, 16)
    together = rows_per_block(columns)
    for top in range(first, last, together):
        rows = least(together, last - top)
        for k in range(rows):
            centres[k] = x[(top + k) * columns] if columns > 0 else T(0)
        row_distance_sums(x, centres, top, rows, columns, parts, across, totals)
        for k in range(rows):
            exact = float64(centres[k]) + totals[k] / float64(columns)
            centres[k] = T(exact)
            lacks[k] = exact - float64(centres[k])
        row_square_sums(x, centres, top, rows, columns, parts, across, totals)
        for k in range(rows):
            variance = totals[k] / float64(columns) - lacks[k] * lacks[k]
            totals[k] = float64(1) / math.sqrt((variance if variance > 0 else variance * float64(0)) + epsilon)
        for k in range(rows):
            at = (top + k) * columns
            centre, scale = centres[k], T(totals[k])
            mean[top + k] = centre
            inverse[top + k] = scale
            for c in range(columns):
                y[at + c] = (x[at + c] - centre) * scale * gamma[c] + beta[c]


@kernel(
    "g: in[T], x: in[T], gamma: in[T], mean: in[T], inverse: in[T], dx: out[T], columns: int, first: int, last: int",
    noalias=True,
    T=FLOATS,
    in_place={"dx": ("g", "x")},
)
def layer_norm_gradient(g, x, gamma, mean, inverse, dx, columns, first, last):
    """Computes the cotangent of x from the result's, g, for the rows [first, last).

    With h = (x - mean) inverse and u = g gamma: dx = inverse (u - mean(u) - h mean(u h)).
    """
    part, parts, across = local_array(T, 16), local_array(T, 256), local_array(T, 256)
    part_h, parts_h = local_array(T, 16), local_array(T, 256)
    totals, totals_h = local_array(float64, 16), local_array(float64, 16)
    whole = columns // ROW_PARTS * ROW_PARTS
    together = rows_per_block(columns)
    for top in range(first, last, together):
        rows = least(together, last - top)
        clear_totals(totals)
        clear_totals(totals_h)
        for left in range(0, columns, SEGMENT_COLUMNS):
            right = least(whole, left + SEGMENT_COLUMNS)
            for k in range(rows):
                at = (top + k) * columns
                centre, scale = mean[top + k], inverse[top + k]
                for i in range(ROW_PARTS):
                    part[i] = T(0)
                    part_h[i] = T(0)
                for c in range(left, right, ROW_PARTS):
                    for i in range(ROW_PARTS):
                        u = g[at + c + i] * gamma[c + i]
                        part[i] += u
                        part_h[i] = fused_multiply_add(u, (x[at + c + i] - centre) * scale, part_h[i])
                if left + SEGMENT_COLUMNS >= columns:
                    for i in range(columns - whole):
                        u = g[at + whole + i] * gamma[whole + i]
                        part[i] += u
                        part_h[i] = fused_multiply_add(u, (x[at + whole + i] - centre) * scale, part_h[i])
                for i in range(ROW_PARTS):
                    parts[ROW_PARTS * k + i] = part[i]
                    parts_h[ROW_PARTS * k + i] = part_h[i]
            add_parts_to_totals(parts, rows, across, totals)
            add_parts_to_totals(parts_h, rows, across, totals_h)
        for k in range(rows):
            at = (top + k) * columns
            centre, scale = mean[top + k], inverse[top + k]
            mean_u, mean_uh = T(totals[k] / float64(columns)), T(totals_h[k] / float64(columns))
            for c in range(columns):
                h = (x[at + c] - centre) * scale
                dx[at + c] = scale * (g[at + c] * gamma[c] - mean_u - h * mean_uh)


@kernel(
    "g: in[T], x: in[T], mean: in[T], inverse: in[T], dgamma: out[T], dbeta: out[T], rows: int, columns: int, "
    "first: int, last: int",
    noalias=True,
    T=FLOATS,
)
def layer_norm_parameters_gradient(g, x, mean, inverse, dgamma, dbeta, rows, columns, first, last):
    """Computes the cotangents of gamma and beta: sums over blocks of rows. A unit of work is `LANES` columns."""
    lanes, products = local_array(T, 256), local_array(T, 256)
    gamma_total, beta_total = local_array(T, 256), local_array(T, 256)
    for left in range(first * LANES, least(last * LANES, columns), LANES):
        width = least(LANES, columns - left)
        for c in range(width):
            gamma_total[c] = T(0)
            beta_total[c] = T(0)
        for start in range(0, rows, SUM_BLOCK_ROWS):
            for c in range(width):
                lanes[c] = T(0)
                products[c] = T(0)
            for r in range(start, least(start + SUM_BLOCK_ROWS, rows)):
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


@kernel(
    "g: in[T], x: in[T], mean: in[T], inverse: in[T], sums: out[T], rows: int, columns: int, first: int, last: int",
    noalias=True,
    T=FLOATS,
)
def layer_norm_parameter_sums(g, x, mean, inverse, sums, rows, columns, first, last):
    """Writes the sums for gamma and beta of each block (unit) of `SUM_BLOCK_ROWS` rows: shape (blocks, 2, columns)."""
    for block in range(first, last):
        for_gamma = 2 * block * columns
        for_beta = for_gamma + columns
        for c in range(2 * columns):
            sums[for_gamma + c] = T(0)
        for r in range(block * SUM_BLOCK_ROWS, least((block + 1) * SUM_BLOCK_ROWS, rows)):
            at = r * columns
            centre, scale = mean[r], inverse[r]
            for c in range(columns):
                sums[for_beta + c] += g[at + c]
                sums[for_gamma + c] += g[at + c] * ((x[at + c] - centre) * scale)


@kernel(
    "sums: in[T], dgamma: out[T], dbeta: out[T], blocks: int, columns: int, first: int, last: int",
    noalias=True,
    T=FLOATS,
)
def add_parameter_sums(sums, dgamma, dbeta, blocks, columns, first, last):
    """Computes the cotangents of gamma and beta from `layer_norm_parameter_sums`; units are columns."""
    for c in range(first, last):
        dgamma[c] = T(0)
        dbeta[c] = T(0)
    for block in range(blocks):
        at = 2 * block * columns
        for c in range(first, last):
            dgamma[c] += sums[at + c]
            dbeta[c] += sums[at + columns + c]


def layer_norm_launches(inputs: Sequence[Spec], outputs: Sequence[Spec], epsilon: float) -> Launches | None:
    """Maps x, gamma and beta to the result, the means and the inverse deviations."""
    rows, columns = inputs[0].shape
    arrays = [*map(Input, range(3)), *map(Output, range(3))]
    size = rows * columns
    parts = {0: size, 3: size, 4: rows, 5: rows}
    kernel, cost = layer_norm[inputs[0].dtype], 0.3 * columns
    return single_launch(kernel, *arrays, columns, epsilon, units=rows, unit_cost=cost, parts=parts)


def layer_norm_gradient_launches(inputs: Sequence[Spec], outputs: Sequence[Spec]) -> Launches | None:
    """Maps the result's cotangent, x, gamma, means and inverse deviations to the cotangents of x, gamma and beta."""
    rows, columns = inputs[0].shape
    dtype = inputs[0].dtype
    g, x, gamma, mean, inverse = map(Input, range(5))
    size = rows * columns
    parts = {0: size, 1: size, 3: rows, 4: rows, 5: size}
    for_x = Launch(
        layer_norm_gradient[dtype], (g, x, gamma, mean, inverse, Output(0), columns), rows, 0.3 * columns, parts
    )
    in_place = in_place_operands(for_x.kernel, for_x.operands)
    blocks = -(-rows // SUM_BLOCK_ROWS)
    if blocks == 1 or size > MOST_ELEMENTS_TO_SUM_BY_SHARE:
        operands = g, x, mean, inverse, Output(1), Output(2), rows, columns
        tiles = -(-columns // LANES)
        for_parameters = Launch(layer_norm_parameters_gradient[dtype], operands, tiles, 0.1 * rows * LANES)
        return Launches((for_parameters, for_x), in_place=in_place)
    # The same sums, but a share reads its own rows, as the steps before and after do.
    parts = {0: size, 1: size, 2: rows, 3: rows, 4: 2 * blocks * columns} if rows % SUM_BLOCK_ROWS == 0 else {}
    to_sums = g, x, mean, inverse, Scratch(0), rows, columns
    sums = Launch(layer_norm_parameter_sums[dtype], to_sums, blocks, 0.1 * SUM_BLOCK_ROWS * columns, parts)
    to_total = Scratch(0), Output(1), Output(2), blocks, columns
    total = Launch(add_parameter_sums[dtype], to_total, columns, 0.1 * blocks, waits=True)
    return Launches((sums, for_x, total), ((dtype, 2 * blocks * columns),), in_place)
