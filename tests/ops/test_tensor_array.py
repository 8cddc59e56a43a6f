"""TensorArray: written and read by position, with gradients."""

import numpy as np
import pytest

import fastgrad as tf
from tests.gradients import check_gradient

X = np.arange(6.0, dtype=np.float32).reshape(2, 3)


def test_what_is_written_can_be_stacked_and_read():
    ta = tf.TensorArray(tf.float32, 3)
    ta = ta.write(0, 1.0).write(tf.constant(1), 2)
    ta = ta.write(2, tf.constant(3.0))
    assert ta.stack().numpy().tolist() == [1, 2, 3]
    assert ta.write(0, 5.0).read(0).numpy() == 5
    assert repr(ta.size()) == "<tf.Tensor: shape=(), dtype=int32, numpy=3>"
    assert (ta.dtype, ta.element_shape, ta.dynamic_size) == (tf.float32, [], False)
    assert (ta.handle, ta.flow.shape, ta.identity()) == (None, [], ta)
    ta.close()
    assert ta.size().numpy() == 0


def test_an_element_is_read_once_unless_said_otherwise():
    ta = tf.TensorArray(tf.float32, 2).unstack(X)
    ta.read(0)
    with pytest.raises(tf.errors.InvalidArgumentError, match="clear_after_read"):
        ta.read(0)
    assert ta.stack().numpy().tolist() == [[0, 0, 0], [3, 4, 5]]
    ta = tf.TensorArray(tf.float32, 2, clear_after_read=False).unstack(X)
    assert (ta.read(0) + ta.read(0)).numpy().tolist() == [0, 2, 4]


def test_elements_never_written_are_zeros():
    assert tf.TensorArray(tf.float32, 2).write(1, [1.0, 2.0]).stack().numpy().tolist() == [[0, 0], [1, 2]]
    assert tf.TensorArray(tf.float32, 2, element_shape=[2]).read(0).numpy().tolist() == [0, 0]
    assert tf.TensorArray(tf.float32, 0, dynamic_size=True).write(2, 1.0).stack().numpy().tolist() == [0, 0, 1]
    for options in ({}, {"element_shape": [None]}):
        ta = tf.TensorArray(tf.float32, 2, **options)
        for read in (ta.stack, ta.concat, lambda ta=ta: ta.read(0)):
            with pytest.raises(ValueError, match="element_shape"):
                read()


def test_empty_arrays():
    assert tf.TensorArray(tf.float32, 0).stack().shape == [0]
    assert tf.TensorArray(tf.int32, 0, element_shape=[2, 3]).stack().shape == [0, 2, 3]
    assert tf.TensorArray(tf.int32, 0, element_shape=[2, 3]).concat().shape == [0, 3]
    assert tf.TensorArray(tf.float32, 2).unstack(X).gather([]).shape == [0, 3]
    assert tf.TensorArray(tf.float32, 0).split(np.zeros((0, 2)), []).size().numpy() == 0


def test_elements_may_differ_in_length():
    ta = tf.TensorArray(tf.float32, 2, infer_shape=False).write(0, [1.0, 2.0]).write(1, [3.0])
    assert ta.concat().numpy().tolist() == [1, 2, 3]
    with pytest.raises(tf.errors.InvalidArgumentError):
        ta.stack()
    pieces = tf.TensorArray(tf.float32, 2).split([1.0, 2.0, 3.0], [1, 2])
    assert pieces.read(1).numpy().tolist() == [2, 3]


@pytest.mark.parametrize(
    ("action", "error"),
    [
        (lambda ta: ta.write(5, 1.0), tf.errors.OutOfRangeError),
        (lambda ta: ta.write(-1, 1.0), tf.errors.OutOfRangeError),
        (lambda ta: ta.write(1.5, 1.0), TypeError),
        (lambda ta: ta.write(1, [1.0, 2.0]), ValueError),
        (lambda ta: ta.write(1, tf.constant(1)), tf.errors.InvalidArgumentError),
        (lambda ta: ta.scatter([1, 5], [1.0, 2.0]), tf.errors.OutOfRangeError),
        (lambda ta: ta.scatter([1, -1], [1.0, 2.0]), tf.errors.OutOfRangeError),
        (lambda ta: ta.scatter([1, 0], X), ValueError),
        (lambda ta: ta.unstack([1.0, 2.0, 3.0]), ValueError),
        (lambda ta: ta.unstack(1.0), ValueError),
        (lambda ta: ta.split([1.0, 2.0, 3.0], [1, 1]), tf.errors.InvalidArgumentError),
        (lambda ta: ta.split([1.0, 2.0, 3.0], [1, 1, 1]), tf.errors.InvalidArgumentError),
        (lambda ta: ta.split([1.0, 2.0, 3.0], 3), tf.errors.InvalidArgumentError),
        (lambda ta: ta.split(1.0, [1]), tf.errors.InvalidArgumentError),
        (lambda ta: ta.read(7), tf.errors.OutOfRangeError),
        (lambda ta: ta.read(-1), tf.errors.OutOfRangeError),
        (lambda ta: ta.gather([2]), IndexError),
        (lambda ta: ta.concat(), tf.errors.InvalidArgumentError),
        (lambda ta: ta.grad("x"), NotImplementedError),
    ],
)
def test_a_refused_action_changes_nothing(action, error):
    ta = tf.TensorArray(tf.float32, 2).write(0, 7.0)
    with pytest.raises(error):
        action(ta)
    assert ta.stack().numpy().tolist() == [7, 0]


def test_a_size_is_needed():
    with pytest.raises(ValueError, match="Size must be declared"):
        tf.TensorArray(tf.float32)
    with pytest.raises(ValueError, match=">= 0"):
        tf.TensorArray(tf.float32, -1)


def recurrence(x):
    states = tf.TensorArray(tf.float64, size=0, dynamic_size=True, clear_after_read=False)
    inputs = tf.TensorArray(tf.float64, size=3).unstack(x)
    state = tf.zeros([2], tf.float64)
    for step in range(3):
        state = tf.tanh(state + inputs.read(step))
        states = states.write(step, state)
    return states.stack() * states.gather([2, 2, 0])


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize(
    "function",
    [
        recurrence,
        lambda x: tf.TensorArray(tf.float64, 2).split(x**2, [1, 2]).concat() * x,
        lambda x: tf.TensorArray(tf.float64, 4).scatter([3, 0, 1], x**2).stack() ** 2,
    ],
)
def test_gradients(function, order):
    check_gradient(function, np.random.default_rng(0).normal(size=(3, 2)), order=order, rtol=1e-4)
