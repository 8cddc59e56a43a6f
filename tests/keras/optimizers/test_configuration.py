"""Optimizers by name, as configurations and back; names and signatures are Keras's."""

import inspect
import json

import pytest

import fastgrad as tf
from fastgrad.keras import optimizers

from .reference import CASES

COMMON = {
    "weight_decay": None,
    "clipnorm": None,
    "clipvalue": None,
    "global_clipnorm": None,
    "use_ema": False,
    "ema_momentum": 0.99,
    "ema_overwrite_frequency": None,
    "loss_scale_factor": None,
    "gradient_accumulation_steps": None,
    "name": None,
}


@pytest.mark.parametrize("name", CASES)
def test_a_configuration_makes_the_same_optimizer(name):
    kind = getattr(tf.optimizers, name)
    optimizer = kind(0.5, clipnorm=2.0, name="mine", **CASES[name][-1] | {"weight_decay": 0.25})
    config = tf.optimizers.serialize(optimizer)
    assert config["module"] == "keras.optimizers"
    assert config["class_name"] == name
    twin = tf.optimizers.deserialize(json.loads(json.dumps(config)))
    assert type(twin) is kind
    assert twin.get_config() == optimizer.get_config() == kind.from_config(optimizer.get_config()).get_config()


@pytest.mark.parametrize("name", CASES)
def test_arguments_are_keras_ones(name):
    parameters = inspect.signature(getattr(tf.optimizers, name)).parameters
    assert next(iter(parameters)) == "learning_rate"
    wanted = COMMON | ({"weight_decay": 0.004} if name == "AdamW" else {})
    assert {key: parameters[key].default for key in COMMON} == wanted
    config = getattr(tf.optimizers, name)().get_config()
    assert set(config) == set(parameters) - {"kwargs"}


def test_shared_options_also_stand_after_an_optimizers_own_arguments():
    optimizer = tf.optimizers.Adam(0.5, 0.8, 0.9, 1e-5, True, 0.25, 2.0, name="mine")
    assert (optimizer.amsgrad, optimizer.weight_decay, optimizer.clipnorm, optimizer.name) == (True, 0.25, 2.0, "mine")
    assert tf.optimizers.AdamW(0.5, 0.25).weight_decay == 0.25
    assert tf.optimizers.SGD(0.5, 0.0, False, None, None, 3.0).clipvalue == 3.0
    with pytest.raises(TypeError, match="weight_decay"):
        tf.optimizers.SGD(0.5, 0.0, False, 0.1, weight_decay=0.1)
    with pytest.raises(TypeError, match="too many positional arguments"):
        tf.optimizers.SGD(*[0.5] * 20)


def test_optimizers_by_name_and_configuration():
    assert isinstance(tf.optimizers.get("adam"), tf.optimizers.Adam)
    assert isinstance(tf.optimizers.get("AdamW"), tf.optimizers.AdamW)
    assert isinstance(tf.optimizers.get("RMSprop"), optimizers.RMSprop)
    made = tf.optimizers.get({"class_name": "SGD", "config": {"learning_rate": 0.25}})
    assert float(made.learning_rate) == 0.25
    assert tf.optimizers.get(made) is made
    assert tf.optimizers.get(None) is None
    for identifier in ("foo", 3, {"class_name": "foo", "config": {}}):
        with pytest.raises(ValueError, match="Could not interpret optimizer identifier"):
            tf.optimizers.get(identifier)


def test_schedules_are_part_of_a_configuration():
    schedule = tf.optimizers.schedules.ExponentialDecay(0.5, 10, 0.5)
    optimizer = tf.optimizers.SGD(schedule)
    twin = tf.optimizers.from_config(tf.optimizers.serialize(optimizer))
    assert twin._learning_rate.get_config() == schedule.get_config()


def test_both_namespaces_hold_the_same_classes():
    for name in [*CASES, "LossScaleOptimizer", "Optimizer", "schedules"]:
        assert getattr(tf.optimizers, name) is getattr(tf.keras.optimizers, name)
