"""Activations at their edges, along axes and in large arrays, and what they refuse."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

import fastgrad as tf


@pytest.mark.parametrize("function", [tf.nn.relu, tf.nn.relu6, tf.nn.leaky_relu, tf.nn.elu, tf.nn.gelu, tf.nn.softmax])
def test_nan_stays_nan(function):
    y = function(tf.constant([1.0, float("nan"), 2.0])).numpy()
    assert np.isnan(y[1])


def test_softmax_does_not_overflow_and_keeps_infinities():
    np.testing.assert_allclose(tf.nn.softmax([1000.0, 1000.0]), [0.5, 0.5])
    np.testing.assert_allclose(tf.nn.softmax([-np.inf, 0.0]), [0.0, 1.0])
    np.testing.assert_allclose(tf.nn.log_softmax([1000.0, 0.0]), [0.0, -1000.0])


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=4), st.data())
def test_softmax_along_any_axis(shape, data):
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    x = np.random.default_rng(1).normal(size=shape)
    for function, formula in ((tf.nn.softmax, special.softmax), (tf.nn.log_softmax, special.log_softmax)):
        y = function(x, axis=axis)
        assert y.shape == tuple(shape)
        if y.shape.num_elements():
            np.testing.assert_allclose(y, formula(x, axis), rtol=1e-12, atol=1e-12)


def test_refusals():
    with pytest.raises(tf.errors.InvalidArgumentError, match="axis"):
        tf.nn.softmax([1.0, 2.0], axis=1)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"softmax.*int32"):
        tf.nn.softmax([1, 2])
    with pytest.raises(ValueError, match="floating"):
        tf.nn.gelu([1])
    with pytest.raises(tf.errors.InvalidArgumentError, match="elu"):
        tf.nn.elu([1])
    assert tf.nn.leaky_relu([1]).dtype == tf.float32
    assert tf.nn.relu([-1, 2]).numpy().tolist() == [0, 2]


@pytest.mark.parametrize("size", [1 << 15, 300_001])
def test_much_is_done_by_kernels_and_threads_to_the_bits_of_little(size):
    x = tf.constant(np.random.default_rng(0).normal(size=size).astype(np.float32) * 4)
    for function in (tf.nn.relu, tf.nn.gelu, tf.sigmoid, tf.math.softplus):
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(x)
            whole = function(x)
            parts = tf.concat([function(x[i : i + 1000]) for i in range(0, size, 1000)], 0)
        np.testing.assert_array_equal(whole, parts)
        np.testing.assert_array_equal(tape.gradient(whole, x), tape.gradient(parts, x))


@pytest.mark.parametrize("approximate", [False, True])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_second_derivatives_of_gelu_are_zero_far_from_zero(dtype, approximate):
    largest = float(tf.as_dtype(dtype).max)
    x = tf.cast(tf.constant([-largest, -1e4, 50.0, 1e4, largest, np.inf, -np.inf], "float64"), dtype)
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            y = tf.nn.gelu(x, approximate=approximate)
        slope = inner.gradient(y, x)
    assert outer.gradient(slope, x).numpy().tolist() == [0.0] * 7
