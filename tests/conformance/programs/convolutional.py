"""Layers of convolutions, pooling and batch normalisation: outputs and gradients from given weights, statistics, settings."""

import numpy as np

from ..refusal import refused


def _numbers(shape, shift=0.0):
    return np.sin(np.arange(int(np.prod(shape)), dtype=np.float64) * 0.7 + shift).reshape(shape)


X1, X2, X3 = _numbers((2, 7, 3)), _numbers((2, 5, 6, 3)), _numbers((1, 3, 4, 3, 2))


def _with_weights(layer, shape):
    layer.build(shape)
    layer.set_weights(
        [
            0.6
            * np.cos(np.arange(int(np.prod(w.shape))) * 1.3 + place).reshape(tuple(w.shape)) ** (1 + ("var" in w.name))
            for place, w in enumerate(layer.weights)
        ]
    )
    return layer


def _differentiated(tf, layer, x, **options):
    """What the layer gives, the gradients of its weights and of its inputs, and the weights that it changes."""
    layer = _with_weights(layer, x.shape)
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x, **options)
        total = tf.reduce_sum(y * y * y)
    kept = [w.numpy() for w in layer.non_trainable_variables]
    return y, tape.gradient(total, [*layer.trainable_variables, x]), kept


def _settings(layer):
    plain = (str, bool, int, float, tuple, list)
    return sorted([k, v] for k, v in layer.get_config().items() if isinstance(v, plain) and k != "name")


def convolutions(tf):
    def made(kind, *arguments, **options):
        return getattr(tf.keras.layers, kind)(*arguments, dtype="float64", **options)

    def of(x, *arguments, **options):
        return lambda: _differentiated(tf, made(*arguments, **options), x)

    return {
        "Conv1D": of(X1, "Conv1D", 4, 3),
        "Conv1D same strides": of(X1, "Conv1D", 4, 3, strides=2, padding="same"),
        "Conv1D causal": of(X1, "Conv1D", 4, 3, padding="causal", dilation_rate=2, activation="tanh"),
        "Conv2D": of(X2, "Conv2D", 4, 3),
        "Conv2D same relu": of(X2, "Conv2D", 4, (2, 3), padding="same", activation="relu"),
        "Conv2D strides": of(X2, "Conv2D", 2, 3, strides=(2, 1), use_bias=False),
        "Conv2D dilated": of(X2, "Conv2D", 2, 2, dilation_rate=(2, 3)),
        "Conv2D groups": lambda: made("Conv2D", 6, 3, groups=3).compute_output_shape((None, 5, None, 3)),
        "Conv3D": of(X3, "Conv3D", 3, 2),
        "Conv1DTranspose": of(X1, "Conv1DTranspose", 4, 3, strides=2),
        "Conv2DTranspose": of(X2, "Conv2DTranspose", 4, 3),
        "Conv2DTranspose valid": of(X2, "Conv2DTranspose", 4, 2, strides=3),
        "Conv2DTranspose same": of(X2, "Conv2DTranspose", 4, 3, strides=2, padding="same"),
        "Conv2DTranspose longer": of(X2, "Conv2DTranspose", 2, 3, strides=2, padding="same", output_padding=1),
        "DepthwiseConv1D": of(X1, "DepthwiseConv1D", 3, depth_multiplier=2),
        "DepthwiseConv2D": of(X2, "DepthwiseConv2D", 3),
        "DepthwiseConv2D many": of(X2, "DepthwiseConv2D", 3, strides=2, padding="same", depth_multiplier=2),
        "SeparableConv1D": of(X1, "SeparableConv1D", 4, 3),
        "SeparableConv2D": of(X2, "SeparableConv2D", 4, 3, depth_multiplier=2, activation="sigmoid"),
        "weights": lambda: [
            (w.path, tuple(w.shape))
            for kind in ("Conv2D", "Conv2DTranspose", "SeparableConv2D")
            for w in _with_weights(getattr(tf.keras.layers, kind)(4, 3, name="mine"), (None, 8, 8, 3)).weights
        ],
        "settings": lambda: [
            _settings(getattr(tf.keras.layers, kind)(*arguments))
            for kind, arguments in (
                ("Conv1D", (4, 3)),
                ("Conv2D", (4, 3)),
                ("Conv2DTranspose", (4, 3)),
                ("DepthwiseConv2D", (3,)),
                ("SeparableConv2D", (4, 3)),
            )
        ],
        "no filters": lambda: made("Conv2D", 0, 3),
        "wrong kernel size": lambda: made("Conv2D", 2, (3,)),
        "strides and dilations": lambda: made("Conv2D", 2, 3, strides=2, dilation_rate=2),
        "groups that do not divide": lambda: made("Conv2D", 3, 3, groups=2),
        "causal images": lambda: made("Conv2D", 2, 3, padding="causal"),
        "too large a window": lambda: refused(lambda: made("Conv2D", 2, 9)(X2)),
        "wrong rank": lambda: made("Conv2D", 2, 3)(X1),
        "output padding": lambda: made("Conv2DTranspose", 2, 3, output_padding=1),
    }


