"""stateless_parameterized_truncated_normal: bounds, moments, tails, seeds."""

import numpy as np
import pytest
from scipy.stats import kstest, truncnorm

import fastgrad as tf

draw = tf.random.stateless_parameterized_truncated_normal


@pytest.mark.parametrize(
    ("mean", "deviation", "low", "high"),
    [(0.0, 1.0, -1.0, 0.5), (2.0, 0.5, 3.0, 9.0), (0.0, 1.0, 6.0, 7.0), (-1.0, 3.0, -30.0, 30.0)],
)
def test_numbers_have_the_truncated_distribution(mean, deviation, low, high):
    x = draw([4000], [1, 2], mean, deviation, low, high).numpy()
    assert x.dtype == np.float32
    assert low <= x.min()
    assert x.max() <= high
    distribution = truncnorm((low - mean) / deviation, (high - mean) / deviation, mean, deviation)
    assert kstest(x.astype(np.float64), distribution.cdf).pvalue > 1e-4


def test_parameters_broadcast_and_seeds_repeat():
    means = tf.constant([0.0, 100.0], tf.float64)
    x = draw([50, 2], [3, 4], means, 1.0, means - 1.0, means + 1.0)
    assert x.dtype == tf.float64
    assert np.abs(x.numpy() - means.numpy()).max() <= 1.0
    again = tf.function(lambda seed: draw([50, 2], seed, means, 1.0, means - 1.0, means + 1.0))
    np.testing.assert_array_equal(again(tf.constant([3, 4])).numpy(), x.numpy())
    assert (again(tf.constant([3, 5])).numpy() != x.numpy()).all()
