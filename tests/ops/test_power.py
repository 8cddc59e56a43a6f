from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastgrad as tf

nan, inf = float("nan"), float("inf")


def gradients(function, *values, dtype=tf.float32):
    tensors = [tf.constant(value, dtype) for value in values]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        y = function(*tensors)
    return [g.numpy().tolist() for g in tape.gradient(y, tensors)]


@given(st.floats(0.01, 100), st.sampled_from([-2.0, -1.0, 0.0, 0.5, 1.0, 2.0, 3.0, 2.5]))
def test_powers_by_one_exponent_are_those_by_many(x, exponent):
    one = tf.constant([x, x], tf.float64) ** exponent
    many = tf.constant([x, x], tf.float64) ** tf.constant([exponent, exponent], tf.float64)
    np.testing.assert_allclose(one.numpy(), many.numpy(), rtol=1e-15)
    np.testing.assert_allclose(one.numpy(), x**exponent, rtol=1e-14)


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0, 2.0, -1.0, 3.0])
def test_powers_of_awkward_numbers_are_exact_for_one_exponent(exponent):
    x = np.array([0.0, -0.0, inf, -inf, nan, -1.0])
    with np.errstate(all="ignore"):
        expected = np.power(x, np.array([exponent, exponent, exponent, exponent, exponent, exponent]))
    got = tf.pow(tf.constant(x), exponent).numpy()
    np.testing.assert_array_equal(got, expected)
    np.testing.assert_array_equal(np.signbit(got), np.signbit(expected))


def test_integer_powers():
    assert (tf.constant([2, -3]) ** 3).numpy().tolist() == [8, -27]
    assert (2 ** tf.constant([0, 5])).numpy().tolist() == [1, 32]
    with pytest.raises(tf.errors.InvalidArgumentError, match="Integers to negative integer powers are not allowed"):
        tf.constant([1, 2]) ** -1
    with pytest.raises(tf.errors.InvalidArgumentError, match="uint8"):
        tf.pow(tf.constant([1], tf.uint8), tf.constant([1], tf.uint8))


def test_gradients_of_powers_at_zero():
    assert gradients(lambda x: x**2, [0.0, 2.0]) == [[0, 4]]
    assert gradients(lambda x: x**1, [0.0, 2.0]) == [[1, 1]]
    assert gradients(lambda x: x**0.5, [0.0, 4.0]) == [[inf, 0.25]]
    dx, dy = gradients(lambda x, y: x**y, [0.0, -2.0, 2.0], [1.0, 2.0, 3.0])
    assert dx == [1, -4, 12]
    np.testing.assert_allclose(dy, [0, 0, 8 * np.log(2)], rtol=1e-6)


def test_square_to_third_order():
    x = tf.constant([3.0, 0.0])
    with tf.GradientTape() as third:
        third.watch(x)
        with tf.GradientTape() as second:
            second.watch(x)
            with tf.GradientTape() as first:
                first.watch(x)
                y = x**3
            dy = first.gradient(y, x)
        d2y = second.gradient(dy, x)
    assert dy.numpy().tolist() == [27, 0]
    assert d2y.numpy().tolist() == [18, 0]
    assert third.gradient(d2y, x).numpy().tolist() == [6, 6]


def test_roots_at_the_ends_of_their_range():
    assert gradients(tf.sqrt, [0.0, 4.0]) == [[inf, 0.25]]
    assert gradients(tf.math.rsqrt, [0.0, 4.0]) == [[-inf, -0.0625]]
    roots = tf.sqrt([-0.0, -1.0]).numpy()
    assert np.signbit(roots[0])
    assert np.isnan(roots[1])
    assert tf.math.rsqrt([-0.0, 0.0, inf]).numpy().tolist() == [-inf, inf, 0]


def test_complex_powers_have_conjugate_gradients():
    z = np.array([3 + 4j])
    got = gradients(lambda x: x ** (2 + 0j), z, dtype=tf.complex128)[0]
    np.testing.assert_allclose(got, np.conj(2 * z))
    got = gradients(tf.sqrt, z, dtype=tf.complex128)[0]
    np.testing.assert_allclose(got, np.conj(0.5 / np.sqrt(z)))


@pytest.mark.parametrize("function", [tf.sqrt, tf.math.rsqrt, tf.math.reciprocal])
def test_integers_have_no_roots(function):
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"int32.*tf\.cast"):
        function([1, 4])


def test_what_a_power_overflows_to_does_not_count_where_it_is_not_used():
    x = tf.Variable([3e38, 2.0])
    with tf.GradientTape() as tape:
        y = tf.minimum(tf.pow(x, 2.0), 5.0)
    assert tape.gradient(y, x).numpy().tolist() == [0.0, 4.0]


def test_second_derivatives_of_powers_of_zero():
    x, y = tf.constant([0.0, 2.0], tf.float64), tf.constant([3.0, 3.0], tf.float64)
    with tf.GradientTape() as outer:
        outer.watch([x, y])
        with tf.GradientTape() as inner:
            inner.watch([x, y])
            z = x**y
        gradients = inner.gradient(z, [x, y])
    for_x, for_y = outer.gradient(gradients, [x, y])
    log = np.log(2)
    np.testing.assert_allclose(for_x, [0, 6 * 2 + 4 * (1 + 3 * log)])
    np.testing.assert_allclose(for_y, [0, 4 * (1 + 3 * log) + 8 * log**2])


@pytest.mark.parametrize("function", [tf.math.reciprocal, tf.math.rsqrt, tf.math.sqrt])
@pytest.mark.parametrize("compiled", [False, True])
def test_gradients_are_zero_where_cotangents_are(function, compiled):
    def slope(x, cotangents):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = function(x)
        return tape.gradient(y, x, output_gradients=cotangents)

    slope = tf.function(slope) if compiled else slope
    x, cotangents = tf.constant([0.0, -0.0, -1.0, np.nan, 4.0, 0.0]), tf.constant([0.0, 0.0, 0.0, 0.0, 0.0, 1.0])
    for _ in range(3):
        gradients = slope(x, cotangents).numpy()
    np.testing.assert_array_equal(gradients[:5], 0.0)
    assert np.isinf(gradients[5])
