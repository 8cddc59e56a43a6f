from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastgrad as tf


@pytest.mark.parametrize("dtype", [tf.int8, tf.uint8, tf.int32, tf.uint64, tf.float16, tf.bfloat16, tf.complex64])
def test_arithmetic_keeps_the_dtype(dtype):
    x, y = tf.cast([1, 2, 3], dtype), tf.cast([3, 2, 1], dtype)
    for function, expected in ((tf.add, [4, 4, 4]), (tf.multiply, [3, 4, 3])):
        z = function(x, y)
        assert z.dtype is dtype
        assert z.numpy().tolist() == expected


def test_integers_wrap_around():
    assert (tf.constant([127], tf.int8) + 1).numpy().tolist() == [-128]
    assert (tf.constant([0], tf.uint8) - tf.constant([1], tf.uint8)).numpy().tolist() == [255]


def test_strings_are_joined():
    assert (tf.constant(["a", "b"]) + "c").numpy().tolist() == [b"ac", b"bc"]
    assert ("x" + tf.constant("y")).numpy() == b"xy"
    assert tf.add("a", "b").dtype is tf.string


def test_names_of_arguments_are_tensorflows():
    assert tf.add(x=1.0, y=2.0, name="sum").numpy() == 3.0
    assert tf.abs(x=-1.0, name="size").numpy() == 1.0


def test_two_dtypes_are_refused_by_name():
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"cannot compute add as input #1.* float32 .* float64"):
        tf.add(tf.constant([1.0]), tf.constant([1.0], tf.float64))
    with pytest.raises(tf.errors.InvalidArgumentError, match="int32"):
        tf.constant([1]) + 1.5
    with pytest.raises(TypeError, match=r"multiply: Cannot convert 1\.5 to a tensor of dtype int32"):
        tf.constant([1]) * 1.5
    with pytest.raises(tf.errors.InvalidArgumentError, match="negative: got dtype bool"):
        tf.negative(True)


def test_abs_of_the_lowest_integer_stays():
    assert tf.abs(tf.constant(-128, tf.int8)).numpy() == -128


def test_sign_of_complex_numbers_is_a_direction():
    np.testing.assert_allclose(tf.sign(tf.constant([3 + 4j, 0j])).numpy(), [0.6 + 0.8j, 0])


def test_multiply_no_nan_lets_no_nan_through_zero():
    nan, inf = float("nan"), float("inf")
    assert tf.math.multiply_no_nan([nan, inf, 3.0], [0.0, 0.0, 2.0]).numpy().tolist() == [0, 0, 6]


def test_nextafter_is_one_step():
    assert tf.math.nextafter(x1=1.0, x2=2.0).numpy() == np.nextafter(np.float32(1), np.float32(2))
    assert tf.math.nextafter(tf.constant(0.0, tf.float64), -1.0).numpy() == -5e-324


def test_add_n_sums_tensors_and_rows():
    x = tf.constant([[1.0, 2.0]])
    assert tf.add_n([x, x, x]).numpy().tolist() == [[3, 6]]
    assert tf.add_n(tf.constant([1.0, 2.0])).numpy() == 3
    rows = tf.IndexedSlices(tf.constant([[5.0]]), tf.constant([1]), tf.constant([2, 1]))
    assert tf.add_n([rows, tf.ones((2, 1))]).numpy().tolist() == [[1], [6]]


def test_add_n_refuses_what_differs():
    with pytest.raises(ValueError, match="at least one Tensor"):
        tf.add_n([])
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"Input 0: \[2\] != input 1: \[1\]"):
        tf.add_n([tf.ones(2), tf.ones(1)])
    with pytest.raises(tf.errors.InvalidArgumentError, match="float64"):
        tf.add_n([tf.ones(2), tf.ones(2, tf.float64)])
    with pytest.raises(tf.errors.InvalidArgumentError, match="bool"):
        tf.add_n([True, False])


def test_scalar_mul_takes_scalars_only():
    assert tf.math.scalar_mul(2.0, [1.0, 2.0]).numpy().tolist() == [2, 4]
    rows = tf.IndexedSlices(tf.constant([[1.0]]), tf.constant([0]))
    assert tf.math.scalar_mul(3.0, rows).values.numpy().tolist() == [[3]]
    with pytest.raises(ValueError, match="0-D"):
        tf.math.scalar_mul(tf.ones(2), tf.ones(2))


@given(st.lists(st.floats(-2, 2), min_size=1, max_size=5), st.floats(-2, 2))
def test_polyval_is_numpys(coefficients, x):
    got = tf.math.polyval([tf.constant(c, tf.float64) for c in coefficients], tf.constant(x, tf.float64))
    np.testing.assert_allclose(got.numpy(), np.polyval(coefficients, x), atol=1e-12)


def test_polyval_of_nothing_is_zero_and_refuses_tensors():
    assert tf.math.polyval([], tf.constant(2.0)).numpy() == 0
    with pytest.raises(ValueError, match="list type"):
        tf.math.polyval(tf.ones(2), 2.0)


def test_numbers_beside_tensors_are_not_mixed_up():
    """Python numbers become tensors once for each value, type and dtype; 0.0 and -0.0 stay apart."""
    x = tf.constant([1.0])
    for zero in (0.0, -0.0, 0.0):
        assert np.signbit((tf.constant([-0.0]) + zero).numpy()[0]) == np.signbit(np.float32(-0.0) + np.float32(zero))
    assert (x * 2).dtype is tf.float32
    assert (tf.constant([1]) * 2).dtype is tf.int32
    assert (tf.constant([1.0], tf.float64) * 0.1).numpy()[0] == 0.1


def test_a_rounded_integer_variable_is_a_snapshot():
    v = tf.Variable([1, 2])
    y = tf.round(v)
    v.assign([5, 6])
    assert y.numpy().tolist() == [1, 2]


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16", "int8", "uint8", "int64", "complex64"])
def test_add_n_of_scalars_adds_in_order_and_keeps_the_dtype(dtype):
    xs = [tf.cast(tf.constant(number), dtype) for number in np.random.default_rng(0).normal(size=13) * 40]
    expected = xs[0]
    for x in xs[1:]:
        expected += x
    total = tf.add_n(xs)
    assert total.dtype == expected.dtype
    assert total.numpy() == expected.numpy()
