"""``stateless_call``: values in place of variables."""

import numpy as np
import pytest

import fastgrad as tf
from fastgrad import keras
from tests.conformance.programs.every_layer import LAYERS

X = np.arange(8, dtype=np.float32).reshape(4, 2) / 32


def make_model():
    model = keras.Sequential(
        [keras.Input((2,)), keras.layers.Dense(2, kernel_regularizer="l2"), keras.layers.BatchNormalization()]
    )
    for i, weight in enumerate(model.weights):
        weight.assign(np.cos(np.arange(np.prod(weight.shape)).reshape(weight.shape) + i) ** 2)
    return model


@pytest.mark.parametrize("compiled", [False, True])
def test_results_and_gradients_are_those_of_keras(compiled):
    model = make_model()
    before = model.get_weights()
    trainable = [2.0 * variable for variable in model.trainable_variables]
    others = [1.0 + variable for variable in model.non_trainable_variables]

    def step(trainable, others):
        with tf.GradientTape() as tape:
            tape.watch(trainable)
            outputs, new_values, losses = model.stateless_call(
                trainable, others, tf.constant(X), training=True, return_losses=True
            )
            loss = tf.reduce_sum(outputs**2) + losses[0]
        return outputs, new_values, losses, tape.gradient(loss, trainable)

    outputs, new_values, losses, gradients = (tf.function(step) if compiled else step)(trainable, others)
    np.testing.assert_allclose(np.ravel(outputs)[:4], [1.5039, -1.7347, 1.8081, -0.0086], atol=1e-4)
    np.testing.assert_allclose(new_values, [[1.4211, 1.0761], [1.0699, 1.9030]], atol=1e-4)
    np.testing.assert_allclose(losses, [0.0830311], rtol=1e-5)
    expected = [[[0.054, 0.371], [0.021, 0.398]], [0, 0], [2.671, 15.2], [15.681, 6.836]]
    for gradient, value in zip(gradients, expected, strict=True):
        np.testing.assert_allclose(gradient, value, atol=1e-3)
    for weight, value in zip(model.weights, before, strict=True):
        assert type(weight) is keras.Variable
        np.testing.assert_array_equal(weight, value)


@pytest.mark.parametrize("name", [name for name in LAYERS if name not in ("Normalization", "AveragePooling2D")])
def test_every_layer_reads_the_values(name):
    make, x = LAYERS[name]
    layer = make(keras.layers)
    args = x if isinstance(x, tuple) else (x,)
    layer(*args)
    values = [np.cos(np.arange(v._array.size)).reshape(v.shape) for v in layer.trainable_variables]
    others = [2.0 + np.cos(np.arange(v._array.size)).reshape(v.shape) for v in layer.non_trainable_variables]
    outputs, _ = layer.stateless_call(values, others, *args)
    for variable, value in zip(
        [*layer.trainable_variables, *layer.non_trainable_variables], [*values, *others], strict=True
    ):
        variable.assign(value)
    np.testing.assert_allclose(outputs, layer(*args), rtol=1e-6)


def test_mixed_precision_and_errors_within_the_call():
    layer = keras.layers.Dense(2, dtype="mixed_float16")
    layer(X)
    before = layer.get_weights()
    outputs, _ = layer.stateless_call([np.ones((2, 2)), np.zeros(2)], [], X)
    assert outputs.dtype == "float16"
    np.testing.assert_allclose(outputs, X.sum(1, keepdims=True) + np.zeros(2), rtol=1e-3)
    with pytest.raises(ValueError, match="axis -1"):
        layer.stateless_call([np.ones((2, 2)), np.zeros(2)], [], np.ones((1, 3)))
    for weight, value in zip(layer.weights, before, strict=True):
        np.testing.assert_array_equal(weight, value)


def test_refusals():
    layer = keras.layers.Dense(1)
    with pytest.raises(ValueError, match="must be built"):
        layer.stateless_call([], [], X)
    layer(X)
    with pytest.raises(ValueError, match="must have 2 items, got 1"):
        layer.stateless_call([np.ones((2, 1))], [], X)
    with pytest.raises(ValueError, match="shape"):
        layer.stateless_call([np.ones((2, 1)), np.ones(3)], [], X)
