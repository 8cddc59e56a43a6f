"""Fake quantization beyond TensorFlow's answers (the conformance program ``quantization``)."""

import numpy as np
import pytest

import fastgrad as tf


@pytest.mark.parametrize("num_bits", [2, 8, 16])
def test_results_are_levels_of_the_integer_type(num_bits):
    x = tf.concat([[0.0], np.random.default_rng(3).normal(size=1000).astype(np.float32)], 0)
    y = tf.quantization.fake_quant_with_min_max_vars(x, -1.0, 2.0, num_bits=num_bits)
    levels = np.unique(y.numpy()) * (2**num_bits - 1) / 3.0
    assert len(levels) <= 2**num_bits
    assert 0.0 in levels
    np.testing.assert_allclose(levels, np.round(levels), atol=1e-2)


def test_infinite_inputs_become_the_bounds_and_a_training_step_moves_these():
    low, high = tf.Variable(-1.0), tf.Variable(1.0)

    @tf.function
    def step(x):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.quantization.fake_quant_with_min_max_vars(x, low, high))
        for variable, gradient in zip([low, high], tape.gradient(loss, [low, high]), strict=True):
            variable.assign_sub(0.1 * gradient)
        return loss

    x = tf.constant([-np.inf, 0.0, np.inf, 5.0])
    for _ in range(3):
        assert np.isfinite(step(x).numpy())
    assert float(low) == pytest.approx(-1.3)
    assert float(high) == pytest.approx(0.4)
    empty = tf.quantization.fake_quant_with_min_max_vars(x, 0.0, 0.0)
    assert empty.numpy().tolist() == [0.0] * 4
