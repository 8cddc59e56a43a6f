"""Operations made of equal graphs are one object, so that recordings of the same loop can be traces of one program."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Hashable, Sequence
from typing import Any, TypeVar

from fastgrad._src.compiler.graph.graph import Graph, Kind, Node
from fastgrad._src.compiler.passes.graph_structure import graph_key
from fastgrad._src.compiler.passes.merge_common import array_key, plain_key

Operation = TypeVar("Operation")

_operations: weakref.WeakValueDictionary[Hashable, Any] = weakref.WeakValueDictionary()


def shared_operation(graphs: Sequence[Graph], options: Hashable, make: Callable[[], Operation]) -> Operation:
    """Returns the live operation that was made from equal graphs and options, else a new one from ``make()``.

    Args:
        graphs: of arguments, constants and operations.
        options: the other inputs of ``make``.
        make: called if there is none.
    """
    keys = tuple([graph_key(graph, _node_key) for graph in graphs])
    if None in keys:
        return make()
    key = (keys, options)
    result = _operations.get(key)
    if result is None:
        result = make()
        _operations[key] = result  # its graphs keep the objects alive whose ids are in the key
    return result


def _node_key(node: Node) -> Hashable:
    """Returns a hashable key that equal arguments, constants and operations share; None for others."""
    identity: Hashable = None
    if node.kind is Kind.ARGUMENT:
        identity = node.payload
    elif node.kind is Kind.CONSTANT:
        identity = array_key(node.payload)
    elif node.kind is Kind.OPERATION and (attributes := plain_key(node.attributes)) is not None:
        identity = (id(node.payload), attributes)
    return None if identity is None else (identity, *[(value.shape, value.dtype) for value in node.outputs])
