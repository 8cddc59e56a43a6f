"""Functional models: graphs of layer calls from input KerasTensors to output KerasTensors."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

from fastgrad._src.core import nest
from fastgrad._src.core.composite import Composite
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.jit.user_lines import warn
from fastgrad._src.keras import masks, ownership, settings
from fastgrad._src.keras.layers.input_layer import InputLayer
from fastgrad._src.keras.layers.layer import Layer
from fastgrad._src.keras.layers.operators import Operator
from fastgrad._src.keras.layers.symbolic import KerasTensor, Node, map_keras_tensors
from fastgrad._src.keras.models.model import Model
from fastgrad._src.keras.naming import running_layers
from fastgrad._src.keras.saving.objects import deserialize_keras_object, serialize_keras_object
from fastgrad._src.ops.casting import cast
from fastgrad._src.ops.shaping import expand_dims, squeeze
from fastgrad._src.structures.sparse.conversion import to_dense
from fastgrad._src.structures.sparse.sparse_tensor import SparseTensor


class CallGraph:
    """The layer calls of a functional model, between its input and its output KerasTensors.

    Args:
        inputs, outputs: KerasTensors, nested.

    Attributes:
        nodes: the calls, in topological order.
        operations: the layers and other operations of the calls, and the input layers, in Keras's order: those farther from the
            outputs come first.
        layers: the layers among them.

    Raises:
        ValueError: an output does not depend on the inputs.
    """

    def __init__(self, inputs: Any, outputs: Any) -> None:
        self.inputs, self.outputs = inputs, outputs
        self.flat_inputs: list[KerasTensor] = nest.flatten(inputs)
        self.flat_outputs: list[KerasTensor] = nest.flatten(outputs)
        for tensors, role in ((self.flat_inputs, "inputs"), (self.flat_outputs, "outputs")):
            if not tensors:
                raise ValueError(f"All `{role}` must be KerasTensors. Received: {role}={tensors}, which holds none.")
            for tensor in tensors:
                if not isinstance(tensor, KerasTensor):
                    raise ValueError(f"All `{role}` values must be KerasTensors, got {role}={tensor} of {type(tensor)}")
        order, first_seen = self._needed_nodes_and_layers()
        self.nodes, self.operations = self._sort_by_depth(order, first_seen)
        self.layers = [operation for operation in self.operations if isinstance(operation, Layer)]
        self._calls = [_call_record(node) for node in self.nodes]
        self.warned = False  # whether it has warned of inputs in another structure
        self._fitting: Any = None  # shape and dtype of the last single input that needed no conversion

    def __getstate__(self) -> dict[str, Any]:
        calls = [(node.operation, node.arguments, node.outputs) for node in self.nodes]
        return {"inputs": self.inputs, "outputs": self.outputs, "operations": self.operations, "calls": calls}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for call in state["calls"]:
            Node.restore(*call)
        CallGraph.__init__(self, state["inputs"], state["outputs"])

    def _needed_nodes_and_layers(self) -> tuple[list[Node], dict[int, int]]:
        """Returns the calls that the outputs need, in topological order, and the layers numbered by first visit."""
        input_ids = {id(tensor) for tensor in self.flat_inputs}
        visited: dict[int, Node] = {}
        order: list[Node] = []
        first_seen: dict[int, int] = {}
        for output in self.flat_outputs:
            stack: list[tuple[Node, KerasTensor, bool]] = [(_node_of(output), output, False)]
            while stack:
                node, tensor, inputs_done = stack.pop()
                if id(node) in visited:
                    continue
                if inputs_done:
                    visited[id(node)] = node
                    order.append(node)
                    continue
                first_seen.setdefault(id(node.operation), len(first_seen))
                stack.append((node, tensor, True))
                if id(tensor) in input_ids or node.is_input:
                    if id(tensor) not in input_ids:
                        raise ValueError(f"Not connected to `outputs`: {tensor} is not among the model's inputs.")
                    continue
                stack += [(_node_of(node_input), node_input, False) for node_input in reversed(node.inputs)]
        return order, first_seen

    def _sort_by_depth(self, order: list[Node], first_seen: dict[int, int]) -> tuple[list[Node], list[Any]]:
        input_ids = {id(tensor) for tensor in self.flat_inputs}
        node_depth: dict[int, int] = {}
        layer_depth: dict[int, int] = {}
        layers: dict[int, Any] = {}
        for node in reversed(order):
            depth = max(node_depth.get(id(node), 0), layer_depth.get(id(node.operation), 0))
            node_depth[id(node)] = layer_depth[id(node.operation)] = depth
            layers[id(node.operation)] = node.operation
            if not any(id(tensor) in input_ids for tensor in nest.flatten(node.outputs)):
                for tensor in node.inputs:
                    parent = id(_node_of(tensor))
                    node_depth[parent] = max(depth + 1, node_depth.get(parent, 0))
        for tensor in self.flat_inputs:  # includes inputs that no layer reads
            layer = _node_of(tensor).operation
            layers.setdefault(id(layer), layer)
            layer_depth.setdefault(id(layer), 0)
            first_seen.setdefault(id(layer), -1)
        nodes = sorted(order, key=lambda node: -node_depth[id(node)])
        sorted_layers = sorted(layers.values(), key=lambda layer: (-layer_depth[id(layer)], first_seen[id(layer)]))
        return [
            node for node in nodes if not any(id(t) in input_ids for t in nest.flatten(node.outputs))
        ], sorted_layers

    def run(self, values: Sequence[Any]) -> Any:
        """Returns the outputs for input values, in the structure of ``outputs``, but no list of one output."""
        if masks.any_mask_flag.is_set and running_layers.now.stack:
            with masks.GraphMasks(running_layers.now.stack[-1]):
                return self._run_calls(values)
        return self._run_calls(values)

    def _run_calls(self, values: Sequence[Any]) -> Any:
        values_by_id = {id(tensor): value for tensor, value in zip(self.flat_inputs, values, strict=True)}
        training = running_layers.now.training
        for layer, argument, output, node in self._calls:
            if argument:
                values_by_id[output] = layer(values_by_id[argument])
                continue
            args, kwargs = map_keras_tensors(node.arguments, lambda tensor: values_by_id[id(tensor)])
            if "training" in kwargs and isinstance(layer, Layer):
                # As in Keras, the model's argument comes before that of the layer's call, which is for calls without one.
                if training is not None:
                    kwargs["training"] = training
                elif kwargs["training"] is None:
                    del kwargs["training"]
            results = layer(*args, **kwargs)
            for tensor, result in zip(nest.flatten(node.outputs), nest.flatten(results), strict=True):
                values_by_id[id(tensor)] = result
        if type(self.outputs) is KerasTensor:
            return values_by_id[id(self.outputs)]
        results = nest.map_structure(lambda tensor: values_by_id[id(tensor)], self.outputs)
        return results[0] if isinstance(results, (list, tuple)) and len(results) == 1 else results

    def run_on_user_inputs(self, model: Model, inputs: Any) -> Any:
        """Returns the model's outputs for inputs as a user passes them, in any structure that fits."""
        if type(inputs) is not Tensor or type(self.inputs) is not KerasTensor:
            return self.run(model_input_values(model, self, inputs))
        signature = inputs._array.shape, inputs._array.dtype
        if signature != self._fitting:
            (fitted_input,) = model_input_values(model, self, inputs)
            if fitted_input is not inputs:
                return self.run((fitted_input,))
            self._fitting = signature
        return self.run((inputs,))


