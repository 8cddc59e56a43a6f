"""Replaces kernels that round differently from eager execution by calls of the functions that eager execution runs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from fastgrad._src.compiler.graph.graph import Graph, Kind, Node
from fastgrad._src.compiler.recording.unlisted_operation import UnlistedOperation
from fastgrad._src.core.operation import Form, Operation

_DTYPES_WITH_BITS_OF_EAGER = frozenset(map(np.dtype, ("float32", "float64", "bool", "int32", "int64", "uint8")))


class EagerRun(UnlistedOperation):
    """The ``run`` of a row, called at each replay."""

    def __init__(self, row: Operation) -> None:
        super().__init__(row.name, row.form)
        self.run = row.run  # type: ignore[method-assign]


def keep_eager_bits(graph: Graph) -> Graph:
    """Returns the graph with calls of ``run`` in place of operations whose kernels may give other bits.

    Args:
        graph: of rows of the operation table; it is not changed. Arguments that are not in row-major order have the
            attribute ``is_strided``.

    Raises:
        ValueError: a sum of an array in another order, which programs do not keep.
    """
    in_order: set[int] = set()
    nodes = []
    for node in graph.nodes:
        if node.kind is Kind.OPERATION:
            if _makes_array_in_order(node, in_order):
                in_order.update(map(id, node.outputs))
            if _depends_on_order(node) and not all(id(x) in in_order for x in node.inputs):
                raise ValueError(f"{node.payload.name}: the sums of eager execution follow the order in memory")
            if not has_bits_of_eager(node):
                node = replace(node, payload=EagerRun(node.payload))
        elif not node.attributes.get("is_strided"):
            in_order.update(map(id, node.outputs))
        nodes.append(node)
    return Graph(nodes, graph.results)


def _makes_array_in_order(node: Node, in_order: set[int]) -> bool:
    """True if eager execution gives arrays in row-major order, given the values that are arrays in this order."""
    if node.lowering.index_map.views is not None:
        return node.lowering.index_map.keeps_order and id(node.inputs[0]) in in_order
    if node.payload.form is Form.REDUCE:
        return id(node.inputs[0]) in in_order
    if node.payload.form is not Form.ELEMENTWISE:
        return True
    # NumPy's results have the order of the operands; if they differ, row-major order.
    (y,) = node.outputs
    return any(x.shape == y.shape and id(x) in in_order for x in node.inputs)


def _depends_on_order(node: Node) -> bool:
    return node.payload.form is Form.REDUCE or callable(node.lowering.rounds_as_run)


def has_bits_of_eager(node: Node) -> bool:
    """True if the kernels of an operation give the bits of its ``run`` on arrays in row-major order."""
    row: Any = node.payload
    if row.form is Form.INDEX_MAP:
        return True  # the elements move
    if any(value.dtype not in _DTYPES_WITH_BITS_OF_EAGER for value in (*node.inputs, *node.outputs)):
        return False
    known = row.lowering.rounds_as_run
    if callable(known):
        return known(node.inputs, node.outputs, **node.attributes)
    if known is not None:
        return bool(known)
    if row.form is Form.ELEMENTWISE and row.lowering.elementwise.term is not None:
        return True
    return getattr(row.run, "launches", None) is not None  # eager execution runs the same kernels
