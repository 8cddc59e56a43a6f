"""``clone_model``: a model of the same layers with weights of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastgrad.keras.layers.input_layer import InputLayer
from fastgrad.keras.layers.symbolic import mapped
from fastgrad.keras.models.functional import Functional
from fastgrad.keras.models.model import Model
from fastgrad.keras.models.sequential import Sequential


def clone_model(model: Any, input_tensors: Any = None, clone_function: Callable[[Any], Any] | None = None) -> Any:
    """A model of new layers, made of the configurations of another's, and compiled as it is.

    Args:
        model: a ``Sequential``, a functional model, or a subclass with ``get_config``.
        input_tensors: KerasTensors for a functional model to begin with; default new ones.
        clone_function: gives the new layer for a layer; default by its configuration. Not for models of subclasses.

    Raises:
        ValueError: a ``clone_function`` for a model of a subclass.
    """
    clone = clone_function or (lambda layer: type(layer).from_config(layer.get_config()))
    if isinstance(model, Sequential):
        layers = [model._bottom] if model._bottom is not None else []
        found = [
            InputLayer(**one.get_config()) if isinstance(one, InputLayer) else clone(one)
            for one in layers + model.layers
        ]
        return _compiled_as(model, Sequential(found, name=model.name, trainable=model.trainable))
    graph = model._graph
    if graph is None:
        if clone_function is not None:
            raise ValueError(
                "Arguments `clone_function` and `input_tensors` are only for Sequential and functional models."
            )
        return type(model).from_config(model.get_config())
    from fastgrad import nest

    given = nest.flatten(input_tensors) if input_tensors is not None else None
    known: dict[int, Any] = {}
    made: dict[int, Any] = {}
    for place, tensor in enumerate(graph.flat_inputs):
        layer = tensor._keras_history.operation
        known[id(tensor)] = given[place] if given is not None else InputLayer(**layer.get_config()).output
    for node in graph.nodes:
        layer = node.operation
        if id(layer) not in made:
            made[id(layer)] = clone(layer)
        args, kwargs = mapped(node.arguments, lambda tensor: known[id(tensor)])
        results = made[id(layer)](*args, **kwargs)
        for tensor, result in zip(nest.flatten(node.outputs), nest.flatten(results), strict=True):
            known[id(tensor)] = result

    def new(structure: Any) -> Any:
        return nest.map_structure(lambda tensor: known[id(tensor)], structure)

    kind = type(model) if type(model).__init__ is Model.__init__ else Functional
    twin = kind(new(graph.inputs), new(graph.outputs), name=model.name, trainable=model.trainable)
    return _compiled_as(model, twin)


def _compiled_as(model: Any, twin: Any) -> Any:
    """``twin``, compiled as ``model`` is, with an optimizer and metrics of its own."""
    if model.compiled:
        twin.compile_from_config(model.get_compile_config())
    return twin
