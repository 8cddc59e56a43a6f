from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastgrad as tf

INT32 = st.integers(-(2**31), 2**31 - 1)


@given(INT32, INT32, st.integers(0, 31))
def test_values_are_pythons(x, y, count):
    a, b = tf.constant(x, tf.int32), tf.constant(y, tf.int32)
    assert tf.bitwise.bitwise_and(a, b).numpy() == x & y
    assert tf.bitwise.bitwise_or(a, b).numpy() == x | y
    assert tf.bitwise.bitwise_xor(a, b).numpy() == x ^ y
    assert tf.bitwise.invert(a).numpy() == ~x
    assert tf.bitwise.right_shift(a, count).numpy() == x >> count
    assert tf.bitwise.left_shift(a, count).numpy() == ((x << count) + 2**31) % 2**32 - 2**31


@pytest.mark.parametrize("dtype", [tf.int8, tf.uint16, tf.int64, tf.uint64])
def test_shifts_stay_within_the_width(dtype):
    x = tf.constant([8], dtype)
    assert tf.bitwise.right_shift(x, tf.constant([100], dtype)).numpy().tolist() == [0]
    assert tf.bitwise.left_shift(tf.constant([0], dtype), tf.constant([100], dtype)).numpy().tolist() == [0]


def test_shift_counts_below_zero_are_zero():
    assert tf.bitwise.left_shift([1], [-1]).numpy().tolist() == [1]
    assert tf.bitwise.right_shift([-8], [40]).numpy().tolist() == [-1]


@pytest.mark.parametrize("value", [[1.0], [True]])
def test_only_integers_have_bits(value):
    for function in (tf.bitwise.bitwise_and, tf.bitwise.bitwise_or, tf.bitwise.bitwise_xor, tf.bitwise.left_shift):
        with pytest.raises(tf.errors.InvalidArgumentError, match="got dtype"):
            function(tf.constant(value), tf.constant(value))
