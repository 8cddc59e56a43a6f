"""The gradient of branches: branches of the gradients.

Each branch returns its residuals as further results. All branches have the same results: a branch fills the residuals of
other branches with zeros. Forward and gradient are both branches, and so are all further derivatives.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastgrad.compiler.control_flow.branches import Branches
from fastgrad.compiler.control_flow.graph_operation import GraphOperation, Pullback, made_pullback
from fastgrad.compiler.control_flow.of_graphs import Flags
from fastgrad.compiler.control_flow.scan_gradient import ran, zeros_like
from fastgrad.compiler.control_flow.structured import leads, spread_out, wanted
from fastgrad.compiler.graph.graph import Graph, Kind, Node, Value
from fastgrad.compiler.graph.interpret import interpret
from fastgrad.compiler.recording.record import Recording, apart
from fastgrad.core.operation import TABLE
from fastgrad.core.tensor import Tensor


def keeping(branches: Branches, flags: Flags, inputs: Sequence[Tensor]) -> Branches | None:
    """Returns branches that also return the residuals.

    Args:
        branches: the branches themselves.
        flags: for each input whether gradients with respect to it are wanted.
        inputs: of the branches.

    Returns:
        Branches with more results. None if a gradient depends on values in Python, or if a branch that is not taken can't run on
        these inputs, so that its gradient is still unknown.
    """
    arrays = [x._on_host() for x in inputs[1:]]
    graphs_and_residuals = []
    try:
        with apart():
            for branch in branches.branches:
                tensors = [Tensor(x) for x in arrays]
                variant, results = branch.ran_forward(
                    flags[1:], tensors, lambda forward: interpret(forward.graph, arrays)
                )
                reached = leads(branch.graph, flags[1:])
                have = (*reached, *[False] * (len(results) - branches.gives))
                cotangents = [np.ones_like(y) for y, has_cotangent in zip(results, have, strict=True) if has_cotangent]
                tensors += [Tensor(x) for x in (*results, *cotangents)]
                pullback = made_pullback(variant, flags[1:], have, tensors, dense=True)
                if pullback.operation is not None and any(n.kind is Kind.GUARD for n in pullback.operation.graph.nodes):
                    return None
                graphs_and_residuals.append(
                    (variant.graph, _read(variant.graph, pullback, len(arrays), branches.gives))
                )
    except Exception:  # noqa: BLE001  # a branch raises its error when it is taken
        return None
    slots: list[Value] = []
    for _, read in graphs_and_residuals:
        free = list(slots)
        for value in read:
            slot = next((s for s in free if (s.shape, s.dtype) == (value.shape, value.dtype)), None)
            if slot is None:
                slots.append(value)
            else:
                free.remove(slot)
    graphs = [_filled(graph, read, slots, branches.gives) for graph, read in graphs_and_residuals]
    return _Keeping(branches, [GraphOperation(graph, "branch") for graph in graphs])


def _read(graph: Graph, pullback: Pullback, count: int, gives: int) -> list[Value]:
    """Returns the values that a gradient reads, other than inputs and results."""
    available = {id(node.outputs[0]) for node in graph.nodes if node.kind is Kind.ARGUMENT}
    available |= {id(value) for value in graph.results[:gives]}
    read = [graph.results[i - count] for i in pullback.used if 0 <= i - count < len(graph.results)]
    return list({id(value): value for value in read if id(value) not in available}.values())


def _filled(graph: Graph, read: list[Value], slots: list[Value], gives: int) -> Graph:
    """Returns a branch's graph with a result for each slot: a residual, or zeros."""
    nodes, results = list(graph.nodes), list(graph.results[:gives])
    remaining = list(read)
    number = max([value.number for node in nodes for value in node.outputs], default=-1) + 1
    for slot in slots:
        value = next((v for v in remaining if (v.shape, v.dtype) == (slot.shape, slot.dtype)), None)
        if value is not None:
            remaining.remove(value)
        else:
            zero, value = Value((), slot.dtype, number), Value(slot.shape, slot.dtype, number + 1)
            number += 2
            nodes.append(Node(Kind.CONSTANT, np.zeros((), slot.dtype), outputs=(zero,)))
            nodes.append(Node(Kind.OPERATION, TABLE["broadcast_to"], (zero,), (value,), {"shape": slot.shape}))
        results.append(value)
    return Graph(nodes, results)


class _Keeping(Branches):
    """Branches that also return the residuals; a branch without a residual returns zeros for it."""

    def __init__(self, origin: Branches, branches: Sequence[GraphOperation]) -> None:
        super().__init__(branches, origin.name)
        self._made_of = origin  # keeps it alive, so that equal branches are the same object (equal_graphs.py)
        self._backwards: dict[tuple[Flags, Flags], Branches] = {}

    def keeping(self, flags: Flags, inputs: Sequence[Tensor]) -> None:
        """Returns None: the residuals are among the results already."""

    def _cotangents(self, needs: Flags, g: Any, y: Any, *inputs: Tensor) -> list[Any]:
        results = y if type(y) is tuple else (y,)
        needs, have, cotangents = wanted(needs, g, inputs)
        needs = self.leading(needs, have)
        if True not in needs:
            return [None] * len(inputs)
        gradient = self._backwards.get((needs, have))
        if gradient is None:
            with apart():
                gradient = self._backwards[needs, have] = self._backward(needs, have, inputs, results, cotangents)
        return spread_out(needs, gradient(*inputs, *results, *cotangents))

    def _backward(
        self, needs: Flags, have: Flags, inputs: Sequence[Tensor], results: Sequence[Tensor], given: Sequence[Tensor]
    ) -> Branches:
        graphs = []
        for branch in self.branches:
            # For a branch that was not taken, only the shapes of these results are right.
            arguments = [Tensor(x._on_host()) for x in (*inputs[1:], *results, *given)]
            pullback = made_pullback(branch, needs[1:], have, arguments, dense=True)
            with Recording(arguments) as recorder:
                cotangents = ran(pullback, arguments)
                needed_cotangents = [
                    zeros_like(x) if cotangent is None else cotangent
                    for x, cotangent, need in zip(arguments, cotangents, needs[1:], strict=False)
                    if need
                ]
            graphs.append(recorder.graph(needed_cotangents))
        return Branches([GraphOperation(graph, "branch_gradient") for graph in graphs], f"{self.name}_gradient")
