"""Layer normalization and its gradients: a block for each array row, or a thread for each column of some array rows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from fastgrad.cuda.codegen.body import block_size, shared_array, thread_index
from fastgrad.cuda.codegen.kernel import device_kernel, device_kernel_of
from fastgrad.cuda.kernels.replacement import Replacement, ScratchMemory, device_launch, same_operands_replacement
from fastgrad.cuda.kernels.rows import FLOATS, block_sum
from fastgrad.kernels.codegen.body import fused_multiply_add
from fastgrad.kernels.codegen.build import kernel
from fastgrad.kernels.math.vector_math import least
from fastgrad.kernels.reduction import normalization
from fastgrad.kernels.runtime.launch import Launch

ROWS_PER_PART = 64
"""The rows that a thread adds for the parameters' gradients."""


@device_kernel(
    "x: in[T], gamma: in[T], beta: in[T], y: out[T], mean: out[T], inverse: out[T], columns: int, epsilon: float, "
    "first: int, last: int",
    T=FLOATS,
)
def layer_norm(x, gamma, beta, y, mean, inverse, columns, epsilon, first, last):
    """Normalized rows, with each row's mean and 1 / sqrt(variance + epsilon).

    The mean is computed from distances to the first element, which lose no digits.
    """
    parts = shared_array(T, 256)
    for row in range(first, last):
        at = row * columns
        start = x[at] if columns > 0 else T(0)
        total = T(0)
        for column in range(thread_index(), columns, block_size()):
            total += x[at + column] - start
        centre = start + block_sum(total, parts) / T(columns)
        total = T(0)
        for column in range(thread_index(), columns, block_size()):
            off = x[at + column] - centre
            total = fused_multiply_add(off, off, total)
        scale = T(1) / math.sqrt(block_sum(total, parts) / T(columns) + T(epsilon))
        if thread_index() == 0:
            mean[row] = centre
            inverse[row] = scale
        for column in range(thread_index(), columns, block_size()):
            y[at + column] = (x[at + column] - centre) * scale * gamma[column] + beta[column]


@device_kernel(
    "g: in[T], x: in[T], gamma: in[T], mean: in[T], inverse: in[T], dx: out[T], columns: int, first: int, last: int",
    T=FLOATS,
)
def layer_norm_gradient(g, x, gamma, mean, inverse, dx, columns, first, last):
    """The cotangent of x: with h = (x - mean) inverse and u = g gamma: inverse (u - mean(u) - h mean(u h))."""
    parts = shared_array(T, 256)
    for row in range(first, last):
        at, centre, scale = row * columns, mean[row], inverse[row]
        total, total_h = T(0), T(0)
        for column in range(thread_index(), columns, block_size()):
            u = g[at + column] * gamma[column]
            total += u
            total_h = fused_multiply_add(u, (x[at + column] - centre) * scale, total_h)
        mean_u = block_sum(total, parts) / T(columns)
        mean_uh = block_sum(total_h, parts) / T(columns)
        for column in range(thread_index(), columns, block_size()):
            h = (x[at + column] - centre) * scale
            dx[at + column] = scale * (g[at + column] * gamma[column] - mean_u - h * mean_uh)


@kernel(
    "g: in[T], x: in[T], mean: in[T], inverse: in[T], sums: out[T], rows: int, columns: int, part: int, first: int, last: int",
    noalias=True,
    T=FLOATS,
)
def parameter_sums(g, x, mean, inverse, sums, rows, columns, part, first, last):
    """The gradients of gamma and beta over each `part` rows: (parts, 2, columns). Units are columns of parts."""
    for unit in range(first, last):
        block = unit // columns
        column = unit - block * columns
        total, total_h = T(0), T(0)
        for row in range(block * part, least((block + 1) * part, rows)):
            of_g = g[row * columns + column]
            total += of_g
            total_h += of_g * ((x[row * columns + column] - mean[row]) * inverse[row])
        sums[2 * block * columns + column] = total_h
        sums[(2 * block + 1) * columns + column] = total


_parameter_sums, _add_sums = device_kernel_of(parameter_sums), device_kernel_of(normalization.add_parameter_sums)


def _parameter_sums_replacement(launch: Launch, dtypes: Mapping[str, str], memory: ScratchMemory) -> list[Launch]:
    """Returns the replacement of `layer_norm_parameter_sums`."""
    operands: Any = launch.operands
    part = normalization.SUM_BLOCK_ROWS
    return [device_launch(_parameter_sums, dtypes, (*operands, part), launch.units * operands[-1])]


def _parameters_gradient_replacement(launch: Launch, dtypes: Mapping[str, str], memory: ScratchMemory) -> list[Launch]:
    """Returns the replacement of `layer_norm_parameters_gradient`."""
    operands: Any = launch.operands
    *arrays, dgamma, dbeta, rows, columns = operands
    parts = -(-rows // ROWS_PER_PART)
    sums = memory.add(dtypes["T"], 2 * parts * columns)
    return [
        device_launch(_parameter_sums, dtypes, (*arrays, sums, rows, columns, ROWS_PER_PART), parts * columns),
        device_launch(_add_sums, dtypes, (sums, dgamma, dbeta, parts, columns), columns),
    ]


REPLACEMENTS: dict[Any, Replacement] = {
    normalization.layer_norm.function: same_operands_replacement(layer_norm),
    normalization.layer_norm_gradient.function: same_operands_replacement(layer_norm_gradient),
    normalization.layer_norm_parameter_sums.function: _parameter_sums_replacement,
    normalization.layer_norm_parameters_gradient.function: _parameters_gradient_replacement,
}
"""The GPU replacements of CPU kernels, by the body of the CPU kernel."""
