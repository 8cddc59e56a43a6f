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


@pytest.mark.parametrize("mode", ["MIN_COMBINED", "MIN_FIRST", "SCALED"])
@pytest.mark.parametrize("dtype", ["qint8", "quint8", "qint16", "quint16"])
def test_integers_give_back_the_floats_to_within_one_level(mode, dtype):
    x = np.random.default_rng(3).uniform(0.0, 5.0, [6, 50]).astype(np.float32)
    output, low, high = tf.quantization.quantize(x, 0.0, 5.0, dtype, mode=mode)
    assert output.dtype is getattr(tf, dtype)
    level = 10.1 / (2 ** (8 * output.dtype.size) - 1)
    assert np.abs(tf.quantization.dequantize(output, low, high, mode=mode) - x).max() <= level


def test_ranges_of_slices_are_taken_where_tensorflow_documents_them():
    # TensorFlow 2.21 refuses every vector here, with "input_min must be a scalar".
    x = np.random.default_rng(3).normal(size=[4, 2]).astype(np.float32)
    both = tf.quantization.quantize_and_dequantize_v2
    expected = [both(x[:, i], low, high, range_given=True) for i, (low, high) in enumerate([(-1.0, 1.0), (-2.0, 0.5)])]
    y = both(x, [-1.0, -2.0], [1.0, 0.5], range_given=True, axis=1)
    np.testing.assert_array_equal(y, tf.stack(expected, 1))
