"""Reorders a large program's nodes: a node that frees more memory than it takes moves as early as possible.

Fusion puts a node with few dependencies where its result is first read. So an optimizer's numbers come before the updates
at the end, and so do the products that compute gradients. Until then the operands of these products would stay in memory.
"""

from __future__ import annotations

from fastgrad._src.compiler.graph.graph import Graph, Kind, size_of
from fastgrad._src.compiler.passes.rematerialize import is_memory_scarce
from fastgrad._src.compiler.passes.rewriting import is_pure
from fastgrad._src.compiler.programs.lowering import COMPUTING_KINDS, launches_of, may_stop_program


def move_freeing_nodes_up(graph: Graph) -> Graph:
    """Returns the graph with nodes moved up that free at least as much memory as their results need.

    Such a node comes after the nodes that make its inputs, after all readers of the variables that it may write to, and after
    the last node at which the program may stop.

    Args:
        graph: fused; it is not changed.
    """
    if not is_memory_scarce(graph):
        return graph
    makers = {id(value): i for i, node in enumerate(graph.nodes) for value in node.outputs}
    uses = _positions_of_readers(graph)
    assigned = {id(node.inputs[0]): node.payload for node in graph.nodes if node.kind is Kind.ASSIGN}
    stops = _last_stop_position(graph)
    position_of = list(range(len(graph.nodes)))  # for each node: the old position after which it comes, or its own
    for i, node in enumerate(graph.nodes):
        if node.kind in {Kind.READ, Kind.CONSTANT}:
            position_of[i] = -1  # a read may come first: assignments happen at the end
        if i <= stops or not (node.kind is Kind.FUSED or is_pure(node)):
            continue
        freed = [
            value
            for value in dict.fromkeys(node.inputs)
            if uses[id(value)][-1] == i and graph.nodes[makers[id(value)]].kind in COMPUTING_KINDS
        ]
        arena_results = [value for value in node.outputs if id(value) not in assigned]
        if sum(map(size_of, freed)) < sum(map(size_of, arena_results)):
            continue
        predecessors = [stops, *[position_of[makers[id(value)]] for value in node.inputs]]
        written_ids = {id(assigned[id(value)]) for value in node.outputs if id(value) in assigned}
        for value in node.inputs:
            maker = graph.nodes[makers[id(value)]]
            if maker.kind is Kind.READ and id(maker.payload) in written_ids:
                predecessors += [position_of[j] for j in uses[id(value)] if j < i]
        position_of[i] = max(predecessors)
    order = sorted(range(len(graph.nodes)), key=lambda i: (position_of[i], i))
    return Graph([graph.nodes[i] for i in order], graph.results)


def _positions_of_readers(graph: Graph) -> dict[int, list[int]]:
    """Returns the positions of the nodes that read each value, by its id; results are read after the last node."""
    uses: dict[int, list[int]] = {}
    for i, values in enumerate([*[node.inputs for node in graph.nodes], graph.results]):
        for value in values:
            uses.setdefault(id(value), []).append(i)
    return uses


def _last_stop_position(graph: Graph) -> int:
    """Returns the position of the last node at which the program may stop, -1 without such a node."""
    return next((i for i, node in reversed([*enumerate(graph.nodes)]) if may_stop_program(node, launches_of(node))), -1)
