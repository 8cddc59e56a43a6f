"""`keras.Input(ragged=True)`, symbolic ragged tensors, and Keras's layers and activations on ragged tensors."""

import numpy as np

from ..refusal import refused

_ACTIVATIONS = (
    *("linear", "relu", "leaky_relu", "relu6", "sigmoid", "log_sigmoid", "tanh", "elu", "selu", "celu", "gelu", "silu"),
    *(
        "mish",
        "softplus",
        "softsign",
        "squareplus",
        "exponential",
        "hard_sigmoid",
        "hard_tanh",
        "tanh_shrink",
        "softmax",
    ),
)


def _vectors(tf):
    return tf.RaggedTensor.from_row_lengths(tf.constant(np.arange(9.0).reshape(3, 3) ** 1.5 / 5, tf.float32), [1, 2])


def _numbers(tf):
    return tf.ragged.constant([[1, 2], [3]])


def _described(x):
    return x.shape, x.dtype, x.sparse, x.ragged, x.ragged_rank


def symbolic(tf):
    keras = tf.keras

    def of(*arguments, **options):
        return lambda: _described(keras.KerasTensor(*arguments, **options))

    def of_input(*arguments, **options):
        return lambda: _described(keras.Input(*arguments, **options))

    def of_layer(make, shape=(None, 3), dtype=None):
        return lambda: _described(make()(keras.Input(shape, ragged=True, dtype=dtype)))

    layers = keras.layers
    return {
        "tensor": of((None, None), ragged=True),
        "tensor of a rank": of((None, None, 3), ragged=True, ragged_rank=1, row_splits_dtype="int32"),
        "splits": lambda: keras.KerasTensor((None, None), ragged=True, row_splits_dtype="int32").row_splits_dtype,
        "sparse and ragged": of((None, None), sparse=True, ragged=True),
        "another option": of((None, None), ragged=True, rank=1),
        "text": lambda: repr(keras.Input((None, 3), ragged=True, dtype="int32", name="rows")),
        "text of a dense one": lambda: repr(keras.Input((3,), name="columns")),
        "input": of_input((None,), ragged=True),
        "input of a batch": of_input(batch_shape=(4, None), ragged=True),
        "input of scalars": of_input((), ragged=True),
        "sparse and ragged input": of_input((None,), sparse=True, ragged=True),
        "optional input": of_input((None,), ragged=True, optional=True),
        "input layer": lambda: sorted(layers.InputLayer((None,), ragged=True, name="a").get_config().items()),
        "Embedding": of_layer(lambda: layers.Embedding(5, 2), (None,), "int32"),
        "Embedding of dense": lambda: _described(layers.Embedding(5, 2)(keras.Input((4,)))),
        "Dense": of_layer(lambda: layers.Dense(2)),
        "LSTM": of_layer(lambda: layers.LSTM(2)),
        "pooling": of_layer(layers.GlobalAveragePooling1D),
        "activation": of_layer(lambda: layers.Activation("relu")),
        "identity": of_layer(layers.Identity),
        "sum": lambda: _described(keras.Input((None,), ragged=True) + 1.0),
        "sequential": lambda: (
            keras.Sequential([keras.Input((None,), ragged=True, dtype="int32"), layers.Embedding(5, 2)]).output_shape
        ),
    }


def activations(tf):
    x = tf.ragged.constant([[1.0, -2.0], [3.0]])
    return {
        **{name: (lambda name=name: tf.keras.activations.get(name)(x)) for name in _ACTIVATIONS},
        **{f"layer of {name}": (lambda name=name: tf.keras.layers.Activation(name)(x)) for name in _ACTIVATIONS},
        "relu with options": lambda: tf.keras.activations.relu(x, negative_slope=0.1, max_value=2.0),
        "x by name": lambda: tf.keras.activations.sigmoid(x=x),
        "keras.ops.relu": lambda: tf.keras.ops.relu(x),
        "gradient": lambda: _gradient(tf, x, tf.keras.activations.sigmoid),
    }


def _gradient(tf, x, function):
    with tf.GradientTape() as tape:
        tape.watch(x.flat_values)
        y = tf.reduce_sum(function(x))
    return tape.gradient(y, x.flat_values)


