"""The arguments about a layer's weights, such as ``kernel_initializer``, ``kernel_regularizer`` and ``kernel_constraint``."""

from __future__ import annotations

from collections.abc import Callable
from inspect import Parameter, signature
from typing import TYPE_CHECKING, Any, TypeVar

from fastgrad.keras import constraints, initializers, regularizers
from fastgrad.keras.constructor import constructor

if TYPE_CHECKING:
    from fastgrad.keras.layers.layer import Layer
    from fastgrad.keras.weight import Weight

_MODULE_OF_ARGUMENT_KIND: dict[str, Any] = {
    "initializer": initializers,
    "regularizer": regularizers,
    "constraint": constraints,
}


_Init = TypeVar("_Init", bound=Callable[..., None])


def weight_arguments(*weights: str) -> tuple[str, ...]:
    """The argument names of ``weights``: all initializers, then all regularizers, then all constraints."""
    return tuple(f"{weight}_{kind}" for kind in _MODULE_OF_ARGUMENT_KIND for weight in weights)


def set_weight_arguments(layer: Layer, **weights: tuple[Any, Any, Any]) -> None:
    """Sets the attributes of ``layer`` for each weight's initializer, regularizer and constraint, which ``weights`` has by its name."""
    for weight, identifiers in weights.items():
        for (kind, module), identifier in zip(_MODULE_OF_ARGUMENT_KIND.items(), identifiers, strict=True):
            setattr(layer, f"{weight}_{kind}", module.get(identifier))


def with_weight_arguments(
    *,
    activity_regularizer: bool = False,
    other_initializers: tuple[str, ...] = (),
    **initializers_by_weight: str,
) -> Callable[[_Init], _Init]:
    """Returns a decorator that adds the arguments about weights to those of a layer's ``__init__``.

    They stand before the keyword-only arguments of ``__init__``, which callers may pass by position too. After ``__init__`` has
    run, the layer has them as attributes.

    Args:
        activity_regularizer: whether this argument stands after the regularizers; ``__init__`` gets it in its ``kwargs``.
        other_initializers: keyword-only arguments of ``__init__`` that stand right after the initializers.
        **initializers_by_weight: the default initializer of each weight.
    """
    weights = tuple(initializers_by_weight)
    names = weight_arguments(*weights)
    defaults = [*initializers_by_weight.values(), *[None] * (2 * len(weights))]
    shared = [
        Parameter(name, Parameter.POSITIONAL_OR_KEYWORD, default=default, annotation="Any")
        for name, default in zip(names, defaults, strict=True)
    ]
    if activity_regularizer:
        regularizer = Parameter("activity_regularizer", Parameter.POSITIONAL_OR_KEYWORD, default=None, annotation="Any")
        shared.insert(2 * len(weights), regularizer)

    def decorate(init: Any) -> Any:
        _, *own = signature(init).parameters.values()
        before = [parameter for parameter in own if parameter.kind is Parameter.POSITIONAL_OR_KEYWORD]
        inner = [parameter for parameter in own if parameter.name in other_initializers]
        after = [parameter for parameter in own if parameter not in before and parameter not in inner]
        parameters = [*before, *shared[: len(weights)], *inner, *shared[len(weights) :], *after]

        def body(self: Layer, **arguments: Any) -> None:
            identifiers = {
                weight: tuple([arguments.pop(name) for name in weight_arguments(weight)]) for weight in weights
            }
            init(self, **arguments)
            set_weight_arguments(self, **identifiers)

        return constructor(init.__module__, init.__qualname__.removesuffix(".__init__"), parameters, body)

    return decorate


def add_weight_of(layer: Layer, weight: str, shape: Any, **options: Any) -> Weight:
    """Makes a weight with the layer's initializer, regularizer and constraint for the name ``weight``."""
    arguments = {kind: getattr(layer, f"{weight}_{kind}") for kind in _MODULE_OF_ARGUMENT_KIND}
    return layer.add_weight(shape=shape, **{"name": weight, **arguments, **options})
