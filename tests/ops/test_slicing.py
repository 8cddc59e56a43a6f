"""Slices of tensors and variables against NumPy, and the gradients of slices."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastgrad as tf

X = np.arange(24.0).reshape(2, 3, 4)
BOUND = st.none() | st.integers(-6, 6)
PART = st.builds(slice, BOUND, BOUND, st.none() | st.integers(1, 3) | st.integers(-3, -1))


@st.composite
def keys(draw, shape):
    """Any index that NumPy and TensorFlow read alike."""
    items = [
        draw(PART if size == 0 else st.one_of(PART, st.integers(-size, size - 1)))
        for size in shape[: draw(st.integers(0, len(shape)))]
    ]
    if draw(st.booleans()):
        place = draw(st.integers(0, len(items)))
        items[place:] = [Ellipsis, *items[place:][: len(shape) - place]]
        tail = items[place + 1 :]
        items[place + 1 :] = [item if isinstance(item, slice) else slice(None) for item in tail]
    for _ in range(draw(st.integers(0, 2))):
        items.insert(draw(st.integers(0, len(items))), None)
    return tuple(items)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 4), max_size=4).map(tuple), st.data())
def test_slices_are_numpys(shape, data):
    x = np.arange(np.prod(shape, dtype=float)).reshape(shape)
    key = data.draw(keys(shape))
    t = tf.constant(x)
    np.testing.assert_array_equal(t[key], x[key])
    assert t[key].shape == x[key].shape
    v = tf.Variable(x)
    before = v[key]
    v[key].assign_add(np.ones(x[key].shape))
    np.testing.assert_array_equal(before, x[key])
    x[key] += 1
    np.testing.assert_array_equal(v, x)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 3), max_size=3).map(tuple), st.data())
def test_the_gradient_of_a_slice_is_its_place(shape, data):
    x = tf.constant(np.arange(np.prod(shape, dtype=float)).reshape(shape))
    key = data.draw(keys(shape))
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = x[key] * x[key]
    expected = np.zeros(shape)
    expected[key] = 2 * x.numpy()[key]
    np.testing.assert_array_equal(tape.gradient(y, x), expected)


def test_tensors_and_numpy_integers_are_indices():
    x = tf.constant(X)
    one = tf.constant(1)
    for key in (one, tf.constant(1, tf.int64), np.int64(1), np.array(1), np.uint8(1), tf.Variable(1)):
        np.testing.assert_array_equal(x[key], X[1])
        np.testing.assert_array_equal(x[key:], X[1:])
        np.testing.assert_array_equal(x[0, key:, :key], X[0, 1:, :1])
    np.testing.assert_array_equal(x[:, ::-one], X[:, ::-1])
    np.testing.assert_array_equal(x[[0, 1]], X[0, 1])


def test_masks_choose_elements():
    x = tf.constant(X)
    np.testing.assert_array_equal(x[x > 5], X[X > 5])
    np.testing.assert_array_equal(x[X > 5], X[X > 5])
    np.testing.assert_array_equal(x[tf.constant([True, False])], X[[True, False]])
    np.testing.assert_array_equal(tf.Variable(X)[x > 5], X[X > 5])
    for mask in (True, tf.constant(False), np.array(True)):
        with pytest.raises(ValueError, match="mask"):
            x[mask]


@pytest.mark.parametrize(
    "key",
    [
        1.0,
        "a",
        slice(1.0, None),
        range(2),
        ((0, 1),),
        np.array([0, 1]),
        tf.constant([0, 1]),
        tf.constant(1.0),
        tf.constant(1, tf.int8),
        (slice(None), tf.constant([True, False, True])),
    ],
    ids=repr,
)
def test_other_indices_are_refused(key):
    with pytest.raises(TypeError, match="valid indices"):
        tf.constant(X)[key]


# ---- tf.strided_slice and tf.slice -------------------------------------------------------------------


def test_strided_slice_reads_its_masks_bit_by_bit():
    x = tf.constant(X)
    for masks, expected in [
        ({}, X[1:2, 0:2, 3:0:-2]),
        ({"begin_mask": 5}, X[:2, 0:2, :0:-2]),
        ({"end_mask": 6}, X[1:2, 0:, 3::-2]),
        ({"new_axis_mask": 2}, X[1:2, None, 3:0:-2]),
        ({"shrink_axis_mask": 3}, X[1, 0, 3:0:-2]),
        ({"ellipsis_mask": 2}, X[1:2, ..., 3:0:-2]),
    ]:
        np.testing.assert_array_equal(tf.strided_slice(x, [1, 0, 3], [2, 2, 0], [1, 1, -2], **masks), expected)
    np.testing.assert_array_equal(tf.strided_slice(x, [0, 1], [1, 3]), X[0:1, 1:3])
    v = tf.Variable(X)
    tf.strided_slice(v, [0], [1], var=v).assign(tf.zeros([1, 3, 4], tf.float64))
    np.testing.assert_array_equal(v[0], np.zeros((3, 4)))


def test_strided_slice_refuses_what_does_not_fit():
    x = tf.constant(X)
    for begin, end, strides, masks in [
        ([0, 0], [2], [1, 2], {}),
        ([0] * 4, [1] * 4, None, {}),
        ([0], [2], [0], {}),
        ([0.0], [2.0], [1.0], {}),
        (0, 2, 1, {}),
        ([5], [6], [1], {"shrink_axis_mask": 1}),
        ([0], [1], [-1], {"shrink_axis_mask": 1}),
        ([0, 0], [1, 1], None, {"ellipsis_mask": 3}),
    ]:
        with pytest.raises(tf.errors.InvalidArgumentError):
            tf.strided_slice(x, begin, end, strides, **masks)


@pytest.mark.parametrize(
    ("begin", "size"),
    [([0, 1], [2, 3]), ([0], [2]), ([0, -1], [2, 1]), ([0, 4], [2, 0]), ([0, 1], [2, -2]), ([0.0, 1.0], [2, 2])],
)
def test_slice_refuses_blocks_that_are_not_inside(begin, size):
    with pytest.raises(tf.errors.InvalidArgumentError, match="slice"):
        tf.slice(tf.zeros([2, 3]), begin, size)


# ---- slices of variables -----------------------------------------------------------------------------


def test_a_slice_of_a_variable_can_be_assigned():
    v = tf.Variable([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    before = v[0]
    assert v[1:].assign([[7, 8, 9]]) is v
    v[0, ::2].assign_add([10.0, 20.0])
    v[:, 1].assign_sub(tf.constant([1.0, 2.0]))
    assert v.numpy().tolist() == [[11, 1, 23], [7, 6, 9]]
    assert before.numpy().tolist() == [1, 2, 3]
    v[1].assign(0)
    assert v.numpy().tolist() == [[11, 1, 23], [0, 0, 0]]
    v[::-1].assign(v)
    assert v.numpy().tolist() == [[0, 0, 0], [11, 1, 23]]
    assert repr(v[1]) == "<tf.Tensor: shape=(3,), dtype=float32, numpy=array([11.,  1., 23.], dtype=float32)>"


def test_a_refused_assignment_changes_nothing():
    v = tf.Variable([[1.0, 2.0], [3.0, 4.0]])
    for write in (v[1].assign, v[1].assign_add, v[1].assign_sub):
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"\[3\] into final shape \[2\]"):
            write([1.0, 2.0, 3.0])
        with pytest.raises(ValueError, match="float64"):
            write(tf.constant([1.0, 2.0], tf.float64))
    with pytest.raises(tf.errors.InvalidArgumentError):
        v[5].assign([1.0, 2.0])
    assert v.numpy().tolist() == [[1, 2], [3, 4]]


def test_tapes_watch_slices_of_variables():
    v = tf.Variable([[1.0, 2.0], [3.0, 4.0]])
    with tf.GradientTape() as tape:
        y = v[0] * v[1, 0]
        v[0].assign([50.0, 60.0])
    np.testing.assert_array_equal(tape.gradient(y, v), [[3, 3], [3, 0]])
