"""Axes of reverse and roll, and what they and reverse_sequence refuse."""

import numpy as np
import pytest

import fastgrad as tf


def test_axes_count_from_the_end():
    x = np.arange(12.0).reshape(3, 4)
    np.testing.assert_array_equal(tf.reverse(x, [-1]), x[:, ::-1])
    np.testing.assert_array_equal(tf.roll(x, [1, 2], [-1, 0]), np.roll(x, [1, 2], [1, 0]))


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
