"""Refused operations leave tapes, generators and variables as they were."""

import numpy as np
import pytest

import fastgrad as tf

V = tf.constant([1.0, 2.0, 3.0])
INTS = tf.constant([1, 2, 3])

INVALID = tf.errors.InvalidArgumentError


def test_a_refused_operation_is_not_on_the_tape():
    v = tf.Variable([1.0, 2.0, 3.0])
    with tf.GradientTape() as tape:
        with pytest.raises(INVALID):
            tf.matmul(v[None], v[None])
        with pytest.raises(INVALID):
            tf.gather(v, [5])
        y = tf.reduce_sum(v * v)
    np.testing.assert_array_equal(tape.gradient(y, v), [2, 4, 6])


@pytest.mark.parametrize(
    "draw",
    [
        lambda: tf.random.normal([-1]),
        lambda: tf.random.uniform([2], 5, 2, dtype=tf.int32),
        lambda: tf.random.uniform([2], dtype=tf.int32),
        lambda: tf.random.categorical(V, 2),
        lambda: tf.nn.dropout(V, 1.5),
        lambda: tf.nn.dropout(INTS, 0.5),
        lambda: tf.nn.dropout(V, 0.5, noise_shape=[2]),
        lambda: tf.random.truncated_normal([2], dtype=tf.int32),
    ],
)
def test_a_refused_draw_leaves_the_random_state(draw):
    tf.random.set_seed(3)
    expected = tf.random.uniform([4])
    tf.random.set_seed(3)
    with pytest.raises((ValueError, TypeError, INVALID)):
        draw()
    np.testing.assert_array_equal(tf.random.uniform([4]), expected)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda v: v.assign([1.0]), ValueError, r"'v:0'.*\(2,\).*\(1,\)"),
        (lambda v: v.assign(tf.constant([1, 2])), ValueError, "float32.*int32"),
        (lambda v: v.assign_add([1.0]), INVALID, r"assign_add: .*'v:0'.*\[2\].*\[1\]"),
        (lambda v: v[5].assign(1.0), INVALID, "5"),
        (lambda v: v[:1].assign([1.0, 2.0]), (ValueError, INVALID), r"\[2\]|\(2,\)"),
        (lambda v: v.scatter_update(tf.IndexedSlices(tf.constant([1.0, 2.0]), tf.constant([0, 5]))), INVALID, "5"),
        (lambda v: v.scatter_add(tf.IndexedSlices(tf.constant([1.0, 2.0]), tf.constant([0, -1]))), INVALID, "-1"),
    ],
)
def test_a_variable_is_unchanged_after_a_refusal(call, error, message):
    v = tf.Variable([1.0, 2.0], name="v")
    with pytest.raises(error, match=message):
        call(v)
    np.testing.assert_array_equal(v, [1.0, 2.0])
