"""Softmax over the last axis and the cross-entropies on logits, both ways. Arrays are (rows, columns).

The maximum of a row is taken off first. A row with a NaN or an infinity becomes NaN, as in TensorFlow.
A call does the rows [first, last).
"""

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

from fastgrad.kernels.building.body import local_array, scalar_function
from fastgrad.kernels.building.build import kernel
from fastgrad.kernels.functions.vector_math import exp, least, log
from fastgrad.kernels.mapping.half import through_float32
from fastgrad.kernels.reducing.reductions import LANES, lane_total, maximum_of, sum_of
from fastgrad.kernels.running.launch import Input, Launches, Output, Spec, only

FLOATS = ("float32", "float64")
INDICES = ("int32", "int64")
EXPONENTIAL = 1.0  # nanoseconds an element


@scalar_function
def exponentials(x, out, at, columns, peak, lanes):
    """out = exp(x - peak) in a row; returns their sum."""
    used = least(LANES, columns)
    for i in range(used):
        e = exp(x[at + i] - peak)
        out[at + i] = e
        lanes[i] = e
    for start in range(LANES, columns, LANES):
        for i in range(least(LANES, columns - start)):
            e = exp(x[at + start + i] - peak)
            out[at + start + i] = e
            lanes[i] += e
    return lane_total(lanes, used)


@scalar_function
def product_sum(x, y, at, columns, lanes):
    """The sum of x * y in a row."""
    used = least(LANES, columns)
    for i in range(used):
        lanes[i] = x[at + i] * y[at + i]
    for start in range(LANES, columns, LANES):
        for i in range(least(LANES, columns - start)):
            lanes[i] += x[at + start + i] * y[at + start + i]
    return lane_total(lanes, used)


@kernel("x: in[T], out: out[T], columns: int, first: int, last: int", T=FLOATS)
def softmax(x, out, columns, first, last):
    """exp(x) / sum(exp(x)) (TensorFlow: tf.nn.softmax)."""
    lanes = local_array(T, 256)
    for r in range(first, last):
        at = r * columns
        total = exponentials(x, out, at, columns, maximum_of(x, at, columns, lanes), lanes)
        for c in range(columns):
            out[at + c] /= total


@kernel("g: in[T], y: in[T], out: out[T], columns: int, first: int, last: int", T=FLOATS)
def softmax_gradient(g, y, out, columns, first, last):
    """y * (g - sum(g * y)) for the result y."""
    lanes = local_array(T, 256)
    for r in range(first, last):
        at = r * columns
        total = product_sum(g, y, at, columns, lanes)
        for c in range(columns):
            out[at + c] = y[at + c] * (g[at + c] - total)


@kernel("x: in[T], out: out[T], columns: int, first: int, last: int", T=FLOATS)
def log_softmax(x, out, columns, first, last):
    """x - log(sum(exp(x))) (TensorFlow: tf.nn.log_softmax)."""
    lanes = local_array(T, 256)
    for r in range(first, last):
        at = r * columns
        peak = maximum_of(x, at, columns, lanes)
        shift = log(exponentials(x, out, at, columns, peak, lanes))
        for c in range(columns):
            out[at + c] = (x[at + c] - peak) - shift


@kernel("g: in[T], y: in[T], out: out[T], columns: int, first: int, last: int", T=FLOATS)
def log_softmax_gradient(g, y, out, columns, first, last):
    """g - exp(y) * sum(g) for the result y."""
    lanes = local_array(T, 256)
    for r in range(first, last):
        at = r * columns
        total = sum_of(g, at, columns, lanes)
        for c in range(columns):
            out[at + c] = g[at + c] - exp(y[at + c]) * total


@scalar_function
def row_softmax(x, out, at, columns, lanes):
    """Softmax of a row; returns its maximum and the logarithm of the sum of the exponentials below it."""
    peak = maximum_of(x, at, columns, lanes)
    total = exponentials(x, out, at, columns, peak, lanes)
    for c in range(columns):
        out[at + c] /= total
    return peak, log(total)


@kernel(
    "logits: in[T], labels: in[I], loss: out[T], probabilities: out[T], columns: int, first: int, last: int -> int",
    T=FLOATS,
    I=INDICES,
)
def sparse_cross_entropy(logits, labels, loss, probabilities, columns, first, last):
    """Losses and softmax (TensorFlow: tf.nn.sparse_softmax_cross_entropy_with_logits).

    Returns the row of the first label outside [0, columns), having done nothing, else -1.
    """
    for r in range(first, last):
        if labels[r] < 0 or labels[r] >= columns:
            return r
    lanes = local_array(T, 256)
    for r in range(first, last):
        at = r * columns
        peak, shift = row_softmax(logits, probabilities, at, columns, lanes)
        loss[r] = shift - (logits[at + labels[r]] - peak)
    return -1