def layers(tf):
    x, layers = _vectors(tf), tf.keras.layers

    def trained(layer):
        y = layer(x, training=True)
        return y, [weight.numpy() for weight in layer.weights]

    merges = ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate")
    return {
        **{name: (lambda name=name: getattr(layers, name)()([x, x * 2.0])) for name in merges},
        "ReLU": lambda: layers.ReLU()(x),
        "LeakyReLU": lambda: layers.LeakyReLU()(x),
        "Softmax": lambda: layers.Softmax()(x),
        "Rescaling": lambda: layers.Rescaling(2.0, 1.0)(x),
        "Normalization": lambda: layers.Normalization(mean=1.0, variance=4.0)(x),
        "LayerNormalization": lambda: layers.LayerNormalization()(x),
        "BatchNormalization": lambda: layers.BatchNormalization()(x),
        "BatchNormalization trained": lambda: trained(layers.BatchNormalization()),
        "LayerNormalization over rows": lambda: refused(lambda: layers.LayerNormalization(axis=1)(x)),
        "normalization of ragged numbers": lambda: refused(lambda: layers.BatchNormalization()(_numbers(tf))),
        "mean": lambda: layers.GlobalAveragePooling1D()(x),
        "maximum": lambda: layers.GlobalMaxPooling1D()(x),
        **{
            f"{name} refuses": (lambda make=make: refused(lambda: make(x)))
            for name, make in {
                "Dense": layers.Dense(2),
                "LSTM": layers.LSTM(2),
                "GRU": layers.GRU(2),
                "Conv1D": layers.Conv1D(2, 1),
                "TimeDistributed": layers.TimeDistributed(layers.Dense(2)),
                "Dot": lambda x: layers.Dot(1)([x, x]),
                "MaxPooling1D": layers.MaxPooling1D(2),
                "Flatten": layers.Flatten(),
                "MultiHeadAttention": lambda x: layers.MultiHeadAttention(1, 2)(x, x),
            }.items()
        },
    }


def models(tf):
    keras = tf.keras
    layers = keras.layers

    def of(*layers, shape=(None, 3), dtype=None):
        x = y = keras.Input(shape, ragged=True, dtype=dtype)
        for layer in layers:
            y = layer(y)
        return keras.Model(x, y)

    def embedding():
        return layers.Embedding(5, 2, embeddings_initializer=keras.initializers.Constant([[i, -i] for i in range(5)]))

    def trained(model, x):
        model.compile(keras.optimizers.SGD(0.01), "mse")
        history = model.fit(x, np.ones((2, 1)), epochs=3, batch_size=2, shuffle=False, verbose=0).history
        return history["loss"], model.predict(x, verbose=0), model.evaluate(x, np.ones((2, 1)), verbose=0)

    def two_paths():
        x = keras.Input((None, 3), ragged=True)
        y = layers.Concatenate()([layers.Activation("relu")(x), x])
        y = layers.GlobalAveragePooling1D()(layers.LayerNormalization()(y))
        weights = keras.initializers.Constant([[1.0], [-2.0], [3.0], [4.0], [0.5], [-1.0]])
        return keras.Model(x, layers.Dense(1, kernel_initializer=weights)(y))

    def dense_rows():
        x = keras.Input((None, 3), ragged=True)
        y = layers.Lambda(lambda x: x.to_tensor() if hasattr(x, "to_tensor") else x, output_shape=(None, 3))(x)
        return keras.Model(x, layers.LSTM(1, kernel_initializer="ones", recurrent_initializer="ones")(y))

    def texts():
        pooled = layers.GlobalAveragePooling1D()
        return of(embedding(), pooled, layers.Dense(1, kernel_initializer="ones"), shape=(None,), dtype="int32")

    return {
        "identity": lambda: of(layers.Identity())(_vectors(tf)),
        "no layer": lambda: of().predict(_vectors(tf), verbose=0),
        "embedding": lambda: of(embedding(), shape=(None,), dtype="int32").predict(_numbers(tf), verbose=0),
        "texts": lambda: trained(texts(), _numbers(tf)),
        "two paths": lambda: trained(two_paths(), _vectors(tf)),
        "dense rows": lambda: trained(dense_rows(), _vectors(tf)),
        "of a dataset": lambda: two_paths().predict(tf.data.Dataset.from_tensors(_vectors(tf)), verbose=0),
        "configuration": lambda: keras.Model.from_config(two_paths().get_config()).inputs[0].ragged,
        "a dense tensor": lambda: two_paths()(_vectors(tf).to_tensor()),
    }
