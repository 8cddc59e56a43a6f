"""Cross-entropies on logits and their gradients, with a block for each row, as in `rows`."""

from __future__ import annotations

from typing import Any

from fastgrad.cuda.codegen.body import shared_array, thread, threads
from fastgrad.cuda.codegen.kernel import device_kernel
from fastgrad.cuda.kernels.batch_matmul import block_sum
from fastgrad.cuda.kernels.instead import Instead, rows_of
from fastgrad.cuda.kernels.rows import FLOATS, greatest_of_row
from fastgrad.kernels.codegen.body import scalar_function
from fastgrad.kernels.math.vector_math import exp, log
from fastgrad.kernels.reduction import softmax as on_cpu

INDICES = ("int32", "int64")


@scalar_function
def exponentials_of_row(x, y, at, columns, greatest, parts):
    """Writes e^(x - greatest) of the row at `at` to y; returns the sum, in all threads. For `parts` see `block_sum`."""
    total = T(0)
    for column in range(thread(), columns, threads()):
        power = exp(x[at + column] - greatest)
        y[at + column] = power
        total += power
    return block_sum(total, parts)


@device_kernel(
    "logits: in[T], labels: in[I], loss: out[T], probabilities: out[T], columns: int, first: int, last: int -> int",
    T=FLOATS,
    I=INDICES,
)
def sparse_cross_entropy(logits, labels, loss, probabilities, columns, first, last):
    """Losses and softmax. Returns the row of a label outside [0, columns), which it skips, else -1."""
    parts = shared_array(T, 32)
    for row in range(first, last):
        at, label = row * columns, labels[row]
        if label < 0 or label >= columns:
            return row
        greatest = greatest_of_row(logits, at, columns, parts)
        total = exponentials_of_row(logits, probabilities, at, columns, greatest, parts)
        for column in range(thread(), columns, threads()):
            probabilities[at + column] /= total
        if thread() == 0:
            loss[row] = log(total) - (logits[at + label] - greatest)
    return -1


@device_kernel(
    "g: in[T], logits: in[T], labels: in[I], loss: out[T], out: out[T], columns: int, first: int, last: int -> int",
    T=FLOATS,
    I=INDICES,
)
def sparse_cross_entropy_and_gradient(g, logits, labels, loss, out, columns, first, last):
    """Losses, and g times (softmax less one for the label). Returns the status of `sparse_cross_entropy`."""
    parts = shared_array(T, 32)
    for row in range(first, last):
        at, label, scale = row * columns, labels[row], g[row]
        if label < 0 or label >= columns:
            return row
        greatest = greatest_of_row(logits, at, columns, parts)
        total = exponentials_of_row(logits, out, at, columns, greatest, parts)
        for column in range(thread(), columns, threads()):
            out[at + column] = scale * (out[at + column] / total - (T(1) if column == label else T(0)))
        if thread() == 0:
            loss[row] = log(total) - (logits[at + label] - greatest)
    return -1


@device_kernel(
    "g: in[T], probabilities: in[T], labels: in[I], out: out[T], columns: int, first: int, last: int",
    T=FLOATS,
    I=INDICES,
)
def sparse_cross_entropy_gradient(g, probabilities, labels, out, columns, first, last):
    """g times (probabilities less one for the label)."""
    for row in range(first, last):
        at, label, scale = row * columns, labels[row], g[row]
        for column in range(thread(), columns, threads()):
            out[at + column] = scale * (probabilities[at + column] - (T(1) if column == label else T(0)))


@device_kernel(
    "logits: in[T], labels: in[T], loss: out[T], probabilities: out[T], columns: int, first: int, last: int", T=FLOATS
)
def cross_entropy(logits, labels, loss, probabilities, columns, first, last):
    """Losses and softmax for labels that are distributions."""
    parts = shared_array(T, 32)
    for row in range(first, last):
        at = row * columns
        greatest = greatest_of_row(logits, at, columns, parts)
        total = exponentials_of_row(logits, probabilities, at, columns, greatest, parts)
        shift = log(total)
        found = T(0)
        for column in range(thread(), columns, threads()):
            probabilities[at + column] /= total
            found += labels[at + column] * (shift - (logits[at + column] - greatest))
        found = block_sum(found, parts)
        if thread() == 0:
            loss[row] = found


@device_kernel(
    "g: in[T], probabilities: in[T], labels: in[T], out: out[T], columns: int, first: int, last: int", T=FLOATS
)
def cross_entropy_gradient(g, probabilities, labels, out, columns, first, last):
    """g times (probabilities less labels)."""
    for row in range(first, last):
        at, scale = row * columns, g[row]
        for column in range(thread(), columns, threads()):
            out[at + column] = scale * (probabilities[at + column] - labels[at + column])


INSTEAD: dict[Any, Instead] = {
    on_cpu.sparse_cross_entropy.function: rows_of(sparse_cross_entropy, 4),
    on_cpu.sparse_cross_entropy_and_gradient.function: rows_of(sparse_cross_entropy_and_gradient, 5),
    on_cpu.sparse_cross_entropy_gradient.function: rows_of(sparse_cross_entropy_gradient, 4),
    on_cpu.cross_entropy.function: rows_of(cross_entropy, 4),
    on_cpu.cross_entropy_gradient.function: rows_of(cross_entropy_gradient, 4),
}
"""The table of `choice`."""
