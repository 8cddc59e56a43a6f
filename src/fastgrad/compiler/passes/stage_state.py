"""State is staged: what a program assigns is written at its end, after the last point at which it may leave."""

from __future__ import annotations

from fastgrad.compiler.graph.graph import Graph, Kind, Node, Value
from fastgrad.compiler.passes.rewriting import rewritten


def stage_state(graph: Graph) -> Graph:
    """The graph with one assignment for each variable that it changes, of the last value, at the end.

    Reads that come after an assignment get the value that was assigned.

    Args:
        graph: left as it is.
    """
    now: dict[int, Value] = {}
    last: dict[int, Node] = {}

    def stage(node: Node) -> Node | tuple[Value, ...]:
        if node.kind is Kind.ASSIGN:
            now[id(node.payload)] = node.inputs[0]
            last[id(node.payload)] = node
            return ()
        if node.kind is Kind.READ and id(node.payload) in now:
            return (now[id(node.payload)],)
        return node

    found = rewritten(graph, stage)
    return Graph([*found.nodes, *last.values()], found.results)
