"""BatchNormalization against its formula in NumPy: inference, frozen, masks, numbers far from zero."""

import numpy as np
import pytest

import fastgrad as tf
from tests.gradients import check_gradient

layers = tf.keras.layers
X = np.random.default_rng(0).normal(size=(6, 3, 4)) * 2 + 3


def normalised(x, mean, variance, epsilon=1e-3):
    return (x - mean) / np.sqrt(variance + epsilon)


def test_else_the_moving_statistics_are_used_and_stay():
    layer = layers.BatchNormalization(dtype="float64")
    layer.build(X.shape)
    r = np.random.default_rng(1)
    gamma, beta, mean = r.normal(size=(3, 4))
    variance = r.uniform(1, 2, 4)
    layer.set_weights([gamma, beta, mean, variance])
    wanted = normalised(X, mean, variance) * gamma + beta
    for training in ({}, {"training": False}):
        np.testing.assert_allclose(layer(X, **training), wanted, rtol=1e-10)
    layer.trainable = False
    np.testing.assert_allclose(layer(X, training=True), wanted, rtol=1e-10)
    np.testing.assert_array_equal(layer.moving_mean, mean)
    assert not layer.trainable_weights
    layer.trainable = True
    assert not np.allclose(layer(X, training=True), wanted)


def test_channels_that_are_first_but_last_in_memory():
    x = np.random.default_rng(2).normal(size=(2, 5, 3, 4)) * 2 + 100

    def normed(x):
        return layers.BatchNormalization(1, dtype="float64")(tf.transpose(x, (0, 3, 1, 2)), training=True)

    np.testing.assert_allclose(
        normed(x), normalised(x, x.mean((0, 1, 2)), x.var((0, 1, 2))).transpose(0, 3, 1, 2), rtol=1e-9
    )
    weights = np.random.default_rng(3).normal(size=(2, 4, 5, 3))
    check_gradient(lambda x: tf.reduce_sum(normed(x) * weights), x)


def test_what_a_mask_leaves_out_does_not_count():
    mask = np.random.default_rng(2).random((6, 3)) < 0.6
    layer = layers.BatchNormalization(dtype="float64")
    some = X.copy()
    some[~mask] = np.nan
    y = layer(some, training=True, mask=tf.constant(mask)).numpy()
    seen = X[mask]
    np.testing.assert_allclose(y[mask], normalised(seen, seen.mean(0), seen.var(0)), rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match="one dimension less"):
        layer(X, training=True, mask=tf.constant(mask[:, 0]))


def test_moments_far_from_zero_keep_their_digits():
    x = (np.random.default_rng(4).normal(size=(5000, 20)) + 1000).astype("f4")
    layer = layers.BatchNormalization(momentum=0.0)
    layer(x, training=True)
    exact = x.astype("f8")
    np.testing.assert_allclose(layer.moving_mean, exact.mean(0), rtol=1e-6)
    np.testing.assert_allclose(layer.moving_variance, exact.var(0), rtol=1e-4)


def test_half_precision_is_computed_in_float32():
    x = X.astype("f2")
    y = layers.BatchNormalization(dtype="float16")(x, training=True)
    assert y.dtype == tf.float16
    wide = x.astype("f8")
    np.testing.assert_allclose(y, normalised(wide, wide.mean((0, 1)), wide.var((0, 1))), atol=2e-3)


@pytest.mark.parametrize("axis", [0, 1, -1, -2])
def test_each_axis_of_a_matrix_is_normalised(axis):
    x = np.random.default_rng(1).normal(size=(4, 3)).astype(np.float32)
    layer = layers.BatchNormalization(axis)
    y = layer(x, training=True).numpy()
    assert layer.gamma.shape == (x.shape[axis],)
    np.testing.assert_allclose(y.mean(1 - axis % 2), 0, atol=1e-6)


def test_what_is_refused():
    with pytest.raises(ValueError, match="out of bounds"):
        layers.BatchNormalization(-3).build((2, 3))
    with pytest.raises(ValueError, match="out of bounds"):
        layers.BatchNormalization(3).build((2, 3))
    with pytest.raises(ValueError, match="must be known"):
        layers.BatchNormalization().build((2, None))
    for clipping in ({"max": 1.0}, {"rmax": 1.0, "rmin": 2.0}, {"dmax": -1.0}):
        with pytest.raises(ValueError, match="renorm_clipping"):
            layers.BatchNormalization(renorm=True, renorm_clipping=clipping)
