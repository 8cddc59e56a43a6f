from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastgrad as tf

nan, inf = float("nan"), float("inf")
COMPARISONS = {
    "equal": np.equal,
    "not_equal": np.not_equal,
    "less": np.less,
    "less_equal": np.less_equal,
    "greater": np.greater,
    "greater_equal": np.greater_equal,
}


@pytest.mark.parametrize("name", COMPARISONS)
@given(x=st.floats(), y=st.floats())
def test_values(name, x, y):
    z = getattr(tf.math, name)(tf.constant(x, tf.float64), tf.constant(y, tf.float64))
    assert z.dtype is tf.bool
    assert z.numpy() == COMPARISONS[name](x, y)


@pytest.mark.parametrize("name", COMPARISONS)
def test_functions_refuse_incompatible_shapes(name):
    with pytest.raises(tf.errors.InvalidArgumentError, match=rf"{name}: Incompatible shapes: \[2\] vs. \[3\]"):
        getattr(tf.math, name)(tf.ones(2), tf.ones(3))


def test_equality_takes_everything_order_only_real_numbers():
    assert tf.equal("a", "a").numpy()
    assert tf.not_equal(tf.constant([1j]), tf.constant([1j])).numpy().tolist() == [False]
    assert tf.equal([True], [True]).numpy().tolist() == [True]
    for wrong in (tf.constant([1j]), tf.constant([True]), tf.constant(["a"])):
        with pytest.raises(tf.errors.InvalidArgumentError, match="less: got dtype"):
            tf.less(wrong, wrong)


def test_logic():
    a, b = [True, True, False, False], [True, False, True, False]
    assert tf.logical_and(a, b).numpy().tolist() == [True, False, False, False]
    assert tf.logical_or(a, b).numpy().tolist() == [True, True, True, False]
    assert tf.math.logical_xor(a, b).numpy().tolist() == [False, True, True, False]
    assert tf.logical_not(a).numpy().tolist() == [False, False, True, True]
    with pytest.raises(tf.errors.InvalidArgumentError, match="logical_and: got dtype int32"):
        tf.logical_and(tf.constant([1]), tf.constant([1]))


def test_what_is_finite():
    x = tf.constant([1.0, nan, inf, -inf])
    assert tf.math.is_nan(x).numpy().tolist() == [False, True, False, False]
    assert tf.math.is_inf(x).numpy().tolist() == [False, False, True, True]
    assert tf.math.is_finite(x).numpy().tolist() == [True, False, False, False]
    with pytest.raises(tf.errors.InvalidArgumentError, match="is_nan: got dtype int32"):
        tf.math.is_nan(tf.constant([1]))
