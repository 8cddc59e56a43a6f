"""Moves cheap guards to the front, so that values after the last exit can be computed in their final memory."""

from __future__ import annotations

from math import prod

from fastgrad._src.compiler.graph.graph import Graph, Kind, Node


def hoist_guards(graph: Graph) -> Graph:
    """Returns the graph with guards at its front that depend only on scalar inputs and a little arithmetic.

    So an optimizer's guard on its own state is not between the steps of another optimizer and the end. A guard
    stays where it is if it reads a variable that was assigned before.

    Args:
        graph: the graph; it is not changed.
    """
    if not any(node.kind is Kind.GUARD for node in graph.nodes):
        return graph
    producer: dict[int, Node] = {}  # of scalars that may be computed at the front
    assigned: set[int] = set()
    moved_ids: set[int] = set()
    for node in graph.nodes:
        if node.kind is Kind.ASSIGN:
            assigned.add(id(node.payload))
        elif node.kind is Kind.GUARD:
            if id(node.inputs[0]) in producer:
                _collect_dependencies(node, producer, moved_ids)
        elif _is_cheap_scalar(node, producer, assigned):
            producer |= {id(value): node for value in node.outputs}
    if not moved_ids:
        return graph
    front = [node for node in graph.nodes if id(node) in moved_ids]
    return Graph([*front, *[node for node in graph.nodes if id(node) not in moved_ids]], graph.results)


def _is_cheap_scalar(node: Node, producer: dict[int, Node], assigned: set[int]) -> bool:
    for value in node.outputs:
        if prod(value.shape) != 1:
            return False
    if node.kind is Kind.READ:
        return id(node.payload) not in assigned
    if node.kind in {Kind.ARGUMENT, Kind.CONSTANT, Kind.GIVEN}:
        return True
    return node.lowering.is_cheap and all(id(value) in producer for value in node.inputs)


def _collect_dependencies(guard: Node, producer: dict[int, Node], collected: set[int]) -> None:
    """Adds a guard and all nodes that it depends on to ``collected``."""
    waiting = [guard]
    while waiting:
        node = waiting.pop()
        if id(node) not in collected:
            collected.add(id(node))
            waiting += [producer[id(value)] for value in node.inputs]
