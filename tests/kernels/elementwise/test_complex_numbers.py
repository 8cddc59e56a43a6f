"""Complex numbers, element by element: against NumPy's longest, whose functions are the C library's."""

from __future__ import annotations

import numpy as np
import pytest

import fastgrad as tf
from tests.kernels.elementwise.complex_properties import PROPERTIES
from tests.kernels.properties import property_test

test_rows_give_what_longer_numbers_give = property_test(PROPERTIES)


REAL_NUMBERS = np.array([0.0, -0.0, 0.5, -3.0, 800.0, -800.0, 1e200, -1e200])


@pytest.mark.parametrize("name", ["exp", "sin", "cos", "sinh", "cosh", "sigmoid", "tanh", "sqrt"])
def test_real_numbers_stay_real_however_large_the_results_get(name):
    x = np.abs(REAL_NUMBERS) if name == "sqrt" else REAL_NUMBERS
    x = x[np.abs(x) < 1e9] if name in {"sin", "cos"} else x
    function = getattr(tf.math, name)
    found = tf.function(function)(tf.constant(x + 0j)).numpy()
    np.testing.assert_allclose(found.real, function(tf.constant(x)), rtol=1e-14)
    np.testing.assert_array_equal(found.imag, 0)


@pytest.mark.parametrize("x", [0j, 1 + 0j, -1e300 + 0j])
def test_roots_of_infinite_imaginary_numbers(x):
    for one in (complex(x.real, np.inf), complex(x.real, -np.inf)):
        found = tf.function(tf.sqrt)(tf.constant(one)).numpy()
        assert (found.real, found.imag) == (np.inf, one.imag)
