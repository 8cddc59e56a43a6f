"""Mixed precision: dtypes of weights, results and gradients of layers under each policy."""

import numpy as np

from ..refusal import refused

X = np.sin(np.arange(2 * 6 * 4) * 0.7).reshape(2, 6, 4).astype(np.float32)
IMAGES = np.cos(np.arange(2 * 6 * 6 * 3) * 0.3).reshape(2, 6, 6, 3).astype(np.float32)
IDS = np.array([[1, 2, 0], [3, 1, 1]], np.int32)


def _layers(tf):
    layers = tf.keras.layers
    return [
        (layers.Dense(3, activation="relu"), X),
        (layers.Embedding(5, 4), IDS),
        (layers.Conv2D(4, 3, padding="same"), IMAGES),
        (layers.Conv1D(4, 3), X),
        (layers.DepthwiseConv2D(3), IMAGES),
        (layers.MaxPooling2D(2), IMAGES),
        (layers.AveragePooling2D(2), IMAGES),
        (layers.GlobalAveragePooling2D(), IMAGES),
        (layers.BatchNormalization(), X),
        (layers.LayerNormalization(), X),
        (layers.SimpleRNN(3), X),
        (layers.LSTM(3), X),
        (layers.GRU(3, return_sequences=True), X),
        (layers.Bidirectional(layers.LSTM(2)), X),
        (layers.Dropout(0.5), X),
        (layers.Activation("softmax"), X),
        (layers.Flatten(), X),
        (layers.Dense(3, dtype="float32"), X),
    ]


def _under(tf, policy, program):
    tf.keras.mixed_precision.set_global_policy(policy)
    try:
        return program()
    finally:
        tf.keras.mixed_precision.set_global_policy("float32")


def _of_layer(tf, layer, x):
    layer.build(x.shape)
    with tf.GradientTape() as tape:
        y = layer(x)
        loss = tf.reduce_sum(tf.cast(y, tf.float32) * 0.5)
    gradients = tape.gradient(loss, layer.trainable_weights)
    return [
        layer.compute_dtype,
        layer.variable_dtype,
        y.dtype.name,
        [w.dtype for w in layer.weights],
        [tf.convert_to_tensor(g).dtype.name for g in gradients],
    ]


def layers_under_policies(tf):
    def asked(policy, number):
        def program():
            layer, x = _layers(tf)[number]
            return _of_layer(tf, layer, x)

        return lambda: _under(tf, policy, program)

    return {
        f"{policy} {number} {type(layer).__name__}": asked(policy, number)
        for policy in ("mixed_bfloat16", "mixed_float16")
        for number, (layer, _) in enumerate(_layers(tf))
    }


def policies(tf):
    policy = tf.keras.mixed_precision.Policy
    mixed, plain = policy("mixed_bfloat16"), policy("float16")

    def inside():
        return [
            tf.keras.config.dtype_policy().name,
            tf.keras.layers.Dense(2).dtype_policy.name,
            tf.keras.layers.Dense(2, dtype="float64").compute_dtype,
            tf.keras.metrics.Mean().dtype,
            tf.keras.losses.MeanSquaredError().dtype,
            tf.keras.Sequential([tf.keras.layers.Dense(2)]).compute_dtype,
            tf.keras.Input((2,)).dtype,
        ]

    return {
        "mixed": [mixed.name, mixed.compute_dtype, mixed.variable_dtype, mixed.get_config()],
        "plain": [plain.name, plain.compute_dtype, plain.variable_dtype],
        "before": lambda: tf.keras.mixed_precision.global_policy().name,
        "while it is set": lambda: _under(tf, "mixed_bfloat16", inside),
        "afterwards": lambda: tf.keras.layers.Dense(2).dtype_policy.name,
        "a layer's configuration": lambda: tf.keras.layers.Dense(2, dtype="mixed_float16").get_config()["dtype"],
        "no policy": lambda: refused(lambda: policy("mixed_float64")),
        "a model's weight outside of calls": lambda: _under(
            tf, "mixed_bfloat16", lambda: tf.reduce_sum(_built(tf).kernel).dtype.name
        ),
    }


def _built(tf):
    layer = tf.keras.layers.Dense(2)
    layer.build((None, 3))
    return layer
