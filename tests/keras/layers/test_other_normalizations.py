"""RMSNormalization, GroupNormalization and UnitNormalization against their formulas in NumPy."""

import numpy as np
import pytest

import fastgrad as tf

layers = tf.keras.layers
X = np.random.default_rng(0).normal(size=(2, 4, 6))


@pytest.mark.parametrize(("axis", "axes"), [(-1, (2,)), ([1, 2], (1, 2))])
def test_features_are_divided_by_the_root_of_their_mean_square(axis, axes):
    layer = layers.RMSNormalization(axis, epsilon=0.1, dtype="float64")
    layer.build(X.shape)
    scale = np.random.default_rng(1).normal(size=[X.shape[a] for a in axes])
    layer.set_weights([scale])
    wanted = scale * X / np.sqrt((X**2).mean(axis=axes, keepdims=True) + 0.1)
    np.testing.assert_allclose(layer(X), wanted, rtol=1e-12)
    assert [w.path for w in layer.weights] == [f"{layer.name}/scale"]


@pytest.mark.parametrize("axis", [-1, 1, [1, 2]])
def test_inputs_are_brought_to_length_one(axis):
    layer = layers.UnitNormalization(axis, dtype="float64")
    axes = tuple(axis) if isinstance(axis, list) else axis
    np.testing.assert_allclose(layer(X), X / np.sqrt((X**2).sum(axis=axes, keepdims=True)), rtol=1e-12)
    assert not np.any(layer(np.zeros((2, 3, 4))))
    assert layer.weights == []
    with pytest.raises(TypeError, match="axis"):
        layers.UnitNormalization("a")


def grouped(x, groups, axis, epsilon=1e-3):
    x = np.moveaxis(x, axis, -1)
    apart = x.reshape(*x.shape[:-1], groups, -1)
    axes = (*range(1, x.ndim - 1), x.ndim)
    mean, variance = apart.mean(axis=axes, keepdims=True), apart.var(axis=axes, keepdims=True)
    return np.moveaxis(((apart - mean) / np.sqrt(variance + epsilon)).reshape(x.shape), -1, axis)


@pytest.mark.parametrize(("groups", "axis"), [(3, -1), (1, -1), (-1, -1), (2, 1)])
def test_groups_of_channels_are_brought_to_mean_zero_and_variance_one(groups, axis):
    for x in (X, X.reshape(1, 2, 4, 6)):
        layer = layers.GroupNormalization(groups, axis, dtype="float64")
        layer.build(x.shape)
        gamma, beta = np.random.default_rng(1).normal(size=(2, x.shape[axis]))
        layer.set_weights([gamma, beta])
        sizes = [1] * x.ndim
        sizes[axis] = -1
        wanted = grouped(x, layer.groups, axis) * gamma.reshape(sizes) + beta.reshape(sizes)
        np.testing.assert_allclose(layer(x), wanted, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("groups", "shape", "message"),
    [
        (4, (2, 6), "`groups` must divide"),
        (32, (2, 6), "`groups` is more than 6 channels"),
        (2, (2, None), "size of axis -1 must be known"),
    ],
)
def test_groups_must_fit(groups, shape, message):
    with pytest.raises(ValueError, match=message):
        layers.GroupNormalization(groups).build(shape)


@pytest.mark.parametrize(
    "normalize",
    [
        *(
            tf.keras.layers.UnitNormalization(dtype="float16"),
            lambda x: tf.math.l2_normalize(x, -1),
            tf.keras.ops.normalize,
        ),
        *(lambda x: x / tf.keras.ops.norm(x, axis=-1, keepdims=True), tf.keras.constraints.UnitNorm(-1)),
        *(tf.keras.constraints.MaxNorm(1.0, -1), lambda x: tf.keras.layers.RMSNormalization(dtype="float16")(x) / 8),
    ],
)
def test_squares_beyond_float16_are_no_infinite_norm(normalize):
    y = normalize(tf.constant(300.0, tf.float16, (1, 64)))
    assert y.dtype == tf.float16
    np.testing.assert_allclose(np.asarray(y, np.float32), 0.125, rtol=1e-3)


def test_angles_of_float16_vectors_are_those_of_float32():
    x = tf.constant(300.0, tf.float16, (1, 64))
    assert float(tf.keras.losses.cosine_similarity(x, x)[0]) == pytest.approx(-1, rel=1e-3)
    assert float(tf.keras.layers.Dot(-1, normalize=True, dtype="float16")([x, x])[0, 0]) == pytest.approx(1, rel=1e-3)
