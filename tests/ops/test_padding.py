"""What tf.pad does with strings and constants, and what it refuses."""

import numpy as np
import pytest

import fastgrad as tf


def test_strings_pad_with_the_empty_string():
    assert tf.pad(["a"], [[1, 0]]).numpy().tolist() == [b"", b"a"]
    assert tf.pad(["a"], [[1, 0]], constant_values="b").numpy().tolist() == [b"b", b"a"]


@pytest.mark.parametrize(
    ("paddings", "mode"),
    [
        ([[1, 1]], "CONSTANT"),
        ([1, 1], "CONSTANT"),
        ([[1, 1], [-1, 2]], "CONSTANT"),
        ([[1.5, 1], [1, 2]], "CONSTANT"),
        ([[1, 0, 3], [0, 2, 1]], "CONSTANT"),
        ([[2, 0], [0, 0]], "REFLECT"),
        ([[0, 3], [0, 0]], "SYMMETRIC"),
    ],
)
def test_pad_refuses_paddings_that_do_not_fit(paddings, mode):
    with pytest.raises(tf.errors.InvalidArgumentError, match="pad"):
        tf.pad(tf.zeros([2, 3]), paddings, mode)


def test_pad_refuses_other_constants_and_modes():
    x = tf.zeros([2])
    with pytest.raises(ValueError, match="mode"):
        tf.pad(x, [[1, 1]], "WRAP")
    with pytest.raises(TypeError):
        tf.pad([1, 2], [[1, 1]], constant_values=5.5)
    for constant in ([1.0, 2.0], tf.constant(5)):
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"pad|tensor"):
            tf.pad(x, [[1, 1]], constant_values=constant)


@pytest.mark.parametrize("function", [lambda f: f, tf.function])
def test_the_constant_has_no_gradient_as_in_tensorflow(function):
    @function
    def slopes(x, c):
        with tf.GradientTape() as tape:
            tape.watch([x, c])
            y = tf.pad(x, [[1, 1]], constant_values=c)
            loss = tf.reduce_sum(y * y)
        return tape.gradient(loss, [x, c])

    for _ in range(3):
        by_x, by_c = slopes(tf.constant([1e20, 1.0]), tf.constant(0.5))
        assert by_x.numpy().tolist() == [2 * np.float32(1e20), 2.0]
        assert by_c is None
