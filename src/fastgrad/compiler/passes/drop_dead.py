"""Dead nodes are dropped: those that have no effect and whose values nobody needs."""

from __future__ import annotations

from fastgrad.compiler.graph.graph import Graph


def drop_dead(graph: Graph) -> Graph:
    """The graph without nodes that neither a result nor an effect needs.

    Assignments, guards and checks are effects. A random operation may go; the assignment of its generator's state stays, so
    that it moves on as it does when the program runs eagerly. An operation that fails on bad values (an index out of
    range, a singular matrix) goes with its values, as in TensorFlow's functions.

    Args:
        graph: left as it is.
    """
    needed = {id(value) for value in graph.results}
    kept = []
    for node in reversed(graph.nodes):
        if not needed.isdisjoint(map(id, node.outputs)) or node.has_effect:
            kept.append(node)
            needed.update(map(id, node.inputs))
    kept.reverse()
    return Graph(kept, graph.results)
