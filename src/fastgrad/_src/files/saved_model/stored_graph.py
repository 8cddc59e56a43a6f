"""Stored graphs: checked when they are read, and run by the operations of the table.

Nothing in a file is code. A graph names operations of the table; other names, wrong shapes and connections are refused.
"""

from __future__ import annotations

import base64
import importlib
import inspect
import math
import pkgutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from fastgrad._src.compiler.control_flow.branch_gradient import branches_with_residuals
from fastgrad._src.compiler.control_flow.branches import Branches
from fastgrad._src.compiler.control_flow.custom_gradient import CustomGradient
from fastgrad._src.compiler.control_flow.explicit_state import value_read_operation
from fastgrad._src.compiler.control_flow.graph_operation import GraphOperation, call_primitive
from fastgrad._src.compiler.control_flow.loops import Loop
from fastgrad._src.compiler.control_flow.scan_gradient import loop_with_residuals
from fastgrad._src.compiler.graph.graph import Graph, Kind, Node, Value, validate
from fastgrad._src.compiler.graph.interpret import GuardError
from fastgrad._src.compiler.recording.host_call import HostCall
from fastgrad._src.compiler.recording.record import hide_from_recordings
from fastgrad._src.compiler.recording.unlisted_operation import is_differentiable
from fastgrad._src.core import dtypes
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.operation import TABLE, Binary, Unary
from fastgrad._src.core.tensor import Tensor, constant_tensor
from fastgrad._src.core.variable import Variable
from fastgrad._src.files.saved_model.plain_values import decode
from fastgrad._src.files.saved_model.sizes import (
    Sizes,
    check_expression,
    check_float_expression,
    evaluate,
    evaluate_float,
)
from fastgrad._src.structures.lookup.tables import TABLE_METHODS, TableCall, _HashTable

_Spec = tuple[tuple[int, ...], np.dtype]
"""The shape and dtype of a value."""

_PACKAGES_WITH_LATE_ROWS = ("image", "ops.composed", "signal", "structures.sparse", "structures.strings")
"""The packages whose rows are in the operation table after their import only; a process that loads a graph may not have imported them."""
_MAX_DEPTH = 32
_MOST_VALUES = 1 << 24
_MAX_CACHED_SIZES = 16
_MOST_ELEMENTS = 1 << 31
"""The most elements of a constant whose shape depends on sizes."""

_SUBGRAPHS = {
    "graph": ("graph",),
    "branches": (),
    "loop": ("body", "condition"),
    "custom_gradient": ("gradient",),
}
_CHOICES = ("true", "false")
_KINDS = {
    "argument",
    "constant",
    "read",
    "assign",
    "operation",
    "value_read",
    "count",
    "sizes",
    "table",
    "choice",
    "condition",
    *_SUBGRAPHS,
}


class _StoredNode(NamedTuple):
    """A node as read: its JSON, its operation of the table, and its subgraphs by part and number."""

    kind: str
    data: dict[str, Any]
    inputs: tuple[int, ...]
    outputs: tuple[tuple[np.dtype, Any], ...]
    payload: Any
    subgraphs: dict[str, list[StoredGraph]]
    operations: dict[tuple[int, ...], Any]


