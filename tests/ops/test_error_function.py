from __future__ import annotations

import numpy as np

import fastgrad as tf


def test_inverses_at_and_beyond_their_ends():
    inf, nan = np.inf, np.nan
    np.testing.assert_array_equal(tf.math.erfinv([-1.0, 1.0, 2.0]).numpy(), np.float32([-inf, inf, nan]))
    np.testing.assert_array_equal(tf.math.erfcinv([0.0, 2.0, 3.0]).numpy(), np.float32([inf, -inf, nan]))
    np.testing.assert_array_equal(tf.math.ndtri([0.0, 1.0, 2.0]).numpy(), np.float32([-inf, inf, nan]))