def pooling(tf):
    layers = tf.keras.layers

    def of(x, kind, *arguments, **options):
        dtype = "float32" if x is X3 else "float64"  # TensorFlow has no pooling of float64 volumes
        layer = getattr(layers, kind)(*arguments, dtype=dtype, **options)
        return lambda: _differentiated(tf, layer, x.astype(dtype))

    found = {}
    for rank, x in ((1, X1), (2, X2), (3, X3)):
        for kind in ("Max", "Average"):
            found[f"{kind}Pooling{rank}D"] = of(x, f"{kind}Pooling{rank}D", 2)
            found[f"{kind}Pooling{rank}D same"] = of(x, f"{kind}Pooling{rank}D", 3, strides=2, padding="same")
            found[f"Global{kind}Pooling{rank}D"] = of(x, f"Global{kind}Pooling{rank}D")
            found[f"Global{kind}Pooling{rank}D keepdims"] = of(x, f"Global{kind}Pooling{rank}D", keepdims=True)
    return found | {
        "settings": lambda: [
            _settings(layer)
            for layer in (layers.MaxPooling2D(), layers.AveragePooling1D(3, 2, "same"), layers.GlobalMaxPooling2D())
        ],
        "shapes": lambda: layers.MaxPooling2D(3, 2, "same").compute_output_shape((None, 7, None, 3)),
        "no window": lambda: refused(lambda: layers.AveragePooling2D()),
        "ZeroPadding2D": of(X2, "ZeroPadding2D", ((1, 2), (3, 0))),
        "UpSampling2D": of(X2, "UpSampling2D", (2, 3)),
        "UpSampling2D bilinear": lambda: layers.UpSampling2D(2, interpolation="bilinear")(tf.cast(X2, tf.float32)),
    }


def batch_normalisation(tf):
    def made(**options):
        return tf.keras.layers.BatchNormalization(dtype="float64", **options)

    def of(x, training=True, **options):
        return lambda: _differentiated(tf, made(**options), x, training=training)

    def twice():
        layer = _with_weights(made(momentum=0.7), X2.shape)
        return [layer(tf.constant(X2 + n), training=n < 2) for n in range(3)], [w.numpy() for w in layer.weights]

    return {
        "training": of(X2),
        "inference": of(X2, False),
        "frozen": of(X2, trainable=False),
        "vectors": of(_numbers((6, 4)), momentum=0.5, epsilon=0.1),
        "other axis": of(X2, axis=1),
        "without gamma": of(X1, scale=False),
        "without beta": of(X1, center=False),
        "several steps": twice,
        "settings": lambda: _settings(tf.keras.layers.BatchNormalization()),
        "weights": lambda: [w.path for w in _with_weights(made(name="mine"), (None, 3)).weights],
        "trainable": lambda: [w.name for w in _with_weights(made(), (None, 3)).trainable_weights],
    }
