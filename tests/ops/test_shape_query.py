"""The shape of a tensor, and the shape of a broadcast."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastgrad as tf


def test_shape_rank_and_size():
    x = tf.zeros([2, 0, 3])
    assert repr(tf.shape(x)) == "<tf.Tensor: shape=(3,), dtype=int32, numpy=array([2, 0, 3], dtype=int32)>"
    assert tf.shape(x, tf.int64).dtype == tf.int64
    assert tf.shape([[1, 2]]).numpy().tolist() == [1, 2]
    assert tf.shape(tf.Variable(1.0)).shape == [0]
    assert [s.numpy().tolist() for s in tf.shape_n([x, 1])] == [[2, 0, 3], []]
    assert repr(tf.rank(x)) == "<tf.Tensor: shape=(), dtype=int32, numpy=3>"
    assert repr(tf.size(x)) == "<tf.Tensor: shape=(), dtype=int32, numpy=0>"
    assert tf.size([1, 2], tf.int64).dtype == tf.int64
    for function in (tf.shape, tf.size):
        with pytest.raises(tf.errors.InvalidArgumentError, match="out_type"):
            function(x, tf.float32)


def test_ensure_shape_checks():
    x = tf.zeros([2, 3])
    for shape in ([2, 3], [None, 3], None):
        np.testing.assert_array_equal(tf.ensure_shape(x, shape), x)
    for shape in ([2, 2], [2], [None]):
        with pytest.raises(tf.errors.InvalidArgumentError, match="ensure_shape"):
            tf.ensure_shape(x, shape)


SIZES = st.lists(st.sampled_from([1, 1, 2, 3]), max_size=4)


@settings(max_examples=60, deadline=None)
@given(SIZES, SIZES)
def test_broadcast_shapes_are_numpys(x, y):
    try:
        expected = list(np.broadcast_shapes(tuple(x), tuple(y)))
    except ValueError:
        with pytest.raises(ValueError, match="Incompatible"):
            tf.broadcast_static_shape(tf.TensorShape(x), tf.TensorShape(y))
        with pytest.raises(tf.errors.InvalidArgumentError, match="Incompatible"):
            tf.broadcast_dynamic_shape(tf.constant(x, tf.int32), y)
    else:
        assert tf.broadcast_static_shape(tf.TensorShape(x), tf.TensorShape(y)) == expected
        assert tf.broadcast_dynamic_shape(tf.constant(x, tf.int32), y).numpy().tolist() == expected


def test_unknown_dimensions_broadcast():
    static = tf.broadcast_static_shape
    assert static(tf.TensorShape([None, 2]), tf.TensorShape([5, 1])) == [5, 2]
    assert static(tf.TensorShape([None, 2]), tf.TensorShape([1, 1])) == [None, 2]
    assert static(tf.TensorShape(None), tf.TensorShape([1])).rank is None
    assert tf.broadcast_dynamic_shape(tf.constant([1], tf.int64), [2]).dtype == tf.int64
