"""``keras.optimizers.schedules``: learning rates that depend on the step."""

from __future__ import annotations

from typing import Any

from fastgrad._src.core.names import namespace_hooks as _namespace_hooks
from fastgrad._src.keras.optimizers.schedules.cosine import CosineDecay as CosineDecay
from fastgrad._src.keras.optimizers.schedules.cosine import CosineDecayRestarts as CosineDecayRestarts
from fastgrad._src.keras.optimizers.schedules.learning_rate_schedule import ExponentialDecay as ExponentialDecay
from fastgrad._src.keras.optimizers.schedules.learning_rate_schedule import InverseTimeDecay as InverseTimeDecay
from fastgrad._src.keras.optimizers.schedules.learning_rate_schedule import (
    LearningRateSchedule as LearningRateSchedule,
)
from fastgrad._src.keras.optimizers.schedules.learning_rate_schedule import (
    PiecewiseConstantDecay as PiecewiseConstantDecay,
)
from fastgrad._src.keras.optimizers.schedules.learning_rate_schedule import PolynomialDecay as PolynomialDecay
from fastgrad._src.keras.saving.objects import deserialize_keras_object, serialize_keras_object

_ALL: dict[str, Any] = {
    kind.__name__: kind
    for kind in (
        *(CosineDecay, CosineDecayRestarts, ExponentialDecay),
        *(InverseTimeDecay, PiecewiseConstantDecay, PolynomialDecay),
    )
}


def serialize(learning_rate_schedule: LearningRateSchedule) -> Any:
    """Returns the schedule's configuration: the class and the arguments as plain dicts and numbers."""
    return serialize_keras_object(learning_rate_schedule)


def deserialize(config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Any:
    """Returns the schedule of a configuration from ``serialize``; ``custom_objects`` are classes by name."""
    return deserialize_keras_object(config, module_objects=_ALL, custom_objects=custom_objects)


__getattr__, __dir__ = _namespace_hooks("tf.keras.optimizers.schedules", globals())
