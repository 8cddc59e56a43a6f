"""``SpectralNormalization`` against answers of Keras 3.15."""

import numpy as np
import pytest

import fastgrad as tf
from fastgrad import keras

layers = keras.layers


def wave(*shape):
    return np.sin(np.arange(np.prod(shape)) * 0.37 + 0.2).reshape(shape).astype(np.float32)


def make_layer(**options):
    layer = layers.SpectralNormalization(layers.Dense(2, name="dense"), **options)
    layer.build((None, 3))
    layer.set_weights([wave(*weight.shape) * 0.5 + 0.1 * i for i, weight in enumerate(layer.weights)])
    return layer


@pytest.mark.parametrize("compiled", [False, True])
def test_values_gradients_and_weights_are_those_of_keras(compiled):
    layer, x = make_layer(power_iterations=2), tf.constant(wave(2, 3))
    assert [weight.path.split("/", 1)[1] for weight in layer.weights] == ["dense/kernel", "vector_u", "dense/bias"]
    assert [weight.name for weight in layer.trainable_weights] == ["kernel", "bias"]

    def step(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, training=True)
            loss = tf.reduce_sum(y * wave(2, 2))
        return y, *tape.gradient(loss, [x, *layer.trainable_weights])

    y, *gradients = (tf.function(step) if compiled else step)(x)
    np.testing.assert_allclose(np.ravel(y), [0.9707353, 1.176514, 1.2853026, 1.661958], rtol=1e-5)
    expected_gradients = [
        [0.173719, 0.358196, 0.355314, 0.358196, 0.833032, 0.872139],
        [0.819720, 1.040722, 0.909956, 1.251632, 0.877034, 1.293154],
        [1.006228, 1.505817],
    ]
    for gradient, expected in zip(gradients, expected_gradients, strict=True):
        np.testing.assert_allclose(np.ravel(gradient), expected, rtol=1e-4)
    expected_weights = [
        [0.104371, 0.283497, 0.424252, 0.507587, 0.522223, 0.466178],
        [0.67317, 0.739488],
        [0.299335, 0.469816],
    ]
    for weight, expected in zip(layer.weights, expected_weights, strict=True):
        np.testing.assert_allclose(np.ravel(weight), expected, rtol=1e-4)
    np.testing.assert_allclose(np.linalg.norm(layer.layer.kernel, 2), 1.0, rtol=1e-3)


def test_only_training_changes_the_kernel():
    layer = make_layer()
    before = layer.get_weights()
    np.testing.assert_array_equal(layer(wave(2, 3)), layer.layer(wave(2, 3)))
    for weight, value in zip(layer.weights, before, strict=True):
        np.testing.assert_array_equal(weight, value)


def test_convolutions_embeddings_and_zeros():
    convolution = layers.SpectralNormalization(layers.Conv2D(4, 2), power_iterations=200)
    convolution(wave(2, 5, 5, 3), training=True)
    np.testing.assert_allclose(np.linalg.norm(np.reshape(convolution.layer.kernel, (-1, 4)), 2), 1.0, rtol=1e-3)
    assert layers.SpectralNormalization(layers.Dense(4)).compute_output_shape((None, 3)) == (None, 4)
    zeros = layers.SpectralNormalization(layers.Dense(4, kernel_initializer="zeros"))
    assert not np.any(zeros(wave(3, 5), training=True))
    assert np.any(zeros.vector_u)
    embedding = layers.SpectralNormalization(layers.Embedding(6, 4))
    embedding.build((None, 2))
    embedding.layer.embeddings.assign(wave(6, 4))
    _, normalized = embedding.normalized_weights()
    assert normalized.shape == (6, 4)


def test_configurations_and_refusals():
    layer = make_layer(power_iterations=3)
    twin = layers.SpectralNormalization.from_config(layer.get_config())
    assert (twin.power_iterations, twin.layer.units) == (3, 2)
    with pytest.raises(ValueError, match="power_iterations"):
        make_layer(power_iterations=0)
    with pytest.raises(ValueError, match="without a kernel or embeddings"):
        layers.SpectralNormalization(layers.ReLU())(wave(2, 3))
