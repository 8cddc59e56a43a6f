"""``keras.utils``, ``keras.backend`` and ``keras`` itself."""

import random
import re
import subprocess
import sys

import numpy as np
import pytest

import fastgrad as tf
from fastgrad import keras
from fastgrad._src.keras.callbacks import progress_bar
from fastgrad.keras import layers, losses, metrics, models, optimizers  # noqa: F401  # importing them is the fact


def test_classes_of_columns_and_rows():
    np.testing.assert_array_equal(keras.utils.to_categorical(np.array([[0], [2]]), 4), np.eye(4)[[0, 2]])
    assert keras.utils.to_categorical([[0, 1], [1, 1]]).shape == (2, 2, 2)


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
        assert float(losses.categorical_crossentropy([1.0, 0.0], [0.0, 1.0])) == pytest.approx(-np.log(1e-7), rel=1e-4)

    def test_image_data_format(self):
        assert keras.backend.image_data_format() == "channels_last"
        with pytest.raises(ValueError, match="data_format"):
            keras.backend.set_image_data_format("sideways")

    def test_clear_session_starts_the_names_anew(self):
        keras.backend.clear_session()
        assert layers.Dense(1).name == "dense"
        keras.utils.clear_session()
        assert layers.Dense(1).name == "dense"

    def test_clear_session_resets_the_dtype_policy_and_switches_but_not_floatx(self):
        keras.mixed_precision.set_global_policy("mixed_bfloat16")
        keras.backend.set_floatx("float64")
        keras.config.disable_traceback_filtering()
        try:
            keras.backend.clear_session()
            assert keras.config.dtype_policy().name == layers.Dense(1).dtype_policy.name == "float64"
            with pytest.raises(ValueError, match="safe_mode"):
                layers.Lambda.from_config(layers.Lambda(lambda x: x).get_config())
        finally:
            keras.backend.set_floatx("float32")


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


class TestPadSequences:
    SEQUENCES = ([1, 2, 3], [4], [], [5, 6, 7, 8])

    def test_to_the_longest(self):
        expected = [[0, 1, 2, 3], [0, 0, 0, 4], [0, 0, 0, 0], [5, 6, 7, 8]]
        found = keras.utils.pad_sequences(self.SEQUENCES)
        np.testing.assert_array_equal(found, expected)
        assert found.dtype == np.int32

    def test_cut_and_filled_up(self):
        found = keras.utils.pad_sequences(self.SEQUENCES, 2, "float32", "post", "post", value=-1)
        np.testing.assert_array_equal(found, [[1, 2], [4, -1], [-1, -1], [5, 6]])
        found = keras.utils.pad_sequences(self.SEQUENCES, 2)
        np.testing.assert_array_equal(found, [[2, 3], [0, 4], [0, 0], [7, 8]])

    def test_of_vectors(self):
        found = keras.utils.pad_sequences([[[1, 2]], [[3, 4], [5, 6]]])
        np.testing.assert_array_equal(found, [[[0, 0], [1, 2]], [[3, 4], [5, 6]]])

    @pytest.mark.parametrize(
        "arguments",
        [{"sequences": 3}, {"sequences": [1, 2]}, {"padding": "left"}, {"truncating": "x"}, {"value": "a"}, {"sequences": [[[1]], [[1, 2]]]}],
        ids=str,
    )  # fmt: skip
    def test_refusals(self, arguments):
        with pytest.raises(ValueError, match=r"sequence|padding|truncating|dtype"):
            keras.utils.pad_sequences(**{"sequences": [[1]], **arguments})


