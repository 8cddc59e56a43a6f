"""Transposed operands of a matrix product become ``transpose_a`` and ``transpose_b`` of the product.

The algebraic rule of the same name leaves the small products whose eager bits depend on it. Compiled functions need no eager
bits, so this pass absorbs those, too.
"""

from __future__ import annotations

from fastgrad._src.compiler.graph.graph import Graph, Node
from fastgrad._src.compiler.passes.algebra_rules import ValueFacts, with_absorbed_transposes
from fastgrad._src.compiler.passes.rewriting import op_name, rewritten


def absorb_transposes(graph: Graph) -> Graph:
    """Returns the graph whose matrix products read what their operands are the transposes of.

    Args:
        graph: the graph; it is not changed. Transposes that nothing reads any more stay.
    """
    facts = ValueFacts()

    def absorb(node: Node) -> Node:
        if op_name(node) == "matmul":
            node = with_absorbed_transposes(node, facts) or node
        facts.add(node)
        return node

    return rewritten(graph, absorb)
