"""Convolutions against direct loops over windows, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastgrad as tf
from tests.gradients import gradient_of

FORMATS = {1: ("NWC", "NCW"), 2: ("NHWC", "NCHW"), 3: ("NDHWC", "NCDHW")}


def normal(*shape, seed=0, dtype=np.float64):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def pairs_of(padding, sizes, kernel, strides, dilations):
    """The padding of each spatial dimension, as the documentation of TensorFlow defines SAME and VALID."""
    if not isinstance(padding, str):
        return padding
    found = []
    for size, width, stride, dilation in zip(sizes, kernel, strides, dilations, strict=True):
        outputs = int(np.ceil(size / stride))
        total = max((outputs - 1) * stride + (width - 1) * dilation + 1 - size, 0) if padding == "SAME" else 0
        found.append((total // 2, total - total // 2))
    return found


def terms(x, w, strides, padding, dilations):
    """For each cell of the filter and each group of channels: the input elements below the cell, and where they are in the padded input.

    Yields:
        The index of the padded input, its channels included; the filter's cell and group, (depth, outputs); the outputs' channels.
    """
    rank = w.ndim - 2
    kernel, depth = w.shape[:rank], w.shape[-2]
    pairs = pairs_of(padding, x.shape[1:-1], kernel, strides, dilations)
    sizes = [
        (size + sum(pair) - (width - 1) * dilation - 1) // stride + 1
        for size, pair, width, stride, dilation in zip(x.shape[1:-1], pairs, kernel, strides, dilations, strict=True)
    ]
    groups = x.shape[-1] // depth
    each = w.shape[-1] // groups
    for cell in np.ndindex(*kernel):
        below = [
            slice(c * d, c * d + (size - 1) * s + 1, s)
            for c, d, s, size in zip(cell, dilations, strides, sizes, strict=True)
        ]
        for group in range(groups):
            inside, outside = slice(group * depth, (group + 1) * depth), slice(group * each, (group + 1) * each)
            yield (slice(None), *below, inside), w[(*cell, slice(None), outside)], (..., outside), sizes, pairs


def by_loops(x, w, strides, padding, dilations):
    """The convolution of (batch, *spatial, channels): the sum over the cells of the filter."""
    out = None
    for below, cell, outside, sizes, pairs in terms(x, w, strides, padding, dilations):
        if out is None:
            padded = np.pad(x, [(0, 0), *pairs, (0, 0)])
            out = np.zeros((x.shape[0], *sizes, w.shape[-1]))
        out[outside] += padded[below] @ cell
    return out


def transposed_by_loops(g, w, shape, strides, padding, dilations):
    """The sum over all windows of filter times cotangent: the matrix of ``by_loops``, transposed."""
    padded = None
    for below, cell, outside, _, pairs in terms(np.empty(shape), w, strides, padding, dilations):
        if padded is None:
            padded = np.zeros(
                [shape[0], *[n + sum(pair) for n, pair in zip(shape[1:-1], pairs, strict=True)], shape[-1]]
            )
        padded[below] += g[outside] @ cell.T
    inner = [slice(before, before + size) for (before, _), size in zip(pairs, shape[1:-1], strict=True)]
    return padded[(slice(None), *inner)]


@st.composite
def cases(draw, rank):
    kernel = tuple(draw(st.integers(1, 3)) for _ in range(rank))
    dilations = tuple(draw(st.integers(1, 2)) for _ in range(rank))
    strides = tuple(draw(st.integers(1, 3)) for _ in range(rank))
    padding = draw(st.sampled_from(["SAME", "VALID"]))
    sizes = tuple((k - 1) * d + 1 + draw(st.integers(0, 4)) for k, d in zip(kernel, dilations, strict=True))
    depth, groups, each = draw(st.integers(1, 3)), draw(st.integers(1, 2)), draw(st.integers(1, 2))
    if rank == 3:
        groups = 1
    x = normal(draw(st.integers(1, 2)), *sizes, depth * groups)
    w = normal(*kernel, depth, each * groups, seed=1)
    return x, w, strides, padding, dilations


FUNCTIONS = {1: tf.nn.conv1d, 2: tf.nn.conv2d, 3: tf.nn.conv3d}


@pytest.mark.parametrize("rank", [1, 2, 3])
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_convolution_is_the_sum_over_each_window(rank, data):
    x, w, strides, padding, dilations = data.draw(cases(rank))
    expected = by_loops(x, w, strides, padding, dilations)
    y = FUNCTIONS[rank](x, w, list(strides), padding, dilations=list(dilations))
    np.testing.assert_allclose(y.numpy(), expected, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("rank", [1, 2, 3])
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_channels_first_is_the_same_convolution_of_a_transposed_input(rank, data):
    x, w, strides, padding, dilations = data.draw(cases(rank))
    first = FUNCTIONS[rank](
        np.moveaxis(x, -1, 1), w, list(strides), padding, data_format=FORMATS[rank][1], dilations=list(dilations)
    )
    last = FUNCTIONS[rank](x, w, list(strides), padding, data_format=FORMATS[rank][0], dilations=list(dilations))
    np.testing.assert_allclose(first.numpy(), np.moveaxis(last.numpy(), -1, 1), rtol=1e-12)


@pytest.mark.parametrize("rank", [1, 2, 3])
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_transposed_convolution_is_the_transposed_matrix(rank, data):
    x, w, strides, padding, dilations = data.draw(cases(rank))
    if w.shape[-2] != x.shape[-1]:
        x = x[..., : w.shape[-2]]
    g = normal(*by_loops(x, w, strides, padding, dilations).shape, seed=2)
    expected = transposed_by_loops(g, w, x.shape, strides, padding, dilations)
    transposed = {1: tf.nn.conv1d_transpose, 2: tf.nn.conv2d_transpose, 3: tf.nn.conv3d_transpose}[rank]
    y = transposed(g, w, x.shape, list(strides), padding, dilations=list(dilations))
    np.testing.assert_allclose(y.numpy(), expected, rtol=1e-11, atol=1e-11)


@settings(max_examples=40, deadline=None)
@given(
    case=cases(2),
    before=st.tuples(st.integers(0, 3), st.integers(0, 3)),
    after=st.tuples(st.integers(0, 3), st.integers(0, 3)),
)
def test_explicit_padding(case, before, after):
    x, w, strides, _, dilations = case
    pairs = [(before[0], after[0]), (before[1], after[1])]
    y = tf.nn.conv2d(x, w, strides, [(0, 0), *pairs, (0, 0)], dilations=dilations)
    np.testing.assert_allclose(y.numpy(), by_loops(x, w, strides, pairs, dilations), rtol=1e-11, atol=1e-11)
    with tf.GradientTape() as tape:
        source = tf.constant(x)
        tape.watch(source)
        y = tf.nn.conv2d(source, w, strides, [(0, 0), *pairs, (0, 0)], dilations=dilations)
    g = normal(*y.shape, seed=3)
    expected = transposed_by_loops(g, w, x.shape, strides, pairs, dilations)
    np.testing.assert_allclose(tape.gradient(y, source, g).numpy(), expected, rtol=1e-10, atol=1e-10)


# ---- the family ----------------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_depthwise_convolution_filters_each_channel_on_its_own(data):
    x, w, strides, padding, dilations = data.draw(cases(2))
    channels, filters = x.shape[-1], 2
    w = normal(*w.shape[:2], channels, filters, seed=1)
    y = tf.nn.depthwise_conv2d(x, w, [1, *strides, 1], padding, dilations=dilations).numpy()
    for channel in range(channels):
        alone = by_loops(x[..., channel : channel + 1], w[:, :, channel : channel + 1], strides, padding, dilations)
        np.testing.assert_allclose(y[..., channel * filters : (channel + 1) * filters], alone, rtol=1e-11, atol=1e-12)


def test_separable_convolution_mixes_the_channels_of_a_depthwise_one():
    x, depthwise, pointwise = normal(1, 5, 5, 2), normal(3, 3, 2, 2, seed=1), normal(1, 1, 4, 3, seed=2)
    y = tf.nn.separable_conv2d(x, depthwise, pointwise, [1, 1, 1, 1], "SAME")
    expected = tf.nn.depthwise_conv2d(x, depthwise, [1, 1, 1, 1], "SAME").numpy() @ pointwise[0, 0]
    np.testing.assert_allclose(y.numpy(), expected, rtol=1e-11)


def test_convolution_takes_its_rank_from_the_filters():
    x, w = normal(2, 5, 6, 2), normal(2, 3, 2, 4, seed=1)
    np.testing.assert_allclose(tf.nn.convolution(x, w).numpy(), by_loops(x, w, (1, 1), "VALID", (1, 1)), rtol=1e-11)
    strided = tf.nn.convolution(x, w, strides=2, padding="SAME")
    np.testing.assert_allclose(strided.numpy(), by_loops(x, w, (2, 2), "SAME", (1, 1)), rtol=1e-11)
    dilated = tf.nn.convolution(x, w, dilations=[1, 2], padding="SAME")
    np.testing.assert_allclose(dilated.numpy(), by_loops(x, w, (1, 1), "SAME", (1, 2)), rtol=1e-11)
    rows = tf.nn.convolution(x, w[0])
    np.testing.assert_allclose(rows.numpy()[0], by_loops(x[0], w[0], (1,), "VALID", (1,)), rtol=1e-11)


def test_atrous_convolution_is_dilated():
    x, w = normal(1, 6, 6, 2), normal(3, 3, 2, 3, seed=1)
    y = tf.nn.atrous_conv2d(x, w, 2, "SAME")
    np.testing.assert_allclose(y.numpy(), by_loops(x, w, (1, 1), "SAME", (2, 2)), rtol=1e-11)
    back = tf.nn.atrous_conv2d_transpose(y, w, [1, 6, 6, 2], 2, "SAME")
    expected = transposed_by_loops(y.numpy(), w, x.shape, (1, 1), "SAME", (2, 2))
    np.testing.assert_allclose(back.numpy(), expected, rtol=1e-11)


def test_leading_dimensions_are_a_batch():
    x, w = normal(3, 2, 4, 4, 1), normal(2, 2, 1, 2, seed=1)
    y = tf.nn.conv2d(x, w, 1, "VALID")
    assert y.shape == (3, 2, 3, 3, 2)
    np.testing.assert_allclose(y.numpy()[1], tf.nn.conv2d(x[1], w, 1, "VALID").numpy())
    first = tf.nn.conv2d(np.moveaxis(x, -1, 2), w, 1, "VALID", data_format="NCHW")
    np.testing.assert_allclose(first.numpy(), np.moveaxis(y.numpy(), -1, 2))


def test_output_shape_of_a_transposed_convolution_may_be_spatial_only():
    g, w = normal(1, 5, 5, 4), normal(3, 3, 2, 4, seed=1)
    whole = tf.nn.conv2d_transpose(g, w, [1, 10, 9, 2], 2)
    np.testing.assert_array_equal(tf.nn.conv2d_transpose(g, w, [10, 9], 2).numpy(), whole.numpy())
    np.testing.assert_array_equal(tf.nn.conv_transpose(g, w, tf.constant([1, 10, 9, 2]), 2).numpy(), whole.numpy())
    first = tf.nn.conv2d_transpose(np.moveaxis(g, -1, 1), w, [1, 2, 10, 9], 2, data_format="NCHW")
    np.testing.assert_allclose(first.numpy(), np.moveaxis(whole.numpy(), -1, 1))


def test_a_large_batch_is_unfolded_block_by_block():
    x, w = normal(40, 30, 30, 8, dtype=np.float32), normal(5, 5, 8, 4, seed=1, dtype=np.float32)
    y = tf.nn.conv2d(x, w, 1, "SAME").numpy()
    np.testing.assert_allclose(y[7:9], tf.nn.conv2d(x[7:9], w, 1, "SAME").numpy(), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(y[39:], by_loops(x[39:], w, (1, 1), "SAME", (1, 1)), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_summed_in_float32(dtype):
    x, w = tf.ones((1, 64, 64, 1), dtype), tf.ones((64, 64, 1, 1), dtype)
    assert tf.nn.conv2d(x, w, 1, "VALID").dtype == dtype
    assert float(tf.nn.conv2d(x, w, 1, "VALID")[0, 0, 0, 0]) == 4096.0


def test_int32_images():
    x, w = np.arange(9, dtype=np.int32).reshape(1, 3, 3, 1), np.ones((2, 2, 1, 1), np.int32)
    y = tf.nn.conv2d(x, w, 1, "VALID")
    assert y.dtype == tf.int32
    np.testing.assert_array_equal(y.numpy().reshape(2, 2), [[8, 12], [20, 24]])


def test_empty_batches_and_windows_that_fit_nowhere():
    w = normal(3, 3, 2, 4)
    assert tf.nn.conv2d(np.zeros((0, 5, 5, 2)), w, 1, "SAME").shape == (0, 5, 5, 4)
    assert tf.nn.conv2d(np.zeros((2, 0, 5, 2)), w, 1, "SAME").shape == (2, 0, 5, 4)
    x = tf.constant(np.zeros((0, 5, 5, 2)))
    slope = gradient_of(lambda kernel: tf.nn.conv2d(x, kernel, 1, "SAME"), tf.Variable(w))
    np.testing.assert_array_equal(slope.numpy(), np.zeros_like(w))


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("error", [ValueError, tf.errors.InvalidArgumentError])
@pytest.mark.parametrize(
    "function",
    [
        lambda x: tf.nn.conv2d(x, tf.ones([3, 3, 2, 4]), 1, "VALID"),
        lambda x: tf.nn.conv2d(x, tf.ones([3, 3, 2, 4]), 2, "VALID"),
        lambda x: tf.nn.conv2d(x, tf.ones([2, 2, 2, 4]), 1, "VALID", dilations=2),
        lambda x: tf.nn.conv2d(x, tf.ones([5, 5, 2, 4]), 1, [[0, 0], [1, 1], [1, 1], [0, 0]]),
        lambda x: tf.nn.depthwise_conv2d(x, tf.ones([3, 3, 2, 1]), [1, 1, 1, 1], "VALID"),
        lambda x: tf.nn.max_pool2d(x, 3, 1, "VALID"),
        lambda x: tf.nn.avg_pool2d(x, 3, 2, "VALID"),
        lambda x: tf.nn.conv1d(x[0], tf.ones([3, 2, 4]), 1, "VALID"),
    ],
)
def test_windows_larger_than_their_input_are_refused_as_tensorflow_does_eagerly_and_in_functions(
    function, error, compiled
):
    with pytest.raises(error, match="does not fit into an input of"):
        (tf.function(function) if compiled else function)(tf.ones([1, 2, 2, 2]))


# ---- what is refused -------------------------------------------------------------------------------------

X, W = np.ones((1, 5, 5, 2), np.float32), np.ones((3, 3, 2, 4), np.float32)
Invalid, Unimplemented = tf.errors.InvalidArgumentError, tf.errors.UnimplementedError

REFUSED = [
    (lambda: tf.nn.conv2d(X, W, [1, 2, 1], "SAME"), ValueError, "length 1, 2 or 4"),
    (lambda: tf.nn.conv2d(X, W, [2, 1, 1, 1], "SAME"), Unimplemented, "batch and depth"),
    (lambda: tf.nn.conv2d(X, W, 0, "SAME"), Invalid, "must be > 0, but got 0"),
    (lambda: tf.nn.conv2d(X, W, 1, "SAME", dilations=0), Invalid, "dilations must be > 0"),
    (lambda: tf.nn.conv2d(X, W, 1, "same"), Invalid, "'same'"),
    (lambda: tf.nn.conv2d(X, W, 1, None), TypeError, "padding"),
    (lambda: tf.nn.conv2d(X, W, 1, [[1, 2], [0, 1]]), ValueError, "size 4"),
    (lambda: tf.nn.conv2d(X, W, 1, [[1, 0], [1, 2], [0, 1], [0, 0]]), Invalid, "batch and channels"),
    (lambda: tf.nn.conv2d(X, W, 1, [[0, 0], [-1, 2], [0, 1], [0, 0]]), Invalid, "non-negative"),
    (lambda: tf.nn.conv2d(X, W[:, :, :1].repeat(3, 2), 1, "SAME"), Invalid, "2 vs 3"),
    (lambda: tf.nn.conv2d(X.repeat(2, 3), W[..., :3], 1, "SAME"), Invalid, "3 vs 2"),
    (lambda: tf.nn.conv2d(X[0], W, 1, "SAME"), Invalid, r"\[5, 5, 2\].*\[3, 3, 2, 4\]"),
    (lambda: tf.nn.conv2d(X, W[0], 1, "SAME"), Invalid, r"4-dimensional.*\[3, 2, 4\]"),
    (lambda: tf.nn.conv2d(X, W[:0], 1, "SAME"), Invalid, "zero elements"),
    (lambda: tf.nn.conv2d(X[:, :1], W, 1, "VALID"), Invalid, "does not fit into an input of"),
    (lambda: tf.nn.conv2d(tf.constant(X), tf.cast(W, tf.float64), 1, "SAME"), Invalid, "float32.*float64"),
    (lambda: tf.nn.conv2d(X.astype(complex), W.astype(complex), 1, "SAME"), Invalid, "complex128"),
    (lambda: tf.nn.conv2d(X, W, 1, "SAME", data_format="NHCW"), Invalid, "NHCW"),
    (lambda: tf.nn.conv1d(X[0], W[0], 1, [[0, 0], [1, 1], [0, 0]]), TypeError, "Expected string"),
    (lambda: tf.nn.conv1d(X[0], W[0], 1, "SAME", data_format="NHWC"), ValueError, "'NWC' or 'NCW'"),
    (lambda: tf.nn.conv3d(X[None].repeat(2, 4), W[None], 1, "SAME"), Invalid, "4 vs 2"),
    (lambda: tf.nn.convolution(X, W, strides=2, dilations=2), ValueError, "not supported in conjunction"),
    (lambda: tf.nn.convolution(X, W, padding=[[1, 1], [1, 1]]), TypeError, "Expected string"),
    (lambda: tf.nn.convolution(X, W[0, 0]), ValueError, r"\[2, 4\]"),
    (lambda: tf.nn.depthwise_conv2d(X, W[:, :, :1], [1, 1, 1, 1], "SAME"), Invalid, "2 vs 1"),
    (lambda: tf.nn.separable_conv2d(X, W[..., :2], np.ones((2, 1, 4, 5), np.float32), 1, "SAME"), ValueError, "1 x 1"),
    (lambda: tf.nn.separable_conv2d(X, W[..., :2], np.ones((1, 1, 3, 5), np.float32), 1, "SAME"), Invalid, "4 vs 3"),
    (
        lambda: tf.nn.conv2d_transpose(X[..., :1].repeat(4, 3), W, [1, 12, 10, 2], 2),
        Invalid,
        r"\[1, 5, 5, 4\].*\[1, 12, 10, 2\]",
    ),
    (lambda: tf.nn.conv2d_transpose(X[..., :1].repeat(4, 3), W, [1, 10, 10, 3], 2), Invalid, "3 vs 2"),
    (lambda: tf.nn.conv2d_transpose(X[..., :1].repeat(4, 3), W, None, 2), ValueError, "None"),
    (lambda: tf.nn.conv_transpose(X, W, [1, 2], 2), ValueError, "3, 4 or 5"),
]


@pytest.mark.parametrize(("call", "error", "message"), REFUSED)
def test_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_a_dilation_beyond_all_images_is_refused():
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=r"conv2d: a filter with its dilations .* dilations=2147483647"
    ):
        tf.nn.conv2d(tf.ones([1, 5, 5, 2]), tf.ones([2, 2, 2, 3]), 1, "SAME", dilations=2147483647)
