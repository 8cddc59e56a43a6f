"""Operations that do several things in one eager kernel become single operations, as their rows say (``decomposition``).

What follows a product is then fused with what follows that, and so are column sums with what makes their
input. Results change by rounding at most: a sum may be added up in another order.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from fastgrad.compiler.graph.graph import Graph, Kind, Node, Value
from fastgrad.operation import TABLE


class Parts:
    """Nodes in the place of one.

    Args:
        number: for text.
        draws: those that others have made, to which its own are added.
    """

    def __init__(self, number: int, draws: dict[Any, Value] | None = None) -> None:
        self.nodes: list[Node] = []
        self._number = number
        self._draws = {} if draws is None else draws

    def of(
        self, name: str, *inputs: Value, shape: tuple[int, ...], to: np.dtype | None = None, **attributes: Any
    ) -> Value:
        """The value of a row of the table, of the dtype ``to``, or of that of its first input."""
        value = Value(shape, inputs[0].dtype if to is None else to, self._number)
        self.nodes.append(Node(Kind.OPERATION, TABLE[name], inputs, (value,), attributes))
        return value

    def reshaped(self, x: Value, shape: tuple[int, ...]) -> Value:
        """The elements of a value in another shape."""
        value = Value(shape, x.dtype, self._number)
        self.nodes.append(Node(Kind.OPERATION, TABLE["reshape"], (x,), (value,), {"shape": shape}))
        return value

    def drawn(self, name: str, words: Value, shape: tuple[int, ...], dtype: np.dtype) -> Value:
        """A draw; each of them stands there once."""
        key = name, id(words), shape
        if key not in self._draws:
            self._draws[key] = Value(shape, dtype, self._number)
            self.nodes.append(Node(Kind.OPERATION, TABLE[name], (words,), (self._draws[key],), {"shape": shape}))
        return self._draws[key]

    def number(self, number: float, dtype: np.dtype) -> Value:
        """A constant scalar."""
        return self.constant(np.array(number, dtype))

    def constant(self, array: np.ndarray) -> Value:
        """A constant."""
        value = Value(array.shape, array.dtype, self._number)
        self.nodes.append(Node(Kind.CONSTANT, array, (), (value,)))
        return value


def decompose(graph: Graph) -> Graph:
    """The graph with the parts of operations in their place.

    Args:
        graph: left as it is.
    """
    stands_for: dict[int, Value] = {}
    draws: dict[Any, Value] = {}
    nodes: list[Node] = []
    for node in graph.nodes:
        inputs = tuple([stands_for.get(id(value), value) for value in node.inputs])
        rule = getattr(node.payload, "decomposition", None) if node.kind is Kind.OPERATION else None
        parts = Parts(node.outputs[0].number, draws) if rule is not None else None
        found = None if rule is None else rule(parts, *inputs, **node.attributes)
        if parts is None or found is None:
            nodes.append(node if inputs == node.inputs else replace(node, inputs=inputs))
            continue
        nodes += parts.nodes
        stands_for.update({id(old): new for old, new in zip(node.outputs, found, strict=True)})
    return Graph(nodes, [stands_for.get(id(value), value) for value in graph.results])
