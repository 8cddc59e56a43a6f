"""Arguments of layers, losses and metrics: checks, attributes, masks of several inputs, integers, ragged inputs."""

import numpy as np

from ..refusal import refused
from ..weights import with_weights

A = np.sin(np.arange(2 * 3 * 2)).reshape(2, 3, 2).astype(np.float32)
B = np.cos(np.arange(2 * 3 * 2) * 1.7).reshape(2, 3, 2).astype(np.float32)
C = A * B - np.float32(0.3)
A[0, 1] = A[1, 2] = B[0, 2] = B[1, 2] = C[1, 2] = 0.0
V = np.sin(np.arange(2 * 3 * 3 * 3 * 4) * 0.7).reshape(2, 3, 3, 3, 4).astype(np.float32)


def refused_arguments(tf):
    layers = tf.keras.layers
    calls = {
        "MultiHeadAttention(value_dim=0)": lambda: layers.MultiHeadAttention(2, 3, value_dim=0),
        "MultiHeadAttention(value_dim=-1)": lambda: layers.MultiHeadAttention(2, 3, value_dim=-1),
        "MultiHeadAttention(value_dim=1.5)": lambda: layers.MultiHeadAttention(2, 3, value_dim=1.5),
        "GroupNormalization(1.5)": lambda: layers.GroupNormalization(1.5),
        "GroupNormalization('a')": lambda: layers.GroupNormalization("a"),
        "GroupNormalization(None)": lambda: layers.GroupNormalization(None),
        "GroupNormalization(-1)": lambda: layers.GroupNormalization(-1),
        "Softmax, a mask of more rows": lambda: layers.Softmax()(tf.ones((1, 3)), mask=tf.ones((2, 3))),
        "Softmax, a mask of more dimensions": lambda: layers.Softmax()(tf.ones((1, 3)), mask=tf.ones((1, 1, 3))),
        "masks that are no list": lambda: layers.Add().compute_mask([tf.constant(A), tf.constant(B)], tf.ones((2, 3))),
        "inputs that are no list": lambda: layers.Add().compute_mask(tf.constant(A), [None, None]),
        "fewer masks than inputs": lambda: layers.Maximum().compute_mask([tf.constant(A), tf.constant(B)], [None]),
        "fewer masks than joined": lambda: layers.Concatenate().compute_mask([tf.constant(A), tf.constant(B)], [None]),
    }
    return {name: lambda call=call: refused(call) for name, call in calls.items()}


def merged_masks(tf):
    layers = tf.keras.layers

    def merged(name, arrays, masked):
        x = [layers.Masking()(tf.constant(a)) if m else tf.constant(a) for a, m in zip(arrays, masked, strict=True)]
        y = getattr(layers, name)()(x)
        return [y, getattr(y, "_keras_mask", None)]

    names = ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate")
    numbers = [tf.constant([[0.0, 1.0, 1.0], [0.0, 0.0, 1.0]]), tf.constant([[1.0, 0.0, 1.0], [0.0, 0.0, 1.0]])]
    return {
        **{
            f"{name}: {masked}": lambda name=name, masked=masked: merged(name, (A, B), masked)
            for name in names
            for masked in ((True, True), (True, False), (False, True))
        },
        **{
            f"{name} of three": lambda name=name: merged(name, (A, B, C), (True, True, True))
            for name in names
            if name != "Subtract"
        },
        **{
            f"{name}, masks of numbers": lambda name=name: getattr(layers, name)().compute_mask(
                [tf.constant(A), tf.constant(B)], numbers
            )
            for name in names
        },
        "Masking of integers": lambda: layers.Masking(1)(tf.constant([[[1, 1], [1, 2]]])),
        "its mask": lambda: layers.Masking(1).compute_mask(tf.constant([[[1, 1], [1, 2]]])),
        "the mask of a value between integers": lambda: layers.Masking(0.5).compute_mask(tf.constant([[[0, 1]]])),
        "Softmax with a mask of numbers": lambda: layers.Softmax()(
            tf.constant(A[0]), mask=tf.constant([[1.0, 0.3], [0.6, 0.5], [0.0, 1.0]])
        ),
    }


def _attributes(one, names):
    return [[name, getattr(one, name)] for name in names]


