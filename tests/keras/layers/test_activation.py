"""Activation layers."""

import numpy as np
import pytest

import fastgrad as tf
from fastgrad import keras

layers = keras.layers
X = np.array([[-3.0, -0.5, 0.0, 0.5, 8.0]])


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (layers.Activation("relu"), np.maximum(X, 0)),
        (layers.Activation(tf.nn.tanh), np.tanh(X)),
        (layers.ReLU(), np.maximum(X, 0)),
        (layers.ReLU(6.0), np.clip(X, 0, 6)),
        (layers.ReLU(4.0, 0.1, 1.0), np.where(X >= 4, 4, np.where(X > 1, X, 0.1 * (X - 1)))),
        (layers.LeakyReLU(), np.where(X > 0, X, 0.3 * X)),
        (layers.LeakyReLU(alpha=0.1), np.where(X > 0, X, 0.1 * X)),
        (layers.ELU(2.0), np.where(X > 0, X, 2 * np.expm1(X))),
        (layers.Softmax(), np.exp(X) / np.exp(X).sum()),
        (layers.Softmax(axis=(0, 1)), np.exp(X) / np.exp(X).sum()),
        (layers.Softmax(axis=0), np.ones_like(X)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_values_shapes_and_config(layer, expected):
    np.testing.assert_allclose(layer(X), expected, rtol=1e-5, atol=1e-6)
    assert layer.built
    assert layer.compute_output_shape((None, 5)) == (None, 5)
    if not isinstance(layer, layers.Activation) or layer.activation is keras.activations.relu:
        np.testing.assert_allclose(type(layer).from_config(layer.get_config())(X), expected, rtol=1e-5, atol=1e-6)


def test_softmax_with_a_mask():
    out = layers.Softmax()(X, mask=np.array([[True, True, False, False, False]])).numpy()
    kept = np.exp(X[:, :2])
    np.testing.assert_allclose(out, np.hstack([kept / kept.sum(), np.zeros((1, 3))]), rtol=1e-5)


@pytest.mark.parametrize("arguments", [{"max_value": -1.0}, {"negative_slope": -1.0}, {"threshold": None}], ids=str)
def test_relu_arguments(arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        layers.ReLU(**arguments)


def test_leaky_relu_argument():
    with pytest.raises(ValueError, match="negative_slope"):
        layers.LeakyReLU(-0.1)
