"""Scatters against NumPy, and the errors of bad positions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastgrad as tf

SCATTERS = {
    "update": (tf.tensor_scatter_nd_update, None),
    "add": (tf.tensor_scatter_nd_add, np.add),
    "sub": (tf.tensor_scatter_nd_sub, np.subtract),
    "max": (tf.tensor_scatter_nd_max, np.maximum),
    "min": (tf.tensor_scatter_nd_min, np.minimum),
}


@st.composite
def scatters(draw):
    """A tensor, positions in it (repeated ones, too), and updates for them."""
    shape = draw(st.lists(st.integers(1, 4), min_size=1, max_size=3))
    outer = draw(st.lists(st.integers(0, 4), max_size=2))
    depth = draw(st.integers(1, len(shape)))
    rng = np.random.default_rng(draw(st.integers(0, 100)))
    ids = np.stack([rng.integers(0, size, outer) for size in shape[:depth]], -1)
    return rng.normal(size=shape), ids, rng.normal(size=(*outer, *shape[depth:]))


def written(x, ids, updates, ufunc):
    x = x.copy()
    for position in np.ndindex(ids.shape[:-1]):
        key = tuple(ids[position])
        x[key] = updates[position] if ufunc is None else ufunc(x[key], updates[position])
    return x


@pytest.mark.parametrize("kind", SCATTERS)
@settings(max_examples=40, deadline=None)
@given(scatters())
def test_tensor_scatters(kind, arguments):
    function, ufunc = SCATTERS[kind]
    np.testing.assert_allclose(function(*arguments), written(*arguments, ufunc), rtol=1e-12, atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(scatters())
def test_scatter_nd_adds_to_zeros(arguments):
    x, ids, updates = arguments
    expected = written(np.zeros_like(x), ids, updates, np.add)
    np.testing.assert_allclose(tf.scatter_nd(ids, updates, x.shape), expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(tf.scatter_nd(ids, updates, tf.constant(x.shape)), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "int8", "uint64", "complex64"])
def test_every_dtype(dtype):
    x, updates = tf.cast([1, 2, 3], dtype), tf.cast([4, 5], dtype)
    for y, expected in [
        (tf.scatter_nd([[0], [2]], updates, [3]), [4, 0, 5]),
        (tf.tensor_scatter_nd_update(x, [[0], [2]], updates), [4, 2, 5]),
        (tf.tensor_scatter_nd_add(x, [[0], [0]], updates), [10, 2, 3]),
    ]:
        assert y.dtype == dtype
        assert y.numpy().astype(complex).tolist() == expected
    assert tf.scatter_nd([[0]], [True], [2]).numpy().tolist() == [True, False]


def test_python_updates_take_the_tensors_dtype():
    assert tf.tensor_scatter_nd_update(tf.zeros([2]), [[0]], [7]).dtype == tf.float32
    assert tf.tensor_scatter_nd_sub(tf.zeros([2]), [[0]], [7]).numpy().tolist() == [-7, 0]


def test_bad_positions_are_named():
    x = tf.zeros([2, 3])
    for function in [function for function, _ in SCATTERS.values()]:
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
