"""Dropout by a seed; the earlier names in tf.random.experimental."""

import numpy as np
import pytest

import fastgrad as tf


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
    with pytest.raises(AttributeError, match="stateless_uniform"):
        experimental.index_shuffle
