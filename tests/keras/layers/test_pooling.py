"""Pooling layers, and those that make images larger, against NumPy."""

import numpy as np
import pytest

import fastgrad as tf

layers = tf.keras.layers
X = np.random.default_rng(0).normal(size=(2, 6, 4, 3)).astype("f4")
WINDOWS = X.reshape(2, 3, 2, 2, 2, 3)


def test_windows_of_images():
    np.testing.assert_array_equal(layers.MaxPooling2D()(X), WINDOWS.max((2, 4)))
    np.testing.assert_allclose(layers.AveragePooling2D(2)(X), WINDOWS.mean((2, 4)), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(layers.MaxPool2D((3, 4))(X), X.reshape(2, 2, 3, 1, 4, 3).max((2, 4)))
    with pytest.raises(TypeError):
        layers.AveragePooling2D()


def test_sequences_and_volumes():
    np.testing.assert_array_equal(layers.MaxPooling1D(2)(X[:, :, 0]), X[:, :, 0].reshape(2, 3, 2, 3).max(2))
    np.testing.assert_allclose(
        layers.AveragePooling1D(3)(X[:, :, 0]), X[:, :, 0].reshape(2, 2, 3, 3).mean(2), rtol=1e-5
    )
    volume = X.reshape(2, 6, 2, 2, 3)
    wanted = volume.reshape(2, 3, 2, 1, 2, 1, 2, 3)
    np.testing.assert_array_equal(layers.MaxPooling3D()(volume), wanted.max((2, 4, 6)))
    np.testing.assert_allclose(layers.AveragePooling3D(2)(volume), wanted.mean((2, 4, 6)), rtol=1e-5, atol=1e-6)


def test_same_padding_counts_only_what_is_inside():
    layer = layers.AveragePooling2D(4, 3, "same")
    y = layer(np.ones((1, 7, 8, 2), "f4"))
    np.testing.assert_array_equal(y, np.ones((1, 3, 3, 2)))
    assert layer.compute_output_shape((None, 7, None, 2)) == (None, 3, None, 2)


@pytest.mark.parametrize("name", ["MaxPooling2D", "AveragePooling2D", "GlobalMaxPooling2D", "GlobalAveragePooling2D"])
def test_channels_may_come_first(name):
    options = {"pool_size": (2, 3)} if "Global" not in name else {"keepdims": True}
    last, first = (getattr(layers, name)(**options, data_format=f"channels_{way}") for way in ("last", "first"))
    moved = np.moveaxis(X, -1, 1)
    y = first(moved)
    np.testing.assert_allclose(np.moveaxis(y.numpy(), 1, -1), last(X), rtol=1e-5)
    assert first.compute_output_shape(moved.shape) == y.shape


def test_all_places():
    np.testing.assert_allclose(layers.GlobalAveragePooling2D()(X), X.mean((1, 2)), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(layers.GlobalMaxPool2D(keepdims=True)(X), X.max((1, 2), keepdims=True))
    np.testing.assert_allclose(layers.GlobalAvgPool1D()(X[:, 0]), X[:, 0].mean(1), rtol=1e-5)
    np.testing.assert_array_equal(layers.GlobalMaxPooling3D()(X.reshape(2, 6, 2, 2, 3)), X.max((1, 2)))


def test_the_mean_of_the_steps_that_a_mask_has():
    mask = np.array([[True, True, False, False], [True, False, True, True]])
    y = layers.GlobalAveragePooling1D()(X[:, 0], mask=tf.constant(mask))
    np.testing.assert_allclose(y, [X[0, 0, :2].mean(0), X[1, 0, [0, 2, 3]].mean(0)], rtol=1e-5)


def test_zeros_around():
    np.testing.assert_array_equal(
        layers.ZeroPadding2D(((1, 2), (3, 4)))(X), np.pad(X, ((0, 0), (1, 2), (3, 4), (0, 0)))
    )
    np.testing.assert_array_equal(layers.ZeroPadding2D((1, 2))(X), np.pad(X, ((0, 0), (1, 1), (2, 2), (0, 0))))
    np.testing.assert_array_equal(layers.ZeroPadding1D((0, 2))(X[:, 0]), np.pad(X[:, 0], ((0, 0), (0, 2), (0, 0))))
    assert layers.ZeroPadding2D(2).compute_output_shape((None, None, 4, 3)) == (None, None, 8, 3)


def test_larger_images():
    wanted = X.repeat(2, 1).repeat(3, 2)
    np.testing.assert_array_equal(layers.UpSampling2D((2, 3))(X), wanted)
    first = layers.UpSampling2D((2, 3), data_format="channels_first")(np.moveaxis(X, -1, 1))
    np.testing.assert_array_equal(np.moveaxis(first.numpy(), 1, -1), wanted)
    np.testing.assert_array_equal(layers.UpSampling1D(3)(X[:, 0]), X[:, 0].repeat(3, 1))
    line = np.array([0.0, 4.0, 8.0], "f4").reshape(1, 1, 3, 1)
    y = layers.UpSampling2D((1, 2), interpolation="bilinear")(line)
    np.testing.assert_allclose(y[0, 0, :, 0], [0, 1, 3, 5, 7, 8])


@pytest.mark.parametrize(
    "layer",
    [
        layers.MaxPooling2D(3, 2, "same"),
        layers.AveragePooling1D(2),
        layers.GlobalMaxPooling1D(keepdims=True),
        layers.ZeroPadding2D(((1, 2), (3, 4))),
        layers.ZeroPadding1D((1, 2)),
        layers.UpSampling2D(3, interpolation="bilinear"),
        layers.UpSampling1D(3),
    ],
)
def test_a_configuration_makes_the_same_layer(layer):
    again = layers.deserialize(layers.serialize(layer))
    assert type(again) is type(layer)
    assert again.get_config() == layer.get_config()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.MaxPooling2D(0), "pool_size"),
        (lambda: layers.MaxPooling2D((2, 2, 2)), "pool_size"),
        (lambda: layers.MaxPooling2D(2, padding="causal"), "padding"),
        (lambda: layers.MaxPooling2D(9).compute_output_shape((1, 4, 4, 2)), "larger"),
        (lambda: layers.MaxPooling2D(9)(X), "max_pool2d.*would be negative"),
        (lambda: layers.AveragePooling2D(9)(X), "avg_pool2d.*would be negative"),
        (lambda: layers.MaxPooling2D()(X[0]), "ndim"),
        (lambda: layers.ZeroPadding2D((1, 2, 3)), "padding"),
        (lambda: layers.ZeroPadding1D("x"), "padding"),
        (lambda: layers.UpSampling2D(0), "size"),
        (lambda: layers.UpSampling2D(2, interpolation="area"), "interpolation"),
    ],
)
def test_what_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
