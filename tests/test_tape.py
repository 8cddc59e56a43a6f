"""Gradient tapes: what is recorded, what comes back, and what is refused."""

import copy
import gc
import pickle
import weakref

import numpy as np
import pytest

import fastgrad as tf


def test_gradient_of_a_watched_tensor():
    x = tf.constant(3.0)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = x * x
    assert float(tape.gradient(y, x)) == 6.0


def test_unwatched_tensors_have_no_gradient():
    x = tf.constant(3.0)
    with tf.GradientTape() as tape:
        y = x * x
        z = y * tf.Variable(2.0)
    assert tape.gradient(z, x) is None


def test_trainable_variables_are_watched_and_others_are_not():
    a, b = tf.Variable(2.0), tf.Variable(3.0, trainable=False)
    with tf.GradientTape(persistent=True) as tape:
        y = a * b
    assert float(tape.gradient(y, a)) == 3.0
    assert tape.gradient(y, b) is None
    assert len(tape.watched_variables()) == 1
    assert tape.watched_variables()[0] is a


def test_watch_accessed_variables_false_watches_only_what_it_is_told():
    a, b = tf.Variable(2.0), tf.Variable(3.0)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(b)
        y = a * b
    ga, gb = tape.gradient(y, [a, b])
    assert ga is None
    assert float(gb) == 2.0


def test_structure_of_sources_is_kept():
    a, b, c = tf.Variable(1.0), tf.Variable(2.0), tf.Variable(3.0)
    with tf.GradientTape() as tape:
        y = a * b * c
    found = tape.gradient(y, {"one": a, "rest": [b, (c,)]})
    assert float(found["one"]) == 6.0
    assert [float(found["rest"][0]), float(found["rest"][1][0])] == [3.0, 2.0]


def test_several_targets_are_summed_and_weighted():
    x = tf.Variable([1.0, 2.0])
    with tf.GradientTape(persistent=True) as tape:
        y, z = x * 3.0, x * x
    np.testing.assert_array_equal(tape.gradient([y, z], x), [5.0, 7.0])
    weights = [tf.constant([1.0, 0.0]), tf.constant([0.0, 2.0])]
    np.testing.assert_array_equal(tape.gradient([y, z], x, output_gradients=weights), [3.0, 8.0])


