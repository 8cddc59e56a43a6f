"""The fused dense operation against its parts."""

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.core import recording
from fastgrad._src.ops.dense import dense
from tests.gradients import gradient_of

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_width_dtypes(dtype):
    x, kernel, bias = (tf.cast(tf.constant(RNG.normal(size=s)), dtype) for s in ((4, 3), (3, 5), (5,)))
    y = dense(x, kernel, bias, "relu")
    assert y.dtype == dtype
    wide = [np.asarray(v.numpy(), np.float64) for v in (x, kernel, bias)]
    np.testing.assert_allclose(np.asarray(y.numpy(), np.float64), np.maximum(wide[0] @ wide[1] + wide[2], 0), atol=0.1)


def test_no_bias():
    x, kernel = RNG.normal(size=(4, 3)), RNG.normal(size=(3, 5))
    np.testing.assert_allclose(dense(tf.constant(x), tf.constant(kernel), None, "tanh"), np.tanh(x @ kernel))


class Operations(recording.Recorder):
    """A recorder that notes the names of operations."""

    def __init__(self):
        self.names = []

    def on_operation(self, operation, inputs, outputs, attributes):
        self.names.append(operation.name)


def test_the_gradient_of_data_is_not_computed():
    """A first layer's input leads to no source: its product is left out."""
    x, kernel, bias = (
        tf.constant(RNG.normal(size=(4, 3))),
        tf.Variable(RNG.normal(size=(3, 5))),
        tf.Variable(np.zeros(5)),
    )
    with tf.GradientTape() as tape:
        y = dense(x, kernel.value(), bias.value(), "relu")
    seen = Operations()
    recording.start(seen)
    try:
        tape.gradient(y, [kernel, bias])
    finally:
        recording.stop(seen)
    assert seen.names == ["dense_gradient", "matmul"]


@pytest.mark.parametrize("activation", ["linear", "relu", "tanh"])
def test_a_bias_put_in_place_by_hand_broadcasts_or_is_refused(activation):
    """The kernel reads one element of the bias a unit, so another bias must not get there."""
    layer = tf.keras.layers.Dense(4, activation=activation)
    x = tf.constant(np.linspace(-1, 1, 6).reshape(2, 3), tf.float32)
    layer(x)
    product = x @ layer.kernel
    layer.bias = tf.Variable([0.5])
    expected = tf.keras.activations.get(activation)(product + 0.5)
    np.testing.assert_allclose(layer(x), expected, rtol=1e-6, atol=1e-7)
    for wrong in (tf.zeros(3), tf.zeros(50_000), tf.zeros(4, tf.float64)):
        layer.bias = tf.Variable(wrong)
        with pytest.raises(tf.errors.InvalidArgumentError):
            layer(x)


def test_the_second_gradient_of_a_relu_is_zeros_not_none():
    x, kernel, bias = tf.ones([2, 3]), tf.ones([3, 2]), tf.zeros([2])
    with tf.GradientTape() as outer:
        outer.watch([x, kernel, bias])
        slope = gradient_of(lambda x: dense(x, kernel, bias, "relu"), x)
    np.testing.assert_array_equal(outer.gradient(slope, bias), [0.0, 0.0])
