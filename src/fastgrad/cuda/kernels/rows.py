"""Softmax and cross-entropies of the rows of a matrix: a block for each row; each thread takes strided columns.

A CPU's kernels keep sums of many rows on the stack, and a GPU's threads have no memory for that.
"""

from __future__ import annotations

import math
from typing import Any

from fastgrad.cuda.codegen.body import shared_array, thread, threads
from fastgrad.cuda.codegen.kernel import device_kernel
from fastgrad.cuda.kernels.block_reductions import BLOCK_REDUCTIONS
from fastgrad.cuda.kernels.replacement import Replacement, same_operands_replacement
from fastgrad.kernels.codegen.body import scalar_function
from fastgrad.kernels.math.vector_math import exp, log, nan_greatest
from fastgrad.kernels.reduction import softmax as on_cpu

FLOATS = ("float32", "float64")

block_sum, block_greatest = BLOCK_REDUCTIONS["sum"], BLOCK_REDUCTIONS["greatest"]


@scalar_function
def greatest_of_row(x, at, columns, parts):
    """Returns the greatest element of the row at `at`; NaN if there is one. `parts` is as in `reduce_block`."""
    greatest = T(-math.inf)
    for column in range(thread(), columns, threads()):
        greatest = nan_greatest(greatest, x[at + column])
    return block_greatest(greatest, parts)


@scalar_function
def row_exponentials(x, y, at, columns, parts):
    """Writes e^(x - the greatest element) of a row to `y`; returns the greatest element and the sum of the powers."""
    greatest = greatest_of_row(x, at, columns, parts)
    total = T(0)
    for column in range(thread(), columns, threads()):
        power = exp(x[at + column] - greatest)
        y[at + column] = power
        total += power
    return greatest, block_sum(total, parts)


@device_kernel("x: in[T], y: out[T], columns: int, first: int, last: int", T=FLOATS)
def softmax(x, y, columns, first, last):
    """e^x divided by the row's sum of e^x."""
    parts = shared_array(T, 256)
    for row in range(first, last):
        at = row * columns
        _, total = row_exponentials(x, y, at, columns, parts)
        for column in range(thread(), columns, threads()):
            y[at + column] /= total


@device_kernel("x: in[T], y: out[T], columns: int, first: int, last: int", T=FLOATS)
def log_softmax(x, y, columns, first, last):
    """x less the logarithm of the row's sum of e^x."""
    parts = shared_array(T, 256)
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
    """(g - the row's sum of g y) y, for the cotangent g of the softmax y."""
    parts = shared_array(T, 256)
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
    """g - e^y times the row's sum of g, for the cotangent g of the log_softmax y."""
    parts = shared_array(T, 256)
    for row in range(first, last):
        at = row * columns
        total = T(0)
        for column in range(thread(), columns, threads()):
            total += g[at + column]
        total = block_sum(total, parts)
        for column in range(thread(), columns, threads()):
            dx[at + column] = g[at + column] - exp(y[at + column]) * total


@device_kernel(
    "logits: in[T], labels: in[I], loss: out[T], probabilities: out[T], columns: int, first: int, last: int -> int",
    T=FLOATS,
    I=on_cpu.INDEX_DTYPES,
)
def sparse_cross_entropy(logits, labels, loss, probabilities, columns, first, last):
    """Losses and softmax. Returns -1, or the row of a label outside [0, columns)."""
    parts = shared_array(T, 256)
    for row in range(first, last):
        at, label = row * columns, labels[row]
        if label < 0 or label >= columns:
            return row
        greatest, total = row_exponentials(logits, probabilities, at, columns, parts)
        if thread() == 0:
            loss[row] = log(total) - (logits[at + label] - greatest)
        for column in range(thread(), columns, threads()):
            probabilities[at + column] /= total
    return -1


@device_kernel(
    "g: in[T], logits: in[T], labels: in[I], loss: out[T], dx: out[T], columns: int, first: int, last: int -> int",
    T=FLOATS,
    I=on_cpu.INDEX_DTYPES,
)
def sparse_cross_entropy_and_gradient(g, logits, labels, loss, dx, columns, first, last):
    """Losses and g times (softmax - onehot(labels)). Returns the same as `sparse_cross_entropy`."""
    parts = shared_array(T, 256)
    for row in range(first, last):
        at, label, scale = row * columns, labels[row], g[row]
        if label < 0 or label >= columns:
            return row
        greatest, total = row_exponentials(logits, dx, at, columns, parts)
        if thread() == 0:
            loss[row] = log(total) - (logits[at + label] - greatest)
        for column in range(thread(), columns, threads()):
            dx[at + column] = scale * (dx[at + column] / total - (T(1) if column == label else T(0)))
    return -1


@device_kernel(
    "logits: in[T], labels: in[T], loss: out[T], probabilities: out[T], columns: int, first: int, last: int", T=FLOATS
)
def cross_entropy(logits, labels, loss, probabilities, columns, first, last):
    """Losses and softmax for distributions as labels."""
    parts = shared_array(T, 256)
    for row in range(first, last):
        at = row * columns
        greatest, total = row_exponentials(logits, probabilities, at, columns, parts)
        shift, of_row = log(total), T(0)
        for column in range(thread(), columns, threads()):
            of_row += labels[at + column] * (shift - (logits[at + column] - greatest))
            probabilities[at + column] /= total
        of_row = block_sum(of_row, parts)
        if thread() == 0:
            loss[row] = of_row


REPLACEMENTS: dict[Any, Replacement] = {
    on_cpu.softmax.function: same_operands_replacement(softmax),
    on_cpu.softmax_gradient.function: same_operands_replacement(softmax_gradient),
    on_cpu.log_softmax.function: same_operands_replacement(log_softmax),
    on_cpu.log_softmax_gradient.function: same_operands_replacement(log_softmax_gradient),
    on_cpu.sparse_cross_entropy.function: same_operands_replacement(sparse_cross_entropy),
    on_cpu.sparse_cross_entropy_and_gradient.function: same_operands_replacement(sparse_cross_entropy_and_gradient),
    on_cpu.cross_entropy.function: same_operands_replacement(cross_entropy),
}
"""The table of `choice`."""
