"""Forward-mode differentiation."""

import numpy as np
import pytest

import fastgrad as tf

FUNCTIONS = {
    "chain": lambda x: tf.exp(tf.sin(x)) * x,
    "matmul": lambda x: tf.matmul(x, tf.transpose(x)),
    "reduce": lambda x: tf.reduce_sum(x * x, axis=1),
    "softmax": tf.nn.softmax,
    "gather": lambda x: tf.gather(x, [0, 0, 1]),
    "split": lambda x: tf.split(x, 3, axis=1)[1] * 2.0,
    "concat": lambda x: tf.concat([x, x * x], axis=0),
    "broadcast": lambda x: x + tf.reduce_mean(x),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_jvp_against_finite_differences(name):
    function = FUNCTIONS[name]
    rng = np.random.default_rng(0)
    x, t = rng.normal(size=(2, 3)), rng.normal(size=(2, 3))
    primal = tf.constant(x)
    with tf.autodiff.ForwardAccumulator(primal, tf.constant(t)) as accumulator:
        y = function(primal)
    h = 1e-6
    expected = (function(tf.constant(x + h * t)).numpy() - function(tf.constant(x - h * t)).numpy()) / (2 * h)
    np.testing.assert_allclose(accumulator.jvp(y), expected, rtol=1e-7, atol=1e-8)


def test_variables_as_primals():
    v = tf.Variable([1.0, 2.0])
    with tf.autodiff.ForwardAccumulator(v, tf.constant([1.0, 0.5])) as accumulator:
        y = v * v
    np.testing.assert_allclose(accumulator.jvp(y), [2.0, 2.0])


def test_unconnected():
    x, z = tf.constant(1.0), tf.constant(2.0)
    with tf.autodiff.ForwardAccumulator(x, tf.constant(1.0)) as accumulator:
        y = z * z
    assert accumulator.jvp(y) is None
    assert float(accumulator.jvp(y, unconnected_gradients="zero")) == 0.0
    with pytest.raises(TypeError, match="shape"):
        tf.autodiff.ForwardAccumulator(tf.constant([1.0, 2.0]), tf.constant([1.0]))


def test_hessian_vector_product_forward_over_reverse():
    x, t = tf.constant([1.0, 2.0], tf.float64), tf.constant([3.0, 4.0], tf.float64)
    with tf.autodiff.ForwardAccumulator(x, t) as accumulator:
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.reduce_sum(x**3) + x[0] * x[1]
        g = tape.gradient(y, x)
    hessian = np.array([[6.0, 1.0], [1.0, 12.0]])
    np.testing.assert_allclose(accumulator.jvp(g), hessian @ [3.0, 4.0])


def test_reverse_over_forward():
    x = tf.Variable([1.0, 2.0], dtype=tf.float64)
    with tf.GradientTape() as tape:
        with tf.autodiff.ForwardAccumulator(x, tf.constant([1.0, 1.0], tf.float64)) as accumulator:
            y = x**3
        tangent = accumulator.jvp(y)
    np.testing.assert_allclose(tape.gradient(tangent, x), [6.0, 12.0])


def test_nested_accumulators_give_second_derivatives():
    x = tf.constant(2.0, tf.float64)
    one = tf.constant(1.0, tf.float64)
    with tf.autodiff.ForwardAccumulator(x, one) as outer:
        with tf.autodiff.ForwardAccumulator(x, one) as inner:
            y = x**3
        first = inner.jvp(y)
    assert float(first) == 12.0
    assert float(outer.jvp(first)) == 12.0


def test_a_primal_has_one_tangent():
    for primal in (tf.constant(2.0), tf.Variable(2.0)):
        with pytest.raises(ValueError, match="multiple times"):
            tf.autodiff.ForwardAccumulator([primal, primal], [tf.constant(1.0), tf.constant(3.0)])


def test_a_value_read_before_is_a_constant():
    v = tf.Variable([2.0, 3.0])
    before = v.value()
    with tf.autodiff.ForwardAccumulator(v, tf.ones(2)) as accumulator:
        y = v * before
    np.testing.assert_array_equal(accumulator.jvp(y), [2.0, 3.0])
