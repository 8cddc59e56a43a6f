"""tile, repeat and meshgrid against NumPy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastgrad as tf

SHAPES = st.lists(st.integers(0, 3), max_size=3).map(tuple)


def numbers(shape):
    return np.arange(np.prod(shape, dtype=float)).reshape(shape)


@pytest.mark.parametrize("multiples", [[2], [-1, 1], 2, [1.5, 1], [1, 1, 1]])
def test_tile_refuses_other_multiples(multiples):
    with pytest.raises(tf.errors.InvalidArgumentError, match="tile"):
        tf.tile(tf.zeros([2, 3]), multiples)


@settings(max_examples=60, deadline=None)
@given(SHAPES, st.integers(0, 3), st.data())
def test_repeat_is_numpys(shape, count, data):
    x = numbers(shape)
    np.testing.assert_array_equal(tf.repeat(x, count), np.repeat(x, count))
    if shape:
        axis = data.draw(st.integers(-len(shape), len(shape) - 1))
        np.testing.assert_array_equal(tf.repeat(x, count, axis), np.repeat(x, count, axis))
        each = [data.draw(st.integers(0, 3)) for _ in range(shape[axis])]
        np.testing.assert_array_equal(tf.repeat(x, tf.constant(each, tf.int32), axis), np.repeat(x, each, axis))


def test_repeat_of_scalars_and_vectors():
    assert tf.repeat(3, 4).numpy().tolist() == [3, 3, 3, 3]
    assert tf.repeat(3, 4, axis=0).numpy().tolist() == [3, 3, 3, 3]
    assert tf.repeat([1, 2], [2], axis=0).numpy().tolist() == [1, 1, 2, 2]
    assert tf.repeat([[1, 2], [3, 4]], [0, 1, 2, 0]).numpy().tolist() == [2, 3, 3]


def test_repeat_refuses_other_repeats():
    x = tf.zeros([2, 3])
    for repeats, axis in [([1, 2, 3], 0), ([[1, 2]], 0), ([1, 2, 3], None), (2, 2), (2, -3)]:
        with pytest.raises(ValueError, match="repeat"):
            tf.repeat(x, repeats, axis)
    for repeats in (-1, [1, -1]):
        with pytest.raises(tf.errors.InvalidArgumentError, match="repeat"):
            tf.repeat(x, repeats, axis=0)
    with pytest.raises(TypeError, match="repeat"):
        tf.repeat(x, 1.5)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 3), min_size=1, max_size=4), st.sampled_from(["xy", "ij"]))
def test_meshgrid_is_numpys(lengths, indexing):
    vectors = [np.arange(length) + 10 * number for number, length in enumerate(lengths)]
    for ours, theirs in zip(
        tf.meshgrid(*vectors, indexing=indexing), np.meshgrid(*vectors, indexing=indexing), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)


def test_meshgrid_refuses_other_arguments():
    assert tf.meshgrid() == []
    with pytest.raises(ValueError, match="indexing"):
        tf.meshgrid([1], [2], indexing="yx")
    with pytest.raises(TypeError, match="sparse"):
        tf.meshgrid([1], [2], sparse=True)
    with pytest.raises(tf.errors.InvalidArgumentError):
        tf.meshgrid([1], [2.0])
