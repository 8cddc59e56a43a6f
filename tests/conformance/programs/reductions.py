"""Reductions, cumulative operations and segments."""

from ..differentiation import value_and_gradients
from ..refusal import refused

NAN = float("nan")
REDUCTIONS = [
    "reduce_sum",
    "reduce_mean",
    "reduce_max",
    "reduce_min",
    "reduce_prod",
    "reduce_logsumexp",
    "reduce_std",
    "reduce_variance",
    "reduce_euclidean_norm",
]


def _reduction(tf, name):
    return getattr(tf.math, name)


def all_axes(tf):
    x = tf.constant([[1.0, 2.0, -1.0], [0.5, 3.0, 2.5]], tf.float64)
    return {name: (lambda name=name: value_and_gradients(tf, _reduction(tf, name), x)) for name in REDUCTIONS}


def one_axis(tf):
    x = tf.constant([[1.0, 2.0, -1.0], [0.5, 3.0, 2.5]], tf.float64)
    return {
        f"{name} axis {axis}": (
            lambda name=name, axis=axis: value_and_gradients(tf, lambda v: _reduction(tf, name)(v, axis), x)
        )
        for name in REDUCTIONS
        for axis in (0, -1)
    }


def keepdims(tf):
    x = tf.constant([[1.0, 2.0, -1.0], [0.5, 3.0, 2.5]], tf.float64)
    return {
        name: (lambda name=name: value_and_gradients(tf, lambda v: _reduction(tf, name)(v, axis=1, keepdims=True), x))
        for name in REDUCTIONS
    }


def axes(tf):
    x = tf.reshape(tf.range(8.0), (2, 2, 2))
    return {
        "list": lambda: tf.reduce_sum(x, [0, 2]),
        "tuple": lambda: tf.reduce_sum(x, (0, -1)),
        "tensor": lambda: tf.reduce_sum(x, tf.constant([1])),
        "empty list": lambda: tf.reduce_sum(x, []),
        "range": lambda: tf.reduce_sum(x, range(2)),
        "keepdims of a list": lambda: tf.shape(tf.reduce_max(x, [0, 2], keepdims=True)),
        "beyond": lambda: tf.reduce_sum(x, 3),
        "below": lambda: tf.reduce_sum(x, -4),
        "twice": lambda: tf.reduce_sum(x, [0, 0]),
        "float": lambda: tf.reduce_sum(x, 1.0),
        "of a list of lists": lambda: tf.reduce_sum([[1, 2], [3, 4]], axis=0),
        "of a python number": lambda: tf.reduce_sum(3.0),
        "of a list of tensors": lambda: tf.reduce_mean([tf.constant(1.0), tf.constant(3.0)]),
    }


def dtypes(tf):
    return {
        "sum of int32": lambda: tf.reduce_sum([1, 2]),
        "sum of int64": lambda: tf.reduce_sum(tf.constant([1, 2], tf.int64)),
        "sum of uint8 wraps": lambda: tf.reduce_sum(tf.constant([200, 100], tf.uint8)),
        "mean of int32": lambda: tf.reduce_mean([1, 2]),
        "max of ints": lambda: tf.reduce_max([1, 5, 2]),
        "prod of ints": lambda: tf.reduce_prod([2, 3]),
        "any": lambda: tf.reduce_any([[True, False], [False, False]], 1),
        "all": lambda: tf.reduce_all([[True, False], [True, True]], 0),
        "any of ints": lambda: refused(lambda: tf.reduce_any([1, 0])),
        "max of bools": lambda: tf.reduce_max([True, False]),
        "variance of ints": lambda: tf.math.reduce_variance([1, 2]),
        "std of ints": lambda: tf.math.reduce_std([1, 2]),
        "logsumexp of ints": lambda: tf.reduce_logsumexp([1, 2]),
        "count_nonzero": lambda: tf.math.count_nonzero([[0, 1], [2, 3]]),
        "count_nonzero axis": lambda: tf.math.count_nonzero([[0.0, 1.0], [2.0, 3.0]], axis=1, dtype=tf.int32),
        "sum with nan": lambda: tf.reduce_sum([1.0, NAN]),
        "max with nan": lambda: tf.reduce_max([1.0, NAN, 2.0]),
        "min with nan": lambda: tf.reduce_min([NAN, 1.0]),
        "zero_fraction": lambda: tf.math.zero_fraction([0.0, 1.0, 0.0, 2.0]),
        "argmax": lambda: tf.argmax([1.0, 3.0, 3.0]),
        "argmin": lambda: tf.argmin([[1.0, 0.0], [2.0, 5.0]], axis=1),
        "argmax default axis": lambda: tf.argmax([[1, 5], [7, 2]]),
        "argmax int32": lambda: tf.argmax([1, 2], output_type=tf.int32),
        "argmax beyond": lambda: tf.argmax([1, 2], axis=2),
        "argmax of bools": lambda: tf.argmax([False, True]),
        "math.argmax": lambda: tf.math.argmax([[1.0, 2.0]], -1),
    }