class StoredGraph:
    """A graph of a file.

    Args:
        data: its JSON.
        symbol_count: the number of sizes that expressions may have.
        arrays: the arrays of the file.
        state_of: returns a variable or a table from its JSON.
        name: the function's, for errors.
        depth: how many graphs it is a part of.
        value_count: how many values there are before its nodes run, if it is the rest of a graph after a choice.

    Raises:
        ValueError: the graph is damaged, or has operations that are not there.
    """

    def __init__(
        self,
        data: Any,
        symbol_count: int,
        arrays: Mapping[str, np.ndarray],
        state_of: Callable[[Any], Variable | _HashTable],
        name: str,
        depth: int = 0,
        value_count: int = 0,
    ) -> None:
        if depth > _MAX_DEPTH:
            raise ValueError(f"{name}: its graphs are nested too deeply")
        self._arrays, self._state_of, self._name, self._depth = arrays, state_of, name, depth
        self.symbol_count = symbol_count
        self._nodes: list[_StoredNode] = []
        self._first_value, self._value_count = value_count, value_count
        unknown = _unknown_operations(data)
        if unknown:
            raise ValueError(f"{name}: it has operations that are not in fastgrad: {', '.join(map(repr, unknown))}")
        for node in data["nodes"]:
            self._nodes.append(self._read_node(node))
        self.results = self._checked_value_numbers(data["results"])
        self.result_count = len(self.results)
        if self._nodes and self._nodes[-1].kind == "choice":
            self.result_count = min([self._nodes[-1].subgraphs[part][0].result_count for part in _CHOICES])
        self._condition_values = self._values_of_conditions()

    def variables(self) -> list[Variable]:
        """Returns the variables that the graph reads and assigns, in the order of its nodes; one may occur twice."""
        variables: list[Variable] = []
        for node in self._nodes:
            if node.kind in {"read", "assign"}:
                variables.append(node.payload)
            elif node.kind == "choice":
                variables += [variable for part in _CHOICES for variable in node.subgraphs[part][0].variables()]
        return variables

    # ---- reading -----------------------------------------------------------------------------------------

    def _checked_value_numbers(self, numbers: Any) -> tuple[int, ...]:
        if not isinstance(numbers, list) or not all(type(i) is int and 0 <= i < self._value_count for i in numbers):
            raise ValueError(f"{self._name}: there are {self._value_count} values, not {numbers!r:.100}")
        return tuple(numbers)

    def _read_node(self, data: Any) -> _StoredNode:
        kind = data["kind"]
        if kind not in _KINDS:
            raise ValueError(f"{self._name}: it has a node of the kind {kind!r:.100}")
        inputs = self._checked_value_numbers(data["in"])
        payload: Any = None
        if kind in {"read", "assign"}:
            payload = self._state_of(data["variable"])
            if self._depth or not isinstance(payload, Variable):
                raise ValueError(f"{self._name}: a part of an operation has a variable, or a node has none")
        elif kind == "table":
            table, method = self._state_of(data["table"]), data["method"]
            if not isinstance(table, _HashTable) or method not in TABLE_METHODS:
                raise ValueError(f"{self._name}: no table has a method {method!r:.100}")
            name = f"{type(table).__name__}.{method}"
            payload = HostCall(name, TableCall(table, method), table._changes, method in ("insert", "remove"))
        elif kind == "sizes":
            for pair in data["sizes"]:
                self._check_symbol(pair, "an integer")
        elif kind == "operation":
            payload = TABLE[data["name"]]
            if "count" in data:
                self._check_symbol(data["count"], f"the number of results of {payload.name}")
        elif kind == "value_read":
            payload = value_read_operation
        elif kind == "argument" and (type(data["argument"]) is not int or data["argument"] < 0):
            raise ValueError(f"{self._name}: there is no argument {data['argument']!r:.100}")
        if kind == "choice":
            rests = {part: [self._read_branch(data[part])] for part in _CHOICES}
            return _StoredNode(kind, data, inputs, (), None, rests, {})
        subgraphs = {part: [self._subgraph(data[part])] for part in _SUBGRAPHS.get(kind, ()) if data[part] is not None}
        if kind == "branches":
            subgraphs["branches"] = [self._subgraph(branch) for branch in data["branches"]]
        outputs = tuple([(dtypes.as_dtype(dtype).numpy, shape) for dtype, shape in data["out"]])
        attributes = data.get("attributes", {}).values()
        numbers = (data.get("trips"), data.get("most"), *data.get("wanted", ()))
        for value in (*[shape for _, shape in outputs], *attributes, *numbers):
            decode(value, self._check_size)
        if kind == "constant":
            self._check_constant(data["value"])
        self._value_count += len(outputs)
        return _StoredNode(kind, data, inputs, outputs, payload, subgraphs, {})

    def _values_of_conditions(self) -> set[int]:
        """Returns the numbers of the values from which the conditions on sizes follow, also in the rests after a choice.

        Raises:
            ValueError: a condition follows from something else than constants.
        """
        values: set[int] = set()
        end = self._value_count
        for node in reversed(self._nodes):
            start = end - len(node.outputs)
            if node.kind == "condition":
                if self._depth or len(node.inputs) != 1 or "wanted" not in node.data:
                    raise ValueError(f"{self._name}: it has a condition on sizes where there can be none")
                values.update(node.inputs)
            elif node.kind == "choice":
                values.update(*[node.subgraphs[part][0]._condition_values for part in _CHOICES])
            elif not values.isdisjoint(range(start, end)):
                if node.kind not in {"constant", "operation", *_SUBGRAPHS}:
                    raise ValueError(
                        f"{self._name}: a condition on sizes follows from a node of the kind {node.kind!r}"
                    )
                values.update(node.inputs)
            end = start
        return values

    def _check_symbol(self, pair: Any, what: str) -> None:
        symbol, only = pair
        if self._depth or type(symbol) is not int or type(only) is not int or not 0 <= symbol < self.symbol_count:
            raise ValueError(f"{self._name}: {what} is no size")

    def _read_branch(self, data: Any) -> StoredGraph:
        """Returns the rest of this graph for one outcome of a choice."""
        name, depth = self._name, self._depth
        if self._depth or self._value_count > _MOST_VALUES:
            raise ValueError(f"{name}: it has a choice where there can be none")
        return StoredGraph(data, self.symbol_count, self._arrays, self._state_of, name, depth, self._value_count)

    def _subgraph(self, data: Any) -> StoredGraph:
        return StoredGraph(data, self.symbol_count, self._arrays, self._state_of, self._name, self._depth + 1)

    def _check_size(self, tag: str, content: Any) -> int:
        if tag == "sizes":
            check_expression(content, self.symbol_count)
        elif tag == "float_of_sizes":
            check_float_expression(content, self.symbol_count)
        else:
            raise ValueError(f"{self._name}: no encoded value: {tag!r:.100}")
        return 0

    def _check_constant(self, data: Any) -> None:
        ((tag, content),) = data.items()
        if tag in {"constant", "strings"}:
            decode_array(data, self._arrays)
        elif tag in {"fill", "eye", "range", "elements"}:
            dtypes.as_dtype(content[0])
            for part in content[1:]:
                decode(part, self._check_size)
        else:
            raise ValueError(f"{self._name}: no constant: {tag!r:.100}")

    def check_specs(self, probe: Sizes, arguments: Sequence[Any]) -> None:
        """Checks shapes and dtypes of all values by the rules of the operations, for one choice of the sizes.

        Args:
            probe: the sizes.
            arguments: the shape and NumPy dtype of each argument for these sizes.

        Raises:
            ValueError: a value has another shape or dtype than its operation gives, its variable or its argument has.
        """
        for graph in self._build_path_graphs(probe, [], []):
            try:
                validate(graph)
            except AssertionError as error:
                raise ValueError(f"{self._name}: {error}") from None
            for node in graph.nodes:
                expected: Any = None
                if node.kind is Kind.ARGUMENT:
                    expected = arguments[node.payload]
                elif node.kind in {Kind.READ, Kind.ASSIGN}:
                    expected = node.payload._array.shape, node.payload._array.dtype
                for value in (*node.outputs, *(node.inputs if node.kind is Kind.ASSIGN else ())):
                    if expected is not None and (value.shape, value.dtype) != expected:
                        raise ValueError(f"{self._name}: {node}: the graph has {value.type_text}, not {expected}")

    def refusal_reason(self, sizes: Sizes, arguments: Sequence[Any]) -> str | None:
        """Returns why the graph does not hold for sizes of the arguments; None if it does, as far as is known before a run.

        Args:
            sizes: of the arguments.
            arguments: as of ``check_specs``.
        """
        if len(sizes) < self.symbol_count:
            return None  # sizes of results are known in a run only, which checks its conditions itself
        try:
            with hide_from_recordings():
                self._check_conditions(sizes, {})
            self.check_specs(sizes, arguments)
        except _ConditionFails as error:
            return str(error)
        except (ValueError, InvalidArgumentError) as error:
            return f"its operations give other shapes than the sizes of its recording ({error})"
        return None

    def _check_conditions(self, sizes: Sizes, values: dict[int, Tensor]) -> None:
        """Computes the values of ``_condition_values``, and checks all conditions, in ``values`` those of earlier nodes."""
        start = self._first_value
        for node in self._nodes:
            end = start + len(node.outputs)
            if node.kind == "condition":
                self._check_condition(node, values[node.inputs[0]], sizes)
            elif node.kind == "choice":
                for part in _CHOICES:
                    node.subgraphs[part][0]._check_conditions(sizes, dict(values))
            elif not self._condition_values.isdisjoint(range(start, end)):
                if node.kind == "constant":
                    outputs: Sequence[Tensor] = [constant_tensor(self._constant(node.data["value"], sizes))]
                else:
                    outputs = self._call(node, tuple([values[i] for i in node.inputs]), sizes)
                values.update(zip(range(start, end), outputs, strict=True))
            start = end

    def _check_condition(self, node: _StoredNode, tensor: Tensor, sizes: Sizes) -> None:
        found = tensor._elements().reshape(-1).tolist()
        wanted = [self._decode(number, sizes) for number in node.data["wanted"]]
        if tensor.dtype.is_floating:
            wanted = np.array(wanted, tensor.dtype.numpy).tolist()
        if found != wanted:
            is_truth = tensor.dtype.is_bool
            raise _ConditionFails(
                f"its Python asks for {'a truth' if is_truth else 'numbers'} that follow{'s' * is_truth} from sizes, "
                f"which the sizes of this call make {found}, and those of its recording {[type(x)(y) for x, y in zip(found, wanted, strict=False)]}"
            )

    # ---- running -----------------------------------------------------------------------------------------

    def _call(self, node: _StoredNode, inputs: tuple[Tensor, ...], sizes: Sizes) -> Sequence[Tensor]:
        """Returns the results of the operation of a node."""
        operation = self._operation_of_node(node, sizes, [(x._array.shape, x._array.dtype) for x in inputs])
        return call_primitive(operation, inputs, self._attributes(node, sizes))

    def run(self, tensors: Sequence[Tensor], sizes: Sizes) -> list[Tensor]:
        """Returns the results for arguments whose unknown sizes are ``sizes``, computed by operations on tensors."""
        try:
            return self._run_nodes(tensors, [*sizes, *[0] * (self.symbol_count - len(sizes))], [])
        except GuardError as error:
            if isinstance(error.node.payload, tuple) and error.node.payload[0] == "int":
                raise InvalidArgumentError(
                    f"{self._name}(): a loop that stacks values has more than {error.node.payload[1]} iterations, for which the function was "
                    "stored. Give the loop's tf.TensorArray a size that follows from a shape."
                ) from None
            raise

    def _run_nodes(self, tensors: Sequence[Tensor], all_sizes: list[int], values: list[Tensor]) -> list[Tensor]:
        for node in self._nodes:
            inputs = tuple([values[i] for i in node.inputs])
            match node.kind:
                case "argument":
                    values.append(tensors[node.data["argument"]])
                case "constant":
                    values.append(constant_tensor(self._constant(node.data["value"], all_sizes)))
                case "read":
                    values.append(node.payload._read_as_stored())
                case "assign":
                    node.payload.assign(inputs[0])
                case "choice":
                    rest = node.subgraphs["true" if bool(inputs[0]) else "false"][0]
                    return rest._run_nodes(tensors, all_sizes, values)
                case "count":
                    values.append(constant_tensor(np.zeros((), np.int64)))
                case "sizes":
                    self._set_size_symbols(node, inputs[0], all_sizes)
                case "condition":
                    try:
                        self._check_condition(node, inputs[0], all_sizes)
                    except _ConditionFails as error:
                        raise InvalidArgumentError(f"{self._name}(): {error}.") from None
                case "table":
                    call = node.payload.function
                    values += call.table._call(call.method, *inputs) or (constant_tensor(np.ones((), bool)),)
                case _:
                    outputs = self._call(node, inputs, all_sizes)
                    if "count" in node.data:
                        self._set_count_symbol(node, outputs[0], all_sizes)
                    values += outputs
        return [values[i] for i in self.results]

    def _set_count_symbol(self, node: _StoredNode, result: Tensor, sizes: list[int]) -> None:
        symbol, only = node.data["count"]
        sizes[symbol] = count = result._array.shape[0]
        if only not in {-1, count}:
            raise InvalidArgumentError(
                f"{self._name}(): {node.payload.name} has found {count} elements. The function was stored for {only}, as all the values "
                "that it was recorded with had so many; sizes of results could not be told from other numbers."
            )

    def _set_size_symbols(self, node: _StoredNode, tensor: Tensor, sizes: list[int]) -> None:
        for (symbol, only), number in zip(node.data["sizes"], tensor._elements().reshape(-1).tolist(), strict=True):
            sizes[symbol] = number
            if number < 0 or only not in {-1, number}:
                raise InvalidArgumentError(
                    f"{self._name}(): Python asks for a number, such as a size, which is {number}. The function was stored for "
                    f"{'numbers from 0 on' if only == -1 else only}, as that is what all the values had that it was recorded with."
                )

    def _decode(self, data: Any, sizes: Sizes) -> Any:
        def of_sizes(tag: str, content: Any) -> Any:
            return evaluate(content, sizes) if tag == "sizes" else evaluate_float(content, sizes)

        return decode(data, of_sizes)

    def _shape(self, data: Any, sizes: Sizes) -> tuple[int, ...]:
        shape = self._decode(data, sizes)
        if type(shape) is not tuple or not all(type(size) is int and size >= 0 for size in shape):
            raise ValueError(f"{self._name}: a value has the shape {shape!r:.100}")
        return shape

    def _attributes(self, node: _StoredNode, sizes: Sizes) -> dict[str, Any]:
        return {key: self._decode(value, sizes) for key, value in node.data.get("attributes", {}).items()}

    def _constant(self, data: Any, sizes: Sizes) -> np.ndarray:
        ((tag, content),) = data.items()
        if tag in {"constant", "strings"}:
            return decode_array(data, self._arrays)
        numpy_dtype, shape = dtypes.as_dtype(content[0]).numpy, self._decode(content[1], sizes)
        if math.prod(shape) > _MOST_ELEMENTS:
            raise ValueError(f"{self._name}: a constant has the shape {shape}")
        if tag == "fill":
            return np.full(shape, self._decode(content[2], sizes), numpy_dtype)
        if tag == "eye":
            return np.eye(*shape, dtype=numpy_dtype)
        if tag == "range":
            start, step = self._decode(content[2], sizes), self._decode(content[3], sizes)
            return (start + np.arange(*shape) * step).astype(numpy_dtype)
        return np.array(self._decode(content[2], sizes), numpy_dtype).reshape(shape)

    def _operation_of_node(self, node: _StoredNode, sizes: Sizes, inputs: list[_Spec]) -> Any:
        """Returns the operation of a node; those that hold graphs are made once for each choice of sizes.

        Raises:
            ValueError: a graph of the operation does not fit the shapes and dtypes ``inputs`` of its inputs.
        """
        if node.payload is not None:
            return node.payload
        key = tuple(sizes)
        operation = node.operations.get(key)
        if operation is None:
            graphs = {
                part: [graph._build_graph(sizes) for graph in several] for part, several in node.subgraphs.items()
            }
            try:
                for several in graphs.values():
                    for graph in several:
                        validate(graph)
                operation = self._make_operation(node, sizes, graphs, inputs)
            except AssertionError as error:
                raise ValueError(f"{self._name}: a part of its operation {node.kind!r}: {error}") from None
            if len(node.operations) >= _MAX_CACHED_SIZES:
                node.operations.pop(next(iter(node.operations)), None)
            node.operations[key] = operation
        return operation

    def _make_operation(
        self, node: _StoredNode, sizes: Sizes, graphs: dict[str, list[Graph]], inputs: list[_Spec]
    ) -> Any:
        data = node.data
        parts = {part: [GraphOperation(g, _PART_NAMES[part]) for g in several] for part, several in graphs.items()}
        if node.kind == "graph":
            _check_arguments(graphs["graph"][0], inputs)
            return parts["graph"][0]
        if node.kind == "branches":
            assert inputs, "branches without an index"
            assert inputs[0][1].kind in "biu", "an index that is no integer"
            assert math.prod(inputs[0][0]) == 1, "an index of several elements"
            for graph in graphs["branches"]:
                _check_arguments(graph, inputs[1:])
                assert _value_specs(graph.results) == _value_specs(graphs["branches"][0].results), (
                    "branches of different results"
                )
            return Branches(parts["branches"], data["name"], branches_with_residuals)
        if node.kind == "custom_gradient":
            passes_on, has_cotangent = data["passes_on"], data["has_cotangent"]
            own = inputs[passes_on : passes_on + len(has_cotangent)]
            assert 0 <= passes_on == len(node.outputs) <= len(inputs), "a wrong number of results"
            assert len(own) == len(has_cotangent), "a wrong number of inputs"
            cotangents = [spec for spec in inputs[:passes_on] if is_differentiable(spec[1])]
            _check_arguments(graphs["gradient"][0], [*cotangents, *inputs[passes_on + len(has_cotangent) :]])
            wanted = [spec for spec, is_there in zip(own, has_cotangent, strict=True) if is_there]
            assert _value_specs(graphs["gradient"][0].results) == wanted, "cotangents of other shapes than the inputs"
            return CustomGradient(data["name"], passes_on, parts["gradient"][0], has_cotangent)
        return self._make_loop(node, sizes, graphs, inputs, parts)

    def _make_loop(
        self,
        node: _StoredNode,
        sizes: Sizes,
        graphs: dict[str, list[Graph]],
        inputs: list[_Spec],
        parts: dict[str, list[GraphOperation]],
    ) -> Loop:
        data = node.data
        trips, most = self._decode(data["trips"], sizes), self._decode(data["most"], sizes)
        condition = parts.get("condition", [None])[0]
        options = {**data["options"], "trips": trips, "residual_variant": loop_with_residuals}
        loop = Loop(parts["body"][0], condition, **options)
        numbers = [trips, most, loop.carried, loop.rows]
        assert all(number is None or (type(number) is int and number >= 0) for number in numbers), "a negative number"
        assert len(inputs) >= loop.carried + loop.rows + (loop.limited or loop.counted), "too few inputs"
        assert (condition is None) == (trips is not None), "neither rows nor a condition"
        carried, rows, captured, number = loop.split_inputs(inputs)
        assert all(shape and shape[0] == trips for shape, _ in rows), "tensors of other numbers of rows"
        assert number is None or (number[1].kind in "iu" and not number[0]), "a number of iterations that is none"
        _check_arguments(graphs["body"][0], [*carried, *[(shape[1:], dtype) for shape, dtype in rows], *captured])
        assert _value_specs(graphs["body"][0].results)[: loop.carried] == carried, (
            "carried values that change their shapes"
        )
        if condition is not None:
            _check_arguments(graphs["condition"][0], [*carried, *captured])
            tests = _value_specs(graphs["condition"][0].results)
            assert len(tests) == 1, "a condition of several results"
            assert math.prod(tests[0][0]) == 1, "a condition of several elements"
        return loop if most is None else Loop(parts["body"][0], condition, **options, most=most, origin=loop)

    def _build_graph(self, sizes: Sizes) -> Graph:
        """Returns the graph, which has no choices, for one choice of the sizes."""
        return next(self._build_path_graphs(sizes, [], []))

    def _build_path_graphs(self, sizes: Sizes, nodes: list[Node], values: list[Value]) -> Iterator[Graph]:
        """Yields a graph for each path through the choices, after ``nodes`` with their ``values``."""
        nodes, values = list(nodes), list(values)
        for node in self._nodes:
            outputs: list[Value] = []
            for dtype, shape in node.outputs:
                outputs.append(Value(self._shape(shape, sizes), dtype, len(values) + len(outputs)))
            inputs = tuple([values[i] for i in node.inputs])
            kind, payload, attributes = Kind.OPERATION, node.payload, {}
            match node.kind:
                case "choice":
                    for part in _CHOICES:
                        guard = Node(Kind.GUARD, ("bool", part == "true"), inputs)
                        yield from node.subgraphs[part][0]._build_path_graphs(sizes, [*nodes, guard], values)
                    return
                case "condition":
                    continue
                case "sizes":
                    if inputs[0].dtype.kind not in "iu" or math.prod(inputs[0].shape) != len(node.data["sizes"]):
                        raise ValueError(
                            f"{self._name}: {inputs[0].type_text} holds no {len(node.data['sizes'])} integers"
                        )
                    continue
                case "table":
                    _check_table_call(node.payload, inputs, outputs)
                case "argument":
                    kind, payload = Kind.ARGUMENT, node.data["argument"]
                case "constant":
                    kind, payload = Kind.CONSTANT, self._constant(node.data["value"], sizes)
                case "count":
                    kind, payload, inputs = Kind.CONSTANT, np.zeros(outputs[0].shape, outputs[0].dtype), ()
                case "read" | "assign":
                    kind = Kind.READ if node.kind == "read" else Kind.ASSIGN
                case _:
                    payload = self._operation_of_node(node, sizes, [(value.shape, value.dtype) for value in inputs])
                    attributes = self._attributes(node, sizes)
                    _check_call(payload, len(inputs), attributes)
            nodes.append(Node(kind, payload, inputs, tuple(outputs), attributes))
            values += outputs
        yield Graph(nodes, [values[i] for i in self.results])


