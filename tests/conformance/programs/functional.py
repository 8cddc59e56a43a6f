"""Functional models: layers, weights, shapes, results, configurations; layers that merge."""

import numpy as np

from ..refusal import refused
from ..weights import with_signed_weights

X = np.sin(np.arange(2 * 3 * 4) * 0.7).reshape(2, 3, 4).astype(np.float32)


def _branches(tf):
    """Two inputs, a shared layer, two outputs."""
    layers = tf.keras.layers
    a, b = tf.keras.Input((4,), name="a"), tf.keras.Input((4,), name="b")
    shared = layers.Dense(3, name="shared", activation="tanh")
    left, right = shared(a), shared(b)
    both = layers.Concatenate(name="both")([left, right])
    skip = layers.Add(name="skip")([layers.Dense(6, name="wide")(left), both])
    return with_signed_weights(
        tf.keras.Model(
            [a, b], [layers.Dense(2, name="first")(skip), layers.Dense(1, name="second")(both)], name="branches"
        )
    )


def _described(model):
    return [
        [layer.name for layer in model.layers],
        [list(w.shape) for w in model.weights],
        model.count_params(),
        list(model.output_names),
        [list(shape) for shape in model.output_shape],
        [list(shape) for shape in model.input_shape],
    ]


def models(tf):
    layers = tf.keras.layers
    a, b = X[:, 0], X[:, 1]

    def nested():
        inner_in = tf.keras.Input((4,), name="i")
        inner = tf.keras.Model(inner_in, layers.Dense(3, name="in")(inner_in), name="inner")
        x = tf.keras.Input((4,), name="x")
        return with_signed_weights(tf.keras.Model(x, layers.Dense(2, name="out")(inner(x)), name="outer"))

    def by_names():
        x, y = tf.keras.Input((4,), name="x"), tf.keras.Input((4,), name="y")
        return with_signed_weights(
            tf.keras.Model({"x": x, "y": y}, {"p": layers.Dense(2, name="p")(x), "q": layers.Dense(2, name="q")(y)})
        )

    def sequences():
        x = tf.keras.Input((None, 4), name="x")
        h = layers.LSTM(3, return_sequences=True, name="h")(x)
        return with_signed_weights(
            tf.keras.Model(x, layers.Dense(2, name="d")(layers.GlobalAveragePooling1D(name="g")(h)))
        )

    def operators():
        x = tf.keras.Input((4,), name="x")
        return tf.keras.Model(x, (2.0 * x - 1.0) / (x * x + 1.0) + x[:, :1])

    def trained():
        model = _branches(tf)
        model.compile("sgd", {"first": "mse", "second": "mae"}, metrics={"second": ["mse"]})
        y = [np.ones((2, 2), np.float32), np.zeros((2, 1), np.float32)]
        history = model.fit([a, b], y, epochs=2, verbose=0).history
        return {name: [float(value) for value in values] for name, values in history.items()}

    def part():
        model = _branches(tf)
        return tf.keras.Model(model.inputs, model.get_layer("both").output)([a, b])

    return {
        "described": lambda: _described(_branches(tf)),
        "results": lambda: list(_branches(tf)([a, b])),
        "predicted": lambda: list(_branches(tf).predict([a, b], verbose=0)),
        "inputs by name": lambda: list(_branches(tf)({"b": b, "a": a})),
        "again from its configuration": lambda: _described(type(_branches(tf)).from_config(_branches(tf).get_config())),
        "nested": lambda: [nested()(a), [layer.name for layer in nested().layers], [w.path for w in nested().weights]],
        "by names": lambda: [by_names()({"x": a, "y": b})[name] for name in ("p", "q")],
        "sequences": lambda: [sequences()(X), list(sequences().output_shape)],
        "operators": lambda: operators()(a),
        "trained": trained,
        "training of a layer's call": lambda: _unfrozen(tf),
        "a part": part,
        "a column for an input without": lambda: _column(tf),
        "shapes of a layer": lambda: list(_branches(tf).get_layer("wide").output.shape),
    }


def _unfrozen(tf):
    """A base called with ``training=``, frozen first and unfrozen later: its statistics and what each kind of call gives."""
    results = []
    for training in (True, False, None):
        x = tf.keras.Input((4,))
        base = tf.keras.Model(x, tf.keras.layers.BatchNormalization()(x))
        base.trainable = False
        model = with_signed_weights(tf.keras.Model(x, tf.keras.layers.Dense(1)(base(x, training=training))))
        for trainable in (False, True):
            base.trainable = trainable
            model.compile(tf.keras.optimizers.SGD(0.01), "mse")
            history = model.fit(X[0], np.ones((3, 1), np.float32), epochs=2, verbose=0).history
            results += [[float(loss) for loss in history["loss"]], base.layers[1].moving_mean.numpy()]
        results += [
            model(X[1]),
            model(X[1], training=True),
            model(X[1], training=False),
            model.predict(X[1], verbose=0),
        ]
    return results


def _column(tf):
    x = tf.keras.Input((1,), name="x")
    return tf.keras.Model(x, x * 2.0)(np.arange(3.0, dtype=np.float32))


def merging(tf):
    layers = tf.keras.layers
    a, b, c = X[:, 0], X[:, 1], X[:, 2]
    return {
        "add": lambda: layers.Add()([a, b, c]),
        "add to one": lambda: layers.Add()([X, X[:, :1], a[:, None]]),
        "add of other ranks": lambda: layers.Add()([X, a]),
        "subtract": lambda: layers.Subtract()([a, b]),
        "multiply": lambda: layers.Multiply()([a, b, c]),
        "average": lambda: layers.Average()([a, b, c]),
        "maximum": lambda: layers.Maximum()([a, b, c]),
        "minimum": lambda: layers.minimum([a, b, c]),
        "concatenate": lambda: layers.Concatenate()([a, b]),
        "concatenate along an axis": lambda: layers.concatenate([X, X[:, :2]], axis=1),
        "dot": lambda: layers.Dot(1)([a, b]),
        "dot of axes": lambda: layers.Dot((1, 2))([X, np.swapaxes(X, 1, 2)]),
        "cosines": lambda: layers.dot([a, b], axes=1, normalize=True),
        "shape of a sum": lambda: list(layers.Add().compute_output_shape([(None, 3, 4), (None, 1, 4)])),
        "shape of a join": lambda: list(layers.Concatenate().compute_output_shape([(None, 3), (None, 5)])),
        "lambda": lambda: layers.Lambda(lambda x, factor: x * factor, arguments={"factor": 3.0})(a),
        "configuration": lambda: {
            k: v for k, v in layers.Concatenate(1, name="c").get_config().items() if k != "dtype"
        },
        "no list": lambda: refused(lambda: layers.Add()(a)),
        "other shapes": lambda: refused(lambda: layers.Add()([a, X[:, 0, :3]])),
        "three for a difference": lambda: refused(lambda: layers.Subtract()([a, b, c])),
        "joins that do not fit": lambda: refused(lambda: layers.Concatenate()([a, X])),
        "names used twice": lambda: refused(lambda: _twice(tf)),
        "inputs that are not there": lambda: refused(
            lambda: tf.keras.Model(tf.keras.Input((2,)), tf.keras.Input((2,)) + 1.0)
        ),
        "too few inputs": lambda: refused(lambda: _branches(tf)([a])),
        "inputs of another shape": lambda: refused(lambda: _branches(tf)([a, X[:, 0, :3]])),
    }


def _twice(tf):
    x = tf.keras.Input((2,))
    return tf.keras.Model(x, tf.keras.layers.Dense(2, name="d")(tf.keras.layers.Dense(2, name="d")(x)))
