"""Regularizers and constraints."""

import numpy as np
import pytest

import fastgrad as tf
from fastgrad import keras

reg, con = keras.regularizers, keras.constraints


class TestRegularizers:
    def test_arguments(self):
        for mode in ("rows", "columns"):
            with pytest.raises(ValueError, match="rank 2"):
                reg.OrthogonalRegularizer(mode=mode)(tf.ones(3))
        for bad in (-0.1, float("nan"), float("inf"), "x", True):
            with pytest.raises(ValueError, match="non-negative float"):
                reg.L2(bad)
        with pytest.raises(ValueError, match="mode"):
            reg.OrthogonalRegularizer(mode="x")

    def test_get(self):
        assert reg.get(None) is None
        assert reg.get("l2").l2 == 0.01
        assert reg.deserialize(reg.serialize(reg.L1L2(0.1, 0.2))).get_config() == {"l1": 0.1, "l2": 0.2}
        assert isinstance(reg.get("L1L2"), reg.L1L2)
        assert reg.get(tf.reduce_sum) is tf.reduce_sum
        with pytest.raises(ValueError, match="regularizer identifier: nonsense"):
            reg.get("nonsense")


class TestConstraints:
    def test_zero_norms_stay_finite(self):
        zero = np.zeros((2, 2))
        for constraint in (con.MaxNorm(), con.UnitNorm(), con.MinMaxNorm(0.5)):
            np.testing.assert_array_equal(constraint(zero), zero)

    def test_names_and_configurations(self):
        assert con.get(None) is None
        assert isinstance(con.get("max_norm"), con.MaxNorm)
        for constraint in (con.MaxNorm(3, 1), con.UnitNorm(), con.NonNeg(), con.MinMaxNorm(0.1, 0.2, 0.3, 1)):
            twin = con.deserialize(con.serialize(constraint))
            assert type(twin) is type(constraint)
            assert twin.get_config() == constraint.get_config()
        with pytest.raises(ValueError, match="constraint identifier: nonsense"):
            con.get("nonsense")
