"""Algebraic simplification: removes operations that change nothing, and merges pairs of operations.

The rules of an operation are in its row (``simplifications``). Each rule keeps the bits of every result.
"""

from __future__ import annotations

from functools import cache

from fastgrad._src.compiler.graph.graph import Graph, Node, Value
from fastgrad._src.compiler.passes import algebra_rules
from fastgrad._src.compiler.passes.algebra_rules import Rule, ValueFacts
from fastgrad._src.compiler.passes.rewriting import rewritten
from fastgrad._src.core.operation import Operation


@cache
def rules_of(operation: Operation) -> tuple[Rule, ...]:
    """Returns the rules of an operation; each rule gets the node that the previous rule returned."""
    assert operation.lowering.simplifications is not None, operation
    return operation.lowering.simplifications(algebra_rules)


def simplify_algebra(graph: Graph) -> Graph:
    """Returns the graph with the rules of each node's operation applied to the node in order.

    Args:
        graph: the graph; it is not changed.
    """
    facts = ValueFacts()

    def simplify(node: Node) -> Node | tuple[Value, ...]:
        if node.lowering.simplifications is not None:
            for rule in rules_of(node.payload):
                replacement = rule(node, facts)
                if isinstance(replacement, Node):
                    node = replacement
                elif replacement is not None:
                    return replacement if type(replacement) is tuple else (replacement,)  # type: ignore[return-value]
        facts.add(node)
        return node

    return rewritten(graph, simplify)
