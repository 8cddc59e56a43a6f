from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastgrad as tf

X = np.random.default_rng(1).normal(3, 2, (4, 5))


def test_complex_variances_are_real_and_integer_ones_refused():
    z = np.array([1 + 2j, 3 - 1j])
    variance = tf.math.reduce_variance(tf.constant(z))
    assert variance.dtype is tf.float64
    np.testing.assert_allclose(variance.numpy(), z.var())
    for function in (tf.math.reduce_variance, tf.math.reduce_std):
        with pytest.raises(TypeError, match="int32"):
            function([1, 2])


def test_half_width_moments_are_computed_in_single_precision():
    x = tf.constant(np.full(5000, 3.0), tf.float16)
    mean, variance = tf.nn.moments(x, [0])
    assert mean.dtype is tf.float16
    assert (mean.numpy(), variance.numpy()) == (3, 0)


@given(st.lists(st.integers(0, 6)), st.integers(0, 9), st.integers(1, 9))
def test_bincount_is_numpys(values, least, most):
    counts = tf.math.bincount(values, minlength=least, maxlength=most).numpy()
    np.testing.assert_array_equal(counts, np.bincount(np.array(values, int), minlength=least)[:most])
    assert counts.dtype == np.int32


def test_bincount_refuses_bad_arguments():
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"non-negative.*-1"):
        tf.math.bincount([-1, 1])
    with pytest.raises(tf.errors.InvalidArgumentError, match="same shape"):
        tf.math.bincount([1, 1], weights=[1.0])
    with pytest.raises(ValueError, match="axis=1"):
        tf.math.bincount([[1]], axis=1)


def test_histograms_of_fixed_width():
    values, edges = [-1.0, 0.0, 1.5, 2.0, 5.0, 15.0], [0.0, 5.0]
    assert tf.histogram_fixed_width_bins(values, edges, nbins=5).numpy().tolist() == [0, 0, 1, 2, 4, 4]
    assert tf.histogram_fixed_width(values, edges, nbins=5).numpy().tolist() == [2, 1, 1, 0, 2]
    assert tf.histogram_fixed_width([1, 2], [0, 5], nbins=5, dtype=tf.int64).dtype is tf.int64


def test_histograms_refuse_bad_arguments():
    for values, edges, count, text in (
        ([1.0], [5.0, 0.0], 5, r"value_range\[0\] < value_range\[1\]"),
        ([1.0], [0.0, 5.0], 0, "nbins"),
        ([float("nan")], [0.0, 5.0], 5, "NaN"),
    ):
        with pytest.raises(tf.errors.InvalidArgumentError, match=text):
            tf.histogram_fixed_width(values, edges, nbins=count)


def test_histograms_are_of_real_numbers():
    for values in ([1j], ["a"], [True]):
        with pytest.raises(tf.errors.InvalidArgumentError, match="histogram_fixed_width"):
            tf.histogram_fixed_width(tf.constant(values), [0.0, 1.0])
