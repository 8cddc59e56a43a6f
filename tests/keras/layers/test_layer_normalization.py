"""LayerNormalization against its formula in NumPy."""

import numpy as np
import pytest

import fastgrad as tf

layers = tf.keras.layers
X = np.random.default_rng(0).normal(size=(2, 3, 4))


def normalised(x, axes, epsilon=1e-3):
    mean, variance = x.mean(axis=axes, keepdims=True), x.var(axis=axes, keepdims=True)
    return (x - mean) / np.sqrt(variance + epsilon)


@pytest.mark.parametrize(("axis", "axes"), [(-1, (2,)), (1, (1,)), (0, (0,)), ([1, 2], (1, 2)), ((-1, -2), (1, 2))])
def test_each_sample_is_brought_to_mean_zero_and_variance_one(axis, axes):
    layer = layers.LayerNormalization(axis, dtype="float64")
    np.testing.assert_allclose(layer(X), normalised(X, axes), rtol=1e-10, atol=1e-12)
    assert layer.gamma.shape == layer.beta.shape == tuple(X.shape[a] for a in axes)


def test_weights_scale_and_shift():
    layer = layers.LayerNormalization([1, 2], epsilon=0.5, dtype="float64")
    layer(X)
    gamma, beta = np.random.default_rng(1).normal(size=(2, 3, 4))
    layer.set_weights([gamma, beta])
    np.testing.assert_allclose(layer(X), gamma * normalised(X, (1, 2), 0.5) + beta, rtol=1e-10)
    assert [weight.path for weight in layer.weights] == [f"{layer.name}/gamma", f"{layer.name}/beta"]


@pytest.mark.parametrize(("options", "names"), [({"center": False}, ["gamma"]), ({"scale": False}, ["beta"])])
def test_weights_can_be_left_out(options, names):
    layer = layers.LayerNormalization(**options, dtype="float64")
    np.testing.assert_allclose(layer(X), normalised(X, (2,)), rtol=1e-10, atol=1e-12)
    assert [weight.name for weight in layer.weights] == names
    assert [getattr(layer, name) is None for name in ("gamma", "beta")] == [n not in names for n in ("gamma", "beta")]


def test_configuration():
    layer = layers.LayerNormalization(1, epsilon=0.1, center=False, gamma_initializer="zeros")
    again = layers.LayerNormalization.from_config(layer.get_config())
    assert (again.axis, again.epsilon, again.center) == (1, 0.1, False)
    assert float(tf.reduce_max(again(X))) == 0.0
    assert again.compute_output_shape((2, 3)) == (2, 3)


def test_axes_that_are_none_are_refused():
    for axis in ("a", 1.0, [0, "b"]):
        with pytest.raises(TypeError, match="axis"):
            layers.LayerNormalization(axis)
    for axis in (3, -5):
        with pytest.raises(IndexError):
            layers.LayerNormalization(axis)(X)
    with pytest.raises(tf.errors.InvalidArgumentError, match="twice"):
        layers.LayerNormalization([2, 2])(X)
