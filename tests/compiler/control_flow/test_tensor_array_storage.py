"""TensorArrays among the variables of a compiled loop are part of its one operation, whatever the number of trips."""

import numpy as np
import pytest

import fastgrad as tf

rng = np.random.default_rng(5)
X, W = rng.normal(size=(6, 3)), rng.normal(size=(3, 3))


def array(size, **settings):
    return tf.TensorArray(tf.float64, size=size, **settings)


def cell(x, state, w):
    return tf.tanh(x + tf.linalg.matvec(w, state))


def recurrent(x, w, n):
    """The inputs are read, and the outputs written, in arrays that are variables of the loop."""

    def body(i, state, inputs, outputs):
        state = cell(inputs.read(i), state, w)
        return i + 1, state, inputs, outputs.write(i, state)

    start = (0, tf.zeros(3, tf.float64), array(6).unstack(x), array(6))
    _, state, _, outputs = tf.while_loop(lambda i, *_: i < n, body, start)
    return outputs.stack(), state


def captured(x, w, n):
    """The inputs are read from an array of the surroundings."""
    inputs = array(6).unstack(x)

    def body(i, state, outputs):
        state = cell(inputs.read(i), state, w)
        return i + 1, state, outputs.write(i, state)

    _, state, outputs = tf.while_loop(lambda i, *_: i < n, body, (0, tf.zeros(3, tf.float64), array(6)))
    return outputs.stack(), state


def own_results_read(x, w, n):
    """Each trip reads what the one before it wrote."""

    def body(i, outputs):
        return i + 1, outputs.write(i, cell(x[0], outputs.read(i - 1), w))

    first = array(6, clear_after_read=False).write(0, x[1])
    return tf.while_loop(lambda i, _: i < n, body, (1, first))[1].stack()


def backwards_and_twice(x, w, n):
    """Two elements a trip, the last first."""

    def body(i, outputs):
        y = tf.linalg.matvec(w, x[0]) * tf.cast(i + 1, tf.float64)
        return i + 1, outputs.write(11 - 2 * i, y).write(10 - 2 * i, -y)

    return tf.while_loop(lambda i, _: i < n, body, (0, array(12, element_shape=[3])))[1].stack()


