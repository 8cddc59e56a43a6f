"""tf.nn: activations, convolution, pooling, normalisation, cross-entropies."""

from ..differentiation import gradients, value_and_gradients
from ..refusal import refused

INFINITY = float("inf")


def activations(tf):
    x = tf.constant([[-1.0, 0.5, 2.0], [3.0, -0.25, 0.0]], tf.float64)

    def of(function):
        return value_and_gradients(tf, function, x)

    return {
        "relu": lambda: of(tf.nn.relu),
        "elu": lambda: of(tf.nn.elu),
        "gelu": lambda: value_and_gradients(tf, tf.nn.gelu, tf.cast(x, tf.float32)),
        "gelu approximate": lambda: value_and_gradients(
            tf, lambda v: tf.nn.gelu(v, approximate=True), tf.cast(x, tf.float32)
        ),
        "silu": lambda: of(tf.nn.silu),
        "swish": lambda: of(tf.nn.swish),
        "silu beta": lambda: of(lambda v: tf.nn.silu(v, beta=2.0)),
        "leaky_relu half": lambda: of(lambda v: tf.nn.leaky_relu(v, alpha=0.5)),
        "softplus": lambda: of(tf.nn.softplus),
        "softsign": lambda: of(tf.nn.softsign),
        "tanh": lambda: of(tf.nn.tanh),
        "sigmoid": lambda: of(tf.nn.sigmoid),
        "softmax": lambda: of(tf.nn.softmax),
        "softmax weighted": lambda: of(lambda v: tf.nn.softmax(v) * [[1.0, 2.0, 3.0]]),
        "softmax axis 0": lambda: of(lambda v: tf.nn.softmax(v, axis=0) * [[1.0], [2.0]]),
        "log_softmax": lambda: of(lambda v: tf.nn.log_softmax(v) * [[1.0, 2.0, 3.0]]),
        "softmax of ints": lambda: tf.nn.softmax(tf.constant([1, 2])),
        "softmax beyond": lambda: tf.nn.softmax(x, axis=2),
        "relu of bools": lambda: tf.nn.relu(tf.constant([True])),
        "relu of a list": lambda: tf.nn.relu([-1.0, 2.0]),
        "keras functions": lambda: [
            tf.keras.activations.relu(tf.constant([-1.0, 2.0])),
            tf.keras.activations.elu(tf.constant([-1.0, 2.0])),
            tf.keras.activations.selu(tf.constant([-1.0, 2.0])),
            tf.keras.activations.gelu(tf.constant([-1.0, 2.0])),
            tf.keras.activations.softmax(tf.constant([[-1.0, 2.0]])),
            tf.keras.activations.hard_sigmoid(tf.constant([-4.0, 1.0, 4.0])),
            tf.keras.activations.exponential(tf.constant([-1.0, 2.0])),
            tf.keras.activations.linear(tf.constant([-1.0, 2.0])),
            tf.keras.activations.leaky_relu(tf.constant([-1.0, 2.0])),
            tf.keras.activations.silu(tf.constant([-1.0, 2.0])),
            tf.keras.activations.mish(tf.constant([-1.0, 2.0])),
        ],
        "keras relu arguments": lambda: tf.keras.activations.relu(
            tf.constant([-2.0, 0.5, 9.0]), negative_slope=0.1, max_value=6.0, threshold=1.0
        ),
        "keras get": lambda: [
            tf.keras.activations.get(name).__name__ for name in ("relu", "tanh", "softmax", "linear")
        ],
        "keras get None": lambda: tf.keras.activations.get(None)(tf.constant(1.0)),
        "keras get unknown": lambda: tf.keras.activations.get("nonsense"),
    }


