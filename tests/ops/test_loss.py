"""Losses on logits at their edges, and bad labels."""

import numpy as np
import pytest

import fastgrad as tf

RNG = np.random.default_rng(0)


def _rows(rows, classes):
    return RNG.normal(size=(rows, classes)) * 3


def test_l2_and_poisson():
    assert float(tf.nn.l2_loss([3.0, 4.0])) == 12.5
    z, x = np.array([0.5, 2.0]), np.array([0.1, 0.3])
    np.testing.assert_allclose(tf.nn.log_poisson_loss(z, x), np.exp(x) - x * z)
    full = np.exp(x) - x * z + np.array([0, 2 * np.log(2) - 2 + 0.5 * np.log(4 * np.pi)])
    np.testing.assert_allclose(tf.nn.log_poisson_loss(z, x, compute_full_loss=True), full)


@pytest.mark.parametrize("label", [3, -1, 2**31 - 1, -(2**31)])
def test_labels_out_of_range_are_errors(label):
    with pytest.raises(tf.errors.InvalidArgumentError, match=rf"label value of {label} at row 1.*\[0, 3\)"):
        tf.nn.sparse_softmax_cross_entropy_with_logits([0, label], _rows(2, 3))


@pytest.mark.parametrize("dtype", ["uint8", "int64"])
def test_labels_of_any_integers_are_those_of_int32(dtype):
    logits, labels = _rows(3, 4), np.array([2, 0, 3])
    expected = tf.nn.sparse_softmax_cross_entropy_with_logits(labels.astype("int32"), logits)
    found = tf.nn.sparse_softmax_cross_entropy_with_logits(labels.astype(dtype), logits)
    np.testing.assert_array_equal(found, expected)


def test_extreme_int64_labels_are_errors():
    for label in (2**63 - 1, -(2**63), 2**32):
        with pytest.raises(tf.errors.InvalidArgumentError, match="label value"):
            tf.nn.sparse_softmax_cross_entropy_with_logits(np.array([label]), _rows(1, 3))


def test_shapes_and_dtypes_that_do_not_fit():
    with pytest.raises(ValueError, match="labels.shape"):
        tf.nn.sparse_softmax_cross_entropy_with_logits([0], _rows(2, 3))
    with pytest.raises(ValueError, match="rank"):
        tf.nn.sparse_softmax_cross_entropy_with_logits([[0, 1]], _rows(2, 3))
    with pytest.raises(tf.errors.InvalidArgumentError, match="int"):
        tf.nn.sparse_softmax_cross_entropy_with_logits([0.0, 1.0], _rows(2, 3))
    with pytest.raises(tf.errors.InvalidArgumentError, match="broadcastable"):
        tf.nn.softmax_cross_entropy_with_logits(_rows(1, 3), _rows(2, 2))
    with pytest.raises(ValueError, match="same shape"):
        tf.nn.sigmoid_cross_entropy_with_logits([1.0], [1.0, 2.0])


@pytest.mark.parametrize("dtype", [tf.float16, tf.bfloat16])
def test_half_width_gradients_are_those_of_float32_rounded(dtype):
    """The gradient at the label is p - 1, which must not be taken of a rounded p."""
    x = np.array([[9.0, 0.0, 2.0], [-3.0, 8.0, 1.0]])
    labels = [0, 1]
    gradients = []
    for one in (dtype, tf.float32):
        logits = tf.constant(x, one)
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(logits)
            sparse = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
            dense = tf.nn.softmax_cross_entropy_with_logits(tf.one_hot(labels, 3, dtype=one), logits)
        assert sparse.dtype == dense.dtype == one
        gradients.append([tape.gradient(y, logits).numpy().astype(np.float64) for y in (sparse, dense)])
    np.testing.assert_allclose(gradients[0], gradients[1], rtol=0.005)
