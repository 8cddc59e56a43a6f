"""Models written in Keras's words, made by Keras or by fastgrad, and the files that each writes for the other.

Run by Keras, ``python models_of_both.py write FOLDER`` writes the files, and ``read FOLDER`` says what models give that
are in the files there. ``recorded_files.zip`` is what ``write`` wrote with Keras 3.15.1 on TensorFlow 2.21.
"""

import json
import sys
from pathlib import Path

import numpy as np

X = np.linspace(-1, 1, 24, dtype=np.float32).reshape(2, 3, 4)
NUMBERS = np.array([[1, 2, 0, 0, 0], [4, 4, 3, 1, 0]], np.int32)
LABELS = np.array([1, 0], np.int32)
INPUTS = {"compiled": X, "functional": NUMBERS, "recurrent": X, "subclass": X, "shared": X, "older": X, "operations": X}


def compiled(keras):
    """A Sequential that has been trained for two steps."""
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((3, 4)),
            layers.Flatten(),
            layers.Dense(5, "relu", kernel_regularizer="l2"),
            layers.BatchNormalization(),
            layers.Dropout(0.2),
            layers.Dense(2, "softmax"),
        ]
    )
    rate = keras.optimizers.schedules.ExponentialDecay(0.01, 10, 0.9)
    model.compile(keras.optimizers.AdamW(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    for _ in range(2):
        model.train_on_batch(X, LABELS)
    return model


def functional(keras):
    """Masks flow, and a layer is shared."""
    layers = keras.layers
    numbers = keras.Input((5,), dtype="int32")
    embedded = layers.Embedding(6, 4, mask_zero=True)(numbers)
    attended = layers.LayerNormalization()(
        layers.Add()([embedded, layers.MultiHeadAttention(2, 3)(embedded, embedded)])
    )
    shared = layers.Dense(3, "tanh")
    row = layers.GRU(3)(attended)
    return keras.Model(numbers, layers.Concatenate()([shared(row), shared(layers.Dense(3)(row))]))


def recurrent(keras):
    """Cells within layers within layers."""
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((3, 4)),
            layers.Bidirectional(layers.LSTM(2, return_sequences=True)),
            layers.TimeDistributed(keras.Sequential([keras.Input((4,)), layers.Dense(3)])),
            layers.RNN([layers.LSTMCell(2), layers.GRUCell(2)]),
        ]
    )


def subclass(keras):
    """Layers in lists, in dicts and in private attributes."""
    layers = keras.layers

    class Net(keras.Model):
        def __init__(self):
            super().__init__()
            self.blocks = [layers.Dense(3), [layers.Dense(2), layers.Dense(4)]]
            self.zoo = {"b": layers.Dense(2), "a": layers.Dense(3)}
            self._private = layers.Dense(2)
            self.again = self.blocks[0]
            self.scale = self.add_weight(shape=(2,), initializer="ones", name="scale")

        def call(self, x):
            x = self.blocks[1][1](self.blocks[1][0](self.blocks[0](x)))
            return self._private(self.zoo["a"](self.zoo["b"](x))) * self.scale

    model = Net()
    model(X)
    return model


def shared(keras):
    """A layer in two models inside. (Keras can't read its own file of this model.)"""
    layers = keras.layers
    one = layers.Dense(4, "tanh")
    parts = [keras.Sequential([keras.Input((3, 4)), one, *more]) for more in ([], [layers.Dense(4)])]
    x = keras.Input((3, 4))
    return keras.Model(x, layers.Add()([part(x) for part in parts]))


def older(keras):
    """What goes to an .h5 file: a model inside, a shared layer, weights that are not trained."""
    layers = keras.layers
    x = keras.Input((3, 4))
    inner = keras.Sequential([keras.Input((3, 4)), layers.Dense(4, "relu"), layers.BatchNormalization()])
    shared = layers.Dense(4, "tanh", trainable=False)
    row = layers.Bidirectional(layers.GRU(2))(shared(layers.Add()([inner(x), shared(x)])))
    return keras.Model(x, layers.Dense(2)(row))


def operations(keras):
    """Python operators and functions between the layers."""
    layers, ops = keras.layers, keras.ops
    x = keras.Input((3, 4))
    y = layers.Dense(4)(x * 2.0 - 1) / np.arange(1, 5, dtype=np.float32)
    y = keras.activations.gelu(y, approximate=True) + keras.activations.relu(y, negative_slope=0.1, max_value=2.0)
    y = ops.pad(ops.einsum("bij,bkj->bik", y, y), ((0, 0), (1, 0), (0, 0)), constant_values=0.5)
    y = ops.concatenate([ops.transpose(y, (0, 2, 1))[:, :, 1:], x, -x, abs(x) ** 2], axis=-1)
    y = ops.where(y > 0, y, ops.leaky_relu(y, 0.3))
    largest, places = ops.top_k(y, 3)
    left, right = ops.split(ops.layer_normalization(y), [7], axis=-1)
    y = ops.concatenate([ops.mean(left, axis=1), ops.max(right, axis=[1]), ops.reshape(largest, (-1, 9))], axis=-1)
    y = ops.stack([y, ops.clip(1 / (2 + ops.square(y)), 0.1, 0.4)], axis=1)
    y = ops.matmul(y, ops.expand_dims(y[:, 0, ...], -1)) @ np.ones((1, 2), np.float32)
    return keras.Model(
        x, layers.Flatten()(y) + ops.cast(ops.sum(places, axis=(1, 2), keepdims=False), "float32")[:, None]
    )


MODELS = {one.__name__: one for one in (compiled, functional, recurrent, subclass, shared, older, operations)}
ENDINGS = {"subclass": ".weights.h5", "older": ".h5"}


def file_of(folder, name):
    return Path(folder) / (name + ENDINGS.get(name, ".keras"))


def loaded(keras, folder, name):
    if name != "subclass":
        return keras.models.load_model(file_of(folder, name))
    model = subclass(keras)
    model.load_weights(file_of(folder, name))
    return model


def facts(model, name):
    """What a model gives for its input, and the state of its optimizer; plain lists."""
    optimizer = getattr(model, "optimizer", None)
    return {
        "outputs": np.asarray(model(INPUTS[name])).tolist(),
        "optimizer": [] if optimizer is None else [np.asarray(v.numpy()).tolist() for v in optimizer.variables],
        "loss": model.evaluate(X, LABELS, verbose=0, return_dict=True) if optimizer is not None else {},
    }


def main(command, folder):
    import keras

    keras.utils.set_random_seed(1)
    found = {}
    for name, make in MODELS.items():
        if command == "write":
            model = make(keras)
            (model.save_weights if name == "subclass" else model.save)(file_of(folder, name))
        else:
            model = loaded(keras, folder, name)
        found[name] = facts(model, name)
    (Path(folder) / "facts.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