def cross_entropies(tf):
    logits = tf.constant([[1.0, 2.0, -1.0], [0.5, 0.0, 3.0]])
    labels = tf.constant([[0.0, 1.0, 0.0], [0.2, 0.3, 0.5]])

    def sparse(indices, values=logits):
        return value_and_gradients(
            tf, lambda v: tf.nn.sparse_softmax_cross_entropy_with_logits(labels=indices, logits=v), values
        )

    def softmax(**arguments):
        return value_and_gradients(
            tf, lambda y, x: tf.nn.softmax_cross_entropy_with_logits(y, x, **arguments), labels, logits
        )

    def sigmoid(y, x):
        return value_and_gradients(
            tf, lambda u, v: tf.nn.sigmoid_cross_entropy_with_logits(labels=u, logits=v), tf.constant(y), tf.constant(x)
        )

    return {
        "softmax": softmax,
        "softmax axis": lambda: softmax(axis=0),
        "softmax far": lambda: tf.nn.softmax_cross_entropy_with_logits([[0.0, 1.0]], [[1000.0, -1000.0]]),
        "softmax infinite logit": lambda: tf.nn.softmax_cross_entropy_with_logits([[1.0, 0.0]], [[0.0, -INFINITY]]),
        "softmax shapes differ": lambda: tf.nn.softmax_cross_entropy_with_logits(labels, tf.ones((2, 2))),
        "softmax broadcast labels": lambda: tf.nn.softmax_cross_entropy_with_logits([[0.0, 1.0, 0.0]], logits),
        "softmax integer labels": lambda: tf.nn.softmax_cross_entropy_with_logits(tf.constant([[0, 1, 0]]), logits[:1]),
        "sparse": lambda: sparse([1, 2]),
        "sparse int64": lambda: sparse(tf.constant([1, 2], tf.int64)),
        "sparse label beyond": lambda: sparse([1, 3]),
        "sparse negative label": lambda: sparse([-1, 0]),
        "sparse wrong batch": lambda: sparse([1]),
        "sparse scalar": lambda: sparse(1, tf.constant([1.0, 2.0])),
        "sparse matrix of labels": lambda: sparse([[1], [2]]),
        "sparse sequence": lambda: sparse([[1, 2]], logits[None]),
        "sparse float labels": lambda: refused(lambda: sparse([1.0, 2.0])),
        "sigmoid": lambda: sigmoid([0.0, 1.0, 0.5], [-2.0, 0.5, 0.0]),
        "sigmoid far": lambda: sigmoid([0.0, 1.0, 1.0, 0.0], [-1000.0, -1000.0, 1000.0, 1000.0]),
        "sigmoid shapes differ": lambda: sigmoid([0.0, 1.0], [1.0]),
        "weighted": lambda: value_and_gradients(
            tf,
            lambda v: tf.nn.weighted_cross_entropy_with_logits(labels=[0.0, 1.0], logits=v, pos_weight=2.0),
            tf.constant([0.5, -1.0]),
        ),
        "log_poisson_loss": lambda: tf.nn.log_poisson_loss([1.0, 2.0], [0.5, 0.1]),
        "second order": lambda: gradients(
            tf,
            lambda v: gradients(
                tf, lambda u: tf.nn.sparse_softmax_cross_entropy_with_logits(labels=[1, 2], logits=u), v
            )[0, 0],
            logits,
        ),
    }


