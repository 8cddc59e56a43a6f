"""``enable_op_determinism``: first calls give what replays give."""

import numpy as np
import pytest

import fastgrad as tf
from fastgrad import keras
from fastgrad._src.compiler.dispatch import eager_execution


@pytest.fixture(autouse=True)
def determinism(monkeypatch):
    monkeypatch.setattr(eager_execution, "_op_determinism", [False])
    tf.config.experimental.enable_op_determinism()


def column(seed):
    """A product with one column, which eager calls add up in another order than programs do."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(2, 3)).astype(np.float32), rng.normal(size=(3, 1)).astype(np.float32)


def test_a_first_call_has_the_bits_of_later_ones():
    for seed in range(20):
        x, w = map(tf.constant, column(seed))
        product = tf.function(lambda x, w: tf.tanh(x @ w))
        first = product(x, w).numpy()
        np.testing.assert_array_equal(first, product(x, w))


def test_state_moves_on_once():
    v, generator = tf.Variable(0.0), tf.random.Generator.from_seed(1)

    @tf.function
    def step(x):
        v.assign_add(x)
        return generator.normal([2])

    first = step(1.0)
    assert float(v) == 1.0
    second = step(1.0)
    assert float(v) == 2.0
    generator.reset_from_seed(1)
    np.testing.assert_array_equal(generator.normal([2]), first)
    np.testing.assert_array_equal(generator.normal([2]), second)


def test_python_runs_once_and_functions_may_make_variables():
    seen = []

    class Layer(tf.Module):
        v = None

        @tf.function
        def __call__(self, x):
            seen.append(1)
            if self.v is None:
                self.v = tf.Variable(2.0)
            return self.v.assign_add(x)

    layer = Layer()
    assert [float(layer(1.0)) for _ in range(4)] == [3.0, 4.0, 5.0, 6.0]
    assert len(seen) == 2  # a call that makes variables is recorded without them once more


def test_under_a_tape():
    v = tf.Variable(3.0)
    square = tf.function(lambda: v * v)
    with tf.GradientTape() as tape:
        y = square()
    assert float(tape.gradient(y, v)) == 6.0


def test_other_ways_of_a_branch():
    v = tf.Variable(0.0)

    @tf.function
    def step(x):
        if x > 0:
            v.assign_add(x)
        else:
            v.assign_sub(1.0)
        return v * 1.0

    assert [float(step(tf.constant(x))) for x in (1.0, -1.0, 2.0, -2.0)] == [1.0, 0.0, 2.0, 1.0]


@pytest.mark.parametrize("kind", ["Adam", "RMSprop", "Lion"])
def test_training_that_begins_anew_has_the_same_bits(kind):
    x, y = column(3)[0], np.ones((2, 1), np.float32)

    def made():
        model = keras.Sequential(
            [keras.Input((3,)), keras.layers.Dense(4), keras.layers.Dropout(0.5), keras.layers.Dense(1)]
        )
        model.compile(getattr(keras.optimizers, kind)(), "mse")
        model.optimizer.build(model.trainable_variables)
        return model

    model, twin = made(), made()
    model.train_on_batch(x, y)
    twin.set_weights(model.get_weights())
    twin.optimizer.set_weights([v.numpy() for v in model.optimizer.variables])
    tf.random.set_seed(5)
    expected = model.train_on_batch(x, y)
    tf.random.set_seed(5)
    assert twin.train_on_batch(x, y) == expected
    for one, other in zip(twin.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
