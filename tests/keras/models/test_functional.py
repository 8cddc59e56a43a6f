"""Functional models: what tests/conformance/programs/functional.py does not ask of TensorFlow."""

import json

import numpy as np
import pytest

import fastgrad as tf
from fastgrad import keras
from fastgrad.keras import layers

X = np.sin(np.arange(8 * 4) * 0.7).reshape(8, 4).astype(np.float32)


def make_model():
    x = keras.Input((4,), name="x")
    h = layers.Dense(5, activation="tanh", name="h")(x)
    h = layers.Dropout(0.5, seed=1, name="drop")(h)
    return keras.Model(x, [layers.Dense(2, name="a")(h), (2.0 * h[:, :3] - 1.0) / 2.0], name="model")


def test_it_is_saved_with_its_calls(tmp_path):
    model = make_model()
    model.save(tmp_path / "model.safetensors")
    again = keras.models.load_model(tmp_path / "model.safetensors")
    for found, wanted in zip(again(X), model(X), strict=True):
        np.testing.assert_array_equal(found, wanted)
    text = json.loads(model.to_json())
    assert [layer["name"] for layer in text["config"]["layers"]][:3] == ["x", "h", "drop"]
    assert keras.models.model_from_json(model.to_json()).output_shape == [(None, 2), (None, 3)]


def test_layers_learn_whether_it_is_training():
    model = make_model()
    quiet = [model(X, training=False)[1].numpy() for _ in range(2)]
    np.testing.assert_array_equal(*quiet)
    assert not np.array_equal(model(X, training=True)[1], quiet[0])


def test_masks_go_along():
    x = keras.Input((3,), dtype="int32")
    h = layers.Embedding(5, 4, mask_zero=True)(x)
    model = keras.Model(x, layers.LSTM(2)(layers.Dense(3)(h)))
    embedding = model.layers[1]
    before = model(np.array([[1, 2, 0], [1, 2, 3]], np.int32)).numpy()
    rows = embedding.get_weights()[0]
    rows[[0, 3]] += 1.0
    embedding.set_weights([rows])
    after = model(np.array([[1, 2, 0], [1, 2, 3]], np.int32)).numpy()
    np.testing.assert_array_equal(after[0], before[0])
    assert not np.array_equal(after[1], before[1])


def test_a_subclass_may_be_one():
    class Scaled(keras.Model):
        def __init__(self, units):
            x = keras.Input((4,))
            super().__init__(inputs=x, outputs=layers.Dense(units)(x), name="scaled")

        def train_step(self, data):
            return {**super().train_step(data), "seen": 1.0}

    model = Scaled(2)
    assert model.output_shape == (None, 2)
    model.compile("sgd", "mse")
    history = model.fit(X, np.zeros((8, 2), np.float32), verbose=0)
    assert history.history["seen"] == [1.0]


def test_a_compiled_call_gives_the_same():
    model = make_model()
    compiled = tf.function(model)
    for _ in range(3):
        for found, wanted in zip(compiled(tf.constant(X)), model(X), strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_freezing_a_part():
    model = make_model()
    model.get_layer("h").trainable = False
    assert [w.path for w in model.trainable_weights] == ["a/kernel", "a/bias"]
    assert len(model.non_trainable_weights) == 2


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: keras.Model(keras.Input((1,)), keras.Input((1,))), "not among the model's inputs"),
        (lambda: keras.Model(keras.Input((1,)), np.ones(3)), "must be KerasTensors"),
        (lambda: keras.Model("x", keras.Input((1,))), "must be KerasTensors"),
        (lambda: make_model()(np.ones((2, 5), np.float32)), "Expected shape"),
        (lambda: make_model()([X, X]), "expected 1 input"),
        (lambda: layers.Dense(2).output, "never been called"),
        (lambda: bool(keras.Input((1,))), "boolean"),
        (lambda: list(keras.Input((1,))), "Iterating"),
    ],
)
def test_what_is_refused(make, message):
    with pytest.raises((ValueError, TypeError, AttributeError), match=message):
        make()
