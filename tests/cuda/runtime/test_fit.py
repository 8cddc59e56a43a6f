"""A Keras model is fitted on a simulated GPU as it is on the CPU."""

from __future__ import annotations

import numpy as np
import pytest

import fastgrad as tf
from fastgrad import keras

pytestmark = pytest.mark.usefixtures("simulated_gpu")
X = np.random.default_rng(0).normal(size=(96, 20)).astype(np.float32)
Y = np.random.default_rng(1).integers(0, 5, 96)


def fitted(device):
    with tf.device(device):
        keras.utils.set_random_seed(0)
        layers = keras.layers
        model = keras.Sequential(
            [
                layers.Input((20,)),
                layers.Dense(16, "relu"),
                layers.BatchNormalization(),
                layers.Dropout(0.2),
                layers.Dense(5),
            ]
        )
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.Adam(0.01), loss, metrics=["accuracy"])
        history = model.fit(X, Y, batch_size=32, epochs=2, verbose=0, validation_data=(X, Y)).history
        scores = model.evaluate(X, Y, verbose=0)
        found = model.predict(X[:40], verbose=0)
    assert all(weight.device.endswith(device) for weight in model.weights)
    return history, scores, found, [weight.numpy() for weight in model.weights]


def test_fit_evaluate_and_predict_give_what_they_give_on_the_cpu():
    history, scores, found, weights = fitted("GPU:0")
    wanted_history, wanted_scores, wanted, wanted_weights = fitted("CPU:0")
    for name, values in wanted_history.items():
        np.testing.assert_allclose(history[name], values, rtol=1e-5)
    np.testing.assert_allclose(scores, wanted_scores, rtol=1e-5)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)
    for ours, theirs in zip(weights, wanted_weights, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)
