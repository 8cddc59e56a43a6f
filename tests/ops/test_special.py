from __future__ import annotations

import numpy as np
import pytest
from scipy import special

import fastgrad as tf
from tests.gradients import check_gradient

OURS = {name: "".join(name.split("_")[1:]) for name in vars(tf.math.special) if name.startswith("bessel_")}
OURS |= {"dawsn": "dawsn", "expint": "expi", "spence": "spence"}


def test_all_of_tensorflows_functions_are_there():
    assert len(OURS) == 12 + 3
    assert {"fresnel_cos", "fresnel_sin"} <= set(vars(tf.math.special))
    assert tf.math.bessel_i0e is tf.math.special.bessel_i0e


@pytest.mark.parametrize("name", OURS)
def test_values_are_scipys(name):
    x = np.array([0.1, 0.5, 1.5, 4.0])
    got = getattr(tf.math.special, name)(tf.constant(x)).numpy()
    np.testing.assert_array_equal(got, getattr(special, OURS[name])(x))


def test_fresnel_integrals_are_scipys():
    x = np.array([-1.0, 0.3, 2.0])
    sine, cosine = special.fresnel(x)
    np.testing.assert_array_equal(tf.math.special.fresnel_sin(tf.constant(x)).numpy(), sine)
    np.testing.assert_array_equal(tf.math.special.fresnel_cos(tf.constant(x)).numpy(), cosine)
    assert tf.math.special.fresnel_cos(tf.constant([1.0], tf.float16)).dtype is tf.float16


@pytest.mark.parametrize("name", ["bessel_i1", "bessel_j1", "bessel_i1e"])
@pytest.mark.parametrize("order", [1, 2])
def test_gradients_at_zero_are_limits(name, order):
    if name == "bessel_i1e" and order == 2:
        return  # its second derivative jumps at 0
    check_gradient(getattr(tf.math.special, name), np.array([0.0, 1.0]), order=order, rtol=1e-4)


def test_spence_at_one_is_a_limit():
    check_gradient(tf.math.special.spence, np.array([1.0, 2.0]), rtol=1e-4)
