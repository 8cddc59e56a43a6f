"""Blocks of pixels moved to channels or to the batch, and back."""

import numpy as np
import pytest

import fastgrad as tf

IMAGE = np.arange(2 * 4 * 6 * 3.0).reshape(2, 4, 6, 3)


@pytest.mark.parametrize("data_format", ["NHWC", "NCHW"])
def test_space_to_depth_gathers_each_block_into_one_pixel(data_format):
    x = IMAGE if data_format == "NHWC" else IMAGE.transpose(0, 3, 1, 2)
    y = tf.nn.space_to_depth(x, 2, data_format)
    z = tf.nn.depth_to_space(y, 2, data_format)
    np.testing.assert_array_equal(z, x)
    pixels = y.numpy() if data_format == "NHWC" else y.numpy().transpose(0, 2, 3, 1)
    assert pixels.shape == (2, 2, 3, 12)
    for row in range(2):
        for column in range(3):
            block = IMAGE[:, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
            np.testing.assert_array_equal(pixels[:, row, column], block.reshape(2, 12))


def test_space_to_batch_spreads_blocks_over_the_batch():
    y = tf.space_to_batch(IMAGE, [2, 3], [[0, 0], [0, 0]])
    assert y.shape == [12, 2, 2, 3]
    for number, (row, column) in enumerate(np.ndindex(2, 3)):
        np.testing.assert_array_equal(y[2 * number : 2 * number + 2], IMAGE[:, row::2, column::3])
    np.testing.assert_array_equal(tf.batch_to_space(y, [2, 3], [[0, 0], [0, 0]]), IMAGE)


def test_space_to_batch_pads_and_batch_to_space_crops():
    y = tf.space_to_batch(IMAGE, [3, 2], [[1, 1], [2, 0]])
    assert y.shape == [12, 2, 4, 3]
    np.testing.assert_array_equal(tf.batch_to_space(y, [3, 2], [[1, 1], [2, 0]]), IMAGE)
    assert tf.space_to_batch(IMAGE, [2], [[0, 0]]).shape == [4, 2, 6, 3]
    assert tf.nn.space_to_batch is tf.space_to_batch


def test_sizes_that_blocks_do_not_divide_are_refused():
    for function, arguments in [
        (tf.nn.space_to_depth, (IMAGE, 3)),
        (tf.nn.space_to_depth, (IMAGE, 1)),
        (tf.nn.space_to_depth, (IMAGE[0], 2)),
        (tf.nn.space_to_depth, (IMAGE, 2, "HWCN")),
        (tf.nn.depth_to_space, (IMAGE, 2)),
        (tf.space_to_batch, (IMAGE, [3, 2], [[0, 0], [0, 0]])),
        (tf.space_to_batch, (IMAGE, 2, [[0, 0]])),
        (tf.space_to_batch, (IMAGE, [2, 2], [[0, 0]])),
        (tf.space_to_batch, (IMAGE, [2, 2], [[0, 0], [-1, 1]])),
        (tf.batch_to_space, (IMAGE, [2, 2], [[0, 0], [0, 0]])),
        (tf.batch_to_space, (IMAGE, [2, 1], [[5, 4], [0, 0]])),
        (tf.space_to_batch, (IMAGE[0, 0, 0], [2], [[0, 0]])),
    ]:
        with pytest.raises(tf.errors.InvalidArgumentError, match="_to_"):
            function(*arguments)
