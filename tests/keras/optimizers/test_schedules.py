"""Learning-rate schedules; their rates are compared with Keras in tests/conformance/programs/optimizers.py."""

import numpy as np
import pytest

import fastgrad as tf

S = tf.optimizers.schedules


SCHEDULES = {
    "exponential": S.ExponentialDecay(0.5, 4, 0.9),
    "exponential staircase": S.ExponentialDecay(0.5, 4, 0.9, staircase=True),
    "inverse": S.InverseTimeDecay(0.5, 4, 0.9),
    "inverse staircase": S.InverseTimeDecay(0.5, 4, 0.9, True),
    "polynomial": S.PolynomialDecay(0.5, 10, 0.1, 2.0),
    "polynomial cycle": S.PolynomialDecay(0.5, 10, 0.1, cycle=True),
    "piecewise": S.PiecewiseConstantDecay([5, 9], [0.5, 0.25, 0.125]),
    "cosine": S.CosineDecay(0.5, 10, 0.25),
    "cosine warm-up": S.CosineDecay(0.1, 10, 0.25, warmup_target=0.5, warmup_steps=5),
    "restarts": S.CosineDecayRestarts(0.5, 4),
    "restarts shrinking": S.CosineDecayRestarts(0.5, 3, 1.0, 0.5, 0.25),
    "restarts by ten": S.CosineDecayRestarts(0.5, 2, 10.0),
}
every_schedule = pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=list(SCHEDULES))


@every_schedule
def test_steps_may_be_tensors_variables_and_arrays(schedule):
    wanted = np.array([schedule(step) for step in range(25)], np.float32)
    for steps in (np.arange(25), tf.range(25), tf.Variable(tf.range(25, dtype=tf.int64))):
        rates = schedule(steps)
        assert rates.dtype == tf.float32
        np.testing.assert_allclose(rates, wanted, rtol=1e-6, atol=1e-8)
    assert schedule(tf.constant(3, tf.int64)).shape == ()


@every_schedule
def test_configuration(schedule):
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
