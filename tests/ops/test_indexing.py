"""gather, gather_nd, where, boolean_mask and embedding_lookup against NumPy, and the errors of bad positions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastgrad as tf
from tests.gradients import check_gradient


def numbers(shape, dtype="float64"):
    return np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(tf.as_dtype(dtype).as_numpy_dtype)


# ---- gather ------------------------------------------------------------------------------------------


def test_gather_counts_batch_dims_from_the_end():
    x, ids = numbers([2, 3]), [[0, 1], [1, 1]]
    np.testing.assert_array_equal(tf.gather(x, ids, batch_dims=-1), [[0, 1], [4, 4]])
    np.testing.assert_array_equal(tf.gather(x, [0, 1], batch_dims=1), [0, 4])


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "int8", "bool", "complex64"])
def test_every_dtype_is_gathered(dtype):
    x = numbers([3, 2], dtype)
    y = tf.gather(x, [2, 0])
    assert y.dtype == dtype
    np.testing.assert_array_equal(y.numpy(), x[[2, 0]])
    assert tf.gather(["a", "b"], [1, 1]).numpy().tolist() == [b"b", b"b"]


def test_tables_and_indices_may_be_views():
    x, ids = numbers([3, 4, 2], "float32"), numbers([2, 2], "int32")
    table, picked = tf.transpose(x), tf.transpose(tf.constant(ids))
    np.testing.assert_array_equal(tf.gather(table[:, ::-1], picked % 2), x.T[:, ::-1][ids.T % 2])
    np.testing.assert_array_equal(tf.gather(table, tf.broadcast_to(1, [2, 2])), x.T[np.ones((2, 2), int)])


def test_a_bad_index_is_named_with_its_position_and_the_range():
    x = tf.zeros([2, 3])
    for arguments, options, message in [
        (([0, 5],), {}, r"indices\[1\] = 5 is not in \[0, 2\)"),
        (([0, -1],), {}, r"indices\[1\] = -1 is not in \[0, 2\)"),
        (([[0, 3]],), {"axis": 1}, r"indices\[0,1\] = 3 is not in \[0, 3\)"),
        (([[0], [5]],), {"batch_dims": 1}, r"indices\[1,0\] = 5 is not in \[0, 3\)"),
        ((tf.constant([-(2**63)]),), {}, "is not in"),
        ((tf.constant([2**63 - 1]),), {}, "is not in"),
        ((tf.constant([-1], tf.int16),), {}, "is not in"),
    ]:
        with pytest.raises(tf.errors.InvalidArgumentError, match=message):
            tf.gather(x, *arguments, **options)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"\[0, 0\)"):
        tf.gather(tf.zeros([0, 3]), [0])


def test_gather_refuses_what_does_not_fit():
    x = tf.zeros([2, 3])
    for params, ids, options in [
        (x, [0.0], {}),
        (x, [], {}),
        (x, [True], {}),
        (x, tf.constant([0], tf.int8), {}),
        (x, [0], {"axis": 2}),
        (x, [0], {"axis": -3}),
        (x, [0, 1, 1], {"batch_dims": 1}),
        (x, [[0], [1]], {"batch_dims": 2}),
        (x, [[0], [1]], {"batch_dims": 1, "axis": 0}),
        (tf.constant(1.0), 0, {}),
    ]:
        with pytest.raises(tf.errors.InvalidArgumentError, match="gather"):
            tf.gather(params, ids, **options)


def test_embedding_lookup_takes_several_tables_and_a_largest_norm():
    x = tf.constant([[3.0, 4.0], [0.0, 0.5], [0.0, 0.0]])
    np.testing.assert_array_equal(tf.nn.embedding_lookup([x, x + 1], [3, 0]), [[4, 5], [3, 4]])
    np.testing.assert_allclose(
        tf.nn.embedding_lookup(x, [[0], [1], [2]], max_norm=1.0), [[[0.6, 0.8]], [[0, 0.5]], [[0, 0]]]
    )
    with pytest.raises(ValueError, match="param"):
        tf.nn.embedding_lookup([], [0])
    with pytest.raises(tf.errors.InvalidArgumentError, match="is not in"):
        tf.nn.embedding_lookup(x, [3])


# ---- gather_nd ---------------------------------------------------------------------------------------


def test_gather_nd_names_bad_positions():
    x = tf.zeros([2, 3])
    for ids, message in [
        ([[0, 5]], r"indices\[0\] = \[0, 5\] does not index into shape \[2, 3\]"),
        ([[0, 0], [0, -1]], r"indices\[1\] = \[0, -1\]"),
        ([[0, 1, 1]], "3 vs. 2"),
        (0, "vector"),
        ([[0.0]], "float32"),
    ]:
        with pytest.raises(tf.errors.InvalidArgumentError, match=message):
            tf.gather_nd(x, ids)
    with pytest.raises(ValueError, match="batch_dims"):
        tf.gather_nd(x, [[0], [1]], batch_dims=2)
    with pytest.raises(tf.errors.InvalidArgumentError, match="batch_dims"):
        tf.gather_nd(x, [[0], [1], [1]], batch_dims=1)
    with pytest.raises(tf.errors.InvalidArgumentError, match="foo"):
        tf.gather_nd(x, [[0]], bad_indices_policy="foo")
    np.testing.assert_array_equal(tf.gather_nd(x + 1, [[0], [7]], bad_indices_policy="IGNORE"), [[1, 1, 1], [0, 0, 0]])


# ---- where and masks ---------------------------------------------------------------------------------


def test_where_converts_python_values():
    condition = tf.constant([True, False])
    assert tf.where(condition, tf.constant([1.0, 2.0]), 0).numpy().tolist() == [1, 0]
    assert tf.where(condition, 0, tf.constant([1.0, 2.0])).dtype == tf.float32
    assert tf.where(condition, 1, 0).dtype == tf.int32
    assert tf.where(condition, 1.5, 2).dtype == tf.float32
    assert tf.where([True], "a", "b").numpy().tolist() == [b"a"]
    assert tf.where(tf.constant([2.0, 0.0])).numpy().tolist() == [[0]]


def test_where_refuses_what_does_not_fit():
    x = tf.zeros([2, 3])
    for x_or_y in ({"x": x}, {"y": x}):
        with pytest.raises(ValueError, match="both"):
            tf.where([True, False], **x_or_y)
    for arguments in ((x, x, x), ([True, False], x, x), (True, x, tf.zeros([2, 3], tf.float64)), (True,)):
        with pytest.raises(tf.errors.InvalidArgumentError):
            tf.where(*arguments)
    with pytest.raises(TypeError):
        tf.where([1, 0], [1, 2], [3, 4])
    with pytest.raises(TypeError):
        tf.where([True], 1, 2.5)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 3), min_size=1, max_size=4), st.data())
def test_boolean_mask_keeps_what_is_true(shape, data):
    first = data.draw(st.integers(0, len(shape) - 1))
    last = data.draw(st.integers(first + 1, len(shape)))
    mask = np.random.default_rng(0).random(shape[first:last]) < 0.5
    x = numbers(shape)
    key = (*[slice(None)] * first, mask)
    np.testing.assert_array_equal(tf.boolean_mask(x, mask, axis=first), x[key])
    np.testing.assert_array_equal(tf.boolean_mask(x, mask.astype(int), axis=first - len(shape)), x[key])


def test_boolean_mask_refuses_masks_that_do_not_fit():
    x = tf.zeros([2, 3])
    for mask, axis in [([True, False, True], None), (True, None), ([[[True]]], None), ([True, False], 2), ([], None)]:
        with pytest.raises(ValueError, match="mask"):
            tf.boolean_mask(x, mask, axis)


# ---- dynamic_partition and dynamic_stitch --------------------------------------------------------------


def test_dynamic_partition_and_stitch_are_inverse():
    x, parts = numbers([5, 2]), np.array([1, 0, 2, 0, 1])
    pieces = tf.dynamic_partition(x, parts, 4)
    assert [piece.shape[0] for piece in pieces] == [2, 2, 1, 0]
    positions = tf.dynamic_partition(tf.range(5), parts, 4)
    np.testing.assert_array_equal(tf.dynamic_stitch(positions, pieces), x)
    assert [piece.numpy().tolist() for piece in tf.dynamic_partition([[1, 2], [3, 4]], [[0, 1], [1, 0]], 2)] == [
        [1, 4],
        [2, 3],
    ]
    assert [piece.numpy().tolist() for piece in tf.dynamic_partition([1, 2], 1, 2)] == [[], [[1, 2]]]


def test_dynamic_partition_and_stitch_refuse_what_does_not_fit():
    x = tf.zeros([2, 3])
    for parts, count in [([1, 2], 2), ([1, -1], 2), ([1], 2), ([0, 0], 0)]:
        with pytest.raises(tf.errors.InvalidArgumentError, match="dynamic_partition"):
            tf.dynamic_partition(x, parts, count)
    for indices, data in [
        ([[-1]], [[1.0]]),
        ([], []),
        ([[0, 1], [2]], [[1.0, 2.0], [3.0, 4.0]]),
        ([[0]], [[1.0], [2.0]]),
    ]:
        with pytest.raises(tf.errors.InvalidArgumentError, match="dynamic_stitch"):
            tf.dynamic_stitch(indices, data)


def test_unravel_index_is_numpys():
    np.testing.assert_array_equal(tf.unravel_index([2, 5, 7], [3, 3]), np.unravel_index([2, 5, 7], (3, 3)))
    assert tf.unravel_index(tf.constant(5, tf.int64), tf.constant([3, 3])).numpy().tolist() == [1, 2]
    for ids, dims in [([9], [3, 3]), ([-1], [3, 3]), ([[2]], [3, 3]), ([2.0], [3, 3]), ([2], [3, 0])]:
        with pytest.raises(tf.errors.InvalidArgumentError, match="unravel_index"):
            tf.unravel_index(ids, dims)


# ---- gradients ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [1, 2])
def test_bad_positions_that_are_ignored_have_no_gradient(order):
    x = np.random.default_rng(3).normal(size=(2, 3))
    check_gradient(lambda x: tf.gather_nd(x, [[1, 1], [5, 5]], bad_indices_policy="IGNORE") ** 2, x, order=order)


def test_no_batch_dims_are_none():
    assert tf.gather([[10, 11, 12], [13, 14, 15]], [1, 0], axis=1, batch_dims=None).numpy().tolist() == [
        [11, 10],
        [14, 13],
    ]
