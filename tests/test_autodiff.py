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


def powers(x):
    return tf.while_loop(lambda i, y: i < 3, lambda i, y: (i + 1, y * x), (0, x))[1]


def inner_gradient(x):
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = x**3
    return tape.gradient(y, x)


@tf.custom_gradient
def doubled_exp(x):
    return tf.exp(x), lambda g: g * tf.exp(x) * 2.5


# the expected products are TensorFlow's, of x = 2 in the direction 1
COMPILED = [
    (tf.sin, np.cos(2.0)),
    (powers, 32.0),
    (lambda x: tf.cond(x > 0, lambda: x * x, lambda: -x), 4.0),
    (inner_gradient, 12.0),
    (doubled_exp, np.exp(2.0) * 2.5),
    (lambda x: tf.linalg.norm(tf.stack([x, x * 2.0])) + tf.cumsum(tf.stack([x, x]))[1], np.sqrt(5.0) + 2.0),
    (lambda x: x * 7.25 if x > 1.0 else x * 3.5, 7.25),
]


@pytest.mark.parametrize(("function", "wanted"), COMPILED)
def test_an_accumulator_stands_around_calls_of_a_compiled_function(function, wanted):
    compiled = tf.function(function)
    for _ in range(3):  # recorded, compiled, replayed
        x = tf.constant(2.0)
        with tf.autodiff.ForwardAccumulator(x, tf.constant(1.0)) as accumulator:
            y = compiled(x)
        np.testing.assert_allclose(accumulator.jvp(y), wanted, rtol=1e-6)
    np.testing.assert_array_equal(compiled(tf.constant(2.0)), y)


def test_an_accumulator_around_a_compiled_function_gives_products_with_hessians():
    w = tf.Variable([[1.0, 2.0], [3.0, 4.0]])
    loss = tf.function(lambda x: tf.reduce_sum(tf.tanh(x @ w) ** 2))
    direction = tf.constant([[1.0, 0.0], [0.0, 0.0]])
    products = []
    for function in (loss.python_function, loss, loss, loss):
        with tf.autodiff.ForwardAccumulator(w, direction) as accumulator:
            with tf.GradientTape() as tape:
                y = function(tf.constant([[0.1, 0.2]]))
            gradient = tape.gradient(y, w)
        products.append(accumulator.jvp(gradient).numpy())
    for product in products[1:]:
        np.testing.assert_allclose(product, products[0], rtol=1e-5)


@pytest.mark.parametrize("decorate", [lambda f: f, tf.function])
def test_an_accumulator_in_another_knows_no_tangent_of_the_outer_one(decorate):
    function = decorate(lambda x: x**3.5)
    for _ in range(3):
        x = tf.constant(1.1)
        one = tf.constant(1.0)
        with tf.autodiff.ForwardAccumulator(x, one) as outer, tf.autodiff.ForwardAccumulator(x, one) as inner:
            y = function(x)
        assert inner.jvp(outer.jvp(y)) is None
        np.testing.assert_allclose(outer.jvp(inner.jvp(y)), 3.5 * 2.5 * 1.1**1.5, rtol=1e-5)
