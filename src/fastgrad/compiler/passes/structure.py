"""The structure of a graph: the part that does not depend on the sizes of its values."""

from __future__ import annotations

from collections.abc import Hashable

from fastgrad.compiler.graph.graph import Graph, Kind
from fastgrad.compiler.passes.rewriting import op_name


def structure_of(graph: Graph) -> Hashable:
    """Returns a key that graphs share if equal operations read equal values in order, at any shapes and attributes.

    Args:
        graph: any.

    Returns:
        None for a graph with operations that are not rows of the table, such as branches and loops.
    """
    number: dict[int, int] = {}
    node_keys = []
    for node in graph.nodes:
        name = op_name(node)
        if name is None and node.kind is Kind.OPERATION:
            return None
        inputs = tuple([number[id(value)] for value in node.inputs])
        node_keys.append((node.kind, name, inputs, tuple([value.dtype.char for value in node.outputs])))
        for value in node.outputs:
            number[id(value)] = len(number)
    return tuple(node_keys), tuple([number[id(value)] for value in graph.results])
