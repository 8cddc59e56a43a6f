"""Dropout by a seed and by one's own draws; the earlier names in tf.random.experimental."""

import numpy as np
import pytest

import fastgrad as tf


def test_general_dropout_keeps_what_draws_at_least_the_rate():
    draws = np.array([0.1, 0.5, 0.6, 0.9], np.float32)
    y = tf.nn.experimental.general_dropout(tf.ones(4), 0.5, lambda shape, dtype: tf.constant(draws, dtype))
    assert y.numpy().tolist() == [0, 2, 2, 2]
    rows = tf.nn.experimental.general_dropout(
        tf.ones([4, 2]), 0.5, lambda shape, dtype: tf.reshape(tf.constant(draws, dtype), shape), noise_shape=[4, 1]
    )
    assert rows.numpy().tolist() == [[0, 0], [2, 2], [2, 2], [2, 2]]
    with pytest.raises(ValueError, match="rate"):
        tf.nn.experimental.general_dropout(tf.ones(4), 1.5, tf.random.uniform)


def test_stateless_dropout_is_a_function_of_its_seed():
    x = tf.ones(1000)
    first, again, other = (tf.nn.experimental.stateless_dropout(x, 0.25, [3, seed]) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.any(first.numpy() != other.numpy())
    assert abs(np.mean(first.numpy() > 0) - 0.75) < 0.05


def test_names_of_random_experimental():
    experimental = tf.random.experimental
    assert experimental.Generator is tf.random.Generator
    assert experimental.stateless_fold_in is tf.random.fold_in
    assert experimental.stateless_split is tf.random.split
    shuffled = experimental.stateless_shuffle(tf.range(10), [1, 2])
    assert sorted(shuffled.numpy().tolist()) == list(range(10))
    with pytest.raises(AttributeError, match="stateless_shuffle"):
        experimental.index_shuffle