def over_and_over(x, w, n):
    """What was written before at a position is gone, and has no gradient."""

    def body(i, outputs):
        return i + 1, outputs.write(i // 2, tf.sin(x[0] * tf.cast(i + 1, tf.float64)))

    filled = array(6).unstack(x * 2.0)
    return tf.while_loop(lambda i, _: i < n, body, (0, filled), maximum_iterations=5)[1].concat()


def of_two_arrays(x, w, n):
    def body(i, a, b):
        return i + 1, a.write(i, x[0, 0] * tf.cast(i, tf.float64)), b.write(5 - i, w)

    start = (tf.constant(0, tf.int64), array(6), array(6))
    _, a, b = tf.while_loop(lambda i, *_: i < tf.cast(n, tf.int64), body, start)
    return a.stack(), b.gather([0, 5]), b.size()


def differentiated(function, order=1):
    def step(x, w, n):
        with tf.GradientTape(persistent=True) as tape:
            tape.watch([x, w])
            found = tf.nest.flatten(function(x, w, n))
            total = tf.add_n([tf.reduce_sum(tf.sin(y)) for y in found if y.dtype == tf.float64])
        return [*found, *tape.gradient(total, [x, w], unconnected_gradients="zero")]

    return step


LOOPS = [recurrent, captured, own_results_read, backwards_and_twice, over_and_over, of_two_arrays]


@pytest.mark.parametrize("function", LOOPS)
def test_one_recording_for_any_number_of_trips(function):
    step, wanted_of = tf.function(differentiated(function)), differentiated(function)
    for n in (6, 6, 3, 1, 5, 6):
        x, w = tf.constant(rng.normal(size=X.shape)), tf.constant(rng.normal(size=W.shape))
        n = tf.constant(n)
        if function is own_results_read and n == 1:
            continue  # eagerly an array whose elements were never written is known to be one of three numbers by then
        for found, wanted in zip(step(x, w, n), wanted_of(x, w, n), strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-11, atol=1e-12)
    assert step.experimental_get_tracing_count() == 1
    assert "while_loop" in step.graph()
    assert "no Python between them" in step.report()


@pytest.mark.parametrize("function", [recurrent, own_results_read])
def test_second_order(function):
    def step(x, w, n):
        with tf.GradientTape() as outer:
            outer.watch(w)
            first = differentiated(function)(x, w, n)[-1]
            total = tf.reduce_sum(first * first)
        return outer.gradient(total, w)

    compiled = tf.function(step)
    for n in (4, 4, 6, 2):
        np.testing.assert_allclose(compiled(X, W, tf.constant(n)), step(tf.constant(X), tf.constant(W), n), rtol=1e-10)
    assert compiled.experimental_get_tracing_count() == 1


def test_under_a_tape_outside():
    compiled = tf.function(recurrent)
    for n in (6, 6, 2):
        x, w = tf.Variable(X), tf.Variable(W)
        found = []
        for function in (compiled, recurrent):
            with tf.GradientTape() as tape:
                total = tf.reduce_sum(function(x, w, tf.constant(n))[0] ** 2)
            found.append(tape.gradient(total, [x, w]))
        for one, other in zip(*found, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-13)


def test_a_position_out_of_range_is_an_error_and_changes_nothing():
    v = tf.Variable(0.0)

    @tf.function
    def step(n):
        v.assign_add(1.0)
        return tf.while_loop(
            lambda i, a: i < n, lambda i, a: (i + 1, a.write(i, 1.0)), (0, tf.TensorArray("float32", 3))
        )[1].stack()

    for _ in range(2):
        np.testing.assert_array_equal(step(tf.constant(3)), [1, 1, 1])
    with pytest.raises((tf.errors.InvalidArgumentError, tf.errors.OutOfRangeError)):
        step(tf.constant(4))
    assert v == 2.0


def growing(n):
    def body(i, a):
        return i + 1, a.write(i, tf.cast(i, tf.float64))

    return tf.while_loop(lambda i, _: i < n, body, (0, array(0, dynamic_size=True)))[1].stack()


def in_a_branch(n):
    def body(i, a):
        return i + 1, tf.cond(i > 1, lambda: a.write(i, 1.0), lambda: a)

    start = (0, tf.TensorArray("float32", 4, element_shape=[]))
    return tf.while_loop(lambda i, _: i < n, body, start)[1].stack()


def of_the_surroundings(n):
    a = tf.TensorArray("float32", 4, element_shape=[])

    def body(i):
        a.write(i, tf.cast(i, tf.float32) * 2.0)
        return (i + 1,)

    tf.while_loop(lambda i: i < n, body, (0,))
    return a.stack()


@pytest.mark.parametrize("function", [growing, in_a_branch, of_the_surroundings])
def test_what_is_no_part_of_a_loop_goes_by_guards(function):
    step = tf.function(function)
    for n in (3, 3, 2, 4, 3):
        np.testing.assert_array_equal(step(tf.constant(n)), function(tf.constant(n)))


def test_an_array_is_read_once_by_python_that_also_runs_in_a_trial():
    a = tf.TensorArray("float32", 2).unstack([1.0, 2.0])

    @tf.function
    def step(n):
        inputs = tf.TensorArray("float32", 2).unstack([1.0, 2.0])
        return tf.while_loop(lambda i, s: i < n, lambda i, s: (i + 1, s + inputs.read(1)), (0, 0.0))[1]

    assert step(tf.constant(1)) == 2.0
    assert a.read(0) == 1.0
    with pytest.raises(tf.errors.InvalidArgumentError, match="twice"):
        a.read(0)
