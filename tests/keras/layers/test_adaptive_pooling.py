"""Adaptive pooling against answers of Keras 3.15, and against the mean and maximum of its windows."""

import itertools

import numpy as np
import pytest

import fastgrad as tf
from fastgrad import keras

layers = keras.layers
WAVE = np.sin(np.arange(7) * 0.37 + 0.2).astype(np.float32).reshape(1, 7, 1)
KERAS = {
    "Average": [0.3691507, 0.673595, 0.9225955, 0.9407028, 0.7739718],
    "Max": [0.539632, 0.8075581, 0.9940432, 0.9940432, 0.8873626],
}


@pytest.mark.parametrize("kind", KERAS)
def test_values_are_those_of_keras(kind):
    layer = getattr(layers, f"Adaptive{kind}Pooling1D")(5)
    np.testing.assert_allclose(np.ravel(layer(WAVE)), KERAS[kind], rtol=1e-6)


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize(
    ("shape", "sizes"), [((7,), 3), ((7,), 1), ((7,), 9), ((6, 7), (3, 5)), ((5, 4), (7, 4)), ((5, 4, 6), (2, 3, 4))]
)
@pytest.mark.parametrize(("kind", "reduce"), [("Average", np.mean), ("Max", np.max)])
def test_windows(kind, reduce, shape, sizes, data_format):
    rank = len(shape)
    layer = getattr(layers, f"Adaptive{kind}Pooling{rank}D")(sizes, data_format=data_format)
    x = np.sin(np.arange(2 * np.prod(shape) * 3, dtype=np.float32)).reshape(2, *shape, 3)
    expected = np.empty((2, *layer.output_size, 3), np.float32)
    for position in itertools.product(*map(range, layer.output_size)):
        window = tuple(
            slice(i * n // m, -(-(i + 1) * n // m)) for i, n, m in zip(position, shape, layer.output_size, strict=True)
        )
        expected[(slice(None), *position)] = reduce(x[(slice(None), *window)], axis=tuple(range(1, rank + 1)))
    channel = 1 if data_format == "channels_first" else -1
    inputs = np.ascontiguousarray(np.moveaxis(x, -1, channel))
    result = layer(inputs)
    np.testing.assert_allclose(result, np.moveaxis(expected, -1, channel), rtol=1e-5, atol=1e-6)
    assert layer.compute_output_shape((None, *inputs.shape[1:])) == (None, *result.shape[1:])
    assert layer(keras.Input(inputs.shape[1:])).shape == (None, *result.shape[1:])
    np.testing.assert_array_equal(type(layer).from_config(layer.get_config())(inputs), result)
    np.testing.assert_array_equal(tf.function(layer)(inputs), result)


def test_gradients_at_ties_are_those_of_keras():
    x = tf.constant(np.round(np.sin(np.arange(20) * 0.37 + 0.2)).reshape(1, 5, 4, 1).astype(np.float32))
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layers.AdaptiveMaxPooling2D((2, 3))(x)
        loss = tf.reduce_sum(y * np.sin(np.arange(6) * 0.37 + 0.2).reshape(1, 2, 3, 1))
    np.testing.assert_array_equal(np.ravel(y), [1, 1, 1, 0, 1, 1])
    expected = np.zeros(20)
    expected[[1, 2, 4, 8, 18]] = 0.5396320, 0.8075580, 0.1986690, 0.9661850, 1.8814059
    np.testing.assert_allclose(np.ravel(tape.gradient(loss, x)), expected, rtol=1e-5)


def test_sizes_are_checked():
    for size in ("a", 2.5):
        with pytest.raises(TypeError, match="output_size"):
            layers.AdaptiveMaxPooling2D(size)
    for size in (0, -1, (1, 2, 3)):
        with pytest.raises(ValueError, match="output_size"):
            layers.AdaptiveAveragePooling2D(size)