class TestProgbar:
    def test_a_line_at_the_end(self, capsys):
        bar = keras.utils.Progbar(3, verbose=2, stateful_metrics=["rate"])
        for step in range(1, 4):
            bar.update(step, [("loss", 1.0 / step), ("rate", step)])
        out, err = capsys.readouterr()
        assert out.startswith("3/3 - ")
        assert re.fullmatch(r"3/3 - 0s - \d+(us|ms)/step - loss: 0.3333 - rate: 3.0000\n", out)
        assert err == ""

    def test_values_may_be_lists(self, capsys):
        bar = keras.utils.Progbar(2, verbose=2)
        bar.update(1, [("a", [1.0, 3.0])])
        bar.update(2, [("a", np.array([2.0, 4.0])), ("b", 1)])
        assert capsys.readouterr().out.endswith("a: 3.0000 - b: 1.0000\n")

    def test_one_line_where_output_is_no_terminal(self, capsys):
        bar = keras.utils.Progbar(12)
        bar.add(11, [("loss", 1.0)])
        assert capsys.readouterr() == ("", "")
        bar.add(1, [("loss", 2.0)])
        out, err = capsys.readouterr()
        full = "━" * 20
        beginning = f"\r\x1b[1m12/12\x1b[0m \x1b[32m{full}\x1b[0m\x1b[37m\x1b[0m \x1b[1m0s\x1b[0m "
        assert out.startswith(beginning)
        assert re.fullmatch(r"\d+(us|ms)/step - loss: 2.0000\n", out.removeprefix(beginning))
        assert err == ""

    def test_a_bar_in_a_terminal(self, capsys, monkeypatch):
        monkeypatch.setattr("fastgrad._src.keras.callbacks.progress_bar.are_bars_drawn_live", lambda: True)
        bar = keras.utils.Progbar(4, interval=0, unit_name="sample")
        bar.add(1, [("loss", 1.0)])
        bar.add(2, [("loss", 4.0)])
        first, second = capsys.readouterr().out.split("\r")[1:]
        assert first.startswith(
            "\x1b[1m1/4\x1b[0m \x1b[32m━━━━━\x1b[0m\x1b[37m━━━━━━━━━━━━━━━\x1b[0m \x1b[1m0s\x1b[0m "
        )
        assert re.search(r"(us|ms)/sample - loss: 1.0000\x08+$", first)
        assert second.startswith("\x1b[1m3/4\x1b[0m")
        assert second.rstrip().endswith("loss: 3.0000")
        bar.add(1)
        assert capsys.readouterr().out.rstrip(" \n").endswith("loss: 3.0000")

    def test_a_bar_without_a_target(self, capsys, monkeypatch):
        monkeypatch.setattr("fastgrad._src.keras.callbacks.progress_bar.are_bars_drawn_live", lambda: True)
        bar = keras.utils.Progbar(None, interval=0)
        bar.add(3)
        assert "      3/Unknown \x1b[1m0s\x1b[0m " in capsys.readouterr().out
        assert [progress_bar._remaining_text(seconds) for seconds in (59.9, 61, 3 * 3600 + 62)] == [
            "59s",
            "1:01",
            "3:01:02",
        ]

    def test_both_lists_of_names(self):
        with pytest.raises(ValueError, match="Only one"):
            keras.utils.Progbar(1, stateful_metrics=[], stateless_metrics=[])


@pytest.mark.parametrize("dtype", [int, "int", "int64"])
def test_an_int_of_keras_is_an_int64(dtype):
    assert tf.keras.Input((2,), dtype=dtype).dtype == "int64"
    assert tf.keras.layers.InputSpec(dtype=dtype).dtype == "int64"
    assert tf.keras.initializers.Zeros()((2,), dtype=dtype).dtype is tf.int64


@pytest.mark.parametrize("dtype", [np.float16, tf.bfloat16.as_numpy_dtype])
def test_normalize_does_not_overflow(dtype):
    x = np.array([[300.0, 400.0], [0.0, 0.0]], dtype)
    for order, expected in ((1, [3 / 7, 4 / 7]), (2, [0.6, 0.8]), (np.inf, [0.75, 1.0])):
        for result in (
            keras.utils.normalize(x, order=order),
            keras.utils.normalize(tf.constant(x), order=order).numpy(),
        ):
            assert result.dtype == dtype
            np.testing.assert_allclose(result.astype(float), [expected, [0.0, 0.0]], rtol=5e-3)
