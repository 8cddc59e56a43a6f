"""``clone_model``: a model of the same layers with weights of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastgrad._src.core import nest
from fastgrad._src.keras.layers.input_layer import InputLayer
from fastgrad._src.keras.layers.symbolic import KerasTensor, map_keras_tensors
from fastgrad._src.keras.models.functional import Functional
from fastgrad._src.keras.models.model import Model
from fastgrad._src.keras.models.sequential import Sequential


def clone_model(
    model: Any,
    input_tensors: Any = None,
    clone_function: Callable[[Any], Any] | None = None,
    call_function: Callable[..., Any] | None = None,
    recursive: bool = False,
) -> Any:
    """Returns a model of new layers, made from the configurations of ``model``'s layers, and compiled in the same form.

    Args:
        model: a ``Sequential``, a functional model, or a subclass with ``get_config``.
        input_tensors: KerasTensors as inputs, in the structure of the model's inputs; default new ones.
        clone_function: returns the new layer for a layer; default a copy by its configuration. Not for models of subclasses.
        call_function: ``call_function(layer, *args, **kwargs)`` calls each new layer, and may call others before and after it.
            Only for functional models.
        recursive: whether inner Sequential and functional models are cloned with these functions, too.

    Raises:
        ValueError: the kind of model does not take an argument, or has other inputs.
    """
    return _clone(model, input_tensors, clone_function, call_function, recursive, {})


def _clone(
    model: Any,
    input_tensors: Any,
    clone_function: Callable[[Any], Any] | None,
    call_function: Callable[..., Any] | None,
    recursive: bool,
    clones: dict[int, Any],
) -> Any:
    """Returns a clone of a model; ``clones`` maps ids of layers to new layers, so that shared layers are cloned once."""
    clone_layer = clone_function or (lambda layer: type(layer).from_config(layer.get_config()))

    def clone(layer: Any) -> Any:
        if id(layer) not in clones:
            inner = recursive and (isinstance(layer, Sequential) or getattr(layer, "_graph", None) is not None)
            call = None if isinstance(layer, Sequential) else call_function
            clones[id(layer)] = _clone(layer, None, clone_layer, call, True, clones) if inner else clone_layer(layer)
        return clones[id(layer)]

    if isinstance(model, Sequential):
        if call_function is not None:
            raise ValueError(f"clone_model: `call_function` is not supported with Sequential models: '{model.name}'.")
        return _compile_like(model, _clone_sequential(model, input_tensors, clone))
    if model._graph is not None:
        return _compile_like(model, _clone_functional(model, input_tensors, clone, call_function))
    if clone_function is not None or input_tensors is not None or call_function is not None:
        raise ValueError(f"clone_model: `model` alone for '{model.name}': the others are for functional models.")
    return type(model).from_config(model.get_config())


def _clone_sequential(model: Sequential, input_tensors: Any, clone: Callable[[Any], Any]) -> Sequential:
    layers = [clone(layer) for layer in model.layers]
    if input_tensors is not None:
        tensors = nest.flatten(input_tensors)
        if len(tensors) != 1 or not isinstance(tensors[0], KerasTensor):
            raise ValueError(f"clone_model: `input_tensors` must be one KerasTensor. Received: {input_tensors=}")
        (tensor,) = tensors
        layers.insert(0, InputLayer(batch_shape=tensor.shape, dtype=tensor.dtype))
    elif model._bottom is not None:
        layers.insert(0, InputLayer(**model._bottom.get_config()))
    return Sequential(layers, name=model.name, trainable=model.trainable)


def _clone_functional(
    model: Any, input_tensors: Any, clone: Callable[[Any], Any], call_function: Callable[..., Any] | None
) -> Any:
    graph = model._graph
    if input_tensors is None:
        inputs = [InputLayer(**tensor._keras_history.operation.get_config()).output for tensor in graph.flat_inputs]
    else:
        inputs = nest.flatten(input_tensors)
        try:
            nest.assert_same_structure(graph.inputs, input_tensors)
        except (ValueError, TypeError) as error:
            if len(inputs) != len(graph.flat_inputs) or isinstance(graph.inputs, dict):
                text = f"`input_tensors` must have the same structure as model.input, {graph.inputs}"
                raise ValueError(f"{text}. Received: {input_tensors}") from error
    tensors_by_id = {id(tensor): new_tensor for tensor, new_tensor in zip(graph.flat_inputs, inputs, strict=True)}
    for node in graph.nodes:
        layer = clone(node.operation)
        args, kwargs = map_keras_tensors(node.arguments, lambda tensor: tensors_by_id[id(tensor)])
        results = layer(*args, **kwargs) if call_function is None else call_function(layer, *args, **kwargs)
        for tensor, result in zip(nest.flatten(node.outputs), nest.flatten(results), strict=True):
            tensors_by_id[id(tensor)] = result

    def new_tensor(structure: Any) -> Any:
        return nest.map_structure(lambda tensor: tensors_by_id[id(tensor)], structure)

    model_class = type(model) if type(model).__init__ is Model.__init__ else Functional
    return model_class(new_tensor(graph.inputs), new_tensor(graph.outputs), name=model.name, trainable=model.trainable)


def _compile_like(model: Any, clone: Any) -> Any:
    """Compiles ``clone`` as ``model`` is compiled, with its own optimizer and metrics, and returns it."""
    if model.compiled:
        clone.compile_from_config(model.get_compile_config())
    return clone
