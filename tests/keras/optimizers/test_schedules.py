"""Learning-rate schedules against their formulas."""

import math

import numpy as np
import pytest

import fastgrad as tf

S = tf.optimizers.schedules
STEPS = range(25)


def cosine(x):
    return 0.5 * (1 + math.cos(math.pi * x))


def restarts(step, first, t_mul, m_mul):
    length, height = first, 1.0
    while step >= length:
        step, length, height = step - length, length * t_mul, height * m_mul
    return height * cosine(step / length)


def warmed_up(step):
    return 0.1 + (0.5 - 0.1) * step / 5 if step < 5 else 0.5 * (0.75 * cosine(min(step - 5, 10) / 10) + 0.25)


CASES = {
    "exponential": (S.ExponentialDecay(0.5, 4, 0.9), lambda t: 0.5 * 0.9 ** (t / 4)),
    "exponential staircase": (S.ExponentialDecay(0.5, 4, 0.9, staircase=True), lambda t: 0.5 * 0.9 ** (t // 4)),
    "inverse": (S.InverseTimeDecay(0.5, 4, 0.9), lambda t: 0.5 / (1 + 0.9 * t / 4)),
    "inverse staircase": (S.InverseTimeDecay(0.5, 4, 0.9, True), lambda t: 0.5 / (1 + 0.9 * (t // 4))),
    "polynomial": (S.PolynomialDecay(0.5, 10, 0.1, 2.0), lambda t: 0.4 * (1 - min(t, 10) / 10) ** 2 + 0.1),
    "polynomial cycle": (
        S.PolynomialDecay(0.5, 10, 0.1, cycle=True),
        lambda t: 0.4 * (1 - t / (10 * max(1, math.ceil(t / 10)))) + 0.1,
    ),
    "piecewise": (
        S.PiecewiseConstantDecay([5, 9], [0.5, 0.25, 0.125]),
        lambda t: 0.5 if t <= 5 else 0.25 if t <= 9 else 0.125,
    ),
    "cosine": (S.CosineDecay(0.5, 10, 0.25), lambda t: 0.5 * (0.75 * cosine(min(t, 10) / 10) + 0.25)),
    "cosine warm-up": (S.CosineDecay(0.1, 10, 0.25, warmup_target=0.5, warmup_steps=5), warmed_up),
    "restarts": (S.CosineDecayRestarts(0.5, 4), lambda t: 0.5 * restarts(t, 4, 2, 1)),
    "restarts shrinking": (
        S.CosineDecayRestarts(0.5, 3, 1.0, 0.5, 0.25),
        lambda t: 0.5 * (0.75 * restarts(t, 3, 1, 0.5) + 0.25),
    ),
    "restarts by ten": (S.CosineDecayRestarts(0.5, 2, 10.0), lambda t: 0.5 * restarts(t, 2, 10, 1)),
}
every_schedule = pytest.mark.parametrize(("schedule", "formula"), CASES.values(), ids=list(CASES))


@every_schedule
def test_formula(schedule, formula):
    for step in STEPS:
        np.testing.assert_allclose(float(schedule(step)), formula(step), rtol=1e-6, atol=1e-8)


@every_schedule
def test_steps_may_be_tensors_variables_and_arrays(schedule, formula):
    wanted = np.array([formula(step) for step in STEPS], np.float32)
    for steps in (np.arange(25), tf.range(25), tf.Variable(tf.range(25, dtype=tf.int64))):
        rates = schedule(steps)
        assert rates.dtype == tf.float32
        np.testing.assert_allclose(rates, wanted, rtol=1e-6, atol=1e-8)
    assert schedule(tf.constant(3, tf.int64)).shape == ()


@every_schedule
def test_configuration(schedule, formula):
    config = S.serialize(schedule)
    assert config["module"] == "keras.optimizers.schedules"
    twin = S.deserialize(config)
    assert type(twin) is type(schedule)
    assert twin.get_config() == schedule.get_config()
    assert type(schedule).from_config(schedule.get_config()).get_config() == schedule.get_config()


def test_the_base_class_is_abstract():
    with pytest.raises(NotImplementedError, match="__call__"):
        S.LearningRateSchedule()(1)
    with pytest.raises(NotImplementedError, match="get_config"):
        S.LearningRateSchedule().get_config()
