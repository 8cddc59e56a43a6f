from __future__ import annotations

import numpy as np
import pytest
from scipy import special

import fastgrad as tf

PROBABILITIES = np.array([1e-12, 0.01, 0.3, 0.5, 0.9])


@pytest.mark.parametrize(
    ("name", "x"),
    [
        ("erfc", np.linspace(-4, 20, 9)),
        ("erfinv", 2 * PROBABILITIES - 1),
        ("erfcinv", 2 * PROBABILITIES),
        ("ndtri", PROBABILITIES),
    ],
)
def test_values_are_scipys(name, x):
    np.testing.assert_array_equal(getattr(tf.math, name)(tf.constant(x)).numpy(), getattr(special, name)(x))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_erf_is_scipys_to_its_last_digits(dtype):
    x = np.concatenate([np.linspace(-7, 7, 1401), [np.inf, -np.inf, np.nan]]).astype(dtype)
    y = tf.math.erf(x).numpy()
    np.testing.assert_allclose(y, special.erf(x), rtol=4 * np.finfo(dtype).eps)
    np.testing.assert_array_equal(y[-3:], [1, -1, np.nan])


def test_inverses_at_and_beyond_their_ends():
    inf, nan = np.inf, np.nan
    np.testing.assert_array_equal(tf.math.erfinv([-1.0, 1.0, 2.0]).numpy(), np.float32([-inf, inf, nan]))
    np.testing.assert_array_equal(tf.math.erfcinv([0.0, 2.0, 3.0]).numpy(), np.float32([inf, -inf, nan]))
    np.testing.assert_array_equal(tf.math.ndtri([0.0, 1.0, 2.0]).numpy(), np.float32([-inf, inf, nan]))


def test_integers_are_refused():
    with pytest.raises(tf.errors.InvalidArgumentError, match="erf: got dtype int32"):
        tf.math.erf([1])
