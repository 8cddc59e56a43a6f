"""Calls of layers on ``KerasTensor``s, which infer shapes and dtypes and record each call as a ``Node``.

A functional model consists of the nodes between its input and output tensors; see ``keras/models/functional.py``.
"""

from __future__ import annotations

import contextlib
import inspect
import threading
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from fastgrad._src.compiler.recording.state import SavedVariables
from fastgrad._src.core import deferral, nest, recording
from fastgrad._src.core.argument_checks import require
from fastgrad._src.core.composite import Composite
from fastgrad._src.core.shape import TensorShape
from fastgrad._src.core.tensor import constant_tensor
from fastgrad._src.keras import naming, settings
from fastgrad._src.keras.layers.input_spec import check_inputs
from fastgrad._src.keras.layers.shapes import has_unknown_size, is_shape, map_shapes, shapes_with_common_sizes


class _ThreadSavedVariables(threading.local):
    """The values of variables before each active shape inference of the thread, which calls a layer on zeros."""

    def __init__(self) -> None:
        self.inferences: list[SavedVariables] = []


_saved_variables = _ThreadSavedVariables()


@contextlib.contextmanager
def variables_restored_at_exit(layer: Any) -> Iterator[None]:
    """Restores a layer's variables at exit, because ``call`` on zeros may update counts or averages."""
    saved = SavedVariables(layer.variables)
    _saved_variables.inferences.append(saved)
    try:
        yield
    finally:
        _saved_variables.inferences.pop()
        saved.restore()


def save_new_variables(layer: Any) -> None:
    """Saves the variables of a layer built during shape inference, which restores all saved variables."""
    for saved in _saved_variables.inferences:
        for variable in layer.variables:
            saved.save(variable)


class TensorOrigin(NamedTuple):
    """The layer call that a KerasTensor is a result of, and the result's position.

    Attributes:
        operation: the layer.
        node_index: the index of the call among the layer's calls.
        tensor_index: the index of the tensor among the call's results.
    """

    operation: Any
    node_index: int
    tensor_index: int


class Node:
    """A call of a layer on KerasTensors.

    Attributes:
        operation: the layer.
        arguments: positional and keyword arguments.
        inputs: the KerasTensors in ``arguments``, in order.
        outputs: the resulting KerasTensors, in the structure of the layer's results.
    """

    def __init__(self, operation: Any, arguments: tuple[tuple[Any, ...], dict[str, Any]], outputs: Any) -> None:
        self.operation = operation
        self.arguments = arguments
        self.inputs = keras_tensors(arguments)
        self.outputs = outputs
        nodes = operation.__dict__.setdefault("_inbound_nodes", [])
        for position, tensor in enumerate(nest.flatten(outputs)):
            tensor._keras_history = TensorOrigin(operation, len(nodes), position)
        nodes.append(self)

    @property
    def is_input(self) -> bool:
        """True if a model begins at this node, because the node has no inputs."""
        return not self.inputs

    @classmethod
    def restore(cls, operation: Any, arguments: tuple[tuple[Any, ...], dict[str, Any]], outputs: Any) -> None:
        """Recreates a node in a copy of a model, unless another model in the same copy has already recreated the node."""
        if nest.flatten(outputs)[0]._keras_history is None:
            cls(operation, arguments, outputs)


