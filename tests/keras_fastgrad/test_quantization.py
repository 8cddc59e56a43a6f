"""``keras.quantizers.fake_quant_with_min_max_vars`` and its gradients."""

import keras
import numpy as np
import pytest

import fastgrad as tf


def fake_quant(x, low, high, **options):
    return keras.quantizers.fake_quant_with_min_max_vars(x, low, high, **options)


@pytest.mark.parametrize("compiled", [False, True])
def test_values_and_gradients(compiled):
    def values_and_gradients(x, low, high):
        with tf.GradientTape() as tape:
            tape.watch([x, low, high])
            y = fake_quant(x, low, high, num_bits=2)
        return y, tape.gradient(y, [x, low, high])

    run = tf.function(values_and_gradients) if compiled else values_and_gradients
    for _ in range(3 if compiled else 1):
        y, (dx, dlow, dhigh) = run(tf.constant([-9.0, -1.0, 0.4, 1.6, 5.0, 6.0]), tf.constant(-1.0), tf.constant(2.0))
        np.testing.assert_allclose(y, [-1, -1, 0, 2, 2, 2])
        np.testing.assert_allclose(dx, [0, 1, 1, 1, 0, 0])
        assert (float(dlow), float(dhigh)) == (1, 2)


def test_channels_have_their_own_ranges():
    x = np.array([[-5.0, 0.6], [1.2, 9.0]], "float32")
    y = fake_quant(x, np.array([-1.0, 0.0], "float32"), np.array([2.0, 3.0], "float32"), num_bits=2, axis=1)
    np.testing.assert_allclose(y, [[-1, 1], [1, 3]])
    np.testing.assert_allclose(fake_quant(x, 0.0, 0.0), np.zeros([2, 2]))
