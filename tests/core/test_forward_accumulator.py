"""Forward-mode differentiation."""

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.core.operation import TABLE, Operation
from fastgrad._src.core.recording import Recorder
from tests.ops.samples import SAMPLES, recorded


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


PIECEWISE_LINEAR = {
    "relu": tf.nn.relu,
    "relu6": tf.nn.relu6,
    "leaky_relu": tf.nn.leaky_relu,
    "abs": tf.abs,
    "hard_sigmoid": tf.keras.activations.hard_sigmoid,
    "max_pool": lambda x: tf.nn.max_pool2d(tf.reshape(x, [1, 2, 2, 1]), 2, 1, "VALID"),
}
PIECEWISE_LINEAR_BY_MASKS = {
    "maximum": lambda x: tf.maximum(x, 0.5),
    "minimum": lambda x: tf.minimum(0.5, x),
    "clip": lambda x: tf.clip_by_value(x, -1.0, 1.5),
    "where": lambda x: tf.where(x > 0.0, x, 2.0 * x),
    "sort": tf.sort,
    "top_k": lambda x: tf.math.top_k(x, 2).values,
    "reduce_max": tf.reduce_max,
}
"""Their slopes come from comparisons and positions alone, so that tapes do not connect them with ``x``."""


@pytest.mark.parametrize("decorate", [lambda f: f, tf.function])
@pytest.mark.parametrize("name", PIECEWISE_LINEAR)
def test_second_derivatives_of_piecewise_linear_functions_are_zeros(name, decorate):
    function = decorate(PIECEWISE_LINEAR[name])
    x = tf.constant([[1.0, -2.0, 3.0, 4.0]])
    for _ in range(3):  # recorded, compiled, replayed
        with tf.autodiff.ForwardAccumulator(x, tf.ones_like(x)) as accumulator, tf.GradientTape() as tape:
            tape.watch(x)
            y = function(x)
            gradient = tape.gradient(y, x)
        np.testing.assert_array_equal(accumulator.jvp(gradient), tf.zeros_like(x))
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                y = function(x)
            gradient = inner.gradient(y, x)
        np.testing.assert_array_equal(outer.gradient(gradient, x), tf.zeros_like(x))


@pytest.mark.parametrize("decorate", [lambda f: f, tf.function])
@pytest.mark.parametrize("name", [*PIECEWISE_LINEAR, *PIECEWISE_LINEAR_BY_MASKS])
def test_products_with_hessians_of_piecewise_linear_functions_are_zeros(name, decorate):
    function = {**PIECEWISE_LINEAR, **PIECEWISE_LINEAR_BY_MASKS}[name]

    @decorate
    def product(x):
        with tf.autodiff.ForwardAccumulator(x, tf.ones_like(x)) as accumulator, tf.GradientTape() as tape:
            tape.watch(x)
            y = function(x)
            gradient = tape.gradient(y, x)
        return accumulator.jvp(gradient)

    x = tf.constant([[1.0, -2.0, 3.0, 4.0]])
    for _ in range(3):  # recorded, compiled, replayed
        np.testing.assert_array_equal(product(x), tf.zeros_like(x))


def test_what_an_accumulator_cannot_differentiate_has_no_tangent_rather_than_zeros():
    a, x = tf.constant(2.0), tf.constant(0.3)
    with tf.autodiff.ForwardAccumulator(a, tf.constant(1.0)) as accumulator:
        y = tf.math.betainc(a, 3.0, x)  # depends on a, by a slope that has no rule
        mixed = tf.where(a > 1.0, y, 0.0)
    assert accumulator.jvp(y) is None
    assert accumulator.jvp(mixed) is None


def test_results_that_do_not_depend_on_a_primal_have_no_tangent():
    x, c = tf.constant(2.0), tf.constant(3.0)
    with tf.autodiff.ForwardAccumulator(x, tf.constant(1.0)) as accumulator:
        same, other = tf.identity_n([x, c])
        linear = x * 3.0
        stopped = tf.stop_gradient(x) * 2.0
    assert float(accumulator.jvp(same)) == 1.0
    assert float(accumulator.jvp(linear)) == 3.0
    assert accumulator.jvp(other) is None
    assert accumulator.jvp(stopped) is None


class _Calls(Recorder):
    """Collects the operations with a gradient, their inputs and attributes."""

    def __init__(self):
        self.found = []

    def on_operation(self, operation, inputs, outputs, attributes):
        if TABLE.get(operation.name) is operation and operation.gradient is not None:
            self.found.append((operation, inputs, outputs, attributes))


@pytest.mark.parametrize("name", SAMPLES)
def test_forward_mode_connects_what_reverse_mode_connects(name):
    """Each row that a sample or its derivative runs: an input that has a gradient gives the results a tangent."""
    calls = _Calls()
    recorded(calls, SAMPLES[name], derivative=True)
    for operation, inputs, outputs, attributes in calls.found:
        for x in {id(x): x for x in inputs if x.dtype.is_differentiable}.values():
            targets = [y for y in outputs if y.dtype.is_differentiable]
            with tf.GradientTape() as tape, tf.autodiff.ForwardAccumulator(x, tf.ones_like(x)) as accumulator:
                tape.watch(x)
                found = Operation.__call__(operation, *inputs, **attributes)
            found = [y for y in (found if type(found) is tuple else (found,)) if y.dtype.is_differentiable]
            assert len(found) == len(targets)
            is_connected = tape.gradient(found, x) is not None
            assert any(accumulator.jvp(y) is not None for y in found) == is_connected, operation.name


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


@pytest.mark.parametrize("wrap", [lambda function: function, tf.function])
@pytest.mark.parametrize("read", [tf.gather, tf.nn.embedding_lookup])
def test_a_hessian_vector_product_of_gathered_rows(read, wrap):
    table = tf.Variable([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    direction = tf.constant([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])

    @wrap
    def product():
        with tf.autodiff.ForwardAccumulator(table, direction) as accumulator:
            with tf.GradientTape() as tape:
                y = tf.reduce_sum(read(table, [0, 2, 0]) ** 3)
            gradient = tape.gradient(y, table)
        return accumulator.jvp([gradient])[0]

    tangent = product()
    assert isinstance(tangent, tf.IndexedSlices)
    np.testing.assert_allclose(tf.convert_to_tensor(tangent), [[12, 0], [0, 0], [30, 36]], rtol=1e-6)


def test_slices_that_do_not_depend_on_a_primal_have_no_tangent():
    x = tf.constant(1.0)
    slices = tf.IndexedSlices(tf.constant([1.0]), tf.constant([0]), tf.constant([2]))
    with tf.autodiff.ForwardAccumulator(x, tf.constant(1.0)) as accumulator:
        pass
    assert accumulator.jvp(slices) is None
    assert accumulator.jvp(slices, unconnected_gradients="zero").values.numpy().tolist() == [0]
