"""After ``keras.utils.set_random_seed`` weights are those of Keras 3.15 on TensorFlow 2.21, and so is what follows from them."""

import numpy as np
import pytest

import fastgrad as tf
from fastgrad.keras import layers

LOSSES = [1.1382, 1.1353, 1.1326]


@pytest.fixture(autouse=True)
def _no_seed_is_left():
    yield
    tf.random.set_seed(None)


@pytest.mark.parametrize(
    ("make", "shape", "wanted"),
    [
        (lambda: layers.Dense(2), (1, 3), [[-0.0045, -1.0606, 0.6995], [0, 0]]),
        (lambda: layers.EinsumDense("ab,bc->ac", 2), (1, 3), [[-0.0045, -1.0606, 0.6995]]),
        (lambda: layers.Conv2D(2, 3), (1, 5, 5, 2), [[-0.0017, -0.3952, 0.2607], [0.0, 0.0]]),
        (lambda: layers.LSTM(3), (1, 4, 3), [[-0.0026, -0.6123, 0.4039], [0.3062, 0.0045, 0.0644], [0.0, 0.0, 0.0]]),
        (lambda: layers.GRU(2), (1, 4, 3), [[-0.0034, -0.7905, 0.5214], [0.4284, -0.6506, 0.5238], [0.0, 0.0, 0.0]]),
        (lambda: layers.Embedding(4, 2), (1, 1), [[-0.0002, -0.0484, 0.0319]]),
        (
            lambda: layers.SeparableConv2D(2, 3),
            (1, 5, 5, 2),
            [[-0.002, -0.4564, 0.301], [0.425, -0.5892, -0.237], [0.0, 0.0]],
        ),
        (lambda: layers.Conv1DTranspose(2, 3), (1, 4, 3), [[-0.0026, -0.6123, 0.4039], [0.0, 0.0]]),
    ],
)
def test_weights_are_those_of_keras(make, shape, wanted):
    tf.keras.utils.set_random_seed(3)
    layer = make()
    layer(tf.ones(shape))
    for weight, first in zip(layer.get_weights(), wanted, strict=True):
        np.testing.assert_allclose(weight.ravel()[: len(first)], first, atol=1e-4)


def test_a_training_has_the_losses_of_keras():
    tf.keras.utils.set_random_seed(1)
    model = tf.keras.Sequential([tf.keras.Input((4,)), layers.Dense(8, "relu"), layers.Dense(3)])
    model.compile("adam", tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    numbers = np.random.RandomState(0)
    history = model.fit(numbers.randn(64, 4), numbers.randint(0, 3, 64), epochs=3, verbose=0, shuffle=False)
    np.testing.assert_allclose(history.history["loss"], LOSSES, atol=2e-4)


def test_the_last_seed_that_was_set_decides():
    tf.random.set_seed(3)
    of_tensorflow = tf.keras.initializers.GlorotUniform()((2, 2))
    tf.random.set_seed(3)
    np.testing.assert_array_equal(tf.keras.initializers.GlorotUniform()((2, 2)), of_tensorflow)
    tf.keras.utils.set_random_seed(3)
    of_keras = tf.keras.initializers.GlorotUniform()
    assert of_keras.seed == 255512576  # that of Python's random
