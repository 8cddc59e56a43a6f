"""Replaces rows by their ``reference``, which computes them by simpler operations.

A GPU runs the references instead of a CPU's fused kernels. Batching runs them instead of rows without a rule.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from fastgrad._src.compiler.graph.graph import Graph, Kind, Node, Value
from fastgrad._src.compiler.passes.rewriting import Replacement, rewritten
from fastgrad._src.compiler.recording.record import Recording, hide_from_recordings
from fastgrad._src.core.operation import TABLE, Operation
from fastgrad._src.core.result_rules import ArraySpec
from fastgrad._src.core.tensor import Tensor


def expand_references(graph: Graph, is_expanded: Callable[[Operation], bool] = lambda row: True) -> Graph:
    """Returns the graph with rows replaced by the operations of their references.

    Args:
        graph: the graph; it is not changed.
        is_expanded: tells for a row that has a reference whether it is replaced.
    """

    def expanded(node: Node) -> Node | Replacement:
        if node.lowering.reference is None or not is_expanded(node.payload):
            return node
        specs = tuple([ArraySpec(value.shape, value.dtype) for value in node.inputs])
        recorded = _recorded_reference(node.payload.name, specs, _Attributes(node.attributes))
        return _copied(expand_references(recorded, is_expanded), node)

    return rewritten(graph, expanded)


class _Attributes(dict[str, Any]):
    """The attributes of a call as a key; 0.0 and -0.0 differ."""

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(repr(self))

    def __eq__(self, other: object) -> bool:
        return repr(self) == repr(other)


@functools.lru_cache(maxsize=64)
def _recorded_reference(name: str, specs: tuple[ArraySpec, ...], attributes: _Attributes) -> Graph:
    """Returns the graph of a reference, recorded on zeros."""
    reference = TABLE[name].lowering.reference
    assert reference is not None, name
    with hide_from_recordings():
        arguments = [Tensor(np.zeros(shape, dtype)) for shape, dtype in specs]
        with Recording(arguments) as recorder:
            results = reference(*arguments, **attributes)
        return recorder.graph(results if type(results) is tuple else (results,))


def _copied(graph: Graph, node: Node) -> Replacement:
    """Returns a copy of a recorded graph with the inputs of a node as its arguments."""
    values: dict[int, Value] = {}
    nodes: list[Node] = []
    for step in graph.nodes:
        if step.kind is Kind.ARGUMENT:
            values[id(step.outputs[0])] = node.inputs[step.payload]
            continue
        outputs = tuple([Value(value.shape, value.dtype, node.outputs[0].number) for value in step.outputs])
        values.update(zip(map(id, step.outputs), outputs, strict=True))
        inputs = tuple([values[id(value)] for value in step.inputs])
        nodes.append(Node(step.kind, step.payload, inputs, outputs, step.attributes))
    return Replacement(nodes, [values[id(value)] for value in graph.results])
