"""Layer normalisation against its closed form, and local response normalisation."""

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.ops.normalization import layer_normalization

RNG = np.random.default_rng(0)


def _layer_norm(x, gamma, beta, epsilon):
    mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    return (x - mean) / np.sqrt(variance + epsilon) * gamma + beta


@pytest.mark.parametrize("shape", [(5, 3), (1, 1), (2, 3, 130), (7,), (0, 3)])
@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
def test_layer_norm_values(shape, dtype):
    x, gamma, beta = (tf.cast(tf.constant(RNG.normal(size=s)), dtype) for s in (shape, shape[-1:], shape[-1:]))
    y = layer_normalization(x, gamma, beta, 1e-3)
    assert y.dtype == dtype
    wide = [np.asarray(v.numpy(), np.float64) for v in (x, gamma, beta)]
    tolerance = {"float64": 1e-12, "float32": 2e-5, "bfloat16": 5e-2}[dtype]
    np.testing.assert_allclose(
        np.asarray(y.numpy(), np.float64), _layer_norm(*wide, 1e-3), rtol=tolerance, atol=tolerance
    )


def test_layer_norm_of_a_large_offset_is_accurate():
    x = (RNG.normal(size=(4, 256)) + 1e4).astype(np.float32)
    y = layer_normalization(x, np.ones(256, "f4"), np.zeros(256, "f4"), 1e-5)
    np.testing.assert_allclose(y, _layer_norm(x.astype(np.float64), 1, 0, 1e-5), atol=2e-3)


def test_layer_norm_refuses_other_shapes():
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"gamma.*\[3\]"):
        layer_normalization(np.ones((2, 4)), np.ones(3), np.ones(4))


def test_local_response_normalization():
    x = RNG.normal(size=(2, 3, 3, 7))
    y = tf.nn.local_response_normalization(x, depth_radius=2, bias=1.5, alpha=0.3, beta=0.7)
    expected = np.empty_like(x)
    for d in range(7):
        near = (x[..., max(0, d - 2) : d + 3] ** 2).sum(-1)
        expected[..., d] = x[..., d] / (1.5 + 0.3 * near) ** 0.7
    np.testing.assert_allclose(y, expected, rtol=1e-10)
    with pytest.raises(tf.errors.InvalidArgumentError, match="4-dimensional"):
        tf.nn.local_response_normalization(x[0])
    radius = tf.constant(2, tf.int64)  # TensorFlow takes a tensor, too
    np.testing.assert_array_equal(tf.nn.local_response_normalization(x, radius, 1.5, 0.3, 0.7), y)
