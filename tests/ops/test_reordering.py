"""reverse, roll and reverse_sequence against NumPy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastgrad as tf

SHAPES = st.lists(st.integers(0, 4), min_size=1, max_size=3).map(tuple)


def numbers(shape):
    return np.arange(np.prod(shape, dtype=float)).reshape(shape)


@settings(max_examples=50, deadline=None)
@given(SHAPES, st.data())
def test_reverse_flips_axes(shape, data):
    x = numbers(shape)
    axes = sorted(data.draw(st.sets(st.integers(0, len(shape) - 1))))
    np.testing.assert_array_equal(tf.reverse(x, axes), np.flip(x, tuple(axes)))
    np.testing.assert_array_equal(tf.reverse(x, [axis - len(shape) for axis in axes]), np.flip(x, tuple(axes)))


@settings(max_examples=50, deadline=None)
@given(SHAPES, st.integers(-9, 9), st.data())
def test_roll_is_numpys(shape, shift, data):
    x = numbers(shape)
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    np.testing.assert_array_equal(tf.roll(x, shift, axis), np.roll(x, shift, axis))
    np.testing.assert_array_equal(tf.roll(x, [shift, 1], [axis, 0]), np.roll(x, [shift, 1], [axis, 0]))


def test_reverse_and_roll_refuse_bad_axes():
    x = tf.zeros([2, 3])
    for axis in (0, [0, 0], [0, -2], [2], [-3]):
        with pytest.raises(tf.errors.InvalidArgumentError, match="reverse"):
            tf.reverse(x, axis)
    for shift, axis in [(1, 2), (1, -3), (1, [0, 1]), ([1, 1], 0), (1.5, 0)]:
        with pytest.raises((tf.errors.InvalidArgumentError, TypeError), match="roll"):
            tf.roll(x, shift, axis)
    with pytest.raises(tf.errors.InvalidArgumentError, match="roll"):
        tf.roll(tf.constant(1.0), 1, 0)


@settings(max_examples=30, deadline=None)
@given(st.permutations([0, 1, 2]), st.lists(st.integers(0, 4), min_size=3, max_size=3))
def test_reverse_sequence_turns_the_first_elements_of_each_row(order, lengths):
    batch, sequence, _ = order
    shape = [2, 2, 2]
    shape[batch], shape[sequence] = 3, 4
    x = numbers(shape)
    y = np.moveaxis(x.copy(), (batch, sequence), (0, 1))
    for row, length in enumerate(lengths):
        y[row, :length] = y[row, :length][::-1].copy()
    expected = np.moveaxis(y, (0, 1), (batch, sequence))
    np.testing.assert_array_equal(tf.reverse_sequence(x, lengths, sequence, batch), expected)


def test_reverse_sequence_refuses_what_does_not_fit():
    x = tf.zeros([2, 3])
    for lengths, sequence, batch in [
        ([2, 4], 1, 0),
        ([-1, 2], 1, 0),
        ([2], 1, 0),
        ([2, 2], 0, 0),
        ([2, 2], 2, 0),
        ([2, 2], None, 0),
        ([2.0, 2.0], 1, 0),
    ]:
        with pytest.raises(tf.errors.InvalidArgumentError, match="reverse_sequence"):
            tf.reverse_sequence(x, lengths, sequence, batch)