def test_unconnected_gradients():
    x, other = tf.Variable([1.0, 2.0]), tf.Variable([3.0, 4.0])
    with tf.GradientTape(persistent=True) as tape:
        y = x * 2.0
    assert tape.gradient(y, other) is None
    zero = tape.gradient(y, other, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    np.testing.assert_array_equal(zero, [0.0, 0.0])
    with pytest.raises(ValueError, match="unconnected_gradients"):
        tape.gradient(y, x, unconnected_gradients="nonsense")


def test_second_gradient_needs_persistent():
    x = tf.Variable(2.0)
    with tf.GradientTape() as tape:
        y = x * x
    tape.gradient(y, x)
    with pytest.raises(RuntimeError, match="non-persistent.*persistent=True"):
        tape.gradient(y, x)
    with pytest.raises(RuntimeError, match="non-persistent"):
        tape.jacobian(y, x)


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


def test_gradient_inside_the_with_block_counts_as_the_one_use():
    x = tf.Variable(2.0)
    with tf.GradientTape() as tape:
        y = x * x
        assert float(tape.gradient(y, x)) == 4.0
    with pytest.raises(RuntimeError):
        tape.gradient(y, x)


@pytest.mark.parametrize("order", [1, 2, 3, 4, 5])
def test_nested_tapes_give_higher_derivatives(order):
    x = tf.Variable(2.0, dtype=tf.float64)
    tapes = [tf.GradientTape() for _ in range(order)]
    for tape in tapes:
        tape.__enter__()
    y = x**5
    for tape in reversed(tapes):
        tape.__exit__(None, None, None)
        y = tape.gradient(y, x)
    falling = np.prod(np.arange(5, 5 - order, -1))
    assert float(y) == pytest.approx(falling * 2.0 ** (5 - order))


def test_mixed_second_derivatives():
    x, y = tf.Variable(3.0), tf.Variable(5.0)
    with tf.GradientTape() as outer:
        with tf.GradientTape() as inner:
            z = x * y * y
        dx = inner.gradient(z, x)
    assert float(dx) == 25.0
    assert float(outer.gradient(dx, y)) == 10.0


def test_python_control_flow_differentiates_as_it_ran():
    def power(x, n):
        return x * power(x, n - 1) if n else tf.constant(1.0)

    x = tf.Variable(2.0)
    with tf.GradientTape(persistent=True) as tape:
        y = tf.constant(0.0)
        for i in range(4):
            if i % 2:
                continue
            y = y + power(x, i)
        try:
            y = y * x
            raise KeyError
        except KeyError:
            y = y + x
        while float(y) < 100.0:
            y = y * x
    # y = (1 + x^2) * x + x = x^3 + 2x = 12, then times x four times: x^7 + 2 x^5
    assert float(tape.gradient(y, x)) == 7 * 2**6 + 10 * 2**4


def test_intermediate_results_are_sources():
    x = tf.Variable(3.0)
    with tf.GradientTape(persistent=True) as tape:
        y = x * x
        z = y * y
    assert [float(g) for g in tape.gradient(z, [x, y])] == [108.0, 18.0]
    assert float(tape.gradient(y, y)) == 1.0


def test_assigning_after_recording_does_not_alter_the_gradient():
    x = tf.Variable(3.0)
    with tf.GradientTape() as tape:
        y = x * x
    x.assign(100.0)
    assert float(tape.gradient(y, x)) == 6.0


def test_assigning_while_recording_gives_each_read_its_own_value():
    x = tf.Variable(3.0)
    with tf.GradientTape() as tape:
        y = x * x
        x.assign_add(1.0)
        z = x * x
    assert float(tape.gradient([y, z], x)) == 14.0


def test_reads_before_and_after_an_assign_add_up():
    x = tf.Variable(3.0)
    with tf.GradientTape() as tape:
        y = x * x
        x.assign(5.0)
        y = y + x * x
    assert float(tape.gradient(y, x)) == 16.0


def test_reset_drops_history_and_watches():
    x, v = tf.constant(3.0), tf.Variable(2.0)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = x * v
        tape.reset()
        z = x * v
    assert tape.gradient(y, v) is None
    assert tape.gradient(z, x) is None
    assert float(tape.gradient(z, v)) == 3.0


def test_stop_recording():
    x = tf.Variable(3.0)
    with tf.GradientTape(persistent=True) as tape:
        with tape.stop_recording():
            y = x * x
        z = x * 2.0
    assert tape.gradient(y, x) is None
    assert float(tape.gradient(z, x)) == 2.0
    with pytest.raises(RuntimeError, match="not recording"), tape.stop_recording():
        pass


def test_a_finished_tape_goes_on_and_an_active_one_refuses():
    x = tf.Variable(3.0)
    tape = tf.GradientTape(persistent=True)
    with tape:
        y = x * x
        with pytest.raises(ValueError, match="already recording"):
            tape.__enter__()
    with tape:
        z = y * x
    assert float(tape.gradient(z, x)) == 27.0


def test_watched_variables_come_in_the_order_of_creation():
    a, b, c = tf.Variable(1.0), tf.Variable(2.0), tf.Variable(3.0)
    with tf.GradientTape() as tape:
        _ = c * a
        tape.watch(tf.constant(1.0))
        _ = b * 2.0
    assert [id(v) for v in tape.watched_variables()] == [id(a), id(b), id(c)]


def test_integers_can_not_be_watched():
    with tf.GradientTape() as tape, pytest.warns(UserWarning, match="must be floating"):
        tape.watch(tf.constant(3))
    with pytest.raises(ValueError, match="not tf.Tensor"):
        tape.watch(3.0)


@pytest.mark.parametrize(
    "function", [tf.round, tf.floor, tf.math.ceil, lambda x: tf.cast(x, tf.int32), lambda x: x > 1.0]
)
def test_operations_without_a_slope_give_none(function):
    x = tf.Variable([1.5, 2.5])
    with tf.GradientTape() as tape:
        y = tf.cast(function(x), tf.float32) * 2.0
    assert tape.gradient(y, x) is None


def test_broadcasting_is_summed_in_both_directions():
    a, b = tf.Variable(np.ones((3, 1), np.float32)), tf.Variable(np.ones((1, 4), np.float32))
    with tf.GradientTape() as tape:
        y = a * b
    ga, gb = tape.gradient(y, [a, b])
    np.testing.assert_array_equal(ga, np.full((3, 1), 4.0))
    np.testing.assert_array_equal(gb, np.full((1, 4), 3.0))


@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (1, 1, 1)])
def test_empty_and_scalar_shapes(shape):
    x = tf.Variable(np.ones(shape, np.float32))
    with tf.GradientTape() as tape:
        y = x * x + 1.0
    assert tape.gradient(y, x).shape == shape


