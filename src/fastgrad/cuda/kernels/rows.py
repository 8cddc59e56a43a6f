"""Softmax, cross-entropies and norms: a block for each row of an array; each thread takes strided elements.

A CPU's kernels keep sums of many rows on the stack, and a GPU's threads have no memory for that.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from fastgrad.cuda.codegen.body import block_size, shared_array, thread_index
from fastgrad.cuda.codegen.kernel import DeviceKernel, device_kernel
from fastgrad.cuda.kernels.block_reductions import BLOCK_REDUCTIONS
from fastgrad.cuda.kernels.replacement import Replacement, ScratchMemory, device_launch, same_operands_replacement
from fastgrad.kernels.codegen.body import scalar_function
from fastgrad.kernels.math.vector_math import exp, least, log, nan_greatest
from fastgrad.kernels.optimizers import norms as squares
from fastgrad.kernels.reduction import general, softmax_across
from fastgrad.kernels.reduction import softmax as on_cpu
from fastgrad.kernels.reduction.reductions import BLOCK_ELEMENTS
from fastgrad.kernels.runtime.launch import Launch

FLOATS = ("float32", "float64")
_SIGNATURE = "x: in[T], y: out[T], terms: int, inner: int, first: int, last: int"
_GRADIENT_SIGNATURE = "g: in[T], y: in[T], dx: out[T], terms: int, inner: int, first: int, last: int"

block_sum, block_greatest = BLOCK_REDUCTIONS["sum"], BLOCK_REDUCTIONS["greatest"]


@scalar_function
def greatest_of_row(x, at, terms, inner, parts):
    """Returns the greatest of `terms` elements with the stride `inner`; NaN if there is one.

    `parts` is as in `reduce_block`.
    """
    greatest = T(-math.inf)
    for term in range(thread_index(), terms, block_size()):
        greatest = nan_greatest(greatest, x[at + term * inner])
    return block_greatest(greatest, parts)


@scalar_function
def row_exponentials(x, y, at, terms, inner, parts):
    """Writes e^(x - the greatest element) of a row to `y`; returns the greatest element and the sum of the powers."""
    greatest = greatest_of_row(x, at, terms, inner, parts)
    total = T(0)
    for term in range(thread_index(), terms, block_size()):
        power = exp(x[at + term * inner] - greatest)
        y[at + term * inner] = power
        total += power
    return greatest, block_sum(total, parts)


@scalar_function
def row_start(unit, terms, inner):
    """Returns the offset of a row of an array of shape (outer, terms, inner), whose rows have the stride `inner`."""
    outer = unit // inner
    return outer * terms * inner + unit - outer * inner


@device_kernel(_SIGNATURE, T=FLOATS)
def softmax(x, y, terms, inner, first, last):
    """e^x divided by the row's sum of e^x."""
    parts = shared_array(T, 256)
    for unit in range(first, last):
        at = row_start(unit, terms, inner)
        _, total = row_exponentials(x, y, at, terms, inner, parts)
        for term in range(thread_index(), terms, block_size()):
            y[at + term * inner] /= total


@device_kernel(_SIGNATURE, T=FLOATS)
def log_softmax(x, y, terms, inner, first, last):
    """x - log(the row's sum of e^x)."""
    parts = shared_array(T, 256)
    for unit in range(first, last):
        at = row_start(unit, terms, inner)
        greatest = greatest_of_row(x, at, terms, inner, parts)
        total = T(0)
        for term in range(thread_index(), terms, block_size()):
            total += exp(x[at + term * inner] - greatest)
        total = log(block_sum(total, parts))
        for term in range(thread_index(), terms, block_size()):
            y[at + term * inner] = (x[at + term * inner] - greatest) - total


@device_kernel(_GRADIENT_SIGNATURE, T=FLOATS)
def softmax_gradient(g, y, dx, terms, inner, first, last):
    """(g - the row's sum of g y) y, for the cotangent g of the softmax y."""
    parts = shared_array(T, 256)
    for unit in range(first, last):
        at = row_start(unit, terms, inner)
        total = T(0)
        for term in range(thread_index(), terms, block_size()):
            total += g[at + term * inner] * y[at + term * inner]
        total = block_sum(total, parts)
        for term in range(thread_index(), terms, block_size()):
            dx[at + term * inner] = (g[at + term * inner] - total) * y[at + term * inner]


