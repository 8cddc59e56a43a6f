"""tf.train's optimizers, those of TensorFlow 1."""

import numpy as np
import pytest

import fastgrad as tf

RATE = 0.125


def adam(w, s, g, t, epsilon=1e-8):
    s["m"] = 0.9 * s.get("m", 0.0) + 0.1 * g
    s["v"] = 0.999 * s.get("v", 0.0) + 0.001 * g**2
    return w - RATE * np.sqrt(1 - 0.999**t) / (1 - 0.9**t) * s["m"] / (np.sqrt(s["v"]) + epsilon)


def momentum(w, s, g, t, nesterov=False):
    s["a"] = 0.5 * s.get("a", 0.0) + g
    return w - RATE * (g + 0.5 * s["a"] if nesterov else s["a"])


def rmsprop(w, s, g, t, decay=0.9, momentum=0.0, centered=False, epsilon=1e-10):
    s["v"] = decay * s.get("v", 1.0) + (1 - decay) * g**2
    s["a"] = decay * s.get("a", 0.0) + (1 - decay) * g
    step = RATE * g / np.sqrt(s["v"] - (s["a"] ** 2 if centered else 0.0) + epsilon)
    s["m"] = momentum * s.get("m", 0.0) + step
    return w - s["m"]


def adagrad(w, s, g, t):
    s["a"] = s.get("a", 0.1) + g**2
    return w - RATE * g / np.sqrt(s["a"])


CASES = {
    "gradient descent": (lambda: tf.train.GradientDescentOptimizer(RATE), lambda w, s, g, t: w - RATE * g),
    "adam": (lambda: tf.train.AdamOptimizer(RATE), adam),
    "adam epsilon": (lambda: tf.train.AdamOptimizer(RATE, epsilon=0.5), lambda *a: adam(*a, epsilon=0.5)),
    "momentum": (lambda: tf.train.MomentumOptimizer(RATE, 0.5), momentum),
    "nesterov": (
        lambda: tf.train.MomentumOptimizer(RATE, 0.5, use_nesterov=True),
        lambda *a: momentum(*a, nesterov=True),
    ),
    "rmsprop": (lambda: tf.train.RMSPropOptimizer(RATE), rmsprop),
    "rmsprop momentum": (
        lambda: tf.train.RMSPropOptimizer(RATE, 0.75, momentum=0.5),
        lambda *a: rmsprop(*a, decay=0.75, momentum=0.5),
    ),
    "rmsprop centered": (
        lambda: tf.train.RMSPropOptimizer(RATE, centered=True),
        lambda *a: rmsprop(*a, centered=True),
    ),
    "adagrad": (lambda: tf.train.AdagradOptimizer(RATE), adagrad),
}
every_optimizer = pytest.mark.parametrize(("make", "formula"), CASES.values(), ids=list(CASES))


@every_optimizer
def test_five_steps(make, formula):
    random = np.random.default_rng(0)
    weight = random.normal(size=(3, 2))
    variable, slots, step, optimizer = tf.Variable(weight), {}, tf.Variable(0, dtype=tf.int64), make()
    for number in range(1, 6):
        gradient = random.normal(size=(3, 2))
        assert optimizer.apply_gradients([(tf.constant(gradient), variable)], global_step=step) is None
        weight = formula(weight, slots, gradient, number)
    np.testing.assert_allclose(variable, weight, rtol=1e-12)
    assert int(step) == 5


def test_variables_may_come_at_any_time_and_share_the_step_count():
    optimizer = tf.train.AdamOptimizer(RATE)
    first, second = tf.Variable([1.0], dtype=tf.float64), tf.Variable([1.0], dtype=tf.float64)
    gradient = tf.constant([2.0], tf.float64)
    for variables in ([first], [first], [second], [second, first]):
        optimizer.apply_gradients([(gradient, v) for v in variables])
    slots, weight = {}, np.array([1.0])
    for number in (3, 4):
        weight = adam(weight, slots, np.array([2.0]), number)
    np.testing.assert_allclose(second, weight, rtol=1e-12)
    slots, weight = {}, np.array([1.0])
    for number in (1, 2, 4):
        weight = adam(weight, slots, np.array([2.0]), number)
    np.testing.assert_allclose(first, weight, rtol=1e-12)
    assert len(optimizer.variables()) == 4


def test_new_variables_come_in_compiled_steps_as_in_eager_ones():
    results = []
    for wrap in (tf.function, lambda function: function):
        optimizer = tf.train.AdamOptimizer(RATE)
        first, second = tf.Variable([1.0, 2.0]), tf.Variable([3.0])
        step_of_first = wrap(lambda v=first, o=optimizer: o.apply_gradients([(v * v, v)]))
        step_of_second = wrap(lambda v=second, o=optimizer: o.apply_gradients([(v * v, v)]))
        step_of_both = wrap(lambda v=first, w=second, o=optimizer: o.apply_gradients([(w + 1.0, w), (v + 1.0, v)]))
        for step in (step_of_first, step_of_first, step_of_second, step_of_first, step_of_both, step_of_second):
            step()
        results.append([x.numpy() for x in (first, second, *optimizer.variables())])
    assert len(results[0]) == 6
    for compiled, eager in zip(*results, strict=True):
        np.testing.assert_allclose(compiled, eager, rtol=1e-6)


