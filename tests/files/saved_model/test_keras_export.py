"""Keras models as SavedModels: ``Model.export``, ``ExportArchive``, ``tf.saved_model.save(model)``."""

import numpy as np
import pytest

import fastgrad as tf
from fastgrad import keras
from fastgrad.keras import layers


def attention_model():
    x = keras.Input((None, 8))
    y = layers.LayerNormalization()(x + layers.MultiHeadAttention(2, 4)(x, x, use_causal_mask=True))
    return keras.Model(x, layers.GlobalAveragePooling1D()(layers.Dropout(0.3)(y)))


MODELS = {
    "convolutions": (
        lambda: keras.Sequential(
            [
                keras.Input((None, None, 3)),
                layers.Conv2D(4, 3, 2, padding="same", activation="relu"),
                layers.BatchNormalization(),
                layers.GlobalAveragePooling2D(),
                layers.Dense(2),
            ]
        ),
        (9, 12, 3),
    ),
    "recurrent": (
        lambda: keras.Sequential([keras.Input((None, 4)), layers.GRU(5, return_sequences=True), layers.LSTM(3)]),
        (7, 4),
    ),
    "attention": (attention_model, (6, 8)),
}


@pytest.mark.parametrize("name", MODELS)
def test_an_exported_model_serves_any_size(name, tmp_path, capsys):
    make, shape = MODELS[name]
    model = make()
    model.export(tmp_path)
    assert "Endpoint 'serve'" in capsys.readouterr().out
    loaded = tf.saved_model.load(tmp_path)
    assert list(loaded.signatures) == ["serve", "serving_default"]
    assert len(loaded.trainable_variables) == len(model.trainable_variables)
    for batch in (1, 4):
        x = tf.constant(np.random.default_rng(batch).normal(size=(batch, *shape)).astype("f"))
        expected = model(x, training=False).numpy()
        np.testing.assert_allclose(loaded.serve(x).numpy(), expected, rtol=1e-4, atol=1e-5)
        served = loaded.signatures["serving_default"](x)["output_0"]
        np.testing.assert_allclose(served.numpy(), expected, rtol=1e-4, atol=1e-5)


def test_models_of_several_inputs_and_outputs(tmp_path):
    a, b = keras.Input((2,), name="a"), keras.Input((3,), name="b")
    model = keras.Model({"a": a, "b": b}, {"o": layers.Dense(1)(layers.concatenate([a, b]))})
    model.export(tmp_path, verbose=False)
    loaded = tf.saved_model.load(tmp_path)
    inputs = {"a": tf.ones([2, 2]), "b": tf.ones([2, 3])}
    expected = model(inputs)["o"].numpy().tolist()
    assert loaded.serve(inputs)["o"].numpy().tolist() == expected
    assert loaded.signatures["serve"](**inputs)["o"].numpy().tolist() == expected


class Subclass(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(2)

    def call(self, x):
        return self.dense(x)


def test_subclassed_models(tmp_path):
    model = Subclass()
    with pytest.raises(ValueError, match="has not yet been built"):
        model.export(tmp_path)
    tf.saved_model.save(model, tmp_path)
    assert dict(tf.saved_model.load(tmp_path).signatures) == {}
    expected = model(tf.ones([3, 4])).numpy()
    tf.saved_model.save(model, tmp_path)
    loaded = tf.saved_model.load(tmp_path)
    assert not callable(loaded)
    np.testing.assert_allclose(
        loaded.signatures["serving_default"](inputs=tf.ones([3, 4]))["output_0"].numpy(), expected, rtol=1e-6
    )
    assert loaded.dense.kernel.shape == (4, 2)


def test_layers_in_modules(tmp_path):
    class Model(tf.Module):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(2)
            self.dense.build((None, 3))

        @tf.function(input_signature=[tf.TensorSpec([None, 3])])
        def __call__(self, x):
            return self.dense(x)

    model = Model()
    tf.saved_model.save(model, tmp_path)
    loaded = tf.saved_model.load(tmp_path)
    np.testing.assert_allclose(loaded(tf.ones([2, 3])).numpy(), model(tf.ones([2, 3])).numpy(), rtol=1e-6)
    loaded.dense.bias.assign_add([1.0, 1.0])
    np.testing.assert_allclose(loaded(tf.ones([2, 3])).numpy(), model(tf.ones([2, 3])).numpy() + 1, rtol=1e-6)


def test_export_archive(tmp_path):
    model = keras.Sequential([keras.Input((4,)), layers.Dense(2), layers.BatchNormalization()])
    archive = keras.export.ExportArchive()
    with pytest.raises(ValueError, match="No endpoints have been set yet"):
        archive.write_out(tmp_path)
    archive.track(model)
    archive.add_endpoint("infer", model.call, [keras.InputSpec(shape=(None, 4), dtype="float32")])
    archive.add_variable_collection("kernels", [model.layers[0].kernel])
    for wrong in (lambda: archive.add_endpoint("infer", model.call, []), lambda: archive.add_endpoint("b", model.call)):
        with pytest.raises(ValueError, match=r"already taken|needs an `input_signature`"):
            wrong()
    archive.write_out(tmp_path, verbose=False)
    loaded = tf.saved_model.load(tmp_path)
    np.testing.assert_allclose(loaded.infer(tf.ones([3, 4])).numpy(), model(tf.ones([3, 4])).numpy(), rtol=1e-6)
    assert loaded.kernels[0].shape == (4, 2)
    assert len(loaded.variables) == len(loaded.trainable_variables) + len(loaded.non_trainable_variables) == 6


def test_other_formats_are_refused(tmp_path):
    model = keras.Sequential([keras.Input((4,)), layers.Dense(2)])
    with pytest.raises(ValueError, match="`format` must be one of .*format='onnx'"):
        model.export(tmp_path, format="onnx")