def _call_record(node: Node) -> tuple[Any, int, int, Node]:
    """Returns a node as a tuple: layer, id of the only argument, id of the only result (0 for several), node."""
    args, kwargs = node.arguments
    if len(args) == 1 and not kwargs and type(args[0]) is type(node.outputs) is KerasTensor:
        return node.operation, id(args[0]), id(node.outputs), node
    return node.operation, 0, 0, node


def _node_of(tensor: KerasTensor) -> Node:
    history = tensor._keras_history
    if history is None:
        raise ValueError(f"{tensor} was made by no layer: models go from keras.Input tensors to results of layers.")
    node: Node = history.operation._inbound_nodes[history.node_index]
    return node


class Functional(Model):
    """A model made by ``keras.Model(inputs, outputs)``.

    Args:
        inputs: KerasTensors from ``keras.Input``, or results of layers; nested.
        outputs: KerasTensors that depend on the inputs, nested.
        name: default ``functional``, numbered.
        trainable: whether the weights are trained; weights of frozen layers are never trained.

    Raises:
        ValueError: outputs do not depend on the inputs; two layers have one name.
    """

    def __init__(self, inputs: Any, outputs: Any, name: str | None = None, **kwargs: Any) -> None:
        super().__init__(inputs, outputs, name=name, **kwargs)

    def get_config(self) -> dict[str, Any]:
        graph = self._graph
        numbers: dict[int, int] = {}
        counts: dict[int, int] = {}
        for layer in graph.operations:
            for node in layer._inbound_nodes:
                if node in graph.nodes or any(t in graph.flat_inputs for t in nest.flatten(node.outputs)):
                    numbers[id(node)] = counts.get(id(layer), 0)
                    counts[id(layer)] = numbers[id(node)] + 1

        def history(tensor: KerasTensor) -> list[Any]:
            tensor_history = tensor._keras_history
            assert tensor_history is not None
            return [tensor_history.operation.name, numbers[id(_node_of(tensor))], tensor_history.tensor_index]

        def tensor_config(tensor: KerasTensor) -> dict[str, Any]:
            config = {"shape": list(tensor.shape), "dtype": tensor.dtype, "keras_history": history(tensor)}
            return {"class_name": "__keras_tensor__", "config": config}

        layers = []
        for layer in graph.operations:
            written = layer.keras_config() if isinstance(layer, Operator) else None
            layer_config, arguments = written or (
                serialize_keras_object(layer),
                [node.arguments for node in layer._inbound_nodes],
            )
            calls = [
                {"args": _serialize_argument(args, tensor_config), "kwargs": _serialize_argument(kwargs, tensor_config)}
                for node, (args, kwargs) in zip(layer._inbound_nodes, arguments, strict=True)
                if node in graph.nodes
            ]
            layers.append({**layer_config, "name": layer.name, "inbound_nodes": calls})
        return {
            "name": self.name,
            "trainable": self.trainable,
            "layers": layers,
            "input_layers": nest.map_structure(history, graph.inputs) if graph.inputs is not None else None,
            "output_layers": nest.map_structure(history, graph.outputs),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Any:
        """Returns a new model of a configuration; TypeError if a class in it is not known."""
        layers: dict[str, Any] = {}
        pending_calls: list[tuple[Any, dict[str, Any]]] = []
        call_outputs: dict[tuple[str, int], Any] = {}
        for layer_config in config["layers"]:
            constructor_config = {
                key: value for key, value in layer_config.items() if key not in ("name", "inbound_nodes")
            }
            layer_classes = (
                None if "module" in constructor_config else vars(importlib.import_module("fastgrad.keras.layers"))
            )
            layer = deserialize_keras_object(constructor_config, custom_objects, module_objects=layer_classes)
            layers[layer_config["name"]] = layer
            if isinstance(layer, InputLayer):
                call_outputs[layer_config["name"], 0] = layer.output
            pending_calls += [(layer, call) for call in layer_config["inbound_nodes"]]
        counts: dict[str, int] = {}

        def tensor_at(history: Any) -> Any:
            name, node, output_index = history
            return nest.flatten(call_outputs[name, node])[output_index]

        while pending_calls:
            deferred_calls = []
            for layer, call in pending_calls:
                try:
                    args, kwargs = _call_arguments(call, tensor_at)
                except KeyError:
                    deferred_calls.append((layer, call))
                    continue
                number = counts.get(layer.name, 0)
                call_outputs[layer.name, number] = layer(*args, **kwargs)
                counts[layer.name] = number + 1
            if len(deferred_calls) == len(pending_calls):
                raise ValueError(f"The configuration of {config.get('name')!r} has calls whose inputs are not there.")
            pending_calls = deferred_calls
        inputs = _replace_tensor_references(config["input_layers"], tensor_at)
        outputs = _replace_tensor_references(config["output_layers"], tensor_at)
        return cls(inputs, outputs, name=config.get("name"), trainable=config.get("trainable", True))


def _is_tensor_reference(value: Any) -> bool:
    return (
        isinstance(value, (list, tuple)) and len(value) == 3 and isinstance(value[0], str) and isinstance(value[1], int)
    )


def _replace_tensor_references(value: Any, tensor_of_reference: Any) -> Any:
    if _is_tensor_reference(value):
        return tensor_of_reference(value)
    if isinstance(value, dict):
        return {key: _replace_tensor_references(item, tensor_of_reference) for key, item in value.items()}
    items = [_replace_tensor_references(item, tensor_of_reference) for item in value]
    return tuple(items) if isinstance(value, tuple) else items


def _serialize_argument(value: Any, tensor_config: Any) -> Any:
    if isinstance(value, KerasTensor):
        return tensor_config(value)
    if isinstance(value, (list, tuple)):
        return [_serialize_argument(item, tensor_config) for item in value]
    if isinstance(value, dict):
        return {key: _serialize_argument(item, tensor_config) for key, item in value.items()}
    if isinstance(value, slice):
        return {"class_name": "__slice__", "config": {"start": value.start, "stop": value.stop, "step": value.step}}
    return serialize_keras_object(value)


def _call_arguments(call: Any, tensor_at: Any) -> tuple[Any, Any]:
    """Reads the arguments of a call; Keras 2 wrote a ``[layer, call, output, keyword arguments]`` for each input."""
    if isinstance(call, dict):
        return _deserialize_argument(call["args"], tensor_at), _deserialize_argument(call["kwargs"], tensor_at)
    tensors = [tensor_at(item[:3]) for item in call]
    return [tensors if len(tensors) > 1 else tensors[0]], _deserialize_argument(
        call[-1][3] if len(call[-1]) > 3 else {}, tensor_at
    )


def _deserialize_argument(value: Any, tensor_at: Any) -> Any:
    if isinstance(value, dict):
        if value.get("class_name") == "__keras_tensor__":
            return tensor_at(value["config"]["keras_history"])
        if value.get("class_name") == "__slice__":
            fields = value["config"]  # older files of fastgrad's have a list of bounds
            return slice(*fields.get("bounds", [fields.get(name) for name in ("start", "stop", "step")]))
        if "class_name" in value and "config" in value:
            return deserialize_keras_object(value)
        return {key: _deserialize_argument(item, tensor_at) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_deserialize_argument(item, tensor_at) for item in value]
    return value


def make_call_graph(inputs: Any, outputs: Any, model: Model) -> CallGraph:
    """Returns the calls of a model, and adds their layers to ``model``.

    Raises:
        ValueError: two layers have one name.
    """
    graph = CallGraph(*_with_input_layers(inputs, outputs))
    names: dict[str, Any] = {}
    for layer in graph.operations:
        if names.setdefault(layer.name, layer) is not layer:
            raise ValueError(f'The name "{layer.name}" is used twice in the model; give layers unique names.')
    model._sublayers.extend(layer for layer in graph.layers if not isinstance(layer, InputLayer))
    ownership.count_tracking_change()
    return graph


def _with_input_layers(inputs: Any, outputs: Any) -> tuple[Any, Any]:
    """Replaces inputs that are results of layers by new input layers; returns the new inputs and outputs."""
    flat = nest.flatten(inputs)
    if not all(isinstance(tensor, KerasTensor) for tensor in flat) or all(_node_of(tensor).is_input for tensor in flat):
        return inputs, outputs
    tensors_by_id = {
        id(tensor): tensor
        if _node_of(tensor).is_input
        else InputLayer(batch_shape=tensor.shape, dtype=tensor.dtype, name=f"{tensor.name}CLONE").output
        for tensor in flat
    }

    def with_new_inputs(structure: Any) -> Any:
        return map_keras_tensors(structure, lambda tensor: tensors_by_id[id(tensor)])

    for node in CallGraph(inputs, outputs).nodes:
        results = nest.map_structure(lambda tensor: KerasTensor(tensor.shape, tensor.dtype), node.outputs)
        for tensor, result in zip(nest.flatten(node.outputs), nest.flatten(results), strict=True):
            tensors_by_id[id(tensor)] = result
        Node(node.operation, with_new_inputs(node.arguments), results)
    return with_new_inputs(inputs), with_new_inputs(outputs)


def model_input_values(model: Model, graph: CallGraph, inputs: Any) -> list[Any]:
    """Returns the values of a model's inputs in order: cast, with a last dimension of 1 added or removed if needed.

    Raises:
        ValueError: the model has other inputs.
    """
    input_tensors = graph.flat_inputs
    names = [_node_of(tensor).operation.name for tensor in input_tensors]
    if isinstance(graph.inputs, dict):
        _check_structure(model, graph, inputs)
    if isinstance(inputs, dict) and not isinstance(graph.inputs, dict):
        missing = [name for name in names if name not in inputs]
        if missing:
            raise ValueError(f"{model.name}: there is no input {missing[0]!r}; got {sorted(inputs)}.")
        flat = [inputs[name] for name in names]
    elif isinstance(inputs, dict):
        missing = [name for name in graph.inputs if name not in inputs]
        if missing:
            raise ValueError(f"{model.name}: there is no input {missing[0]!r}; got {sorted(inputs)}.")
        flat = nest.flatten({name: inputs[name] for name in graph.inputs})
    else:
        flat = nest.flatten(inputs)
    if len(flat) != len(input_tensors):
        raise ValueError(f"Layer '{model.name}' expected {len(input_tensors)} input(s), {names}. Received {len(flat)}.")
    return [_fit_to_input(model, value, tensor) for value, tensor in zip(flat, input_tensors, strict=True)]


def _check_structure(model: Model, graph: CallGraph, inputs: Any) -> None:
    """Compares inputs with the inputs of a model that has a dict of inputs; warns once per model.

    Raises:
        ValueError: the inputs are a list, and the dict is not sorted by name: the order of the inputs is ambiguous.
    """
    if isinstance(inputs, dict) and set(inputs) <= set(graph.inputs):
        return
    text = (
        f"The structure of `inputs` doesn't match the expected structure.\nExpected: a dict with the keys {list(graph.inputs)}\n"
        f"Received: {list(inputs) if isinstance(inputs, dict) else type(inputs).__name__}"
    )
    if not isinstance(inputs, dict) and list(graph.inputs) != sorted(graph.inputs):
        raise ValueError(f"{model.name}: {text}")
    if not graph.warned:
        graph.warned = True
        warn(text)


def _fit_to_input(model: Model, value: Any, input_tensor: KerasTensor) -> Any:
    if value is None:
        layer = _node_of(input_tensor).operation
        if not getattr(layer, "optional", True):
            raise ValueError(f"{model.name}: the input '{layer.name}' is not optional, but None was passed.")
        return None
    dtype = settings.standardize_dtype(input_tensor.dtype)
    if isinstance(value, Composite):
        if input_tensor.sparse or not isinstance(value, SparseTensor):
            return cast(value, dtype)
        value = to_dense(value)
    if not isinstance(value, Tensor):
        return value
    if value._array.dtype != dtype.numpy:
        value = cast(value, dtype)
    shape = tuple(value._array.shape)
    if len(shape) == len(input_tensor.shape) - 1 and input_tensor.shape[-1] == 1:
        value = expand_dims(value, -1)
    elif len(shape) == len(input_tensor.shape) + 1 and shape[-1] == 1:
        value = squeeze(value, -1)
    shape = tuple(value._array.shape)
    wanted = input_tensor.shape
    if len(shape) != len(wanted) or any(w not in (None, s) for w, s in zip(wanted[1:], shape[1:], strict=True)):
        raise ValueError(f"{model.name}: {shape=} of {input_tensor.name} does not fit. Expected shape {wanted}")
    return value