def test_gather_gives_rows_and_dense_once_mixed():
    table = tf.Variable(np.arange(12.0, dtype=np.float32).reshape(4, 3))
    with tf.GradientTape(persistent=True) as tape:
        rows = tf.gather(table, [1, 1, 3])
        y = tf.reduce_sum(rows * rows)
        z = y + tf.reduce_sum(table)
    sparse = tape.gradient(y, table)
    assert isinstance(sparse, tf.IndexedSlices)
    assert sparse.indices.numpy().tolist() == [1, 1, 3]
    assert sparse.values.shape == (3, 3)
    expected = np.zeros((4, 3))
    for row in (1, 1, 3):
        expected[row] += 2 * table.numpy()[row]
    np.testing.assert_allclose(tf.convert_to_tensor(sparse), expected)
    dense = tape.gradient(z, table)
    assert isinstance(dense, tf.Tensor)
    np.testing.assert_allclose(dense, expected + 1)


def test_rows_gathered_twice_are_joined():
    table = tf.Variable(np.ones((4, 2), np.float32))
    with tf.GradientTape() as tape:
        y = tf.reduce_sum(tf.gather(table, [0])) + tf.reduce_sum(tf.gather(table, [0, 2]) * 3.0)
    g = tape.gradient(y, table)
    assert isinstance(g, tf.IndexedSlices)
    np.testing.assert_array_equal(tf.convert_to_tensor(g), [[4, 4], [0, 0], [3, 3], [0, 0]])


def test_jacobian_and_batch_jacobian():
    x = tf.Variable([[1.0, 2.0], [3.0, 4.0]], dtype=tf.float64)
    with tf.GradientTape(persistent=True) as tape:
        y = x * x * x
    jacobian = tape.jacobian(y, x).numpy()
    assert jacobian.shape == (2, 2, 2, 2)
    np.testing.assert_allclose(jacobian.reshape(4, 4), np.diag(3 * np.array([1.0, 4, 9, 16])))
    np.testing.assert_allclose(tape.batch_jacobian(y, x), [np.diag([3.0, 12]), np.diag([27.0, 48])])
    with pytest.raises(ValueError, match="first dimension"):
        tape.batch_jacobian(y, tf.constant([[1.0]]))
    for y, x in ((tf.ones([2, 2]), tf.ones([2])), (tf.ones([2]), tf.ones([2, 2]))):
        with pytest.raises(ValueError, match="rank at least 2"):
            tape.batch_jacobian(y, x)


@pytest.mark.filterwarnings("ignore:The dtype of the watched tensor")
def test_texts_have_no_gradient():
    text, x = tf.constant("a"), tf.constant(3.0)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([text, x])
        y = x * x
    assert tape.gradient(text, text) is None
    slope, none = tape.gradient([y, text], [x, text])
    assert none is None
    assert slope == 6.0


def test_jacobian_can_be_differentiated():
    x = tf.Variable([1.0, 2.0], dtype=tf.float64)
    with tf.GradientTape() as outer:
        with tf.GradientTape() as inner:
            y = x * x * x
        jacobian = inner.jacobian(y, x)
        total = tf.reduce_sum(jacobian)
    np.testing.assert_allclose(outer.gradient(total, x), [6.0, 12.0])


def test_jacobian_of_an_unconnected_source():
    x, other = tf.Variable([1.0, 2.0]), tf.Variable([1.0, 2.0, 3.0])
    with tf.GradientTape(persistent=True) as tape:
        y = x * 2.0
    assert tape.jacobian(y, other) is None
    zero = tape.jacobian(y, other, unconnected_gradients="zero")
    assert zero.shape == (2, 3)
    assert not np.any(zero)


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


def test_sources_must_be_tensors():
    x = tf.Variable(2.0)
    with tf.GradientTape() as tape:
        y = x * x
    with pytest.raises(TypeError, match="source"):
        tape.gradient(y, "x")


def test_an_exception_inside_the_block_ends_the_recording():
    from fastgrad.recording import recorders

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
