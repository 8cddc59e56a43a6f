"""Gradients where they are awkward: ties, kinks, poles, branches not taken, unused inputs."""

from ..differentiation import gradients, value_and_gradients
from ..refusal import refused

INFINITY, NAN = float("inf"), float("nan")


def poles(tf):
    zero = tf.constant([0.0])

    def of(function, x=zero):
        return value_and_gradients(tf, function, x)

    return {
        "sqrt": lambda: of(tf.sqrt),
        "log": lambda: of(tf.math.log),
        "reciprocal": lambda: of(tf.math.reciprocal),
        "rsqrt": lambda: of(tf.math.rsqrt),
        "norm": lambda: of(tf.norm, tf.constant([0.0, 0.0])),
        "norm of one element": lambda: of(tf.norm),
        "euclidean distance": lambda: of(lambda x: tf.sqrt(tf.reduce_sum((x - x) ** 2))),
        "reduce_std of equal values": lambda: of(tf.math.reduce_std, tf.constant([2.0, 2.0])),
        "clip_by_norm": lambda: of(lambda x: tf.clip_by_norm(x, 1.0), tf.constant([0.0, 0.0])),
        "l2_normalize": lambda: of(tf.math.l2_normalize, tf.constant([0.0, 0.0])),
        "divide": lambda: value_and_gradients(tf, tf.divide, tf.constant([1.0, 0.0]), tf.constant([0.0, 0.0])),
        "divide_no_nan": lambda: value_and_gradients(
            tf, tf.math.divide_no_nan, tf.constant([1.0, 0.0]), tf.constant([0.0, 0.0])
        ),
        "xlogy": lambda: value_and_gradients(tf, tf.math.xlogy, tf.constant([0.0, 2.0]), tf.constant([0.0, 3.0])),
        "x log x": lambda: of(lambda x: x * tf.math.log(x)),
        "atanh at one": lambda: of(tf.atanh, tf.constant([1.0])),
        "acosh at one": lambda: of(tf.acosh, tf.constant([1.0])),
        "atan2 at the origin": lambda: value_and_gradients(tf, tf.atan2, tf.constant([0.0]), tf.constant([0.0])),
        "softmax of infinities": lambda: of(tf.nn.softmax, tf.constant([-INFINITY, 0.0])),
    }


def branches(tf):
    x = tf.constant([0.0, 4.0])
    return {
        "where and sqrt, which is 0 for no cotangent": lambda: gradients(
            tf, lambda v: tf.where(v > 0, tf.sqrt(v), 0.0), x
        ),
        "where keeps the nan of log": lambda: gradients(tf, lambda v: tf.where(v > 0, tf.math.log(v), 0.0), x),
        "where keeps the nan of 1/x": lambda: gradients(tf, lambda v: tf.where(v > 0, 1.0 / v, 0.0), x),
        "boolean_mask is safe": lambda: gradients(tf, lambda v: tf.sqrt(tf.boolean_mask(v, v > 0)), x),
        "multiply_no_nan": lambda: value_and_gradients(
            tf, tf.math.multiply_no_nan, tf.constant([NAN, 2.0]), tf.constant([0.0, 3.0])
        ),
    }


