"""Functions of `keras.backend` of Keras 2, and `keras.random`."""

import numpy as np

from ..differentiation import value_and_gradients


def _numbers(tf, *shape):
    count = int(np.prod(shape))
    return tf.reshape(tf.sin(tf.range(float(count)) * 1.7) * 2.0, shape)


def values(tf):
    k = tf.keras.backend
    x, y = _numbers(tf, 3, 4), _numbers(tf, 3, 4) + 0.5
    unary = "abs cos exp sigmoid sign sin square tanh round softplus softsign softmax elu relu sqrt l2_normalize"
    questions = {name: lambda name=name: value_and_gradients(tf, getattr(k, name), x) for name in unary.split()}
    binary = "equal greater greater_equal less less_equal maximum minimum not_equal"
    questions |= {name: lambda name=name: getattr(k, name)(x, y) for name in binary.split()}
    for name in ("all", "any", "max", "mean", "min", "prod", "std", "sum", "var"):
        questions[name] = lambda name=name: [
            getattr(k, name)(x),
            getattr(k, name)(x, axis=0),
            getattr(k, name)(x, axis=-1, keepdims=True),
        ]
    return questions | {
        "mean of truth": lambda: k.mean(x > 0),
        "arange": lambda: [k.arange(4), k.arange(1, 7, 2), k.arange(3, dtype="float32")],
        "argmax": lambda: k.argmax(x),
        "batch_flatten": lambda: k.batch_flatten(tf.reshape(x, (3, 2, 2))),
        "cast": lambda: k.cast(x, "int32"),
        "cast_to_floatx": lambda: [k.cast_to_floatx(np.arange(3)).dtype, k.cast_to_floatx(tf.range(3)).dtype],
        "clip": lambda: [k.clip(x, -1, 1), k.clip(x, 1, -1), k.clip(x, None, 0.5)],
        "concatenate": lambda: [k.concatenate([x, y]), k.concatenate([x, y], axis=0)],
        "constant": lambda: [k.constant([1, 2]), k.constant(3, dtype="int32", shape=(2,))],
        "count_params": lambda: k.count_params(tf.Variable(x)),
        "dtype": lambda: k.dtype(x),
        "expand_dims": lambda: [k.expand_dims(x).shape, k.expand_dims(x, 0).shape],
        "flatten": lambda: k.flatten(x),
        "gather": lambda: k.gather(x, [2, 0]),
        "int_shape": lambda: k.int_shape(x),
        "log": lambda: k.log(y + 3.0),
        "ndim": lambda: k.ndim(x),
        "one_hot": lambda: k.one_hot([0, 2], 3),
        "permute_dimensions": lambda: k.permute_dimensions(x, (1, 0)),
        "pow": lambda: k.pow(y, 2),
        "repeat": lambda: k.repeat(x, 2),
        "repeat of a vector": lambda: k.repeat(x[0], 2),
        "squeeze": lambda: k.squeeze(x[:, :1], 1),
        "stack": lambda: k.stack([x, y], axis=1),
        "switch": lambda: [k.switch(tf.constant(True), x, y), k.switch(tf.constant(0), lambda: x, y)],
        "switch of elements": lambda: k.switch(x > 0, x, lambda: y),
        "switch: rank": lambda: k.switch(x > 0, x[0], y[0]),
        "transpose": lambda: k.transpose(x),
        "relu options": lambda: [
            k.relu(x, alpha=0.1),
            k.relu(x, max_value=1.0),
            k.relu(x, threshold=0.5),
            k.relu(x, alpha=0.2, max_value=1.0, threshold=0.3),
        ],
        "elu alpha": lambda: k.elu(x, 0.5),
        "softmax of a vector": lambda: k.softmax(x[0]),
        "softmax of an axis": lambda: k.softmax(x, axis=0),
        "binary_crossentropy": lambda: [
            k.binary_crossentropy(tf.cast(x > 0, tf.float32), tf.sigmoid(y)),
            k.binary_crossentropy(tf.cast(x > 0, tf.float32), y, from_logits=True),
        ],
        "categorical_crossentropy": lambda: [
            k.categorical_crossentropy(tf.one_hot([0, 1, 3], 4), tf.nn.softmax(y) * 2.0),
            k.categorical_crossentropy(tf.one_hot([0, 1, 3], 4), y, from_logits=True),
        ],
        "sparse_categorical_crossentropy": lambda: [
            k.sparse_categorical_crossentropy([0, 1, 3], tf.nn.softmax(y)),
            k.sparse_categorical_crossentropy([0, 1, 2, 0], tf.nn.softmax(y, axis=0), axis=0),
            k.sparse_categorical_crossentropy([[0], [1], [3]], y, from_logits=True),
        ],
    }


