"""Softmax along an axis that is not the last, forward and backward, without a transpose.

Arrays are (outer, terms, inner); the sums run over the terms. A unit is a tile of columns, which are the lanes of
vectors; a call does the units [first, last). All else is as in `softmax`.
"""

import math
from collections.abc import Callable, Sequence
from math import prod
from typing import Any

from numpy import float64

from fastgrad._src.jit.body import fused_multiply_add, local_array, scalar_function
from fastgrad._src.jit.build import kernel
from fastgrad._src.kernels.elementwise.half import with_half_floats
from fastgrad._src.kernels.math.vector_math import exp, greatest, least, log
from fastgrad._src.kernels.reduction.lanes import LANE_DEPTH
from fastgrad._src.kernels.reduction.softmax import (
    EXPONENTIAL_NANOSECONDS,
    log_softmax,
    log_softmax_gradient,
    softmax,
    softmax_gradient,
)
from fastgrad._src.kernels.runtime.launch import Input, Launches, Output, Spec, single_launch

FLOATS = ("float32", "float64")
TILE_COLUMNS = 256
_FORWARD_SIGNATURE = "x: in[T], out: out[T], terms: int, inner: int, tile: int, first: int, last: int"
_GRADIENT_SIGNATURE = "g: in[T], y: in[T], out: out[T], terms: int, inner: int, tile: int, first: int, last: int"


@scalar_function
def tile_position(unit, terms, inner, tile):
    """Returns the offset of the first element of a unit's tile of columns, and the number of its columns."""
    tiles = (inner + tile - 1) // tile
    left = unit % tiles * tile
    return unit // tiles * terms * inner + left, least(tile, inner - left)


@scalar_function
def peaks_across(x, at, terms, inner, used, peaks):
    """Writes the greatest element of each column of a tile, which begins at `at`; NaN may be ignored."""
    for i in range(used):
        peaks[i] = T(-math.inf)
    for q in range(terms):
        for i in range(used):
            peaks[i] = greatest(x[at + q * inner + i], peaks[i])


@scalar_function
def exponentials_across(x, out, write_exponentials, at, terms, inner, used, peaks, lanes, totals):
    """Sums exp(x - peak) over each column; writes the exponentials to `out` if `write_exponentials` is set."""
    for i in range(used):
        totals[i] = float64(0)
    for block in range(0, terms, LANE_DEPTH):
        for i in range(used):
            lanes[i] = T(0)
        for q in range(block, least(block + LANE_DEPTH, terms)):
            for i in range(used):
                e = exp(x[at + q * inner + i] - peaks[i])
                lanes[i] += e
                if write_exponentials:
                    out[at + q * inner + i] = e
        for i in range(used):
            totals[i] += float64(lanes[i])


@scalar_function
def sums_across(g, y, weighted, at, terms, inner, used, lanes, totals):
    """Sums g over each column, or g * y if `weighted` is set, to lanes."""
    for i in range(used):
        totals[i] = float64(0)
    for block in range(0, terms, LANE_DEPTH):
        for i in range(used):
            lanes[i] = T(0)
        for q in range(block, least(block + LANE_DEPTH, terms)):
            for i in range(used):
                k = at + q * inner + i
                lanes[i] = fused_multiply_add(g[k], y[k], lanes[i]) if weighted else lanes[i] + g[k]
        for i in range(used):
            totals[i] += float64(lanes[i])
    for i in range(used):
        lanes[i] = T(totals[i])


@scalar_function
def softmax_of_tiles(x, out, is_logarithm, terms, inner, tile, first, last):
    """Computes softmax of tiles of columns, or its logarithm."""
    peaks, lanes, totals = local_array(T, 256), local_array(T, 256), local_array(float64, 256)
    for unit in range(first, last):
        at, used = tile_position(unit, terms, inner, tile)
        peaks_across(x, at, terms, inner, used, peaks)
        exponentials_across(x, out, not is_logarithm, at, terms, inner, used, peaks, lanes, totals)
        for i in range(used):
            lanes[i] = log(T(totals[i])) if is_logarithm else T(float64(1) / totals[i])
        for q in range(terms):
            for i in range(used):
                k = at + q * inner + i
                out[k] = (x[k] - peaks[i]) - lanes[i] if is_logarithm else out[k] * lanes[i]


@scalar_function
def cotangent_of_tiles(g, y, out, is_logarithm, terms, inner, tile, first, last):
    """Computes the cotangent of the argument of softmax, or of its logarithm, for tiles of columns of the result y."""
    lanes, totals = local_array(T, 256), local_array(float64, 256)
    for unit in range(first, last):
        at, used = tile_position(unit, terms, inner, tile)
        sums_across(g, y, not is_logarithm, at, terms, inner, used, lanes, totals)
        for q in range(terms):
            for i in range(used):
                k = at + q * inner + i
                out[k] = g[k] - exp(y[k]) * lanes[i] if is_logarithm else y[k] * (g[k] - lanes[i])


@kernel(_FORWARD_SIGNATURE, noalias=True, T=FLOATS, in_place={"out": ("x",)})
def softmax_across(x, out, terms, inner, tile, first, last):
    """exp(x) / sum(exp(x)) (TensorFlow: tf.nn.softmax)."""
    softmax_of_tiles(x, out, False, terms, inner, tile, first, last)


@kernel(_FORWARD_SIGNATURE, noalias=True, T=FLOATS)
def log_softmax_across(x, out, terms, inner, tile, first, last):
    """x - log(sum(exp(x))) (TensorFlow: tf.nn.log_softmax)."""
    softmax_of_tiles(x, out, True, terms, inner, tile, first, last)


@kernel(_GRADIENT_SIGNATURE, noalias=True, T=FLOATS, in_place={"out": ("g", "y")})
def softmax_across_gradient(g, y, out, terms, inner, tile, first, last):
    """y * (g - sum(g * y)) for the result y."""
    cotangent_of_tiles(g, y, out, False, terms, inner, tile, first, last)


@kernel(_GRADIENT_SIGNATURE, noalias=True, T=FLOATS, in_place={"out": ("g", "y")})
def log_softmax_across_gradient(g, y, out, terms, inner, tile, first, last):
    """g - exp(y) * sum(g) for the result y."""
    cotangent_of_tiles(g, y, out, True, terms, inner, tile, first, last)


def _make_column_launches(kernel: Any, row_kernel: Any) -> Callable[..., Launches | None]:
    @with_half_floats
    def column_launches(inputs: Sequence[Spec], outputs: Sequence[Spec], axis: int) -> Launches | None:
        shape, dtype = inputs[0].shape, inputs[0].dtype
        outer, terms, inner = prod(shape[:axis]), shape[axis], prod(shape[axis + 1 :])
        arrays = [*map(Input, range(len(inputs))), Output(0)]
        if inner == 1:
            cost = EXPONENTIAL_NANOSECONDS * terms
            return single_launch(row_kernel[dtype], *arrays, terms, units=outer, unit_cost=cost)
        units, cost = outer * -(-inner // TILE_COLUMNS), EXPONENTIAL_NANOSECONDS * terms * min(inner, TILE_COLUMNS)
        return single_launch(kernel[dtype], *arrays, terms, inner, TILE_COLUMNS, units=units, unit_cost=cost)

    return column_launches


softmax_across_launches = _make_column_launches(softmax_across, softmax)
softmax_across_gradient_launches = _make_column_launches(softmax_across_gradient, softmax_gradient)
log_softmax_across_launches = _make_column_launches(log_softmax_across, log_softmax)
log_softmax_across_gradient_launches = _make_column_launches(log_softmax_across_gradient, log_softmax_gradient)
