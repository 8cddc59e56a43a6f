"""Element types: what they are equal to, what they know of themselves."""

import copy
import pickle

import ml_dtypes
import numpy as np
import pytest

import fastgrad as tf
from fastgrad import dtypes
from tests.conformance.programs import edges

NAMES = [*edges._DTYPES, "bool", "string"]


@pytest.mark.parametrize("name", NAMES)
def test_every_type_is_found_by_its_name_and_shows_it(name):
    dtype = getattr(tf, name)
    assert tf.as_dtype(name) is dtype
    assert dtype.name == name
    assert dtype == name
    assert (str(dtype), repr(dtype)) == (f"<dtype: '{name}'>", f"tf.{name}")
    assert tf.as_dtype(dtype.as_datatype_enum) is dtype


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("string", "bfloat16")])
def test_a_type_equals_numpys(name):
    dtype = getattr(tf, name)
    assert dtype == np.dtype(name)
    assert dtype == np.dtype(name).type
    assert dtype.as_numpy_dtype is np.dtype(name).type
    assert dtype.size == np.dtype(name).itemsize
    assert np.zeros(2, dtype.as_numpy_dtype).dtype == np.zeros(2, dtype).dtype == dtype
    assert tf.as_dtype(np.dtype(name).newbyteorder(">")) is dtype


def test_other_names_of_types():
    assert tf.as_dtype("half") is tf.float16
    assert tf.as_dtype(ml_dtypes.bfloat16) is tf.bfloat16


def test_numeric_and_quantized_types_are_tensorflows():
    assert {name for name in NAMES if not getattr(tf, name).is_numeric} <= {"bool", "string"}
    assert not tf.string.is_numeric
    assert not tf.bool.is_numeric
    assert all(dtype.is_numeric and dtype.is_quantized for dtype in (tf.qint8, tf.quint8, tf.qint32))
    assert not tf.int8.is_quantized


def test_kinds():
    flags = ("is_floating", "is_integer", "is_unsigned", "is_complex", "is_bool")
    for name in NAMES:
        dtype = getattr(tf, name)
        assert [getattr(dtype, flag) for flag in flags] == [
            "float" in name,
            "int" in name,
            name.startswith("uint"),
            name.startswith("complex"),
            name == "bool",
        ]
    assert (tf.string.size, tf.string.as_numpy_dtype) == (0, object)
    assert tf.complex64.real_dtype is tf.float32
    assert tf.complex128.real_dtype is tf.float64
    assert tf.int32.real_dtype is tf.int32


def test_least_and_greatest_values():
    assert (tf.int8.min, tf.int8.max) == (-128, 127)
    assert tf.uint64.max == 2**64 - 1
    assert tf.float32.max == np.finfo(np.float32).max
    assert float(tf.bfloat16.min) == float(ml_dtypes.finfo(ml_dtypes.bfloat16).min)
    assert tf.int16.limits == (0, 32767)
    assert tf.float32.limits == (0, 1)
    for dtype in (tf.bool, tf.complex64, tf.string):
        with pytest.raises(TypeError, match=dtype.name):
            dtype.min


def test_what_names_no_type_is_refused_with_the_names_there_are():
    for value in ("nope", None, object(), [1]):
        with pytest.raises(TypeError, match="float32"):
            tf.as_dtype(value)


def test_copies_and_pickles_are_the_type_itself():
    for name in NAMES:
        dtype = getattr(tf, name)
        assert pickle.loads(pickle.dumps(dtype)) is dtype
        assert copy.deepcopy(dtype) is dtype


def test_the_types_are_a_tuple():
    assert type(dtypes.ALL) is tuple
    assert len(dtypes.ALL) == len(set(dtypes.ALL)) == 16


@pytest.mark.parametrize("name", ["qint8", "quint8", "qint16", "quint16", "qint32"])
def test_a_quantized_dtype_is_not_the_plain_one(name):
    quantized, plain = getattr(tf, name), getattr(tf, name.removeprefix("q"))
    assert quantized != plain
    assert plain not in (tf.qint8, tf.quint8, tf.qint16, tf.quint16, tf.qint32)
    assert tf.as_dtype(name) is quantized is pickle.loads(pickle.dumps(quantized))
    assert (quantized.is_integer, quantized.size) == (False, plain.size)
    assert tf.cast([1, 2], quantized).dtype is plain
