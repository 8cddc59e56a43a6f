from __future__ import annotations

import numpy as np
import pytest

import fastgrad as tf

nan, inf = float("nan"), float("inf")


def test_positions_pass_over_nan():
    assert tf.argmax([nan, 1.0, 2.0]).numpy() == 2
    assert tf.argmin([1.0, nan, 0.5]).numpy() == 2
    assert tf.argmax([-inf, nan]).numpy() == 0
    assert tf.argmax([nan, nan]).numpy() == 0


def test_positions_refuse_what_has_none():
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"Reduction axis 0 is empty in shape \[0, 3\]"):
        tf.argmax(tf.zeros((0, 3)))
    assert tf.argmax(tf.zeros((0, 3)), 1).shape == (0,)
    with pytest.raises(tf.errors.InvalidArgumentError, match="argmax"):
        tf.argmax(1.0)
    with pytest.raises(tf.errors.InvalidArgumentError, match="axis"):
        tf.argmax([1.0], axis=1)
    with pytest.raises(TypeError, match="axis must be int"):
        tf.argmax([1.0], axis=[0])
    with pytest.raises(tf.errors.InvalidArgumentError, match="complex"):
        tf.argmax(tf.constant([1j]))
    with pytest.raises(tf.errors.InvalidArgumentError, match="output_type int16"):
        tf.argmin([1.0], output_type=tf.int16)


def test_count_nonzero():
    x = [[0.0, -0.0, 2.0], [nan, 1.0, 0.0]]
    assert tf.math.count_nonzero(x).numpy() == 3
    counts = tf.math.count_nonzero(x, axis=1, keepdims=True, dtype=tf.int32)
    assert counts.dtype is tf.int32
    assert counts.numpy().tolist() == [[1], [2]]
    assert tf.math.count_nonzero([True, False]).numpy() == 1
    assert tf.math.count_nonzero(["a", ""]).numpy() == 1


def test_zero_fraction():
    assert tf.math.zero_fraction([0, 1, 0, 0]).numpy() == 0.75
    assert tf.nn.zero_fraction([0.0]).dtype is tf.float32
    assert np.isnan(tf.math.zero_fraction(tf.zeros((0,))).numpy())
