from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastgrad as tf
from tests.gradients import gradient_of

nan, inf = float("nan"), float("inf")


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


def test_roots_at_the_ends_of_their_range():
    roots = tf.sqrt([-0.0, -1.0]).numpy()
    assert np.signbit(roots[0])
    assert np.isnan(roots[1])
    assert tf.math.rsqrt([-0.0, 0.0, inf]).numpy().tolist() == [-inf, inf, 0]


@pytest.mark.parametrize("function", [tf.sqrt, tf.math.rsqrt, tf.math.reciprocal])
def test_integers_have_no_roots(function):
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"int32.*tf\.cast"):
        function([1, 4])


def test_what_a_power_overflows_to_does_not_count_where_it_is_not_used():
    x = tf.Variable([3e38, 2.0])
    assert gradient_of(lambda x: tf.minimum(tf.pow(x, 2.0), 5.0), x).numpy().tolist() == [0.0, 4.0]


def _derivatives(function, x, order):
    """Returns ``function(x)`` and its derivatives up to ``order``."""
    if order == 0:
        return [function(x)]
    with tf.GradientTape() as tape:
        tape.watch(x)
        values = _derivatives(function, x, order - 1)
    return [*values, tape.gradient(values[-1], x)]


@pytest.mark.parametrize("wrap", [lambda function: function, tf.function])
@pytest.mark.parametrize(
    ("function", "x", "wanted"),
    [
        (lambda x: x + x**2 + x**3, 0.0, [0, 1, 2, 6, 0]),
        (lambda x: tf.pow(x, [1.0, 1.0]), [0.0, 2.0], [[0, 2], [1, 1], [0, 0], [0, 0]]),
        (lambda x: tf.pow(x, [0.0, 1.0, 2.0]), [0.0, 0.0, 0.0], [[1, 0, 0], [0, 1, 0], [0, 0, 2], [0, 0, 0]]),
        (lambda x: x**2.5, 0.0, [0, 0, 0, np.inf]),
    ],
)
def test_powers_have_all_derivatives_at_zero(function, x, wanted, wrap):
    values = wrap(lambda x: _derivatives(function, x, len(wanted) - 1))(tf.constant(x))
    np.testing.assert_array_equal([value.numpy() for value in values], wanted)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sinc_has_derivatives_at_and_near_zero(dtype):
    x = tf.constant([0.0, 1e-4, 0.1, 0.2, 3.0], dtype)
    p = np.pi * x.numpy().astype("longdouble")
    series = [sum((-1) ** k * (2 * k) * p ** (2 * k - 1) / math.factorial(2 * k + 1) for k in range(1, 25))]
    value, slope, curvature = _derivatives(tf.keras.ops.sinc, x, 2)
    np.testing.assert_allclose(value, np.sinc(x.numpy().astype("longdouble")).astype(dtype), rtol=1e-6, atol=1e-7)
    tolerance = {"float32": 3e-6, "float64": 1e-14}[dtype]
    np.testing.assert_allclose(slope, (np.pi * series[0]).astype(dtype), rtol=tolerance)
    assert float(curvature[0]) == pytest.approx(-(math.pi**2) / 3)