def attributes(tf):
    losses, metrics, layers = tf.keras.losses, tf.keras.metrics, tf.keras.layers
    makes = {
        "BinaryCrossentropy": (losses.BinaryCrossentropy, ("from_logits", "label_smoothing", "axis")),
        "BinaryFocalCrossentropy": (
            losses.BinaryFocalCrossentropy,
            ("apply_class_balancing", "alpha", "gamma", "from_logits", "label_smoothing", "axis"),
        ),
        "CategoricalCrossentropy": (losses.CategoricalCrossentropy, ("from_logits", "label_smoothing", "axis")),
        "CategoricalFocalCrossentropy": (
            losses.CategoricalFocalCrossentropy,
            ("alpha", "gamma", "from_logits", "axis"),
        ),
        "Dice": (losses.Dice, ("axis",)),
        "Tversky": (losses.Tversky, ("alpha", "beta", "axis")),
        "SparseCategoricalCrossentropy": (losses.SparseCategoricalCrossentropy, ("from_logits", "ignore_class")),
        "metric BinaryAccuracy": (metrics.BinaryAccuracy, ("threshold",)),
        "metric BinaryCrossentropy": (metrics.BinaryCrossentropy, ("from_logits", "label_smoothing")),
        "metric CategoricalCrossentropy": (metrics.CategoricalCrossentropy, ("from_logits", "label_smoothing", "axis")),
        "metric SparseCategoricalCrossentropy": (
            metrics.SparseCategoricalCrossentropy,
            ("from_logits", "ignore_class", "axis"),
        ),
        "metric TopK": (metrics.TopKCategoricalAccuracy, ("k",)),
        "metric SparseTopK": (metrics.SparseTopKCategoricalAccuracy, ("k", "from_sorted_ids")),
        "MultiHeadAttention": (
            lambda: layers.MultiHeadAttention(2, 3, attention_axes=(1, 2)),
            ("attention_axes", "value_dim"),
        ),
        "UnitNormalization": (lambda: layers.UnitNormalization(axis=(1, 2)), ("axis",)),
    }
    return {name: lambda make=make, names=names: _attributes(make(), names) for name, (make, names) in makes.items()}


def softmax_of_several_axes(tf):
    x = tf.reshape(tf.range(12.0) * 0.3, (2, 3, 2))
    functions = tf.keras.activations
    return {
        f"{name} {axes}": lambda name=name, axes=axes: getattr(functions, name)(x, axis=axes)
        for name in ("softmax", "log_softmax")
        for axes in ((0, 1), (1, 2), (0, 2), (1,), -1)
    }


def other_inputs(tf):
    layers, metrics = tf.keras.layers, tf.keras.metrics

    def volumes(**options):
        layer = layers.Conv3D(4, 2, **options)
        layer(V)
        with_weights(layer)
        x = tf.constant(V)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x)
            loss = tf.reduce_sum(y * y)
        return [y, tape.gradient(loss, x), *tape.gradient(loss, layer.trainable_weights)]

    def ragged():
        layer = layers.Embedding(4, 2)
        layer.build()
        layer.set_weights([np.arange(8.0).reshape(4, 2)])
        return [layer(tf.ragged.constant([[1, 2, 0], [3]])), layer(tf.ragged.constant([[1], []], tf.int64))]

    def without_activation(layer, x):
        layer.activation = None
        layer(x)
        return with_weights(layer)(x)

    return {
        "Conv3D of groups": lambda: volumes(groups=2),
        "Conv3D of groups, padded": lambda: volumes(groups=4, padding="same"),
        "Conv3D of groups, strides": lambda: volumes(groups=2, strides=2),
        "Embedding of ragged numbers": ragged,
        "Dense without an activation": lambda: without_activation(layers.Dense(2, "relu"), A),
        "EinsumDense without an activation": lambda: without_activation(
            layers.EinsumDense("abc,cd->abd", (None, 2), "relu"), A
        ),
        "Conv1D without an activation": lambda: without_activation(layers.Conv1D(2, 1, activation="relu"), A),
        "BinaryAccuracy of bools": lambda: metrics.BinaryAccuracy()(
            np.array([True, False, True]), np.array([True, True, True])
        ),
        "a metric's variable of an array": lambda: [
            tf.convert_to_tensor(one.add_variable((2,), value, dtype="float32"))
            for one in [metrics.Mean()]
            for value in (tf.constant([1.0, 2.0]), np.array([3.0, 4.0]))
        ],
        "bfloat16 weights in a float16 layer": lambda: [
            layer(np.ones((1, 3)))
            for layer in [layers.Dense(2, dtype="float16")]
            if layer.build((None, 3)) is None
            and layer.set_weights([tf.cast(tf.fill((3, 2), 0.5), tf.bfloat16), tf.cast(tf.ones(2), tf.bfloat16)])
            is None
        ],
    }
