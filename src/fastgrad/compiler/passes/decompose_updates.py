"""Updates of large variables become element-wise operations, where that is fused with what makes the gradient.

An optimizer's update of all variables is one kernel. But a gradient that is computed element by element, and that does not
fit the caches, would be written to memory for it, and read from there again. Its update goes into the loop that makes it.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod

from fastgrad.compiler.graph.graph import Graph, Kind, Node, Value, uses_of
from fastgrad.compiler.passes.rewriting import row_name
from fastgrad.kernels.optimizers.update_rule import FLOATS, RULES
from fastgrad.operation import Form
from fastgrad.ops.optimizer_updates import update_result

LARGE = 1 << 20
"""Bytes of a gradient from which on it is worth it."""


def decompose_updates(graph: Graph) -> Graph:
    """The graph with updates of such variables as operations of elements; bit for bit the same.

    Args:
        graph: left as it is.
    """
    if not any(row_name(node) == "apply_update" for node in graph.nodes):
        return graph
    uses = uses_of(graph)
    by_element = {
        id(value)
        for node in graph.nodes
        if node.kind is Kind.OPERATION and node.payload.form is Form.ELEMENTWISE
        for value in node.outputs
    }

    def expanded(update: Node, gradient: Value) -> list[Node] | None:
        worth = id(gradient) in by_element and uses[id(gradient)] == 1 and _is_large(gradient)
        return _expanded(update) if worth else None

    return with_updates_apart(graph, expanded)


def with_updates_apart(graph: Graph, apart: Callable[[Node, Value], list[Node] | None]) -> Graph:
    """The graph with the updates of some variables in front of that of all others.

    Args:
        graph: left as it is; so are updates that scale their gradients.
        apart: from the update of one variable, and its gradient, to the nodes that stand for it; None to leave it with the others.
    """
    nodes: list[Node] = []
    for node in graph.nodes:
        if row_name(node) != "apply_update" or node.attributes.get("scaled"):
            nodes.append(node)
            continue
        count, kinds = node.attributes["count"], len(RULES[node.attributes["rule"]].state)
        rest = []
        for i in range(count):
            found = apart(_only_some(node, [i]), node.inputs[kinds * count + i])
            if found is None:
                rest.append(i)
            else:
                nodes += found
        if rest:
            nodes.append(_only_some(node, rest) if len(rest) < count else node)
    return Graph(nodes, graph.results)


def _is_large(gradient: Value) -> bool:
    return gradient.dtype.name in FLOATS and prod(gradient.shape) * gradient.dtype.itemsize >= LARGE


def _only_some(node: Node, chosen: list[int]) -> Node:
    """The update of some of the variables."""
    count = node.attributes["count"]
    lists = len(RULES[node.attributes["rule"]].state) + 1
    inputs = [node.inputs[k * count + i] for k in range(lists) for i in chosen]
    outputs = [node.outputs[k * count + i] for k in range(lists - 1) for i in chosen]
    attributes = node.attributes | {"count": len(chosen)}
    return Node(node.kind, node.payload, (*inputs, *node.inputs[lists * count :]), tuple(outputs), attributes)


def _expanded(node: Node) -> list[Node]:
    """The update of one variable as an operation for each of its results, of which a loop computes what they share once."""
    rule = node.attributes["rule"]
    return [
        Node(Kind.OPERATION, update_result, node.inputs, (value,), {"rule": rule, "result": number})
        for number, value in enumerate(node.outputs)
    ]
