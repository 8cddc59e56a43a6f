"""Recorded programs with collectives, as text that is compared with the other ranks' text."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

from fastgrad._src.compiler.graph.graph import Graph, Kind, Node

_COMPARED_ATTRIBUTES = frozenset({"axis", "axes", "perm", "reduce_op"})
"""Attributes that are compared whatever their type; of others, texts and booleans. Numbers may depend on the batch."""


def compare_with_other_ranks(name: str, graph: Graph) -> None:
    """Compares a recorded program with those of the other ranks, if it has collectives.

    Args:
        name: of the function.
        graph: as recorded.

    Raises:
        UnavailableError: another rank has recorded another program, or has failed.
    """
    if not _has_collective(graph):
        return
    from fastgrad._src.kernels.collectives.agreement import agree_on_program

    if any(node.kind is Kind.GUARD for node in graph.nodes):  # the values of this rank chose the operations
        return
    types = [
        ", ".join(value.type_text for value in node.outputs)
        for node in graph.nodes
        if node.kind is Kind.ARGUMENT
        or (node.kind is Kind.CONSTANT and node.payload.ndim)  # batches, and captured data
    ]
    if not agree_on_program(name, types, list(_operation_lines(graph))):
        importlib.import_module("fastgrad._src.ops.collectives")._raise_failure()


def _has_collective(graph: Graph) -> bool:
    return any(
        node.is_collective or any(map(_has_collective, getattr(node.payload, "graphs", {}).values()))
        for node in graph.nodes
        if node.kind is Kind.OPERATION
    )


def _operation_lines(graph: Graph) -> Iterator[str]:
    """Yields the operations in order, without shapes that depend on the batch."""
    for node in graph.nodes:
        if node.kind in {Kind.READ, Kind.ASSIGN}:
            yield f"{node.kind.name.lower()} of a variable {node.payload._operand_dtype.name}{list(node.payload.shape)}"
        elif node.kind is Kind.OPERATION:
            yield _operation_line(node)
            for label, subgraph in getattr(node.payload, "graphs", {}).items():
                yield f"  {label}:"
                yield from (f"  {line}" for line in _operation_lines(subgraph))


def _operation_line(node: Node) -> str:
    row: Any = node.payload
    operands = [value.type_text if node.is_collective else value.dtype.name for value in node.inputs]
    attributes = [
        f"{key}={value!r}"
        for key, value in node.attributes.items()
        if isinstance(value, (str, bool)) or key in _COMPARED_ATTRIBUTES
    ]
    return f"{row.name}({', '.join(operands + attributes)})"
