from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

import fastgrad as tf
from tests.gradients import check_gradient, gradient_of

m = tf.math
inf, nan = np.inf, np.nan


def of64(*values):
    return [tf.constant(value, tf.float64) for value in values]


def test_poles():
    np.testing.assert_array_equal(m.lgamma([0.0, -1.0, inf, -inf]).numpy(), np.float32([inf] * 4))
    assert np.isnan(m.digamma([0.0, -3.0]).numpy()).all()
    assert np.isnan(m.polygamma([-1.0, 0.5], [1.0, 1.0]).numpy()).all()
    assert m.zeta(1.0, 1.0).numpy() == inf


@settings(max_examples=25)
@given(st.floats(0.3, 40), st.floats(0.3, 40))
def test_incomplete_gamma_has_gradients_in_both_arguments(a, x):
    for function in (m.igamma, m.igammac):
        check_gradient(function, np.array(a), np.array(x), rtol=1e-4, atol=1e-7)


def test_incomplete_gamma_does_not_move_where_it_is_saturated():
    a, x = of64([0.5, 2.0, 1e3], [1e4, 0.0, 1e6])
    assert gradient_of(lambda a: m.igamma(a, x), a).numpy().tolist() == [0, 0, 0]


def test_betainc_broadcasts_and_refuses():
    got = m.betainc(2.0, tf.constant([1.0, 2.0]), tf.constant([0.5, 0.7]))
    np.testing.assert_allclose(got.numpy(), special.betainc(2, [1, 2], [0.5, 0.7]), rtol=1e-6)
    with pytest.raises(tf.errors.InvalidArgumentError, match="Incompatible shapes"):
        m.betainc(tf.ones(2), tf.ones(3), tf.ones(2))
    with pytest.raises(tf.errors.InvalidArgumentError, match="float64"):
        m.betainc(tf.ones(2), tf.ones(2), tf.ones(2, tf.float64))
    with pytest.raises(tf.errors.InvalidArgumentError, match="float16"):
        m.betainc(tf.ones(2, tf.float16), tf.ones(2, tf.float16), tf.ones(2, tf.float16))


@pytest.mark.parametrize("compiled", [False, True])
def test_lgamma_has_its_digits_beside_its_zeros(compiled):
    """SciPy's gammaln has no digit right at the first, and an error of 43 ulp at the last."""
    x = tf.constant([-2.457024738220801, -2.7476826467274127, 1.0091162417194115], tf.float64)
    lgamma = tf.function(tf.math.lgamma) if compiled else tf.math.lgamma
    got = [lgamma(x).numpy() for _ in range(3)][-1]
    np.testing.assert_allclose(
        got, [-6.16871214088466484e-16, 1.73350924402450086e-16, -0.00519398740167184127], rtol=1e-15
    )


def test_eager_betainc_of_float32_is_computed_in_float64():
    """SciPy's float32 form gives 0 there."""
    a, b, x = (
        tf.constant(value, tf.float32) for value in (32.448760986328125, 37.064247131347656, 0.028417926281690598)
    )
    np.testing.assert_allclose(m.betainc(a, b, x).numpy(), 8.900759e-32, rtol=1e-6)


def test_digamma_has_its_digits_beside_poles():
    """SciPy's takes the tangent of a rounded angle."""
    x = tf.constant([-1.9999999999999845, -2.973945035325799], tf.float64)
    np.testing.assert_allclose(m.digamma(x).numpy(), [-64337137533863.3058, -37.0459502174514198], rtol=1e-14)


@pytest.mark.parametrize("compiled", [False, True])
def test_zeta_and_polygamma_are_nan_at_poles_with_two_signs(compiled):
    def values(x, q, n, at):
        return tf.math.zeta(x, q), tf.math.polygamma(n, at)

    values = tf.function(values) if compiled else values
    for _ in range(3):
        zeta, polygamma = values(
            tf.constant([3.0, 2.0, 3.0, 4.0, 2.5]),
            tf.constant([0.0, 0.0, -1.0, -1.0, 0.0]),
            tf.constant([1.0, 2.0, 3.0]),
            tf.constant([0.0, 0.0, -1.0]),
        )
    np.testing.assert_array_equal(zeta, [np.nan, np.inf, np.nan, np.inf, np.nan])
    np.testing.assert_array_equal(polygamma, [np.inf, np.nan, np.inf])


def test_incomplete_gamma_at_infinity_does_not_move_with_its_order():
    a = tf.constant([0.5, 2.0])
    np.testing.assert_array_equal(gradient_of(lambda a: tf.math.igamma(a, [np.inf, np.inf]), a), [0.0, 0.0])
