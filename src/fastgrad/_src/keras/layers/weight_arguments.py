"""The arguments about a layer's weights, such as ``kernel_initializer``, ``kernel_regularizer`` and ``kernel_constraint``."""

from __future__ import annotations

from collections.abc import Callable
from inspect import Parameter, signature
from typing import TYPE_CHECKING, Any, TypeVar

from fastgrad._src.keras import constraints, initializers, regularizers
from fastgrad._src.keras.constructor import make_constructor

if TYPE_CHECKING:
    from fastgrad._src.keras.layers.layer import Layer
    from fastgrad._src.keras.weight import Weight

_MODULE_OF_ARGUMENT_KIND: dict[str, Any] = {
    "initializer": initializers,
    "regularizer": regularizers,
    "constraint": constraints,
}

_Init = TypeVar("_Init", bound=Callable[..., None])


def weight_arguments(*weights: str) -> tuple[str, ...]:
    """The argument names of ``weights``: all initializers, then all regularizers, then all constraints."""
    return tuple(f"{weight}_{kind}" for kind in _MODULE_OF_ARGUMENT_KIND for weight in weights)


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
    count = len(weights)
    names = weight_arguments(*weights)
    modules = [module for module in _MODULE_OF_ARGUMENT_KIND.values() for _ in weights]
    shared = [
        Parameter(name, Parameter.POSITIONAL_OR_KEYWORD, default=default, annotation="Any")
        for name, default in zip(names, [*initializers_by_weight.values(), *[None] * (2 * count)], strict=True)
    ]
    if activity_regularizer:
        shared.insert(2 * count, shared[-1].replace(name="activity_regularizer"))

    def decorate(init: Any) -> Any:
        _, *own = signature(init).parameters.values()
        before = [parameter for parameter in own if parameter.kind is Parameter.POSITIONAL_OR_KEYWORD]
        inner = [parameter for parameter in own if parameter.name in other_initializers]
        after = [parameter for parameter in own if parameter not in before and parameter not in inner]

        def body(self: Layer, **arguments: Any) -> None:
            identifiers = [arguments.pop(name) for name in names]
            init(self, **arguments)
            for name, module, identifier in zip(names, modules, identifiers, strict=True):
                setattr(self, name, module.get(identifier))

        parameters = [*before, *shared[:count], *inner, *shared[count:], *after]
        return make_constructor(init.__module__, init.__qualname__.removesuffix(".__init__"), parameters, body)

    return decorate


def add_weight_of(layer: Layer, weight: str, shape: Any, **options: Any) -> Weight:
    """Makes a weight with the layer's initializer, regularizer and constraint for the name ``weight``."""
    arguments = {kind: getattr(layer, f"{weight}_{kind}") for kind in _MODULE_OF_ARGUMENT_KIND}
    return layer.add_weight(shape=shape, **{"name": weight, **arguments, **options})
