"""The names of a model's variables in Keras's own files, such as ``layers/dense/vars/0``.

Keras visits attributes. In a ``Sequential`` or functional model ``layers`` comes first. The others are sorted by name,
private ones last. Items of lists and dicts are named after their classes, with a number. An object that is an attribute in
several places has the name of the first place.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

from fastgrad._src.core.variable import Variable
from fastgrad._src.keras.naming import to_snake_case


class VariablesByKerasName(NamedTuple):
    """The variables of a model by their names in Keras's files, with groups and optimizers.

    Attributes:
        variables: the variables by name.
        groups: the names of the layers by the names of their groups.
        optimizers: the prefixes of the names of optimizers' variables.
        stores: layers and optimizers with their own methods to save and load their variables, by the prefixes of the names of the
            values.
        texts: layers with text files, such as a vocabulary, by the prefixes of the names of the files.
        assets: layers of users with the methods ``save_assets`` and ``load_assets``, by the names of their folders.
    """

    variables: dict[str, Variable]
    groups: dict[str, str]
    optimizers: tuple[str, ...]
    stores: dict[str, Any]
    texts: dict[str, Any]
    assets: dict[str, Any]


def keras_variables(model: Any) -> VariablesByKerasName:
    """Returns the contents of a model or layer by Keras's names."""
    walk = _VariableWalk()
    walk.visit_layer(model, "")
    return VariablesByKerasName(
        walk.variables, walk.groups, tuple(walk.optimizers), walk.stores, walk.texts, walk.assets
    )


class _VariableWalk:
    def __init__(self) -> None:
        self.variables: dict[str, Variable] = {}
        self.groups: dict[str, str] = {}
        self.optimizers: list[str] = []
        self.stores: dict[str, Any] = {}
        self.texts: dict[str, Any] = {}
        self.assets: dict[str, Any] = {}
        self._seen: set[int] = set()

    def _add_owner(self, owner: Any, prefix: str, variables: list[Variable]) -> None:
        """Adds the variables of a layer or optimizer, or the object itself if its class saves or loads them in its own way."""
        if _overrides_save_or_load(owner):
            self.stores[f"{prefix}vars/"] = owner
            return
        if variables:
            self.groups[f"{prefix}vars"] = owner.name
        self.variables.update({f"{prefix}vars/{position}": variable for position, variable in enumerate(variables)})

    def visit_layer(self, layer: Any, prefix: str) -> None:
        """Adds the variables of a layer and its sublayers, whose names begin with ``prefix``; a layer that was visited adds none."""
        if id(layer) in self._seen:
            return
        self._seen.add(id(layer))
        self._add_owner(layer, prefix, [*layer._trainable_own, *layer._other_own])
        if hasattr(layer, "_saved_texts"):
            self.texts[prefix] = layer
        if hasattr(layer, "save_assets") or hasattr(layer, "load_assets"):
            self.assets[prefix] = layer
        for name, value in _attributes_in_keras_order(layer):
            if _holds_weights(value):
                self.visit_layer(value, f"{prefix}{name}/")
            elif isinstance(value, (list, tuple, dict)):
                self._visit_items(value, f"{prefix}{name}/")
            elif hasattr(value, "apply_gradients") and id(value) not in self._seen:
                self._seen.add(id(value))
                self.optimizers.append(f"{prefix}{name}/")
                self._add_owner(value, f"{prefix}{name}/", value.variables)
                inner_optimizer = getattr(value, "inner_optimizer", None)
                if inner_optimizer is not None:
                    self._add_owner(inner_optimizer, f"{prefix}{name}/inner_optimizer/", inner_optimizer.variables)

    def _visit_items(self, items: Any, prefix: str) -> None:
        counts: dict[str, int] = {}
        for item in items.values() if isinstance(items, dict) else items:
            if not (_holds_weights(item) or isinstance(item, (list, tuple, dict))):
                continue
            class_name = to_snake_case(type(item).__name__) if _holds_weights(item) else "container"
            number = counts[class_name] = counts.get(class_name, -1) + 1
            path = f"{prefix}{class_name}_{number}/" if number else f"{prefix}{class_name}/"
            if _holds_weights(item):
                self.visit_layer(item, path)
            else:
                self._visit_items(item, path)


def _holds_weights(value: Any) -> bool:
    return hasattr(value, "_trainable_own")


def _overrides_save_or_load(owner: Any) -> bool:
    from fastgrad._src.keras.layers.variable_tracking import WeightOwner
    from fastgrad._src.keras.optimizers.state import OptimizerState

    base = WeightOwner if _holds_weights(owner) else OptimizerState
    methods = ("save_own_variables", "load_own_variables")
    return isinstance(owner, base) and any(getattr(type(owner), name) is not getattr(base, name) for name in methods)


def _attributes_in_keras_order(layer: Any) -> list[tuple[str, Any]]:
    """Returns the attributes that Keras visits, in its order."""
    from fastgrad._src.keras.models.model import Model
    from fastgrad._src.keras.models.sequential import Sequential

    # Keras shows the parts of its own layers by public properties, with an exception.
    is_fastgrad_layer = type(layer).__module__.startswith("fastgrad.") and getattr(layer, "_shows_parts", True)
    attributes = {
        name.lstrip("_") if is_fastgrad_layer else name: value
        for name, value in vars(layer).items()
        if name not in _names_skipped_by_keras()
    }
    for base in type(layer).__mro__:
        if not base.__module__.startswith("fastgrad."):
            property_names = [
                name for name, value in vars(base).items() if isinstance(value, property) and name not in attributes
            ]
            attributes.update({name: _property_value(layer, name) for name in property_names})
    is_model = isinstance(layer, Model)
    if is_model:
        attributes["layers"] = layer.layers
    first = "layers" if is_model and (isinstance(layer, Sequential) or layer._graph is not None) else None
    return sorted(attributes.items(), key=lambda item: (item[0] != first, item[0].startswith("_"), item[0]))


def _property_value(layer: Any, name: str) -> Any:
    """Returns the value of a user's property, None if the property raises an error."""
    try:
        return getattr(layer, name)
    except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError):
        return None


@lru_cache
def _names_skipped_by_keras() -> frozenset[str]:
    from fastgrad._src.keras.layers.layer import Layer

    return frozenset(dir(Layer(name="layer")))
