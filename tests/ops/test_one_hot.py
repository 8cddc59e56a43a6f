"""one_hot and sequence_mask against NumPy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastgrad as tf


@pytest.mark.parametrize(
    ("options", "dtype", "expected"),
    [
        ({}, "float32", [0, 1]),
        ({"dtype": tf.int64}, "int64", [0, 1]),
        ({"on_value": 5, "off_value": 2}, "int32", [2, 5]),
        ({"on_value": 5}, "int32", [0, 5]),
        ({"off_value": 2.0}, "float32", [2, 1]),
        ({"on_value": 5, "dtype": tf.float32}, "float32", [0, 5]),
        ({"on_value": True, "off_value": False}, "bool", [False, True]),
        ({"on_value": "a", "off_value": "b"}, "string", [b"b", b"a"]),
    ],
)
def test_one_hot_values_and_dtypes(options, dtype, expected):
    ours = tf.one_hot(1, 2, **options)
    assert ours.dtype == dtype
    assert ours.numpy().tolist() == expected


def test_one_hot_takes_small_integers_and_bools():
    for ids in (tf.constant([1], tf.uint8), tf.constant([1], tf.int8), tf.constant([1], tf.int64), [True]):
        assert tf.one_hot(ids, tf.constant(2)).numpy().tolist() == [[0, 1]]


def test_one_hot_refuses_what_does_not_fit():
    for ids, depth, options in [
        ([1.0], 3, {}),
        (tf.constant([1], tf.int16), 3, {}),
        ([1], -3, {}),
        ([1], 3, {"axis": 2}),
        ([1], 3, {"axis": -2}),
        ([1], 3, {"on_value": [1, 2], "off_value": [1, 2]}),
    ]:
        with pytest.raises(tf.errors.InvalidArgumentError, match="one_hot"):
            tf.one_hot(ids, depth, **options)
    for options in [
        {"on_value": 5.0, "off_value": 1},
        {"on_value": tf.constant(5.0), "dtype": tf.int32},
        {"dtype": tf.bool},
        {"dtype": tf.string},
    ]:
        with pytest.raises(TypeError):
            tf.one_hot([0], 2, **options)
    with pytest.raises(TypeError):
        tf.one_hot([0], 3.0)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 3), max_size=2), st.none() | st.integers(0, 6), st.data())
def test_sequence_mask_is_true_below_each_length(shape, maxlen, data):
    count = int(np.prod(shape))
    lengths = np.array(data.draw(st.lists(st.integers(-1, 5), min_size=count, max_size=count)), np.int32).reshape(shape)
    width = max([0, *lengths.reshape(-1)]) if maxlen is None else maxlen
    np.testing.assert_array_equal(tf.sequence_mask(lengths, maxlen), np.arange(width) < lengths[..., None])


def test_sequence_mask_takes_floats_and_gives_any_dtype():
    assert tf.sequence_mask([1.5, 3.0]).numpy().tolist() == [[True, True, False], [True, True, True]]
    assert tf.sequence_mask([1], 2, tf.float32).numpy().tolist() == [[1, 0]]
    assert tf.sequence_mask(2, maxlen=tf.constant(3)).numpy().tolist() == [True, True, False]
    with pytest.raises(ValueError, match="scalar"):
        tf.sequence_mask([1], [2])
    with pytest.raises(tf.errors.InvalidArgumentError):
        tf.sequence_mask([1], -2)


def test_lengths_take_the_dtype_of_maxlen():
    lengths = tf.constant([1.4, 2.0, 0.2])
    assert tf.sequence_mask(lengths, 3).numpy().sum(1).tolist() == [1, 2, 0]
    assert tf.sequence_mask(lengths, 3.0).numpy().sum(1).tolist() == [2, 2, 1]
    assert tf.sequence_mask(lengths).numpy().sum(1).tolist() == [2, 2, 1]
