"""Activations at their edges, along axes and in large arrays, and what they refuse."""

import numpy as np
import pytest

import fastgrad as tf
from tests.gradients import gradient_of


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
        slope = gradient_of(lambda x: tf.nn.gelu(x, approximate=approximate), x)
    assert outer.gradient(slope, x).numpy().tolist() == [0.0] * 7


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_elu_and_selu_keep_zeros_and_nan_and_are_accurate_near_0(dtype):
    x = np.array([-0.0, 0.0, np.nan, -1e-6, 2.0, -3.0, -np.inf, np.inf], dtype)
    scale, alpha = 1.0507009873554805, 1.6732632423543772
    wide = x.astype(np.float64)
    below = np.expm1(np.minimum(wide, 0))
    tolerance = 4 * np.finfo(dtype).eps
    np.testing.assert_allclose(tf.nn.elu(x).numpy(), np.where(wide >= 0, wide, below), tolerance)
    np.testing.assert_allclose(tf.nn.selu(x).numpy(), scale * np.where(wide >= 0, wide, alpha * below), tolerance)
    assert np.signbit(tf.nn.elu(x).numpy()[:2]).tolist() == [True, False]


@pytest.mark.parametrize("size", [7, 200_000])
@pytest.mark.parametrize(
    "operation", [tf.nn.elu, tf.nn.selu, lambda x: tf.nn.sigmoid_cross_entropy_with_logits(x * 0.5, x)]
)
def test_eager_values_have_the_bits_of_compiled_ones_at_each_size(operation, size):
    x = np.random.default_rng(3).normal(size=size).astype(np.float32) * 3
    eager, compiled = operation(tf.constant(x)).numpy(), tf.function(operation)(x).numpy()
    np.testing.assert_array_equal(eager, compiled)
    np.testing.assert_array_equal(operation(tf.constant(x[:5])).numpy(), eager[:5])
