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
        graph: of rows of the operation table; it is not changed.
    """
    return Graph([_with_bits_of_eager(node) for node in graph.nodes], graph.results)


def _with_bits_of_eager(node: Node) -> Node:
    if node.kind is not Kind.OPERATION or _has_bits_of_eager(node):
        return node
    return replace(node, payload=EagerRun(node.payload))


def _has_bits_of_eager(node: Node) -> bool:
    row: Any = node.payload
    values = (*node.inputs, *node.outputs)
    if row.lowering.views is not None:
        return True  # the elements move
    if any(value.dtype not in _DTYPES_WITH_BITS_OF_EAGER for value in values):
        return False
    if row.form is Form.ELEMENTWISE and row.lowering.code is not None:
        return row.lowering.rounds_as_run
    return getattr(row.run, "launches", None) is not None  # eager execution runs the same kernels
