from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastgrad as tf
from tests.gradients import check_gradient

SCANS = {
    "cumsum": (np.add, 0.0),
    "cumprod": (np.multiply, 1.0),
    "cumulative_logsumexp": (np.logaddexp, -np.inf),
}


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
def test_values_and_gradients(name, shape, axis, exclusive, reverse):
    axis = axis % len(shape)
    x = np.random.default_rng(3).uniform(-1, 2, shape)

    def scan(t):
        return getattr(tf.math, name)(t, axis=axis, exclusive=exclusive, reverse=reverse)

    ufunc, first = SCANS[name]
    np.testing.assert_allclose(scan(tf.constant(x)).numpy(), expected(ufunc, first, x, axis, exclusive, reverse))

    def finite(t):
        y = scan(t)
        return tf.where(tf.math.is_finite(y), y, 0.0)

    check_gradient(finite, x, rtol=1e-5)
    check_gradient(finite, x, order=2, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("exclusive", [False, True])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("x", [[0.0, 2.0, 3.0], [2.0, 0.0, 3.0, 0.0, 5.0], [0.0, 0.0]])
def test_running_products_have_exact_gradients_with_zeros(x, exclusive, reverse):
    check_gradient(lambda t: tf.math.cumprod(t, exclusive=exclusive, reverse=reverse), np.array(x))


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
