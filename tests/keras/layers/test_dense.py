"""``Dense``."""

import numpy as np
import pytest

from fastgrad import keras

layers = keras.layers
RNG = np.random.default_rng(0)


def built(features=3, **arguments):
    layer = layers.Dense(5, dtype="float64", bias_initializer="random_normal", **arguments)
    layer.build((None, features))
    return layer


def test_an_activation_may_be_a_layer():
    layer = built(activation=layers.LeakyReLU(negative_slope=0.1))
    x = RNG.normal(size=(4, 3))
    z = x @ layer.kernel.numpy() + layer.bias.numpy()
    np.testing.assert_allclose(layer(x), np.where(z > 0, z, 0.1 * z), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("units", [0, -1, 2.0, None, True, "3"])
def test_units_are_a_positive_integer(units):
    with pytest.raises(ValueError, match="positive integer"):
        layers.Dense(units)


def test_weights_before_build():
    with pytest.raises(AttributeError, match="build the layer"):
        _ = layers.Dense(1).kernel
    with pytest.raises(AttributeError):
        _ = layers.Dense(1).bias
    assert built(use_bias=False).bias is None


def test_unknown_last_dimension():
    with pytest.raises(ValueError, match="last dimension"):
        layers.Dense(1).build((2, None))


def test_a_value_read_before_an_update_stays():
    layer = built()
    before = layer.kernel.read_value()
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
