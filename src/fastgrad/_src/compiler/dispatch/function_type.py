"""The type of a concrete function as text and as an ``inspect.Signature``; its recording as a list of operations."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from fastgrad._src.compiler.graph.graph import Graph, Kind, Node, Value
from fastgrad._src.core import dtypes, nest
from fastgrad._src.core.names import missing_member_getattr
from fastgrad._src.core.tensor_spec import TensorSpec
from fastgrad._src.core.variable import Variable


class TypeText:
    """The annotation of a parameter or result; its repr is the type as TensorFlow writes it."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __repr__(self) -> str:
        return type_text(self.value)

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, TypeText) and repr(self) == repr(other)

    def __hash__(self) -> int:
        return hash(repr(self))


def type_text(value: Any) -> str:
    """Returns the text of an argument or result: a spec, a literal, or a container of these."""
    if isinstance(value, Mapping):
        items = [f"[{key!r}, {type_text(item)}]" for key, item in value.items()]
        return f"Dict[{', '.join(items)}]"
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        items = [f"[{key!r}, {type_text(item)}]" for key, item in zip(value._fields, value, strict=True)]
        return f"{type(value).__name__}[{', '.join(items)}]"
    if nest.is_nested(value):
        kind = "List" if isinstance(value, list) else "Tuple"
        return f"{kind}[{', '.join(map(type_text, value))}]"
    if isinstance(value, Variable):
        return f"VariableSpec(shape={value.shape}, dtype={value.dtype!r}, trainable={value.trainable}, alias_id=0)"
    if hasattr(value, "is_compatible_with"):
        return repr(value)
    return f"Literal[{value!r}]"


class Parameter(inspect.Parameter):
    """A parameter of a concrete function; ``type_constraint`` is its type."""

    __slots__ = ()

    @property
    def type_constraint(self) -> Any:
        """The spec of a tensor; of other arguments the annotation."""
        value = self.annotation.value
        return value if isinstance(value, TensorSpec) else self.annotation


class FunctionType(inspect.Signature):
    """The parameters and the result of a concrete function, with a type as the annotation of each."""

    __slots__ = ()

    @property
    def output(self) -> Any:
        """The spec of the result; for a structure a ``TypeText``."""
        value = self.return_annotation.value
        return value if isinstance(value, TensorSpec) else self.return_annotation


def function_type(arguments: Mapping[str, Any], kinds: Mapping[str, Any], output: Any) -> FunctionType:
    """Returns the type of a function for fixed arguments.

    Args:
        arguments: specs and fixed values, by the names of the parameters.
        kinds: the kind of each parameter (see ``inspect.Parameter``).
        output: the nested specs of the result.
    """
    parameters: list[Parameter] = []
    has_star = any(kinds[key] is inspect.Parameter.VAR_POSITIONAL and arguments[key] for key in arguments)
    for key, value in arguments.items():
        kind, text = kinds[key], TypeText(value)
        if kind is inspect.Parameter.VAR_POSITIONAL:
            items = [(f"{key}_{i}", TypeText(item)) for i, item in enumerate(value)]
            parameters += [Parameter(name, Parameter.POSITIONAL_ONLY, annotation=item) for name, item in items]
        elif kind is inspect.Parameter.VAR_KEYWORD:
            items = [(name, TypeText(item)) for name, item in value.items()]
            parameters += [Parameter(name, Parameter.KEYWORD_ONLY, annotation=item) for name, item in items]
        elif has_star and kind is inspect.Parameter.POSITIONAL_OR_KEYWORD:
            parameters.append(Parameter(key, inspect.Parameter.POSITIONAL_ONLY, annotation=text))
        else:
            parameters.append(Parameter(key, kind, annotation=text))
    return FunctionType(parameters, return_annotation=TypeText(output))


def pretty_text(type_of_function: FunctionType, captures: Iterable[Variable]) -> str:
    """Returns the parameters, the result and the captured variables as lines of text."""
    lines = ["Input Parameters:"]
    lines += [f"  {p.name} ({p.kind.name}): {p.annotation!r}" for p in type_of_function.parameters.values()]
    if not type_of_function.parameters:
        lines.append("  None")
    captured = [f"  {id(v)}: TensorSpec(shape=(), dtype=tf.resource, name=None)" for v in captures] or ["  None"]
    return "\n".join([*lines, "Output Type:", f"  {type_of_function.return_annotation!r}", "Captures:", *captured])


def with_path_names(value: Any, path: str) -> Any:
    """Returns an argument with the path to each ``TensorSpec`` without a name as its name."""
    if isinstance(value, TensorSpec):
        return value if value.name else TensorSpec(value.shape, value.dtype, path)
    if isinstance(value, Mapping):
        return {key: with_path_names(item, f"{path}_{key}") for key, item in value.items()}
    if not nest.is_nested(value):
        return value
    names = getattr(value, "_fields", range(len(value)))
    items = [with_path_names(item, f"{path}_{name}") for name, item in zip(names, value, strict=True)]
    return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)


# ---- the recording as a list of operations -------------------------------------------------------------

