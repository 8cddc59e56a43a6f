"""Replaces operations that have one eager kernel for several steps by their parts (``decomposition`` of their rows).

Operations that follow a product then fuse with their successors, and column sums fuse with the operations that make their
input. Results change by rounding at most: a sum may be added up in another order.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastgrad._src.compiler.graph.graph import Graph, Kind, Node, Value
from fastgrad._src.compiler.passes.rewriting import Replacement, rewritten
from fastgrad._src.core.operation import TABLE


class OperationBuilder:
    """A builder of the nodes that an operation is decomposed into.

    Args:
        number: the number of the new values, for text.
        draws: draws of other nodes, to which its own are added.
    """

    def __init__(self, number: int, draws: dict[Any, Value] | None = None) -> None:
        self.nodes: list[Node] = []
        self._number = number
        self._draws = {} if draws is None else draws

    def add(
        self, name: str, *inputs: Value, shape: tuple[int, ...], out_dtype: np.dtype | None = None, **attributes: Any
    ) -> Value:
        """Adds the operation ``name`` and returns its result; the dtype defaults to the dtype of the first input."""
        value = Value(shape, inputs[0].dtype if out_dtype is None else out_dtype, self._number)
        self.nodes.append(Node(Kind.OPERATION, TABLE[name], inputs, (value,), attributes))
        return value

    def reshaped(self, x: Value, shape: tuple[int, ...]) -> Value:
        """Adds a reshape and returns its value."""
        value = Value(shape, x.dtype, self._number)
        self.nodes.append(Node(Kind.OPERATION, TABLE["reshape"], (x,), (value,), {"shape": shape}))
        return value

    def drawn(self, name: str, words: Value, shape: tuple[int, ...], dtype: np.dtype) -> Value:
        """Returns the value of a random draw; draws of equal name, key words and shape share one node."""
        key = name, id(words), shape
        if key not in self._draws:
            self._draws[key] = Value(shape, dtype, self._number)
            self.nodes.append(Node(Kind.OPERATION, TABLE[name], (words,), (self._draws[key],), {"shape": shape}))
        return self._draws[key]

    def number(self, number: float, dtype: np.dtype) -> Value:
        """Adds a constant scalar and returns its value."""
        return self.constant(np.array(number, dtype))

    def constant(self, array: np.ndarray) -> Value:
        """Adds a constant array and returns its value."""
        value = Value(array.shape, array.dtype, self._number)
        self.nodes.append(Node(Kind.CONSTANT, array, (), (value,)))
        return value


def decompose(graph: Graph) -> Graph:
    """Returns the graph with operations replaced by their decompositions.

    Args:
        graph: the graph; it is not changed.
    """
    draws: dict[Any, Value] = {}

    def decomposed(node: Node) -> Node | Replacement:
        rule = node.lowering.decomposition
        if rule is None:
            return node
        builder = OperationBuilder(node.outputs[0].number, draws)
        values = rule(builder, *node.inputs, **node.attributes)
        return node if values is None else Replacement(builder.nodes, values)

    return rewritten(graph, decomposed)