def variables(tf):
    k = tf.keras.backend

    def updated(function, *arguments):
        v = k.variable([1.0, 2.0])
        function(v, *arguments)
        return v

    return {
        "variable": lambda: [k.variable([1, 2]).dtype, k.variable([1, 2], dtype="int32").dtype],
        "zeros": lambda: [k.zeros((2,)), k.ones((1, 2), dtype="float64")],
        "like": lambda: [k.zeros_like([1.0, 2.0]), k.ones_like([1, 2], dtype="float32")],
        "get_value": lambda: [k.get_value(k.variable([1.0])), k.get_value(3), k.eval(tf.constant([2.0]))],
        "set_value": lambda: updated(k.set_value, [3, 4]),
        "update": lambda: updated(k.update, [3.0, 4.0]),
        "moving_average_update": lambda: updated(k.moving_average_update, [3.0, 4.0], 0.9),
        "random": lambda: [
            k.random_normal((2, 3)).shape,
            k.random_uniform((2,), dtype="float64").dtype,
            k.random_bernoulli((3,), p=1.0),
        ],
    }


def products(tf):
    k = tf.keras.backend
    batch, matrices = _numbers(tf, 2, 3), _numbers(tf, 2, 4, 3)
    image, kernel = _numbers(tf, 2, 5, 6, 3), tf.ones((2, 3, 3, 4)) * [0.5, 1.0, 2.0, 3.0]
    return {
        "dot": lambda: value_and_gradients(tf, k.dot, batch, _numbers(tf, 3, 2)),
        "dot of more axes": lambda: k.dot(matrices, _numbers(tf, 5, 3, 2)),
        "batch_dot": lambda: value_and_gradients(tf, k.batch_dot, batch, batch + 1.0),
        "batch_dot of matrices": lambda: k.batch_dot(matrices, _numbers(tf, 2, 3, 5)),
        "batch_dot of axes": lambda: [
            k.batch_dot(matrices, matrices, axes=2),
            k.batch_dot(matrices, matrices, axes=(1, 1)),
        ],
        "batch_dot of both": lambda: [k.batch_dot(matrices, batch), k.batch_dot(batch, matrices, axes=(1, 2))],
        "batch_dot of more axes": lambda: k.batch_dot(_numbers(tf, 2, 2, 4, 3), _numbers(tf, 2, 3, 5, 2), axes=(3, 1)),
        "batch_dot: sizes": lambda: k.batch_dot(matrices, matrices),
        "batch_dot: batches": lambda: k.batch_dot(batch, _numbers(tf, 3, 3)),
        "batch_dot: vectors": lambda: k.batch_dot(batch[0], batch),
        "batch_dot: axis 0": lambda: k.batch_dot(batch, batch, axes=0),
        "bias_add": lambda: [k.bias_add(image, tf.constant([1.0, 2.0, 3.0])), k.bias_add(image, _numbers(tf, 5, 6, 3))],
        "bias_add: rank": lambda: k.bias_add(image, _numbers(tf, 6, 3)),
        "conv1d": lambda: [
            k.conv1d(matrices, _numbers(tf, 2, 3, 5)),
            k.conv1d(matrices, _numbers(tf, 2, 3, 5), padding="causal", dilation_rate=2),
        ],
        "conv2d": lambda: [k.conv2d(image, kernel), k.conv2d(image, kernel, strides=(2, 1), padding="same")],
        "depthwise_conv2d": lambda: [
            k.depthwise_conv2d(image, kernel),
            k.depthwise_conv2d(image, kernel, padding="same", dilation_rate=(2, 2)),
        ],
        "separable_conv2d": lambda: k.separable_conv2d(
            image, kernel, _numbers(tf, 1, 1, kernel.shape[2] * kernel.shape[3], 3), strides=(2, 2)
        ),
        "separable_conv2d: strides": lambda: k.separable_conv2d(image, kernel, kernel, strides=(1, 1, 1)),
        "conv2d_transpose": lambda: k.conv2d_transpose(
            image,
            tf.transpose(kernel, [0, 1, 3, 2]),
            (None, 2 * image.shape[1], 2 * image.shape[2], kernel.shape[3]),
            strides=(2, 2),
            padding="same",
        ),
        "conv2d_transpose: dilated": lambda: k.conv2d_transpose(
            image,
            tf.transpose(kernel, [0, 1, 3, 2]),
            (None, image.shape[1], image.shape[2], kernel.shape[3]),
            padding="same",
            dilation_rate=(2, 2),
        ),
        "conv2d_transpose: rates": lambda: k.conv2d_transpose(image, kernel, (1, 2, 3, 4), dilation_rate=(1, 2)),
        "conv2d: padding": lambda: k.conv2d(image, kernel, padding="full"),
        "conv3d": lambda: k.conv3d(_numbers(tf, 1, 3, 4, 3, 2), _numbers(tf, 2, 2, 2, 2, 3)),
        "padding": lambda: k.temporal_padding(matrices),
    }