class _ConditionFails(Exception):
    """Raised for sizes that a graph does not hold for; the text says why."""


_PART_NAMES = {"graph": "graph", "branches": "branch", "body": "trip", "condition": "condition", "gradient": "gradient"}


def _value_specs(values: Sequence[Value]) -> list[_Spec]:
    return [(value.shape, value.dtype) for value in values]


def _check_table_call(operation: HostCall, inputs: Sequence[Value], outputs: Sequence[Value]) -> None:
    """Checks the shapes and dtypes of the keys, values and results of a call of a table.

    Raises:
        ValueError: they are not those of the table.
    """
    call: Any = operation.function
    table, count = call.table, len(call.table._values)
    keys = inputs[0].shape if inputs else (count,)
    of_keys, of_values = (keys, table.key_dtype.numpy), ((*keys, *table._value_shape), table.value_dtype.numpy)
    default = (table._value_shape, table.value_dtype.numpy)
    signatures: dict[str, tuple[list[list[_Spec]], list[_Spec]]] = {
        "lookup": ([[of_keys, default], [of_keys, of_values]], [of_values]),
        "size": ([[]], [((), np.dtype(np.int64))]),
        "export": ([[]], [of_keys, of_values]),
        "insert": ([[of_keys, of_values]], [((), np.dtype(bool))]),
        "remove": ([[of_keys]], [((), np.dtype(bool))]),
    }
    takes, returns = signatures[call.method]
    if (
        _value_specs(inputs) not in takes
        or _value_specs(outputs) != returns
        or (call.method == "export" and table._changes)
    ):
        raise ValueError(f"{operation.name} does not take {_value_specs(inputs)} and return {_value_specs(outputs)}")


