"""A small model and its data."""

import numpy as np

import fastgrad as tf

X = np.sin(np.arange(40 * 3) * 0.7).reshape(40, 3).astype(np.float32)
Y = np.arange(40) * 7 % 3


def make_model(**options):
    layers = tf.keras.layers
    model = tf.keras.Sequential([tf.keras.Input((3,)), layers.Dense(4, activation="tanh"), layers.Dense(3)])
    for place, weight in enumerate(model.weights):
        weight.assign(0.5 * np.cos(np.arange(weight.numpy().size) * 1.3 + place).reshape(weight.shape))
    loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(**{"optimizer": "adam", "loss": loss, "metrics": ["accuracy"], **options})
    return model


def fit(model, x=X, y=Y, **options):
    return model.fit(x, y, **{"batch_size": 8, "epochs": 2, "verbose": 0, "shuffle": False, **options})
