"""Variances and normalizations of values of mean 10^6 and standard deviation 1, eager, compiled, and fused with what comes before."""

import itertools

import numpy as np
import pytest

import fastgrad as tf

AXES = [axes for count in (1, 2, 3) for axes in itertools.combinations(range(3), count)]
ROUNDING = {"float32": 2.0**-24, "float64": 2.0**-53}
layers = tf.keras.layers


def values(dtype, full):
    """A tensor, and the same values in the widest type."""
    shape = (64, 100, 48) if full else (16, 30, 48)
    x = (1e6 + np.random.default_rng(0).normal(size=shape)).astype(dtype)
    return tf.constant(x), x.astype(np.longdouble)


def calls(function, x):
    """The results of the eager call, of a compiled one, and of one with an operation before."""
    for compiled in (tf.function(function), tf.function(lambda x: function(x * 1.0))):
        for _ in range(3):
            last = compiled(x)
        yield last
    yield function(x)


VARIANCES = {
    "reduce_variance": tf.math.reduce_variance,
    "reduce_std": tf.math.reduce_std,
    "moments": lambda x, axes: tf.nn.moments(x, axes)[1],
}


@pytest.mark.parametrize("dtype", ROUNDING)
@pytest.mark.parametrize("name", VARIANCES)
def test_variances(name, dtype, full, figure):
    x, wide = values(dtype, full)
    for axes in AXES if full else AXES[::3]:
        exact = wide.std(axes) if name == "reduce_std" else wide.var(axes)
        for y in calls(lambda x, axes=axes: VARIANCES[name](x, list(axes)), x):
            worst = float(np.max(np.abs(y.numpy() - exact) / exact)) / ROUNDING[dtype]
            assert worst <= 40, f"{axes}: {worst} units of rounding"
            figure(f"worst error of variances of {dtype} around 10^6, in units of rounding", worst, combine="max")


NORMALIZATIONS = {
    "layer": (lambda dtype: layers.LayerNormalization(dtype=dtype), (2,)),
    "layer over two axes": (lambda dtype: layers.LayerNormalization(axis=(1, 2), dtype=dtype), (1, 2)),
    "group": (lambda dtype: layers.GroupNormalization(1, dtype=dtype), (1, 2)),
    "batch": (lambda dtype: layers.BatchNormalization(dtype=dtype), (0, 1)),
}


@pytest.mark.parametrize("dtype", ROUNDING)
@pytest.mark.parametrize("name", NORMALIZATIONS)
def test_normalizations(name, dtype, full):
    """The means of batch and layer normalization are rounded to the dtype before they are subtracted: gradients and moving means read them."""
    make, axes = NORMALIZATIONS[name]
    layer = make(dtype)
    x, wide = values(dtype, full)
    exact = (wide - wide.mean(axes, keepdims=True)) / np.sqrt(wide.var(axes, keepdims=True) + layer.epsilon)
    most = 64 * ROUNDING[dtype]
    if name.startswith(("batch", "layer")) or dtype == "float64":
        most = (1e6 if dtype == "float32" else 2e6) * ROUNDING[dtype]
    for y in calls(lambda x: layer(x, training=True), x):
        assert float(np.max(np.abs(y.numpy() - exact))) <= most


@pytest.mark.parametrize("value", [1e6 + 0.1, 3e-5, -7.7])
def test_the_variance_of_equal_values_is_not_negative(value):
    x = tf.fill([1000], tf.constant(value, tf.float32))
    for y in calls(tf.math.reduce_variance, x):
        assert 0 <= y.numpy() <= (abs(value) * 2.0**-22) ** 2
