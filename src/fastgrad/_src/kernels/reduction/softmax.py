"""Softmax over the last axis and the cross-entropies on logits, forward and backward. Arrays are (rows, columns).

The maximum of a row is subtracted first. A row with a NaN or an infinity becomes NaN, as in TensorFlow. A call does the
rows [first, last). A result may use the whole memory of an argument (`in_place` below): an element is written after its
last read.
"""

import math
from collections.abc import Callable, Sequence
from math import prod
from typing import Any

from numpy import float64

from fastgrad._src.jit.body import local_array, scalar_function
from fastgrad._src.jit.build import kernel
from fastgrad._src.kernels.elementwise.half import with_half_floats
from fastgrad._src.kernels.math.vector_math import exp, greatest, least, log
from fastgrad._src.kernels.reduction.row_blocks import (
    ROW_PARTS,
    SEGMENT_COLUMNS,
    add_parts_to_totals,
    clear_totals,
    copy_last_columns,
    greatest_parts,
    row_product_sums,
    row_sums,
    rows_per_block,
)
from fastgrad._src.kernels.runtime.launch import Input, Launches, Output, Spec, single_launch

FLOATS = ("float32", "float64")
INDEX_DTYPES = ("int32", "int64")
EXPONENTIAL_NANOSECONDS = 0.6  # nanoseconds an element
_GRADIENT_SIGNATURE = "g: in[T], y: in[T], out: out[T], columns: int, first: int, last: int"


@scalar_function
def row_peaks(x, top, rows, columns, tails, parts, scratch, peaks):
    """Writes the greatest element of each row, which may skip NaN; `tails` has the rows' last columns."""
    part = local_array(T, 16)
    whole = columns // ROW_PARTS * ROW_PARTS
    for k in range(rows):
        at = (top + k) * columns
        for i in range(ROW_PARTS):
            part[i] = T(-math.inf)
        for c in range(0, whole, ROW_PARTS):
            for i in range(ROW_PARTS):
                part[i] = greatest(x[at + c + i], part[i])
        if whole < columns:
            for i in range(ROW_PARTS):
                part[i] = greatest(tails[ROW_PARTS * k + i], part[i]) if i < columns - whole else part[i]
        for i in range(ROW_PARTS):
            parts[ROW_PARTS * k + i] = part[i]
    greatest_parts(parts, rows, scratch, peaks)


@scalar_function
def row_exponentials(x, out, write_exponentials, top, rows, columns, tails, peaks, parts, scratch, totals):
    """Sums exp(x - peak) over each row; writes the exponentials to `out` if `write_exponentials` is set."""
    part = local_array(T, 16)
    whole = columns // ROW_PARTS * ROW_PARTS
    clear_totals(totals)
    for left in range(0, columns, SEGMENT_COLUMNS):
        right = least(whole, left + SEGMENT_COLUMNS)
        for k in range(rows):
            at = (top + k) * columns
            peak = peaks[k]
            for i in range(ROW_PARTS):
                part[i] = T(0)
            for c in range(left, right, ROW_PARTS):
                for i in range(ROW_PARTS):
                    e = exp(x[at + c + i] - peak)
                    part[i] += e
                    if write_exponentials:
                        out[at + c + i] = e
            if left + SEGMENT_COLUMNS >= columns and whole < columns:
                for i in range(ROW_PARTS):
                    e = exp(tails[ROW_PARTS * k + i] - peak)
                    tails[ROW_PARTS * k + i] = e
                    part[i] += e if i < columns - whole else T(0)
                if write_exponentials:
                    for i in range(columns - whole):
                        out[at + whole + i] = tails[ROW_PARTS * k + i]
            for i in range(ROW_PARTS):
                parts[ROW_PARTS * k + i] = part[i]
        add_parts_to_totals(parts, rows, scratch, totals)


