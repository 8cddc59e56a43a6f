"""Checks of values, shapes and dtypes."""

import numpy as np
import pytest

import fastgrad as tf

d = tf.debugging
INVALID = tf.errors.InvalidArgumentError

FAILS = [
    (lambda: d.assert_equal([1, 2], [1, 3], message="mine"), INVALID, "mine.*assert_equal.*x == y.*index"),
    (lambda: d.assert_less([1.0, float("nan")], 2.0), INVALID, "x < y"),
    (lambda: d.assert_positive([1.0, 0.0]), INVALID, "x > 0|x > y"),
    (lambda: d.assert_near(1.0, 1.1), INVALID, "assert_near"),
    (lambda: d.assert_equal(1, 1.0), INVALID, "int32.*float"),
    (lambda: d.assert_equal([1, 2], [1, 2, 3]), INVALID, "Incompatible shapes"),
    (lambda: d.assert_rank([1], 2), ValueError, "rank 2"),
    (lambda: d.assert_rank_at_least(1, 1), ValueError, "rank at least 1"),
    (lambda: d.assert_rank_in([[1]], (0, 1)), ValueError, "rank in"),
    (lambda: d.assert_type(1.0, tf.int32), TypeError, "tf.int32"),
    (lambda: d.assert_integer(1.0), TypeError, "integer"),
    (lambda: d.assert_shapes([(tf.ones((2, 3)), ("N", "N"))]), ValueError, "size 2"),
    (lambda: d.Assert(False, [[1, 2]]), INVALID, "1 2"),
]


@pytest.mark.parametrize(("check", "error", "text"), FAILS)
def test_false_conditions_raise(check, error, text):
    with pytest.raises(error, match=f"(?s){text}"):
        check()


def test_check_numerics_passes_finite_values_and_names_the_line():
    x = tf.constant([1.0, 2.0])
    np.testing.assert_array_equal(d.check_numerics(x, "fine"), x)
    with pytest.raises(INVALID, match=r"(?s)mine.*test_assertion\.py:\d+.*NaN.*index \[1\]"):
        d.check_numerics([1.0, float("nan")], "mine")
    with pytest.raises(INVALID, match="Inf"):
        d.check_numerics([float("inf")], "mine")
    with pytest.raises(INVALID, match="int32"):
        d.check_numerics([1], "mine")


def test_check_numerics_checks_gradients_too():
    x = tf.Variable([0.0, 1.0])
    with tf.GradientTape() as tape:
        y = tf.sqrt(d.check_numerics(x, "x"))
    with pytest.raises(INVALID, match="gradient of x"):
        tape.gradient(y, x)
