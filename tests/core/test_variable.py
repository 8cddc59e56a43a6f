"""Variables: reading gives snapshots, writing is in place, and refusals change nothing."""

import copy
import gc
import inspect
import pickle

import numpy as np
import pytest

import fastgrad as tf


@pytest.mark.parametrize(
    "view",
    [
        tf.transpose,
        lambda v: tf.reshape(v, [-1]),
        lambda v: v[::-1],
        lambda v: tf.squeeze(v[None]),
        lambda v: tf.broadcast_to(v, (3, 2, 2)),
        lambda v: tf.split(v, 2)[0],
        lambda v: tf.unstack(v)[1],
        tf.stop_gradient,
        tf.identity,
        lambda v: tf.cast(v, tf.float32),
        tf.linalg.matrix_transpose,
        lambda v: tf.reverse(v, [0]),
        tf.math.real,
        lambda v: tf.ensure_shape(v, (2, 2)),
    ],
)
def test_every_view_of_a_variable_is_a_snapshot(view):
    v = tf.Variable([[1.0, 2.0], [3.0, 4.0]])
    seen = view(v)
    before = seen.numpy()
    v.assign_add([[10.0, 10.0], [10.0, 10.0]])
    np.testing.assert_array_equal(seen, before)


def test_the_memory_of_a_variable_never_moves():
    v = tf.Variable(np.zeros(10, np.float32))
    address = v._array.ctypes.data
    for i in range(5):
        held = v.value()
        v.assign(np.full(10, i, np.float32))
        v.assign_add(held)
    assert v._array.ctypes.data == address


def test_reading_shares_memory_until_the_write():
    v = tf.Variable(np.zeros(10, np.float32))
    held = v.value()
    assert held._array is v._array
    v.assign_add(np.ones(10, np.float32))
    assert not np.shares_memory(held._array, v._array)


def test_many_views_without_a_write_do_not_pile_up():
    v = tf.Variable(np.zeros((2, 2), np.float32))
    for _ in range(10_000):
        tf.reshape(v, [4])
    assert len(v._views) < 200


def test_assigning_a_variable_or_a_view_of_itself():
    v = tf.Variable([1.0, 2.0, 3.0])
    v.assign(v[::-1])
    np.testing.assert_array_equal(v, [3.0, 2.0, 1.0])
    v.assign_add(v)
    np.testing.assert_array_equal(v, [6.0, 4.0, 2.0])
    v.assign_sub(tf.reverse(v, [0]))
    np.testing.assert_array_equal(v, [4.0, 0.0, -4.0])


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda v: v.assign([1.0, 2.0, 3.0]), ValueError),
        (lambda v: v.assign([[1.0, 2.0]]), ValueError),
        (lambda v: v.assign(tf.constant([1, 2])), ValueError),
        (lambda v: v.assign(tf.constant([1.0, 2.0], tf.float64)), ValueError),
        (lambda v: v.assign(None), ValueError),
        (lambda v: v.assign_add(1.0), tf.errors.InvalidArgumentError),
        (lambda v: v.assign_sub([1.0]), tf.errors.InvalidArgumentError),
    ],
)
def test_refused_assigns_change_nothing(call, error):
    v = tf.Variable([1.0, 2.0])
    with pytest.raises(error):
        call(v)
    np.testing.assert_array_equal(v, [1.0, 2.0])


def test_shape_errors_name_the_variable_and_both_shapes():
    v = tf.Variable([1.0, 2.0], name="w")
    with pytest.raises(ValueError, match=r"'w:0'.*\(2,\).*\(3,\)"):
        v.assign([1.0, 2.0, 3.0])


def test_copy_and_pickle_make_independent_variables():
    v = tf.Variable([1.0, 2.0], name="w", trainable=False)
    for twin in (copy.copy(v), copy.deepcopy(v), pickle.loads(pickle.dumps(v))):
        twin.assign([3.0, 4.0])
        assert twin.name == "w:0"
        assert not twin.trainable
        np.testing.assert_array_equal(v, [1.0, 2.0])
        assert twin.ref() != v.ref()


