"""``Dropout``."""

import numpy as np
import pytest

import fastgrad as tf
from fastgrad import keras

Dropout = keras.layers.Dropout
ONES = tf.ones((100, 50))


def test_gradient_passes_where_the_element_lives():
    layer = Dropout(0.5)
    x = tf.ones((10, 10))
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x, training=True)
    np.testing.assert_array_equal(tape.gradient(y, x), y)


def test_noise_shape():
    out = Dropout(0.5, noise_shape=(None, 1))(ONES, training=True).numpy()
    assert (out == out[:, :1]).all()
    assert len(np.unique(out)) == 2


def test_seeds():
    first, second = Dropout(0.5, seed=7), Dropout(0.5, seed=7)
    a, b = first(ONES, training=True), first(ONES, training=True)
    np.testing.assert_array_equal(a, second(ONES, training=True))
    assert not np.array_equal(a, b)
    tf.random.set_seed(1)
    c = Dropout(0.5)(ONES, training=True)
    tf.random.set_seed(1)
    np.testing.assert_array_equal(c, Dropout(0.5)(ONES, training=True))


@pytest.mark.parametrize("rate", [-0.1, 1.5, float("nan")])
def test_rates_are_between_zero_and_one(rate):
    with pytest.raises(ValueError, match=r"must be in the interval \[0, 1\]"):
        Dropout(rate)


@pytest.mark.parametrize("shape", ["ab", (0, 1), (1.5,)], ids=str)
def test_noise_shapes_are_shapes(shape):
    with pytest.raises(ValueError, match="noise_shape"):
        Dropout(0.5, noise_shape=shape)
