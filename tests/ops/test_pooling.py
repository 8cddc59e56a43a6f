"""Pooling against direct loops over windows, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastgrad as tf
from tests.gradients import gradient_of

MAX = {1: tf.nn.max_pool1d, 2: tf.nn.max_pool2d, 3: tf.nn.max_pool3d}
AVG = {1: tf.nn.avg_pool1d, 2: tf.nn.avg_pool2d, 3: tf.nn.avg_pool3d}
FIRST = {1: "NCW", 2: "NCHW", 3: "NCDHW"}


def distinct(*shape, seed=0):
    """Numbers of which no two are near each other: maxima stay where they are when one moves a little."""
    return np.random.default_rng(seed).permutation(int(np.prod(shape))).reshape(shape) / 7.0


def windows_of(x, kernel, strides, padding, dilations=None):
    """(place of the window, its cells inside the input) by the definitions of SAME and VALID."""
    dilations = dilations or (1,) * len(kernel)
    sizes = x.shape[1:-1]
    starts, outputs = [], []
    for axis, (size, width, stride, dilation) in enumerate(zip(sizes, kernel, strides, dilations, strict=True)):
        reach = (width - 1) * dilation + 1
        if padding == "SAME":
            outputs.append(int(np.ceil(size / stride)))
            starts.append(-(max((outputs[-1] - 1) * stride + reach - size, 0) // 2))
        elif padding == "VALID":
            outputs.append((size - reach) // stride + 1)
            starts.append(0)
        else:
            before, after = padding[axis]
            outputs.append((size + before + after - reach) // stride + 1)
            starts.append(-before)
    for place in np.ndindex(*outputs):
        cells = []
        for cell in np.ndindex(*kernel):
            at = tuple(p * s + b + c * d for p, s, b, c, d in zip(place, strides, starts, cell, dilations, strict=True))
            if all(0 <= position < size for position, size in zip(at, sizes, strict=True)):
                cells.append(at)
        yield place, cells


def by_loops(x, reduce, kernel, strides, padding, dilations=None):
    found = {}
    for place, cells in windows_of(x, kernel, strides, padding, dilations):
        found[place] = reduce(np.stack([x[(slice(None), *at)] for at in cells]), axis=0)
    shape = [1 + max(axis) for axis in zip(*found, strict=True)]
    out = np.zeros((x.shape[0], *shape, x.shape[-1]), x.dtype)
    for place, values in found.items():
        out[(slice(None), *place)] = values
    return out


@st.composite
def cases(draw, rank):
    kernel = tuple(draw(st.integers(1, 3)) for _ in range(rank))
    strides = tuple(draw(st.integers(1, 3)) for _ in range(rank))
    sizes = tuple(width + draw(st.integers(0, 3)) for width in kernel)
    x = distinct(draw(st.integers(1, 2)), *sizes, draw(st.integers(1, 2)))
    return x, kernel, strides, draw(st.sampled_from(["SAME", "VALID"]))


@pytest.mark.parametrize("rank", [1, 2, 3])
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_pools_reduce_each_window_without_its_padding(rank, data):
    x, kernel, strides, padding = data.draw(cases(rank))
    for functions, reduce in ((MAX, np.max), (AVG, np.mean)):
        expected = by_loops(x, reduce, kernel, strides, padding)
        np.testing.assert_allclose(functions[rank](x, kernel, strides, padding).numpy(), expected, rtol=1e-13)
        first = functions[rank](np.moveaxis(x, -1, 1), kernel, strides, padding, data_format=FIRST[rank])
        np.testing.assert_allclose(first.numpy(), np.moveaxis(expected, -1, 1), rtol=1e-13)


def test_nan_is_the_maximum_and_infinite_gradients_stay_where_they_are():
    x = tf.constant([[[1.0], [np.nan], [3.0], [4.0]]])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.nn.max_pool1d(x, 2, 2, "VALID")
    np.testing.assert_array_equal(y.numpy().reshape(-1), [np.nan, 4.0])
    gradient = tape.gradient(y, x, tf.constant([[[2.0], [np.inf]]]))
    np.testing.assert_array_equal(gradient.numpy().reshape(-1), [0.0, 2.0, 0.0, np.inf])


def test_padding_is_never_the_maximum():
    x = -np.ones((1, 3, 3, 1), np.float32)
    np.testing.assert_array_equal(tf.nn.max_pool2d(x, 2, 2, "SAME").numpy(), -np.ones((1, 2, 2, 1)))
    lowest = np.full((1, 2, 1), -np.inf, np.float32)
    np.testing.assert_array_equal(tf.nn.max_pool1d(lowest, 2, 1, "SAME").numpy(), lowest)


@settings(max_examples=30, deadline=None)
@given(st.tuples(*[st.tuples(st.integers(0, 1), st.integers(0, 1))] * 2), st.integers(1, 3))
def test_explicit_padding_of_maxima(pairs, stride):
    x = distinct(2, 4, 5, 2)
    expected = by_loops(x, np.max, (2, 3), (stride, stride), pairs)
    y = tf.nn.max_pool2d(x, [2, 3], stride, [(0, 0), *pairs, (0, 0)])
    np.testing.assert_array_equal(y.numpy(), expected)


def test_general_pools_take_their_rank_from_the_input():
    x = distinct(2, 4, 4, 2)
    np.testing.assert_array_equal(tf.nn.max_pool(x, 2, 2, "SAME").numpy(), by_loops(x, np.max, (2, 2), (2, 2), "SAME"))
    np.testing.assert_allclose(tf.nn.avg_pool(x[0], 2, 2, "SAME").numpy(), by_loops(x[0], np.mean, (2,), (2,), "SAME"))
    np.testing.assert_array_equal(tf.nn.pool(x, [2, 3], "MAX").numpy(), by_loops(x, np.max, (2, 3), (1, 1), "VALID"))
    found = tf.nn.pool(x, [2, 2], "AVG", strides=[2, 1], padding="SAME").numpy()
    np.testing.assert_allclose(found, by_loops(x, np.mean, (2, 2), (2, 1), "SAME"))
    found = tf.nn.pool(x, [2, 2], "AVG", dilations=[2, 3]).numpy()
    np.testing.assert_allclose(found, by_loops(x, np.mean, (2, 2), (1, 1), "VALID", (2, 3)))


def test_argmax_counts_from_the_start_of_the_image_or_of_the_batch():
    x = distinct(2, 5, 4, 3)
    y, positions = tf.nn.max_pool_with_argmax(x, 2, 2, "SAME")
    assert positions.dtype == tf.int64
    for image in range(2):
        np.testing.assert_array_equal(x[image].reshape(-1)[positions.numpy()[image]], y.numpy()[image])
    counted = tf.nn.max_pool_with_argmax(x, 2, 2, "SAME", output_dtype=tf.int32, include_batch_in_index=True)
    assert counted.argmax.dtype == tf.int32
    np.testing.assert_array_equal(x.reshape(-1)[counted.argmax.numpy()], y.numpy())


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "int8", "uint8", "int32", "int64"])
def test_dtypes(dtype):
    x = tf.cast(np.arange(16).reshape(1, 4, 4, 1), dtype)
    y = tf.nn.max_pool2d(x, 2, 2, "VALID")
    assert y.dtype == dtype
    np.testing.assert_array_equal(y.numpy().astype(int).reshape(2, 2), [[5, 7], [13, 15]])


def test_means_in_half_precision_are_summed_in_float32():
    x = tf.ones((1, 4096, 1), "float16")
    assert float(tf.nn.avg_pool1d(x, 4096, 1, "VALID")[0, 0, 0]) == 1.0


def test_empty_batch():
    assert tf.nn.max_pool2d(np.zeros((0, 4, 4, 1)), 2, 2, "SAME").shape == (0, 2, 2, 1)
    assert tf.nn.avg_pool2d(np.zeros((2, 4, 4, 0)), 2, 2, "SAME").shape == (2, 2, 2, 0)


X = np.ones((1, 5, 5, 2), np.float32)
Invalid, Unimplemented = tf.errors.InvalidArgumentError, tf.errors.UnimplementedError

REFUSED = [
    (lambda: tf.nn.max_pool2d(X, [2, 1, 1, 1], 1, "VALID"), Unimplemented, "batch and depth"),
    (lambda: tf.nn.max_pool2d(X, [2, 2, 2], 1, "VALID"), ValueError, "length 1, 2 or 4"),
    (lambda: tf.nn.max_pool2d(X, 0, 1, "VALID"), Invalid, "ksize must be > 0"),
    (lambda: tf.nn.max_pool2d(X, 2, 0, "VALID"), Invalid, "strides must be > 0"),
    (lambda: tf.nn.max_pool2d(X, 7, 1, "VALID"), Invalid, "does not fit into an input of"),
    (lambda: tf.nn.max_pool2d(X, 2, 1, "same"), Invalid, "'same'"),
    (lambda: tf.nn.max_pool2d(X, 2, 1, [[1, 1], [1, 1]]), ValueError, "size 4"),
    (lambda: tf.nn.max_pool2d(X, 2, 1, [[0, 0], [3, 3], [1, 1], [0, 0]]), Invalid, "smaller than the window size 2"),
    (lambda: tf.nn.max_pool2d(X[0], 2, 1, "VALID"), Invalid, r"\[5, 5, 2\]"),
    (lambda: tf.nn.max_pool2d(X, 2, 1, "VALID", data_format="FOO"), Invalid, "FOO"),
    (lambda: tf.nn.max_pool2d(X > 0, 2, 1, "VALID"), Invalid, "bool"),
    (lambda: tf.nn.max_pool3d(X[None], 2, 1, [[0, 0]] * 5), TypeError, "Expected string"),
    (lambda: tf.nn.max_pool(X[0, 0], 2, 1, "VALID"), ValueError, r"\[5, 2\]"),
    (lambda: tf.nn.max_pool_with_argmax(X, 2, 1, "VALID", output_dtype=tf.float32), Invalid, "float32"),
    (lambda: tf.nn.max_pool_with_argmax(X, 2, 1, "VALID", data_format="NCHW"), Invalid, "NCHW"),
    (lambda: tf.nn.avg_pool2d(X, 2, 1, [[0, 0], [1, 1], [1, 1], [0, 0]]), TypeError, "Expected string"),
    (lambda: tf.nn.avg_pool2d(X.astype(int), 2, 1, "VALID"), Invalid, "int64"),
    (lambda: tf.nn.pool(X, [2, 2], "MIN"), ValueError, "2-D MIN pooling"),
    (lambda: tf.nn.pool(X, [2], "MAX"), ValueError, "must have rank 3"),
    (lambda: tf.nn.pool(X, [2, 2], "MAX", strides=[2, 2], dilations=[2, 2]), ValueError, "in conjunction"),
    (lambda: tf.nn.pool(X, [2, 2], "AVG", padding="SAME", dilations=[2, 2]), ValueError, "not implemented"),
    (lambda: tf.nn.pool(X, 2, "AVG"), TypeError, "len"),
]


@pytest.mark.parametrize(("call", "error", "message"), REFUSED)
def test_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_second_derivatives_of_maxima_are_zeros():
    x = tf.Variable(np.arange(16.0).reshape(1, 4, 4, 1))
    with tf.GradientTape() as outer:
        g = gradient_of(lambda x: tf.reduce_sum(tf.nn.max_pool2d(x, 2, 2, "VALID")), x)
    np.testing.assert_array_equal(outer.gradient(g, x), np.zeros((1, 4, 4, 1)))


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16", "int32"])
@pytest.mark.parametrize("padding", ["SAME", "VALID"])
def test_large_images_are_pooled_by_kernels_to_the_bits_of_small_ones(dtype, padding):
    x = tf.cast(np.random.default_rng(0).normal(size=(8, 40, 39, 5)) * 9, dtype)
    window = {"ksize": 3, "strides": 2, "padding": padding}
    pools = [tf.nn.max_pool2d] if dtype == "int32" else [tf.nn.max_pool2d, tf.nn.avg_pool2d]
    for pool in pools:
        with tf.GradientTape(persistent=True) as tape:
            if dtype != "int32":
                tape.watch(x)
            whole = pool(x, **window)
            each = tf.concat([pool(x[i : i + 1], **window) for i in range(8)], 0)
        np.testing.assert_array_equal(whole, each)
        if dtype != "int32":
            np.testing.assert_array_equal(tape.gradient(whole, x), tape.gradient(each, x))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_gradients_of_half_width_maxima_are_added_in_float32(dtype):
    x = tf.cast([[[0.0], [0.0], [9.0], [0.0], [0.0]]], dtype)  # one number is the maximum of three windows
    g = tf.cast([[[1.0], [1.0 / 4096], [-1.0]]], dtype)

    @tf.function
    def gradient(x, g):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.nn.max_pool1d(x, 3, 1, "VALID")
        return tape.gradient(y, x, output_gradients=g)

    for _ in range(3):
        compiled = gradient(x, g)
    for found in (gradient.python_function(x, g), compiled):
        assert float(found[0, 2, 0]) == 1.0 / 4096


def test_the_gradient_of_a_maximum_has_no_negative_zeros():
    x = tf.ones((1, 2, 1))
    assert not np.signbit(gradient_of(lambda x: tf.nn.max_pool1d(x, 1, 1, "VALID") * -0.0, x).numpy()).any()
