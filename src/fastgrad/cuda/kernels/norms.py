"""Layer normalization and its gradient, a block for each row; moments of a batch, a warp for a few columns."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from fastgrad.cuda.codegen.body import shared_array, thread, threads
from fastgrad.cuda.codegen.kernel import device_kernel, on_device
from fastgrad.cuda.kernels.block_reductions import block_sum, lines_sum
from fastgrad.cuda.kernels.replacement import Replacement, ScratchMemory, device_launch, row_kernel_replacement
from fastgrad.cuda.kernels.rows import FLOATS
from fastgrad.kernels.codegen.body import fused_multiply_add
from fastgrad.kernels.codegen.build import kernel
from fastgrad.kernels.math.vector_math import least
from fastgrad.kernels.reduction import batch_moments, normalization
from fastgrad.kernels.runtime.launch import Launch

ROWS_PER_PART = 512
"""The rows of a part: each of eight warps sums 64."""


@device_kernel(
    "x: in[T], gamma: in[T], beta: in[T], y: out[T], mean: out[T], inverse: out[T], columns: int, epsilon: float, "
    "first: int, last: int",
    T=FLOATS,
)
def layer_norm(x, gamma, beta, y, mean, inverse, columns, epsilon, first, last):
    """Normalized rows, with each row's mean and 1 / sqrt(variance + epsilon)."""
    parts = shared_array(T, 32)
    for row in range(first, last):
        at = row * columns
        total = T(0)
        for column in range(thread(), columns, threads()):
            total += x[at + column]
        centre = block_sum(total, parts) / T(columns)
        total = T(0)
        for column in range(thread(), columns, threads()):
            off = x[at + column] - centre
            total = fused_multiply_add(off, off, total)
        scale = T(1) / math.sqrt(block_sum(total, parts) / T(columns) + T(epsilon))
        if thread() == 0:
            mean[row] = centre
            inverse[row] = scale
        for column in range(thread(), columns, threads()):
            y[at + column] = (x[at + column] - centre) * scale * gamma[column] + beta[column]


@device_kernel(
    "g: in[T], x: in[T], gamma: in[T], mean: in[T], inverse: in[T], dx: out[T], columns: int, first: int, last: int",
    T=FLOATS,
)
def layer_norm_gradient(g, x, gamma, mean, inverse, dx, columns, first, last):
    """The cotangent of x: with h = (x - mean) inverse and u = g gamma inverse (u - mean(u) - h mean(u h))."""
    parts = shared_array(T, 32)
    for row in range(first, last):
        at, centre, scale = row * columns, mean[row], inverse[row]
        total, total_h = T(0), T(0)
        for column in range(thread(), columns, threads()):
            u = g[at + column] * gamma[column]
            total += u
            total_h = fused_multiply_add(u, (x[at + column] - centre) * scale, total_h)
        mean_u = block_sum(total, parts) / T(columns)
        mean_uh = block_sum(total_h, parts) / T(columns)
        for column in range(thread(), columns, threads()):
            h = (x[at + column] - centre) * scale
            dx[at + column] = scale * (g[at + column] * gamma[column] - mean_u - h * mean_uh)