class KerasTensor:
    """A symbolic tensor: a shape and a dtype without values.

    Args:
        shape: the shape with the batch; None for unknown sizes.
        dtype: the dtype; default ``floatx()``.
        sparse: whether it stands for a ``SparseTensor``.
        ragged: whether it stands for a ``RaggedTensor``.
        record_history: kept for Keras's signature.
        name: the name; by default that of the class, numbered.
        ragged_rank: the number of dimensions with rows of different lengths, for ``ragged``; None if unknown.
        row_splits_dtype: the dtype of the row splits, for ``ragged``; None if unknown.

    Attributes:
        shape, dtype, sparse, ragged, ragged_rank, row_splits_dtype, name: the arguments; dtypes are names.

    Raises:
        ValueError: both ``sparse`` and ``ragged``.
    """

    is_keras_tensor = True
    __array_priority__ = 1000  # NumPy's operators then defer to KerasTensor's

    def __init__(
        self,
        shape: Any,
        dtype: Any = None,
        sparse: bool = False,
        ragged: bool = False,
        record_history: bool = True,
        name: str | None = None,
        ragged_rank: int | None = None,
        row_splits_dtype: Any = None,
    ) -> None:
        require(not (sparse and ragged), self, "cannot have `sparse=True` and `ragged=True` at the same time")
        self.sparse = bool(sparse)
        self.ragged = bool(ragged)
        self.ragged_rank = None if ragged_rank is None else int(ragged_rank)
        self.row_splits_dtype = None if row_splits_dtype is None else settings.standardize_dtype(row_splits_dtype).name
        self.shape = tuple(TensorShape(shape))
        self.dtype = settings.standardize_dtype(dtype).name
        self.name = name or naming.auto_name("KerasTensor")
        self._keras_history: TensorOrigin | None = None

    def __getstate__(self) -> dict[str, Any]:
        """The state without the history; a copy of the model that has the call restores the history."""
        return {**self.__dict__, "_keras_history": None}

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return len(self.shape)

    def __array__(self, *arguments: Any, **options: Any) -> Any:
        raise ValueError(
            "A KerasTensor is symbolic: it's a placeholder for a shape and a dtype. It doesn't have any actual numerical value. "
            "You cannot convert it to a NumPy array. Use a layer (keras.layers.Lambda for your own function)."
        )

    def __bool__(self) -> bool:
        raise TypeError("A symbolic KerasTensor cannot be used as a boolean.")

    def __iter__(self) -> Any:
        raise TypeError("Iterating over a symbolic KerasTensor is not supported.")

    def __repr__(self) -> str:
        kind = f"sparse={self.sparse}, ragged={self.ragged}"
        return f"<KerasTensor shape={self.shape}, dtype={self.dtype}, {kind}, name={self.name}>"


class FirstCallDescriptor:
    """A layer attribute derived from the first call on KerasTensors, unless the layer sets an attribute of that name.

    Args:
        description: the documentation of the attribute.

    Raises:
        AttributeError: the layer was never called on KerasTensors.
    """

    def __init__(self, description: str) -> None:
        self.__doc__ = description

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, layer: Any, owner: type | None = None) -> Any:
        if layer is None:
            return self
        if "_inbound_nodes" not in layer.__dict__ and (stack := layer.__dict__.get("_stack")) and stack():
            stack()._build_by_symbolic_calls()
        nodes = layer.__dict__.get("_inbound_nodes")
        if not nodes:
            raise AttributeError(f"'{layer.name}' has never been called on a KerasTensor: no {self._name}.")
        if self._name == "output":
            return nodes[0].outputs
        args, _ = nodes[0].arguments
        return args[0] if len(args) == 1 else list(args)


def keras_tensors(structure: Any) -> list[KerasTensor]:
    """The KerasTensors in nested arguments."""
    if isinstance(structure, KerasTensor):
        return [structure]
    if isinstance(structure, dict):
        return [tensor for value in structure.values() for tensor in keras_tensors(value)]
    if isinstance(structure, (list, tuple)):
        return [tensor for value in structure for tensor in keras_tensors(value)]
    return []


def map_keras_tensors(structure: Any, function: Callable[[KerasTensor], Any]) -> Any:
    """Applies ``function`` to each KerasTensor in nested arguments; keeps the structure and the other values."""
    if isinstance(structure, KerasTensor):
        return function(structure)
    if isinstance(structure, dict):
        return {key: map_keras_tensors(value, function) for key, value in structure.items()}
    if isinstance(structure, (list, tuple)):
        items = [map_keras_tensors(value, function) for value in structure]
        return type(structure)(items) if type(structure) in (list, tuple) else type(structure)(*items)
    return structure


