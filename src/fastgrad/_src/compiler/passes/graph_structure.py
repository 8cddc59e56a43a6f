"""The structure of a graph: the part that does not depend on the sizes of its values."""

from __future__ import annotations

from collections.abc import Callable, Hashable

from fastgrad._src.compiler.graph.graph import Graph, Kind, Node
from fastgrad._src.compiler.passes.rewriting import op_name


def graph_key(graph: Graph, node_key: Callable[[Node], Hashable]) -> Hashable:
    """Returns a key that graphs share if nodes of equal keys read equal values in order; None if a node has no key."""
    numbers: dict[int, int] = {}
    nodes = []
    for node in graph.nodes:
        key = node_key(node)
        if key is None:
            return None
        nodes.append((node.kind, key, tuple([numbers[id(value)] for value in node.inputs])))
        for value in node.outputs:
            numbers[id(value)] = len(numbers)
    return tuple(nodes), tuple([numbers[id(value)] for value in graph.results])


def structure_of(graph: Graph) -> Hashable:
    """Returns a key that graphs share if equal operations read equal values in order, at any shapes and attributes.

    Args:
        graph: any.

    Returns:
        None for a graph with operations that are not rows of the table, such as branches and loops.
    """

    def node_key(node: Node) -> Hashable:
        name = op_name(node)
        is_unlisted = name is None and node.kind is Kind.OPERATION
        return None if is_unlisted else (name, *[value.dtype.char for value in node.outputs])

    return graph_key(graph, node_key)
