"""Approximate top-k, which is exact here; `conformance/programs/sampled_classes.py` compares it with TensorFlow."""

import numpy as np
import pytest

import fastgrad as tf


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_approx_min_k_takes_the_smallest_along_any_axis(axis):
    x = np.random.default_rng(0).normal(size=(4, 5)).astype(np.float32)
    values, indices = tf.math.approx_min_k(x, 2, reduction_dimension=axis)
    np.testing.assert_array_equal(values.numpy(), np.take(np.sort(x, axis), [0, 1], axis))
    np.testing.assert_array_equal(indices.numpy(), np.take(np.argsort(x, axis), [0, 1], axis))
    largest = tf.function(lambda x: tf.math.approx_max_k(x, 2, reduction_dimension=axis)[0])(tf.constant(x))
    np.testing.assert_array_equal(largest.numpy(), np.take(-np.sort(-x, axis), [0, 1], axis))
