from __future__ import annotations

import numpy as np
import pytest

import fastgrad as tf


def test_parts_make_the_number_again():
    z = tf.constant([1 + 2j, -3 - 4j])
    assert z.dtype is tf.complex128
    assert tf.math.real(z).dtype is tf.float64
    np.testing.assert_array_equal(tf.complex(tf.math.real(z), tf.math.imag(z)).numpy(), z.numpy())
    assert tf.complex(1.0, [2.0, 3.0]).numpy().tolist() == [1 + 2j, 1 + 3j]
    assert tf.complex(1.0, 2.0).dtype is tf.complex64


def test_real_numbers_are_their_own_parts_and_conjugates():
    x = tf.constant([1.0, -2.0])
    assert tf.math.real(x) is x
    assert tf.math.conj(x) is x
    assert tf.math.imag(x).numpy().tolist() == [0, 0]
    np.testing.assert_array_equal(tf.math.angle(x).numpy(), np.float32([0, np.pi]))


def test_angles_are_between_minus_pi_and_pi():
    z = tf.constant([1j, -1 + 0j, -1j])
    np.testing.assert_allclose(tf.math.angle(z).numpy(), [np.pi / 2, np.pi, -np.pi / 2])


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
