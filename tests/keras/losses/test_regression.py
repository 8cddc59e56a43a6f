"""Losses between numbers: shapes; tests/conformance/programs/losses.py compares their values with Keras."""

import numpy as np
import pytest

import fastgrad as tf
from fastgrad import keras

losses = keras.losses
RNG = np.random.default_rng(0)
Y, P = RNG.uniform(0.1, 2, (4, 3)), RNG.uniform(0.1, 2, (4, 3))


@pytest.mark.parametrize("name", ["MeanSquaredError", "MeanAbsoluteError", "Huber", "LogCosh"])
def test_a_trailing_one_is_forgiven(name):
    loss, column = getattr(losses, name)(), P[:, :1]
    vector = Y[:, 0]
    expected = float(loss(vector[:, None], column))
    assert float(loss(vector, column)) == pytest.approx(expected)
    assert float(loss(vector[:, None], P[:, 0])) == pytest.approx(expected)


def test_shapes_that_do_not_go_together():
    with pytest.raises(tf.errors.InvalidArgumentError, match="Incompatible shapes"):
        losses.mse(np.ones((2, 3)), np.ones((2, 4)))