@kernel("x: in[T], out: out[T], columns: int, first: int, last: int", noalias=True, T=FLOATS, in_place={"out": ("x",)})
def softmax(x, out, columns, first, last):
    """exp(x) / sum(exp(x)) (TensorFlow: tf.nn.softmax)."""
    parts, across, tails = local_array(T, 256), local_array(T, 256), local_array(T, 256)
    peaks, totals = local_array(T, 16), local_array(float64, 16)
    together = rows_per_block(columns)
    for top in range(first, last, together):
        rows = least(together, last - top)
        copy_last_columns(x, top, rows, columns, tails)
        row_peaks(x, top, rows, columns, tails, parts, across, peaks)
        row_exponentials(x, out, True, top, rows, columns, tails, peaks, parts, across, totals)
        for k in range(ROW_PARTS):
            peaks[k] = T(float64(1) / totals[k])
        for k in range(rows):
            at = (top + k) * columns
            share = peaks[k]
            for c in range(columns):
                out[at + c] *= share


@kernel(_GRADIENT_SIGNATURE, noalias=True, T=FLOATS, in_place={"out": ("g", "y")})
def softmax_gradient(g, y, out, columns, first, last):
    """y * (g - sum(g * y)) for the result y."""
    parts, across, totals = local_array(T, 256), local_array(T, 256), local_array(float64, 16)
    last_g, last_y = local_array(T, 256), local_array(T, 256)
    together = rows_per_block(columns)
    for top in range(first, last, together):
        rows = least(together, last - top)
        row_product_sums(g, y, top, rows, columns, last_g, last_y, parts, across, totals)
        for k in range(rows):
            at = (top + k) * columns
            total = T(totals[k])
            for c in range(columns):
                out[at + c] = y[at + c] * (g[at + c] - total)


@kernel("x: in[T], out: out[T], columns: int, first: int, last: int", noalias=True, T=FLOATS)
def log_softmax(x, out, columns, first, last):
    """x - log(sum(exp(x))) (TensorFlow: tf.nn.log_softmax)."""
    parts, across, tails = local_array(T, 256), local_array(T, 256), local_array(T, 256)
    peaks, totals, shifts = local_array(T, 16), local_array(float64, 16), local_array(T, 16)
    together = rows_per_block(columns)
    for top in range(first, last, together):
        rows = least(together, last - top)
        copy_last_columns(x, top, rows, columns, tails)
        row_peaks(x, top, rows, columns, tails, parts, across, peaks)
        row_exponentials(x, out, False, top, rows, columns, tails, peaks, parts, across, totals)
        for k in range(ROW_PARTS):
            shifts[k] = log(T(totals[k]))
        for k in range(rows):
            at = (top + k) * columns
            peak, shift = peaks[k], shifts[k]
            for c in range(columns):
                out[at + c] = (x[at + c] - peak) - shift


@kernel(_GRADIENT_SIGNATURE, noalias=True, T=FLOATS, in_place={"out": ("g", "y")})
def log_softmax_gradient(g, y, out, columns, first, last):
    """g - exp(y) * sum(g) for the result y."""
    parts, across, totals = local_array(T, 256), local_array(T, 256), local_array(float64, 16)
    together = rows_per_block(columns)
    for top in range(first, last, together):
        rows = least(together, last - top)
        row_sums(g, parts, top, rows, columns, parts, across, totals)
        for k in range(rows):
            at = (top + k) * columns
            total = T(totals[k])
            for c in range(columns):
                out[at + c] = g[at + c] - exp(y[at + c]) * total


@scalar_function
def softmax_rows(x, out, top, rows, columns, parts, scratch, peaks, shifts):
    """Computes softmax of some rows, their maxima, and the logarithms of the sums of exp(x - maximum)."""
    tails, totals = local_array(T, 256), local_array(float64, 16)
    copy_last_columns(x, top, rows, columns, tails)
    row_peaks(x, top, rows, columns, tails, parts, scratch, peaks)
    row_exponentials(x, out, True, top, rows, columns, tails, peaks, parts, scratch, totals)
    for k in range(ROW_PARTS):
        shifts[k] = log(T(totals[k]))
    for k in range(rows):
        at = (top + k) * columns
        share = T(float64(1) / totals[k])
        for c in range(columns):
            out[at + c] *= share


