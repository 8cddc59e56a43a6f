"""Gradient tapes: what is recorded, what comes back, and what is refused."""

import copy
import gc
import pickle
import weakref

import numpy as np
import pytest

import fastgrad as tf


def test_history_is_freed_at_the_first_gradient():
    x = tf.Variable(np.ones(1000, np.float32))
    with tf.GradientTape() as tape:
        middle = x * 2.0
        y = tf.reduce_sum(middle * middle)
    held = weakref.ref(middle)
    del middle
    assert held() is not None
    tape.gradient(y, x)
    gc.collect()
    assert held() is None


def test_integers_can_not_be_watched():
    with tf.GradientTape() as tape, pytest.warns(UserWarning, match="must be floating"):
        tape.watch(tf.constant(3))
    with pytest.raises(ValueError, match="not tf.Tensor"):
        tape.watch(3.0)


def test_jacobian_can_be_differentiated():
    x = tf.Variable([1.0, 2.0], dtype=tf.float64)
    with tf.GradientTape() as outer:
        with tf.GradientTape() as inner:
            y = x * x * x
        jacobian = inner.jacobian(y, x)
        total = tf.reduce_sum(jacobian)
    np.testing.assert_allclose(outer.gradient(total, x), [6.0, 12.0])


def test_tapes_of_two_threads_do_not_see_each_other():
    import threading

    x = tf.Variable(2.0)
    found = {}

    def work(name, factor):
        for _ in range(50):
            with tf.GradientTape() as tape:
                y = x * factor * x
            found.setdefault(name, set()).add(float(tape.gradient(y, x)))

    threads = [threading.Thread(target=work, args=(i, float(i + 1))) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {i: {4.0 * (i + 1)} for i in range(4)}


def test_an_exception_inside_the_block_ends_the_recording():
    from fastgrad._src.core.recording import recorders

    with pytest.raises(KeyError), tf.GradientTape():
        raise KeyError
    assert recorders.active == ()


@pytest.mark.parametrize("read", [tf.Variable.value, tf.Variable.read_value, tf.convert_to_tensor])
def test_a_value_read_by_hand_is_not_the_variable(read):
    """It is a constant if it was read outside of the tape, and a path of its own inside."""
    v = tf.Variable(3.0)
    before = read(v)
    with tf.GradientTape(persistent=True) as tape:
        inside = read(v)
        y, z = before * v, inside * v
        with tape.stop_recording():
            hidden = read(v)
        w = hidden * v
    assert float(tape.gradient(y, v)) == 3.0
    assert tape.gradient(y, before) is None
    assert float(tape.gradient(z, v)) == 6.0
    assert float(tape.gradient(z, inside)) == 3.0
    assert float(tape.gradient(w, v)) == 3.0


def test_watching_a_value_read_by_hand_does_not_watch_the_variable():
    v = tf.Variable(3.0, trainable=False)
    x = v.value()
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = x * v
    assert float(tape.gradient(y, x)) == 3.0


def test_watching_a_converted_number_does_not_watch_equal_numbers():
    c = tf.convert_to_tensor(2.0, dtype_hint=tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(c)
        y = c * 3.0 + tf.constant(1.0) * 2.0
    assert float(tape.gradient(y, c)) == 3.0


def test_a_tape_that_was_used_up_begins_anew():
    x, v = tf.constant(2.0), tf.Variable(5.0)
    tape = tf.GradientTape()
    with tape:
        tape.watch(x)
        y = x * x * v
    assert float(tape.gradient(y, x)) == 20.0
    with tape:
        z = x * x * v
        tape.watch(x)
        w = z * x
    assert float(tape.gradient(w, x)) == 20.0


def test_an_error_leaves_the_tape_as_it_was():
    @tf.custom_gradient
    def moody(x):
        def grad(upstream):
            if mood == "bad":
                raise KeyError(mood)
            return upstream * 2.0

        return x * 1.0, grad

    x = tf.constant([1.0, 2.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = moody(x)
    mood = "bad"
    calls = [
        (TypeError, lambda: tape.gradient(None, x)),
        (TypeError, lambda: tape.gradient(y, "x")),
        (ValueError, lambda: tape.gradient(y, x, output_gradients=[y, y])),
        (ValueError, lambda: tape.gradient(y, x, unconnected_gradients="never")),
        (tf.errors.InvalidArgumentError, lambda: tape.gradient(y, x, output_gradients=tf.ones(3))),
        (KeyError, lambda: tape.gradient(y, x)),
        (KeyError, lambda: tape.jacobian(y, x)),
        (ValueError, lambda: tape.batch_jacobian(y, x)),
    ]
    for error, call in calls:
        with pytest.raises(error):
            call()
    mood = "good"
    assert tape.gradient(y, x).numpy().tolist() == [2.0, 2.0]
    with pytest.raises(RuntimeError, match="non-persistent"):
        tape.gradient(y, x)


def test_a_target_is_its_own_source_even_unwatched():
    x = tf.constant([1.0, 2.0])
    with tf.GradientTape(persistent=True) as tape:
        y = x * 3.0
    assert tape.gradient(x, x).numpy().tolist() == [1.0, 1.0]
    assert tape.gradient(y, x) is None


def test_output_gradients_broadcast_to_their_target():
    x = tf.constant([[1.0, 2.0], [3.0, 4.0]])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = x * x
    assert tape.gradient(y, x, 3.0).numpy().tolist() == [[6.0, 12.0], [18.0, 24.0]]
    assert tape.gradient(y, x, tf.constant([1.0, 0.0])).numpy().tolist() == [[2.0, 0.0], [6.0, 0.0]]
    for wrong in (tf.ones(3), tf.ones((1, 2, 2)), tf.ones((2, 3))):
        with pytest.raises(tf.errors.InvalidArgumentError, match="broadcast"):
            tape.gradient(y, x, wrong)


def test_tapes_are_not_copied():
    with tf.GradientTape() as tape:
        pass
    for copying in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="GradientTape"):
            copying(tape)


def test_rows_and_variables_as_targets():
    v = tf.Variable([[1.0, 2.0], [3.0, 4.0]])
    with tf.GradientTape(persistent=True) as outer:
        with tf.GradientTape() as inner:
            y = tf.gather(v, [1, 1]) ** 3
        rows = inner.gradient(y, v)
        x = v.value()
    assert isinstance(rows, tf.IndexedSlices)
    np.testing.assert_array_equal(tf.convert_to_tensor(outer.gradient(rows, v)), [[0, 0], [36, 48]])
    np.testing.assert_array_equal(outer.gradient(v, v), np.ones((2, 2)))
    assert outer.gradient(v, x) is None


def test_strings_have_no_gradient_even_with_respect_to_themselves():
    x, s = tf.constant(3.0), tf.constant("a")
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
    assert tape.gradient(s, s) is None
    dx, ds = tape.gradient([x, s], [x, s])
    assert (float(dx), ds) == (1.0, None)


@pytest.mark.parametrize("shapes", [((2,), (2, 2)), ((2, 2), (2,))])
def test_batch_jacobian_needs_rows_of_elements(shapes):
    with tf.GradientTape() as tape:
        target, source = tf.zeros(shapes[0]), tf.zeros(shapes[1])
    with pytest.raises(ValueError, match="must have rank at least 2"):
        tape.batch_jacobian(target, source)


@pytest.mark.parametrize(
    "function",
    [
        tf.identity,
        lambda table: -table,
        lambda table: tf.cast(table, tf.float64),
        lambda table: table + 1.0,
        lambda table: 1.0 - table,
        lambda table: table + tf.reduce_sum(table) * 0.0 + table,
    ],
    ids=["identity", "negative", "cast", "add", "subtract", "sum"],
)
@pytest.mark.parametrize("compiled", [False, True])
def test_rows_stay_rows_through_sums_and_casts(function, compiled):
    v = tf.Variable([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])

    def slope(ids):
        with tf.GradientTape() as tape:
            rows = tf.gather(function(v.read_value()), ids)
        return tape.gradient(rows, v)

    def dense_slope(ids):
        with tf.GradientTape() as tape:
            rows = tf.gather(function(v.read_value()) * 1.0, ids)
        return tape.gradient(rows, v)

    steps = (tf.function(slope), tf.function(dense_slope)) if compiled else (slope, dense_slope)
    for _ in range(3):
        gradient, dense = (step(tf.constant([1, 1])) for step in steps)
    assert isinstance(dense, tf.Tensor)
    assert isinstance(gradient, tf.IndexedSlices) or "reduce_sum" in function.__code__.co_names
    assert gradient.dtype == tf.float32
    np.testing.assert_array_equal(tf.convert_to_tensor(gradient), dense)


class OfAnotherLibrary:
    """An object that stands for a variable, as Keras's variables do."""

    _should_act_as_resource_variable = True

    def __init__(self, value):
        self.value = tf.Variable(value)

    def __tf_tensor__(self, dtype=None, name=None):
        return tf.convert_to_tensor(self.value, dtype)


def test_objects_of_other_libraries_are_operands_and_sources():
    v = OfAnotherLibrary([1.0, 2.0])
    x = tf.constant([3.0, 4.0])
    with tf.GradientTape() as tape:
        y = tf.reduce_sum(x * v * v) + tf.reduce_sum(tf.stack([v, v])[0])
    np.testing.assert_array_equal(tape.gradient(y, [v])[0], [7.0, 17.0])
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(v)
        y = tf.reduce_sum(tf.square(v))
    np.testing.assert_array_equal(tape.gradient(y, v), [2.0, 4.0])

    @tf.custom_gradient
    def doubled(x, w):
        return x * w, lambda g: (2.0 * g, g * x)  # no gradient of variables: they are arguments

    with tf.GradientTape() as tape:
        y = tf.reduce_sum(doubled(x, v))
    np.testing.assert_array_equal(tape.gradient(y, v), x)