@device_kernel(_GRADIENT_SIGNATURE, T=FLOATS)
def log_softmax_gradient(g, y, dx, terms, inner, first, last):
    """g - e^y times the row's sum of g, for the cotangent g of the log_softmax y."""
    parts = shared_array(T, 256)
    for unit in range(first, last):
        at = row_start(unit, terms, inner)
        total = T(0)
        for term in range(thread_index(), terms, block_size()):
            total += g[at + term * inner]
        total = block_sum(total, parts)
        for term in range(thread_index(), terms, block_size()):
            dx[at + term * inner] = g[at + term * inner] - exp(y[at + term * inner]) * total


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
        greatest, total = row_exponentials(logits, probabilities, at, columns, 1, parts)
        if thread_index() == 0:
            loss[row] = log(total) - (logits[at + label] - greatest)
        for column in range(thread_index(), columns, block_size()):
            probabilities[at + column] /= total
    return -1


@device_kernel(
    "g: in[T], logits: in[T], labels: in[I], loss: out[T], dx: out[T], columns: int, first: int, last: int -> int",
    T=FLOATS,
    I=on_cpu.INDEX_DTYPES,
)
def sparse_cross_entropy_and_gradient(g, logits, labels, loss, dx, columns, first, last):
    """Losses and g times (softmax - onehot(labels)). Returns -1, or the row of a label outside [0, columns)."""
    parts = shared_array(T, 256)
    for row in range(first, last):
        at, label, scale = row * columns, labels[row], g[row]
        if label < 0 or label >= columns:
            return row
        greatest, total = row_exponentials(logits, dx, at, columns, 1, parts)
        if thread_index() == 0:
            loss[row] = log(total) - (logits[at + label] - greatest)
        for column in range(thread_index(), columns, block_size()):
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
        greatest, total = row_exponentials(logits, probabilities, at, columns, 1, parts)
        shift, of_row = log(total), T(0)
        for column in range(thread_index(), columns, block_size()):
            of_row += labels[at + column] * (shift - (logits[at + column] - greatest))
            probabilities[at + column] /= total
        of_row = block_sum(of_row, parts)
        if thread_index() == 0:
            loss[row] = of_row


@device_kernel("x: in[T], out: out[T], columns: int, first: int, last: int", T=FLOATS)
def logsumexp(x, out, columns, first, last):
    """The logarithm of each row's sum of e^x, relative to the greatest element if that is finite."""
    parts = shared_array(T, 256)
    for row in range(first, last):
        at = row * columns
        greatest = greatest_of_row(x, at, columns, 1, parts)
        greatest = greatest if greatest - greatest == 0 else T(0)
        total = T(0)
        for column in range(thread_index(), columns, block_size()):
            total += exp(x[at + column] - greatest)
        total = block_sum(total, parts)
        if thread_index() == 0:
            out[row] = log(total) + greatest


@device_kernel("x: in[T], out: out[T], columns: int, parts: int, first: int, last: int", T=FLOATS)
def norms(x, out, columns, parts, first, last):
    """The Euclidean norm of each row, whose elements are complex numbers if `parts` is 2."""
    shared = shared_array(T, 256)
    for row in range(first, last):
        total = T(0)
        for i in range(row * columns * parts + thread_index(), (row + 1) * columns * parts, block_size()):
            total += x[i] * x[i]
        total = block_sum(total, shared)
        if thread_index() == 0:
            out[row * parts] = math.sqrt(total)
            if parts == 2:
                out[row * parts + 1] = T(0)


@device_kernel("x: in[T], out: out[float64], size: int, first: int, last: int", T=FLOATS)
def block_squares(x, out, size, first, last):
    """The sums of squares of the blocks of an array, as the CPU's `block_squares`."""
    parts = shared_array(T, 256)
    for block in range(first, last):
        total = T(0)
        for i in range(
            block * BLOCK_ELEMENTS + thread_index(), least((block + 1) * BLOCK_ELEMENTS, size), block_size()
        ):
            total += x[i] * x[i]
        total = block_sum(total, parts)
        if thread_index() == 0:
            out[block] = total