def test_a_dropped_variable_is_freed():
    import weakref

    v = tf.Variable(np.zeros(10, np.float32))
    v.value()
    with tf.GradientTape() as tape:
        y = v * 2.0
    tape.gradient(y, v)
    held = weakref.ref(v)
    del v, y, tape
    gc.collect()
    assert held() is None


@pytest.mark.parametrize(("value", "delta"), [(True, True), ("a", "b"), ([True, False], [True, True])])
def test_what_has_no_sums_is_not_added_to(value, delta):
    v = tf.Variable(value)
    for call in (v.assign_add, v.assign_sub):
        with pytest.raises(tf.errors.InvalidArgumentError, match="has no sums"):
            call(delta)
    np.testing.assert_array_equal(v.numpy(), tf.constant(value).numpy())


@pytest.mark.parametrize(
    "function",
    [
        lambda v: tf.concat([v], 0),
        lambda v: tf.concat(v, 0),
        tf.stack,
        lambda v: tf.ensure_shape(v, [None]),
        lambda v: tf.cast(v, tf.float32),
        tf.transpose,
        tf.math.conj,
        tf.math.real,
        lambda v: tf.add_n([v]),
        lambda v: tf.nn.dropout(v, 0.0),
        lambda v: tf.clip_by_norm(v, 100.0),
        lambda v: tf.reshape(v, v.shape),
        tf.identity,
        tf.constant,
    ],
)
def test_functions_that_change_nothing_give_a_tensor_of_its_own(function):
    v = tf.Variable([3.0, 4.0])
    before = function(v)
    with tf.GradientTape() as tape:
        y = before * v
    np.testing.assert_array_equal(tape.gradient(y, v), [3.0, 4.0])
    v.assign([7.0, 7.0])
    np.testing.assert_array_equal(before, [3.0, 4.0])


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "int64"])
@pytest.mark.parametrize("given", [tf.constant, lambda array: array], ids=["tensor", "array"])
def test_weights_and_copies_of_them_begin_with_a_cache_line(dtype, given):
    ones = np.ones((65, 67), tf.as_dtype(dtype).as_numpy_dtype)
    weights = [tf.Variable(given(ones)) for _ in range(8)]  # one alone may do so by chance
    weights += [copy.deepcopy(one) for one in weights]
    for one in weights:
        assert one._array.ctypes.data % 64 == 0
        assert one._array.flags.c_contiguous
        np.testing.assert_array_equal(one.numpy(), ones)


def test_a_variable_has_no_initializer_to_run():
    assert tf.Variable(1.0).initializer is None


def test_a_variable_synchronized_on_read_is_not_trainable_by_default():
    on_read = tf.VariableSynchronization.ON_READ
    assert not tf.Variable(1.0, synchronization=on_read).trainable
    assert tf.Variable(1.0, synchronization=on_read, trainable=True).trainable
    assert tf.Variable(1.0, synchronization=tf.VariableSynchronization.ON_WRITE).trainable


@pytest.mark.parametrize("name", ["__iadd__", "__isub__", "__imul__", "__itruediv__", "__ipow__"])
def test_operators_in_place_show_their_names(name):
    method = getattr(tf.Variable, name)
    assert (method.__name__, method.__qualname__) == (name, f"Variable.{name}")
    assert list(inspect.signature(method).parameters) == ["self", "other"]
    with pytest.raises(RuntimeError, match=r"with `tf\.Variable`s is not supported"):
        getattr(tf.Variable(1.0), name)(2.0)


@pytest.mark.parametrize("name", [name for name in dir(tf.Variable) if name.startswith("scatter")])
def test_methods_that_change_rows_are_pickled(name):
    method = getattr(tf.Variable, name)
    assert pickle.loads(pickle.dumps(method)) is method
