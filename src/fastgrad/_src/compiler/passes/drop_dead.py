"""Dead code elimination: removes nodes without an effect whose values are not needed."""

from __future__ import annotations

from fastgrad._src.compiler.graph.graph import Graph


def drop_dead(graph: Graph) -> Graph:
    """Returns the graph without nodes that neither a result nor an effect needs.

    Assignments, guards and checks are effects. A random operation may be removed; the assignment of its generator's state stays,
    so that the generator advances as in eager execution. An operation that fails on bad values (an index out of
    range, a singular matrix) is removed with its values, as in TensorFlow's functions.

    Args:
        graph: the graph; it is not changed.
    """
    needed = {id(value) for value in graph.results}
    live_nodes = []
    for node in reversed(graph.nodes):
        if not needed.isdisjoint(map(id, node.outputs)) or node.has_effect:
            live_nodes.append(node)
            needed.update(map(id, node.inputs))
    live_nodes.reverse()
    return Graph(live_nodes, graph.results)