def test_a_gradient_that_does_not_fit_a_new_variable_changes_nothing():
    optimizer, first, second = tf.train.AdamOptimizer(RATE), tf.Variable([1.0]), tf.Variable([1.0])
    optimizer.apply_gradients([(tf.ones(1), first)])
    before = [x.numpy() for x in (first, *optimizer.variables())]
    with pytest.raises(tf.errors.InvalidArgumentError, match="Incompatible shapes"):
        optimizer.apply_gradients([(tf.ones(1), first), (tf.ones(2), second)])
    np.testing.assert_array_equal(before, [x.numpy() for x in (first, *optimizer.variables())])
    optimizer.apply_gradients([(tf.ones(1), second)])
    assert second.numpy() < 1.0


def test_rates_may_be_integers_tensors_variables_and_functions():
    variable, rate = tf.Variable([0.0]), tf.Variable(0.5)
    optimizer = tf.train.GradientDescentOptimizer(rate)
    for wanted in (-0.5, -0.75):
        optimizer.apply_gradients([(tf.ones(1), variable)])
        assert variable.numpy() == [wanted]
        rate.assign(0.25)
    for given in (1, tf.constant(1.0), lambda: 1.0):
        variable.assign([0.0])
        tf.train.GradientDescentOptimizer(given).apply_gradients([(tf.ones(1), variable)])
        assert variable.numpy() == [-1.0]


def test_the_rate_of_a_momentum_is_outside_of_the_sum():
    variable, rate = tf.Variable([0.0]), tf.Variable(1.0)
    optimizer = tf.train.MomentumOptimizer(rate, 0.5)
    optimizer.apply_gradients([(tf.ones(1), variable)])
    rate.assign(0.5)
    optimizer.apply_gradients([(tf.ones(1), variable)])
    assert variable.numpy() == [-1.75]


def test_minimize_and_compute_gradients():
    x, w, step = tf.Variable([1.0, 2.0]), tf.Variable(5.0), tf.train.get_or_create_global_step()
    step.assign(0)
    optimizer = tf.train.GradientDescentOptimizer(0.5)
    assert optimizer.minimize(lambda: tf.reduce_sum(x), global_step=step) is None
    np.testing.assert_array_equal(x, [0.5, 1.5])
    assert int(tf.train.get_global_step()) == 1
    pairs = optimizer.compute_gradients(lambda: tf.reduce_sum(x * w), [w, x], grad_loss=tf.constant(2.0))
    assert pairs[0][1] is w
    assert float(pairs[0][0]) == 4.0
    assert optimizer.compute_gradients(lambda: tf.reduce_sum(x), [w])[0][0] is None
    with pytest.raises(ValueError, match="No gradients provided for any variable"):
        optimizer.minimize(lambda: tf.reduce_sum(x), var_list=[w])
    with pytest.raises(RuntimeError, match="should be a function"):
        optimizer.minimize(tf.reduce_sum(x))


def test_missing_gradients_are_left_out():
    x, y = tf.Variable([1.0]), tf.Variable([1.0])
    optimizer = tf.train.AdagradOptimizer(0.5)
    optimizer.apply_gradients([(None, x), (tf.ones(1), y)])
    assert x.numpy() == [1.0]
    with pytest.raises(ValueError, match="No gradients provided"):
        optimizer.apply_gradients([(None, x)])
    with pytest.raises(ValueError, match="No variables provided"):
        optimizer.apply_gradients([])


def test_sparse_rows():
    for make, lazy in (
        (lambda: tf.train.MomentumOptimizer(1.0, 0.5), True),
        (lambda: tf.train.RMSPropOptimizer(1.0), True),
        (lambda: tf.train.AdagradOptimizer(1.0), True),
        (lambda: tf.train.AdamOptimizer(1.0), False),
    ):
        table, optimizer = tf.Variable(np.zeros((4, 1))), make()
        for row in (1, 2):
            values = tf.constant([[0.5], [0.5]], tf.float64)
            optimizer.apply_gradients([(tf.IndexedSlices(values, tf.constant([row, row]), tf.constant([4, 1])), table)])
            if row == 1:
                first = table.numpy()
        assert first[1] != 0
        assert table.numpy()[2] != 0
        assert (table.numpy()[1] == first[1]) == lazy


def test_a_refused_step_changes_nothing():
    x, y, z, step = tf.Variable([1.0]), tf.Variable([1.0]), tf.Variable([1.0]), tf.Variable(0)
    optimizer = tf.train.AdamOptimizer(0.5)
    optimizer.apply_gradients([(tf.ones(1), x)], step)
    before = float(x[0])
    with pytest.raises(tf.errors.InvalidArgumentError):
        optimizer.apply_gradients([(tf.ones(1), x), (tf.ones(1), y), (tf.ones(2), z)], step)
    assert (float(x[0]), float(y[0]), int(step)) == (before, 1.0, 1)
    for make in (
        lambda: tf.train.AdamOptimizer(-1.0),
        lambda: tf.train.GradientDescentOptimizer(float("nan")),
        lambda: tf.train.AdagradOptimizer(0.5, initial_accumulator_value=0.0),
    ):
        with pytest.raises(ValueError, match="must be"):
            make()
