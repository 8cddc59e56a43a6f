"""Sparse cross-entropies, logarithms of sums, and norms: a block for each row; each thread takes strided elements. Moments of columns.

A CPU's kernels keep sums of many rows on the stack, and a GPU's threads have no memory for that.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy import float64

from fastgrad._src.cuda.codegen.body import block_size, shared_array, thread_index
from fastgrad._src.cuda.codegen.kernel import device_kernel, device_kernel_of
from fastgrad._src.cuda.kernels.block_reductions import BLOCK_REDUCTIONS
from fastgrad._src.cuda.kernels.replacement import (
    Replacement,
    ScratchMemory,
    device_launch,
    same_operands_replacement,
)
from fastgrad._src.jit.body import scalar_function
from fastgrad._src.jit.build import kernel
from fastgrad._src.kernels.math.vector_math import exp, least, log, nan_greatest
from fastgrad._src.kernels.reduction import batch_moments, general
from fastgrad._src.kernels.reduction import softmax as on_cpu
from fastgrad._src.kernels.runtime.launch import Launch, Scratch

FLOATS = ("float32", "float64")
block_sum, block_greatest = BLOCK_REDUCTIONS["sum"], BLOCK_REDUCTIONS["greatest"]


@scalar_function
def greatest_of_row(x, at, columns, parts):
    """Returns the greatest of the elements of a row; NaN if there is one. `parts` is as in `reduce_block`."""
    greatest = T(-math.inf)
    for column in range(thread_index(), columns, block_size()):
        greatest = nan_greatest(greatest, x[at + column])
    return block_greatest(greatest, parts)


@scalar_function
def loss_of_row(logits, label, loss, powers, row, columns, parts):
    """Writes the loss of a row, and e^(x - greatest) for each x to `powers`; returns their sum. `parts` is as in `reduce_block`."""
    at = row * columns
    greatest = greatest_of_row(logits, at, columns, parts)
    total = T(0)
    for column in range(thread_index(), columns, block_size()):
        power = exp(logits[at + column] - greatest)
        powers[at + column] = power
        total += power
    total = block_sum(total, parts)
    if thread_index() == 0:
        loss[row] = log(total) - (logits[at + label] - greatest)
    return total


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
        total = loss_of_row(logits, label, loss, probabilities, row, columns, parts)
        for column in range(thread_index(), columns, block_size()):
            probabilities[at + column] /= total
    return -1


@device_kernel(
    "g: in[T], logits: in[T], labels: in[I], loss: out[T], out: out[T], columns: int, first: int, last: int -> int",
    T=FLOATS,
    I=on_cpu.INDEX_DTYPES,
)
def sparse_cross_entropy_and_gradient(g, logits, labels, loss, out, columns, first, last):
    """Losses and their gradient g * (probabilities - onehot(labels)). Returns -1, or the row of a label outside [0, columns)."""
    parts = shared_array(T, 256)
    for row in range(first, last):
        at, label = row * columns, labels[row]
        if label < 0 or label >= columns:
            return row
        total = loss_of_row(logits, label, loss, out, row, columns, parts)
        for column in range(thread_index(), columns, block_size()):
            probability = out[at + column] / total
            out[at + column] = g[row] * (probability - T(1) if column == label else probability)
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


@kernel("x: in[T], moments: out[float64], rows: int, columns: int, parts: int, first: int, last: int", T=FLOATS)
def moments_of_parts(x, moments, rows, columns, parts, first, last):
    """Mean and sum of squares around it, for each part of the rows and each column; a unit is one of them."""
    for unit in range(first, last):
        part = unit // columns
        column = unit - part * columns
        begin, end = rows * part // parts, rows * (part + 1) // parts
        total = 0.0
        for left in range(begin, end, 64):  # float32 in between: most GPUs have few units for float64
            some = T(0)
            for row in range(left, least(left + 64, end)):
                some += x[row * columns + column]
            total += some
        mean = total / (end - begin)
        near, squares = T(mean), 0.0
        for left in range(begin, end, 64):
            some = T(0)
            for row in range(left, least(left + 64, end)):
                distance = x[row * columns + column] - near
                some += distance * distance
            squares += some
        moments[2 * part * columns + column] = mean
        moments[(2 * part + 1) * columns + column] = squares - (end - begin) * (mean - near) * (mean - near)


@device_kernel(
    "moments: in[float64], mean: out[T], variance: out[T], rows: int, columns: int, parts: int, first: int, last: int",
    T=FLOATS,
)
def combine_moments(moments, mean, variance, rows, columns, parts, first, last):
    """Mean and population variance, from the moments of parts. A unit is a column; without rows both are NaN."""
    shared = shared_array(float64, 256)
    for c in range(first, last):
        total = 0.0
        for part in range(thread_index(), parts, block_size()):
            count = rows * (part + 1) // parts - rows * part // parts
            total += count * moments[2 * part * columns + c]
        middle = block_sum(total, shared) / rows
        squares = 0.0
        for part in range(thread_index(), parts, block_size()):
            count = rows * (part + 1) // parts - rows * part // parts
            apart = moments[2 * part * columns + c] - middle
            squares += moments[(2 * part + 1) * columns + c] + apart * apart * count
        squares = block_sum(squares, shared)
        if thread_index() == 0:
            mean[c] = T(middle)
            variance[c] = T(squares / rows)


_moments_of_parts = device_kernel_of(moments_of_parts)
_LEAST_ROWS_OF_A_PART, _MOST_PARTS = 64, 256


def _gpu_parts(operands: Any, at: int) -> tuple[int, int, int]:
    """Returns rows, columns and the number of parts on a GPU, from the CPU's numbers, which begin at an index."""
    rows, columns, parts = operands[at : at + 3]
    return rows, columns, max(parts, min(rows // _LEAST_ROWS_OF_A_PART, _MOST_PARTS))


def _moments_of_parts_replacement(launch: Launch, dtypes: Mapping[str, str], memory: ScratchMemory) -> list[Launch]:
    """Returns the launch for more parts than a CPU's, and makes the scratch memory as large as they need."""
    x, scratch, *_ = operands = launch.operands
    rows, columns, parts = _gpu_parts(operands, 2)
    assert isinstance(scratch, Scratch)
    memory.arrays[scratch.number] = np.dtype(np.float64), 2 * parts * columns
    return [device_launch(_moments_of_parts, dtypes, (x, scratch, rows, columns, parts), parts * columns)]


def _combine_moments_replacement(launch: Launch, dtypes: Mapping[str, str], memory: ScratchMemory) -> list[Launch]:
    arrays = launch.operands[:3]
    return [device_launch(combine_moments, dtypes, (*arrays, *_gpu_parts(launch.operands, 3)), launch.units)]


REPLACEMENTS: dict[Any, Replacement] = {
    batch_moments.moments_of_parts.function: _moments_of_parts_replacement,
    batch_moments.combine_moments.function: _combine_moments_replacement,
    on_cpu.sparse_cross_entropy.function: same_operands_replacement(sparse_cross_entropy),
    on_cpu.sparse_cross_entropy_and_gradient.function: same_operands_replacement(sparse_cross_entropy_and_gradient),
    general.logsumexp_rows.function: same_operands_replacement(logsumexp),
    general.norms_of_rows.function: same_operands_replacement(norms),
}
"""The GPU replacements of CPU kernels, by the body of the CPU kernel."""
