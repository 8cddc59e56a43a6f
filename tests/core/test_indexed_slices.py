"""Gradients of a few rows."""

import numpy as np
import pytest

import fastgrad as tf


def rows(**dense):
    return tf.IndexedSlices(tf.constant([[1.0, 2.0], [3.0, 4.0]]), tf.constant([1, 1]), **dense)


def test_repr_is_tensorflows():
    text = (
        "IndexedSlices(indices=tf.Tensor([1 1], shape=(2,), dtype=int32), "
        "values=tf.Tensor(\n[[1. 2.]\n [3. 4.]], shape=(2, 2), dtype=float32)"
    )
    assert repr(rows()) == str(rows()) == text + ")"
    dense = tf.constant([3, 2])
    assert repr(rows(dense_shape=dense)) == text + ", dense_shape=tf.Tensor([3 2], shape=(2,), dtype=int32))"


def test_repeated_rows_add_up():
    np.testing.assert_array_equal(tf.convert_to_tensor(rows(dense_shape=[3, 2])), [[0, 0], [4, 6], [0, 0]])
    assert rows(dense_shape=[3, 2]).shape == (3, 2)
    assert rows().shape == tf.TensorShape(None)
    with pytest.raises(ValueError, match="dense_shape"):
        tf.convert_to_tensor(rows())


def test_rows_are_a_snapshot_of_arrays_and_variables():
    values, v = np.ones((2, 2), np.float32), tf.Variable(tf.ones((2, 2)))
    first, second = tf.IndexedSlices(values, [0, 1]), tf.IndexedSlices(v, [0, 1])
    values[:] = 7
    v.assign(tf.zeros((2, 2)))
    for made in (first, second):
        np.testing.assert_array_equal(made.values, np.ones((2, 2)))


@pytest.mark.parametrize(
    ("indices", "dense_shape"),
    [([0, 1, 2], [3, 2]), ([0], [3, 2]), ([0, 3], [3, 2]), ([0, 2**40], [3, 2]), ([0, 0], [])],
)
def test_parts_that_do_not_go_together_make_no_tensor(indices, dense_shape):
    bad = tf.IndexedSlices(tf.ones((2, 2)), tf.constant(indices, tf.int64), tf.constant(dense_shape, tf.int64))
    with pytest.raises(tf.errors.InvalidArgumentError, match="IndexedSlices"):
        tf.convert_to_tensor(bad)


def test_rows_of_both_kinds_of_indices_add_up():
    v = tf.Variable(tf.ones((3, 2)))
    with tf.GradientTape() as tape:
        y = tf.reduce_sum(tf.gather(v, tf.constant([0, 2]))) + tf.reduce_sum(tf.gather(v, tf.constant([2], tf.int64)))
    g = tape.gradient(y, v)
    assert isinstance(g, tf.IndexedSlices)
    assert g.indices.dtype == tf.int64
    np.testing.assert_array_equal(tf.convert_to_tensor(g), [[1, 1], [0, 0], [2, 2]])