@scalar_function
def sparse_losses(logits, labels, loss, out, g, with_gradient, columns, first, last):
    """Computes losses and softmax, or `with_gradient` g * (softmax - onehot(labels)); see `sparse_cross_entropy`."""
    for r in range(first, last):
        if labels[r] < 0 or labels[r] >= columns:
            return r
    parts, across, peaks, shifts = local_array(T, 256), local_array(T, 256), local_array(T, 16), local_array(T, 16)
    together = rows_per_block(columns)
    for top in range(first, last, together):
        rows = least(together, last - top)
        softmax_rows(logits, out, top, rows, columns, parts, across, peaks, shifts)
        for k in range(rows):
            r = top + k
            at, label = r * columns, labels[r]
            loss[r] = shifts[k] - (logits[at + label] - peaks[k])
            if with_gradient:
                scale, likely = g[r], out[at + label]
                for c in range(columns):
                    out[at + c] = scale * out[at + c]
                out[at + label] = scale * (likely - T(1))
    return -1


@kernel(
    "logits: in[T], labels: in[I], loss: out[T], probabilities: out[T], columns: int, first: int, last: int -> int",
    noalias=True,
    T=FLOATS,
    I=INDEX_DTYPES,
)
def sparse_cross_entropy(logits, labels, loss, probabilities, columns, first, last):
    """Computes losses and softmax (TensorFlow: tf.nn.sparse_softmax_cross_entropy_with_logits).

    Returns -1, or the row of the first label outside [0, columns); then it has done nothing.
    """
    return sparse_losses(logits, labels, loss, probabilities, logits, False, columns, first, last)


@kernel(
    "g: in[T], probabilities: in[T], labels: in[I], out: out[T], columns: int, first: int, last: int",
    noalias=True,
    T=FLOATS,
    I=INDEX_DTYPES,
    in_place={"out": ("probabilities",)},
)
def sparse_cross_entropy_gradient(g, probabilities, labels, out, columns, first, last):
    """g * (probabilities - onehot(labels)), for labels that `sparse_cross_entropy` has checked."""
    for r in range(first, last):
        at = r * columns
        scale, label = g[r], labels[r]
        known = 0 <= label < columns
        likely = probabilities[at + label] if known else T(0)
        for c in range(columns):
            out[at + c] = scale * probabilities[at + c]
        if known:
            out[at + label] = scale * (likely - T(1))


@kernel(
    "g: in[T], logits: in[T], labels: in[I], loss: out[T], out: out[T], columns: int, first: int, last: int -> int",
    noalias=True,
    T=FLOATS,
    I=INDEX_DTYPES,
)
def sparse_cross_entropy_and_gradient(g, logits, labels, loss, out, columns, first, last):
    """Computes losses and g * (probabilities - onehot(labels)) in one pass, for a g that is known beforehand.

    Returns the same as `sparse_cross_entropy`.
    """
    return sparse_losses(logits, labels, loss, out, g, True, columns, first, last)


@kernel(
    "logits: in[T], labels: in[T], loss: out[T], probabilities: out[T], columns: int, first: int, last: int",
    noalias=True,
    T=FLOATS,
)
def cross_entropy(logits, labels, loss, probabilities, columns, first, last):
    """Computes losses and softmax for distributions as labels (TensorFlow: tf.nn.softmax_cross_entropy_with_logits)."""
    parts, across, peaks, shifts = local_array(T, 256), local_array(T, 256), local_array(T, 16), local_array(T, 16)
    part, totals = local_array(T, 16), local_array(float64, 16)
    whole = columns // ROW_PARTS * ROW_PARTS
    together = rows_per_block(columns)
    for top in range(first, last, together):
        rows = least(together, last - top)
        softmax_rows(logits, probabilities, top, rows, columns, parts, across, peaks, shifts)
        clear_totals(totals)
        for left in range(0, columns, SEGMENT_COLUMNS):
            right = least(whole, left + SEGMENT_COLUMNS)
            for k in range(rows):
                at = (top + k) * columns
                peak, shift = peaks[k], shifts[k]
                for i in range(ROW_PARTS):
                    part[i] = T(0)
                for c in range(left, right, ROW_PARTS):
                    for i in range(ROW_PARTS):
                        part[i] += labels[at + c + i] * (shift - (logits[at + c + i] - peak))
                if left + SEGMENT_COLUMNS >= columns:
                    for i in range(columns - whole):
                        part[i] += labels[at + whole + i] * (shift - (logits[at + whole + i] - peak))
                for i in range(ROW_PARTS):
                    parts[ROW_PARTS * k + i] = part[i]
            add_parts_to_totals(parts, rows, across, totals)
        for k in range(rows):
            loss[top + k] = T(totals[k])


