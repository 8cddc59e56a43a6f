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
from fastgrad._src.compiler.recording.unlisted_operation import is_differentiable
from fastgrad._src.core import dtypes
from fastgrad._src.core.errors import InvalidArgumentError
from fastgrad._src.core.operation import TABLE, Binary, Unary
from fastgrad._src.core.tensor import Tensor, constant_tensor
from fastgrad._src.core.tensor_spec import TensorSpec
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

_SUBGRAPHS = ("graph", "body", "condition", "gradient")
_CHOICES = ("true", "false")
REMEDY = (
    "Give this axis a fixed size in input_signature, or save a second function with another signature. Python that depends on sizes is "
    "not stored; tf.where and tf.while_loop are."
)
"""What a user does about a size for which a stored function does not hold."""

_KINDS = {"argument", "constant", "read", "assign", "count", "sizes", "table", "choice", "condition"}
_KINDS |= {"operation", "value_read", "graph", "branches", "loop", "custom_gradient"}


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
        outputs: the dtypes and shapes of the values before its nodes, if it is the rest of a graph after a choice.

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
        outputs: Sequence[tuple[np.dtype, Any]] = (),
    ) -> None:
        if depth > _MAX_DEPTH:
            raise ValueError(f"{name}: its graphs are nested too deeply")
        self._arrays, self._state_of, self._name, self._depth = arrays, state_of, name, depth
        self.symbol_count = symbol_count
        self._nodes: list[_StoredNode] = []
        self._outputs = list(outputs)
        for node in data["nodes"]:
            self._nodes.append(self._read_node(node))
        self.results = self._checked_value_numbers(data["results"], "its results")

    def result_specs(self) -> list[TensorSpec]:
        """Returns the specs of the results; sizes that depend on arguments are unknown."""
        if self._nodes and self._nodes[-1].kind == "choice":
            return min([self._nodes[-1].subgraphs[part][0].result_specs() for part in _CHOICES], key=len)
        outputs = [self._outputs[number] for number in self.results]
        return [
            TensorSpec(
                [size if isinstance(size, int) else None for size in shape["tuple"]], dtypes.DTYPE_OF_NUMPY[dtype]
            )
            for dtype, shape in outputs
        ]

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

    def _checked_value_numbers(self, numbers: Any, what: str) -> tuple[int, ...]:
        if not isinstance(numbers, list) or not all(type(i) is int and 0 <= i < len(self._outputs) for i in numbers):
            raise ValueError(
                f"{self._name}: {what} must be numbers of earlier values, below {len(self._outputs)}, got {numbers!r:.100}"
            )
        return tuple(numbers)

    def _read_node(self, data: Any) -> _StoredNode:
        kind = data["kind"]
        if kind not in _KINDS:
            raise ValueError(f"{self._name}: it has a node of the kind {kind!r:.100}")
        inputs = self._checked_value_numbers(data["in"], f"the inputs of node {len(self._nodes)}")
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
        elif kind == "condition" and (self._depth or len(inputs) != 1 or not isinstance(data.get("wanted"), list)):
            raise ValueError(f"{self._name}: it has a condition on sizes where there can be none")
        elif kind == "sizes":
            for pair in data["sizes"]:
                self._check_symbol(pair, "an integer")
        elif kind == "operation":
            payload = self._operation_of_table(data["name"])
            if "count" in data:
                self._check_symbol(data["count"], f"the number of results of {payload.name}")
        elif kind == "value_read":
            payload = value_read_operation
        elif kind == "argument" and (type(data["argument"]) is not int or data["argument"] < 0):
            raise ValueError(f"{self._name}: there is no argument {data['argument']!r:.100}")
        if kind == "choice":
            if self._depth or len(self._outputs) > _MOST_VALUES:
                raise ValueError(f"{self._name}: it has a choice where there can be none")
            own = self.symbol_count, self._arrays, self._state_of, self._name, self._depth, self._outputs
            rests = {part: [StoredGraph(data[part], *own)] for part in _CHOICES}
            return _StoredNode(kind, data, inputs, (), None, rests, {})
        subgraphs = {part: [self._subgraph(data[part])] for part in _SUBGRAPHS if data.get(part) is not None}
        if kind == "branches":
            subgraphs["branches"] = [self._subgraph(branch) for branch in data["branches"]]
        outputs = tuple([(dtypes.as_dtype(dtype).numpy, shape) for dtype, shape in data["out"]])
        attributes = data.get("attributes", {}).values()
        numbers = (data.get("trips"), data.get("most"), *data.get("wanted", ()))
        for value in (*[shape for _, shape in outputs], *attributes, *numbers):
            decode(value, self._check_size)
        if kind == "constant":
            self._check_constant(data["value"])
        self._outputs += outputs
        return _StoredNode(kind, data, inputs, outputs, payload, subgraphs, {})

    def _operation_of_table(self, name: Any) -> Any:
        if name not in TABLE:
            import_lazy_operations()
        if name not in TABLE:
            raise ValueError(f"{self._name}: it has an operation that is not in fastgrad: {name!r:.100}")
        return TABLE[name]

    def _check_symbol(self, pair: Any, what: str) -> None:
        symbol, only = pair
        if self._depth or type(symbol) is not int or type(only) is not int or not 0 <= symbol < self.symbol_count:
            raise ValueError(f"{self._name}: {what} is no size")

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

    # ---- running -----------------------------------------------------------------------------------------

    def run(self, tensors: Sequence[Tensor], sizes: Sizes) -> list[Tensor]:
        """Returns the results for arguments whose unknown sizes are ``sizes``, computed by operations on tensors."""
        try:
            unknown = self.symbol_count - len(sizes)
            return self._run_nodes(tensors, [*sizes, *[0] * unknown], [], not unknown)
        except GuardError as error:
            if isinstance(error.node.payload, tuple) and error.node.payload[0] == "int":
                raise InvalidArgumentError(
                    f"{self._name}(): a loop that stacks values has more than {error.node.payload[1]} iterations, for which the function was "
                    "stored. Give the loop's tf.TensorArray a size that follows from a shape."
                ) from None
            raise

    def _run_nodes(
        self, tensors: Sequence[Tensor], all_sizes: list[int], values: list[Tensor], are_sizes_known: bool
    ) -> list[Tensor]:
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
                    return rest._run_nodes(tensors, all_sizes, values, are_sizes_known)
                case "count":
                    values.append(constant_tensor(np.zeros((), np.int64)))
                case "sizes":
                    numbers = inputs[0]._elements().reshape(-1).tolist()
                    self._set_symbols(
                        node.data["sizes"], numbers, all_sizes, "a number that Python asks for, such as a size,"
                    )
                case "condition":
                    self._check_condition(node, inputs[0], all_sizes)
                case "table":
                    call = node.payload.function
                    values += call.table._call(call.method, *inputs) or (constant_tensor(np.ones((), bool)),)
                case _:
                    specs = [(x._array.shape, x._array.dtype) for x in inputs]
                    try:
                        operation = self._operation_of_node(node, all_sizes, specs)
                    except ValueError as error:
                        raise InvalidArgumentError(
                            f"{self._name}(): for the sizes of this call {error}. {REMEDY}"
                        ) from None
                    outputs = call_primitive(operation, inputs, self._attributes(node, all_sizes))
                    if "count" in node.data:
                        count = outputs[0]._array.shape[0]
                        self._set_symbols(
                            [node.data["count"]], [count], all_sizes, f"the number of results of {node.payload.name}"
                        )
                    if are_sizes_known:  # others follow from results of later operations
                        self._check_shapes(node, outputs, all_sizes)
                    values += outputs
        return [values[i] for i in self.results]

    def _check_condition(self, node: _StoredNode, tensor: Tensor, sizes: Sizes) -> None:
        """Refuses sizes for which a number that Python asked for is another one than the graph was recorded for."""
        numbers = tensor._elements().reshape(-1)
        expected = np.array([self._decode(number, sizes) for number in node.data["wanted"]]).astype(numbers.dtype)
        if not np.array_equal(numbers, expected):
            raise InvalidArgumentError(
                f"{self._name}(): Python in the function depends on a number that follows from sizes. It was {expected.tolist()} when the "
                f"function was saved, and is {numbers.tolist()} for the sizes of this call. {REMEDY}"
            )

    def _check_shapes(self, node: _StoredNode, outputs: Sequence[Tensor], sizes: Sizes) -> None:
        """Refuses sizes for which an operation has results of other shapes than the expressions of the file say."""
        for output, (_, shape) in zip(outputs, node.outputs, strict=True):
            expected = self._shape(shape, sizes)
            if output._array.shape != expected:
                raise InvalidArgumentError(
                    f"{self._name}(): {node.payload or node.kind} gives the shape {list(output._array.shape)}, and {list(expected)} follows "
                    f"from the sizes for which the function was recorded. {REMEDY}"
                )

    def _set_symbols(self, pairs: Any, numbers: Sequence[int], sizes: list[int], what: str) -> None:
        """Sets sizes that are known after an operation only; refuses numbers that the function was not recorded for."""
        for (symbol, only), number in zip(pairs, numbers, strict=True):
            sizes[symbol] = number
            if number < 0 or only not in {-1, number}:
                raise InvalidArgumentError(
                    f"{self._name}(): {what} is {number}. The function was stored for {'numbers from 0 on' if only == -1 else only}, as "
                    "that is what all the values had that it was recorded with."
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


def import_lazy_operations() -> None:
    """Imports the modules that add rows to the operation table, and that a program imports when it asks for their names."""
    for name in _PACKAGES_WITH_LATE_ROWS:
        package = importlib.import_module(f"fastgrad._src.{name}")
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)


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
