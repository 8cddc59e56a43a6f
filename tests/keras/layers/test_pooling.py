"""Pooling layers: channels first, masks, and what they refuse; tests/conformance/programs/convolutional.py compares the rest with Keras."""

import numpy as np
import pytest

import fastgrad as tf

layers = tf.keras.layers
X = np.random.default_rng(0).normal(size=(2, 6, 4, 3)).astype("f4")


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("MaxPooling2D", {"pool_size": (2, 3)}),
        ("AveragePooling2D", {"pool_size": (2, 3)}),
        ("GlobalMaxPooling2D", {"keepdims": True}),
        ("GlobalAveragePooling2D", {"keepdims": True}),
        ("UpSampling2D", {"size": (2, 3)}),
    ],
)
def test_channels_may_come_first(name, options):
    last, first = (getattr(layers, name)(**options, data_format=f"channels_{way}") for way in ("last", "first"))
    moved = np.moveaxis(X, -1, 1)
    y = first(moved)
    np.testing.assert_allclose(np.moveaxis(y.numpy(), 1, -1), last(X), rtol=1e-5)
    assert first.compute_output_shape(moved.shape) == y.shape


def test_the_mean_of_the_steps_that_a_mask_has():
    mask = np.array([[True, True, False, False], [True, False, True, True]])
    y = layers.GlobalAveragePooling1D()(X[:, 0], mask=tf.constant(mask))
    np.testing.assert_allclose(y, [X[0, 0, :2].mean(0), X[1, 0, [0, 2, 3]].mean(0)], rtol=1e-5)


def test_the_mean_of_the_steps_does_not_meet_what_a_mask_hides():
    x = tf.Variable([[[1.0], [2.0], [np.nan]], [[1.0], [2.0], [3.0]]])
    for mask in (np.array([[1, 1, 0], [0, 0, 0]], bool), np.array([[2, 1, 0], [0, 0, 0]])):
        with tf.GradientTape() as tape:
            y = layers.GlobalAveragePooling1D()(x, mask=tf.constant(mask))
        np.testing.assert_array_equal(y, [[1.5], [np.nan]])
        np.testing.assert_array_equal(tape.gradient(y, x)[..., 0], [[0.5, 0.5, 0.0], [0.0, 0.0, 0.0]])
    embedding = layers.Embedding(3, 2, mask_zero=True, embeddings_initializer="ones")
    with tf.GradientTape() as tape:
        y = layers.GlobalAveragePooling1D()(embedding(tf.constant([[1, 2, 0], [0, 0, 0]])))
    gradient = tf.convert_to_tensor(tape.gradient(y, embedding.embeddings))
    np.testing.assert_array_equal(gradient, [[0.0, 0.0], [0.5, 0.5], [0.5, 0.5]])


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
        (lambda: layers.UpSampling2D(0), "size"),
        (lambda: layers.UpSampling2D(2, interpolation="gaussian"), "interpolation"),
    ],
)
def test_what_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
