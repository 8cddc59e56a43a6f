"""Explicit state: a recorded graph as a function of values only, with its state as inputs and results.

Variables that the graph reads become inputs. Values that it assigns to variables become results. (A draw of random numbers
reads and assigns the state of its generator, which is a variable like any other.)
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from fastgrad._src.compiler.graph.graph import Graph, Kind, Node, Value
from fastgrad._src.compiler.recording.record import TraceError
from fastgrad._src.compiler.recording.unlisted_operation import UnlistedOperation, is_differentiable
from fastgrad._src.core.operation import Form
from fastgrad._src.core.result_rules import same_as_first
from fastgrad._src.core.variable import Variable


class StateVariables(NamedTuple):
    """The variables that a graph reads, and the variables that it assigns, each once, in order."""

    read: tuple[Variable, ...]
    written: tuple[Variable, ...]


def state_of(graph: Graph) -> StateVariables:
    """Returns the variables that a graph reads and those that it assigns.

    Raises:
        TraceError: it holds a change of state that is not an assignment.
    """
    read: dict[int, Variable] = {}
    written: dict[int, Variable] = {}
    for node in graph.nodes:
        if node.kind is Kind.READ:
            read[id(node.payload)] = node.payload
        elif node.kind is Kind.ASSIGN:
            written[id(node.payload)] = node.payload
        elif node.kind not in {Kind.ARGUMENT, Kind.CONSTANT, Kind.OPERATION, Kind.GUARD}:
            raise TraceError(f"{node} changes state in a way that has no form as a function of values")
    return StateVariables(tuple(read.values()), tuple(written.values()))


def with_explicit_state(
    graph: Graph, argument_count: int, state: StateVariables, handles: Sequence[Variable] = ()
) -> Graph:
    """Returns the graph as a function of values: variables are further arguments, their new values further results.

    Args:
        graph: of kinds that ``state_of`` takes; it is not changed.
        argument_count: the number of its arguments.
        state: of this graph, or more: variables that become inputs after the arguments, and those whose values are given
            after the results; the latter must be inputs if the graph does not assign them.
        handles: variables with a second input each, after all others. Gradients with respect to the graph's reads of
            such a variable belong to this input: none flow through the values that it has been assigned. For other variables
            the first value has this role.

    Returns:
        A graph of arguments, constants, operations and guards.
    """
    return _StateRewriter(graph, argument_count, state, handles).graph


class _StateRewriter:
    """Rewrites a graph node by node, with variables as arguments and results."""

    def __init__(self, graph: Graph, count: int, state: StateVariables, handles: Sequence[Variable]) -> None:
        numbers = [value.number for node in graph.nodes for value in node.outputs]
        self._numbers = itertools.count(max(numbers, default=-1) + 1)
        self._nodes: list[Node] = []
        self._stands_for: dict[int, Value] = {}
        argument_numbers = itertools.count(count)
        self._now = {id(v): self._argument_of(next(argument_numbers), v) for v in state.read}
        self._handles = dict(self._now)
        self._handles |= {id(v): self._argument_of(next(argument_numbers), v) for v in handles}
        for node in graph.nodes:
            self._add_node(node)
        results = [self._rewritten_value(value) for value in graph.results]
        self.graph = Graph(self._nodes, [*results, *[self._now[id(v)] for v in state.written]])

    def _argument_of(self, position: int, variable: Variable) -> Value:
        value = self._new_value(variable._array.shape, variable._array.dtype)
        self._nodes.append(Node(Kind.ARGUMENT, position, outputs=(value,)))
        return value

    def _new_value(self, shape: tuple[int, ...], dtype: np.dtype) -> Value:
        return Value(shape, dtype, next(self._numbers))

    def _rewritten_value(self, value: Value) -> Value:
        return self._stands_for.get(id(value), value)

    def _add_node(self, node: Node) -> None:
        if node.kind is Kind.READ:
            self._stands_for[id(node.outputs[0])] = self._read_variable(node.payload)
        elif node.kind is Kind.ASSIGN:
            self._now[id(node.payload)] = self._rewritten_value(node.inputs[0])
        else:
            inputs = tuple([self._rewritten_value(value) for value in node.inputs])
            self._nodes.append(Node(node.kind, node.payload, inputs, node.outputs, node.attributes))

    def _read_variable(self, variable: Variable) -> Value:
        current, handle = self._now[id(variable)], self._handles[id(variable)]
        if current is handle or not is_differentiable(current.dtype):
            return current
        value = self._new_value(current.shape, current.dtype)
        self._nodes.append(Node(Kind.OPERATION, value_read_operation, (current, handle), (value,)))
        return value


class _ValueRead(UnlistedOperation):
    """A read of a variable after an assignment: its gradient flows to the variable, not to the assigned value."""

    gradient: Any = (None, lambda g, y, now, handle: g)
    passes_on = 1
    result: Any = staticmethod(same_as_first)

    def run(self, now: np.ndarray, handle: np.ndarray) -> np.ndarray:
        return now


value_read_operation = _ValueRead("value_read", Form.INDEX_MAP)