def convolutions(tf):
    def numbers(*shape):
        size = 1
        for extent in shape:
            size *= extent
        return tf.reshape(tf.range(size, dtype=tf.float32) % 7.0 - 3.0, shape)

    image, kernel = numbers(1, 5, 4, 2), numbers(3, 2, 2, 2)

    def conv2d(**arguments):
        return value_and_gradients(tf, lambda x, w: tf.nn.conv2d(x, w, **arguments), image, kernel)

    return {
        "conv2d VALID": lambda: conv2d(strides=1, padding="VALID"),
        "conv2d SAME": lambda: conv2d(strides=1, padding="SAME"),
        "conv2d strides": lambda: conv2d(strides=2, padding="SAME"),
        "conv2d strides list": lambda: conv2d(strides=[1, 2, 1, 1], padding="VALID"),
        "conv2d dilations": lambda: tf.nn.conv2d(image, kernel, 1, "SAME", dilations=2),
        "conv2d explicit padding": lambda: conv2d(strides=1, padding=[[0, 0], [1, 0], [0, 2], [0, 0]]),
        "conv2d channels differ": lambda: tf.nn.conv2d(image, numbers(3, 2, 3, 2), 1, "SAME"),
        "conv2d wrong rank": lambda: refused(lambda: tf.nn.conv2d(image[0], kernel, 1, "SAME")),
        "conv2d unknown padding": lambda: refused(lambda: tf.nn.conv2d(image, kernel, 1, "HALF")),
        "conv2d stride zero": lambda: refused(lambda: tf.nn.conv2d(image, kernel, 0, "SAME")),
        "conv2d of an empty batch": lambda: tf.nn.conv2d(image[:0], kernel, 1, "SAME"),
        "conv2d groups": lambda: tf.nn.conv2d(image, numbers(2, 2, 1, 2), 1, "VALID"),
        "conv1d": lambda: value_and_gradients(
            tf, lambda x, w: tf.nn.conv1d(x, w, stride=2, padding="SAME"), numbers(1, 5, 2), numbers(3, 2, 2)
        ),
        "conv1d dilation": lambda: tf.nn.conv1d(numbers(1, 6, 1), numbers(2, 1, 1), 1, "VALID", dilations=2),
        "depthwise": lambda: value_and_gradients(
            tf, lambda x, w: tf.nn.depthwise_conv2d(x, w, [1, 1, 1, 1], "SAME"), image, numbers(2, 2, 2, 2)
        ),
        "separable": lambda: tf.nn.separable_conv2d(
            image, numbers(2, 2, 2, 1), numbers(1, 1, 2, 3), [1, 1, 1, 1], "VALID"
        ),
        "transpose": lambda: value_and_gradients(
            tf,
            lambda x, w: tf.nn.conv2d_transpose(x, w, (1, 4, 4, 1), 2, "SAME"),
            numbers(1, 2, 2, 2),
            numbers(3, 3, 1, 2),
        ),
        "transpose VALID": lambda: tf.nn.conv2d_transpose(
            numbers(1, 2, 2, 1), numbers(2, 2, 1, 1), (1, 4, 4, 1), 2, "VALID"
        ),
        "transpose wrong output": lambda: tf.nn.conv2d_transpose(
            numbers(1, 2, 2, 1), numbers(2, 2, 1, 1), (1, 9, 9, 1), 2, "SAME"
        ),
        "conv1d_transpose": lambda: tf.nn.conv1d_transpose(numbers(1, 3, 1), numbers(2, 1, 1), (1, 6, 1), 2),
        "convolution": lambda: tf.nn.convolution(image, kernel, padding="VALID"),
    }


def pooling(tf):
    image = tf.reshape(tf.constant([1.0, 5.0, 2.0, 0.0, 3.0, 4.0, 8.0, 7.0, 6.0]), (1, 3, 3, 1))

    def of(function):
        return value_and_gradients(tf, function, image)

    return {
        "max VALID": lambda: of(lambda x: tf.nn.max_pool2d(x, 2, 1, "VALID")),
        "max SAME puts the extra cell at the end": lambda: of(lambda x: tf.nn.max_pool2d(x, 2, 2, "SAME")),
        "max of negatives SAME": lambda: tf.nn.max_pool2d(-image, 2, 2, "SAME"),
        "average VALID": lambda: of(lambda x: tf.nn.avg_pool2d(x, 2, 1, "VALID")),
        "average SAME leaves padding out": lambda: of(lambda x: tf.nn.avg_pool2d(x, 2, 2, "SAME")),
        "overlapping": lambda: of(lambda x: tf.nn.max_pool2d(x, 3, 1, "SAME")),
        "window and strides as lists": lambda: tf.nn.max_pool2d(image, [1, 2, 3, 1], [1, 1, 2, 1], "VALID"),
        "two numbers": lambda: tf.nn.max_pool2d(image, [2, 1], [1, 1], "VALID"),
        "max_pool": lambda: tf.nn.max_pool(image, 2, 1, "VALID"),
        "avg_pool": lambda: tf.nn.avg_pool(image, 2, 1, "VALID"),
        "max_pool1d": lambda: tf.nn.max_pool1d(image[:, :, 0], 2, 1, "VALID"),
        "avg_pool1d": lambda: tf.nn.avg_pool1d(image[:, :, 0], 2, 1, "SAME"),
        "pool": lambda: tf.nn.pool(image, [2, 2], "AVG", padding="VALID"),
        "max_pool_with_argmax": lambda: list(tf.nn.max_pool_with_argmax(image, 2, 1, "VALID")),
    }


