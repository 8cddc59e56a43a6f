from __future__ import annotations

import numpy as np
import pytest

import fastgrad as tf


def test_floats_lose_their_fraction_and_complex_numbers_their_imaginary_part():
    assert tf.cast([2.7, -2.7], tf.int32).numpy().tolist() == [2, -2]
    assert tf.cast(tf.constant([3 + 4j]), tf.float32).numpy().tolist() == [3]
    assert tf.cast([0.0, 0.5, float("nan")], tf.bool).numpy().tolist() == [False, True, True]


def test_the_same_dtype_gives_the_tensor_itself():
    x = tf.constant([1.0])
    assert tf.cast(x, "float32") is x


def test_python_numbers_become_float32_first():
    assert tf.cast(0.1, tf.float64).numpy() == np.float64(np.float32(0.1))


def test_indexed_slices_keep_their_rows():
    rows = tf.cast(tf.IndexedSlices(tf.constant([[1.5]]), tf.constant([3])), tf.float64)
    assert rows.values.dtype is tf.float64
    assert rows.indices.numpy().tolist() == [3]


def test_strings_and_unknown_dtypes_are_refused():
    with pytest.raises(tf.errors.UnimplementedError, match="string"):
        tf.cast("1", tf.int32)
    with pytest.raises(tf.errors.UnimplementedError, match="string"):
        tf.cast(1.0, tf.string)
    with pytest.raises(TypeError, match="foo"):
        tf.cast(1.0, "foo")
    with pytest.raises(ValueError, match="None"):
        tf.cast(None, tf.int32)


def test_many_numbers_become_bfloat16_and_float32_to_the_bits_of_a_few():
    bits = np.random.default_rng(0).integers(0, 1 << 32, (90, 100), dtype=np.uint32)
    bits[0, :6] = 0x7F800000, 0xFF800000, 0x7F800001, 0xFFFFFFFF, 0x7F7FFFFF, 1
    x = bits.view(np.float32)
    for given in (x, x.T):
        half = tf.cast(given, tf.bfloat16)
        wide = tf.cast(half, tf.float32)
        rows = [tf.cast(row, tf.bfloat16) for row in given]
        assert half.numpy().tobytes() == np.stack(rows).tobytes()
        assert wide.numpy().tobytes() == np.stack([tf.cast(row, tf.float32) for row in rows]).tobytes()


def test_saturate_cast_of_single_precision_into_int32_does_not_overflow():
    assert tf.saturate_cast([1e30, -1e30], tf.int32).numpy().tolist() == [2147483520, -(2**31)]
    assert tf.saturate_cast(tf.constant([300 + 1j]), tf.uint8).numpy().tolist() == [255]
    with pytest.raises(TypeError, match="bool"):
        tf.saturate_cast([1.0], tf.bool)


def test_the_namespace_of_dtypes_has_the_operations_too():
    assert tf.dtypes.cast is tf.cast
    assert tf.dtypes.saturate_cast is tf.saturate_cast
    assert tf.dtypes.complex is tf.complex
    assert tf.dtypes.as_dtype("complex128") is tf.complex128


NUMBERS = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]
FLOATS = ["float16", "bfloat16", "float32", "float64"]


@pytest.mark.parametrize("wanted", NUMBERS + FLOATS)
@pytest.mark.parametrize("got", NUMBERS + FLOATS)
def test_saturate_cast_stops_at_the_ends_of_both_dtypes(got, wanted):
    a, b = tf.as_dtype(got), tf.as_dtype(wanted)
    x = tf.constant(np.array([a.min, 0, 1, a.max], a.as_numpy_dtype))
    y = tf.saturate_cast(x, b).numpy()
    assert y.dtype == b.as_numpy_dtype
    low, high = (float(limit) for limit in (max(float(a.min), float(b.min)), min(float(a.max), float(b.max))))
    np.testing.assert_allclose(y.astype(np.float64), [low, 0, 1, high], rtol=0.01)


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16"])
def test_saturate_cast_to_the_same_dtype_makes_infinities_finite(dtype):
    most = tf.as_dtype(dtype).max
    found = tf.saturate_cast(tf.constant([np.inf, -np.inf, np.nan, 2.0], dtype), dtype).numpy().astype(np.float64)
    np.testing.assert_array_equal(found, [most, -most, np.nan, 2.0])
