"""Clipping, weight decay, moving averages, accumulation and loss scales: what all optimizers share."""

import numpy as np
import pytest

import fastgrad as tf

from .reference import CASES, run

RATE = 0.125
every_optimizer = pytest.mark.parametrize("name", CASES)


def draw(steps=6, shapes=((4, 3), (3,), ())):
    random = np.random.default_rng(1)
    return [random.normal(size=s) for s in shapes], [[random.normal(size=s) for s in shapes] for _ in range(steps)]


def train(optimizer, weights, gradients):
    variables = [tf.Variable(w) for w in weights]
    for step in gradients:
        optimizer.apply_gradients([(tf.constant(g), v) for g, v in zip(step, variables, strict=True)])
    return variables


def check(name, optimizer, changed, options=()):
    """Training with ``optimizer`` equals the plain formula on gradients changed by ``changed(list of arrays)``."""
    weights, gradients = draw()
    variables = train(optimizer, weights, gradients)
    altered = [changed(step) for step in gradients]
    for position, variable in enumerate(variables):
        wanted = run(name, dict(options), weights[position], [step[position] for step in altered], RATE)
        np.testing.assert_allclose(variable.numpy(), wanted, rtol=1e-11, atol=1e-13)


def norm(*arrays):
    return np.sqrt(sum(np.sum(a**2) for a in arrays))


@every_optimizer
def test_clipnorm_is_for_each_variable(name):
    make = getattr(tf.optimizers, name)
    check(name, make(RATE, clipnorm=0.5), lambda step: [g * 0.5 / max(norm(g), 0.5) for g in step])


@every_optimizer
def test_global_clipnorm_is_for_all_together(name):
    make = getattr(tf.optimizers, name)
    check(name, make(RATE, global_clipnorm=0.5), lambda step: [g * min(1.0, 0.5 / norm(*step)) for g in step])


@every_optimizer
def test_clipvalue_is_for_each_element(name):
    make = getattr(tf.optimizers, name)
    check(name, make(RATE, clipvalue=0.25), lambda step: [np.clip(g, -0.25, 0.25) for g in step])


@every_optimizer
def test_weight_decay_comes_before_the_update(name):
    check(name, getattr(tf.optimizers, name)(RATE, weight_decay=0.5), lambda step: step, {"weight_decay": 0.5})


@every_optimizer
def test_accumulated_gradients_are_averaged(name):
    weights, gradients = draw()
    optimizer = getattr(tf.optimizers, name)(RATE, gradient_accumulation_steps=2, clipvalue=0.75, weight_decay=0.25)
    variables = [tf.Variable(w) for w in weights]
    for number, step in enumerate(gradients):
        before = [v.numpy() for v in variables]
        optimizer.apply([tf.constant(g) for g in step], variables)
        if number % 2 == 0:
            assert all(np.array_equal(v, old) for v, old in zip(variables, before, strict=True))
        assert int(optimizer.iterations) == (number + 1) // 2
    means = [
        [np.clip((a + b) / 2, -0.75, 0.75) for a, b in zip(*gradients[i : i + 2], strict=True)] for i in range(0, 6, 2)
    ]
    for position, variable in enumerate(variables):
        wanted = run(name, {"weight_decay": 0.25}, weights[position], [step[position] for step in means], RATE)
        np.testing.assert_allclose(variable.numpy(), wanted, rtol=1e-11, atol=1e-13)


@every_optimizer
def test_loss_scale_factor_divides_the_gradients(name):
    optimizer = getattr(tf.optimizers, name)(RATE, loss_scale_factor=4.0)
    check(name, optimizer, lambda step: [g / 4 for g in step])
    assert float(optimizer.scale_loss(tf.constant(3.0))) == 12.0
    assert float(tf.optimizers.SGD().scale_loss(tf.constant(3.0))) == 3.0


def averages(values, momentum):
    mean = values[0]
    for value in values[1:]:
        mean = momentum * mean + (1 - momentum) * value
    return mean


