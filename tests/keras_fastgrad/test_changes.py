"""A compiled step of Keras sees changes of what it was made from, and compares little at each call."""

import keras
import numpy as np
import pytest

import fastgrad as tf

X = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")
Y = np.zeros((8, 2), "float32")


def model_of(*layers, optimizer="sgd", **options):
    model = keras.Sequential([keras.Input((3,)), *layers])
    model.compile(optimizer, "mse", **options)
    return model


def change_rate(model):
    model.optimizer.learning_rate = 0.0


def change_activation(model):
    model.layers[0].activation = keras.activations.relu


def change_dropout(model):
    model.layers[1].rate = 0.0


def change_regularizer(model):
    model.layers[0].kernel_regularizer.l2 = 5.0


def change_momentum(model):
    model.optimizer.momentum = 0.5


def change_clipping(model):
    model.optimizer.clipvalue = 1e-3


def change_epsilon(model):
    keras.config.set_epsilon(0.1)


CHANGES = {
    "learning rate": (lambda: [keras.layers.Dense(2)], {}, change_rate),
    "activation": (lambda: [keras.layers.Dense(2, activation="tanh")], {}, change_activation),
    "rate of dropout": (lambda: [keras.layers.Dense(2), keras.layers.Dropout(1.0 - 1e-6)], {}, change_dropout),
    "regularizer": (
        lambda: [keras.layers.Dense(2, kernel_regularizer=keras.regularizers.L2(0.01))],
        {},
        change_regularizer,
    ),
    "momentum": (
        lambda: [keras.layers.Dense(2)],
        {"optimizer": lambda: keras.optimizers.SGD(momentum=0.9)},
        change_momentum,
    ),
    "clipping": (
        lambda: [keras.layers.Dense(2)],
        {"optimizer": lambda: keras.optimizers.SGD(clipvalue=10.0)},
        change_clipping,
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_step_sees_a_change(name):
    layers, options, change = CHANGES[name]
    weights = []
    for run_eagerly in (False, True):
        keras.utils.set_random_seed(1)
        model = model_of(*layers(), run_eagerly=run_eagerly, **{key: make() for key, make in options.items()})
        for _ in range(3):
            model.train_on_batch(X, Y)
        change(model)
        for _ in range(2):
            model.train_on_batch(X, Y)
        weights.append(model.get_weights())
    for compiled, eager in zip(*weights, strict=True):
        np.testing.assert_allclose(compiled, eager, rtol=1e-5, atol=1e-6)


def test_trainable_is_seen_after_compile():
    model = model_of(keras.layers.Dense(4), keras.layers.Dense(2))
    model.train_on_batch(X, Y)
    model.layers[0].trainable = False
    model.compile("sgd", "mse")
    before = [w.numpy() for w in model.layers[0].weights]
    model.train_on_batch(X, Y)
    for old, weight in zip(before, model.layers[0].weights, strict=True):
        np.testing.assert_array_equal(old, weight.numpy())
    model.layers[0].trainable = True
    model.compile("sgd", "mse")
    model.train_on_batch(X, Y)
    assert not np.array_equal(before[0], model.layers[0].kernel.numpy())


def test_a_change_of_a_subclass_of_the_user_is_seen():
    class Scaled(keras.layers.Layer):
        factor = 2.0

        def call(self, x):
            return x * self.factor

    layer = Scaled()
    model = model_of(keras.layers.Dense(2), layer)
    model.train_on_batch(X, Y)
    first = model.predict(X, verbose=0)
    layer.factor = 4.0
    np.testing.assert_allclose(model.predict(X, verbose=0), first * 2, rtol=1e-6)


def test_an_added_loss_is_seen():
    class Penalty(keras.layers.Layer):
        weight = 0.0

        def call(self, x):
            self.add_loss(self.weight * keras.ops.sum(x**2))
            return x

    layer = Penalty()
    model = model_of(keras.layers.Dense(2), layer)
    plain = model.train_on_batch(X, Y)
    model.optimizer.learning_rate = 0.0
    layer.weight = 1.0
    assert model.train_on_batch(X, Y) > plain + 1


def test_a_replayed_step_makes_few_comparisons():
    layers = [keras.layers.Dense(16, activation="relu"), keras.layers.BatchNormalization(), keras.layers.Dropout(0.1)]
    model = model_of(*layers, keras.layers.Dense(2), optimizer="adam", metrics=["mae"])
    model.make_train_function()
    step = next(
        cell.cell_contents
        for cell in model.train_function.__closure__
        if isinstance(cell.cell_contents, type(tf.function(lambda: None)))
    )
    batch = (tf.constant(X), tf.constant(Y))
    for _ in range(3):
        step(batch)
    count = step.experimental_get_tracing_count()
    for _ in range(3):
        step(batch)
    assert step.experimental_get_tracing_count() == count
    assert comparisons_of(step) < 20


def comparisons_of(step):
    """The number of comparisons of captured values that each call of a function makes."""
    return sum(line.lstrip().startswith("if ") for line in step.trace_tree.captures.code.lines)