def empties(tf):
    empty = tf.zeros((0, 3))
    return {
        "reduce_sum": lambda: value_and_gradients(tf, tf.reduce_sum, empty),
        "reduce_mean": lambda: value_and_gradients(tf, tf.reduce_mean, empty),
        "reduce_prod": lambda: value_and_gradients(tf, tf.reduce_prod, empty),
        "reduce_max": lambda: tf.reduce_max(empty),
        "reduce_min of ints": lambda: tf.reduce_min(tf.zeros((0,), tf.int32)),
        "reduce_sum along rows": lambda: value_and_gradients(tf, lambda x: tf.reduce_sum(x, 0), empty),
        "matmul": lambda: value_and_gradients(tf, tf.matmul, empty, tf.ones((3, 2))),
        "matmul inner": lambda: value_and_gradients(tf, tf.matmul, tf.ones((2, 0)), tf.ones((0, 2))),
        "concat": lambda: gradients(tf, lambda a, b: tf.concat([a, b], 0), empty, tf.ones((1, 3))),
        "softmax": lambda: value_and_gradients(tf, tf.nn.softmax, empty),
        "relu": lambda: value_and_gradients(tf, tf.nn.relu, empty),
        "gather": lambda: tf.gather(empty, tf.zeros((0,), tf.int32)),
        "argmax along columns": lambda: tf.argmax(empty, 1),
        "argmax along nothing": lambda: tf.argmax(empty, 0),
        "reduce_any": lambda: [tf.reduce_any(tf.zeros(0, tf.bool)), tf.reduce_all(tf.zeros(0, tf.bool))],
        "reduce_logsumexp": lambda: tf.reduce_logsumexp(empty),
        "cumsum": lambda: tf.cumsum(empty),
        "sort": lambda: tf.sort(tf.zeros(0)),
        "transpose": lambda: tf.transpose(empty),
        "reshape": lambda: tf.reshape(empty, (3, 0)),
        "reshape with -1": lambda: tf.reshape(empty, (-1, 3)),
        "split": lambda: tf.split(empty, 3, axis=1),
        "unstack": lambda: tf.unstack(empty),
        "moments": lambda: tf.nn.moments(empty, 0),
    }


def scalars(tf):
    three = tf.constant(3.0)
    return {
        "reduce_sum": lambda: value_and_gradients(tf, tf.reduce_sum, three),
        "reduce_max": lambda: value_and_gradients(tf, tf.reduce_max, three),
        "reduce_mean": lambda: value_and_gradients(tf, tf.reduce_mean, three),
        "transpose": lambda: tf.transpose(three),
        "reshape": lambda: gradients(tf, lambda x: tf.reshape(x, (1, 1)), three),
        "tile": lambda: tf.tile(three, []),
        "stack": lambda: gradients(tf, lambda x: tf.stack([x, x * 2.0]), three),
        "squeeze": lambda: tf.squeeze(three),
        "norm": lambda: tf.norm(three),
        "argmax": lambda: tf.argmax(three),
        "softmax": lambda: refused(lambda: tf.nn.softmax(three)),
        "concat": lambda: tf.concat([three, three], 0),
        "broadcast_to": lambda: gradients(tf, lambda x: tf.broadcast_to(x, (2, 3)), three),
        "cumsum": lambda: tf.cumsum(three),
    }


def other_dtypes(tf):
    def of(dtype):
        return value_and_gradients(tf, lambda x: tf.reduce_sum(x * x + 1), tf.constant([1.0, 2.0], dtype))

    return {
        "float16": lambda: of(tf.float16),
        "bfloat16": lambda: of(tf.bfloat16),
        "float64": lambda: of(tf.float64),
        "cast in the middle": lambda: gradients(
            tf, lambda x: tf.reduce_sum(tf.cast(x, tf.float64) * 2), tf.constant([1.0, 2.0])
        ),
        "cast to bfloat16": lambda: gradients(tf, lambda x: tf.cast(x, tf.bfloat16) * 2, tf.constant([1.0, 2.0])),
        "complex modulus": lambda: gradients(
            tf, lambda x, y: tf.abs(tf.complex(x, y)), tf.constant(3.0), tf.constant(4.0)
        ),
        "int inputs of a float result": lambda: gradients(tf, lambda x: tf.cast(x, tf.float32), tf.constant([1, 2])),
    }


def numerically_delicate(tf):
    return {
        "mean absolute error over three": lambda: gradients(
            tf, lambda x: tf.reduce_mean(tf.abs(x - [1.0, 2.0, 3.0])), tf.constant([2.0, 1.0, 5.0])
        ),
        "absorbed": lambda: (tf.constant(1.0, tf.float64) + 1e17) - 1e17,
        "moments of far values": lambda: tf.nn.moments(tf.constant([1e4, 1e4 + 1, 1e4 + 2]), 0),
        "variance of far values": lambda: tf.math.reduce_variance(tf.constant([1e8, 1e8 + 1], tf.float64)),
        "log_softmax": lambda: gradients(tf, lambda x: tf.nn.log_softmax(x)[0], tf.constant([100.0, 0.0])),
        "sum of large and small": lambda: tf.reduce_sum(tf.constant([1e8, 1.0, -1e8], tf.float64)),
    }
