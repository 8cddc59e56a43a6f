"""Gradients that the user writes or shapes."""

import numpy as np
import pytest

import fastgrad as tf
from tests.gradients import gradient_of


@pytest.mark.parametrize("order", [1, 2])
def test_recompute_grad_gives_the_same_gradients(order):
    w = tf.Variable([0.3, -0.2], dtype=tf.float64)

    def block(x):
        return tf.tanh(x * w) * x

    def derivative(function):
        x = tf.Variable([0.5, 1.5], dtype=tf.float64)
        with tf.GradientTape(persistent=True) as outer:
            gx, gw = gradient_of(lambda x, w: tf.reduce_sum(function(x) * 2.0), x, w)
            total = tf.reduce_sum(gx * gx) + tf.reduce_sum(gw * gx)
        return (gx, gw) if order == 1 else tuple(outer.gradient(total, [x, w]))

    for a, b in zip(derivative(block), derivative(tf.recompute_grad(block)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


def test_recompute_grad_keeps_no_intermediate_and_runs_twice():
    import gc
    import weakref

    held = []

    @tf.recompute_grad
    def block(x):
        middle = x * 2.0
        held.append(weakref.ref(middle))
        return middle * middle

    x = tf.Variable(3.0)
    with tf.GradientTape() as tape:
        y = block(x)
    gc.collect()
    assert held[0]() is None
    assert float(tape.gradient(y, x)) == 24.0
    assert len(held) == 2


def test_arguments_arrive_as_they_are():
    seen = []

    @tf.custom_gradient
    def f(x, times, *, offset):
        seen.append((type(x), type(times), type(offset)))

        def grad(upstream):
            return upstream * float(times), None

        return x * times + offset, grad

    v = tf.Variable(2.0)
    assert float(gradient_of(lambda v: f(v, 3, offset=1.0), v)) == 3.0
    assert seen == [(tf.Variable, int, float)]


def test_gradients_that_are_python_numbers_take_the_dtype_of_the_argument():
    @tf.custom_gradient
    def f(x):
        return x * 2.0, lambda upstream: 7.0

    x = tf.Variable(1.0, dtype=tf.float64)
    g = gradient_of(lambda x: f(x) + x, x)
    assert g.dtype == tf.float64
    assert float(g) == 8.0


def test_a_variable_both_passed_and_read_counts_as_passed():
    v = tf.Variable(2.0)

    @tf.custom_gradient
    def f(x):
        return x * v, lambda upstream: upstream * 5.0

    assert float(gradient_of(f, v)) == 5.0


def scaled_by(gradient):
    @tf.custom_gradient
    def f(x):
        return x * 1.0, lambda upstream: gradient

    return f


@pytest.mark.parametrize("before", [tf.nn.gelu, tf.nn.softmax, tf.nn.relu, tf.identity])
def test_gradients_have_their_arguments_shape(before):
    """The kernels behind these functions read one cotangent an element."""
    x = tf.constant([[0.5, 1.0, 2.0], [1.0, 3.0, 0.1]])
    for given in (3.0, tf.constant([3.0]), tf.constant([[1.0], [2.0]])):
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(x)
            y = before(x)
            z = scaled_by(given)(y)
        expected = tape.gradient(y, x, tf.broadcast_to(given, [2, 3]))
        np.testing.assert_array_equal(tape.gradient(z, x), expected)
    for wrong in (tf.ones(5000), tf.ones((2, 30)), tf.ones((1, 2, 3)), tf.IndexedSlices(tf.ones((1, 2)), [0], [2, 2])):
        with tf.GradientTape() as tape:
            tape.watch(x)
            z = scaled_by(wrong)(before(x))
        with pytest.raises(ValueError, match=r"of shape \[2, 3\]"):
            tape.gradient(z, x)


def test_a_gradient_of_a_few_rows():
    v = tf.Variable(tf.ones((3, 2)))
    g = gradient_of(scaled_by(tf.IndexedSlices([[5.0, 6.0]], [2])), v)
    assert isinstance(g, tf.IndexedSlices)
    np.testing.assert_array_equal(tf.convert_to_tensor(g), [[0, 0], [0, 0], [5, 6]])


@pytest.mark.parametrize("call", [lambda f, x: f(x, x), lambda f, x: f(x, b=x), lambda f, x: f(b=x, a=x)])
@pytest.mark.parametrize("compiled", [False, True])
def test_tensors_that_are_passed_by_name_have_gradients(call, compiled):
    @tf.custom_gradient
    def own(a, b):
        return a * b, lambda upstream: (10.0 * upstream, 20.0 * upstream)

    cases = [
        (tf.recompute_grad(lambda a, b: a * b), 6.0),
        (own, 30.0),
        (tf.grad_pass_through(lambda a, b: (tf.round(a), 2.0 * b)), 2.0),
    ]
    for function, expected in cases:

        def derivative(x, function=function):
            return gradient_of(lambda x: call(function, x), x)

        derivative = tf.function(derivative) if compiled else derivative
        for _ in range(3):
            assert float(derivative(tf.constant(3.0))) == expected


def test_nested_tensors_that_are_passed_by_name_are_recomputed():
    x = tf.Variable(3.0)
    function = tf.recompute_grad(lambda parts, *, scale, training: parts["a"] * scale[0] if training else 0.0)
    assert float(gradient_of(lambda x: function(parts={"a": x}, scale=[x * 2.0], training=True), x)) == 12.0


def test_gradients_of_arguments_by_name_may_be_left_out():
    @tf.custom_gradient
    def f(x, mode="a", scale=1.0, *, offset=0.0):
        return x * scale + offset, lambda upstream: 5.0 * upstream

    x = tf.constant(3.0)
    assert float(gradient_of(lambda x: f(x, scale=x, mode=object(), offset=x), x)) == 5.0


def test_another_number_of_gradients_is_refused():
    @tf.custom_gradient
    def f(x, scale):
        return x * scale, lambda upstream: (upstream,) * 3

    x = tf.constant(3.0)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = f(x, scale=x)
    with pytest.raises(ValueError, match="expected to return 1 gradients, or 2 with those of arguments passed by name"):
        tape.gradient(y, x)


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("wrap", [tf.identity, lambda g: tf.IndexedSlices(g, [0, 1], [2])])
def test_a_gradient_of_another_dtype_is_refused(compiled, wrap):
    @tf.custom_gradient
    def f(x):
        return x * 2.0, lambda upstream: wrap(tf.cast(upstream, tf.float64))

    def derivative(x):
        return gradient_of(f, x)

    with pytest.raises(
        ValueError, match=r"f returned a gradient of dtype float64 for an argument of dtype float32.*tf\.cast"
    ):
        (tf.function(derivative) if compiled else derivative)(tf.constant([1.0, 2.0]))


def test_the_gradient_of_an_argument_without_derivatives_may_be_of_any_dtype():
    @tf.custom_gradient
    def f(x, times):
        return x * tf.cast(times, tf.float32), lambda upstream: (upstream * 2.0, upstream)

    x = tf.constant(3.0)
    assert float(gradient_of(lambda x: f(x, 2), x)) == 2.0
