"""Parts of variables changed in place."""

import numpy as np
import pytest

import fastgrad as tf
from tests.gradients import gradient_of

X = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]
ROWS = [[1.0, 2.0], [4.0, 0.5], [2.0, 2.0]]


def slices(values, indices):
    return tf.IndexedSlices(tf.constant(values), tf.constant(indices))


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("scatter_add", [[3, 4], [3, 4], [10, 8.5]]),
        ("scatter_sub", [[-1, 0], [3, 4], [0, 3.5]]),
        ("scatter_mul", [[2, 4], [3, 4], [20, 6]]),
        ("scatter_div", [[0.5, 1], [3, 4], [1.25, 6]]),
        ("scatter_max", [[2, 2], [3, 4], [5, 6]]),
        ("scatter_min", [[1, 2], [3, 4], [1, 0.5]]),
        ("scatter_update", [[2, 2], [3, 4], [4, 0.5]]),
    ],
)
def test_rows(method, expected):
    v = tf.Variable(X)
    before = v.value()
    assert getattr(v, method)(slices(ROWS, [2, 2, 0])) is v
    np.testing.assert_array_equal(v, expected)
    np.testing.assert_array_equal(before, X)


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("scatter_nd_add", [[1, 7], [3, 4], [8, 6]]),
        ("scatter_nd_sub", [[1, -3], [3, 4], [2, 6]]),
        ("scatter_nd_max", [[1, 4], [3, 4], [5, 6]]),
        ("scatter_nd_min", [[1, 1], [3, 4], [3, 6]]),
        ("scatter_nd_update", [[1, 4], [3, 4], [3, 6]]),
    ],
)
def test_positions(method, expected):
    v = tf.Variable(X)
    assert getattr(v, method)([[0, 1], [0, 1], [2, 0]], [1.0, 4.0, 3.0]) is v
    np.testing.assert_array_equal(v, expected)


def test_one_value_for_all_rows_and_one_row():
    v = tf.Variable(X)
    v.scatter_add(slices(10.0, [0, 1]))
    v.scatter_add(slices([1.0, 1.0], 2))
    np.testing.assert_array_equal(v, [[11, 12], [13, 14], [6, 7]])
    v.batch_scatter_update(slices([[0.0], [0.0], [0.0]], [[1], [0], [1]]))
    np.testing.assert_array_equal(v, [[11, 0], [0, 14], [6, 0]])


def test_a_variable_scattered_into_itself():
    v = tf.Variable(X)
    v.scatter_update(tf.IndexedSlices(v[:2], [1, 2]))
    np.testing.assert_array_equal(v, [[1, 2], [1, 2], [3, 4]])


def test_reading_rows():
    v = tf.Variable(X)
    np.testing.assert_array_equal(v.sparse_read([2, 0]), [[5, 6], [1, 2]])
    np.testing.assert_array_equal(v.gather_nd([[2, 0]]), [5])
    assert isinstance(gradient_of(lambda v: v.sparse_read([2]), v), tf.IndexedSlices)


@pytest.mark.parametrize(
    "change",
    [
        lambda v: v.scatter_add(slices([[1.0, 1.0]], [3])),
        lambda v: v.scatter_add(slices([[1.0, 1.0]], [-1])),
        lambda v: v.scatter_update(slices([[1.0]], [1])),
        lambda v: v.scatter_mul(slices([[1.0, 1.0], [1.0, 1.0]], [1])),
        lambda v: v.scatter_nd_add([[0, 5]], [1.0]),
        lambda v: v.scatter_nd_update([[0, 1]], [1.0, 2.0]),
        lambda v: v.batch_scatter_update(slices([[0.0]], [[2]])),
    ],
)
def test_a_refused_change_changes_nothing(change):
    v = tf.Variable(X)
    with pytest.raises(tf.errors.InvalidArgumentError):
        change(v)
    np.testing.assert_array_equal(v, X)


def test_other_arguments_are_refused():
    v = tf.Variable(X)
    with pytest.raises(TypeError, match="IndexedSlices"):
        v.scatter_add(tf.ones([1, 2]))
    with pytest.raises(ValueError, match="float64"):
        v.scatter_add(tf.IndexedSlices(tf.ones([1, 2], tf.float64), [0]))
    with pytest.raises(tf.errors.InvalidArgumentError, match="scalar"):
        tf.Variable(1.0).scatter_add(slices([1.0], [0]))
