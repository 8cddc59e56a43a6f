from __future__ import annotations

import numpy as np
import pytest

import fastgrad as tf

nan, inf = float("nan"), float("inf")


def test_division_refuses_booleans_and_other_dtypes():
    with pytest.raises(TypeError, match="bool"):
        tf.constant([True]) / tf.constant([True])
    with pytest.raises(TypeError, match="same dtype"):
        tf.constant([1]) / tf.constant([1], tf.int64)
    with pytest.raises(tf.errors.InvalidArgumentError, match="int32"):
        tf.realdiv(tf.constant([1]), tf.constant([1]))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize("compiled", [False, True])
def test_floordiv_of_floats_is_the_floor_of_the_rounded_quotient(dtype, compiled):
    x = tf.cast(tf.constant([1.0, 6.0, 0.5, -1.0, 5.0, np.inf, 1.0, -1.0]), dtype)
    y = tf.cast(tf.constant([0.25, 0.1, -np.inf, np.inf, np.inf, 2.0, 0.0, 0.0]), dtype)
    function = tf.function(tf.math.floordiv) if compiled else tf.math.floordiv
    for _ in range(3):
        quotients = function(x, y)
    expected = [4, 60 if dtype != "float64" else 59, -0.0, -0.0, 0, np.inf, np.inf, -np.inf]
    np.testing.assert_array_equal(tf.cast(quotients, "float64"), expected)


@pytest.mark.parametrize("function", [tf.math.floordiv, tf.math.floormod, tf.math.mod, tf.truncatediv, tf.truncatemod])
def test_integers_divided_by_zero_are_refused(function):
    with pytest.raises(tf.errors.InvalidArgumentError, match="Integer division by zero"):
        function(tf.constant([1, 2]), tf.constant([1, 0]))
    function(tf.constant([1.0]), tf.constant([0.0]))


def test_reciprocal_no_nan():
    assert tf.math.reciprocal_no_nan([0.0, 4.0]).numpy().tolist() == [0, 0.25]
    with pytest.raises(tf.errors.InvalidArgumentError, match="int32"):
        tf.math.reciprocal_no_nan([1])


def test_xdivy_is_zero_where_its_first_argument_is():
    x, y = tf.constant([0.0, 0.0, 0.0, 1.0, 2.0]), tf.constant([0.0, nan, inf, 0.0, 4.0])
    with tf.GradientTape() as tape:
        tape.watch([x, y])
        z = tf.math.xdivy(x, y)
    assert z.numpy().tolist() == [0, 0, 0, inf, 0.5]
    dx, dy = tape.gradient(z, [x, y])
    assert dx.numpy().tolist() == [0, 0, 0, inf, 0.25]
    assert dy.numpy().tolist() == [0, 0, 0, -inf, -0.125]


@pytest.mark.parametrize(
    "pair", [("bfloat16", "int8"), ("float64", "float32"), ("int32", "int64"), ("int8", "complex64")]
)
def test_divide_no_nan_refuses_two_dtypes_as_divide_does(pair):
    x, y = (tf.ones([], dtype) for dtype in pair)
    for function in (tf.divide, tf.math.divide_no_nan):
        with pytest.raises(TypeError, match="same dtype"):
            function(x, y)
