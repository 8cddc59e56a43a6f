"""Isotonic regression; `conformance/programs/label_sequences.py` compares it with TensorFlow."""

import numpy as np
import pytest

import fastgrad as tf


@pytest.mark.parametrize("decreasing", [False, True])
def test_isotonic_regression_is_monotonous_and_keeps_means(decreasing):
    x = tf.random.stateless_normal([20, 9], [1, 2])
    y, segments = tf.nn.isotonic_regression(x, decreasing)
    steps = np.diff(y, axis=1)
    assert (steps <= 0).all() if decreasing else (steps >= 0).all()
    np.testing.assert_allclose(tf.reduce_sum(y, 1), tf.reduce_sum(x, 1), rtol=1e-4, atol=1e-5)
    assert set(np.diff(segments, axis=1).reshape(-1)) <= {0, 1}


def test_the_gradient_of_a_block_is_shared():
    x = tf.constant([[3.0, 1.0, 2.0]])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y, _ = tf.nn.isotonic_regression(x)
    assert tape.gradient(y, x, output_gradients=tf.constant([[1.0, 2.0, 4.0]])).numpy().tolist() == [[1.0, 3.0, 3.0]]
