"""Compiled steps on a simulated GPU: what they give on the CPU, and state as it was when they can't go on."""

from __future__ import annotations

import numpy as np
import pytest

import fastgrad as tf
from fastgrad import keras
from fastgrad._src.cuda.devices.memory import Device
from fastgrad._src.cuda.runtime.program import DeviceProgram
from tests.cuda.simulation.driver import SimulatedDriver


@pytest.fixture(scope="module")
def device():
    return Device(SimulatedDriver())


def recorded(function, *arguments):
    """What a compiled function has written down of a call."""
    function(*arguments)
    return [trace.graph for trace in function.trace_tree.traces]


def perceptron():
    tf.random.set_seed(0)
    model = keras.Sequential([keras.layers.Input((20,)), keras.layers.Dense(16, "relu"), keras.layers.Dense(5)])
    optimizer = keras.optimizers.Adam(0.01)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    @tf.function
    def step(x, y):
        with tf.GradientTape() as tape:
            value = loss(y, model(x, training=True))
        gradients = tape.gradient(value, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return value

    return step, lambda: [v.numpy() for v in (*model.variables, *optimizer.variables)]


def batch(seed):
    draw = np.random.default_rng(seed)
    return tf.constant(draw.normal(size=(32, 20)).astype(np.float32)), tf.constant(draw.integers(0, 5, 32))


def test_a_training_step_gives_what_it_gives_on_the_cpu(device):
    step, state = perceptron()
    losses = [float(step(*batch(seed))) for seed in range(4)]
    twin, twins_state = perceptron()
    program = DeviceProgram(device, *recorded(twin, *batch(0)))
    found = [program.replay([x._array for x in batch(seed)])[1][0].on_host() for seed in range(1, 4)]
    np.testing.assert_allclose(found, losses[1:], rtol=1e-5)
    for ours, wanted in zip(twins_state(), state(), strict=True):
        np.testing.assert_allclose(ours, wanted, rtol=1e-4, atol=1e-6)


def test_a_label_out_of_range_is_refused_and_changes_nothing(device):
    step, state = perceptron()
    program = DeviceProgram(device, *recorded(step, *batch(0)))
    before = state()
    x, y = [x._array.copy() for x in batch(1)]
    y[3] = 9
    with pytest.raises(tf.errors.InvalidArgumentError, match="Received a label value of 9 at row 3"):
        program.replay([x, y])
    for now, then in zip(state(), before, strict=True):
        np.testing.assert_array_equal(now, then)