def cumulative(tf):
    x = tf.constant([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    return {
        "cumsum": lambda: tf.cumsum(x),
        "cumsum axis": lambda: tf.cumsum(x, axis=1),
        "cumsum exclusive": lambda: tf.cumsum(x, axis=1, exclusive=True),
        "cumsum reverse": lambda: tf.cumsum(x, axis=1, reverse=True),
        "cumsum exclusive reverse": lambda: tf.cumsum(x, axis=1, exclusive=True, reverse=True),
        "cumsum of ints": lambda: tf.cumsum([1, 2, 3]),
        "cumsum beyond": lambda: tf.cumsum(x, axis=2),
        "cumprod": lambda: tf.math.cumprod(x, axis=1),
        "cumprod exclusive": lambda: tf.math.cumprod(x, axis=1, exclusive=True),
        "cumprod reverse": lambda: tf.math.cumprod(x, axis=0, reverse=True),
        "cumulative_logsumexp": lambda: tf.math.cumulative_logsumexp(x, axis=1),
        "cumulative_logsumexp exclusive": lambda: tf.math.cumulative_logsumexp(x, axis=1, exclusive=True),
    }


def segments(tf):
    data = tf.constant([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    ids = [0, 0, 2]
    answers = {
        f"segment_{name}": (
            lambda name=name: value_and_gradients(tf, lambda v: getattr(tf.math, f"segment_{name}")(v, ids), data)
        )
        for name in ("sum", "mean", "max", "min")
    }
    answers |= {
        f"unsorted_segment_{name}": (
            lambda name=name: value_and_gradients(
                tf, lambda v: getattr(tf.math, f"unsorted_segment_{name}")(v, [2, 0, 2], 3), data
            )
        )
        for name in ("sum", "mean", "prod", "sqrt_n")
    }
    return answers | {
        "segment_prod": lambda: tf.math.segment_prod(data, ids),
        "segment_sum of ints": lambda: tf.math.segment_sum([1, 2, 3], [0, 0, 1]),
        "not sorted": lambda: tf.math.segment_sum(data, [1, 0, 2]),
        "too few ids": lambda: tf.math.segment_sum(data, [0, 0]),
        "negative id drops the row": lambda: tf.math.unsorted_segment_sum(data, [-1, 0, 1], 2),
        "id beyond": lambda: tf.math.unsorted_segment_sum(data, [0, 1, 2], 2),
        "unsorted empty segment max": lambda: tf.math.unsorted_segment_max(data, [0, 0, 0], 2),
        "bincount": lambda: tf.math.bincount([1, 1, 3]),
        "bincount weights": lambda: tf.math.bincount([1, 1, 3], weights=[0.5, 1.0, 2.0]),
        "bincount minlength": lambda: tf.math.bincount([1], minlength=4),
        "bincount maxlength": lambda: tf.math.bincount([1, 5], maxlength=3),
        "histogram_fixed_width": lambda: tf.histogram_fixed_width([0.0, 0.4, 0.6, 2.0], [0.0, 1.0], nbins=2),
    }


def moments(tf):
    x = tf.constant([[1.0, 2.0], [3.0, 6.0]])
    return {
        "moments": lambda: tf.nn.moments(x, [0]),
        "moments int axis": lambda: tf.nn.moments(x, 1),
        "moments keepdims": lambda: tf.nn.moments(x, [0], keepdims=True),
        "moments all": lambda: tf.nn.moments(x, [0, 1]),
        "reduce_variance": lambda: tf.math.reduce_variance(x, 0),
        "reduce_std": lambda: tf.math.reduce_std(x, 0, keepdims=True),
    }
