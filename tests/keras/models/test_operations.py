"""The operations of a functional model that are no layers: Python operators and functions on ``KerasTensor``s, as Keras has them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.keras.layers.operators import Operator
from fastgrad.keras import layers, ops
from tests.keras.recorded_answers import answer, assert_agrees, recorded

ANSWERS = recorded("operations")
DATA = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)


@pytest.mark.parametrize("expression", ANSWERS)
def test_answers_are_those_of_keras(expression: str) -> None:
    assert_agrees(answer(tf, expression), ANSWERS[expression])


def model_with_operations() -> Any:
    x = tf.keras.Input((4,), name="x")
    return tf.keras.Model(x, ops.sum(layers.Dense(3, name="d")(x * 2) + 1, axis=-1, keepdims=True))


def test_operations_are_rows_of_the_summary_but_no_layers(capsys: Any) -> None:
    model = model_with_operations()
    model.summary(line_length=88)
    text = capsys.readouterr().out
    assert [layer.name for layer in model.layers] == ["x", "d"]
    for operation in model.operations:
        assert f"{operation.name} ({type(operation).__name__})" in text
    with pytest.raises(ValueError, match="No such layer"):
        model.get_layer(model.operations[1].name)


def test_files_from_before_operations_had_keras_classes_are_read() -> None:
    model = model_with_operations()
    config = model.get_config()
    for layer, old in zip(config["layers"], [None, "multiply", None, "add", "ops.sum"], strict=True):
        if old:
            layer.update(module="keras.layers", class_name="Operator", registered_name=None)
            layer["config"] = {"name": layer["name"], "trainable": True, "dtype": "float32", "operation": old}
    config["layers"][-1]["inbound_nodes"][0]["kwargs"] = {"axis": -1, "keepdims": True}
    loaded = tf.keras.Model.from_config(config)
    loaded.set_weights(model.get_weights())
    np.testing.assert_array_equal(loaded(DATA), model(DATA))


def test_slices_of_files_from_before_are_read() -> None:
    x = tf.keras.Input((4,))
    config = tf.keras.Model(x, x[:, 1:3]).get_config()
    key = config["layers"][1]["inbound_nodes"][0]["args"][1]
    assert key[1] == {"class_name": "__slice__", "config": {"start": 1, "stop": 3, "step": None}}
    key[1]["config"] = {"bounds": [1, 3, None]}
    np.testing.assert_array_equal(tf.keras.Model.from_config(config)(DATA), DATA[:, 1:3])


def test_an_operation_called_with_other_options_again_is_written_whole() -> None:
    x = tf.keras.Input((4,))
    operation = Operator("ops.sum")
    model = tf.keras.Model(x, [operation(x, axis=0), operation(x, axis=1)])
    copy = tf.keras.Model.from_config(model.get_config())
    for got, expected in zip(copy(DATA), model(DATA), strict=True):
        np.testing.assert_array_equal(got, expected)


def test_options_that_a_function_does_not_have_are_refused() -> None:
    x = tf.keras.Input((4,))
    config = tf.keras.Model(x, ops.layer_normalization(x)).get_config()
    config["layers"][1]["config"]["rms_scaling"] = False
    np.testing.assert_allclose(tf.keras.Model.from_config(config)(DATA), ops.layer_normalization(DATA), rtol=1e-6)
    config["layers"][1]["config"]["rms_scaling"] = True
    with pytest.raises(ValueError, match="`rms_scaling` is not supported"):
        tf.keras.Model.from_config(config)
