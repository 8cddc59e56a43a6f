"""Removes unused results of branches and loops, with the operations that only they need."""

from __future__ import annotations

from fastgrad._src.compiler.graph.graph import Graph, Kind, Node


def drop_unused_results(graph: Graph) -> Graph:
    """Returns the graph with fewer results of operations that are made of graphs.

    Such an operation has a result for each value that its gradient would read; without a gradient these are unused.

    Args:
        graph: the graph; it is not changed.
    """
    used = {id(value) for node in graph.nodes for value in node.inputs} | {id(value) for value in graph.results}

    def without_unused_results(node: Node) -> Node:
        if node.kind is not Kind.OPERATION or not hasattr(node.payload, "with_results"):
            return node
        kept_flags = node.payload.results_to_keep(tuple([id(value) in used for value in node.outputs]))
        if all(kept_flags):
            return node
        outputs = tuple([value for value, keep in zip(node.outputs, kept_flags, strict=True) if keep])
        return Node(node.kind, node.payload.with_results(kept_flags), node.inputs, outputs, node.attributes)

    return Graph([without_unused_results(node) for node in graph.nodes], graph.results)
