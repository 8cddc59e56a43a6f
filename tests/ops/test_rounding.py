from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastgrad as tf


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-50, 50).map(lambda n: n + 0.5))
def test_values_are_pythons(x):
    a = tf.constant(x, tf.float64)
    assert tf.round(a).numpy() == round(x)
    assert tf.math.rint(a).numpy() == round(x)
    assert tf.floor(a).numpy() == math.floor(x)
    assert tf.math.ceil(a).numpy() == math.ceil(x)


def test_halves_go_to_even_and_zeros_keep_their_sign():
    assert tf.round([0.5, 1.5, 2.5, -1.5]).numpy().tolist() == [0, 2, 2, -2]
    assert np.signbit(tf.round([-0.5]).numpy())[0]
    assert np.signbit(tf.math.ceil([-0.5]).numpy())[0]
    assert np.isnan(tf.floor([float("nan")]).numpy())[0]


def test_integers_are_round():
    x = tf.constant([1, -2])
    assert tf.round(x).numpy().tolist() == [1, -2]
    for function in (tf.floor, tf.math.ceil, tf.math.rint):
        with pytest.raises(tf.errors.InvalidArgumentError, match="int32"):
            function(x)


def test_a_rounded_integer_variable_is_a_snapshot():
    v = tf.Variable([1, 2])
    y = tf.round(v)
    v.assign([5, 6])
    assert y.numpy().tolist() == [1, 2]
