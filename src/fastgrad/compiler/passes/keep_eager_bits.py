"""Operations whose kernels round in another way than eager execution become calls of what eager execution runs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from fastgrad.compiler.graph.graph import Graph, Kind, Node
from fastgrad.compiler.recording.unlisted_operation import UnlistedOperation
from fastgrad.core.operation import Form, Operation

_DTYPES_WITH_BITS_OF_EAGER = frozenset(map(np.dtype, ("float32", "float64", "bool", "int32", "int64", "uint8")))


class EagerRun(UnlistedOperation):
    """The ``run`` of a row, called at each replay."""

    def __init__(self, row: Operation) -> None:
        super().__init__(row.name, row.form)
        self.run = row.run  # type: ignore[method-assign]


def keep_eager_bits(graph: Graph) -> Graph:
    """Returns the graph with calls of ``run`` in place of operations whose kernels may give other bits.

    Args:
        graph: of rows of the operation table, whose arguments are arrays in row-major order; it is not changed.
    """
    in_order = {id(value) for node in graph.nodes if node.kind is not Kind.OPERATION for value in node.outputs}
    nodes = []
    for node in graph.nodes:
        if node.kind is Kind.OPERATION:
            if _makes_array_in_order(node, in_order):
                in_order.update(map(id, node.outputs))
            if not has_bits_of_eager(node, in_order):
                node = replace(node, payload=EagerRun(node.payload))
        nodes.append(node)
    return Graph(nodes, graph.results)


def _makes_array_in_order(node: Node, in_order: set[int]) -> bool:
    """True if eager execution gives arrays in row-major order, given the values that are arrays in this order."""
    if node.lowering.views is not None:
        return node.lowering.keeps_order and id(node.inputs[0]) in in_order
    if node.payload.form is not Form.ELEMENTWISE:
        return True
    # NumPy's results have the order of the operands; if they differ, row-major order.
    (y,) = node.outputs
    return any(x.shape == y.shape and id(x) in in_order for x in node.inputs)


def has_bits_of_eager(node: Node, in_order: set[int]) -> bool:
    """True if the kernels of an operation give the bits of its ``run``.

    Args:
        node: the operation.
        in_order: the ids of the values that are arrays in row-major order.
    """
    row: Any = node.payload
    if row.form is Form.INDEX_MAP:
        return True  # the elements move
    if any(value.dtype not in _DTYPES_WITH_BITS_OF_EAGER for value in (*node.inputs, *node.outputs)):
        return False
    known = row.lowering.rounds_as_run
    if callable(known):  # these sums depend on the order in memory
        is_in_order = all(id(x) in in_order for x in node.inputs)
        return is_in_order and known(node.inputs, node.outputs, **node.attributes)
    if known is not None:
        return bool(known)
    if row.form is Form.ELEMENTWISE and row.lowering.code is not None:
        return True
    return getattr(row.run, "launches", None) is not None  # eager execution runs the same kernels
