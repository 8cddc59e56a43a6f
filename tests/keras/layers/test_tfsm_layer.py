"""``keras.layers.TFSMLayer``: functions of SavedModels of fastgrad and of TensorFlow as layers."""

import numpy as np
import pytest

import fastgrad as tf
from fastgrad import keras
from fastgrad.keras import layers


@pytest.fixture
def model():
    return keras.Sequential([keras.Input((4,)), layers.Dense(5, "relu"), layers.BatchNormalization(), layers.Dense(2)])


X = np.random.default_rng(1).normal(size=(6, 4)).astype("f")


def test_a_layer_computes_what_the_exported_model_does(model, tmp_path):
    model.export(tmp_path, verbose=False)
    layer = layers.TFSMLayer(tmp_path)
    np.testing.assert_allclose(layer(X), model(X), rtol=1e-5, atol=1e-6)
    assert len(layer.trainable_weights) == len(model.trainable_weights)
    signature = layers.TFSMLayer(tmp_path, call_endpoint="serving_default")
    np.testing.assert_allclose(signature(X)["output_0"], model(X), rtol=1e-5, atol=1e-6)


def test_a_layer_is_trained_in_a_model(model, tmp_path):
    model.export(tmp_path, verbose=False)
    layer = layers.TFSMLayer(tmp_path)
    x = keras.Input((4,))
    around = keras.Model(x, layers.Dense(1)(layer(x)))
    before = [weight.numpy() for weight in layer.trainable_weights]
    around.compile("adam", "mse")
    losses = around.fit(X, X[:, :1], epochs=20, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    assert all(np.any(old != new.numpy()) for old, new in zip(before[:2], layer.trainable_weights, strict=False))


def test_training_chooses_the_endpoint(tmp_path):
    module = tf.Module()
    module.v = tf.Variable(3.0)
    specs = [tf.TensorSpec([None])]
    module.serve = tf.function(lambda x: x + module.v, input_signature=specs)
    module.train = tf.function(lambda x: x * module.v, input_signature=specs)
    tf.saved_model.save(module, tmp_path)
    layer = layers.TFSMLayer(tmp_path, call_training_endpoint="train", trainable=False)
    x = tf.constant([2.0])
    assert (float(layer(x)[0]), float(layer(x, training=True)[0])) == (5.0, 6.0)
    assert len(layer.weights) == 1
    assert layer.trainable_weights == []


def test_a_missing_endpoint_is_named(model, tmp_path):
    model.export(tmp_path, verbose=False)
    with pytest.raises(ValueError, match=r"(?s)endpoint 'nothing'.*serving_default"):
        layers.TFSMLayer(tmp_path, call_endpoint="nothing")


def test_a_configuration_is_read_only_if_asked(model, tmp_path):
    model.export(tmp_path, verbose=False)
    config = layers.TFSMLayer(tmp_path).get_config()
    with pytest.raises(ValueError, match="safe_mode=False"):
        layers.TFSMLayer.from_config(config)
    again = layers.TFSMLayer.from_config(config, safe_mode=False)
    np.testing.assert_allclose(again(X), model(X), rtol=1e-5, atol=1e-6)