_TYPES_OF_KINDS = {
    Kind.ARGUMENT: "Placeholder",
    Kind.CONSTANT: "Const",
    Kind.READ: "ReadVariableOp",
    Kind.ASSIGN: "AssignVariableOp",
    Kind.GUARD: "Assert",
}
_TYPES_OF_OPERATIONS = {"add": "AddV2", "matmul": "MatMul", "relu": "Relu", "multiply": "Mul", "subtract": "Sub"}
_TYPES_OF_OPERATIONS |= {"divide": "RealDiv", "reduce_sum": "Sum", "reduce_mean": "Mean", "reduce_max": "Max"}
_TYPES_OF_OPERATIONS |= {"reduce_min": "Min", "reduce_prod": "Prod", "negative": "Neg", "strided_slice": "StridedSlice"}


class RecordedTensor(NamedTuple):
    """A value of a recorded function: its name, shape and dtype."""

    name: str
    shape: Any
    dtype: Any


class RecordedOperation:
    """An operation of a recorded function.

    Attributes:
        name: unique in the function.
        type: TensorFlow's name of the operation, such as ``"MatMul"``; the name in words with capitals where it has none.
        inputs, outputs: ``RecordedTensor`` objects.
    """

    __getattr__ = missing_member_getattr

    def __init__(self, name: str, kind: str, inputs: tuple[RecordedTensor, ...]) -> None:
        self.name, self.type, self.inputs = name, kind, inputs
        self.outputs: tuple[RecordedTensor, ...] = ()

    op = property(lambda self: self.type, doc="The type, as a node of a GraphDef has it.")
    input = property(lambda self: [tensor.name.removesuffix(":0") for tensor in self.inputs], doc="The inputs' names.")

    def __repr__(self) -> str:
        return f"<tf.Operation {self.name!r} type={self.type}>"


class RecordedGraph:
    """The operations of a recorded function, to be looked at; it can't be changed.

    The operations are fastgrad's: a function such as ``tf.nn.moments`` may have others than in TensorFlow.

    Args:
        name: the function's.
        graph: the recording.
        argument_names: the names of the arguments' tensors, in their order; None for ``Placeholder``.
    """

    __getattr__ = missing_member_getattr

    def __init__(self, name: str, graph: Graph, argument_names: list[str] | None) -> None:
        self.name = name
        self._operations: list[RecordedOperation] = []
        self._counts: dict[str, int] = {}
        tensors: dict[int, RecordedTensor] = {}
        for node in graph.nodes:
            self._add(node, tensors, argument_names)
        for value in graph.results:
            operation = RecordedOperation(self._unique_name("Identity"), "Identity", (tensors[id(value)],))
            operation.outputs = (_recorded_tensor(operation.name, 0, value),)
            self._operations.append(operation)

    def _add(self, node: Node, tensors: dict[int, RecordedTensor], argument_names: list[str] | None) -> None:
        kind = _TYPES_OF_KINDS.get(node.kind)
        if kind is None:
            words = str(node.payload.name)
            kind = _TYPES_OF_OPERATIONS.get(words) or "".join(word[:1].upper() + word[1:] for word in words.split("_"))
        label = argument_names[node.payload] if argument_names and node.kind is Kind.ARGUMENT else kind
        inputs = tuple([tensors[id(value)] for value in node.inputs])
        operation = RecordedOperation(self._unique_name(label), kind, inputs)
        operation.outputs = tuple([_recorded_tensor(operation.name, i, v) for i, v in enumerate(node.outputs)])
        tensors |= {id(value): tensor for value, tensor in zip(node.outputs, operation.outputs, strict=True)}
        self._operations.append(operation)

    def _unique_name(self, name: str) -> str:
        count = self._counts.get(name, 0)
        self._counts[name] = count + 1
        return f"{name}_{count}" if count else name

    def get_operations(self) -> list[RecordedOperation]:
        """Returns the operations in the order in which they run."""
        return list(self._operations)

    def get_operation_by_name(self, name: str) -> RecordedOperation:
        """Returns the operation ``name``; KeyError if there is none."""
        for operation in self._operations:
            if operation.name == name:
                return operation
        raise KeyError(f"The name {name!r} refers to an Operation not in the graph.")

    def as_graph_def(self) -> RecordedGraph:
        """Returns this graph, whose ``node`` lists the operations."""
        return self

    def SerializeToString(self) -> bytes:  # protobuf's name
        """Returns the bytes of a ``GraphDef`` with the names, types and inputs of the operations."""
        from tensorboardX.proto.graph_pb2 import GraphDef

        graph = GraphDef()
        for operation in self._operations:
            graph.node.add(name=operation.name, op=operation.type, input=operation.input)
        return bytes(graph.SerializeToString())

    @property
    def node(self) -> list[RecordedOperation]:
        """The operations, as ``get_operations()``."""
        return self.get_operations()

    def __repr__(self) -> str:
        return f"<graph of {self.name}: {len(self._operations)} operations>"


def _recorded_tensor(name: str, number: int, value: Value) -> RecordedTensor:
    spec = TensorSpec(value.shape, dtypes.DTYPE_OF_NUMPY[value.dtype])
    return RecordedTensor(f"{name}:{number}", spec.shape, spec.dtype)