@kernel(
    "g: in[T], probabilities: in[T], labels: in[T], out: out[T], columns: int, first: int, last: int",
    noalias=True,
    T=FLOATS,
    in_place={"out": ("probabilities",)},
)
def cross_entropy_gradient(g, probabilities, labels, out, columns, first, last):
    """g * (probabilities - labels): the cotangent of the logits, for labels whose rows sum to one."""
    for r in range(first, last):
        for c in range(r * columns, (r + 1) * columns):
            out[c] = g[r] * (probabilities[c] - labels[c])


# ---- launches of the operations ------------------------------------------------------------------------


def _make_row_launches(kernel: Any) -> Callable[..., Launches | None]:
    @with_half_floats
    def row_launches(inputs: Sequence[Spec], outputs: Sequence[Spec]) -> Launches | None:
        *rows, columns = inputs[0].shape
        arrays = [*map(Input, range(len(inputs))), Output(0)]
        cost = EXPONENTIAL_NANOSECONDS * columns
        kernels = kernel[inputs[0].dtype]
        return single_launch(kernels, *arrays, columns, units=prod(rows), unit_cost=cost)

    return row_launches


softmax_launches = _make_row_launches(softmax)
softmax_gradient_launches = _make_row_launches(softmax_gradient)
log_softmax_launches = _make_row_launches(log_softmax)
log_softmax_gradient_launches = _make_row_launches(log_softmax_gradient)


def _make_cross_entropy_launches(
    kernel: Any, matrix_input: int, element_nanoseconds: float
) -> Callable[..., Launches | None]:
    """Returns the ``launches`` of a cross-entropy kernel; input `matrix_input` is (rows, columns), the last labels."""

    def cross_entropy_launches(inputs: Sequence[Spec], outputs: Sequence[Spec]) -> Launches | None:
        rows, columns = inputs[matrix_input].shape
        arrays = [*map(Input, range(len(inputs))), *map(Output, range(len(outputs)))]
        dtypes = (inputs[0].dtype, inputs[-1].dtype)[: len(kernel.variables)]
        return single_launch(kernel[dtypes], *arrays, columns, units=rows, unit_cost=element_nanoseconds * columns)

    return cross_entropy_launches


sparse_cross_entropy_launches = _make_cross_entropy_launches(sparse_cross_entropy, 0, EXPONENTIAL_NANOSECONDS)
"""Maps logits and labels to losses and probabilities."""

sparse_cross_entropy_gradient_launches = _make_cross_entropy_launches(sparse_cross_entropy_gradient, 1, 0.3)
"""Maps the losses' cotangent, probabilities and labels to the logits' cotangent."""

sparse_cross_entropy_and_gradient_launches = _make_cross_entropy_launches(
    sparse_cross_entropy_and_gradient, 1, EXPONENTIAL_NANOSECONDS
)
"""Maps the losses' cotangent, logits and labels to losses and the logits' cotangent."""

cross_entropy_launches = _make_cross_entropy_launches(cross_entropy, 0, EXPONENTIAL_NANOSECONDS)
"""Maps logits and distributions to losses and probabilities."""

cross_entropy_gradient_launches = _make_cross_entropy_launches(cross_entropy_gradient, 1, 0.3)
"""Maps the losses' cotangent, probabilities and distributions to the logits' cotangent."""
