"""Ragged tensors in `fit`, `evaluate` and `predict`, and predictions of several lengths."""

import numpy as np


def _rows(tf):
    return tf.ragged.constant([[1.0, 2.0], [3.0], [4.0, 5.0, 6.0], [7.0]] * 5)


def _identity_model(tf):
    class Identity(tf.keras.Model):
        def call(self, x):
            return x

    return Identity()


def _mean_model(tf):
    class RowMean(tf.keras.layers.Layer):
        def call(self, x):
            return tf.reduce_mean(x, axis=1, keepdims=True)

    model = tf.keras.Sequential([RowMean(), tf.keras.layers.Dense(1, kernel_initializer="ones")])
    model.compile(tf.keras.optimizers.SGD(0.005), "mse")
    return model


def inputs(tf):
    x, y = _rows(tf), np.arange(20.0, dtype=np.float32)
    options = {"batch_size": 8, "shuffle": False, "verbose": 0}

    def fitted(**more):
        model = _mean_model(tf)
        history = model.fit(x, y, epochs=2, **options, **more).history
        return [history, model.predict(x, verbose=0), model.evaluate(x, y, verbose=0)]

    return {
        "fit": fitted,
        "weights": lambda: fitted(sample_weight=np.linspace(0.0, 1.0, 20)),
        "validation split": lambda: fitted(validation_split=0.25),
        "validation data": lambda: fitted(validation_data=(x, y)),
        "one batch": lambda: _mean_model(tf).train_on_batch(x, y),
        "dataset": lambda: _mean_model(tf).fit(tf.data.Dataset.from_tensor_slices((x, y)).batch(8), verbose=0).history,
    }


def _dtypes_in_a_sequential(tf):
    """The dtypes that the first item of a ``Sequential`` gets, which casts to that of its input; and without a ``Sequential``."""
    seen = []

    class Network(tf.keras.Model):
        def call(self, x):
            seen.append(x.dtype)
            return x

    def dtypes_of(make, x):
        model = make()
        seen.clear()
        result = model(x)
        model.compile("sgd", "mse")
        predicted = model.predict(x, verbose=0)
        return [result.dtype.name, seen[-1].name, predicted]

    def network_with_input(dtype):
        return tf.keras.Sequential([tf.keras.Input((2,), dtype=dtype), Network()])

    values = {
        "ragged integers": tf.ragged.constant([[1], [2, 3]]),
        "integers": tf.constant([[1, 2], [3, 4]]),
        "an array": np.array([[1, 2], [3, 4]]),
        "booleans": tf.constant([[True, False]]),
        "doubles": tf.constant([[1.5, 2.5]], tf.float64),
    }
    makers = {
        "a model": Network,
        "a model in a Sequential": lambda: tf.keras.Sequential([Network()]),
        "a model in two": lambda: tf.keras.Sequential([tf.keras.Sequential([Network()])]),
        "a model after integers": lambda: network_with_input("int32"),
        "a model after floats": lambda: network_with_input("float32"),
    }
    return {
        f"{name} gets {kind}": lambda make=make, x=x: dtypes_of(make, x)
        for name, make in makers.items()
        for kind, x in values.items()
    }


def outputs(tf):
    x = _rows(tf)

    def of_loss(loss):
        model = _identity_model(tf)
        model.compile("sgd", loss)
        return model.evaluate(x, x * 2.0, verbose=0)

    def in_dict():
        entry = tf.keras.Input((None,), name="a")
        return tf.keras.Model({"a": entry}, tf.keras.layers.Identity()(entry)).predict({"a": x}, verbose=0)

    return {
        "predict": lambda: _identity_model(tf).predict(x, batch_size=7, verbose=0),
        "a dict of inputs": in_dict,
        "integers become floats": lambda: tf.keras.Sequential([tf.keras.layers.Identity()]).predict(
            tf.ragged.constant([[1], [2, 3]]), verbose=0
        ),
        **_dtypes_in_a_sequential(tf),
        "mse": lambda: of_loss("mse"),
        "mae": lambda: of_loss("mae"),
        "a function of the user's": lambda: of_loss(lambda y, p: tf.reduce_sum(tf.square(y - p), axis=1)),
        "direct": lambda: tf.keras.losses.MeanSquaredError(reduction="none")(x, x * 2.0),
    }


def several_lengths(tf):
    def batches(*shapes):
        def generator():
            for shape in shapes:
                yield np.arange(np.prod(shape), dtype=np.float32).reshape(shape)

        model = _identity_model(tf)
        return model.predict(
            tf.data.Dataset.from_generator(
                generator, output_signature=tf.TensorSpec((None,) * len(shapes[0]), tf.float32)
            ),
            verbose=0,
        )

    return {
        "matrices": lambda: batches((2, 3), (1, 2)),
        "inner dimension": lambda: batches((2, 3, 2), (1, 2, 2)),
        "last dimension": lambda: batches((2, 2, 3), (1, 2, 1)).to_list(),
        "equal": lambda: batches((2, 3), (1, 3)),
    }
