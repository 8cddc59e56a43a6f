"""The errors of bad positions, and what scatters have beside their rows."""

import numpy as np
import pytest

import fastgrad as tf

SCATTERS = [
    tf.tensor_scatter_nd_update,
    tf.tensor_scatter_nd_add,
    tf.tensor_scatter_nd_sub,
    tf.tensor_scatter_nd_max,
    tf.tensor_scatter_nd_min,
]


def test_python_updates_take_the_tensors_dtype():
    assert tf.tensor_scatter_nd_update(tf.zeros([2]), [[0]], [7]).dtype == tf.float32
    assert tf.tensor_scatter_nd_sub(tf.zeros([2]), [[0]], [7]).numpy().tolist() == [-7, 0]


def test_bad_positions_are_named():
    x = tf.zeros([2, 3])
    for function in SCATTERS:
        for ids, updates, message in [
            ([[5]], [[1, 2, 3]], r"indices\[0\] = \[5\] does not index into shape \[2, 3\]"),
            ([[-1]], [[1, 2, 3]], "does not index"),
            ([[0]], [1, 2, 3], "updates must have shape"),
            ([[0]], [[1, 2]], "updates must have shape"),
            ([[0, 0, 0]], [1], "3 vs. 2"),
            ([[0.0]], [[1, 2, 3]], "float32"),
            ([[0]], tf.zeros([1, 3], tf.float64), "double|float64"),
        ]:
            with pytest.raises(tf.errors.InvalidArgumentError, match=message):
                function(x, ids, updates)
    for ids, updates, shape, policy in [
        ([[0], [5]], [1.0, 2.0], [4], ""),
        ([[0], [1]], [1.0, 2.0, 3.0], [4], ""),
        ([0], [1.0], [4], ""),
        ([[0]], [1.0], [-4], ""),
        ([[0]], [1.0], [0], ""),
        ([[0]], [1.0], [4], "foo"),
    ]:
        with pytest.raises(tf.errors.InvalidArgumentError, match="scatter_nd"):
            tf.scatter_nd(ids, updates, shape, bad_indices_policy=policy)


def test_bad_positions_are_ignored_on_request():
    assert tf.scatter_nd([[0], [5]], [1.0, 2.0], [3], bad_indices_policy="IGNORE").numpy().tolist() == [1, 0, 0]
    y = tf.tensor_scatter_nd_add(tf.ones([2]), [[-1], [1]], [5.0, 6.0], bad_indices_policy="IGNORE")
    assert y.numpy().tolist() == [1, 7]


def test_confusion_matrix_counts_pairs():
    function = tf.math.confusion_matrix
    expected = np.zeros((5, 5), int)
    expected[[1, 2, 4], [2, 2, 4]] = 1
    np.testing.assert_array_equal(function([1, 2, 4], [2, 2, 4]), expected)
    np.testing.assert_array_equal(function([[1], [2], [4]], tf.constant([2, 2, 4], tf.int64)), expected)
    assert function([1], [0], num_classes=3).shape == [3, 3]
    weighted = function([1, 1], [0, 0], weights=[0.5, 2.0], dtype=tf.float32)
    assert weighted.numpy().tolist() == [[0, 0], [2.5, 0]]
    for labels, predictions, count in [([1, 2], [2, 2], 2), ([1, -2], [2, 2], None), ([1, 2], [2], None)]:
        with pytest.raises(tf.errors.InvalidArgumentError, match="confusion_matrix"):
            function(labels, predictions, count)
    with pytest.raises(ValueError, match="weights"):
        function([1, 2], [2, 2], weights=[1, 2, 3])


def test_confusion_matrix_of_any_length_is_recorded():
    labels, predictions = np.random.default_rng(0).integers(0, 4, (2, 1000))
    function = tf.function(lambda labels, predictions: tf.math.confusion_matrix(labels, predictions, 4))
    for first, second in ((labels, predictions), (predictions, labels)):
        expected = np.zeros((4, 4), int)
        np.add.at(expected, (first, second), 1)
        np.testing.assert_array_equal(function(tf.constant(first), tf.constant(second)), expected)
    with pytest.raises(tf.errors.InvalidArgumentError, match="confusion_matrix"):
        tf.function(lambda: tf.math.confusion_matrix(tf.constant(labels), tf.constant(predictions + 1), 4))()


@pytest.mark.parametrize("dtype", ["uint8", "uint64", "int8", "float16"])
def test_subtracting_updates_of_any_number(dtype):
    x = tf.constant(np.array([5, 3, 0], dtype))
    y = tf.tensor_scatter_nd_sub(x, [[0], [0]], tf.constant(np.array([1, 2], dtype)))
    assert y.dtype == dtype
    assert y.numpy().tolist() == [2, 3, 0]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_width_updates_of_one_row_are_added_in_float32(dtype):
    values = tf.cast(np.random.default_rng(0).normal(size=(4000, 2)) + 1.0, dtype)
    rows = np.arange(4000) % 2
    sums = tf.math.unsorted_segment_sum(tf.cast(values, tf.float64), rows, 2)
    variable = tf.Variable(tf.zeros([2, 2], dtype))
    variable.scatter_add(tf.IndexedSlices(values, tf.constant(rows)))
    added = tf.tensor_scatter_nd_add(tf.zeros([2, 2], dtype), rows[:, None], values)
    for found in (added, variable):
        np.testing.assert_allclose(tf.cast(found, tf.float64), sums, rtol=2.0**-8)