def draws(tf):
    random = tf.keras.random
    generator = random.SeedGenerator(5, name="mine")

    def after_draws():
        generator = random.SeedGenerator(7)
        states = [generator.next(), generator.next(), generator.next(ordered=False), generator.next()]
        random.normal((2,), seed=generator)
        return [*states, generator.state]

    return {
        "states": after_draws,
        "config": lambda: [generator.get_config(), random.SeedGenerator.from_config({"seed": 3}).get_config()["seed"]],
        "shapes": lambda: [
            random.normal((2, 3), seed=1).shape,
            random.uniform((2,), seed=1).dtype,
            random.randint((2,), 0, 5, seed=1).dtype,
            random.randint((2,), 0, 5, dtype="uint8", seed=1).dtype,
            random.truncated_normal((2,), dtype="float16", seed=1).dtype,
            random.categorical([[0.0, 1.0]], 3, seed=1).shape,
            random.categorical([[0.0, 1.0]], 3, seed=1).dtype,
            random.gamma((2, 2), 1.0, seed=1).shape,
            random.beta((2, 2), 1.0, [1.0, 2.0], seed=1).dtype,
            random.binomial((3,), 4.0, 0.5, seed=1).dtype,
        ],
        "the same": lambda: tf.reduce_all(random.normal((9,), seed=3) == random.normal((9,), seed=3)),
        "others": lambda: tf.reduce_any(random.normal((9,), seed=generator) != random.normal((9,), seed=generator)),
        "without a seed": lambda: tf.reduce_any(random.normal((9,)) != random.normal((9,))),
        "dropout": lambda: [random.dropout(tf.ones(4), 0.0), random.dropout(tf.ones(4), 1.0)],
        "shuffle": lambda: tf.sort(random.shuffle(tf.range(9), seed=1)),
        "a float seed": lambda: random.normal((2,), seed=1.5),
        "a generator of a float": lambda: random.SeedGenerator(1.5),
        "integers of floats": lambda: random.randint((2,), 0, 5, dtype="float32"),
        "classes of a vector": lambda: random.categorical([0.0, 1.0], 3),
    }


def losses(tf):
    k = tf.keras.backend
    output = _numbers(tf, 2, 3)
    chances = tf.nn.softmax(_numbers(tf, 2, 6, 4))
    numbers = tf.constant([[0, 1, 2], [2, 0, 0]])
    steps, lengths = tf.constant([[6], [5]]), tf.constant([[3], [1]])
    return {
        "ctc_label_dense_to_sparse": lambda: tf.sparse.to_dense(
            k.ctc_label_dense_to_sparse(numbers, lengths[:, 0]), -1
        ),
        "ctc_batch_cost": lambda: k.ctc_batch_cost(numbers, chances, steps, lengths),
        "ctc_batch_cost: gradient": lambda: value_and_gradients(
            tf, lambda p: k.ctc_batch_cost(numbers, tf.nn.softmax(p), steps, lengths), _numbers(tf, 2, 6, 4)
        ),
        "ctc_decode": lambda: [*k.ctc_decode(chances, steps[:, 0])[0], k.ctc_decode(chances, steps[:, 0])[1]],
        "ctc_decode: beams": lambda: [
            *k.ctc_decode(chances, steps[:, 0], greedy=False, beam_width=9, top_paths=2)[0],
            k.ctc_decode(chances, steps[:, 0], greedy=False, beam_width=9, top_paths=2)[1],
        ],
        "is_sparse": lambda: [k.is_sparse(output), k.is_sparse(tf.sparse.from_dense(output))],
    }
