"""Kernels over the rows of a matrix: a block for each row; each thread takes strided columns."""

from __future__ import annotations

from typing import Any

from fastgrad.cuda.codegen.body import shared_array, thread, threads
from fastgrad.cuda.codegen.kernel import device_kernel
from fastgrad.cuda.kernels.block_reductions import block_greatest, block_sum
from fastgrad.cuda.kernels.replacement import Replacement, row_kernel_replacement
from fastgrad.kernels.codegen.body import scalar_function
from fastgrad.kernels.math.vector_math import exp, log, nan_greatest
from fastgrad.kernels.reduction import softmax as on_cpu

FLOATS = ("float32", "float64")


@scalar_function
def greatest_of_row(x, at, columns, parts):
    """Returns the greatest element of the row at `at`; NaN if there is one. `parts` is as in `block_greatest`."""
    greatest = x[at]
    for column in range(thread(), columns, threads()):
        greatest = nan_greatest(greatest, x[at + column])
    return block_greatest(greatest, parts)


@device_kernel("x: in[T], y: out[T], columns: int, first: int, last: int", T=FLOATS)
def softmax(x, y, columns, first, last):
    """e^x divided by the row's sum of e^x. Needs columns >= 1."""
    parts = shared_array(T, 32)
    for row in range(first, last):
        at = row * columns
        greatest = greatest_of_row(x, at, columns, parts)
        total = T(0)
        for column in range(thread(), columns, threads()):
            power = exp(x[at + column] - greatest)
            y[at + column] = power
            total += power
        total = block_sum(total, parts)
        for column in range(thread(), columns, threads()):
            y[at + column] /= total


@device_kernel("x: in[T], y: out[T], columns: int, first: int, last: int", T=FLOATS)
def log_softmax(x, y, columns, first, last):
    """x less the logarithm of the row's sum of e^x. Needs columns >= 1."""
    parts = shared_array(T, 32)
    for row in range(first, last):
        at = row * columns
        greatest = greatest_of_row(x, at, columns, parts)
        total = T(0)
        for column in range(thread(), columns, threads()):
            total += exp(x[at + column] - greatest)
        total = log(block_sum(total, parts))
        for column in range(thread(), columns, threads()):
            y[at + column] = (x[at + column] - greatest) - total


@device_kernel("g: in[T], y: in[T], dx: out[T], columns: int, first: int, last: int", T=FLOATS)
def softmax_gradient(g, y, dx, columns, first, last):
    """(g - the row's sum of g y) y, for the cotangent g of the softmax y. Needs columns >= 1."""
    parts = shared_array(T, 32)
    for row in range(first, last):
        at = row * columns
        total = T(0)
        for column in range(thread(), columns, threads()):
            total += g[at + column] * y[at + column]
        total = block_sum(total, parts)
        for column in range(thread(), columns, threads()):
            dx[at + column] = (g[at + column] - total) * y[at + column]


@device_kernel("g: in[T], y: in[T], dx: out[T], columns: int, first: int, last: int", T=FLOATS)
def log_softmax_gradient(g, y, dx, columns, first, last):
    """g - e^y times the row's sum of g, for the cotangent g of the log_softmax y. Needs columns >= 1."""
    parts = shared_array(T, 32)
    for row in range(first, last):
        at = row * columns
        total = T(0)
        for column in range(thread(), columns, threads()):
            total += g[at + column]
        total = block_sum(total, parts)
        for column in range(thread(), columns, threads()):
            dx[at + column] = g[at + column] - exp(y[at + column]) * total


REPLACEMENTS: dict[Any, Replacement] = {
    on_cpu.softmax.function: row_kernel_replacement(softmax, 2),
    on_cpu.softmax_gradient.function: row_kernel_replacement(softmax_gradient, 3),
    on_cpu.log_softmax.function: row_kernel_replacement(log_softmax, 2),
    on_cpu.log_softmax_gradient.function: row_kernel_replacement(log_softmax_gradient, 3),
}
"""The table of `choice`."""
