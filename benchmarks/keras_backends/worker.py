"""Runs the models of this benchmark with one backend of Keras: requests come as lines of JSON, as `benchmarks.peers.process` sends them."""

import json
import os
import sys
import time
from importlib import metadata

BACKEND = sys.argv[1] if __name__ == "__main__" else None  # asv imports all modules of the folder
if BACKEND == "fastgrad":
    import keras_fastgrad  # noqa: F401
elif BACKEND and BACKEND != "fastgrad.keras":
    os.environ["KERAS_BACKEND"] = BACKEND

import numpy as np  # noqa: E402

if BACKEND == "fastgrad.keras":
    from fastgrad import keras
elif BACKEND:
    import keras

layers = keras.layers if BACKEND else None
BATCH = 32


def numbers(*shape):
    """Returns normal numbers of a shape."""
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def labels(count, classes=10):
    """Returns classes for ``count`` rows."""
    return np.random.default_rng(1).integers(0, classes, count)


def sequential(shape, *parts, dtype="float32"):
    """Returns a model of layers for inputs of a shape."""
    return keras.Sequential([keras.Input(shape, dtype=dtype), *parts])


def transformer():
    """Returns a block of a transformer on 32 tokens, with a classifier."""
    tokens = keras.Input((32,), dtype="int32")
    x = layers.Embedding(1000, 32)(tokens)
    x = layers.LayerNormalization()(x + layers.MultiHeadAttention(4, 8)(x, x))
    x = layers.LayerNormalization()(x + layers.Dense(32)(layers.Dense(64, activation="relu")(x)))
    return keras.Model(tokens, layers.Dense(10, activation="softmax")(layers.GlobalAveragePooling1D()(x)))


def convolutions():
    """Returns two convolutions with batch normalization, and a classifier."""
    block = [
        layers.Conv2D(16, 3, padding="same"), layers.BatchNormalization(), layers.ReLU(), layers.MaxPooling2D(),
        layers.Conv2D(32, 3, padding="same"), layers.BatchNormalization(), layers.ReLU(), layers.MaxPooling2D(),
    ]  # fmt: skip
    return sequential((28, 28, 1), *block, layers.Flatten(), layers.Dense(10, activation="softmax"))


def recommender():
    """Returns a model of two embeddings."""
    users, items = keras.Input((), dtype="int32"), keras.Input((), dtype="int32")
    vectors = [layers.Embedding(count, 32)(ids) for count, ids in ((2000, users), (3000, items))]
    x = layers.Dense(64, activation="relu")(layers.Concatenate()(vectors))
    return keras.Model([users, items], layers.Dense(10, activation="softmax")(x))


def mobile_net():
    """Returns MobileNetV2; None for fastgrad.keras, which lacks it."""
    if BACKEND == "fastgrad.keras":
        return None
    return keras.applications.MobileNetV2((96, 96, 3), weights=None, classes=10)


def token_ids(count, *shape, limit=1000):
    """Returns integers below ``limit``."""
    return np.random.default_rng(2).integers(0, limit, (count, *shape)).astype("int32")


MODELS = {
    "MLP 784-64-10": (
        lambda: sequential((784,), layers.Dense(64, activation="relu"), layers.Dense(10, activation="softmax")),
        lambda n: numbers(n, 784), 3200,
    ),
    "12 x Dense 128": (
        lambda: sequential(
            (128,), *[layers.Dense(128, activation="relu") for _ in range(12)], layers.Dense(10, activation="softmax")
        ),
        lambda n: numbers(n, 128), 1600,
    ),
    "CNN with batch norm": (convolutions, lambda n: numbers(n, 28, 28, 1), 640),
    "LSTM": (
        lambda: sequential((20, 16), layers.LSTM(32), layers.Dense(10, activation="softmax")),
        lambda n: numbers(n, 20, 16), 1600,
    ),
    "GRU": (
        lambda: sequential((20, 16), layers.GRU(32), layers.Dense(10, activation="softmax")),
        lambda n: numbers(n, 20, 16), 1600,
    ),
    "transformer block": (transformer, lambda n: token_ids(n, 32), 1600),
    "recommender": (
        recommender, lambda n: [token_ids(n, limit=2000), token_ids(n, limit=3000)], 3200,
    ),
    "MobileNetV2 96x96": (mobile_net, lambda n: numbers(n, 96, 96, 3), 64),
}  # fmt: skip
"""Of each model: a function that makes it, one that makes the inputs of a number of rows, and the rows of an epoch."""


def give_equal_weights(model):
    """Sets the weights to values that all backends get: the kernels' scale is that of Glorot's initializer."""
    draws = np.random.default_rng(7)
    values = []
    for weight in model.get_weights():
        if weight.ndim < 2:
            values.append(weight)
        else:
            scale = np.sqrt(2.0 / (np.prod(weight.shape[:-1]) + weight.shape[-1]))
            values.append((scale * draws.normal(size=weight.shape)).astype(weight.dtype))
    model.set_weights(values)


class Session:
    """A model in training.

    Args:
        name: the model's key in ``MODELS``.
    """

    def __init__(self, name):
        make, inputs, rows = MODELS[name]
        self.model, self.x, self.y, self.rows = make(), inputs(rows), labels(rows), rows
        give_equal_weights(self.model)
        self.model.compile(keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy")
        self.batch = [x[:BATCH] for x in self.x] if isinstance(self.x, list) else self.x[:BATCH]
        began = time.perf_counter()
        history = self.model.fit(self.x, self.y, batch_size=BATCH, shuffle=False, verbose=0)
        self.first_epoch = time.perf_counter() - began
        self.loss = history.history["loss"][0]

    def microseconds(self, what):
        """Returns the time of a step, a call of ``train_on_batch`` or a batch of ``predict`` in µs."""
        steps = -(-self.rows // BATCH)
        began = time.perf_counter()
        if what == "fit":
            self.model.fit(self.x, self.y, batch_size=BATCH, shuffle=False, verbose=0)
        elif what == "predict":
            self.model.predict(self.x, batch_size=BATCH, verbose=0)
        else:
            steps = min(steps, 20)
            for _ in range(steps):
                self.model.train_on_batch(self.batch, self.y[:BATCH])
        return (time.perf_counter() - began) / steps * 1e6


def versions():
    """Returns the versions of the backend and of Keras, by title."""
    packages = {
        "fastgrad": {"Keras": "keras"}, "jax": {"JAX": "jax"}, "tensorflow": {"TensorFlow": "tensorflow-cpu"},
        "torch": {"PyTorch": "torch"},
    }.get(BACKEND, {})  # fmt: skip
    return {title: metadata.version(name) for title, name in packages.items()}


def main():
    """Answers requests until the pipe is closed."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints
    session = None
    for line in sys.stdin:
        request = json.loads(line)
        if request["do"] == "make":
            session = (
                None
                if MODELS[request["name"]][0] is mobile_net and BACKEND == "fastgrad.keras"
                else Session(request["name"])
            )
            answer = {"loss": session and float(session.loss), "first_epoch": session and session.first_epoch}
            answer["versions"] = versions()
        else:
            answer = {"times": [session.microseconds(request["what"]) for _ in range(request["count"])]}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
