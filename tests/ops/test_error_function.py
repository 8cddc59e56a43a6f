from __future__ import annotations

import numpy as np
import pytest
from scipy import special

import fastgrad as tf

PROBABILITIES = np.array([1e-12, 0.01, 0.3, 0.5, 0.9])


@pytest.mark.parametrize(
    ("name", "x"),
    [
        ("erfinv", 2 * PROBABILITIES - 1),
        ("erfcinv", 2 * PROBABILITIES),
        ("ndtri", PROBABILITIES),
    ],
)
def test_values_are_scipys(name, x):
    np.testing.assert_array_equal(getattr(tf.math, name)(tf.constant(x)).numpy(), getattr(special, name)(x))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("name", "ends", "most"), [("erf", [1, -1], 4), ("erfc", [0, 2], 24)])
def test_the_error_function_is_scipys_to_its_last_digits(name, ends, most, dtype):
    """SciPy's complement is itself off by 17 in float64."""
    x = np.concatenate([np.linspace(-7, 7, 1401), [np.inf, -np.inf, np.nan]]).astype(dtype)
    y = getattr(tf.math, name)(x).numpy()
    np.testing.assert_allclose(y, getattr(special, name)(x.astype(np.float64)), rtol=most * np.finfo(dtype).eps)
    np.testing.assert_array_equal(y[-3:], [*ends, np.nan])


def test_inverses_at_and_beyond_their_ends():
    inf, nan = np.inf, np.nan
    np.testing.assert_array_equal(tf.math.erfinv([-1.0, 1.0, 2.0]).numpy(), np.float32([-inf, inf, nan]))
    np.testing.assert_array_equal(tf.math.erfcinv([0.0, 2.0, 3.0]).numpy(), np.float32([inf, -inf, nan]))
    np.testing.assert_array_equal(tf.math.ndtri([0.0, 1.0, 2.0]).numpy(), np.float32([-inf, inf, nan]))


def test_integers_are_refused():
    with pytest.raises(tf.errors.InvalidArgumentError, match="erf: got dtype int32"):
        tf.math.erf([1])