def symbolic_call(layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Calls a layer on KerasTensors: builds the layer, records a node and returns KerasTensors for the results."""
    if layer._overrides_spec():
        if not layer.built:
            _build(layer, args, kwargs)
        outputs = layer.compute_output_spec(*args, **kwargs)
    else:
        outputs = output_spec(layer, args, kwargs)
    Node(layer, (args, kwargs), outputs)
    return outputs


def _build(layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Builds a layer for KerasTensors; runs the layer only if nothing else can make its weights."""
    if args and (layer._builds_from_shape() or not layer._builds_at_a_call()):
        layer.build(_shapes_as_lists(map_keras_tensors(args[0], lambda x: x.shape)))
    else:
        output_spec(layer, args, kwargs)


def output_spec(layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Returns KerasTensors with the shapes and dtypes of a layer's results; builds the layer, but records no node."""
    if layer.input_spec is not None:
        check_inputs(layer.input_spec, args[0] if args else next(iter(kwargs.values())), layer.name)
    shapes = map_keras_tensors(args, lambda x: x.shape)
    has_one_argument = len(args) == 1 and not keras_tensors(kwargs)
    if (
        not layer.built
        and layer._builds_from_shape()
        and (has_one_argument or (keras_tensors(args[:1]) and not layer._builds_at_a_call()))
    ):
        layer.build(_shapes_as_lists(shapes[0]))
    outputs = _outputs_by_shape_rule(layer, args, kwargs) if layer.built else None
    if outputs is None:
        outputs = _outputs_from_zeros(layer, args, kwargs)
    graph = layer.__dict__.get("_graph")
    if graph is not None:  # a run returns a single output without its list; KerasTensors keep the list
        outputs = nest.pack_sequence_as(graph.outputs, nest.flatten(outputs))
    return outputs


def _shapes_as_lists(shapes: Any) -> Any:
    """Converts tuples of shapes to lists in nested shapes, as ``build`` takes them."""
    if isinstance(shapes, dict):
        return {key: _shapes_as_lists(value) for key, value in shapes.items()}
    return shapes if is_shape(shapes) else [_shapes_as_lists(value) for value in shapes]


def _outputs_by_shape_rule(layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Returns outputs by an overridden ``compute_output_shape``, for inputs of the compute dtype; else None.

    Several inputs, or nested ones, are for the rule of a user's class, which gets their shapes by name as ``build`` does.
    """
    inputs = keras_tensors((args, kwargs))
    if not layer._overrides_shape() or not all("float" in x.dtype and x.dtype == layer.compute_dtype for x in inputs):
        return None
    if len(inputs) == len(args) == 1 and isinstance(args[0], KerasTensor):
        shapes = layer.compute_output_shape(args[0].shape)
    elif not type(layer).compute_output_shape.__module__.startswith("fastgrad."):
        arguments = layer._bound_arguments(args, kwargs)
        shapes_by_name = {
            f"{name}_shape": map_keras_tensors(value, lambda x: x.shape)
            for name, value in arguments.items()
            if keras_tensors(value)
        }
        parameters = inspect.signature(layer.compute_output_shape).parameters
        if len(parameters) == 1:
            shapes = layer.compute_output_shape(next(iter(shapes_by_name.values())))
        elif shapes_by_name.keys() <= parameters.keys():
            shapes = layer.compute_output_shape(**shapes_by_name)
        else:
            return None
    else:
        return None
    return map_shapes(lambda shape: KerasTensor(shape, layer.compute_dtype), shapes)


def _outputs_from_zeros(layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The outputs from a run on zeros; with unknown sizes, from two runs, which replace them by 2 and by 3.

    Operations on the zeros are deferred, so that a run computes only what the layer looks at.
    """

    def outputs_on_zeros(unknown_size: int) -> Any:
        def zeros(x: KerasTensor) -> Any:
            shape = tuple([unknown_size if size is None else size for size in x.shape])
            dtype = settings.standardize_dtype(x.dtype)
            if x.sparse:
                from fastgrad._src.structures.sparse.spec import SparseTensorSpec

                return SparseTensorSpec(shape, dtype).placeholder(unknown_size, 0)
            return constant_tensor(deferral.zeros(shape, dtype.numpy))

        with recording.hide_from_tapes(), deferral.defer_operations(), variables_restored_at_exit(layer):
            outputs = layer(*map_keras_tensors(args, zeros), **map_keras_tensors(kwargs, zeros))
            specs = [
                (tuple(x.shape), settings.standardize_dtype(x.dtype).name, isinstance(x, Composite))
                for x in nest.flatten(outputs)
            ]
        layer._clear_losses()
        return outputs, specs

    outputs, specs = outputs_on_zeros(2)
    shapes = [shape for shape, _, _ in specs]
    if has_unknown_size([x.shape for x in keras_tensors((args, kwargs))]):
        shapes = shapes_with_common_sizes(shapes, [shape for shape, _, _ in outputs_on_zeros(3)[1]])
    output_tensors = [
        KerasTensor(shape, dtype, sparse) for shape, (_, dtype, sparse) in zip(shapes, specs, strict=True)
    ]
    return nest.pack_sequence_as(outputs, output_tensors)


def is_keras_tensor(x: Any) -> bool:
    """True if ``x`` is a ``KerasTensor``, such as the result of ``keras.Input``."""
    return isinstance(x, KerasTensor)
