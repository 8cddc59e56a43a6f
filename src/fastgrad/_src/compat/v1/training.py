"""``tf.compat.v1.train``: learning rates that fall, and event files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from fastgrad._src.data.readers import TFRecordDataset
from fastgrad._src.keras.optimizers.schedules.cosine import CosineDecay, CosineDecayRestarts
from fastgrad._src.keras.optimizers.schedules.learning_rate_schedule import (
    ExponentialDecay,
    InverseTimeDecay,
    PiecewiseConstantDecay,
    PolynomialDecay,
)
from fastgrad._src.ops.arithmetic import negative
from fastgrad._src.ops.exponential import exp


def _rate_function(make: Callable[..., Any], x: Any, *args: Any) -> Callable[[], Any]:
    """Returns a function of no argument that gives the rate at the step which ``x`` has when it is called."""
    schedule = make(*args)
    return lambda: schedule(x() if callable(x) and not hasattr(x, "dtype") else x)


def exponential_decay(
    learning_rate: Any,
    global_step: Any,
    decay_steps: Any,
    decay_rate: Any,
    staircase: bool = False,
    name: str | None = None,
) -> Callable[[], Any]:
    """Returns a function that gives ``learning_rate * decay_rate ** (global_step / decay_steps)``; see ``ExponentialDecay``."""
    return _rate_function(ExponentialDecay, global_step, learning_rate, decay_steps, decay_rate, staircase)


def natural_exp_decay(
    learning_rate: Any,
    global_step: Any,
    decay_steps: Any,
    decay_rate: Any,
    staircase: bool = False,
    name: str | None = None,
) -> Callable[[], Any]:
    """Returns a function that gives ``learning_rate * exp(-decay_rate * global_step / decay_steps)``."""
    natural_rate = exp(negative(decay_rate))
    return exponential_decay(learning_rate, global_step, decay_steps, natural_rate, staircase)


def inverse_time_decay(
    learning_rate: Any,
    global_step: Any,
    decay_steps: Any,
    decay_rate: Any,
    staircase: bool = False,
    name: str | None = None,
) -> Callable[[], Any]:
    """Returns a function that gives ``learning_rate / (1 + decay_rate * global_step / decay_steps)``; see ``InverseTimeDecay``."""
    return _rate_function(InverseTimeDecay, global_step, learning_rate, decay_steps, decay_rate, staircase)


def polynomial_decay(
    learning_rate: Any,
    global_step: Any,
    decay_steps: Any,
    end_learning_rate: Any = 0.0001,
    power: Any = 1.0,
    cycle: bool = False,
    name: str | None = None,
) -> Callable[[], Any]:
    """Returns a function that gives a rate which falls to ``end_learning_rate``; see ``PolynomialDecay``."""
    return _rate_function(PolynomialDecay, global_step, learning_rate, decay_steps, end_learning_rate, power, cycle)


def cosine_decay(
    learning_rate: Any, global_step: Any, decay_steps: Any, alpha: Any = 0.0, name: str | None = None
) -> Callable[[], Any]:
    """Returns a function that gives a rate which falls as a cosine; see ``CosineDecay``."""
    return _rate_function(CosineDecay, global_step, learning_rate, decay_steps, alpha)


def cosine_decay_restarts(
    learning_rate: Any,
    global_step: Any,
    first_decay_steps: Any,
    t_mul: Any = 2.0,
    m_mul: Any = 1.0,
    alpha: Any = 0.0,
    name: str | None = None,
) -> Callable[[], Any]:
    """Returns a function that gives a rate which falls as a cosine, again and again; see ``CosineDecayRestarts``."""
    return _rate_function(CosineDecayRestarts, global_step, learning_rate, first_decay_steps, t_mul, m_mul, alpha)


def piecewise_constant(x: Any, boundaries: Any, values: Any, name: str | None = None) -> Callable[[], Any]:
    """Returns a function that gives the value between two boundaries; see ``PiecewiseConstantDecay``."""
    return _rate_function(PiecewiseConstantDecay, x, boundaries, values)


def summary_iterator(path: Any) -> Iterator[Any]:
    """Returns an iterator of the ``Event`` messages of an event file."""
    from tensorboardX.proto.event_pb2 import Event

    return (Event.FromString(record.numpy()) for record in TFRecordDataset(path))
