"""Joins a loss whose cotangent does not depend on it with its gradient, so that one pass over the logits computes both.

The cotangent of averaged losses is a constant, and the cotangent of weighted losses is the weights. Neither depends on the losses. The
probabilities, which only the gradient reads, are not stored.
"""

from __future__ import annotations

from fastgrad._src.compiler.graph.graph import Graph, Kind, Node, Value, uses_of
from fastgrad._src.compiler.passes.rewriting import is_pure, operation_of
from fastgrad._src.core.operation import Operation

_MOST_MOVED_NODES = 8
# The most operations that are moved up, for the cotangent.


def join_losses(graph: Graph) -> Graph:
    """Returns the graph with a loss and its gradient in one node where this is possible.

    Args:
        graph: the graph; it is not changed.
    """
    losses = {
        id(node.outputs[1]): (i, *node.lowering.loss)
        for i, node in enumerate(graph.nodes)
        if node.lowering.loss is not None
    }
    if not losses:
        return graph
    gradient_operations = {gradient_operation for _, gradient_operation, _ in losses.values()}
    uses = uses_of(graph)
    producers = {id(value): i for i, node in enumerate(graph.nodes) for value in node.outputs}
    nodes_at: dict[int, list[Node]] = {}  # by the position of a loss: the nodes to put there
    removed_nodes: set[int] = set()
    for node in graph.nodes:
        if node.kind is not Kind.OPERATION or node.payload not in gradient_operations:
            continue
        g, probabilities, labels = node.inputs
        at, gradient_operation, joint_operation = losses.get(id(probabilities), (-1, None, None))
        if at < 0 or uses[id(probabilities)] > 1 or at in nodes_at:
            continue
        loss = graph.nodes[at]
        earlier_nodes = _movable_producers(graph, producers, g, at, gradient_operations)
        if node.payload is not gradient_operation or labels is not loss.inputs[1] or earlier_nodes is None:
            continue
        joint = Node(Kind.OPERATION, joint_operation, (g, *loss.inputs), (loss.outputs[0], node.outputs[0]))
        nodes_at[at] = [*earlier_nodes, joint]
        removed_nodes.update(map(id, (loss, node, *earlier_nodes)))
    nodes: list[Node] = []
    placed_ids: set[int] = set()
    for position, node in enumerate(graph.nodes):
        for new_node in nodes_at.get(position, ()):
            if id(new_node) not in placed_ids:  # two losses may have one cotangent
                placed_ids.add(id(new_node))
                nodes.append(new_node)
        if id(node) not in removed_nodes:
            nodes.append(node)
    return Graph(nodes, graph.results)


def _movable_producers(
    graph: Graph, made_at: dict[int, int], value: Value, first_position: int, gradient_operations: set[Operation]
) -> list[Node] | None:
    """Returns the nodes at or after a position that compute a value, in order; None if they can't move before it."""
    positions: set[int] = set()
    waiting = [value]
    while waiting:
        position = made_at[id(waiting.pop())]
        if position < first_position or position in positions:
            continue
        node = graph.nodes[position]
        if (
            len(positions) == _MOST_MOVED_NODES
            or node.lowering.loss is not None
            or operation_of(node) in gradient_operations
            or not (is_pure(node) or node.kind is Kind.CONSTANT)
        ):
            return None
        positions.add(position)
        waiting += node.inputs
    return [graph.nodes[position] for position in sorted(positions)]
