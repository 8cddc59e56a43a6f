"""The arguments about a layer's weights, such as ``kernel_initializer``, ``kernel_regularizer`` and ``kernel_constraint``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastgrad.keras import constraints, initializers, regularizers

if TYPE_CHECKING:
    from fastgrad.keras.layers.layer import Layer
    from fastgrad.keras.weight import Weight

_MODULE_OF_ARGUMENT_KIND: dict[str, Any] = {
    "initializer": initializers,
    "regularizer": regularizers,
    "constraint": constraints,
}


def weight_arguments(*weights: str) -> tuple[str, ...]:
    """The argument names of ``weights``: all initializers, then all regularizers, then all constraints."""
    return tuple(f"{weight}_{kind}" for kind in _MODULE_OF_ARGUMENT_KIND for weight in weights)


def set_weight_arguments(layer: Layer, **weights: tuple[Any, Any, Any]) -> None:
    """Sets the attributes of ``layer`` for each weight's initializer, regularizer and constraint, which ``weights`` has by its name."""
    for weight, identifiers in weights.items():
        for (kind, module), identifier in zip(_MODULE_OF_ARGUMENT_KIND.items(), identifiers, strict=True):
            setattr(layer, f"{weight}_{kind}", module.get(identifier))


def add_weight_of(layer: Layer, weight: str, shape: Any, **options: Any) -> Weight:
    """Makes a weight with the layer's initializer, regularizer and constraint for the name ``weight``."""
    arguments = {kind: getattr(layer, f"{weight}_{kind}") for kind in _MODULE_OF_ARGUMENT_KIND}
    return layer.add_weight(shape=shape, **{"name": weight, **arguments, **options})