def _check_arguments(graph: Graph, inputs: Sequence[_Spec]) -> None:
    """Checks that the arguments of a graph have the shapes and dtypes of the inputs of its operation."""
    for node in graph.nodes:
        if node.kind is Kind.ARGUMENT:
            assert node.payload < len(inputs), f"there is no input {node.payload}"
            spec = (node.outputs[0].shape, node.outputs[0].dtype)
            assert spec == inputs[node.payload], f"argument {node.payload} has {spec}, the input {inputs[node.payload]}"


def _check_call(operation: Any, input_count: int, attributes: dict[str, Any]) -> None:
    """Checks the number of inputs and the names of the attributes of an operation of the table.

    Raises:
        ValueError: the operation does not take them.
    """
    run = operation.run
    if isinstance(run, np.ufunc):
        fits = input_count == run.nin and not attributes
    else:
        try:
            inspect.signature(run).bind(*range(input_count), **attributes)
            fits = True
        except TypeError:
            fits = False
    arity = 1 if isinstance(operation, Unary) else 2 if isinstance(operation, Binary) else input_count
    if not fits or input_count != arity:
        raise ValueError(f"{operation.name} does not take {input_count} inputs and the attributes {list(attributes)}")


def _unknown_operations(data: Any) -> list[str]:
    """Returns the names of a graph's operations that fastgrad lacks."""
    names = _operation_names(data)
    if not names <= TABLE.keys():
        import_lazy_operations()
    return sorted(names - TABLE.keys())


