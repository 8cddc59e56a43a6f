"""Steps of training leave no objects, and no cycles for the garbage collector."""

import gc
import sys
import weakref

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.core.repeated_backward import RUNS_BEFORE_PROGRAM

keras = tf.keras
layers = keras.layers

X = np.random.default_rng(0).normal(size=(8, 6)).astype(np.float32)
Y = np.arange(8) % 3


def classifier():
    return keras.Sequential(
        [layers.Dense(5, activation="relu"), layers.Dropout(0.1), layers.LayerNormalization(), layers.Dense(3)]
    )


def training(model=None, inputs=X, optimizer=None):
    """A step of training as a function without arguments."""
    model = model or classifier()
    optimizer = optimizer or keras.optimizers.Adam()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def step():
        with tf.GradientTape() as tape:
            value = loss(Y, model(inputs, training=True))
        variables = model.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(value, variables), variables, strict=True))

    return step


def embedding_step():
    model = keras.Sequential([layers.Embedding(20, 4), layers.Flatten(), layers.Dense(3)])
    return training(model, np.arange(24).reshape(8, 3) % 20)


def persistent_tape_step():
    v = tf.Variable(X)

    def step():
        with tf.GradientTape(persistent=True) as tape:
            y = tf.reduce_sum(tf.tanh(v) ** 2)
            z = y * 2.0
        tape.gradient(y, v), tape.gradient(z, v)

    return step


def nested_tapes_step():
    v = tf.Variable([1.0, 2.0])

    def step():
        with tf.GradientTape() as outer:
            with tf.GradientTape() as inner:
                y = tf.reduce_sum(v**3)
            first = inner.gradient(y, v)
        outer.jacobian(first, v)

    return step


def custom_gradient_step():
    v = tf.Variable(X)

    @tf.custom_gradient
    def clipped(x):
        return x, lambda g: tf.clip_by_norm(g, 1.0)

    again = tf.recompute_grad(lambda x: tf.exp(x) * x)

    def step():
        with tf.GradientTape() as tape:
            y = tf.reduce_sum(clipped(v) * again(v))
        tape.gradient(y, v)

    return step


def abandoned_tape_step():
    """A tape without a call of `gradient`, and a tape that an error leaves."""
    v = tf.Variable(X)

    def step():
        with tf.GradientTape():
            y = v * 2.0
        try:
            with tf.GradientTape() as tape:
                tape.watch(y)
                tf.matmul(y, y)
        except tf.errors.InvalidArgumentError:
            pass

    return step


def dataset_step():
    dataset = tf.data.Dataset.from_tensor_slices({"x": X, "y": Y}).map(lambda d: (d["x"] * 2.0, d["y"]))
    dataset = dataset.shuffle(8).repeat(2).batch(4).prefetch(tf.data.AUTOTUNE)

    def step():
        for _ in dataset:
            pass

    return step


def forward_mode_step():
    x = tf.constant(X)

    def step():
        with tf.autodiff.ForwardAccumulator(x, tf.ones_like(x)) as accumulator:
            y = tf.reduce_sum(tf.sin(x) * x)
        accumulator.jvp(y)

    return step


def metric_step():
    mean, accuracy = keras.metrics.Mean(), keras.metrics.SparseCategoricalAccuracy()

    def step():
        mean.update_state(X)
        accuracy.update_state(Y, X[:, :3])
        mean.result(), accuracy.result(), mean.reset_state()

    return step


STEPS = {
    "training": training,
    "clipping, averaging and accumulating": lambda: training(
        optimizer=keras.optimizers.Adam(clipnorm=1.0, use_ema=True, gradient_accumulation_steps=2)
    ),
    "embedding": embedding_step,
    "persistent tape": persistent_tape_step,
    "nested tapes": nested_tapes_step,
    "custom gradient": custom_gradient_step,
    "abandoned tape": abandoned_tape_step,
    "dataset": dataset_step,
    "forward mode": forward_mode_step,
    "metrics": metric_step,
}


@pytest.fixture
def no_collector():
    """The garbage collector only runs when it is called."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("kind", STEPS)
def test_a_step_leaves_no_cycles(no_collector, kind):
    step = STEPS[kind]()
    for _ in range(RUNS_BEFORE_PROGRAM + 3):  # the compilation of the backward pass leaves some
        step()
    gc.collect()
    for _ in range(20):
        step()
    assert gc.collect() == 0


@pytest.mark.parametrize("kind", STEPS)
def test_steps_leave_no_memory_allocated(no_collector, kind):
    """Blocks of Python's memory, of which every object that a step left would hold one or more.

    A variable knows up to 64 tensors that have ended; the collector empties Python's own lists of free objects.
    """
    step = STEPS[kind]()
    for _ in range(70):
        step()
    gc.collect()
    before = sys.getallocatedblocks()
    for _ in range(300):
        step()
    gc.collect()
    assert sys.getallocatedblocks() - before < 150


def test_the_history_is_freed_at_the_first_gradient(no_collector):
    v = tf.Variable(X)
    with tf.GradientTape() as tape:
        inner = v * 2.0
        y = tf.reduce_sum(inner)
    held = weakref.ref(inner)
    del inner
    assert held() is not None
    tape.gradient(y, v)
    assert held() is None


def test_a_model_and_its_optimizer_are_freed():
    model, optimizer = classifier(), keras.optimizers.Adam()
    training(model, optimizer=optimizer)()
    held = [weakref.ref(thing) for thing in (model, optimizer, model.weights[0], optimizer.variables[2])]
    del model, optimizer
    gc.collect()
    assert [reference() for reference in held] == [None] * 4
