"""Rescaling, Normalization with what it learns from data, CategoryEncoding."""

import numpy as np
import pytest

import fastgrad as tf

layers = tf.keras.layers
X = np.random.default_rng(0).normal(3.0, 2.0, (50, 4)).astype(np.float32)


def halves():
    return [X[:20], X[20:]]


@pytest.mark.parametrize(
    "data",
    [
        X,
        tf.constant(X),
        halves(),
        (x for x in halves()),
        tf.data.Dataset.from_tensor_slices(X).batch(20),
        tf.data.Dataset.from_tensor_slices((X, X[:, 0])).batch(20),
        tf.data.Dataset.from_tensor_slices(X),
    ],
    ids=["array", "tensor", "list", "generator", "dataset", "pairs", "rows"],
)
def test_mean_and_variance_are_those_of_the_data(data):
    layer = layers.Normalization()
    layer.adapt(data)
    np.testing.assert_allclose(layer.mean, X.mean(0, keepdims=True), rtol=1e-5)
    np.testing.assert_allclose(layer.variance, X.var(0, keepdims=True), rtol=1e-5)
    np.testing.assert_allclose(layer(X), (X - X.mean(0)) / X.std(0), rtol=1e-4, atol=1e-5)
    assert layer.trainable_weights == []


def test_axes_and_the_way_back():
    images = X.reshape(5, 10, 4)
    for axis, over in [(None, (0, 1, 2)), (1, (0, 2)), ((1, 2), (0,))]:
        layer = layers.Normalization(axis)
        layer.adapt(images)
        mean, deviation = images.mean(over, keepdims=True), images.std(over, keepdims=True)
        np.testing.assert_allclose(layer(images), (images - mean) / deviation, rtol=1e-4, atol=1e-5)
    back = layers.Normalization(mean=1.0, variance=4.0, invert=True)
    np.testing.assert_allclose(back(X), 1 + 2 * X, rtol=1e-6)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: layers.Normalization(mean=1.0), ValueError, "both `mean` and `variance`"),
        (lambda: layers.Normalization(mean=[[1.0]], variance=[[1.0]]), ValueError, r"axis \(-1,\).*\(1, 1\)"),
        (lambda: layers.Normalization(5)(X), ValueError, r"`axis`.*\[-2, 2\).*axis=.5"),
        (lambda: layers.Normalization().adapt([]), ValueError, "no data"),
        (lambda: layers.Normalization().adapt(3), TypeError, "int"),
        (lambda: layers.Normalization().adapt([[1.0, 2.0]]), TypeError, r"`\.shape`.*list"),
        (lambda: layers.Normalization().adapt(iter([42])), TypeError, r"`\.shape`.*int"),
        (lambda: layers.Normalization().adapt([X, X[:, :2]]), ValueError, r"\(4,\).*\(50, 2\)"),
        (layers.CategoryEncoding, ValueError, "num_tokens=None"),
        (lambda: layers.CategoryEncoding(3, "nope"), ValueError, "output_mode.*one_hot.*nope"),
        (lambda: layers.CategoryEncoding(3)(np.array([[0, 3]])), tf.errors.InvalidArgumentError, "num_tokens=3.* 3"),
        (lambda: layers.CategoryEncoding(3)(np.array([-1])), tf.errors.InvalidArgumentError, "num_tokens=3.*-1"),
        (lambda: layers.CategoryEncoding(3)(np.array([0]), count_weights=[1.0]), ValueError, "count_weights"),
    ],
)
def test_it_is_refused_with_the_facts(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_counts_may_be_weighted():
    rows = layers.CategoryEncoding(3, "count")(np.array([[0, 1, 1]]), count_weights=np.array([[0.5, 0.25, 1.0]]))
    np.testing.assert_allclose(rows, [[0.5, 1.25, 0.0]])


def test_images_of_bytes_are_scaled():
    y = layers.Rescaling(1 / 127.5, offset=-1)(np.array([[0, 255]], np.uint8))
    np.testing.assert_allclose(y, [[-1.0, 1.0]], rtol=1e-6)


def test_a_layer_that_comes_later_says_so():
    with pytest.raises(AttributeError, match="ReversibleEmbedding: TensorFlow has it, fastgrad does not.*Embedding"):
        _ = layers.ReversibleEmbedding
    with pytest.raises(AttributeError, match="LeakyReLU"):
        _ = layers.LeakyRelu


def test_new_statistics_of_a_normalization_count_at_once() -> None:
    x = np.array([[1.0, 2.0], [3.0, 5.0]], np.float32)
    layer, other = tf.keras.layers.Normalization(), tf.keras.layers.Normalization()
    layer.adapt(x)
    other.adapt(10.0 * x)
    expected = layer(x).numpy()
    model = tf.keras.Sequential([tf.keras.Input((2,)), other])
    assert np.abs(model.predict(x, verbose=0) - expected).max() > 0.5
    other.set_weights(layer.get_weights())
    np.testing.assert_array_equal(model(x), expected)
    np.testing.assert_allclose(model.predict(x, verbose=0), expected, rtol=1e-6)
    other.finalize_state()  # Keras's layer needs it
    np.testing.assert_array_equal(model(x), expected)
