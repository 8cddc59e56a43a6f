"""Recorded graphs as JSON: operations by their names in the table, attributes, connections and constants.

A graph of unknown sizes is written from several recordings, which have the same operations. Attributes, shapes and constants
that differ become expressions in the sizes (``sizes.py``).
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from fastgrad._src.compiler.control_flow.branches import Branches
from fastgrad._src.compiler.control_flow.custom_gradient import CustomGradient
from fastgrad._src.compiler.control_flow.explicit_state import value_read_operation
from fastgrad._src.compiler.control_flow.graph_operation import GraphOperation
from fastgrad._src.compiler.control_flow.loops import Loop
from fastgrad._src.compiler.graph.graph import Graph, Kind, Node, Value
from fastgrad._src.compiler.recording.host_call import HostCall
from fastgrad._src.core import dtypes
from fastgrad._src.core.operation import TABLE
from fastgrad._src.files.saved_model.plain_values import DependsOnSizes, Unstorable, encode
from fastgrad._src.files.saved_model.sizes import LARGEST_PROBE, Sizes, fit_floats, fit_integers
from fastgrad._src.jit.user_lines import line_text
from fastgrad._src.structures.lookup.tables import TableCall

_MAX_FITTED_ELEMENTS = 64
_LOOP_OPTIONS = ("carried", "rows", "limited", "reverse", "name", "counts", "counted")


class SizesGuard(NamedTuple):
    """The payload of a guard on integers that Python asks for, such as the longest row of a ragged tensor.

    Attributes:
        kind: shown in graphs.
        sizes: the integers of this recording.
    """

    kind: str
    sizes: tuple[int, ...]


class SizesCondition(NamedTuple):
    """The payload of a guard on a tensor that follows from sizes alone, whose elements Python asks for.

    A graph holds for the sizes that give the elements which its expressions give.

    Attributes:
        elements: the numbers of this recording; a truth is 0 or 1.
    """

    elements: tuple[Any, ...]


class Constants:
    """The arrays of all functions, each once, by their names in the file."""

    def __init__(self) -> None:
        self.arrays: dict[str, np.ndarray] = {}
        self._names: dict[Any, str] = {}

    def encode(self, array: np.ndarray, name: str | None = None) -> Any:
        """Adds an array, under ``name`` if given; returns the JSON that stands for it."""
        array = np.ascontiguousarray(array).reshape(array.shape)
        if array.dtype.kind == "O":
            texts = [base64.b64encode(item).decode() for item in array.reshape(-1).tolist()]
            return {"strings": [list(array.shape), texts]}
        dtype_name = dtypes.DTYPE_OF_NUMPY[array.dtype].name
        stored = array.reshape(-1).view(np.float64) if array.dtype == np.complex128 else array
        if name is None:
            key = array.dtype, array.shape, array.tobytes()
            name = self._names.setdefault(key, f"constants/{len(self._names)}")
        self.arrays[name] = stored
        return {"constant": [name, dtype_name, list(array.shape)]}


class GraphWriter:
    """Writes the graphs of one function, recorded once for each element of ``probes``.

    Args:
        probes: the sizes of all symbols in each recording.
        constants: of the file.
        references: returns the JSON of a variable that a graph reads or assigns, or of a table.
        name: the function's, for errors.
        lines: the user's file and line of each node, by the node's id, for errors.
    """

    def __init__(
        self,
        probes: Sequence[Sizes],
        constants: Constants,
        references: Any,
        name: str,
        lines: Mapping[int, tuple[str, int] | None],
    ) -> None:
        self.probes: list[Sizes] = list(probes)
        self._constants, self._references, self._name, self._lines = constants, references, name, lines
        self._counts: set[int] = set()  # ids of the values that are numbers of results

    def tree(self, trees: Sequence[dict[tuple[bool, ...], Graph]], outcomes: tuple[bool, ...] = ()) -> Any:
        """Returns the JSON of a graph with choices, from the graphs of all paths by the outcomes of the choices.

        Args:
            trees: the paths of each recording.
            outcomes: the first choices; nodes before the last of them are left out.

        Raises:
            Unstorable: the recordings differ in more than numbers, or a part can't be stored.
        """
        several = [{path: g for path, g in tree.items() if path[: len(outcomes)] == outcomes} for tree in trees]
        self._require_common([sorted(tree) for tree in several], "Python's control flow")
        graphs = [tree[min(tree)] for tree in several]
        several_nodes = [graph.nodes for graph in graphs]
        forms = [[(node.kind, getattr(node.payload, "name", None)) for node in nodes] for nodes in several_nodes]
        same = next((i for i, row in enumerate(zip(*forms, strict=False)) if len(set(row)) > 1), len(forms[0]))
        with self._line_in_errors(several_nodes[0], same):
            self._require_common([len(graph.nodes) for graph in graphs], "the number of operations")
        numbers: list[dict[int, int]] = [{} for _ in graphs]
        nodes: list[Any] = []
        passed = 0
        for position, versions in enumerate(zip(*several_nodes, strict=True)):
            self._require_common([node.kind for node in versions], "the order of operations")
            inputs = self._common_value_numbers(numbers, [node.inputs for node in versions], "the order of operations")
            if is_branch_guard(versions[0]):
                passed += 1
                if passed > len(outcomes):
                    branches = {text: self.tree(several, (*outcomes, text == "true")) for text in ("true", "false")}
                    return {"nodes": [*nodes, {"kind": "choice", "in": inputs, "out": [], **branches}], "results": []}
            elif passed == len(outcomes):
                with self._line_in_errors(several_nodes[0], position):
                    data = self._node_json(versions, inputs)
                if data is not None:
                    nodes.append(data)
            for places, node in zip(numbers, versions, strict=True):
                for value in node.outputs:
                    places[id(value)] = len(places)
        results = self._common_value_numbers(numbers, [graph.results for graph in graphs], "the results")
        return {"nodes": nodes, "results": results}

    @contextmanager
    def _line_in_errors(self, nodes: Sequence[Node], position: int) -> Iterator[None]:
        """Puts a line of the user before the text of an error: that of a node, or of the next node if it has none, as a constant."""
        try:
            yield
        except Unstorable as error:
            lines = [self._lines[id(node)] for node in nodes[position:] if id(node) in self._lines]
            if not lines or lines[0] is None:
                raise
            raise type(error)(f"{line_text(lines[0])}: {error}") from None

    def _common_value_numbers(
        self, numbers: list[dict[int, int]], values: Sequence[Sequence[Value]], what: str
    ) -> list[int]:
        """Returns the numbers of values, which are equal in all recordings."""
        return self._require_common(
            [[n[id(v)] for v in several] for n, several in zip(numbers, values, strict=True)], what
        )

    def _require_common(self, versions: Sequence[Any], what: str) -> Any:
        """Returns what all recordings have; ``what`` says in the error what differs."""
        if any(version != versions[0] for version in versions):
            raise DependsOnSizes(
                f"{self._name}(): {what} of the recorded function depends on the sizes that input_signature leaves open, as in a Python "
                "loop over x.shape[0]. Use tf.while_loop, tf.map_fn or `for i in tf.range(n)`, or give all sizes in input_signature."
            )
        return versions[0]

    # ---- nodes -----------------------------------------------------------------------------------------

    def _node_json(self, versions: Sequence[Node], inputs: list[int]) -> Any:
        node = versions[0]
        if node.kind is Kind.GUARD:
            return self._guard_json(versions, inputs)
        data: dict[str, Any] = {"kind": node.kind.name.lower(), "in": inputs, "out": self._output_specs(versions)}
        if isinstance(node.payload, HostCall) and node.payload.counts_results:
            self._counts.update([id(version.outputs[0]) for version in versions])
            return {**data, "kind": "count"}
        match node.kind:
            case Kind.ARGUMENT:
                data["argument"] = node.payload
            case Kind.CONSTANT:
                data["value"] = self._constant_json([version.payload for version in versions])
            case Kind.READ | Kind.ASSIGN:
                self._require_common([id(version.payload) for version in versions], "the variables")
                data["variable"] = self._references(node.payload)
            case Kind.OPERATION:
                name, attributes = node.payload.name, [version.attributes for version in versions]
                self._require_common([values.keys() for values in attributes], f"the attributes of {name}")
                data |= self._operation_json([version.payload for version in versions])
                data["attributes"] = {
                    key: self._merged_json([values[key] for values in attributes], f"{key} of {name}")
                    for key in node.attributes
                }
                if data["kind"] == "operation" and node.payload.lowering.result_size is not None:
                    data["count"] = self._add_count_symbol([version.outputs[0].shape[0] for version in versions])
            case _:
                raise Unstorable(f"{self._name}(): {node} has no stored form.")
        return data

    def _guard_json(self, versions: Sequence[Node], inputs: list[int]) -> Any:
        """Returns the JSON of a guard; None if a stored operation counts its results itself."""
        payload = versions[0].payload
        if all(id(version.inputs[0]) in self._counts for version in versions):
            return None
        if isinstance(payload, SizesCondition):
            elements = [getattr(version.payload, "elements", ()) for version in versions]
            self._require_common([len(several) for several in elements], "a number that Python asks for")
            wanted = [self._number_json(numbers) for numbers in zip(*elements, strict=True)]
            return {"kind": "condition", "in": inputs, "out": [], "wanted": wanted}
        if isinstance(payload, SizesGuard):
            sizes = self._add_size_symbols([version.payload.sizes for version in versions])
            if sizes is not None:
                return {"kind": "sizes", "in": inputs, "out": [], "sizes": sizes}
        raise Unstorable(
            f"{self._name}(): Python's control flow in the function depends on a value: {versions[0]}. A stored function has "
            "no Python. Use tf.cond, tf.case, tf.while_loop or tf.where."
        )

    def _add_count_symbol(self, counts: Sequence[int]) -> list[int]:
        """Adds the number of results of an operation to the sizes; returns it, or -1 if every number is possible."""
        self.probes = [(*sizes, count) for sizes, count in zip(self.probes, counts, strict=True)]
        return [len(self.probes[0]) - 1, -1 if len(set(counts)) > 2 else counts[0]]

    def _add_size_symbols(self, sizes: Sequence[tuple[int, ...]]) -> list[list[int]] | None:
        """Adds numbers that Python asks for to the sizes; returns each as ``_add_count_symbol`` does.

        Returns:
            None if the numbers are no sizes, or are too few to tell what follows from them.
        """
        columns = list(zip(*sizes, strict=True))
        if any(len(set(column)) == 2 or min(column) < 0 or max(column) > LARGEST_PROBE for column in columns):
            return None
        return [self._add_count_symbol(column) for column in columns]

    def _operation_json(self, operations: Sequence[Any]) -> dict[str, Any]:
        operation: Any = operations[0]
        self._require_common([(type(other), other.name) for other in operations], "the operations")
        name: str = operation.name
        if TABLE.get(name) is operation:
            return {"kind": "operation", "name": name}
        if operation is value_read_operation:
            return {"kind": "value_read"}
        call = operation.function if isinstance(operation, HostCall) else None
        if isinstance(call, TableCall):
            if call.method == "export" and call.table._changes:
                raise Unstorable(f"{self._name}(): {name} has as many results as the table has keys; use lookup.")
            return {"kind": "table", "table": self._references(call.table), "method": call.method}
        if type(operation) is GraphOperation:
            return {"kind": "graph", "name": operation.name, "graph": self._subgraph_json(operations)}
        if type(operation) is Branches:
            branches = zip(*[other.branches for other in operations], strict=True)
            return {"kind": "branches", "name": operation.name, "branches": [self._subgraph_json(b) for b in branches]}
        if type(operation) is Loop:
            tests, count = [other.condition for other in operations], f"number of iterations of {operation.name}"
            return {
                "kind": "loop",
                "body": self._subgraph_json([other.body for other in operations]),
                "condition": None if operation.condition is None else self._subgraph_json(tests),
                "trips": self._merged_json([other.trips for other in operations], count),
                "most": self._merged_json([other.most for other in operations], count),
                "options": {option: getattr(operation, option) for option in _LOOP_OPTIONS},
            }
        if type(operation) is CustomGradient:
            return {
                "kind": "custom_gradient",
                "name": operation.name,
                "passes_on": operation.passes_on,
                "gradient": self._subgraph_json([other.backward for other in operations]),
                "has_cotangent": list(operation.has_cotangent),
            }
        cause = (
            "it calls Python, as tf.print and tf.py_function do"
            if isinstance(operation, HostCall)
            else "it is made for one program, as a gradient of control flow or an operation of a user"
        )
        raise Unstorable(f"{self._name}(): the operation {operation.name!r} can't be stored: {cause}.")

    def _subgraph_json(self, operations: Sequence[GraphOperation]) -> Any:
        return self.tree([{(): operation.graph} for operation in operations])

    def _output_specs(self, versions: Sequence[Node]) -> list[Any]:
        """Returns the dtype and shape of each output; the shape of a counted result is written when it is known."""
        specs = []
        for values in zip(*[version.outputs for version in versions], strict=True):
            dtype = self._require_common([value.dtype for value in values], "a dtype")
            specs.append([dtypes.DTYPE_OF_NUMPY[dtype].name, [value.shape for value in values]])
        return specs

    def finish(self, data: Any) -> Any:
        """Returns the JSON of a graph with its shapes as expressions, once all sizes are known."""
        for node in data["nodes"]:
            node["out"] = [
                [dtype, self._merged_json(shapes, "a shape") if node["kind"] != "count" else {"tuple": []}]
                for dtype, shapes in node["out"]
            ]
            for part in ("graph", "body", "condition", "gradient", "true", "false"):
                if node.get(part) is not None:
                    self.finish(node[part])
            for branch in node.get("branches", ()):
                self.finish(branch)
        return data

    # ---- numbers that depend on sizes ------------------------------------------------------------------

    def _merged_json(self, values: Sequence[Any], what: str) -> Any:
        """Returns the JSON of a value from its versions in the recordings."""
        try:
            encoded = [encode(value) for value in values]
        except Unstorable as error:
            raise Unstorable(f"{self._name}(): {what} can't be stored: {error}") from None
        if all(other == encoded[0] for other in encoded):
            return encoded[0]
        kinds = {type(value) for value in values}
        probes = self.probes
        if kinds == {int}:
            expression = fit_integers(values, probes)
            if expression is not None:
                return {"sizes": expression}
        elif kinds == {float}:
            function = fit_floats(values, probes, float)
            if function is not None:
                return {"float_of_sizes": function}
        elif kinds == {tuple} and len({len(value) for value in values}) == 1:
            return {"tuple": [self._merged_json(items, what) for items in zip(*values, strict=True)]}
        raise DependsOnSizes(
            f"{self._name}(): {what} depends on the sizes that input_signature leaves open in a way that can't be stored: it is "
            f"{', '.join(map(repr, values[:3]))} for the sizes {', '.join(map(str, probes[:3]))}. Give these sizes in "
            "input_signature."
        )

    def _constant_json(self, arrays: Sequence[np.ndarray]) -> Any:
        first = arrays[0]
        self._require_common([(array.dtype, array.ndim) for array in arrays], "a constant")
        if all(_are_same(array, first) for array in arrays):
            return self._constants.encode(first)
        dtype = dtypes.DTYPE_OF_NUMPY[first.dtype].name
        shape = self._merged_json([array.shape for array in arrays], "the shape of a constant")
        if first.dtype.kind != "O" and all(array.size and (array == array.flat[0]).all() for array in arrays):
            return {"fill": [dtype, shape, self._number_json([array.flat[0] for array in arrays])]}
        if first.ndim == 2 and all(_are_same(array, np.eye(*array.shape, dtype=array.dtype)) for array in arrays):
            return {"eye": [dtype, shape]}
        if first.dtype.kind in "iuf" and first.ndim == 1 and all(_is_range(array) for array in arrays):
            known_steps = [array[1] - array[0] for array in arrays if array.size > 1]
            starts = [array[0] for array in arrays]
            steps = [array[1] - array[0] if array.size > 1 else known_steps[0] for array in arrays]
            return {"range": [dtype, shape, self._number_json(starts), self._number_json(steps)]}
        if first.dtype.kind in "iuf" and first.size <= _MAX_FITTED_ELEMENTS and len({a.shape for a in arrays}) == 1:
            elements = [self._number_json(items) for items in zip(*[array.flat for array in arrays], strict=True)]
            return {"elements": [dtype, shape, elements]}
        raise DependsOnSizes(
            f"{self._name}(): a constant of shape {list(first.shape)} and dtype {dtype} depends on the sizes that input_signature "
            "leaves open. Compute it by operations of tensors (tf.range, tf.shape), or give these sizes in input_signature."
        )

    def _number_json(self, scalars: Sequence[Any]) -> Any:
        """Returns the JSON of a number of a constant's dtype."""
        dtype = scalars[0].dtype
        values = [scalar.item() if dtype.kind != "V" else float(scalar) for scalar in scalars]
        if dtype.kind in "fV" and len(set(values)) > 1:
            function = fit_floats(values, self.probes, lambda value: float(dtype.type(value)))
            if function is not None:
                return {"float_of_sizes": function}
        return self._merged_json(values, "a constant")


def is_branch_guard(node: Node) -> bool:
    """True if a node is a guard on the truth of a tensor, as of an ``if`` of Python: both outcomes can be recorded."""
    return node.kind is Kind.GUARD and type(node.payload) is tuple and node.payload[0] == "bool"


def _are_same(x: np.ndarray, y: np.ndarray) -> bool:
    if x.shape != y.shape:
        return False
    return bool(np.array_equal(x, y)) if x.dtype.kind == "O" else x.tobytes() == y.tobytes()


def _is_range(array: np.ndarray) -> bool:
    return array.size == 1 or (
        array.size > 1 and _are_same(array, _range(array.dtype, array.size, array[0], array[1] - array[0]))
    )


def _range(dtype: np.dtype, size: int, start: Any, step: Any) -> np.ndarray:
    """Returns ``size`` numbers from ``start`` on."""
    return (start + np.arange(size) * step).astype(dtype)
