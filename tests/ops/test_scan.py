from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastgrad as tf
from fastgrad._src.core.operation import TABLE
from tests.gradients import gradient_of

SCANS = {"cumsum": (np.add, 0.0), "cumprod": (np.multiply, 1.0), "cumulative_logsumexp": (np.logaddexp, -np.inf)}


def expected(ufunc, first, x, axis, exclusive, reverse):
    x = np.moveaxis(x, axis, 0)
    x = x[::-1] if reverse else x
    y = ufunc.accumulate(x)
    if exclusive:
        y = np.concatenate([np.full_like(x[:1], first), y[:-1]])
    return np.moveaxis(y[::-1] if reverse else y, 0, axis)


@pytest.mark.parametrize("name", SCANS)
@settings(max_examples=20)
@given(
    shape=st.sampled_from([(1,), (4,), (2, 3), (3, 2, 2)]),
    axis=st.integers(-3, 2),
    exclusive=st.booleans(),
    reverse=st.booleans(),
)
def test_values(name, shape, axis, exclusive, reverse):
    axis = axis % len(shape)
    x = np.random.default_rng(3).uniform(-1, 2, shape)
    y = getattr(tf.math, name)(tf.constant(x), axis=axis, exclusive=exclusive, reverse=reverse)
    ufunc, first = SCANS[name]
    np.testing.assert_allclose(y.numpy(), expected(ufunc, first, x, axis, exclusive, reverse))


def test_dtypes_are_kept():
    assert tf.cumsum(tf.constant([100, 100], tf.int8)).numpy().tolist() == [100, -56]
    halves = tf.cumsum(tf.ones((3000,), tf.float16))
    assert halves.dtype is tf.float16
    assert halves.numpy()[-1] == 3000


def test_logsumexp_of_minus_infinity():
    y = tf.math.cumulative_logsumexp([-np.inf, -np.inf, 1.0], exclusive=False)
    assert y.numpy().tolist() == [-np.inf, -np.inf, 1]


def test_wrong_arguments_are_refused():
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"cumsum: .* 1 not in range \[-1, 1\)"):
        tf.cumsum([1, 2], axis=1)
    with pytest.raises(tf.errors.InvalidArgumentError, match="cumsum"):
        tf.cumsum(1.0)
    with pytest.raises(ValueError, match="None"):
        tf.cumsum([1.0], axis=None)
    with pytest.raises(tf.errors.InvalidArgumentError, match="bool"):
        tf.cumsum([True])
    with pytest.raises(tf.errors.InvalidArgumentError, match="int32"):
        tf.math.cumulative_logsumexp([1])


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("exclusive", [False, True])
def test_running_sums_of_many_values_do_not_lose_digits(axis, exclusive):
    """A sum of one value after another was off by 900 units of rounding after 10^7 values of float32."""
    x = np.random.default_rng(0).random((100_000, 3), np.float32)
    exact = np.cumsum(x.astype(np.float64), 0) - (x if exclusive else 0)
    shaped, wanted = (x, exact) if axis == 0 else (x.T.copy(), exact.T)
    compiled = tf.function(lambda x: tf.cumsum(x, axis, exclusive=exclusive))
    for y in (tf.cumsum(shaped, axis, exclusive=exclusive), [compiled(tf.constant(shaped)) for _ in range(3)][-1]):
        assert np.max(np.abs(y.numpy() - wanted)) <= 2.0**-24 * 50_000


def test_running_sums_past_infinity_and_nan():
    x = np.array([3e38, 3e38, -np.inf, 1.0], np.float32)
    np.testing.assert_array_equal(tf.cumsum(x), np.array([3e38, np.inf, np.nan, np.nan], np.float32))
    np.testing.assert_array_equal(tf.cumsum([1.0, np.nan, 2.0]), [1.0, np.nan, np.nan])
    np.testing.assert_array_equal(
        tf.cumsum([[1.0, 2.0], [np.inf, 3.0], [1.0, 4.0]]), [[1, 2], [np.inf, 5], [np.inf, 9]]
    )


@pytest.mark.parametrize("compiled", [False, True])
def test_logsumexp_with_infinities_has_gradients_before_them(compiled):
    def slope(x):
        return gradient_of(tf.math.cumulative_logsumexp, x)

    slope = tf.function(slope) if compiled else slope
    for _ in range(3):
        gradient = slope(tf.constant([1.0, np.inf, np.inf, 2.0]))
    np.testing.assert_array_equal(gradient, [1.0, np.nan, np.nan, 0.0])


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_recurrences_of_half_width_floats_are_rounded_once(dtype):
    a, b = [tf.cast(x, dtype) for x in np.random.default_rng(0).normal(size=(2, 9, 40)) * 0.9]
    y = TABLE["linear_recurrence"](a, b, axis=1, reverse=False)
    wide_a, wide_b = tf.cast(a, tf.float32), tf.cast(b, tf.float32)
    wanted = tf.cast(TABLE["linear_recurrence"](wide_a, wide_b, axis=1, reverse=False), dtype)
    np.testing.assert_array_equal(tf.cast(y, tf.float64), tf.cast(wanted, tf.float64))


@pytest.mark.parametrize("reverse", [False, True])
def test_the_gradient_of_cumulative_logsumexp_of_an_empty_sum(reverse):
    x = tf.constant([-np.inf, 0.0, 0.0][:: -1 if reverse else 1])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.math.cumulative_logsumexp(x, reverse=reverse)
    np.testing.assert_allclose(tape.gradient(y, x)[:: -1 if reverse else 1], [1.0, 1.5, 0.5])