@device_kernel("g: ins[T], count: count, sizes: sizes, out: out[float64], first: int, last: int", T=FLOATS)
def sums_of_squares_of_blocks(g, count, sizes, out, first, last):
    """The sums of squares of blocks of several arrays, as the CPU's `sums_of_squares_of_blocks`."""
    parts = shared_array(T, 256)
    for unit in range(first, last):
        begin = 0
        for k in range(count):
            x, n = g[k], sizes[k]
            end = begin + (n + BLOCK_ELEMENTS - 1) // BLOCK_ELEMENTS
            if begin <= unit < end:
                start = (unit - begin) * BLOCK_ELEMENTS
                total = T(0)
                for i in range(start + thread_index(), least(start + BLOCK_ELEMENTS, n), block_size()):
                    total += x[i] * x[i]
                total = block_sum(total, parts)
                if thread_index() == 0:
                    out[unit] = total
            begin = end


@device_kernel("g: ins[T], count: count, sizes: sizes, out: out[float64], first: int, last: int", T=FLOATS)
def sums_of_squares(g, count, sizes, out, first, last):
    """The sum of squares of each array; units are arrays."""
    parts = shared_array(T, 256)
    for k in range(first, last):
        x, n = g[k], sizes[k]
        total = T(0)
        for i in range(thread_index(), n, block_size()):
            total += x[i] * x[i]
        total = block_sum(total, parts)
        if thread_index() == 0:
            out[k] = total


def _sums_of_squares_replacement(launch: Launch, dtypes: Mapping[str, str], memory: ScratchMemory) -> list[Launch]:
    """Returns the replacement of `sums_of_squares`."""
    arrays: Any = launch.operands[0]
    return [device_launch(sums_of_squares, dtypes, launch.operands, len(arrays))]


def _softmax_across_replacement(kernel: DeviceKernel) -> Replacement:
    """Returns the replacement of a kernel of `softmax_across`."""

    def replacement(launch: Launch, dtypes: Mapping[str, str], memory: ScratchMemory) -> list[Launch]:
        operands: Any = launch.operands
        *arrays, terms, inner, tile = operands
        outer = launch.units // -(-inner // tile)
        return [device_launch(kernel, dtypes, (*arrays, terms, inner), outer * inner)]

    return replacement


def _softmax_replacement(kernel: DeviceKernel) -> Replacement:
    """Returns the replacement of a kernel of `softmax`: rows without a stride."""
    return lambda launch, dtypes, memory: [device_launch(kernel, dtypes, (*launch.operands, 1), launch.units)]


REPLACEMENTS: dict[Any, Replacement] = {
    on_cpu.softmax.function: _softmax_replacement(softmax),
    on_cpu.softmax_gradient.function: _softmax_replacement(softmax_gradient),
    on_cpu.log_softmax.function: _softmax_replacement(log_softmax),
    on_cpu.log_softmax_gradient.function: _softmax_replacement(log_softmax_gradient),
    on_cpu.sparse_cross_entropy.function: same_operands_replacement(sparse_cross_entropy),
    on_cpu.sparse_cross_entropy_and_gradient.function: same_operands_replacement(sparse_cross_entropy_and_gradient),
    on_cpu.cross_entropy.function: same_operands_replacement(cross_entropy),
    softmax_across.softmax_across.function: _softmax_across_replacement(softmax),
    softmax_across.softmax_across_gradient.function: _softmax_across_replacement(softmax_gradient),
    softmax_across.log_softmax_across.function: _softmax_across_replacement(log_softmax),
    softmax_across.log_softmax_across_gradient.function: _softmax_across_replacement(log_softmax_gradient),
    general.logsumexp_rows.function: same_operands_replacement(logsumexp),
    general.norms_of_rows.function: same_operands_replacement(norms),
    squares.block_squares.function: same_operands_replacement(block_squares),
    squares.sums_of_squares_of_blocks.function: same_operands_replacement(sums_of_squares_of_blocks),
    squares.sums_of_squares.function: _sums_of_squares_replacement,
}
"""The GPU replacements of CPU kernels, by the body of the CPU kernel."""
