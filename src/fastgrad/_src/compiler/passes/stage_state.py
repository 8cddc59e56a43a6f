"""Moves assignments of variables to the end of a program, after its last exit."""

from __future__ import annotations

from fastgrad._src.compiler.graph.graph import Graph, Kind, Node, Value
from fastgrad._src.compiler.passes.rewriting import rewritten


def stage_state(graph: Graph) -> Graph:
    """Returns the graph with one assignment, of the last value, for each variable that it changes, at the end.

    Reads that come after an assignment get the assigned value.

    Args:
        graph: the graph; it is not changed.
    """
    current_values: dict[int, Value] = {}
    last_assignments: dict[int, Node] = {}

    def stage(node: Node) -> Node | tuple[Value, ...]:
        if node.kind is Kind.ASSIGN:
            current_values[id(node.payload)] = node.inputs[0]
            last_assignments[id(node.payload)] = node
            return ()
        if node.kind is Kind.READ and id(node.payload) in current_values:
            return (current_values[id(node.payload)],)
        return node

    staged = rewritten(graph, stage)
    return Graph([*staged.nodes, *last_assignments.values()], staged.results)