@pytest.mark.parametrize("name", ["SGD", "Adam"])
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_moving_average_starts_with_a_copy(name, dtype):
    weights, gradients = draw(shapes=((3,),))
    variable = tf.Variable(weights[0], dtype=dtype)
    optimizer = getattr(tf.optimizers, name)(RATE, use_ema=True, ema_momentum=0.75)
    seen = []
    for step in gradients:
        optimizer.apply_gradients([(tf.constant(step[0], dtype), variable)])
        seen.append(variable.numpy().astype(np.float64))
    trained = variable.numpy()
    mean = averages(seen, 0.75)
    optimizer.finalize_variable_values([variable])
    np.testing.assert_allclose(variable.numpy(), mean, rtol={"float64": 1e-12, "float32": 1e-6, "float16": 3e-3}[dtype])
    assert not np.array_equal(variable.numpy(), trained)
    with pytest.raises(ValueError, match="does not match the length"):
        optimizer.finalize_variable_values([variable, variable])


def test_moving_average_overwrites_the_weights_every_so_often():
    variable = tf.Variable([1.0], dtype=tf.float64)
    optimizer = tf.optimizers.SGD(0.5, use_ema=True, ema_momentum=0.5, ema_overwrite_frequency=2)
    weight, mean, wanted, got = 1.0, None, [], []
    for number in range(5):
        weight -= 0.5
        mean = weight if mean is None else 0.5 * mean + 0.5 * weight
        if (number + 1) % 2 == 0:
            weight = mean
        wanted.append(weight)
        optimizer.apply_gradients([(tf.constant([1.0], tf.float64), variable)])
        got.append(float(variable[0]))
    assert got == wanted


def test_moving_average_of_a_variable_that_is_not_trained():
    weight, count = tf.Variable([1.0]), tf.Variable([3, 4], dtype=tf.int16)
    optimizer = tf.optimizers.SGD(0.5, use_ema=True, weight_decay=0.5)
    with pytest.warns(UserWarning, match="Gradients do not exist"):
        optimizer.apply_gradients([(tf.constant([0.0]), weight), (None, count)])
    optimizer.finalize_variable_values([weight, count])
    assert (weight.numpy().tolist(), count.numpy().tolist()) == ([0.75], [3, 4])


def test_weight_decay_exclusions():
    kernel, bias, other = (tf.Variable([1.0], name=n) for n in ("kernel", "bias", "other"))
    optimizer = tf.optimizers.AdamW(0.5, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_list=[other], var_names=["bias"])
    for _ in range(2):
        optimizer.apply_gradients([(tf.constant([0.0]), v) for v in (kernel, bias, other)])
    assert [float(v[0]) for v in (kernel, bias, other)] == [0.5625, 1.0, 1.0]


@pytest.mark.parametrize("option", ["clipnorm", "global_clipnorm", "clipvalue"])
def test_clipping_at_the_edges(option):
    def after(gradients):
        variables = [tf.Variable(np.zeros_like(g)) for g in gradients]
        optimizer = tf.optimizers.SGD(1.0, **{option: 1.0})
        optimizer.apply_gradients([(tf.constant(g), v) for g, v in zip(gradients, variables, strict=True)])
        return [v.numpy() for v in variables]

    zero, small = np.zeros(2, np.float32), np.array([0.25, -0.5], np.float32)
    for result, gradient in zip(after([zero, small]), [zero, small], strict=True):
        np.testing.assert_array_equal(result, -gradient)
    infinite = np.array([np.inf, 1.0], np.float32)
    results = after([infinite, small])
    wanted = {
        "clipnorm": [[np.nan, 0.0], -small],
        "global_clipnorm": [[np.nan, np.nan], [np.nan, np.nan]],
        "clipvalue": [[-1.0, -1.0], -small],
    }[option]
    for result, value in zip(results, wanted, strict=True):
        np.testing.assert_array_equal(result, value)


def test_clip_limits_of_zero_switch_clipping_off():
    variable = tf.Variable([1.0])
    tf.optimizers.SGD(1.0, clipnorm=0.0).apply_gradients([(tf.constant([8.0]), variable)])
    assert variable.numpy() == [-7.0]
