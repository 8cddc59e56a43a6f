from __future__ import annotations

import pytest

import fastgrad as tf


def test_wrong_dtypes_are_type_errors():
    with pytest.raises(TypeError, match="incorrect types: float32 float64"):
        tf.complex(tf.constant([1.0]), tf.constant([1.0], tf.float64))
    with pytest.raises(TypeError, match="int32"):
        tf.complex([1], [1])
    for function in (tf.math.real, tf.math.imag, tf.math.conj):
        with pytest.raises(TypeError, match="bool"):
            function([True])
    with pytest.raises(TypeError, match="int32"):
        tf.math.angle([1])
