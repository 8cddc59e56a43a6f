"""Programs whose operations the compiler makes into groups: chains with reductions, products, views and updates of variables.

Each is a function of matrices x and y, of (m, n), and of weights w of (n, k); `make` gives them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import fastgrad as tf


def softmax_by_hand(x: Any, y: Any, w: Any) -> Any:
    e = tf.exp(x * y - tf.reduce_max(x * y, 1, keepdims=True))
    return e / tf.reduce_sum(e, 1, keepdims=True)


def normalization_by_hand(x: Any, y: Any, w: Any) -> Any:
    mean = tf.reduce_mean(x, 1, keepdims=True)
    variance = tf.reduce_mean(tf.square(x - mean), 1, keepdims=True)
    return (x - mean) * tf.math.rsqrt(variance + 1e-3) * y + x


def batch_normalization_by_hand(x: Any, y: Any, w: Any) -> Any:
    mean, variance = tf.nn.moments(x, [0])
    return tf.nn.batch_normalization(x, mean, variance, y[0], x[0], 1e-3)


def cross_entropy_by_hand(x: Any, y: Any, w: Any) -> Any:
    labels = tf.nn.softmax(y)
    return -tf.reduce_sum(labels * tf.nn.log_softmax(x), 1)


def attention_by_hand(x: Any, y: Any, w: Any) -> Any:
    scores = tf.matmul(x, y[:70], transpose_b=True) * 0.1
    return tf.matmul(tf.nn.softmax(scores), tf.tanh(y[:70]))


def gated(x: Any, y: Any, w: Any) -> Any:
    h = tf.matmul(x, w)
    return tf.sigmoid(h) * tf.tanh(tf.matmul(y, w)) + h


def residual(x: Any, y: Any, w: Any) -> Any:
    h = tf.nn.gelu(tf.matmul(x, w) + w[0])
    return tf.matmul(h, w, transpose_b=True) + x * y


def updated(x: Any, y: Any, w: Any) -> Any:
    """A chain in which each operand dies, so that memory is used again and again."""
    a = x * y
    b = tf.tanh(a) + x
    c = b * a - y
    d = tf.where(c > 0.0, c, 0.1 * c)
    return tf.reduce_sum(d * d, 0) + tf.reduce_max(d, 0)


def of_views(x: Any, y: Any, w: Any) -> Any:
    left, right = x[:, ::2], x[:, 1::2]
    size = tf.shape(right)[1]
    return tf.concat([left[:, :size] * right, tf.reverse(y, [1])], 1) * 0.5


def of_transposes(x: Any, y: Any, w: Any) -> Any:
    t = tf.tanh(tf.transpose(x)) * tf.transpose(y)
    return tf.reduce_mean(t, 0) + tf.reduce_sum(tf.transpose(t) * x, 1)


def of_halves(x: Any, y: Any, w: Any) -> Any:
    """Numbers that half-width floats hold, and sums of them."""
    z = tf.cast(tf.cast(tf.round(4.0 * x) / 4.0, tf.float16) + tf.cast(1.0, tf.float16), x.dtype)
    return z * y + tf.reduce_mean(z, 1, keepdims=True)


def scans(x: Any, y: Any, w: Any) -> Any:
    return tf.cumsum(tf.tanh(x) * 0.1, 1, exclusive=True) + tf.cumsum(y, 0, reverse=True) * 0.1


def several_results(x: Any, y: Any, w: Any) -> Any:
    z = x * y + x
    return tf.reduce_sum(z, 1), tf.reduce_max(z, 1), tf.reduce_mean(z, 0), z * 2.0, tf.reduce_logsumexp(z)


def overlapping(x: Any, y: Any, w: Any) -> Any:
    """Views of one value, which dies there, beside each other: neighbours, reversed, shifted."""
    a = tf.matmul(x, w)
    b = a * 2.0 + tf.reverse(a, [0])
    c = b[1:] * b[:-1]
    d = tf.concat([c[:, 1:] - c[:, :-1], c], 1)
    return d + tf.roll(d, 1, 1), tf.reverse(d, [1]) * d


def squares_and_transposes(x: Any, y: Any, w: Any) -> Any:
    """A square beside its own transpose, again and again."""
    a = tf.matmul(w, w, transpose_a=True)
    b = a + tf.transpose(a) * 0.5
    c = tf.tanh(b) - tf.transpose(b)
    return tf.matmul(c, c + tf.transpose(c)), tf.reduce_sum(c * tf.transpose(c), 0)


def same_operand_twice(x: Any, y: Any, w: Any) -> Any:
    a = tf.nn.softmax(x * y)
    return a * a - a, tf.matmul(a, a, transpose_b=True)[:, :9], tf.where(a > 0.1, a, -a) / (a + 1.0)


def cumulative(x: Any, y: Any, w: Any) -> Any:
    """Rows that are computed in the place of what they read."""
    a = tf.cumsum(x + y, 0)
    b = tf.nn.log_softmax(a * 0.1, 1)
    c = tf.cumsum(b, 1, reverse=True) * 0.01
    return tf.nn.softmax(c, 0) + tf.sort(c, 1), tf.reverse(c, [0, 1])


def padded(x: Any, y: Any, w: Any) -> Any:
    a = tf.pad(x * 2.0, [[1, 2], [0, 3]])
    b = tf.pad(y + x, [[1, 2], [0, 3]], constant_values=1.0)
    return (a * b)[1:-1] + tf.reduce_sum(a, 0), tf.tile(a[:2], [1, 2]), tf.stack([x, y], 1) * 2.0


def gathered(x: Any, y: Any, w: Any) -> Any:
    """Rows that repeat, gathered and added up."""
    ids = tf.range(tf.shape(x)[0]) * 7 % ((tf.shape(x)[0] + 1) // 2)
    a = tf.gather(x * y, ids)
    return tf.math.unsorted_segment_sum(a, ids, tf.shape(x)[0]) + x, tf.tensor_scatter_nd_add(y, ids[:, None], a)


def convolved(x: Any, y: Any, w: Any) -> Any:
    filters = tf.reshape(tf.tile(w[:1, :1], [3, 2])[:3, :2] * [[1.0, 2.0], [3.0, -1.0], [0.5, 1.0]], [3, 1, 2])
    h = tf.nn.relu(tf.nn.conv1d((x * y)[:, :, None], filters, 1, "SAME") + 0.1)
    return tf.reduce_sum(h, 2) + x, tf.nn.max_pool1d(h, 2, 1, "SAME")


GROUPS: dict[str, Callable[..., Any]] = {
    "a chain into sums of rows": lambda x, y, w: tf.reduce_sum(tf.tanh(x) * y + 1.0, 1),
    "a chain into sums of columns": lambda x, y, w: tf.reduce_sum(tf.exp(0.1 * x) * y, 0),
    "a chain into the sum of all": lambda x, y, w: tf.reduce_mean(tf.square(x - y)) + tf.reduce_sum(x * y),
    "greatest of a chain": lambda x, y, w: tf.reduce_max(x * y, 1) - tf.reduce_min(x + y, 0)[0],
    "softmax of a chain": lambda x, y, w: tf.nn.softmax(x * y + x[0]) * y,
    "softmax of columns": lambda x, y, w: tf.nn.softmax(x * y, 0) + tf.nn.log_softmax(x, 0),
    "softmax by hand": softmax_by_hand,
    "normalization by hand": normalization_by_hand,
    "batch normalization": batch_normalization_by_hand,
    "cross-entropy by hand": cross_entropy_by_hand,
    "attention by hand": attention_by_hand,
    "a chain before a product": lambda x, y, w: tf.matmul(tf.nn.relu(x) * y, w),
    "a chain after a product": lambda x, y, w: tf.nn.relu(tf.matmul(x, w) + w[0]) * 2.0,
    "a product into sums": lambda x, y, w: tf.reduce_sum(tf.tanh(tf.matmul(x, w)), 0),
    "a gather before a product": lambda x, y, w: tf.matmul(tf.gather(x, tf.range(tf.shape(x)[0]) // 2), w),
    "a gate": gated,
    "a residual block": residual,
    "operands that die": updated,
    "overlapping views": overlapping,
    "squares and transposes": squares_and_transposes,
    "the same operand twice": same_operand_twice,
    "rows in place": cumulative,
    "padding": padded,
    "rows that repeat": gathered,
    "convolution": convolved,
    "broadcast rows and columns": lambda x, y, w: (x + y[:, :1]) * (y + x[:1]) - tf.reduce_mean(x),
    "views": of_views,
    "transposes": of_transposes,
    "halves": of_halves,
    "scans": scans,
    "several results": several_results,
    # Away from 0, where the gradient of a normalization has few digits.
    "norms": lambda x, y, w: tf.nn.l2_normalize(tf.abs(x * y) + 0.5, 1) + tf.clip_by_norm(x, 2.0, 0),
    "variances": lambda x, y, w: tf.math.reduce_variance(x * y, 1) + tf.math.reduce_std(x + 2.0 * y, 1),
    "comparisons": lambda x, y, w: tf.where((x > y) & (y > 0.0), x * 3.0, tf.minimum(y, 0.5)) - tf.maximum(x, y),
}


def make(r: np.random.Generator, m: int, n: int, k: int) -> list[np.ndarray]:
    """x, y and w in float64, of numbers that float32 holds, so that comparisons are the same in both."""
    shapes = (m, n), (m, n), (n, k)
    return [r.normal(size=shape).astype(np.float32).astype(np.float64) for shape in shapes]


def weights_of(shape: Any) -> np.ndarray:
    return np.sin(1.0 + np.arange(np.prod(shape, dtype=int))).reshape(shape)


def with_gradients(function: Callable[..., Any], x: Any, y: Any, w: Any) -> list[Any]:
    """The results of a function, and the gradients of their weighted sum."""
    with tf.GradientTape() as tape:
        tape.watch([x, y, w])
        results = tf.nest.flatten(function(x, y, w))
        total = tf.add_n([tf.reduce_sum(z * tf.constant(weights_of(z.shape), z.dtype)) for z in results])
    gradients = tape.gradient(total, [x, y, w], unconnected_gradients="zero")
    return [*results, *map(tf.convert_to_tensor, gradients)]
