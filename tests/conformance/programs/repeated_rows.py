"""Embeddings whose ids come several times in a batch, trained for 30 steps by optimizers with a slot of squares."""

import numpy as np

_OPTIMIZERS = {
    "Adam": {"learning_rate": 0.01},
    "Adam with AMSGrad": {"learning_rate": 0.01, "amsgrad": True},
    "AdamW": {"learning_rate": 0.01, "weight_decay": 0.01},
    "Nadam": {"learning_rate": 0.02},
    "RMSprop": {"learning_rate": 0.02},
    "RMSprop centered": {"learning_rate": 0.02, "momentum": 0.5, "centered": True},
    "Adagrad": {"learning_rate": 0.1},
}


def _trained(tf, name, run_eagerly):
    random = np.random.default_rng(0)
    ids = random.integers(0, 6, (240, 5))
    labels = random.integers(0, 2, (240, 1)).astype(np.float32)
    weights = [0.3 * random.normal(size=(6, 3)), random.normal(size=(3, 1)), np.zeros(1)]
    layers = tf.keras.layers
    model = tf.keras.Sequential([
        tf.keras.Input((5,), dtype="int32"), layers.Embedding(6, 3), layers.GlobalAveragePooling1D(), layers.Dense(1, "sigmoid"),
    ])  # fmt: skip
    model.set_weights(weights)
    optimizer = getattr(tf.keras.optimizers, name.split()[0])(**_OPTIMIZERS[name])
    optimizer.squares_repeated_rows_apart = True  # Keras always does what this attribute asks of fastgrad
    model.compile(optimizer, "binary_crossentropy", run_eagerly=run_eagerly)
    history = model.fit(ids, labels, batch_size=8, shuffle=False, verbose=0).history
    return [history["loss"], model.get_weights()[0]]


def compiled(tf):
    return {name: lambda name=name: _trained(tf, name, False) for name in _OPTIMIZERS}


def eager(tf):
    return {name: lambda name=name: _trained(tf, name, True) for name in _OPTIMIZERS}
