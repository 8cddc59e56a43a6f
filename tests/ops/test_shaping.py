"""Shapes that are inferred, axes that are added and removed, and what is refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastgrad as tf

SHAPES = st.lists(st.integers(0, 4), max_size=4).map(tuple)


def numbers(shape, dtype="float64"):
    return np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(tf.as_dtype(dtype).as_numpy_dtype)


def test_reshape_infers_one_size():
    x = tf.zeros([2, 3, 4])
    assert tf.reshape(x, [-1]).shape == [24]
    assert tf.reshape(x, [4, -1]).shape == [4, 6]
    assert tf.reshape(x, -1).shape == [24]
    assert tf.reshape(x, tf.constant([4, 6])).shape == [4, 6]
    assert tf.reshape(x, [tf.constant(4), -1]).shape == [4, 6]
    assert tf.reshape(x, tf.TensorShape([6, 4])).shape == [6, 4]
    assert tf.reshape(tf.zeros([0, 3]), [-1, 3]).shape == [0, 3]
    assert tf.reshape(tf.zeros([0, 3]), [0, -1]).shape == [0, 3]
    assert tf.reshape(tf.zeros([0, 3]), [-1, 0]).shape == [3, 0]


@pytest.mark.parametrize("shape", [[4], [], [-1, -1], [-2, 3], [-1, 4], [2.0, 3.0], [[2, 3]]])
def test_reshape_refuses_shapes_that_do_not_fit(shape):
    with pytest.raises(tf.errors.InvalidArgumentError, match="reshape"):
        tf.reshape(tf.zeros([2, 3]), shape)


def test_reshape_refuses_none_in_a_shape():
    with pytest.raises(ValueError, match="None"):
        tf.reshape(tf.zeros([2, 3]), [None, 3])


def test_transpose_conjugates_on_request():
    x = np.array([[1 + 2j, 3j]])
    np.testing.assert_array_equal(tf.transpose(x, conjugate=True), x.conj().T)
    np.testing.assert_array_equal(tf.transpose(tf.constant([[1.0, 2.0]]), conjugate=True), [[1], [2]])


@pytest.mark.parametrize("perm", [[0, 0], [0], [0, 2], [0, 1, 2], [-3, 0]])
def test_transpose_refuses_what_is_no_permutation(perm):
    with pytest.raises(tf.errors.InvalidArgumentError, match="transpose"):
        tf.transpose(tf.zeros([2, 3]), perm)


@settings(max_examples=60, deadline=None)
@given(SHAPES, st.data())
def test_expand_dims_and_squeeze_are_inverse(shape, data):
    x = numbers(shape)
    axis = data.draw(st.integers(-len(shape) - 1, len(shape)))
    y = tf.expand_dims(x, axis)
    np.testing.assert_array_equal(y, np.expand_dims(x, axis))
    np.testing.assert_array_equal(tf.squeeze(y, axis), x)
    np.testing.assert_array_equal(tf.squeeze(y, [axis]), x)
    assert tf.squeeze(y).shape == tuple(size for size in shape if size != 1)


def test_squeeze_takes_several_axes():
    x = tf.zeros([1, 2, 1, 1])
    assert tf.squeeze(x, [0, 2]).shape == [2, 1]
    assert tf.squeeze(x, (0, -4)).shape == [2, 1, 1]
    assert tf.squeeze(x, []).shape == [2]


def test_expand_dims_and_squeeze_refuse_bad_axes():
    x = tf.zeros([2, 3])
    for axis in (3, -4, [0, 1]):
        with pytest.raises(tf.errors.InvalidArgumentError):
            tf.expand_dims(x, axis)
    with pytest.raises(TypeError):
        tf.expand_dims(x, 1.0)
    with pytest.raises(tf.errors.InvalidArgumentError, match="must be 1.*2, 3"):
        tf.squeeze(x, 0)
    with pytest.raises(tf.errors.InvalidArgumentError):
        tf.squeeze(x, 2)


def test_broadcast_to_large_shapes():
    x = numbers((100, 1))
    np.testing.assert_array_equal(tf.broadcast_to(x, [100, 100]), np.broadcast_to(x, (100, 100)))


@pytest.mark.parametrize("shape", [[2], [3, 3], [-1, 3], [2, 1]])
def test_broadcast_to_refuses_what_does_not_broadcast(shape):
    with pytest.raises(tf.errors.InvalidArgumentError, match="broadcast_to"):
        tf.broadcast_to(tf.zeros([2, 3]), shape)


def test_bitcast_reads_the_same_bytes():
    x = np.arange(6.0, dtype=np.float32).reshape(2, 3)
    np.testing.assert_array_equal(tf.bitcast(x, tf.int32), x.view(np.int32))
    y = tf.bitcast(x, tf.uint8)
    assert y.shape == [2, 3, 4]
    np.testing.assert_array_equal(tf.bitcast(y, tf.float32), x)
    with pytest.raises(tf.errors.InvalidArgumentError, match="bitcast"):
        tf.bitcast(x, tf.float64)
    with pytest.raises(tf.errors.InvalidArgumentError, match="bitcast"):
        tf.bitcast([True], tf.uint8)


def test_a_view_of_a_variable_keeps_its_value_when_the_variable_changes():
    v = tf.Variable([[1.0, 2.0], [3.0, 4.0]])
    views = [tf.reshape(v, [4]), tf.transpose(v), tf.expand_dims(v, 0), v[0], tf.identity(v), *tf.unstack(v)]
    before = [view.numpy() for view in views]
    v.assign_add(tf.ones([2, 2]))
    for view, expected in zip(views, before, strict=True):
        np.testing.assert_array_equal(view, expected)


@pytest.mark.parametrize(
    ("shape", "text"),
    [
        ([2, 4], r"Input to reshape is a tensor with 6 values, but the requested shape has 8: .*\[2, 3\], \[2, 4\]"),
        ([-1, 4], "Input to reshape is a tensor with 6 values, but the requested shape requires a multiple of 4"),
        ([1, -2], "Size 1 must be non-negative, not -2"),
    ],
)
def test_errors_of_reshape_begin_with_tensorflows_words(shape, text):
    with pytest.raises(tf.errors.InvalidArgumentError, match=text):
        tf.reshape(tf.ones([2, 3]), shape)
