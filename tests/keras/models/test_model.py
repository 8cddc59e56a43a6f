"""``Model`` subclasses."""

import numpy as np
import pytest

import fastgrad as tf
from fastgrad import keras

layers = keras.layers


class Classifier(keras.Model):
    def __init__(self, classes=3):
        super().__init__()
        self.hidden = layers.Dense(4, "relu")
        self.drop = layers.Dropout(0.5)
        self.out = layers.Dense(classes)

    def call(self, inputs, training=None):
        return self.out(self.drop(self.hidden(inputs), training=training))


def test_a_training_step():
    tf.random.set_seed(1)
    model = Classifier()
    x, labels = tf.random.normal((8, 5)), tf.constant([0, 1, 2, 0, 1, 2, 0, 1])
    loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    losses = []
    for _ in range(30):
        with tf.GradientTape() as tape:
            loss = loss_of(labels, model(x, training=False))
        for variable, gradient in zip(
            model.trainable_variables, tape.gradient(loss, model.trainable_variables), strict=True
        ):
            variable.assign_sub(0.2 * gradient)
        losses.append(float(loss))
    assert losses[-1] < 0.6 * losses[0]


def test_layers_by_name_and_position():
    model = Classifier()
    assert [layer is other for layer, other in zip(model.layers, [model.hidden, model.drop, model.out], strict=True)]
    assert model.get_layer(index=2) is model.out
    assert model.get_layer(model.drop.name) is model.drop
    with pytest.raises(ValueError, match="No such layer: x"):
        model.get_layer("x")
    with pytest.raises(ValueError, match="index 9"):
        model.get_layer(index=9)
    with pytest.raises(ValueError, match="either"):
        model.get_layer()
    with pytest.raises(AttributeError, match="reserved"):
        model.layers = []


def test_paths_begin_with_the_model():
    model = Classifier()
    model(tf.ones((1, 2)))
    assert {w.path.split("/")[0] for w in model.weights} == {model.name}


def test_build_by_shape():
    model = Classifier()
    model.build((None, 5))
    assert len(model.weights) == 4
    assert model.built


def test_inputs_may_be_dicts():
    class Sum(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(1, kernel_initializer="ones")

        def call(self, inputs):
            return self.dense(inputs["a"]) + self.dense(inputs["b"])

    model = Sum()
    np.testing.assert_array_equal(model({"a": np.ones((1, 2)), "b": np.ones((1, 2))}), [[4.0]])
    twin = Sum()
    twin.build({"a": (None, 2), "b": (None, 2)})
    assert len(twin.weights) == 2


def test_layers_made_by_the_first_call():
    class Late(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = None

        def call(self, inputs):
            if self.dense is None:
                self.dense = layers.Dense(1)
            return self.dense(inputs)

    model = Late()
    for _ in range(3):
        model(tf.ones((1, 2)))
    assert len(model.weights) == 2


def test_call_must_be_written():
    with pytest.raises(NotImplementedError, match=r"Model Model does not have a `call\(\)`"):
        keras.Model()(tf.ones((1, 1)))


def test_metrics_as_attributes():
    class Tracked(Classifier):
        def __init__(self):
            super().__init__()
            self.loss_tracker = keras.metrics.Mean(name="loss")

    model = Tracked()
    assert [metric.name for metric in model.metrics] == ["loss"]
    assert len(model.metrics_variables) == 2
    model(tf.ones((1, 1)))
    assert len(model.weights) == 4
