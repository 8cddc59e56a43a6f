"""Objects as configurations: slices, lambdas; compared with Keras 3.15.1."""

import numpy as np
import pytest

from fastgrad import keras
from fastgrad._src.keras.saving.registration import SafeModeScope

X = np.ones((2, 3), np.float32)
serialize, deserialize = keras.saving.serialize_keras_object, keras.saving.deserialize_keras_object


def test_tuples_stay_tuples():
    layer = keras.layers.RandomZoom((0.1, 0.2), [0.3, 0.4])
    config = keras.saving.serialize_keras_object(layer)
    assert config["config"]["height_factor"] == (0.1, 0.2)
    assert config["config"]["width_factor"] == [0.3, 0.4]
    revived = keras.saving.deserialize_keras_object(config).get_config()
    assert (revived["height_factor"], revived["width_factor"]) == ((0.1, 0.2), [0.3, 0.4])


def test_slices_and_ellipses():
    value = {"a": slice(1, None, 2), "b": ..., "c": b"x", "d": [1, 2]}
    assert deserialize(serialize(value)) == value


class TestLambdas:
    """Their bytecode is written down, and made a function only where safe mode is off."""

    @pytest.mark.parametrize("ending", [".keras", ".h5", ".safetensors"])
    def test_layers(self, tmp_path, ending):
        factor = 3.0
        model = keras.Sequential(
            [
                keras.Input((3,)),
                keras.layers.Lambda(
                    lambda x, shift, extra=2.0: (x[:, :2] + shift) * factor + extra,
                    output_shape=lambda shape: (shape[0], 2),
                    arguments={"shift": 2.0},
                ),
            ]
        )
        model.save(tmp_path / f"m{ending}")
        with pytest.raises(ValueError, match="safe_mode=False"):
            keras.models.load_model(tmp_path / f"m{ending}")
        again = keras.models.load_model(tmp_path / f"m{ending}", safe_mode=False)
        np.testing.assert_array_equal(again(X), np.full((2, 2), 11.0))
        assert again.output_shape == (None, 2)

    @pytest.mark.parametrize("ending", [".keras", ".h5", ".safetensors"])
    def test_activations_and_losses(self, tmp_path, ending):
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, activation=lambda x: x * 0.0 + 4.0)])
        model.compile("sgd", lambda y, p: (y - p) * 0.0 + 5.0)
        with pytest.warns(UserWarning, match="includes a `lambda`"):
            model.save(tmp_path / f"m{ending}")
        with pytest.raises(TypeError, match="safe_mode=False"):
            keras.models.load_model(tmp_path / f"m{ending}")
        again = keras.models.load_model(tmp_path / f"m{ending}", safe_mode=False)
        np.testing.assert_array_equal(again(X), np.full((2, 2), 4.0))
        assert float(again.evaluate(X, X[:, :2], verbose=0)) == 5.0

    def test_named_functions_are_loaded_in_safe_mode(self, tmp_path):
        def halved(x):
            return x / 2.0

        keras.Sequential([keras.Input((3,)), keras.layers.Lambda(halved)]).save(tmp_path / "m.keras")
        again = keras.models.load_model(tmp_path / "m.keras", {"halved": halved})
        np.testing.assert_array_equal(again(X), X / 2.0)

    def test_scopes(self):
        with pytest.warns(UserWarning, match="lambda"):
            config = serialize(lambda x: x + 1)
        with pytest.raises(ValueError, match="arbitrary code"):
            deserialize(config)
        assert deserialize(config, safe_mode=False)(2) == 3
        with SafeModeScope(False):
            assert deserialize(config)(2) == 3
        with SafeModeScope(True), pytest.raises(ValueError, match="arbitrary code"):
            deserialize(config, safe_mode=False)

    def test_layers_are_safe_by_default(self):
        config = keras.layers.Lambda(lambda x: x).get_config()
        assert config["function"]["class_name"] == "__lambda__"
        with pytest.raises(ValueError, match="arbitrary code"):
            keras.layers.Lambda.from_config(config)
        assert keras.layers.Lambda.from_config(config, safe_mode=False).function(3) == 3

    def test_what_a_closure_cannot_hold(self, tmp_path):
        layer = keras.layers.Dense(2)
        model = keras.Sequential([keras.Input((3,)), keras.layers.Lambda(lambda x: layer(x) + 1.0)])
        with pytest.raises(TypeError, match=r"it uses .*Dense"):
            model.save(tmp_path / "m.keras")
        assert not (tmp_path / "m.keras").exists()

    def test_other_bytecode(self):
        config = {"class_name": "__lambda__", "config": {"value": ["AAAA", None, None]}}
        with pytest.raises(ValueError, match="another version of Python"):
            deserialize(config, safe_mode=False)
