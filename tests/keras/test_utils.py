"""``keras.utils``, ``keras.backend`` and ``keras`` itself."""

import random
import subprocess
import sys

import numpy as np
import pytest

import fastgrad as tf
from fastgrad import keras
from fastgrad.keras import layers, losses, metrics, models, optimizers  # noqa: F401  # importing them is the fact


class TestToCategorical:
    def test_rows(self):
        np.testing.assert_array_equal(keras.utils.to_categorical([0, 2, 1]), np.eye(3)[[0, 2, 1]])
        np.testing.assert_array_equal(keras.utils.to_categorical(np.array([[0], [2]]), 4), np.eye(4)[[0, 2]])
        assert keras.utils.to_categorical([[0, 1], [1, 1]]).shape == (2, 2, 2)
        assert keras.utils.to_categorical([0, 1]).dtype == np.float64

    def test_of_a_tensor(self):
        found = keras.utils.to_categorical(tf.constant([0, 1]), 2)
        assert isinstance(found, tf.Tensor)
        assert found.dtype == "float32"

    @pytest.mark.parametrize("number", [3, -1])
    def test_numbers_outside_the_classes(self, number):
        with pytest.raises(IndexError, match=str(number)):
            keras.utils.to_categorical([0, number], 3)


def test_set_random_seed():
    draws = []
    for _ in range(2):
        keras.utils.set_random_seed(3)
        draws.append((random.random(), np.random.rand(), float(tf.random.uniform([]))))
    assert draws[0] == draws[1]
    with pytest.raises(ValueError, match="integer"):
        keras.utils.set_random_seed("x")


def test_normalize():
    x = np.array([[3.0, 4.0], [0.0, 0.0]])
    np.testing.assert_allclose(keras.utils.normalize(x), [[0.6, 0.8], [0.0, 0.0]])
    np.testing.assert_allclose(keras.utils.normalize(tf.constant(x), order=1), [[3 / 7, 4 / 7], [0.0, 0.0]])


class TestBackend:
    def test_floatx(self):
        assert keras.backend.floatx() == "float32"
        keras.backend.set_floatx("float64")
        try:
            assert layers.Dense(1).dtype == "float64"
            assert keras.Variable("zeros", shape=()).dtype == "float64"
        finally:
            keras.backend.set_floatx("float32")
        with pytest.raises(ValueError, match="int32"):
            keras.backend.set_floatx("int32")

    def test_epsilon(self):
        assert keras.backend.epsilon() == 1e-7
        keras.backend.set_epsilon(1e-3)
        try:
            assert float(losses.categorical_crossentropy([1.0, 0.0], [0.0, 1.0])) == pytest.approx(
                -np.log(1e-3), rel=1e-4
            )
        finally:
            keras.backend.set_epsilon(1e-7)

    def test_image_data_format(self):
        assert keras.backend.image_data_format() == "channels_last"
        with pytest.raises(ValueError, match="data_format"):
            keras.backend.set_image_data_format("sideways")

    def test_clear_session_starts_the_names_anew(self):
        keras.backend.clear_session()
        assert layers.Dense(1).name == "dense"
        keras.utils.clear_session()
        assert layers.Dense(1).name == "dense"


class TestRegistration:
    def test_names(self):
        @keras.saving.register_keras_serializable("pack", "Name")
        class Thing:
            def get_config(self):
                return {}

        assert keras.saving.get_registered_name(Thing) == "pack>Name"
        assert keras.saving.get_registered_object("pack>Name") is Thing
        assert keras.saving.get_custom_objects()["pack>Name"] is Thing
        assert keras.saving.get_registered_name(int) == "int"
        assert keras.saving.get_registered_object("nothing") is None

    def test_classes_need_a_configuration(self):
        with pytest.raises(ValueError, match="get_config"):
            keras.saving.register_keras_serializable()(type("Bare", (), {}))

    def test_scopes_end(self):
        with keras.utils.custom_object_scope({"x": max}):
            assert keras.activations.get("x") is max
            with keras.utils.CustomObjectScope({"y": min}):
                assert keras.activations.get("x") is max
        with pytest.raises(ValueError, match="x"):
            keras.activations.get("x")

    def test_values_in_configurations(self):
        values = {
            "array": np.arange(3),
            "scalar": np.float32(2.0),
            "tensor": tf.constant([[1.5]]),
            "bytes": b"ab",
            "dtype": tf.float16,
            "shape": tf.TensorShape([None, 2]),
            "nested": [(1, 2), {"a": None}],
        }
        config = keras.saving.serialize_keras_object(values)
        again = keras.saving.deserialize_keras_object(config)
        np.testing.assert_array_equal(again["array"], values["array"])
        np.testing.assert_array_equal(again["tensor"], values["tensor"])
        assert isinstance(again["tensor"], tf.Tensor)
        assert (again["scalar"], again["bytes"], again["dtype"]) == (2.0, b"ab", "float16")
        assert (again["shape"], again["nested"]) == ([None, 2], [[1, 2], {"a": None}])
        with pytest.raises(TypeError, match="get_config"):
            keras.saving.serialize_keras_object(object())


def test_unknown_names_are_refused():
    with pytest.raises(AttributeError, match="nonsense"):
        _ = keras.nonsense
    assert "Sequential" in dir(keras)


def test_importing_keras_imports_little():
    program = "import sys, fastgrad.keras; print(sorted(m for m in sys.modules if m.startswith('fastgrad.keras')))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['fastgrad.keras']"
