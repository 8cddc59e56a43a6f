"""Elements that fail, and snapshots."""

import numpy as np
import pytest

import fastgrad as tf

Dataset = tf.data.Dataset


def whole(n):
    """An error for odd numbers, the half of even ones."""
    tf.debugging.assert_equal(n % 2, tf.constant(0, tf.int64), "odd")
    return n // 2


@pytest.mark.parametrize("threads", [None, tf.data.AUTOTUNE])
def test_elements_that_fail_are_left_out(threads):
    data = Dataset.range(200).map(whole, threads).ignore_errors()
    for _ in range(2):
        assert [int(n) for n in data] == list(range(100))
    assert int(data.cardinality()) == tf.data.UNKNOWN_CARDINALITY
    assert data.element_spec == tf.TensorSpec((), tf.int64)


@pytest.mark.parametrize("size", [0, 1])
def test_the_spec_is_known_where_each_element_fails(size):
    def inverse(n):
        return tf.debugging.check_numerics(1.0 / tf.cast(n, tf.float32), "of zero")

    data = Dataset.range(size).map(inverse).ignore_errors()
    assert data.element_spec == tf.TensorSpec((), tf.float32)
    assert list(data.batch(2)) == []


def test_errors_of_python_too_and_told_of():
    data = Dataset.from_tensor_slices([4, 0, 2]).map(lambda n: tf.constant(8 // int(n))).ignore_errors(log_warning=True)
    with pytest.warns(UserWarning, match="ZeroDivisionError"):
        assert [int(n) for n in data] == [2, 4]


def test_numbers_that_are_not_finite():
    data = Dataset.from_tensor_slices([1.0, 0.0, 4.0]).map(lambda x: tf.debugging.check_numerics(1.0 / x, "bad"))
    np.testing.assert_array_equal([float(x) for x in data.ignore_errors()], [1.0, 0.25])


def test_snapshots_are_read_again(tmp_path):
    made = []

    def noted(n):
        made.append(int(n))
        return n * 2

    data = Dataset.range(5).map(lambda n: tf.py_function(noted, [n], tf.int64)).snapshot(str(tmp_path / "kept"))
    assert [int(n) for n in data] == [0, 2, 4, 6, 8]
    count = len(made)
    assert [int(n) for n in data.repeat(2)] == [0, 2, 4, 6, 8] * 2
    assert len(made) == count
    again = Dataset.range(0).snapshot(str(tmp_path / "kept"))
    assert [int(n) for n in again] == [0, 2, 4, 6, 8]
    with pytest.raises(ValueError, match="shards"):
        data.snapshot("x", shard_func=lambda n: n)
