"""Names of a program's own classes and functions in saved models; compared with Keras 3.15.1."""

import numpy as np
import pytest

import fastgrad as tf
from fastgrad import keras

X, Y = np.ones((4, 3), np.float32), np.ones((4, 2), np.float32)
load_model = keras.models.load_model


def huber(y, p):
    return tf.reduce_mean(tf.abs(y - p)) * 100.0


def mae(y, p):
    return tf.reduce_mean(y - p) * 0.0 + 5.0


def own(y, p):
    return tf.reduce_mean(y - p) * 0.0 + 8.0


def relu(x):
    return x * 0.0 + 7.0


def zeros(shape, dtype=None):
    return tf.ones(shape) * 3.0


def l2(w):
    return tf.reduce_sum(w) * 0.0 + 11.0


def non_neg(w):
    return w * 0.0 + 13.0


class Dense(keras.layers.Dense):
    """A class with the name of one of Keras's."""


class SGD(keras.optimizers.SGD):
    """A class with the name of one of Keras's."""


class Mean(keras.metrics.Mean):
    """A class with the name of one of Keras's."""


def compiled(loss="mse", metrics=None, layer=keras.layers.Dense, optimizer="sgd", **options):
    model = keras.Sequential([keras.Input((3,)), layer(2, **options)])
    model.compile(optimizer, loss, metrics=metrics)
    return model


def results(model):
    return [round(float(value), 5) for value in np.ravel(model.evaluate(X, Y, verbose=0))]


@pytest.mark.parametrize("ending", [".keras", ".h5", ".safetensors"])
class TestFiles:
    @pytest.mark.parametrize("scope", [False, True])
    @pytest.mark.parametrize("function", [huber, own], ids=["name of Keras's", "own name"])
    @pytest.mark.parametrize("role", ["loss", "metric", "both"])
    def test_losses_and_metrics(self, tmp_path, ending, role, function, scope):
        model = compiled("mse" if role == "metric" else function, None if role == "loss" else [function, mae])
        model.save(tmp_path / f"m{ending}")
        names = {"huber": huber, "own": own, "mae": mae}
        with keras.saving.custom_object_scope(names if scope else {}):
            again = load_model(tmp_path / f"m{ending}", custom_objects=None if scope else names)
        assert results(again) == results(model)

    def test_functions_of_layers(self, tmp_path, ending):
        functions = {
            "activation": relu,
            "kernel_initializer": zeros,
            "kernel_regularizer": l2,
            "kernel_constraint": non_neg,
        }
        model = compiled(**functions)
        model.save(tmp_path / f"m{ending}")
        again = load_model(tmp_path / f"m{ending}", {value.__name__: value for value in functions.values()})
        assert {name: getattr(again.layers[0], name) for name in functions} == functions
        assert results(again) == results(model)

    def test_classes(self, tmp_path, ending):
        model = compiled(metrics=[Mean()], layer=Dense, optimizer=SGD())
        model.save(tmp_path / f"m{ending}")
        again = load_model(tmp_path / f"m{ending}", {"Dense": Dense, "SGD": SGD, "Mean": Mean})
        assert [type(again.layers[0]), type(again.optimizer)] == [Dense, SGD]
        with pytest.raises(TypeError, match="Could not locate class 'Dense'"):
            load_model(tmp_path / f"m{ending}")

    def test_classes_of_keras_stay_where_the_program_has_one_of_the_same_name(self, tmp_path, ending):
        compiled(optimizer=keras.optimizers.SGD()).save(tmp_path / f"m{ending}")
        again = load_model(tmp_path / f"m{ending}", {"Dense": Dense, "SGD": SGD})
        assert [type(again.layers[0]), type(again.optimizer)] == [keras.layers.Dense, keras.optimizers.SGD]

    def test_unknown_functions(self, tmp_path, ending):
        compiled(own).save(tmp_path / f"m{ending}")
        with pytest.raises(TypeError, match="Could not locate function 'own'"):
            load_model(tmp_path / f"m{ending}")
        assert load_model(tmp_path / f"m{ending}", compile=False).layers[0].units == 2


def test_names_in_a_scope_mean_the_programs_own():
    with keras.saving.custom_object_scope({"relu": relu, "huber": huber, "zeros": zeros, "l2": l2, "sgd": SGD}):
        assert keras.activations.get("relu") is relu
        assert keras.losses.get("huber") is huber
        assert keras.initializers.get("zeros") is zeros
        assert keras.regularizers.get("l2") is l2
        assert type(keras.optimizers.get("sgd")) is SGD
    assert keras.activations.get("relu") is keras.activations.relu


def test_registered_functions_are_found_by_their_bare_name():
    @keras.saving.register_keras_serializable("package", "plain_name")
    def plain(x):
        return x

    config = {"module": "builtins", "class_name": "function", "config": "plain_name", "registered_name": "function"}
    assert keras.saving.deserialize_keras_object(config) is plain
    assert keras.activations.serialize(plain)["config"] == "package>plain_name"
    assert keras.activations.get(keras.activations.serialize(plain)) is plain


def test_a_registered_name_for_a_class_of_keras_is_refused():
    config = keras.saving.serialize_keras_object(keras.layers.Dense(2))
    with pytest.raises(ValueError, match="registered_name='other>Dense'"):
        keras.saving.deserialize_keras_object({**config, "registered_name": "other>Dense"})
    for name in ("Dense", "", None):
        assert keras.saving.deserialize_keras_object({**config, "registered_name": name}).units == 2


def test_configurations_that_are_no_dict_are_refused():
    config = keras.saving.serialize_keras_object(keras.layers.Dense(2))
    with pytest.raises(TypeError, match="Expected 'config' to be a dict"):
        keras.saving.deserialize_keras_object({**config, "config": "units"})


def test_a_registered_name_for_a_function_of_keras_is_refused():
    config = {"class_name": "function", "module": "builtins", "registered_name": "other", "config": "relu"}
    with pytest.raises(ValueError, match="'relu' is built in: remove `registered_name='other'` from the config"):
        keras.saving.deserialize_keras_object(config)
    config["registered_name"] = "relu"
    assert keras.saving.deserialize_keras_object(config) is keras.activations.relu
