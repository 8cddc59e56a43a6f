"""Turns updates of large variables into element-wise operations, if they fuse with the loop that makes the gradient.

An optimizer's update of all variables is one kernel. But a gradient that is computed element by element, and that does not
fit the caches, would be written to memory and read again. So its update goes into the loop that computes the gradient.
"""

from __future__ import annotations

from collections.abc import Callable

from fastgrad._src.compiler.graph.graph import Graph, Kind, Node, Value, size_of, uses_of
from fastgrad._src.compiler.passes.rewriting import op_name
from fastgrad._src.core.operation import Form
from fastgrad._src.kernels.optimizers.update_rule import FLOATS, RULES
from fastgrad._src.ops.optimizer_updates import update_output_by_element

LEAST_UPDATE_BYTES = 1 << 20
"""The least bytes of a gradient for which this is faster."""


def decompose_updates(graph: Graph) -> Graph:
    """Returns the graph with updates of large variables as element-wise operations, with the same bits.

    Args:
        graph: the graph; it is not changed.
    """
    if not any(op_name(node) == "apply_update" and any(map(_is_large, node.inputs)) for node in graph.nodes):
        return graph
    uses = uses_of(graph)
    large_by_element = {
        id(value)
        for node in graph.nodes
        if node.kind is Kind.OPERATION and node.payload.form is Form.ELEMENTWISE
        for value in node.outputs
        if uses[id(value)] == 1 and _is_large(value)
    }
    return split_updates(
        graph, lambda gradient: id(gradient) in large_by_element, lambda update, _: _elementwise_update(update)
    )


def split_updates(
    graph: Graph, is_replaced: Callable[[Value], bool], replacement_of: Callable[[Node, Value], list[Node]]
) -> Graph:
    """Returns the graph with updates of several variables split: some variables get separate updates.

    Args:
        graph: the graph; it is not changed. Updates that scale their gradients stay as they are.
        is_replaced: whether the update by a gradient is separate.
        replacement_of: maps the update of one variable and its gradient to the nodes that replace the update.
    """
    nodes: list[Node] = []
    for node in graph.nodes:
        if op_name(node) != "apply_update" or node.attributes.get("scaled"):
            nodes.append(node)
            continue
        count, state_count = node.attributes["count"], len(RULES[node.attributes["rule"]].state)
        remaining = []
        for i in range(count):
            gradient = node.inputs[state_count * count + i]
            if is_replaced(gradient):
                nodes += replacement_of(_update_of_some_variables(node, [i]), gradient)
            else:
                remaining.append(i)
        if remaining:
            nodes.append(_update_of_some_variables(node, remaining) if len(remaining) < count else node)
    return Graph(nodes, graph.results)


def _is_large(gradient: Value) -> bool:
    return size_of(gradient) >= LEAST_UPDATE_BYTES and gradient.dtype.name in FLOATS


def _update_of_some_variables(node: Node, variable_numbers: list[int]) -> Node:
    """Returns an optimizer's update node, restricted to some of its variables."""
    count = node.attributes["count"]
    lists = len(RULES[node.attributes["rule"]].state) + 1
    inputs = [node.inputs[k * count + i] for k in range(lists) for i in variable_numbers]
    outputs = [node.outputs[k * count + i] for k in range(lists - 1) for i in variable_numbers]
    attributes = node.attributes | {"count": len(variable_numbers)}
    return Node(node.kind, node.payload, (*inputs, *node.inputs[lists * count :]), tuple(outputs), attributes)


def _elementwise_update(node: Node) -> list[Node]:
    """Returns one operation for each result of one variable's update; a loop computes their common parts once."""
    rule = node.attributes["rule"]
    return [
        Node(Kind.OPERATION, update_output_by_element, node.inputs, (value,), {"rule": rule, "result": number})
        for number, value in enumerate(node.outputs)
    ]
