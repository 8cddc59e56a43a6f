"""Replaces users' element-wise operations by the rows that they consist of, which fuse with all others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastgrad._src.compiler.graph.graph import Graph, Kind, Node, Value
from fastgrad._src.compiler.passes.rewriting import Replacement, rewritten
from fastgrad._src.core.operation import TABLE
from fastgrad._src.scalars.formulas import Term


def expand_formulas(graph: Graph) -> Graph:
    """Returns the graph with users' element-wise operations replaced by the operations of their formulas.

    Args:
        graph: the graph; it is not changed.
    """

    def expanded(node: Node) -> Node | Replacement:
        formula = _formula_of(node.payload, node.inputs) if node.kind is Kind.OPERATION else None
        if formula is None:
            return node
        nodes: list[Node] = []
        (output,) = node.outputs
        result = _expand_formula(formula, node.inputs, output.number, nodes)
        if result.shape != output.shape:
            value = Value(output.shape, output.dtype, output.number)
            nodes.append(Node(Kind.OPERATION, TABLE["broadcast_to"], (result,), (value,), {"shape": output.shape}))
            result = value
        return Replacement(nodes, (result,))

    return rewritten(graph, expanded)


def _formula_of(row: Any, inputs: Sequence[Value]) -> Any:
    return (
        None
        if row.lowering.elementwise.expansion is None
        else row.lowering.elementwise.expansion(tuple([value.dtype for value in inputs]))
    )


def _expand_formula(formula: Any, inputs: Sequence[Value], first_value_number: int, nodes: list[Node]) -> Value:
    """Returns the value of a formula; adds its nodes to ``nodes``."""
    values: dict[Term, Value] = dict(zip(formula.inputs, inputs, strict=True))
    for term in formula.terms:
        if term in values:
            continue
        operands = tuple([values[operand] for operand in term.operands])
        inner_formula = None if term.operation is None else _formula_of(term.operation.row, operands)
        if inner_formula is not None:
            values[term] = _expand_formula(inner_formula, operands, first_value_number, nodes)
            continue
        shape = np.broadcast_shapes(*[x.shape for x in operands])
        value = values[term] = Value(shape, term.dtype, first_value_number)
        if term.operation is None:
            nodes.append(Node(Kind.CONSTANT, np.asarray(term.value, term.dtype), (), (value,)))
        else:
            nodes.append(Node(Kind.OPERATION, term.operation.row, operands, (value,), term.operation.attributes))
    return values[formula.result]
