"""The traversal of passes: one pass over a graph, from the first node to the last, that returns a new graph.

The old graph and its nodes are not changed; both graphs share the nodes that need no change.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from fastgrad._src.compiler.graph.graph import Graph, Kind, Node, Value
from fastgrad._src.core.operation import TABLE, Form, Operation, operation_named


class Replacement(NamedTuple):
    """New nodes in place of a node, and the values that replace its outputs."""

    nodes: Sequence[Node]
    values: Sequence[Value]


Rule = Callable[[Node], Node | tuple[Value, ...] | Replacement]
"""Maps a node, whose inputs are rewritten already, to a node with the same outputs, to values of earlier nodes that
replace its outputs, or to a ``Replacement``."""


def rewritten(graph: Graph, rule: Rule) -> Graph:
    """Returns the graph with ``rule`` applied to each node in order, once.

    Args:
        graph: the graph; it is not changed.
        rule: see ``Rule``.
    """
    stands_for: dict[int, Value] = {}
    nodes: list[Node] = []
    for node in graph.nodes:
        if stands_for and not stands_for.keys().isdisjoint(map(id, node.inputs)):
            node = replace_inputs(node, stands_for)
        replacement = rule(node)
        if replacement is node:
            nodes.append(node)
            continue
        if isinstance(replacement, Node):
            assert replacement.outputs is node.outputs, f"{node}: a rule gave it other outputs"
            nodes.append(replacement)
            continue
        new_nodes, values = replacement if isinstance(replacement, Replacement) else ((), replacement)
        nodes += new_nodes
        for old, new in zip(node.outputs, values, strict=True):
            assert have_same_type(old, new), f"{node}: {new}: {new.type_text} can't stand for {old}"
            stands_for[id(old)] = new
    return Graph(nodes, [stands_for.get(id(value), value) for value in graph.results])


def replace_inputs(node: Node, stands_for: Mapping[int, Value]) -> Node:
    """Returns a node with values of ``stands_for`` in place of inputs, which are given by their ids."""
    inputs = tuple([stands_for.get(id(value), value) for value in node.inputs])
    return Node(node.kind, node.payload, inputs, node.outputs, node.attributes)


def have_same_type(x: Value, y: Value) -> bool:
    """True if two values have the same shape and dtype."""
    return x.shape == y.shape and x.dtype == y.dtype


def operation_of(node: Node) -> Operation | None:
    """Returns the table's or a user's operation that a node runs; None if the node runs no such operation."""
    if node.kind is not Kind.OPERATION:
        return None
    operation: Operation = node.payload
    if TABLE.get(operation.name) is operation:
        return operation
    return operation if operation_named(operation.name) is operation else None


def op_name(node: Node) -> str | None:
    """Returns the name of the operation that a node runs, or None; see ``operation_of``."""
    operation = operation_of(node)
    return None if operation is None else operation.name


def is_matrix_product(node: Node) -> bool:
    """True if a node runs an operation that multiplies matrices."""
    operation = operation_of(node)
    return operation is not None and operation.form is Form.CONTRACT


def is_pure(node: Node) -> bool:
    """True if a node only computes values, and they depend only on its inputs and attributes."""
    return operation_of(node) is not None and not node.has_effect
