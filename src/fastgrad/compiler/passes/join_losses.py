"""A loss whose cotangent is known beforehand is computed with its gradient, in one pass over the logits.

The cotangent of a mean's losses is a constant, of a weighted one's the weights: it does not depend on the losses. The
probabilities, which were there for the gradient alone, are not kept.
"""

from __future__ import annotations

from fastgrad.compiler.graph.graph import Graph, Kind, Node, Value, uses_of
from fastgrad.compiler.passes.rewriting import is_pure, row_name
from fastgrad.operation import TABLE

_JOINED = {"sparse_softmax_cross_entropy": "sparse_softmax_cross_entropy_and_gradient"}
# Rows of logits and labels whose second result is what the row of the gradient reads, and what computes both.

_APART = frozenset({*_JOINED, *[f"{name}_gradient" for name in _JOINED]})

_FEW = 8
# So many operations at most are done earlier, for the cotangent.


def join_losses(graph: Graph) -> Graph:
    """The graph with a loss and its gradient in one node where that can be.

    Args:
        graph: left as it is.
    """
    losses = {id(node.outputs[1]): i for i, node in enumerate(graph.nodes) if row_name(node) in _JOINED}
    if not losses:
        return graph
    uses = uses_of(graph)
    made = {id(value): i for i, node in enumerate(graph.nodes) for value in node.outputs}
    before: dict[int, list[Node]] = {}  # by the position of a loss what stands there
    gone: set[int] = set()
    for node in graph.nodes:
        if row_name(node) not in _APART or len(node.inputs) != 3:
            continue
        g, probabilities, labels = node.inputs
        at = losses.get(id(probabilities))
        if at is None or uses[id(probabilities)] > 1 or at in before:
            continue
        loss = graph.nodes[at]
        earlier = _earlier(graph, made, g, at)
        if row_name(node) != f"{row_name(loss)}_gradient" or labels is not loss.inputs[1] or earlier is None:
            continue
        row = TABLE[_JOINED[loss.payload.name]]
        both = Node(Kind.OPERATION, row, (g, *loss.inputs), (loss.outputs[0], node.outputs[0]))
        before[at] = [*earlier, both]
        gone.update(map(id, (loss, node, *earlier)))
    nodes: list[Node] = []
    there: set[int] = set()
    for position, node in enumerate(graph.nodes):
        for one in before.get(position, ()):
            if id(one) not in there:  # two losses may have one cotangent
                there.add(id(one))
                nodes.append(one)
        if id(node) not in gone:
            nodes.append(node)
    return Graph(nodes, graph.results)


def _earlier(graph: Graph, made: dict[int, int], value: Value, at: int) -> list[Node] | None:
    """What makes a value, in order, of the nodes from a position on; None if they can't be done before that."""
    found: set[int] = set()
    waiting = [value]
    while waiting:
        position = made[id(waiting.pop())]
        if position < at or position in found:
            continue
        node = graph.nodes[position]
        if len(found) == _FEW or row_name(node) in _APART or not (is_pure(node) or node.kind is Kind.CONSTANT):
            return None
        found.add(position)
        waiting += node.inputs
    return [graph.nodes[position] for position in sorted(found)]
