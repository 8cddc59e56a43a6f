"""``tf.gradients`` in compiled functions. The expected numbers are TensorFlow's."""

import numpy as np
import pytest

import fastgrad as tf

X = tf.constant([1.0, 2.0])


def results_of_calls(f, *args):
    """The results of a first call, which records, and of two replays."""
    compiled = tf.function(f)
    return [tf.nest.map_structure(lambda x: x.numpy().tolist(), compiled(*args)) for _ in range(3)]


def test_gradients_of_gradients():
    v = tf.Variable([1.0, 2.0])

    def f(x):
        dx, dv = tf.gradients(x**3 * v, [x, v])
        return dx, dv, *tf.gradients(dx, x)

    assert results_of_calls(f, X) == [([3.0, 24.0], [1.0, 8.0], [6.0, 24.0])] * 3


def test_a_source_that_depends_on_another_one_and_stop_gradients():
    def f(x):
        y = 2.0 * x
        return tf.gradients(x * y, [x, y]) + tf.gradients(x * y, [x, y], stop_gradients=[x, y])

    assert results_of_calls(f, X) == [[[4.0, 8.0], [1.0, 2.0], [2.0, 4.0], [1.0, 2.0]]] * 3


def test_weights_of_several_targets():
    assert results_of_calls(lambda x: tf.gradients([x, 2.0 * x], x, grad_ys=[x, None]), X) == [[[3.0, 4.0]]] * 3


def test_unconnected_sources():
    @tf.function
    def f(x, y):
        assert tf.gradients(x, y) == [None]
        first, second = tf.split(x, 2)
        assert tf.gradients(first * second, x, stop_gradients=[first]) == [None]  # of one operation with ``second``
        return tf.gradients(x, y, unconnected_gradients="zero")

    assert f(X, X + 1.0)[0].numpy().tolist() == [0.0, 0.0]


def test_a_tape_differentiates_the_gradients():
    v = tf.Variable([1.0, 2.0])

    def f(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(tf.gradients(tf.tanh(x) * v, x)[0] ** 2)
        return tape.gradient(loss, [x, v])

    for result in results_of_calls(f, X):
        np.testing.assert_allclose(result, [[-0.53732, -0.07699], [0.35276, 0.01997]], atol=1e-5)

    g = tf.function(lambda x: tf.gradients(tf.sin(x) * v, x)[0])

    for _ in range(3):
        with tf.GradientTape() as tape:
            y = g(X)
        np.testing.assert_allclose(tape.gradient(y, v), np.cos([1.0, 2.0]), rtol=1e-6)


def test_an_inner_function_and_assignments_before_it():
    """The second recording, with a history, starts from the values that variables had before."""
    v = tf.Variable(0.0)

    cube = tf.function(lambda x: tf.gradients(x**3, x)[0])

    @tf.function
    def f(x):
        v.assign_add(1.0)
        return tf.gradients(cube(x), x)[0] * v

    assert [float(f(tf.constant(2.0))) for _ in range(3)] == [12.0, 24.0, 36.0]
    assert v.numpy() == 3.0


def test_a_new_recording_for_each_shape():
    f = tf.function(lambda x: tf.gradients(tf.reduce_sum(x) ** 2, x)[0])
    assert f(tf.ones([2])).numpy().tolist() == [4.0, 4.0]
    assert f(tf.ones([3])).numpy().tolist() == [6.0, 6.0, 6.0]


def test_eager_code_gets_tensorflows_error():
    with pytest.raises(RuntimeError, match="not supported when eager execution is enabled"):
        tf.gradients(X, X)
    tf.config.run_functions_eagerly(True)
    try:
        with pytest.raises(RuntimeError, match="not supported when eager execution is enabled"):
            tf.function(lambda x: tf.gradients(x, x))(X)
    finally:
        tf.config.run_functions_eagerly(False)
