"""Branches as one operation: an index, and a graph for each branch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import compress
from typing import Any

import numpy as np

from fastgrad._src.compiler.control_flow.control_flow_operation import ControlFlowOperation, results_with_gradient_to
from fastgrad._src.compiler.control_flow.graph_operation import GraphOperation
from fastgrad._src.compiler.control_flow.native_branches import launches_of_branches
from fastgrad._src.compiler.control_flow.subgraph_operation import Flags
from fastgrad._src.compiler.graph.graph import Graph
from fastgrad._src.core.result_rules import ArraySpec
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.kernels.runtime.launch import Launches


class Branches(ControlFlowOperation):
    """An operation that runs one of several graphs, selected by an index.

    The inputs are an index, which is a boolean or an integer of one element, and the inputs of the graphs. An index out of
    range selects the last graph.

    Args:
        branches: graphs with the same arguments and the same types of results.
        name: shown in graphs, errors and reports.
        residual_variant: see ``SubgraphOperation``.

    Attributes:
        branches, residual_variant: as given.
    """

    def __init__(
        self, branches: Sequence[GraphOperation], name: str, residual_variant: Callable[..., Any] | None = None
    ) -> None:
        super().__init__(name)
        self.residual_variant = residual_variant
        self.branches = tuple(branches)
        self.checks = any(branch.checks for branch in branches)
        self.gives = len(branches[0].graph.results)
        self.loops_with_capacity = [loop for branch in branches for loop in branch.loops_with_capacity]
        self._reduced: dict[Flags, Branches] = {}

    @property
    def graphs(self) -> dict[str, Graph]:
        """The graphs of the branches by name, for the text of a graph."""
        return {f"branch {number}": branch.graph for number, branch in enumerate(self.branches)}

    def launches(self, inputs: Any, outputs: Any) -> Launches | None:
        """Returns the kernel of branches that are all native."""
        return launches_of_branches(self, inputs, outputs)

    def branch_number(self, index: np.ndarray) -> int:
        """Returns the number of the branch that an index selects."""
        number = int(index.reshape(()))
        return number if 0 <= number < len(self.branches) else len(self.branches) - 1

    def run(self, index: np.ndarray, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        return self.branches[self.branch_number(index)].run(*arrays)

    def result(self, *inputs: Any) -> tuple[ArraySpec, ...]:
        """The result rule: the shapes and dtypes of the results of each branch."""
        return self.branches[0].result()

    def run_on_tensors(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        return self.branches[self.branch_number(inputs[0]._on_host())](*inputs[1:])

    @property
    def result_count(self) -> int:
        return self.gives

    def results_to_keep(self, used: Flags) -> Flags:
        """Returns flags of the results that can't be removed if only the results ``used`` are read: ``used`` itself."""
        return used

    def with_results(self, kept: Flags) -> Branches:
        """Returns the branches without their unused results, for programs that only run forward."""
        reduced = self._reduced.get(kept)
        if reduced is None:
            graphs = [Graph(branch.graph.nodes, compress(branch.graph.results, kept)) for branch in self.branches]
            operations = [GraphOperation(graph, "branch") for graph in graphs]
            reduced = self._reduced[kept] = Branches(operations, self.name, self.residual_variant)
        return reduced

    def _results_with_gradient_to(self, input_flags: Flags) -> Iterable[bool]:
        reached = [results_with_gradient_to(branch.graph, input_flags[1:]) for branch in self.branches]
        return map(any, zip(*reached, strict=True))
