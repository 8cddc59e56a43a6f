"""The gradient of branches: branches of the gradients.

Each branch returns its residuals as further results. All branches have the same results: a branch fills the residuals of
other branches with zeros. Forward and gradient are both branches, and so are all further derivatives.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import compress
from typing import Any

import numpy as np

from fastgrad._src.compiler.control_flow.branches import Branches
from fastgrad._src.compiler.control_flow.control_flow_operation import ReturnsResiduals, results_with_gradient_to
from fastgrad._src.compiler.control_flow.graph_operation import (
    GraphOperation,
    make_pullback,
    residuals_read_by_pullback,
    variant_and_pullback,
)
from fastgrad._src.compiler.control_flow.scan_gradient import run_pullback, zeros_like
from fastgrad._src.compiler.control_flow.subgraph_operation import Flags
from fastgrad._src.compiler.graph.graph import Graph, Kind, Node, Value
from fastgrad._src.compiler.recording.record import Recording
from fastgrad._src.core.operation import TABLE
from fastgrad._src.core.tensor import Tensor


def branches_with_residuals(branches: Branches, flags: Flags, inputs: Sequence[Tensor]) -> Branches | None:
    """Returns branches that return the residuals of their gradient as further results.

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
        for branch in branches.branches:
            reached = results_with_gradient_to(branch.graph, flags[1:])
            variant = variant_and_pullback(branch, flags[1:], reached, arrays)
            if variant is None:
                return None
            graph, pullback = variant[0].graph, variant[1]
            residuals = residuals_read_by_pullback(graph, pullback, len(arrays), graph.results[: branches.gives])
            graphs_and_residuals.append((graph, residuals))
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
    graphs = [_with_residual_results(graph, read, slots, branches.gives) for graph, read in graphs_and_residuals]
    return _ResidualBranches(branches, [GraphOperation(graph, "branch") for graph in graphs], branches.name)


def _with_residual_results(graph: Graph, residuals: list[Value], slots: list[Value], own_result_count: int) -> Graph:
    """Returns a branch's graph with a further result for each residual of any branch: the branch's own, or zeros."""
    nodes, results = list(graph.nodes), list(graph.results[:own_result_count])
    remaining = list(residuals)
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


class _ResidualBranches(ReturnsResiduals, Branches):
    """Branches with residuals as further results; a branch returns zeros for the residuals of other branches."""

    def _backward(self, needs: Flags, have: Flags, inputs: Any, y: Any, g: Any) -> Callable[[Any, Any, Any], Any]:
        graphs = []
        for branch in self.branches:
            # For a branch that was not taken, only the shapes of these results are right.
            arguments = [Tensor(x._on_host()) for x in (*inputs[1:], *y, *compress(g, have))]
            pullback = make_pullback(branch, needs[1:], have, arguments, dense=True)
            with Recording(arguments) as recorder:
                cotangents = run_pullback(pullback, arguments)
                needed_cotangents = [
                    zeros_like(x) if cotangent is None else cotangent
                    for x, cotangent, need in zip(arguments, cotangents, needs[1:], strict=False)
                    if need
                ]
            graphs.append(recorder.graph(needed_cotangents))
        operations = [GraphOperation(graph, "branch_gradient") for graph in graphs]
        gradient = Branches(operations, f"{self.name}_gradient", branches_with_residuals)
        return lambda inputs, y, g: gradient(*inputs, *y, *compress(g, have))
