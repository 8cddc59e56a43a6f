"""Integer and boolean inputs of layers that compute in floats: what they give is what they give for the same numbers in float32."""

import numpy as np
import pytest

import fastgrad as tf
from fastgrad.keras import layers

STEPS = np.arange(12).reshape(2, 3, 2) % 5
IMAGES = np.arange(32).reshape(1, 4, 4, 2) % 7
LAYERS = {
    "BatchNormalization": (layers.BatchNormalization, STEPS),
    "LayerNormalization": (layers.LayerNormalization, STEPS),
    "GroupNormalization": (lambda: layers.GroupNormalization(1), IMAGES),
    "LSTM": (lambda: layers.LSTM(2), STEPS),
    "GRU": (lambda: layers.GRU(2), STEPS),
    "SimpleRNN": (lambda: layers.SimpleRNN(2, return_sequences=True), STEPS),
    "RNN": (lambda: layers.RNN(layers.LSTMCell(2)), STEPS),
    "GlobalAveragePooling1D": (layers.GlobalAveragePooling1D, STEPS),
    "GlobalAveragePooling2D": (layers.GlobalAveragePooling2D, IMAGES),
    "Dense": (lambda: layers.Dense(2), STEPS),
    "Conv2D": (lambda: layers.Conv2D(2, 2), IMAGES),
}


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8", "bool"])
@pytest.mark.parametrize("name", LAYERS)
def test_integers_are_taken_as_floats(name, dtype, compiled):
    make, numbers = LAYERS[name]
    layer = make()
    x = tf.cast(tf.constant(numbers), dtype)
    wanted = layer(tf.cast(x, tf.float32)).numpy()
    step = tf.function(layer) if compiled else layer
    for _ in range(2):
        found = step(x)
        assert found.dtype == tf.float32
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


def test_normalized_training_batches_of_integers():
    found = layers.BatchNormalization()(tf.constant([[0, 5], [3, 1]]), training=True)
    np.testing.assert_allclose(found, [[-1, 1], [1, -1]], atol=1e-2)


@pytest.mark.parametrize("dtype", ["int32", "uint8"])
def test_integers_between_others_are_rounded_once(dtype):
    """As Keras 3.15: both axes are interpolated in float32."""
    x = tf.constant([[[[0], [2]], [[1], [7]]]], dtype)
    found = layers.UpSampling2D(interpolation="bilinear")(x)
    wanted = [[0, 0, 2, 2], [0, 1, 2, 3], [1, 2, 4, 6], [1, 2, 6, 7]]
    assert found.numpy()[0, :, :, 0].tolist() == wanted


def test_penalties_of_integers():
    layer = layers.ActivityRegularization(l1=0.5, l2=0.25)
    layer(tf.constant([[1, -2]]))
    assert float(layer.losses[0]) == 0.5 * 3 + 0.25 * 5
