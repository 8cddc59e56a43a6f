"""Joining tensors and taking them apart: conversions, refusals, and gradients of a single piece."""

import numpy as np
import pytest

import fastgrad as tf
from tests.gradients import check_gradient


def test_strings_join():
    assert tf.concat([["a"], ["b"]], 0).numpy().tolist() == [b"a", b"b"]


def test_python_values_take_the_dtype_of_the_tensors_beside_them():
    x = tf.constant([1.0])
    assert tf.concat([[2], x], 0).dtype == tf.float32
    assert tf.concat([np.ones(1), x], 0).dtype == tf.float32
    assert tf.stack([1, x[0]]).dtype == tf.float32
    assert tf.stack([[1], [2.5]]).dtype == tf.float32
    with pytest.raises(TypeError):
        tf.concat([tf.constant([1]), [1.5]], 0)


def test_a_single_tensor_is_joined_already():
    x = tf.constant([[1.0, 2.0]])
    np.testing.assert_array_equal(tf.concat(x, 0), x)
    np.testing.assert_array_equal(tf.concat([x], 1), x)
    np.testing.assert_array_equal(tf.stack(x), x)
    assert tf.stack([]).shape == [0]
    assert tf.stack(np.ones((2, 3)), axis=1).shape == [3, 2]


def test_concat_refuses_tensors_that_do_not_fit():
    x = tf.zeros([2, 3])
    for values, axis in [
        ([x, x], 2),
        ([x, x], -3),
        ([x, tf.zeros([2, 2])], 0),
        ([x, tf.zeros([3])], 0),
        ([x, tf.zeros([2, 3], tf.float64)], 0),
        ([x, tf.zeros([2, 3], tf.int32)], 0),
        ([tf.constant(1.0), tf.constant(2.0)], 0),
        ([], 0),
    ]:
        with pytest.raises(tf.errors.InvalidArgumentError, match="concat"):
            tf.concat(values, axis)
    with pytest.raises(TypeError):
        tf.concat([x, x], 1.0)


def test_stack_and_unstack_refuse_what_does_not_fit():
    x = tf.zeros([2, 3])
    for values in ([x, tf.zeros([2, 2])], [x, tf.zeros([2, 3], tf.float64)], [[1, 2], [3]]):
        with pytest.raises(tf.errors.InvalidArgumentError, match="stack"):
            tf.stack(values)
    for axis in (3, -4):
        with pytest.raises(ValueError, match="not in range"):
            tf.stack([x, x], axis)
    with pytest.raises(ValueError, match="not in range"):
        tf.unstack(x, axis=2)
    with pytest.raises(ValueError, match="not in range"):
        tf.unstack(tf.constant(1.0))
    with pytest.raises(tf.errors.InvalidArgumentError, match="must equal 3"):
        tf.unstack(x, num=3)


def test_unstack_gives_a_list():
    assert tf.unstack(tf.zeros([0, 2])) == []
    rows = tf.unstack(tf.constant([[1, 2], [3, 4]]), num=2)
    assert isinstance(rows, list)
    assert rows[1].numpy().tolist() == [3, 4]


def test_split_takes_a_number_or_sizes():
    x = tf.constant(np.arange(12.0).reshape(2, 6))
    assert [piece.shape.as_list() for piece in tf.split(x, 3, axis=1)] == [[2, 2]] * 3
    assert [piece.shape.as_list() for piece in tf.split(x, [1, -1, 2], axis=-1)] == [[2, 1], [2, 3], [2, 2]]
    assert [piece.shape.as_list() for piece in tf.split(x, tf.constant([2, 4]), 1, num=2)] == [[2, 2], [2, 4]]
    for sizes in (4, 0, -1, [1, 1], [1, 6], [-1, -1], [-2, 8], []):
        with pytest.raises(tf.errors.InvalidArgumentError, match="split"):
            tf.split(x, sizes, axis=1)
    with pytest.raises(tf.errors.InvalidArgumentError, match="split"):
        tf.split(x, 2, axis=2)
    with pytest.raises(tf.errors.InvalidArgumentError, match="split"):
        tf.split(x, [2, 4], axis=1, num=3)
    for sizes in (tf.constant(2), 2.0):
        with pytest.raises(ValueError, match="Rank-0"):
            tf.split(x, sizes, axis=1)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: tf.split(x, 1, axis=0),
        lambda x: tf.split(x, 1, axis=-1),
        lambda x: tf.split(x, [3], axis=1),
        lambda x: tf.unstack(x[None]),
        lambda x: tf.unstack(x[:, None], axis=1),
        lambda x: tf.stack([x]),
    ],
)
def test_gradients_of_a_single_piece(function):
    check_gradient(lambda x: [piece**2 for piece in function(x)], np.arange(6.0).reshape(2, 3), order=2)
