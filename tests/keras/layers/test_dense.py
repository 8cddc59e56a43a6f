"""``Dense``."""

import numpy as np
import pytest

import fastgrad as tf
from fastgrad import keras
from tests.gradients import check_gradient

layers = keras.layers
RNG = np.random.default_rng(0)
ACTIVATIONS = {
    None: lambda z: z,
    "linear": lambda z: z,
    "relu": lambda z: np.maximum(z, 0),
    "tanh": np.tanh,
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "softmax": lambda z: np.exp(z) / np.exp(z).sum(-1, keepdims=True),
    "softplus": lambda z: np.log1p(np.exp(z)),
    tf.nn.tanh: np.tanh,
    tf.square: np.square,
}


def built(features=3, **arguments):
    layer = layers.Dense(5, dtype="float64", bias_initializer="random_normal", **arguments)
    layer.build((None, features))
    return layer


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=str)
@pytest.mark.parametrize("use_bias", [True, False])
@pytest.mark.parametrize("shape", [(4, 3), (0, 3), (2, 4, 3)])
def test_values(activation, use_bias, shape):
    layer = built(activation=activation, use_bias=use_bias)
    x = RNG.normal(size=shape)
    bias = layer.bias.numpy() if use_bias else 0.0
    expected = ACTIVATIONS[activation](x @ layer.kernel.numpy() + bias)
    np.testing.assert_allclose(layer(x), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("activation", [None, "relu", "tanh", "sigmoid", "gelu", "softmax"])
def test_gradients(activation):
    layer = built(activation=activation)

    def of(x, kernel, bias):
        layer.kernel.assign(kernel)
        layer.bias.assign(bias)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x)
        return tape, y

    x, kernel, bias = RNG.normal(size=(4, 3)), RNG.normal(size=(3, 5)), RNG.normal(size=5)
    check_gradient(lambda v: of(v, kernel, bias)[1], x)
    weight = RNG.normal(size=(4, 5))
    tape, y = of(tf.constant(x), kernel, bias)
    found = tape.gradient(y, [layer.kernel, layer.bias], output_gradients=tf.constant(weight))
    step = 1e-6
    for variable, gradient in zip((layer.kernel, layer.bias), found, strict=True):
        value = variable.numpy()
        for index in np.ndindex(value.shape):
            sums = []
            for sign in (1, -1):
                moved = value.copy()
                moved[index] += sign * step
                variable.assign(moved)
                sums.append(float((layer(x).numpy() * weight).sum()))
            variable.assign(value)
            assert gradient.numpy()[index] == pytest.approx((sums[0] - sums[1]) / (2 * step), rel=1e-5, abs=1e-7)


def test_an_activation_may_be_a_layer():
    layer = built(activation=layers.LeakyReLU(negative_slope=0.1))
    z = RNG.normal(size=(4, 3)) @ layer.kernel.numpy() + layer.bias.numpy()
    x = np.linalg.lstsq(layer.kernel.numpy().T, (z - layer.bias.numpy()).T, rcond=None)[0].T
    np.testing.assert_allclose(layer(x), np.where(z > 0, z, 0.1 * z), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("units", [0, -1, 2.0, None, True, "3"])
def test_units_are_a_positive_integer(units):
    with pytest.raises(ValueError, match="positive integer"):
        layers.Dense(units)


def test_defaults():
    layer = layers.Dense(200)
    layer.build((None, 100))
    limit = np.sqrt(6 / 300)
    kernel = layer.kernel.numpy()
    assert np.abs(kernel).max() <= limit
    assert kernel.std() == pytest.approx(limit / np.sqrt(3), rel=0.02)
    assert not layer.bias.numpy().any()
    assert layers.Dense(1).activation is keras.activations.linear


def test_weights_before_build():
    with pytest.raises(AttributeError, match="build the layer"):
        _ = layers.Dense(1).kernel
    with pytest.raises(AttributeError):
        _ = layers.Dense(1).bias
    assert built(use_bias=False).bias is None


def test_integer_inputs_are_cast():
    layer = layers.Dense(1, kernel_initializer="ones")
    np.testing.assert_array_equal(layer(np.array([[1, 2]])), [[3.0]])
    np.testing.assert_array_equal(layer(tf.constant([[1, 2]])), [[3.0]])


def test_unknown_last_dimension():
    with pytest.raises(ValueError, match="last dimension"):
        layers.Dense(1).build((2, None))


def test_output_shape():
    assert layers.Dense(4).compute_output_shape((None, 7, 3)) == (None, 7, 4)


def test_a_value_read_before_an_update_stays():
    layer = built()
    before = layer.kernel.value
    old = before.numpy()
    layer.kernel.assign(layer.kernel * 0.0)
    np.testing.assert_array_equal(before, old)


def test_config_makes_it_again():
    layer = layers.Dense(
        3,
        "relu",
        use_bias=False,
        kernel_initializer=keras.initializers.RandomNormal(stddev=0.1, seed=3),
        kernel_regularizer="l2",
        kernel_constraint=keras.constraints.MaxNorm(1.5),
        name="mine",
    )
    config = layer.get_config()
    assert config["dtype"] == {
        "module": "keras",
        "class_name": "DTypePolicy",
        "config": {"name": "float32"},
        "registered_name": None,
    }
    assert config["activation"] == "relu"
    assert config["kernel_initializer"]["class_name"] == "RandomNormal"
    twin = layers.Dense.from_config(config)
    assert twin.get_config() == config
    layer.build((None, 2))
    twin.build((None, 2))
    np.testing.assert_array_equal(layer.kernel, twin.kernel)
