"""Activation functions: options, names, and integers."""

import numpy as np
import pytest
import scipy.special

import fastgrad as tf
from fastgrad import keras

act = keras.activations
X = np.array([[-8.0, -3.1, -1.2, -0.7, -0.3, 0.2, 0.6, 1.3, 2.5, 7.0]])


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"negative_slope": 0.1}, np.where(X > 0, X, 0.1 * X)),
        ({"max_value": 2.0}, np.clip(X, 0, 2)),
        ({"threshold": 1.0}, np.where(X > 1, X, 0)),
        ({"negative_slope": 0.1, "threshold": 1.0}, np.where(X > 1, X, 0.1 * (X - 1))),
        ({"negative_slope": 0.1, "max_value": 2.0}, np.where(X > 0, np.minimum(X, 2), 0.1 * X)),
        ({"max_value": 6.0}, np.clip(X, 0, 6)),
    ],
    ids=str,
)
def test_relu_options(arguments, expected):
    np.testing.assert_allclose(act.relu(X, **arguments), expected, rtol=1e-12)


def test_other_options():
    np.testing.assert_allclose(act.elu(X, alpha=2.0), np.where(X > 0, X, 2 * np.expm1(X)), rtol=1e-12)
    np.testing.assert_allclose(
        act.celu(X, alpha=2.0), np.maximum(X, 0) + 2 * np.expm1(np.minimum(X, 0) / 2), rtol=1e-12
    )
    np.testing.assert_allclose(act.threshold(X, 1.0, -5.0), np.where(X > 1, X, -5.0), rtol=1e-12)
    np.testing.assert_allclose(act.softmax(X.T, axis=0), scipy.special.softmax(X.T, 0), rtol=1e-12)
    with pytest.raises(ValueError, match="divisible by 2"):
        act.glu(np.ones((2, 3)))


def test_sparsemax():
    y = act.sparsemax(X).numpy()
    np.testing.assert_allclose(y, [[0, 0, 0, 0, 0, 0, 0, 0, 0, 1.0]], atol=1e-12)
    x = np.array([[0.1, 0.2, 0.3], [2.0, 1.9, -1.0]])
    np.testing.assert_allclose(act.sparsemax(x), [[7 / 30, 10 / 30, 13 / 30], [0.55, 0.45, 0.0]], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(act.sparsemax(x.T, axis=0), act.sparsemax(x).numpy().T, rtol=1e-12)


def test_sparsemax_of_large_numbers():
    x = np.array([[1e16, 0.0, 1.0], [-1e30, -1e30, 0.0], [1e30, 1e30, -1e30]])
    for sparsemax in (act.sparsemax, tf.function(act.sparsemax)):
        np.testing.assert_allclose(sparsemax(x), [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.5, 0.5, 0.0]])


@pytest.mark.parametrize("values", [[0.3, 0.5, 0.1], [1.0, 2.0, 3.0], [1e16, 0.0, 1.0], [0.0, 0.0, 0.0]])
def test_gradient_of_sparsemax_keeps_the_sum(values):
    x = tf.constant(values)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = act.sparsemax(x)
        first = y[0]
    np.testing.assert_allclose(tape.gradient(y, x), [0.0, 0.0, 0.0], atol=1e-6)  # the sum is always 1
    assert np.isfinite(tape.gradient(first, x)).all()
    if values == [0.3, 0.5, 0.1]:
        np.testing.assert_allclose(tape.gradient(first, x), [2 / 3, -1 / 3, -1 / 3], rtol=1e-5)


class TestNames:
    def test_get(self):
        assert act.get(None) is act.linear
        assert act.get("relu") is act.relu
        assert act.get("swish") is act.silu
        assert act.get(tf.nn.relu) is tf.nn.relu
        assert isinstance(act.get(act.serialize(keras.layers.LeakyReLU(0.1))), keras.layers.LeakyReLU)
        for unknown in ("nonsense", 3):
            with pytest.raises(ValueError, match="activation function identifier"):
                act.get(unknown)

    def test_serialize(self):
        assert act.serialize(act.relu) == "relu"
        assert act.deserialize("relu") is act.relu
        with pytest.warns(UserWarning, match="lambda"):
            assert act.serialize(lambda x: x)["class_name"] == "__lambda__"

    def test_registered_functions(self):
        @keras.utils.register_keras_serializable("tests", "cube")
        def cubed(x):
            return x * x * x

        assert act.serialize(cubed)["config"] == "tests>cube"
        assert act.get("tests>cube") is cubed
        assert keras.layers.Dense.from_config(keras.layers.Dense(1, cubed).get_config()).activation is cubed


@pytest.mark.parametrize("name", ["tanh", "exponential"])
def test_integers_are_taken_as_floats(name):
    function = getattr(keras.activations, name)
    y = function(tf.constant([0, 1, 2]))
    assert y.dtype == "float32"
    np.testing.assert_array_equal(y, function(tf.constant([0.0, 1.0, 2.0])))


@pytest.mark.parametrize("name", sorted(act.ALL))
def test_a_functional_model_may_call_an_activation(name, tmp_path):
    options = {"threshold": {"threshold": 0.5, "default_value": 0.25}, "leaky_relu": {"negative_slope": 0.3}}.get(
        name, {}
    )
    x = keras.Input((10,))
    hidden = keras.layers.Dense(6, kernel_initializer="glorot_uniform")(x)
    model = keras.Model(x, getattr(act, name)(hidden, **options))
    expected = getattr(act, name)(model.layers[1](X), **options)
    np.testing.assert_array_equal(model(X), expected)
    assert model.output_shape == (None, *expected.shape[1:])
    model.save(tmp_path / "model.keras")
    np.testing.assert_array_equal(keras.models.load_model(tmp_path / "model.keras")(X), expected)
