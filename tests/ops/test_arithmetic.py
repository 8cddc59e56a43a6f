from __future__ import annotations

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastgrad as tf
from tests.gradients import check_gradient

PAIRS = [
    (tf.add, np.add),
    (tf.subtract, np.subtract),
    (tf.multiply, np.multiply),
    (tf.divide, np.divide),
    (tf.maximum, np.maximum),
    (tf.minimum, np.minimum),
    (tf.math.squared_difference, lambda x, y: (x - y) ** 2),
]


@pytest.mark.parametrize(("function", "expected"), PAIRS)
@settings(max_examples=25)
@given(shapes=hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=3, max_side=3), seed=st.integers(0, 99))
def test_values_and_gradients_at_all_broadcasts(function, expected, shapes, seed):
    rng = np.random.default_rng(seed)
    x, y = [rng.uniform(0.5, 2, shape) + 0.01 * k for k, shape in enumerate(shapes.input_shapes)]
    np.testing.assert_array_equal(function(tf.constant(x), tf.constant(y)).numpy(), expected(x, y))
    check_gradient(function, x, y, rtol=1e-5)


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


def test_extremes_give_ties_to_the_first_argument():
    x, y = tf.constant([1.0, 2.0, 3.0]), tf.constant([1.0, 3.0, 2.0])
    for function, to_x in ((tf.maximum, [1, 0, 1]), (tf.minimum, [1, 1, 0])):
        with tf.GradientTape() as tape:
            tape.watch([x, y])
            z = function(x, y)
        dx, dy = tape.gradient(z, [x, y])
        assert dx.numpy().tolist() == to_x
        assert dy.numpy().tolist() == [1 - d for d in to_x]


def test_extremes_with_nan_are_nan():
    nan = float("nan")
    for function in (tf.maximum, tf.minimum):
        assert np.isnan(function([nan, 1.0], [1.0, nan]).numpy()).all()


def test_abs_has_gradient_zero_at_zero():
    x = tf.constant([-2.0, 0.0, 2.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = abs(x)
    assert tape.gradient(y, x).numpy().tolist() == [-1, 0, 1]


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


def test_accumulate_n_checks_shape_and_dtype():
    x = tf.ones(2)
    assert tf.math.accumulate_n([x, x], shape=[2], tensor_dtype=tf.float32).numpy().tolist() == [2, 2]
    with pytest.raises(ValueError, match="not compatible"):
        tf.math.accumulate_n([x, x], shape=[3])
    with pytest.raises(TypeError, match="float64"):
        tf.math.accumulate_n([x], tensor_dtype=tf.float64)
    with pytest.raises(ValueError, match="same dtype"):
        tf.math.accumulate_n([x, tf.ones(2, tf.int32)])
    with pytest.raises(ValueError, match="at least one"):
        tf.math.accumulate_n([])


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


def test_the_next_number_has_the_slope_of_the_number():
    x, y = tf.constant([1.0, 2.0]), tf.constant([3.0])
    with tf.GradientTape() as tape:
        tape.watch([x, y])
        z = tf.math.nextafter(x, y)
    assert [g.numpy().tolist() for g in tape.gradient(z, [x, y])] == [[1.0, 1.0], [0.0]]
