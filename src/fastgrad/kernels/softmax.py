"""Softmax over the last axis and the cross-entropies on logits, both ways. Arrays are (rows, columns).

The maximum of a row is taken off first. A row with a NaN or an infinity becomes NaN, as in TensorFlow.
"""

from fastgrad.kernels.body import local_array, scalar_function
from fastgrad.kernels.build import kernel
from fastgrad.kernels.reductions import LANES, lane_total, maximum_of, sum_of
from fastgrad.kernels.vector_math import exp, least, log

FLOATS = ("float32", "float64")
INDICES = ("int32", "int64")


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


@kernel("x: in[T], out: out[T], rows: int, columns: int", T=FLOATS)
def softmax(x, out, rows, columns):
    """exp(x) / sum(exp(x)) (TensorFlow: tf.nn.softmax)."""
    lanes = local_array(T, 256)
    for r in range(rows):
        at = r * columns
        total = exponentials(x, out, at, columns, maximum_of(x, at, columns, lanes), lanes)
        for c in range(columns):
            out[at + c] /= total


@kernel("g: in[T], y: in[T], out: out[T], rows: int, columns: int", T=FLOATS)
def softmax_gradient(g, y, out, rows, columns):
    """y * (g - sum(g * y)) for the result y."""
    lanes = local_array(T, 256)
    for r in range(rows):
        at = r * columns
        total = product_sum(g, y, at, columns, lanes)
        for c in range(columns):
            out[at + c] = y[at + c] * (g[at + c] - total)


@kernel("x: in[T], out: out[T], rows: int, columns: int", T=FLOATS)
def log_softmax(x, out, rows, columns):
    """x - log(sum(exp(x))) (TensorFlow: tf.nn.log_softmax)."""
    lanes = local_array(T, 256)
    for r in range(rows):
        at = r * columns
        peak = maximum_of(x, at, columns, lanes)
        shift = log(exponentials(x, out, at, columns, peak, lanes))
        for c in range(columns):
            out[at + c] = (x[at + c] - peak) - shift


@kernel("g: in[T], y: in[T], out: out[T], rows: int, columns: int", T=FLOATS)
def log_softmax_gradient(g, y, out, rows, columns):
    """g - exp(y) * sum(g) for the result y."""
    lanes = local_array(T, 256)
    for r in range(rows):
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
    "logits: in[T], labels: in[I], loss: out[T], probabilities: out[T], rows: int, columns: int -> int",
    T=FLOATS,
    I=INDICES,
)
def sparse_cross_entropy(logits, labels, loss, probabilities, rows, columns):
    """Losses and softmax (TensorFlow: tf.nn.sparse_softmax_cross_entropy_with_logits).

    Returns the position of the first label outside [0, columns), having done nothing, else -1.
    """
    for r in range(rows):
        if labels[r] < 0 or labels[r] >= columns:
            return r
    lanes = local_array(T, 256)
    for r in range(rows):
        at = r * columns
        peak, shift = row_softmax(logits, probabilities, at, columns, lanes)
        loss[r] = shift - (logits[at + labels[r]] - peak)
    return -1


@kernel(
    "g: in[T], probabilities: in[T], labels: in[I], out: out[T], rows: int, columns: int",
    T=FLOATS,
    I=INDICES,
)
def sparse_cross_entropy_gradient(g, probabilities, labels, out, rows, columns):
    """g * (probabilities - onehot(labels)), of labels that `sparse_cross_entropy` found in range."""
    for r in range(rows):
        at = r * columns
        scale = g[r]
        for c in range(columns):
            out[at + c] = scale * probabilities[at + c]
        label = labels[r]
        if 0 <= label < columns:
            out[at + label] = scale * (probabilities[at + label] - T(1))


@kernel("logits: in[T], labels: in[T], loss: out[T], probabilities: out[T], rows: int, columns: int", T=FLOATS)
def cross_entropy(logits, labels, loss, probabilities, rows, columns):
    """Losses and softmax for labels that are distributions (TensorFlow: tf.nn.softmax_cross_entropy_with_logits)."""
    lanes = local_array(T, 256)
    for r in range(rows):
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


@kernel("g: in[T], probabilities: in[T], labels: in[T], out: out[T], rows: int, columns: int", T=FLOATS)
def cross_entropy_gradient(g, probabilities, labels, out, rows, columns):
    """g * (probabilities - labels): the cotangent of the logits, for labels whose rows sum to one."""
    for r in range(rows):
        for c in range(r * columns, (r + 1) * columns):
            out[c] = g[r] * (probabilities[c] - labels[c])
