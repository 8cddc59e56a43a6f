"""Projections that optimizers apply to weights after an update (``keras.constraints``)."""

from __future__ import annotations

from typing import Any

from fastgrad._src.core.argument_checks import checked_number
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.core.tensor import convert_to_tensor as _convert_to_tensor
from fastgrad._src.keras.configured import ConfiguredFunction as _ConfiguredFunction
from fastgrad._src.keras.naming import to_snake_case as _to_snake_case
from fastgrad._src.keras.saving.objects import deserialize_keras_object, resolve_identifier, serialize_keras_object
from fastgrad._src.keras.settings import epsilon
from fastgrad._src.ops import namespace as ops


class Constraint(_ConfiguredFunction):
    """The base of constraints: subclasses write ``__call__`` and, if they have arguments, ``get_config``."""

    def __call__(self, w: Any) -> Any:
        """The nearest allowed value of the weight ``w``."""
        return w


def _norms(w: Tensor, axis: Any) -> Tensor:
    return ops.reduce_euclidean_norm(w, axis, keepdims=True)


class NonNeg(Constraint):
    """A constraint that sets negative elements of a weight to 0."""

    def __call__(self, w: Any) -> Tensor:
        return ops.maximum(_convert_to_tensor(w), 0.0)


class MaxNorm(Constraint):
    """A constraint that limits the norms of a weight along ``axis`` to ``max_value``.

    Args:
        max_value: the bound.
        axis: the axes along which the norm is taken; 0 for the incoming weights of a Dense unit.
    """

    _config_names = ("max_value", "axis")

    def __init__(self, max_value: float = 2, axis: Any = 0) -> None:
        self.max_value, self.axis = max_value, axis

    def __call__(self, w: Any) -> Tensor:
        w = _convert_to_tensor(w)
        norms = _norms(w, self.axis)
        return w * (
            ops.clip_by_value(norms, 0.0, checked_number("MaxNorm", "max_value", self.max_value)) / (epsilon() + norms)
        )


class UnitNorm(Constraint):
    """A constraint that sets the norms of a weight along ``axis`` to 1; ``axis`` is as in ``MaxNorm``."""

    _config_names = ("axis",)

    def __init__(self, axis: Any = 0) -> None:
        self.axis = axis

    def __call__(self, w: Any) -> Tensor:
        w = _convert_to_tensor(w)
        return w / (epsilon() + _norms(w, self.axis))


class MinMaxNorm(Constraint):
    """A constraint that moves the norms of a weight along ``axis`` between two bounds, or towards the bounds.

    Args:
        min_value, max_value: the bounds.
        rate: 1 enforces the bounds at once; a rate below 1 moves the norm by that fraction of the distance.
        axis: as in ``MaxNorm``.
    """

    _config_names = ("min_value", "max_value", "rate", "axis")

    def __init__(self, min_value: float = 0.0, max_value: float = 1.0, rate: float = 1.0, axis: Any = 0) -> None:
        self.min_value, self.max_value, self.rate, self.axis = min_value, max_value, rate, axis

    def __call__(self, w: Any) -> Tensor:
        w = _convert_to_tensor(w)
        norms = _norms(w, self.axis)
        clipped = ops.clip_by_value(
            norms,
            checked_number("MinMaxNorm", "min_value", self.min_value),
            checked_number("MinMaxNorm", "max_value", self.max_value),
        )
        return w * ((self.rate * clipped + (1.0 - self.rate) * norms) / (epsilon() + norms))


max_norm, non_neg, unit_norm, min_max_norm = MaxNorm, NonNeg, UnitNorm, MinMaxNorm

_CLASSES = (MaxNorm, NonNeg, UnitNorm, MinMaxNorm)
ALL: dict[str, Any] = {name: kind for kind in _CLASSES for name in (kind.__name__, _to_snake_case(kind.__name__))}


def serialize(constraint: Any) -> Any:
    """Returns the configuration of a constraint, as plain values."""
    return serialize_keras_object(constraint)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """Returns the constraint of a configuration or name."""
    return deserialize_keras_object(config, custom_objects, module_objects=ALL)


def get(identifier: Any) -> Any:
    """Returns the constraint of a name, configuration or callable.

    Args:
        identifier: a constraint, a class, a name (``"non_neg"``), a configuration, a function of a weight, or None.

    Raises:
        ValueError: ``identifier`` is none of these.
    """
    return None if identifier is None else resolve_identifier(identifier, ALL, "constraint")
