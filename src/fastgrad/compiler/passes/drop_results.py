"""Results of branches and loops that nobody reads are dropped, with what computes them alone."""

from __future__ import annotations

from fastgrad.compiler.graph.graph import Graph, Kind, Node


def drop_results(graph: Graph) -> Graph:
    """The graph with fewer results of operations that are made of graphs.

    What a gradient would have read is there for each of them, in case that there is one.

    Args:
        graph: left as it is.
    """
    used = {id(value) for node in graph.nodes for value in node.inputs} | {id(value) for value in graph.results}

    def reduced(node: Node) -> Node:
        if node.kind is not Kind.OPERATION or not hasattr(node.payload, "with_results"):
            return node
        kept = node.payload.kept(tuple([id(value) in used for value in node.outputs]))
        if all(kept):
            return node
        outputs = tuple([value for value, keep in zip(node.outputs, kept, strict=True) if keep])
        return Node(node.kind, node.payload.with_results(kept), node.inputs, outputs, node.attributes)

    return Graph([reduced(node) for node in graph.nodes], graph.results)
