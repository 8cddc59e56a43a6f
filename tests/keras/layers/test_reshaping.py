"""Layers that move elements."""

import numpy as np
import pytest

import fastgrad as tf
from fastgrad import keras
from tests.gradients import gradient_of

layers = keras.layers
X = np.arange(48.0, dtype=np.float32).reshape(2, 2, 3, 4)


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (layers.Flatten(), X.reshape(2, 24)),
        (layers.Flatten("channels_first"), X.transpose(0, 2, 3, 1).reshape(2, 24)),
        (layers.Reshape((4, 6)), X.reshape(2, 4, 6)),
        (layers.Reshape((-1, 3)), X.reshape(2, 8, 3)),
        (layers.Permute((3, 1, 2)), X.transpose(0, 3, 1, 2)),
        (layers.Identity(), X),
    ],
    ids=lambda value: type(value).__name__,
)
def test_values_shapes_and_config(layer, expected):
    out = layer(X)
    np.testing.assert_array_equal(out, expected)
    assert layer.compute_output_shape((None, *X.shape[1:])) == (None, *expected.shape[1:])
    twin = type(layer).from_config(layer.get_config())
    np.testing.assert_array_equal(twin(X), expected)
    x = tf.constant(X)
    np.testing.assert_array_equal(gradient_of(layer, x), np.ones_like(X))


def test_flatten_of_vectors_scalars_and_nothing():
    assert layers.Flatten()(tf.ones(3)).shape == (3, 1)
    assert layers.Flatten()(tf.ones((0, 2, 3))).shape == (0, 6)
    assert layers.Flatten().compute_output_shape((2, None, 3)) == (2, None)
    with pytest.raises(ValueError, match="min_ndim=1"):
        layers.Flatten()(tf.constant(1.0))


def test_repeat_vector():
    out = layers.RepeatVector(3)(np.array([[1.0, 2.0]]))
    np.testing.assert_array_equal(out, [[[1.0, 2.0]] * 3])
    with pytest.raises(TypeError, match="integer"):
        layers.RepeatVector(1.5)
    with pytest.raises(ValueError, match="positive"):
        layers.RepeatVector(0)


@pytest.mark.parametrize("target", [(5,), (-1, 5), (-1, -1), (-2, 3)], ids=str)
def test_reshape_that_does_not_fit(target):
    with pytest.raises(ValueError, match="target_shape"):
        layers.Reshape(target)(tf.ones((2, 6)))


def test_permute_wants_an_order():
    with pytest.raises(ValueError, match="dims"):
        layers.Permute((0, 1))
    with pytest.raises(ValueError, match="ndim=3"):
        layers.Permute((2, 1))(tf.ones((2, 2)))


def test_upsampling_by_area_repeats_elements():
    for x in (X, X.astype(np.int32)):
        area, nearest = [layers.UpSampling2D((2, 3), interpolation=name) for name in ("area", "nearest")]
        np.testing.assert_array_equal(area(x), nearest(x))
    assert layers.UpSampling2D.from_config(area.get_config()).interpolation == "area"
