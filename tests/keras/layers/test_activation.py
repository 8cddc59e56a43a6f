"""Activation layers: masks and arguments; ``tests/conformance/programs/every_layer.py`` asks values."""

import numpy as np
import pytest

from fastgrad import keras

layers = keras.layers
X = np.array([[-3.0, -0.5, 0.0, 0.5, 8.0]])


def test_softmax_with_a_mask():
    out = layers.Softmax()(X, mask=np.array([[True, True, False, False, False]])).numpy()
    kept = np.exp(X[:, :2])
    np.testing.assert_allclose(out, np.hstack([kept / kept.sum(), np.zeros((1, 3))]), rtol=1e-5)


@pytest.mark.parametrize("arguments", [{"max_value": -1.0}, {"negative_slope": -1.0}, {"threshold": None}], ids=str)
def test_relu_arguments(arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        layers.ReLU(**arguments)


def test_leaky_relu_argument():
    assert layers.LeakyReLU(alpha=0.1).negative_slope == 0.1
    with pytest.raises(ValueError, match="negative_slope"):
        layers.LeakyReLU(-0.1)
