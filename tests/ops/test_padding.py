"""tf.pad against numpy.pad."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastgrad as tf


@settings(max_examples=80, deadline=None)
@given(st.lists(st.integers(1, 4), max_size=3), st.sampled_from(["CONSTANT", "REFLECT", "SYMMETRIC"]), st.data())
def test_pad_is_numpys(shape, mode, data):
    x = np.arange(np.prod(shape, dtype=float)).reshape(shape)
    most = {"CONSTANT": lambda size: 3, "REFLECT": lambda size: size - 1, "SYMMETRIC": lambda size: size}[mode]
    paddings = [[data.draw(st.integers(0, most(size))) for _ in range(2)] for size in shape]
    if not shape:
        assert tf.pad(x, np.zeros((0, 2), int), mode).numpy() == x
        return
    options = {"constant_values": 7} if mode == "CONSTANT" else {}
    np.testing.assert_array_equal(
        tf.pad(x, paddings, mode.lower(), **options), np.pad(x, paddings, mode.lower(), **options)
    )


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "int8", "bool", "complex64"])
def test_every_dtype_pads_with_its_zero(dtype):
    x = tf.cast([1, 1], dtype)
    y = tf.pad(x, [[1, 0]])
    assert y.dtype == dtype
    assert y.numpy().astype(complex).tolist() == [0, 1, 1]


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