@device_kernel(
    "g: in[T], x: in[T], mean: in[T], inverse: in[T], sums: out[T], rows: int, columns: int, part: int, first: int, last: int",
    T=FLOATS,
)
def parameter_sums(g, x, mean, inverse, sums, rows, columns, part, first, last):
    """The gradients of gamma and beta over each `part` rows: (parts, 2, columns). Units are parts of 32 columns."""
    lines, lines_h = shared_array(T, 256), shared_array(T, 256)
    tiles = (columns + 31) // 32
    for unit in range(first, last):
        block = unit // tiles
        column = (unit - block * tiles) * 32 + thread() % 32
        total, total_h = T(0), T(0)
        for row in range(block * part + thread() // 32, least((block + 1) * part, rows), threads() // 32):
            if column < columns:
                of_g = g[row * columns + column]
                total += of_g
                total_h = fused_multiply_add(of_g, (x[row * columns + column] - mean[row]) * inverse[row], total_h)
        total = lines_sum(total, lines)
        total_h = lines_sum(total_h, lines_h)
        if thread() < 32 and column < columns:
            sums[2 * block * columns + column] = total_h
            sums[(2 * block + 1) * columns + column] = total


@device_kernel("x: in[T], moments: out[T], rows: int, columns: int, part: int, first: int, last: int", T=FLOATS)
def part_moments(x, moments, rows, columns, part, first, last):
    """Mean and sum of squared deviations of each `part` rows: (parts, 2, columns). Units are parts of 32 columns."""
    lines = shared_array(T, 256)
    tiles = (columns + 31) // 32
    for unit in range(first, last):
        block = unit // tiles
        column = (unit - block * tiles) * 32 + thread() % 32
        begin, end = block * part, least((block + 1) * part, rows)
        there = column < columns
        total = T(0)
        for row in range(begin + thread() // 32, end, threads() // 32):
            if there:
                total += x[row * columns + column]
        centre = lines_sum(total, lines) / T(end - begin)
        squares, rest = T(0), T(0)  # the rest corrects the rounding of the mean
        for row in range(begin + thread() // 32, end, threads() // 32):
            if there:
                off = x[row * columns + column] - centre
                squares = fused_multiply_add(off, off, squares)
                rest += off
        squares = lines_sum(squares, lines)
        rest = lines_sum(rest, lines)
        if thread() < 32 and there:
            lacks = rest / T(end - begin)
            moments[2 * block * columns + column] = centre + lacks
            moments[(2 * block + 1) * columns + column] = squares - lacks * rest


@kernel(
    "moments: in[T], mean: out[T], variance: out[T], rows: int, columns: int, part: int, first: int, last: int",
    noalias=True,
    T=FLOATS,
)
def whole_moments(moments, mean, variance, rows, columns, part, first, last):
    """Mean and variance from parts (Chan, Golub and LeVeque, 1979); NaN without rows. Units are columns."""
    for c in range(first, last):
        so_far, squares = T(0), T(0)
        for block in range((rows + part - 1) // part):
            begin, end = block * part, least((block + 1) * part, rows)
            share = T(end - begin) / T(end)
            apart = moments[2 * block * columns + c] - so_far
            so_far += apart * share
            squares += moments[(2 * block + 1) * columns + c] + apart * apart * (T(begin) * share)
        mean[c] = so_far if rows > 0 else T(math.nan)
        variance[c] = squares / T(rows)


def _parameter_sums_replacement(launch: Launch, dtypes: Mapping[str, str], memory: ScratchMemory) -> list[Launch]:
    """Returns the replacement of `layer_norm_parameter_sums`."""
    operands: Any = launch.operands
    *arrays, rows, columns = operands
    part = normalization.SUM_BLOCK_ROWS
    return [device_launch(parameter_sums, dtypes, (*arrays, rows, columns, part), -(-rows // part) * -(-columns // 32))]


def _parameters_gradient_replacement(launch: Launch, dtypes: Mapping[str, str], memory: ScratchMemory) -> list[Launch]:
    """Returns the replacement of `layer_norm_parameters_gradient`."""
    operands: Any = launch.operands
    g, x, mean, inverse, dgamma, dbeta, rows, columns = operands
    blocks = -(-rows // ROWS_PER_PART)
    sums = memory.add(dtypes["T"], 2 * blocks * columns)
    units = blocks * -(-columns // 32)
    return [
        device_launch(parameter_sums, dtypes, (g, x, mean, inverse, sums, rows, columns, ROWS_PER_PART), units),
        device_launch(_add_sums, dtypes, (sums, dgamma, dbeta, blocks, columns), columns),
    ]


def _part_moments_replacement(launch: Launch, dtypes: Mapping[str, str], memory: ScratchMemory) -> list[Launch]:
    """Returns the replacement of `part_moments`; `_whole_moments_replacement` reads its result."""
    operands: Any = launch.operands
    x, _, rows, columns, _ = operands
    blocks = -(-rows // ROWS_PER_PART)
    moments = memory.shared("moments", dtypes["T"], 2 * blocks * columns)
    return [device_launch(part_moments, dtypes, (x, moments, rows, columns, ROWS_PER_PART), blocks * -(-columns // 32))]


def _whole_moments_replacement(launch: Launch, dtypes: Mapping[str, str], memory: ScratchMemory) -> list[Launch]:
    """Returns the replacement of `whole_moments`."""
    operands: Any = launch.operands
    _, mean, variance, rows, columns, _ = operands
    moments = memory.shared("moments", dtypes["T"], 2 * -(-rows // ROWS_PER_PART) * columns)
    return [device_launch(_whole_moments, dtypes, (moments, mean, variance, rows, columns, ROWS_PER_PART), columns)]


_add_sums = on_device(normalization.add_parameter_sums)
_whole_moments = on_device(whole_moments)

REPLACEMENTS: dict[Any, Replacement] = {
    normalization.layer_norm.function: row_kernel_replacement(layer_norm, 6),
    normalization.layer_norm_gradient.function: row_kernel_replacement(layer_norm_gradient, 6),
    normalization.layer_norm_parameter_sums.function: _parameter_sums_replacement,
    normalization.layer_norm_parameters_gradient.function: _parameters_gradient_replacement,
    batch_moments.part_moments.function: _part_moments_replacement,
    batch_moments.whole_moments.function: _whole_moments_replacement,
}
"""The table of `choice`."""
