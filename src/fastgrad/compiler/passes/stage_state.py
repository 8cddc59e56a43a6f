"""Moves assignments of variables to the end of a program, after its last exit."""

from __future__ import annotations

from fastgrad.compiler.graph.graph import Graph, Kind, Node, Value
from fastgrad.compiler.passes.rewriting import rewritten


def stage_state(graph: Graph) -> Graph:
    """Returns the graph with one assignment, of the last value, for each variable that it changes, at the end.

    Reads that come after an assignment get the assigned value.

    Args:
        graph: the graph; it is not changed.
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
