"""The update of all variables by one operation has the values of Keras's own update, variable by variable."""

import keras
import numpy as np
import pytest

import fastgrad as tf

OPTIMIZERS = {
    "Adadelta": {"learning_rate": 0.5},
    "Adagrad": {},
    "Adam": {},
    "AdamW": {"weight_decay": 0.1},
    "Adamax": {},
    "Ftrl": {"l1_regularization_strength": 0.01, "l2_shrinkage_regularization_strength": 0.1, "beta": 0.2},
    "Lion": {"weight_decay": 0.1},
    "Nadam": {},
    "RMSprop": {},
    "SGD": {},
    "Adafactor": {},
    "Lamb": {},
}
OPTIONS = {
    "plain": ("Adam", {}),
    "amsgrad": ("Adam", {"amsgrad": True}),
    "momentum": ("SGD", {"momentum": 0.9}),
    "nesterov": ("SGD", {"momentum": 0.9, "nesterov": True}),
    "momentum of RMSprop": ("RMSprop", {"momentum": 0.9}),
    "centered": ("RMSprop", {"centered": True}),
    "centered with momentum": ("RMSprop", {"momentum": 0.5, "centered": True}),
    "clipnorm": ("Adam", {"clipnorm": 0.1}),
    "clipvalue": ("Adam", {"clipvalue": 0.01}),
    "global_clipnorm": ("SGD", {"global_clipnorm": 0.1}),
    "moving average": ("Adam", {"use_ema": True, "ema_momentum": 0.5, "ema_overwrite_frequency": 3}),
    "accumulation": ("Adam", {"gradient_accumulation_steps": 3}),
    "scale": ("SGD", {"loss_scale_factor": 8.0}),
    "schedule": ("Adam", {"learning_rate": "schedule"}),
}
CASES = {**{name: (name, options) for name, options in OPTIMIZERS.items()}, **OPTIONS}


def made(kind, options):
    options = dict(options)
    if options.get("learning_rate") == "schedule":
        options["learning_rate"] = keras.optimizers.schedules.ExponentialDecay(0.1, 2, 0.5)
    else:
        options.setdefault("learning_rate", 0.05)
    return kind(**options)


def trained(optimizer, run_eagerly, dtype="float32", sparse=False):
    keras.utils.set_random_seed(3)
    first = (
        keras.layers.Embedding(7, 4, dtype=dtype) if sparse else keras.layers.Dense(4, activation="tanh", dtype=dtype)
    )
    layers = [first, *[keras.layers.Flatten()] * sparse, keras.layers.Dense(3, dtype=dtype)]
    model = keras.Sequential([keras.Input((5,)), *layers])
    model.compile(optimizer, "mse", run_eagerly=run_eagerly)
    draws = np.random.default_rng(0)
    x = draws.integers(0, 7, (6, 5)) if sparse else draws.normal(size=(6, 5))
    y = draws.normal(size=(6, 3))
    for _ in range(7):
        model.train_on_batch(x, y)
    return [*model.get_weights(), *[np.asarray(v) for v in optimizer.variables]]


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "rows of an embedding"])
@pytest.mark.parametrize("name", CASES)
def test_values_are_those_of_kerass_own_update(name, sparse):
    if sparse and name == "scale":
        pytest.skip("Keras divides the gradients, and TensorFlow has no quotient of IndexedSlices")
    kind, options = CASES[name]
    kind = getattr(keras.optimizers, kind)

    class OneByOne(kind):
        """A subclass with a step of its own, so that each variable is updated alone."""

        def update_step(self, gradient, variable, learning_rate):
            super().update_step(gradient, variable, learning_rate)

    wanted = trained(made(OneByOne, options), run_eagerly=True, sparse=sparse)
    for run_eagerly in (True, False):
        weights = trained(made(kind, options), run_eagerly, sparse=sparse)
        assert len(weights) == len(wanted)
        for value, expected in zip(weights, wanted, strict=True):
            np.testing.assert_allclose(value, expected, rtol=2e-4, atol=2e-6)


@pytest.mark.parametrize("dtype", ["float64", "bfloat16", "mixed_bfloat16"])
def test_dtypes(dtype):
    class OneByOne(keras.optimizers.Adam):
        def update_step(self, gradient, variable, learning_rate):
            super().update_step(gradient, variable, learning_rate)

    wanted = trained(OneByOne(0.05), run_eagerly=True, dtype=dtype)
    weights = trained(keras.optimizers.Adam(0.05), run_eagerly=False, dtype=dtype)
    tolerance = 1e-4 if dtype == "float64" else 0.1
    for value, expected in zip(weights, wanted, strict=True):
        np.testing.assert_allclose(
            np.asarray(value, np.float64), np.asarray(expected, np.float64), rtol=tolerance, atol=tolerance
        )


def test_the_update_of_a_subclass_is_its_own():
    class Doubled(keras.optimizers.SGD):
        def update_step(self, gradient, variable, learning_rate):
            super().update_step(2 * gradient, variable, learning_rate)

    class Noted(keras.optimizers.SGD):
        subtractions = 0

        def assign_sub(self, variable, value):
            Noted.subtractions += 1
            super().assign_sub(variable, value)

    v = keras.Variable([1.0, 2.0])
    Doubled(0.5).apply([tf.constant([1.0, 1.0])], [v])
    np.testing.assert_array_equal(v.numpy(), [0.0, 1.0])
    Noted(0.5).apply([tf.constant([1.0, 1.0])], [v])
    np.testing.assert_array_equal(v.numpy(), [-0.5, 0.5])
    assert Noted.subtractions == 1
