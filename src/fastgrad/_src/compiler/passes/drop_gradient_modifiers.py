"""Removes operations that only define a gradient from programs that only run forward."""

from __future__ import annotations

from fastgrad._src.compiler.graph.graph import Graph, Kind, Node, Value
from fastgrad._src.compiler.passes.rewriting import rewritten


def drop_gradient_modifiers(graph: Graph) -> Graph:
    """Returns the graph without operations such as ``stop_gradient``, whose results are replaced by their inputs.

    Args:
        graph: the graph, which can still be differentiated; it is not changed.
    """

    def inputs_of_modifier(node: Node) -> Node | tuple[Value, ...]:
        count = getattr(node.payload, "passes_on", 0) if node.kind is Kind.OPERATION else 0
        return node.inputs[:count] if count else node

    return rewritten(graph, inputs_of_modifier)
