"""Operations that are there for their gradient alone are dropped, from programs that are only run."""

from __future__ import annotations

from fastgrad.compiler.graph.graph import Graph, Kind, Node, Value
from fastgrad.compiler.passes.rewriting import rewritten


def drop_gradients(graph: Graph) -> Graph:
    """The graph with what such operations pass on in the place of their results.

    Args:
        graph: left as it is; it can still be differentiated.
    """

    def drop(node: Node) -> Node | tuple[Value, ...]:
        count = getattr(node.payload, "passes_on", 0) if node.kind is Kind.OPERATION else 0
        return node.inputs[:count] if count else node

    return rewritten(graph, drop)