def import_lazy_operations() -> None:
    """Imports the modules that add rows to the operation table, and that a program imports when it asks for their names."""
    for name in _PACKAGES_WITH_LATE_ROWS:
        package = importlib.import_module(f"fastgrad._src.{name}")
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)


def _operation_names(data: Any) -> set[str]:
    """Returns the names of all operations in the JSON of a graph."""
    names: set[str] = set()
    graphs = [data]
    while graphs:
        for node in graphs.pop()["nodes"]:
            if node["kind"] == "operation":
                names.add(str(node["name"]))
            graphs += [
                node[part]
                for part in ("graph", "body", "condition", "gradient", *_CHOICES)
                if node.get(part) is not None
            ]
            graphs += node.get("branches", [])
    return names


def decode_array(data: Any, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    """Returns an array from its JSON (see ``Constants.encode``) and the arrays of the file.

    Raises:
        ValueError: the array is not there, or has another dtype or size.
    """
    ((tag, content),) = data.items()
    if tag == "strings":
        shape, texts = content
        strings = np.empty(len(texts), object)
        strings[:] = [base64.b64decode(text, validate=True) for text in texts]
        return strings.reshape(shape)
    if tag != "constant":
        raise ValueError(f"no array: {tag!r:.100}")
    name, dtype, shape = content
    if name not in arrays:
        raise ValueError(f"there is no array {name!r:.100}")
    array = arrays[name]
    is_complex128 = dtype == "complex128"  # the file format does not have it
    wanted = np.dtype(np.float64) if is_complex128 else dtypes.as_dtype(dtype).numpy
    if array.dtype != wanted or array.size != math.prod(shape) * (1 + is_complex128):
        raise ValueError(f"the array {name!r} is {array.dtype}{list(array.shape)}, not {dtype}{shape}")
    return (array.view(np.complex128) if is_complex128 else array).reshape(shape)