@kernel(
    "g: in[T], probabilities: in[T], labels: in[I], out: out[T], columns: int, first: int, last: int",
    T=FLOATS,
    I=INDICES,
)
def sparse_cross_entropy_gradient(g, probabilities, labels, out, columns, first, last):
    """g * (probabilities - onehot(labels)), of labels that `sparse_cross_entropy` found in range."""
    for r in range(first, last):
        at = r * columns
        scale, label = g[r], labels[r]
        known = 0 <= label < columns
        likely = probabilities[at + label] if known else T(0)  # read before `out`, which may be the same memory
        for c in range(columns):
            out[at + c] = scale * probabilities[at + c]
        if known:
            out[at + label] = scale * (likely - T(1))


@kernel(
    "logits: in[T], labels: in[T], loss: out[T], probabilities: out[T], columns: int, first: int, last: int", T=FLOATS
)
def cross_entropy(logits, labels, loss, probabilities, columns, first, last):
    """Losses and softmax for labels that are distributions (TensorFlow: tf.nn.softmax_cross_entropy_with_logits)."""
    lanes = local_array(T, 256)
    for r in range(first, last):
        at = r * columns
        peak, shift = row_softmax(logits, probabilities, at, columns, lanes)
        used = least(LANES, columns)
        for i in range(used):
            lanes[i] = labels[at + i] * (shift - (logits[at + i] - peak))
        for start in range(LANES, columns, LANES):
            for i in range(least(LANES, columns - start)):
                c = at + start + i
                lanes[i] += labels[c] * (shift - (logits[c] - peak))
        loss[r] = lane_total(lanes, used)


@kernel("g: in[T], probabilities: in[T], labels: in[T], out: out[T], columns: int, first: int, last: int", T=FLOATS)
def cross_entropy_gradient(g, probabilities, labels, out, columns, first, last):
    """g * (probabilities - labels): the cotangent of the logits, for labels whose rows sum to one."""
    for r in range(first, last):
        for c in range(r * columns, (r + 1) * columns):
            out[c] = g[r] * (probabilities[c] - labels[c])


# ---- the rows of the table that they are ---------------------------------------------------------------


def _over_rows(kernel: Any, in_place: Sequence[int] = ()) -> Callable[..., Launches | None]:
    @through_float32
    def launches(inputs: Sequence[Spec], outputs: Sequence[Spec]) -> Launches | None:
        *rows, columns = inputs[0].shape
        arrays = [*map(Input, range(len(inputs))), Output(0)]
        cost = EXPONENTIAL * columns
        kernels = kernel[inputs[0].dtype]
        return only(kernels, *arrays, columns, units=prod(rows), unit_cost=cost, in_place=in_place)

    return launches


softmax_launches = _over_rows(softmax, in_place=(0,))
softmax_gradient_launches = _over_rows(softmax_gradient, in_place=(0, 1))
log_softmax_launches = _over_rows(log_softmax)
log_softmax_gradient_launches = _over_rows(log_softmax_gradient, in_place=(0, 1))


def _cross_entropy(kernel: Any, inputs: Sequence[Spec]) -> Launches:
    rows, columns = inputs[0].shape
    arrays = Input(0), Input(1), Output(0), Output(1)
    return only(kernel, *arrays, columns, units=rows, unit_cost=EXPONENTIAL * columns)


def _cross_entropy_gradient(kernel: Any, inputs: Sequence[Spec]) -> Launches:
    rows, columns = inputs[1].shape
    arrays = Input(0), Input(1), Input(2), Output(0)
    return only(kernel, *arrays, columns, units=rows, unit_cost=0.3 * columns, in_place=(1,))


def sparse_cross_entropy_launches(inputs: Sequence[Spec], outputs: Sequence[Spec]) -> Launches | None:
    """Of logits and labels: losses and probabilities."""
    return _cross_entropy(sparse_cross_entropy[inputs[0].dtype, inputs[1].dtype], inputs)


def sparse_cross_entropy_gradient_launches(inputs: Sequence[Spec], outputs: Sequence[Spec]) -> Launches | None:
    """Of the losses' cotangent, probabilities and labels."""
    return _cross_entropy_gradient(sparse_cross_entropy_gradient[inputs[0].dtype, inputs[2].dtype], inputs)


def cross_entropy_launches(inputs: Sequence[Spec], outputs: Sequence[Spec]) -> Launches | None:
    """Of logits and distributions: losses and probabilities."""
    return _cross_entropy(cross_entropy[inputs[0].dtype], inputs)


def cross_entropy_gradient_launches(inputs: Sequence[Spec], outputs: Sequence[Spec]) -> Launches | None:
    """Of the losses' cotangent, probabilities and distributions."""
    return _cross_entropy_gradient(cross_entropy_gradient[inputs[0].dtype], inputs)
