"""Functions of a graph: their nodes run in topological order, each as a call of an operation of fastgrad.

Tapes and ``tf.function`` record these calls like the calls of a program. So gradients need no separate graph.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from fastgrad._src.compat.tensorflow_models.attributes import Attributes
from fastgrad._src.core.errors import InvalidArgumentError

if TYPE_CHECKING:
    from fastgrad._src.compat.tensorflow_models.custom_gradients import CustomGradient

MOST_NESTED_CALLS = 40

Compute = Callable[[list[Any]], Sequence[Any]]
"""What a node computes: its outputs from its inputs. They are tensors, TensorArrays, and variables and tables in the place of handles."""


class _Step(NamedTuple):
    """A node in the order of the run.

    Attributes:
        name, operation: of the node.
        compute: makes the outputs.
        inputs: the numbers of the values that it takes.
        output_count: how many values it appends.
    """

    name: str
    operation: str
    compute: Compute
    inputs: list[int]
    output_count: int


class GraphFunction:
    """A function of the library of a graph.

    Args:
        definition: a ``FunctionDef``.
        library: the functions that it may call.

    Attributes:
        name: of the function.
        argument_count, result_count: how many values it takes and returns.
        depth: the largest number of calls inside of each other, with the call of this function.
        operations: the names of the operations of its nodes.

    Raises:
        ValueError: the definition contradicts itself.
    """

    def __init__(self, definition: Any, library: Library) -> None:
        self.name = definition.signature.name
        self.argument_count = len(definition.signature.input_arg)
        self.result_count = len(definition.signature.output_arg)
        self.depth = 1
        self._slots = {argument.name: [number] for number, argument in enumerate(definition.signature.input_arg)}
        self._offsets: dict[str, dict[str, int]] = {}
        self._unknown: set[str] = set()
        self._steps: list[_Step] = []
        self._value_count = self.argument_count
        results = [self._result_reference(definition, result.name) for result in definition.signature.output_arg]
        self._compile(definition, [*results, *definition.control_ret.values()], library)
        self._results = [self._value_number(reference) for reference in results]
        self.operations = {step.operation for step in self._steps}

    def _result_reference(self, definition: Any, name: str) -> str:
        if name not in definition.ret:
            raise ValueError(f"the function {self.name!r:.100} has no node for its result {name!r:.100}")
        return definition.ret[name]

    def _compile(self, definition: Any, references: Iterable[str], library: Library) -> None:
        """Adds the steps of all nodes that the references need."""
        nodes = {node.name: node for node in definition.node_def}
        stack = [_node_name(reference) for reference in references][::-1]
        opened: set[str] = set()
        while stack:
            name = stack[-1]
            if name in self._slots:
                stack.pop()
                continue
            if name not in nodes:
                raise ValueError(f"the function {self.name!r:.100} has no node {name!r:.100}")
            gradient = library.custom_gradient(nodes[name], self.name)
            captures = gradient.captures if gradient is not None else ()
            needed = [_node_name(reference) for reference in (*nodes[name].input, *captures)]
            missing = [other for other in needed if other not in self._slots]
            if missing and name in opened:
                raise ValueError(f"the node {name!r:.100} of the function {self.name!r:.100} needs its own result")
            opened.add(name)
            if missing:
                stack += missing[::-1]
                continue
            stack.pop()
            self._add_step(nodes[name], library, gradient)

    def _add_step(self, node: Any, library: Library, gradient: CustomGradient | None) -> None:
        inputs = [self._value_number(reference) for reference in node.input if not reference.startswith("^")]
        definition = library.operation_definition(node.op, len(inputs))
        if definition is None:  # its results are not known; the model is refused, with the names of all such operations
            library.missing.add(node.op)
            self._slots[node.name] = [0]
            self._unknown.add(node.name)
            return
        attributes = Attributes(node, definition)
        offsets, count = {}, 0
        for output in definition.output_arg:
            offsets[output.name] = count
            count += attributes.count(output)
        compute, depth = library.compute(node.op, attributes)
        self.depth = max(self.depth, depth + 1)
        if sum(attributes.count(argument) for argument in definition.input_arg) != len(inputs):
            raise ValueError(
                f"the node {node.name!r:.100} has {len(inputs)} inputs, which {node.op!r:.100} does not take"
            )
        if gradient is not None:
            compute = gradient.compute(len(inputs))
            inputs += [self._value_number(reference) for reference in gradient.captures]
        self._steps.append(_Step(node.name, node.op, compute, inputs, count))
        self._slots[node.name] = list(range(self._value_count, self._value_count + count))
        self._offsets[node.name] = offsets
        self._value_count += count

    def _value_number(self, reference: str) -> int:
        """Returns the number of the value ``argument``, ``node:output:number``, or ``node:number`` among all outputs."""
        name, *output = reference.split(":")
        slots = self._slots[name]
        if name in self._unknown:
            return slots[0]
        position = 0
        if len(output) == 1:
            position = int(output[0])
        elif output:
            offsets = self._offsets.get(name, {})
            # The name of a single output is not always known, and chooses nothing.
            offset = next(iter(offsets.values())) if len(offsets) == 1 else offsets.get(output[0])
            position = -1 if offset is None or len(output) != 2 else offset + int(output[1])
        if not 0 <= position < len(slots):
            raise ValueError(f"the function {self.name!r:.100} has no value {reference!r:.100}")
        return slots[position]

    def run(self, arguments: Sequence[Any]) -> list[Any]:
        """Returns the results for ``argument_count`` arguments.

        Raises:
            InvalidArgumentError: a node does not fit its inputs.
        """
        values = list(arguments)
        for step in self._steps:
            try:
                outputs = step.compute([values[slot] for slot in step.inputs])
            except (TypeError, ValueError, LookupError, AttributeError, ArithmeticError) as error:
                if isinstance(error, InvalidArgumentError):
                    raise
                raise InvalidArgumentError(
                    f"The node {step.name!r:.200} ({step.operation}) of a SavedModel does not fit its inputs: "
                    f"{type(error).__name__}: {str(error)[:300]}"
                ) from error
            if len(outputs) != step.output_count:
                raise InvalidArgumentError(
                    f"The node {step.name!r:.200} ({step.operation}) of a SavedModel has {len(outputs)} results, not {step.output_count}."
                )
            values += outputs
        return [values[slot] for slot in self._results]


def _node_name(reference: str) -> str:
    return reference.lstrip("^").split(":")[0]


class Library:
    """The functions and the definitions of operations of a graph.

    Args:
        graph: a ``GraphDef``.
        operations: the ``OpDef`` messages of the operations that the graph has.
        object_graph: a ``SavedObjectGraph``.

    Attributes:
        gradients: the names of functions by the names of the custom gradients that they compute.
        missing: the operations that fastgrad lacks, of all functions that were asked for.
    """

    def __init__(self, graph: Any, operations: Iterable[Any], object_graph: Any) -> None:
        self._object_graph = object_graph
        self.gradients = {
            gradient.registered_op_type: gradient.gradient_func for gradient in graph.library.registered_gradients
        }
        self._definitions = {function.signature.name: function for function in graph.library.function}
        self._operations = {operation.name: operation for operation in operations}
        self._functions: dict[str, GraphFunction | None] = {}
        self.missing: set[str] = set()

    def operation_definition(self, name: str, input_count: int) -> Any:
        """Returns the ``OpDef`` of an operation, or the signature of a function that a node calls by its name.

        TensorFlow leaves out those that only the bodies of branches and loops have. For them it is made of what fastgrad knows.

        Args:
            name: of the operation.
            input_count: how many tensors the node takes.

        Returns:
            The message; None if nothing says what the operation takes.
        """
        from fastgrad._src.compat.tensorflow_models.operation_signatures import signature_message

        if name in self._operations:
            return self._operations[name]
        if name in self._definitions:
            return self._definitions[name].signature
        return signature_message(name, input_count)

    def custom_gradient(self, node: Any, function_name: str) -> CustomGradient | None:
        """Returns the custom gradient of a node of a function; None if it has none."""
        from fastgrad._src.compat.tensorflow_models.custom_gradients import custom_gradient

        return custom_gradient(node, function_name, self, self._object_graph)

    def compute(self, operation: str, attributes: Attributes) -> tuple[Compute, int]:
        """Returns what a node computes, and how many calls of functions it has inside of each other."""
        from fastgrad._src.compat.tensorflow_models.operations import compute_of

        functions = (
            {"f": [self.function(operation)]}
            if operation in self._definitions
            else {name: [self.function(target) for target in targets] for name, targets in attributes.functions()}
        )
        depth = max([function.depth for several in functions.values() for function in several], default=0)
        return compute_of(operation, attributes, functions, self.missing), depth

    def function(self, name: str) -> GraphFunction:
        """Returns a function.

        Raises:
            ValueError: there is none, it is damaged, it calls itself, or its calls are too deep.
        """
        if name not in self._definitions:
            raise ValueError(f"there is no function {name!r:.100}")
        if name not in self._functions:
            if sum(function is None for function in self._functions.values()) >= MOST_NESTED_CALLS:
                raise ValueError(f"more than {MOST_NESTED_CALLS} functions call each other")
            self._functions[name] = None
            self._functions[name] = GraphFunction(self._definitions[name], self)
        function = self._functions[name]
        if function is None:
            raise ValueError(f"the function {name!r:.100} calls itself")
        if function.depth > MOST_NESTED_CALLS:
            raise ValueError(f"more than {MOST_NESTED_CALLS} functions call each other")
        return function
