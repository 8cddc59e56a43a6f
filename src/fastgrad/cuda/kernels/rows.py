"""Sparse cross-entropies, logarithms of sums, and norms: a block for each row; each thread takes strided elements.

A CPU's kernels keep sums of many rows on the stack, and a GPU's threads have no memory for that.
"""

from __future__ import annotations

import math
from typing import Any

from fastgrad.cuda.codegen.body import block_size, shared_array, thread_index
from fastgrad.cuda.codegen.kernel import device_kernel
from fastgrad.cuda.kernels.block_reductions import BLOCK_REDUCTIONS
from fastgrad.cuda.kernels.replacement import Replacement, same_operands_replacement
from fastgrad.kernels.codegen.body import scalar_function
from fastgrad.kernels.math.vector_math import exp, log, nan_greatest
from fastgrad.kernels.reduction import general
from fastgrad.kernels.reduction import softmax as on_cpu

FLOATS = ("float32", "float64")
block_sum, block_greatest = BLOCK_REDUCTIONS["sum"], BLOCK_REDUCTIONS["greatest"]


@scalar_function
def greatest_of_row(x, at, columns, parts):
    """Returns the greatest of the elements of a row; NaN if there is one. `parts` is as in `reduce_block`."""
    greatest = T(-math.inf)
    for column in range(thread_index(), columns, block_size()):
        greatest = nan_greatest(greatest, x[at + column])
    return block_greatest(greatest, parts)


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
        greatest = greatest_of_row(logits, at, columns, parts)
        total = T(0)
        for column in range(thread_index(), columns, block_size()):
            power = exp(logits[at + column] - greatest)
            probabilities[at + column] = power
            total += power
        total = block_sum(total, parts)
        if thread_index() == 0:
            loss[row] = log(total) - (logits[at + label] - greatest)
        for column in range(thread_index(), columns, block_size()):
            probabilities[at + column] /= total
    return -1


@device_kernel("x: in[T], out: out[T], columns: int, first: int, last: int", T=FLOATS)
def logsumexp(x, out, columns, first, last):
    """The logarithm of each row's sum of e^x, relative to the greatest element if that is finite."""
    parts = shared_array(T, 256)
    for row in range(first, last):
        at = row * columns
        greatest = greatest_of_row(x, at, columns, parts)
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


REPLACEMENTS: dict[Any, Replacement] = {
    on_cpu.sparse_cross_entropy.function: same_operands_replacement(sparse_cross_entropy),
    general.logsumexp_rows.function: same_operands_replacement(logsumexp),
    general.norms_of_rows.function: same_operands_replacement(norms),
}
"""The GPU replacements of CPU kernels, by the body of the CPU kernel."""
