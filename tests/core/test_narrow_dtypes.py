"""The floats of 8 bits and integers of 4 and 2 bits: large arrays, files, and values that no cast rounds twice."""

import ml_dtypes
import numpy as np
import pytest

import fastgrad as tf
from fastgrad import dtypes
from fastgrad._src.files.formats import tensor_file
from tests.conformance.programs import narrow_dtypes

NAMES = narrow_dtypes._NAMES


def array_of_bytes(name, count):
    """``count`` elements with all values of a dtype."""
    numpy_dtype = getattr(ml_dtypes, name)
    if name.startswith("float8"):
        return (np.arange(count) % 256).astype(np.uint8).view(numpy_dtype)
    low = 0 if "uint" in name or "float" in name else int(dtypes.as_dtype(name).min)
    return (np.arange(count) % 4 + low).astype(np.int8).astype(numpy_dtype)


@pytest.mark.parametrize("name", NAMES)
def test_large_arrays_move_by_kernels_as_small_ones_by_numpy(name):
    array = array_of_bytes(name, 600 * 700).reshape(600, 700)
    x = tf.constant(array)
    moves = {
        "transpose": (tf.transpose, array.T),
        "reversed": (lambda x: x[::-1, ::3], array[::-1, ::3]),
        "joined": (lambda x: tf.concat([x, x], 1), np.concatenate([array, array], 1)),
        "gathered": (lambda x: tf.gather(x, [599, 0, 7]), array[[599, 0, 7]]),
    }
    for move, (function, expected) in moves.items():
        for call in (function, tf.function(function)):
            result = call(x)
            assert (result.dtype, result.shape) == (x.dtype, expected.shape), move
            np.testing.assert_array_equal(result.numpy().view(np.uint8), expected.view(np.uint8), move)


@pytest.mark.parametrize("name", ["float8_e5m2", "float8_e4m3fn"])
def test_casts_of_large_arrays_and_in_programs_are_those_of_small_ones(name):
    x = np.random.default_rng(3).standard_normal(50_000).astype(np.float32) * np.float32(30)
    expected = x.astype(getattr(ml_dtypes, name))
    round_trip = tf.function(lambda x: tf.cast(tf.cast(x * 2.0 / 2.0, name), tf.float32) + 1.0)
    np.testing.assert_array_equal(tf.cast(x, name).numpy().view(np.uint8), expected.view(np.uint8))
    np.testing.assert_array_equal(round_trip(tf.constant(x)), expected.astype(np.float32) + 1)
    np.testing.assert_array_equal(
        tf.cast(tf.constant(expected), tf.int32), expected.astype(np.float32).astype(np.int32)
    )


@pytest.mark.parametrize("name", ["float8_e5m2", "float8_e4m3fn"])
def test_float64_numbers_are_rounded_once(name):
    numpy_dtype = getattr(ml_dtypes, name)
    values = np.sort(np.arange(256, dtype=np.uint8).view(numpy_dtype).astype(np.float64))
    values = np.unique(values[np.isfinite(values)])
    middles = (values[1:] + values[:-1]) / 2
    above = tf.cast(np.nextafter(middles, np.inf), name).numpy().astype(np.float64)
    below = tf.cast(np.nextafter(middles, -np.inf), name).numpy().astype(np.float64)
    np.testing.assert_array_equal(above, values[1:])
    np.testing.assert_array_equal(below, values[:-1])


def test_two_roundings_of_a_program_are_not_merged_into_none():
    x = tf.constant([0.1, 0.3, 17.3, 1e6])
    twice = tf.function(lambda x: tf.cast(tf.cast(x, "float8_e4m3fn"), tf.float32))
    np.testing.assert_array_equal(twice(x)[:3], [0.1015625, 0.3125, 18.0])
    assert np.isnan(twice(x)[3])


@pytest.mark.parametrize("name", NAMES)
def test_a_checkpoint_restores_variables(tmp_path, name):
    array = array_of_bytes(name, 300)
    path = tf.train.Checkpoint(v=tf.Variable(array), w=tf.Variable(np.uint8([7]))).save(str(tmp_path / "kept"))
    v, w = tf.Variable(np.zeros_like(array)), tf.Variable(np.uint8([0]))
    tf.train.Checkpoint(v=v, w=w).restore(path).assert_consumed()
    np.testing.assert_array_equal(v.numpy().view(np.uint8), array.view(np.uint8))
    assert (v.dtype.name, w.numpy().tolist()) == (name, [7])


@pytest.mark.parametrize("ending", tensor_file.ENDINGS)
def test_files_keep_narrow_dtypes_beside_others(tmp_path, ending):
    arrays = {name: array_of_bytes(name, 12).reshape(3, 4) for name in NAMES} | {"bytes": np.arange(4, dtype=np.uint8)}
    tensor_file.save_tensors(tmp_path / f"file{ending}", arrays, {"note": "text"})
    loaded, metadata = tensor_file.load_tensors(tmp_path / f"file{ending}")
    assert {name: array.dtype for name, array in loaded.items()} == {name: a.dtype for name, a in arrays.items()}
    assert metadata == {"note": "text"}
    for name, array in arrays.items():
        np.testing.assert_array_equal(loaded[name].view(np.uint8), array.view(np.uint8))


@pytest.mark.parametrize("names", ['{"x": "float99"}', '{"y": "int4"}', '["x"]', '{"x": 3}', '{"x": ["int4"]}', "{"])
def test_a_file_with_other_narrow_dtypes_is_refused(tmp_path, names):
    path = tmp_path / "file.safetensors"
    tensor_file.save_tensors(path, {"x": np.zeros(3, np.uint8)}, {"fastgrad.narrow_dtypes": names})
    with pytest.raises(ValueError, match=r"file\.safetensors"):
        tensor_file.load_tensors(path)


def test_a_python_integer_beyond_the_range_is_an_error():
    with pytest.raises(TypeError, match="-8 to 7"):
        tf.constant([7, 8], "int4")
    with pytest.raises(TypeError, match="0 to 15"):
        tf.constant(-1, "uint4")


def test_errors_name_the_casts_that_there_are():
    with pytest.raises(tf.errors.UnimplementedError, match="Cast int32 to float8_e5m2 is not supported; .* float32"):
        tf.cast(1, "float8_e5m2")
    with pytest.raises(tf.errors.NotFoundError, match=r"equal: got dtype int4, but takes .* tf\.cast"):
        tf.equal(tf.constant(1, "int4"), tf.constant(1, "int4"))
