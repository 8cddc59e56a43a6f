"""Training steps with attention and normalizations on a simulated GPU, eager and compiled, beside those on the CPU."""

from __future__ import annotations

import numpy as np
import pytest

import fastgrad as tf
from fastgrad import keras

pytestmark = pytest.mark.usefixtures("simulated_gpu")
layers = keras.layers
RANDOM = np.random.default_rng(0)
X, Y = RANDOM.normal(size=(3, 5, 4, 6)).astype(np.float32), RANDOM.normal(size=(3, 3)).astype(np.float32)


class Block(keras.Model):
    """Attention, and a perceptron, of a sequence."""

    def __init__(self, causal, dropout):
        super().__init__()
        self.causal = causal
        self.attention = layers.MultiHeadAttention(2, 3, dropout=dropout)
        self.norms = [layers.LayerNormalization(), layers.RMSNormalization()]
        self.wide, self.narrow, self.head = layers.Dense(12, "gelu"), layers.Dense(6), layers.Dense(3)

    def call(self, x, training=False):
        x = tf.reshape(x, (3, 20, 6))
        x += self.attention(self.norms[0](x), self.norms[0](x), use_causal_mask=self.causal, training=training)
        x += self.narrow(self.wide(self.norms[1](x)))
        return self.head(tf.reduce_mean(x, axis=1))


def attention():
    return Block(causal=False, dropout=0.0)


def causal_attention_with_dropout():
    return Block(causal=True, dropout=0.2)


def group_norms():
    norms = [layers.GroupNormalization(3), layers.RMSNormalization(), layers.GroupNormalization(-1)]
    convolutions = [layers.Conv2D(n, 3, padding="same", activation="tanh") for n in (6, 4, 4)]
    pairs = [layer for pair in zip(convolutions, norms, strict=True) for layer in pair]
    return keras.Sequential([layers.Input((5, 4, 6)), *pairs, layers.Conv2D(1, 3), layers.Flatten(), layers.Dense(3)])


def trained(device, make, compiled):
    """The losses of some steps, and the weights after them."""
    with tf.device(device):
        keras.utils.set_random_seed(0)
        model, optimizer = make(), keras.optimizers.SGD(0.02, momentum=0.9)

        def step(x, y):
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(tf.square(model(x, training=True) - y))
            weights = model.trainable_variables
            optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
            return loss

        step = tf.function(step) if compiled else step
        losses = [step(tf.constant(X), tf.constant(Y)) for _ in range(3)]
        assert all(loss.device.endswith(device) for loss in losses)
    return [float(loss) for loss in losses], [w.numpy() for w in model.trainable_variables]


@pytest.mark.parametrize(
    ("make", "compiled"),
    [
        (attention, True),
        (causal_attention_with_dropout, False),
        (causal_attention_with_dropout, True),
        (group_norms, False),
        (group_norms, True),
    ],
)
def test_a_training_step_gives_what_it_gives_on_the_cpu(make, compiled):
    losses, weights = trained("GPU:0", make, compiled)
    wanted_losses, wanted = trained("CPU:0", make, compiled)
    np.testing.assert_allclose(losses, wanted_losses, rtol=1e-5)
    assert losses[2] != losses[0]
    for ours, theirs in zip(weights, wanted, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)
