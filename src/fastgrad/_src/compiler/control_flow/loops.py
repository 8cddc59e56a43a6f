"""Loops as one operation: a graph that runs repeatedly.

A loop carries values from iteration to iteration, takes one row of each of several tensors in each iteration, and stacks the
other results of an iteration. It ends after the last row, or when a second graph, its condition, says so, or after a number of
iterations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from fastgrad._src.compiler.control_flow.control_flow_operation import ControlFlowOperation, results_with_gradient_to
from fastgrad._src.compiler.control_flow.graph_operation import GraphOperation
from fastgrad._src.compiler.control_flow.native_loops import launches_of_loop
from fastgrad._src.compiler.control_flow.subgraph_operation import Flags
from fastgrad._src.compiler.graph.graph import Graph, Kind, Node
from fastgrad._src.compiler.graph.interpret import GuardError
from fastgrad._src.core.operation import TABLE
from fastgrad._src.core.placement import move_to_device
from fastgrad._src.core.result_rules import ArraySpec
from fastgrad._src.core.tensor import Tensor, constant_tensor
from fastgrad._src.kernels.runtime.launch import Launches


class Loop(ControlFlowOperation):
    """An operation that runs a graph repeatedly: a scan, or a loop with a condition.

    Its inputs are the carried values, tensors of which each iteration takes one row, the values that all iterations read
    (captured), and, if it is ``limited`` or ``counted``, a number of iterations. Its results are the carried values after the last
    iteration, the other results of the iterations, stacked, and, if it ``counts``, the number of iterations.

    Args:
        body: takes the carried values, a row of each tensor, and the captured values; returns the next carried values, and more.
        condition: takes the same, without rows; returns one boolean. None if the rows decide the number of iterations.
        carried: number of carried values.
        trips: number of rows; None with a condition.
        limited: whether its last input is the greatest number of iterations.
        reverse: whether the last row comes first.
        name: shown in graphs, errors and reports.
        most: with a condition and stacked results, the capacity in iterations; with more it raises ``GuardError``.
        origin: with ``most``, the loop without it, from which this one was made.
        counts: whether it returns the number of iterations, an int64.
        counted: whether its last input is the number of rows to iterate over.
        residual_variant: see ``SubgraphOperation``.

    Attributes:
        body, condition, carried, trips, limited, reverse, most, origin, counts, counted, residual_variant: as given.
        rows: number of tensors whose rows are taken.
        length: the number of rows of stacked results.
        gives: number of results, without the number of iterations.
        needed_capacity: the capacity that loops made from it have needed so far. It is the only thing about a loop that changes, as equal
            loops are one object (shared_operations.py).
    """

    def __init__(  # noqa: PLR0913  # each option is a part of a loop's description
        self,
        body: GraphOperation,
        condition: GraphOperation | None,
        *,
        carried: int,
        rows: int,
        trips: int | None,
        limited: bool,
        reverse: bool,
        name: str,
        most: int | None = None,
        origin: Loop | None = None,
        counts: bool = False,
        counted: bool = False,
        residual_variant: Callable[..., Any] | None = None,
    ) -> None:
        super().__init__(name)
        self.body, self.condition, self.carried, self.rows = body, condition, carried, rows
        self.trips, self.limited, self.reverse = trips, limited, reverse
        self.most, self.origin, self.counts, self.counted = most, origin, counts, counted
        self.residual_variant = residual_variant
        self.length = most or trips or 0
        self.checks = body.checks or (condition is not None and condition.checks)
        self.gives = len(body.graph.results)
        self.needed_capacity = 0
        self._reduced: dict[Flags, Loop] = {}

    @property
    def graphs(self) -> dict[str, Graph]:
        """The graphs of the loop by name, for the text of a graph."""
        condition = {} if self.condition is None else {"condition": self.condition.graph}
        return {**condition, "trip": self.body.graph}

    @property
    def constructor_options(self) -> dict[str, Any]:
        """The keyword arguments of the loop besides its graphs, for an equal loop of other graphs."""
        names = "carried rows trips limited reverse name most origin counts counted residual_variant"
        return {name: getattr(self, name) for name in names.split()}

    def split_inputs(self, inputs: Any) -> tuple[list[Any], list[Any], list[Any], Any]:
        """Returns the inputs as carried values, rows, captured values, and the number of iterations if there is one."""
        listed = list(inputs)
        number = listed.pop() if self.limited or self.counted else None
        ends = self.carried, self.carried + self.rows
        return listed[: ends[0]], listed[ends[0] : ends[1]], listed[ends[1] :], number

    @property
    def loops_with_capacity(self) -> list[Loop]:  # type: ignore[override]  # a property, as the loop itself may be in it
        """The loops with a capacity: this one, and loops in its graphs."""
        operations = [self.body] if self.condition is None else [self.body, self.condition]
        return [
            *([] if self.most is None else [self]),
            *[loop for operation in operations for loop in operation.loops_with_capacity],
        ]

    def has_next_iteration(self, iterations_done: int, carried: list[Any], captured: list[Any], number: Any) -> bool:
        """True if another iteration follows after ``iterations_done`` iterations.

        Raises:
            GuardError: its number is beyond the capacity.
        """
        if self.condition is None:
            return iterations_done < self.iteration_count_of_rows(number)
        if number is not None and iterations_done >= int(number):
            return False
        if not self.condition.run(*carried, *captured)[0].reshape(()):
            return False
        if self.most is not None and iterations_done >= self.most:
            raise self.double_capacity()
        return True

    def double_capacity(self) -> GuardError:
        """Doubles ``origin.needed_capacity``; returns the ``GuardError`` to raise for too many iterations."""
        assert self.most is not None
        assert self.origin is not None
        self.origin.needed_capacity = max(self.origin.needed_capacity, 2 * self.most)
        return GuardError(Node(Kind.GUARD, ("int", self.most)), self.most + 1)

    def iteration_count_of_rows(self, count_input: Any) -> int:
        """Returns the number of iterations of a loop over rows."""
        return int(count_input) if self.counted else (self.trips or 0)

    def run(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        carried, rows, captured, number = self.split_inputs(arrays)
        stacks = self.zero_filled_stacks()
        total = self.iteration_count_of_rows(number)
        iteration = 0
        while self.has_next_iteration(iteration, carried, captured, number):
            row = self.row_number(iteration, total)
            outputs = self.body.run(*carried, *[x[row, ...] for x in rows], *captured)
            carried = list(outputs[: self.carried])
            for stack, y in zip(stacks, outputs[self.carried :], strict=True):
                stack[row] = y
            iteration += 1
        return (*carried, *stacks, *([np.array(iteration, np.int64)] if self.counts else []))

    def result(self, *inputs: Any) -> tuple[ArraySpec, ...]:
        """The result rule: the carried values keep their shapes; a stack has a row for each iteration."""
        results = self.body.result()
        stacks = [ArraySpec((self.length, *y.shape), y.dtype) for y in results[self.carried :]]
        return (*results[: self.carried], *stacks, *([ArraySpec((), np.dtype(np.int64))] if self.counts else []))

    def zero_filled_stacks(self) -> list[np.ndarray]:
        """Returns zero-filled arrays for the loop's stacked results, a row for each iteration."""
        return [np.zeros(*stack) for stack in self.result()[self.carried : self.gives]]

    def launches(self, inputs: Any, outputs: Any) -> Launches | None:
        """Returns the kernel of a loop whose iterations are all native."""
        return launches_of_loop(self, inputs, outputs)

    def row_number(self, iterations_done: int, iteration_count: int) -> int:
        """Returns the number of the row of the next iteration, after ``iterations_done`` of ``iteration_count`` iterations."""
        return iteration_count - 1 - iterations_done if self.reverse else iterations_done

    def run_on_tensors(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        carried, rows, captured, number = self.split_inputs(inputs)
        number = None if number is None else number._on_host()
        sliced = [TABLE["unstack"](x, axis=0) for x in rows]
        sliced = [x if type(x) is tuple else (x,) for x in sliced]
        columns = [[constant_tensor(row) for row in stack] for stack in self.zero_filled_stacks()]
        fixed = [x._on_host() for x in captured]
        total = self.iteration_count_of_rows(number)
        iteration = 0
        while self.has_next_iteration(iteration, [x._on_host() for x in carried], fixed, number):
            row = self.row_number(iteration, total)
            outputs = self.body(*carried, *[x[row] for x in sliced], *captured)
            carried = list(outputs[: self.carried])
            for column, y in zip(columns, outputs[self.carried :], strict=True):
                column[row] = y
            iteration += 1
        stacked = [TABLE["stack"](*column, axis=0) for column in columns]
        return (*carried, *stacked, *([constant_tensor(np.array(iteration, np.int64))] if self.counts else []))

    @property
    def result_count(self) -> int:
        return self.gives + self.counts

    def results_to_keep(self, used: Flags) -> Flags:
        """Returns flags of the results that can't be removed if only ``used`` are read: carried values always stay."""
        return (*[True] * self.carried, *used[self.carried : self.gives], *[True] * self.counts)

    def with_results(self, kept: Flags) -> Loop:
        """Returns the loop without its unused results, for programs that only run forward."""
        reduced = self._reduced.get(kept)
        if reduced is None:
            graph = self.body.graph
            results = [value for value, keep in zip(graph.results, kept, strict=False) if keep]
            body = GraphOperation(Graph(graph.nodes, results), self.body.name)
            options = self.constructor_options | {"most": self.most if len(results) > self.carried else None}
            reduced = self._reduced[kept] = Loop(body, self.condition, **options)
        return reduced

    # ---- dependencies --------------------------------------------------------------------------------

    def body_dependencies(self, flags: Flags) -> tuple[Flags, Flags]:
        """Returns flags of the body's inputs and results that depend on a marked input in some iteration."""
        carried, rows, captured, _ = self.split_inputs(flags)
        while True:
            inputs = (*carried, *rows, *captured)
            results = results_with_gradient_to(self.body.graph, inputs)
            reached_carried = [a or b for a, b in zip(carried, results, strict=False)]
            if reached_carried == carried:
                return inputs, results
            carried = reached_carried

    def _results_with_gradient_to(self, input_flags: Flags) -> Iterable[bool]:
        inputs, results = self.body_dependencies(input_flags)
        # Without an iteration the carried inputs are the results.
        return [result or (i < self.carried and inputs[i]) for i, result in enumerate(results)]


def trip_count(loop: Loop, arrays: Sequence[np.ndarray]) -> int:
    """Returns the number of iterations of a loop with a condition.

    Args:
        loop: the loop.
        arrays: its inputs.
    """
    carried, _, captured, number = loop.split_inputs([move_to_device(array, None) for array in arrays])
    iteration = 0
    while loop.has_next_iteration(iteration, carried, captured, number):
        carried = list(loop.body.run(*carried, *captured)[: loop.carried])
        iteration += 1
    return iteration
