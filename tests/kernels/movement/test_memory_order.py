"""Large arrays that lie in memory in another order than their dimensions."""

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.core.operation import TABLE
from fastgrad._src.kernels.movement.memory_order import in_row_major_order, memory_order

FIRST = (0, 3, 1, 2)


def images(dtype="float32"):
    return np.random.default_rng(0).normal(size=(8, 17, 13, 23)).astype(dtype).transpose(FIRST)


@pytest.mark.parametrize("dtype", ["bool", "float16", "float32", "float64", "int64", "complex64"])
def test_copies(dtype):
    for x in (images(dtype), images(dtype)[:, 1:], images(dtype)[:, :, ::-1], images(dtype).T, images(dtype)[:1, :3]):
        y = in_row_major_order(x)
        assert y.flags.c_contiguous
        assert y.dtype == x.dtype
        np.testing.assert_array_equal(y, x)


def test_what_lies_in_order_is_not_copied():
    x = np.zeros((100, 100))
    assert in_row_major_order(x) is x


def test_the_order_in_memory():
    assert memory_order(images()) == (0, 2, 3, 1)
    assert memory_order(images()[:, 1:]) is None
    assert memory_order(np.broadcast_to(np.zeros(3), (4, 3))) is None
    assert memory_order(np.zeros((2, 0, 3))) is not None


@pytest.mark.parametrize("function", [tf.tanh, tf.nn.gelu, tf.nn.silu, tf.nn.relu, tf.exp])
def test_functions_and_gradients_keep_the_order_in_memory(function):
    x = tf.transpose(tf.constant(np.ascontiguousarray(images().transpose(0, 2, 3, 1))), FIRST)

    def values(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = function(x)
        return y, tape.gradient(y, x)

    found, wanted = values(x), values(tf.constant(in_row_major_order(images())))
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(one, other)
    assert memory_order(found[0]._array) == (0, 2, 3, 1)


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axes", [(0, 2, 3), (1,), (2, 3), (0, 1, 2, 3), (0, 3)])
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int32"])
def test_sums(dtype, axes, keepdims):
    x = (images("float64") * 10).astype(dtype)
    x = tf.transpose(tf.constant(np.ascontiguousarray(x.transpose(0, 2, 3, 1))), FIRST)
    wanted = x.numpy().astype("float64").sum(axes, keepdims=keepdims)
    found = tf.reduce_sum(x, axes, keepdims)
    assert found.shape == wanted.shape
    np.testing.assert_allclose(
        found, wanted, rtol=1e-3 if dtype == "float16" else 1e-5, atol=0.5 if dtype == "float16" else 1e-3
    )
    mean = tf.reduce_mean(tf.cast(x, tf.float64), axes, keepdims)
    np.testing.assert_allclose(mean, x.numpy().astype("float64").mean(axes, keepdims=keepdims), rtol=1e-9, atol=1e-12)


def test_a_gradient_in_another_order_than_the_result():
    y, g = images(), in_row_major_order(images()[::-1])
    np.testing.assert_array_equal(
        TABLE["relu_gradient"](tf.constant(g), tf.transpose(tf.constant(in_row_major_order(y.T)))),
        np.where(y > 0, g, 0),
    )
