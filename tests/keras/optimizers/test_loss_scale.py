"""LossScaleOptimizer."""

import numpy as np
import pytest

import fastgrad as tf


def make(growth=2, scale=8.0):
    variable = tf.Variable([1.0])
    return tf.optimizers.LossScaleOptimizer(tf.optimizers.SGD(0.5), scale, growth), variable


def step(optimizer, variable, gradient):
    optimizer.apply_gradients([(tf.constant([gradient]), variable)])
    return float(variable[0])


def test_gradients_are_divided_and_the_scale_doubles_after_finite_steps():
    optimizer, variable = make()
    scales, weights = [], []
    for _ in range(5):
        scales.append(float(optimizer.scale_loss(tf.constant(1.0))))
        weights.append(step(optimizer, variable, scales[-1]))
    assert scales == [8.0, 8.0, 16.0, 16.0, 32.0]
    assert weights == [0.5, 0.0, -0.5, -1.0, -1.5]
    assert int(optimizer.iterations) == 5


@pytest.mark.parametrize("bad", [np.inf, np.nan])
def test_a_step_that_is_not_finite_is_skipped_and_halves_the_scale(bad):
    optimizer, variable = make()
    assert step(optimizer, variable, bad) == 1.0
    assert float(optimizer.dynamic_scale) == 4.0
    assert step(optimizer, variable, 4.0) == 0.5
    assert step(optimizer, variable, bad) == 0.5
    assert (int(optimizer.iterations), int(optimizer.step_counter), float(optimizer.dynamic_scale)) == (1, 0, 2.0)


def test_sparse_and_missing_gradients():
    optimizer, variable = make()
    other = tf.Variable([[1.0], [1.0]])
    slices = tf.IndexedSlices(tf.constant([[8.0]]), tf.constant([1]), tf.constant([2, 1]))
    with pytest.warns(UserWarning, match="Gradients do not exist"):
        optimizer.apply_gradients([(None, variable), (slices, other)])
    assert other.numpy().tolist() == [[1.0], [0.5]]


def test_rate_counter_and_averages_are_the_inner_optimizers():
    inner = tf.optimizers.SGD(0.5, use_ema=True, ema_momentum=0.5)
    optimizer = tf.optimizers.LossScaleOptimizer(inner, 1.0)
    variable = tf.Variable([1.0])
    for _ in range(2):
        step(optimizer, variable, 1.0)
    optimizer.learning_rate = 0.25
    assert float(inner.learning_rate) == float(optimizer.learning_rate) == 0.25
    optimizer.finalize_variable_values([variable])
    assert variable.numpy() == [0.25]
    assert [v.name for v in optimizer.variables] == [
        "iteration",
        "learning_rate",
        "step_counter",
        "dynamic_scale",
        *[v.name for v in inner.variables],
    ]


def test_a_refused_step_changes_nothing():
    optimizer, variable = make()
    with pytest.raises(tf.errors.InvalidArgumentError):
        optimizer.apply_gradients([(tf.ones(3), variable)])
    assert not optimizer.built
    assert optimizer.scale_loss(1.0) == 8.0


def test_configuration():
    optimizer, _ = make()
    twin = tf.optimizers.deserialize(tf.optimizers.serialize(optimizer))
    assert twin.get_config() == optimizer.get_config()
    assert float(twin.inner_optimizer.learning_rate) == 0.5
