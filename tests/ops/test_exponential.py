from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

import fastgrad as tf
from tests.gradients import gradient_of

nan, inf = float("nan"), float("inf")
m = tf.math


@given(x=st.floats(-700, 700))
def test_sigmoids_have_no_overflow(x):
    a = tf.constant(x, tf.float64)
    for function in (m.sigmoid, m.log_sigmoid, m.softplus):
        with tf.GradientTape() as tape:
            tape.watch(a)
            y = function(a)
        assert np.isfinite(y.numpy())
        assert np.isfinite(tape.gradient(y, a).numpy())
    np.testing.assert_allclose(m.log_sigmoid(a).numpy(), special.log_expit(x), rtol=1e-14)


def test_logarithms_at_the_ends_of_their_range():
    x = tf.constant([0.0, 1.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = m.log(x)
    assert y.numpy().tolist() == [-inf, 0]
    assert tape.gradient(y, x).numpy().tolist() == [inf, 1]
    assert np.isnan(m.log(-1.0).numpy())
    assert np.isnan(m.acosh(0.5).numpy())


def test_small_results_keep_their_digits():
    x = tf.constant(1e-10, tf.float64)
    assert m.expm1(x).numpy() == np.expm1(1e-10)
    assert m.log1p(x).numpy() == np.log1p(1e-10)
    slope = gradient_of(m.expm1, tf.Variable(-40.0, dtype=tf.float64))
    np.testing.assert_allclose(slope.numpy(), np.exp(-40.0), rtol=1e-14)


def test_xlogy_and_xlog1py_are_zero_where_their_first_argument_is():
    for function, edge, log in ((m.xlogy, 0.0, np.log), (m.xlog1py, -1.0, np.log1p)):
        x, y = tf.constant([0.0, 0.0, 0.0, 1.0, 2.0]), tf.constant([edge, nan, inf, edge, 4.0])
        with tf.GradientTape() as tape:
            tape.watch([x, y])
            z = function(x, y)
        np.testing.assert_allclose(z.numpy(), [0, 0, 0, -inf, 2 * log(4.0)], rtol=1e-6)
        dx, dy = tape.gradient(z, [x, y])
        np.testing.assert_allclose(dx.numpy(), [0, 0, 0, -inf, log(4.0)], rtol=1e-6)
        np.testing.assert_allclose(dy.numpy(), [0, 0, 0, inf, 2 / (4.0 - edge)], rtol=1e-6)


def test_atan2_takes_the_ordinate_first_by_either_way_of_calling():
    quadrants = m.atan2(y=[1.0, 1.0, -1.0, -1.0], x=[1.0, -1.0, 1.0, -1.0]).numpy()
    np.testing.assert_allclose(quadrants, np.array([1, 3, -1, -3]) * np.pi / 4, rtol=1e-6)
    np.testing.assert_array_equal(m.atan2([0.0, -0.0], [-1.0, -1.0]).numpy(), np.float32([np.pi, -np.pi]))


def test_soft_functions_name_their_argument_features():
    assert m.softplus(features=0.0).numpy() == np.log(np.float32(2))
    assert tf.nn.softsign(features=-1.0).numpy() == -0.5


@pytest.mark.parametrize("name", ["xlogy", "xlog1py"])
def test_eager_and_compiled_products_with_logarithms_have_the_same_bits(name):
    """NumPy's float32 logarithm, which eager calls used, is off by up to 4 ulp."""
    r = np.random.default_rng(0)
    x, y = (tf.constant(values.astype(np.float32)) for values in (r.normal(size=999), 1 + 1e-3 * r.random(999)))
    function = getattr(tf.math, name)
    compiled = tf.function(function)
    np.testing.assert_array_equal([compiled(x, y).numpy() for _ in range(3)][-1], function(x, y).numpy())


def test_the_sigmoid_of_complex_numbers_neither_overflows_nor_cancels():
    """The exact numbers are mpmath's; 3.1416j is close to a pole."""
    exact = {
        -1e300 - 4j: 0,
        -719 + 1j: 0,
        719 - 2j: 1,
        40 + 1j: 1,
        0.1 + 3.2j: 7.964666405132824 - 4.350181145798750j,
        1e-5 + 3.1416j: 64948.32552818373 - 47713.33683516036j,
        -2 + 0.5j: 0.1091558464542703 + 0.05166470383545819j,
    }
    x, wanted = np.array([*exact]), np.array([*exact.values()])
    compiled = tf.function(tf.sigmoid)
    for got in (tf.sigmoid(x), *[compiled(tf.constant(x)) for _ in range(3)]):
        np.testing.assert_allclose(got, wanted, rtol=4e-15, atol=1e-15)
    small = x[1:].astype(np.complex64)
    np.testing.assert_allclose(tf.sigmoid(small), tf.sigmoid(small.astype(np.complex128)), rtol=2e-7, atol=1e-45)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sines_and_cosines_are_at_most_one(dtype):
    """Else ``tf.sqrt(1 - tf.cos(x)**2)`` and ``tf.acos(tf.cos(x))`` are NaN."""
    r = np.random.default_rng(0)
    quarters = np.arange(20_001) * (np.pi / 2) * (1 + r.normal(size=20_001) * 1e-7)
    x = tf.constant(np.concatenate([quarters, r.normal(size=40_000), 10 ** r.uniform(-12, 0, 20_000)]).astype(dtype))
    for function in (tf.sin, tf.cos, tf.function(lambda x: tf.sin(x) * 1.0), tf.function(lambda x: tf.cos(x) * 1.0)):
        assert 1 - 1e-15 < float(np.abs(function(x)).max()) <= 1
