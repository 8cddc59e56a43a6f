"""Common subexpression elimination: computations of the same values become one."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Hashable
from typing import Any

import numpy as np

from fastgrad._src.compiler.graph.graph import Graph, Kind, Node, Value
from fastgrad._src.compiler.passes.rewriting import have_same_type, is_pure, rewritten


def merge_common(graph: Graph) -> Graph:
    """Returns the graph with one node in place of several that compute the same values.

    The same are: operations of the same row on the same values with the same attributes; constants, bit by bit;
    reads of a variable that no node has changed in between, and the value that it was assigned last; guards of one
    value. Attributes are compared by type and bits: 1, 1.0 and True differ, and so do 0.0 and -0.0, while NaN equals
    itself. Nodes with an effect are never merged; random operations are merged if they draw by the same words.

    Args:
        graph: the graph; it is not changed.
    """
    values_by_key: dict[Hashable, tuple[Value, ...]] = {}
    state: dict[int, Value] = {}  # by variable: the value of the program that it holds, if known

    def merge(node: Node) -> Node | tuple[Value, ...]:
        match node.kind:
            case Kind.READ:
                current = state.setdefault(id(node.payload), node.outputs[0])
                return (
                    node if current is node.outputs[0] or not have_same_type(current, node.outputs[0]) else (current,)
                )
            case Kind.ASSIGN:
                state[id(node.payload)] = node.inputs[0]
                return node
        key = _computation_key(node)
        if key in values_by_key:
            return values_by_key[key]
        if key is not None:
            values_by_key[key] = node.outputs
        return node

    return rewritten(graph, merge)


def _computation_key(node: Node) -> Hashable:
    """Returns a key that nodes share if they compute the same values; None for nodes that are never merged."""
    match node.kind:
        case Kind.CONSTANT:
            return (Kind.CONSTANT, array_key(node.payload))
        case Kind.GUARD:
            return (Kind.GUARD, node.payload, id(node.inputs[0]))
        case Kind.OPERATION if is_pure(node) and node.lowering.merges:
            attributes = plain_key(node.attributes)
            return None if attributes is None else (id(node.payload), tuple(map(id, node.inputs)), attributes)
    return None


def plain_key(value: Any) -> Hashable:
    """Returns a key that two plain Python values share if and only if type and bits are equal; None if there is none.

    Args:
        value: None, a bool, number, string, bytes, dtype or NumPy scalar, or a tuple, list or dict of such.
    """
    kind = type(value)
    if value is None or kind in _KINDS_WITH_EQUAL_BITS:
        return (kind, value)
    if kind is float:
        return (kind, struct.pack("d", value))
    if kind is complex:
        return (kind, struct.pack("dd", value.real, value.imag))
    if kind in (tuple, list):
        return _container_key(kind, value)
    if kind is dict:
        return _container_key(kind, [part for name in sorted(value) for part in (name, value[name])])
    if isinstance(value, np.generic) and kind is not np.object_:
        return (kind, value.tobytes())
    return (kind, value) if isinstance(value, np.dtype) else None


_KINDS_WITH_EQUAL_BITS = (int, str, bool, bytes)
# Equal values of one of these types have equal bits.


def _container_key(kind: type, parts: Any) -> Hashable:
    keys = tuple([plain_key(part) for part in parts])
    return None if None in keys else (kind, keys)


def array_key(array: np.ndarray) -> Hashable:
    """Returns a key that arrays of the same dtype and shape share if and only if they have the same bits."""
    if array.dtype.kind == "O":
        return (array.dtype, array.shape, tuple(array.ravel().tolist()))
    data = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    # The key of a large array is its hash (BLAKE2b, 64 bytes): no second copy, and collisions do not occur in practice.
    bits = data.tobytes() if data.size <= 64 else hashlib.blake2b(data.data).digest()
    return (array.dtype, array.shape, bits)