def normalisation(tf):
    x = tf.constant([[1.0, 2.0, 4.0], [3.0, 5.0, -1.0]])
    mean, variance = tf.nn.moments(x, [0])
    return {
        "batch_normalization": lambda: value_and_gradients(
            tf, lambda v: tf.nn.batch_normalization(v, mean, variance, [0.5, 0.0, 1.0], [1.0, 2.0, 3.0], 1e-3), x
        ),
        "batch_normalization without": lambda: tf.nn.batch_normalization(x, mean, variance, None, None, 1e-3),
        "l2_normalize": lambda: tf.nn.l2_normalize(x, 1),
        "local_response_normalization": lambda: tf.nn.local_response_normalization(tf.reshape(x, (1, 1, 2, 3)), 1),
        "bias_add": lambda: value_and_gradients(tf, tf.nn.bias_add, x, tf.constant([1.0, 2.0, 3.0])),
        "bias_add misfit": lambda: tf.nn.bias_add(x, tf.constant([1.0, 2.0])),
        "bias_add of rank 1": lambda: tf.nn.bias_add(tf.constant([1.0]), tf.constant([1.0])),
        "bias_add NHWC": lambda: tf.nn.bias_add(tf.zeros((1, 1, 1, 2)), [1.0, 2.0]),
        "scale_regularization_loss": lambda: tf.nn.scale_regularization_loss(tf.constant([1.0, 2.0])),
        "compute_average_loss": lambda: tf.nn.compute_average_loss(tf.constant([1.0, 2.0]), global_batch_size=4),
        "zero_fraction": lambda: tf.nn.zero_fraction([0.0, 1.0]),
    }


def dropout(tf):
    x = tf.ones((2, 3))
    return {
        "rate 0": lambda: tf.nn.dropout(x, 0.0),
        "rate 1": lambda: refused(lambda: tf.nn.dropout(x, 1.0)),
        "negative rate": lambda: tf.nn.dropout(x, -0.1),
        "rate above 1": lambda: tf.nn.dropout(x, 1.5),
        "kept values are scaled": lambda: sorted(set(tf.nn.dropout(tf.ones(1000), 0.75).numpy().tolist())),
        "noise_shape": lambda: bool(
            tf.reduce_all(tf.math.reduce_std(tf.nn.dropout(tf.ones((20, 5)), 0.5, noise_shape=[20, 1]), 1) == 0)
        ),
        "of ints": lambda: tf.nn.dropout(tf.ones(3, tf.int32), 0.5),
        "gradient is the mask": lambda: _mask_is_gradient(tf),
        "keeps the dtype": lambda: tf.nn.dropout(tf.ones(2, tf.float64), 0.5).dtype,
    }


def _mask_is_gradient(tf):
    x = tf.ones(100)
    result, gradient = value_and_gradients(tf, lambda v: tf.nn.dropout(v, 0.5), x)
    return bool(tf.reduce_all(result == gradient))


def embedding(tf):
    table = tf.constant([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    return {
        "lookup": lambda: tf.nn.embedding_lookup(table, [[0, 2], [1, 1]]),
        "lookup int64": lambda: tf.nn.embedding_lookup(table, tf.constant([2], tf.int64)),
        "lookup nothing": lambda: tf.nn.embedding_lookup(table, tf.zeros((0,), tf.int32)),
        "lookup floats": lambda: tf.nn.embedding_lookup(table, [1.0]),
    }
