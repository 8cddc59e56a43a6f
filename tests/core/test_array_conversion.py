"""How Python values and arrays become tensors: TensorFlow's dtypes, ranges and refusals."""

import array
import collections
import warnings

import numpy as np
import pytest

import fastgrad as tf


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        # Lists take the floating dtype of their first number; integers in lists are int32 wherever they come from.
        ([np.float32(1), 2.0], "float32"),
        ([1.0, np.float64(2)], "float32"),
        ([np.float64(2), 1.0], "float64"),
        ([1, np.float64(2)], "float32"),
        ([np.float16(1), np.float64(1)], "float16"),
        ([[2.0], [np.float64(1)]], "float32"),
        ([np.array([1.0], np.float32), np.array([2.0])], "float32"),
        ([np.array([1, 2]), np.array([1.0, 2.0])], "float32"),
        ([np.arange(2), np.arange(2)], "int32"),
        ([np.arange(2), range(2)], "int32"),
        ([np.uint8(1), np.uint8(2)], "int32"),
        ([np.int64(2**40)], "int64"),
        ([np.uint64(1)], "int32"),
        ([np.complex64(1)], "complex128"),
        (range(2**31, 2**31 + 2), "int64"),
        (collections.deque([1, 2]), "int32"),
        (array.array("f", [1, 2]), "float32"),
        (memoryview(b"ab"), "int32"),
        (np.longlong(5), "int64"),
        (np.float16(1), "float16"),
        ("a", "string"),
        (np.arange(3, dtype=">f8"), "float64"),
    ],
)
def test_dtypes_of_lists_and_sequences(value, dtype):
    assert tf.constant(value).dtype == dtype


@pytest.mark.parametrize(
    "value", [1e300, [1.0, -1e39], 3.4028236e38, [float("nan"), 1e39], [2**63, 1], [2**63, -1], [2**63, 1.5], 2**64]
)
def test_numbers_out_of_the_range_of_the_dtype_found_are_refused(value):
    with pytest.raises(ValueError, match="out.of.range"):
        tf.constant(value)


def test_numbers_at_the_ends_of_a_range():
    assert float(tf.constant(3.4028235e38)) == np.finfo(np.float32).max
    assert tf.constant([float("inf"), float("nan"), -float("inf")]).dtype == tf.float32
    assert float(tf.constant(1e39, tf.float32)) == np.inf
    assert tf.constant([2**63, 1], tf.uint64).numpy().tolist() == [2**63, 1]
    assert tf.constant([2**70, 1.5], tf.float64).numpy().tolist() == [2.0**70, 1.5]
    with pytest.raises(TypeError):
        tf.constant([2**63, 1.5], tf.uint64)


@pytest.mark.parametrize(
    ("value", "dtype", "error"),
    [
        ([1, 2j], None, ValueError),
        ([np.bool_(True), 1], None, ValueError),
        (np.longdouble(1), None, ValueError),
        (np.zeros(2, "M8[D]"), None, ValueError),
        (np.zeros(2, "M8[D]"), "float32", ValueError),
        (np.array([1]), "string", ValueError),
        (1, "string", TypeError),
        (True, "string", TypeError),
        ([1, object()], None, ValueError),
        ([1.5, "a"], None, ValueError),
        (2**70, None, ValueError),
        (1.0, "nonsense", TypeError),
    ],
)
def test_refused_values(value, dtype, error):
    with pytest.raises(error):
        tf.constant(value, dtype)


def test_conversions_never_warn():
    """Neither do they raise, whatever the user has asked of NumPy."""
    with warnings.catch_warnings(), np.errstate(all="raise"):
        warnings.simplefilter("error")
        assert float(tf.constant(1e-50)) == 0
        assert float(tf.constant(np.float64(1e300), tf.float32)) == np.inf
        assert float(tf.constant(np.complex64(2 + 1j), tf.float32)) == 2
        assert float(tf.constant(1.0) * np.complex64(2)) == 2
        assert tf.constant(np.array([np.nan]), tf.int32).shape == (1,)
        assert float(tf.Variable(1.0).assign(1e-50)) == 0


@pytest.mark.parametrize("dtype", ["float64", "float32", "complex128"])
def test_an_integer_beyond_all_floats_is_out_of_range(dtype):
    for value in (10**310, [10**310, 1]):
        with pytest.raises(ValueError, match="out-of-range integer"):
            tf.constant(value, dtype)
    assert tf.constant(2**72, "float32") == 2.0**72
