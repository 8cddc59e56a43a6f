"""Keras's recurrent layers are trained on a simulated GPU as they are on the CPU, eager and compiled."""

from __future__ import annotations

import numpy as np
import pytest

import fastgrad as tf
from fastgrad import keras

pytestmark = pytest.mark.usefixtures("simulated_gpu")
RANDOM = np.random.default_rng(0)
X, Y = RANDOM.normal(size=(5, 4, 3)).astype(np.float32), RANDOM.normal(size=(5, 2)).astype(np.float32)
SEEN = np.arange(4) < np.array([4, 2, 3, 1, 4])[:, None]


def trained(device, kind, options, compiled, mask):
    """The losses of some steps, and the weights after them."""
    with tf.device(device):
        keras.utils.set_random_seed(0)
        layer, head = getattr(keras.layers, kind)(9, return_sequences=True, **options), keras.layers.Dense(2)
        last = getattr(keras.layers, kind)(3)
        optimizer = keras.optimizers.Adam(0.02)

        def step(x, y, *given):
            with tf.GradientTape() as tape:
                states = layer(x, mask=given[0] if given else None)
                loss = tf.reduce_mean(tf.square(head(last(states)) - y)) + 0.1 * tf.reduce_mean(states)
            weights = [*layer.trainable_variables, *last.trainable_variables, *head.trainable_variables]
            optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
            return loss

        given = [tf.constant(x) for x in ((X, Y, SEEN) if mask else (X, Y))]
        step = tf.function(step) if compiled else step
        losses = [step(*given) for _ in range(3)]
        assert all(loss.device.endswith(device) for loss in losses)
        weights = [w.numpy() for w in (*layer.weights, *last.weights, *head.weights)]
    return [float(loss) for loss in losses], weights


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("LSTM", {}),
        ("GRU", {"go_backwards": True}),
        ("GRU", {"reset_after": False}),
        ("SimpleRNN", {}),
    ],
)
def test_a_training_step_gives_what_it_gives_on_the_cpu(kind, options, compiled):
    for mask in (False, True) if compiled else (True,):
        losses, weights = trained("GPU:0", kind, options, compiled, mask)
        wanted_losses, wanted = trained("CPU:0", kind, options, compiled, mask)
        np.testing.assert_allclose(losses, wanted_losses, rtol=1e-5)
        for ours, theirs in zip(weights, wanted, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=2e-5)


def test_a_model_of_recurrent_layers_is_fitted():
    def fitted(device):
        with tf.device(device):
            keras.utils.set_random_seed(0)
            layers = keras.layers
            both_ways = layers.Bidirectional(layers.LSTM(4, return_sequences=True))
            model = keras.Sequential(
                [layers.Input((4, 3)), layers.Masking(), both_ways, layers.GRU(5), layers.Dense(2)]
            )
            model.compile("adam", "mse")
            x = X.copy()
            x[~SEEN] = 0
            history = model.fit(x, Y, batch_size=5, epochs=3, verbose=0).history["loss"]
            return history, model.predict(x, verbose=0)

    for ours, theirs in zip(fitted("GPU:0"), fitted("CPU:0"), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)
