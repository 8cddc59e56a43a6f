"""The gradient of a loop: a loop over rows, from the last iteration to the first.

The forward loop then has further results: the inputs of each iteration and its residuals, stacked, a row for each
iteration. They are the rows of the backward loop. It carries cotangents, and sums the cotangents of the values that all
iterations read. Forward and gradient are both loops over rows, and so are all further derivatives.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from math import prod
from typing import Any

import numpy as np

from fastgrad._src.compiler.control_flow.control_flow_operation import ReturnsResiduals
from fastgrad._src.compiler.control_flow.graph_operation import (
    GraphOperation,
    Pullback,
    arguments_of,
    make_pullback,
    residuals_read_by_pullback,
    run_nodes,
    variant_and_pullback,
    without_unread_arguments,
)
from fastgrad._src.compiler.control_flow.loops import Loop, trip_count
from fastgrad._src.compiler.control_flow.subgraph_operation import Flags
from fastgrad._src.compiler.graph.graph import Graph, Kind, Value
from fastgrad._src.compiler.passes.drop_dead import drop_dead
from fastgrad._src.compiler.recording.record import Recording
from fastgrad._src.core.operation import TABLE
from fastgrad._src.core.tensor import Tensor, constant_tensor


def loop_with_residuals(loop: Loop, flags: Flags, inputs: Sequence[Tensor]) -> Loop | None:
    """Returns a loop that returns the residuals of its gradient as further results.

    Args:
        loop: the loop; it is not changed.
        flags: for each input whether gradients with respect to it are wanted.
        inputs: of the loop.

    Returns:
        A loop with more results; None if an iteration's gradient depends on values in Python, which may differ between
        iterations.
    """
    body_flags, reached = loop.body_dependencies(flags)
    examples = _example_iteration_inputs(loop, inputs)
    variant = variant_and_pullback(loop.body, body_flags, reached, examples)
    if variant is None:
        return None
    graph, pullback = variant[0].graph, variant[1]
    argument_values = {node.payload: node.outputs[0] for node in graph.nodes if node.kind is Kind.ARGUMENT}
    carried_before = {j: argument_values[j] for j in range(loop.carried) if j in argument_values}
    besides = graph.results[loop.carried : loop.gives]
    residuals = residuals_read_by_pullback(graph, pullback, len(examples), besides)
    stacked = [*besides, *carried_before.values(), *residuals]
    body = GraphOperation(Graph(graph.nodes, [*graph.results[: loop.carried], *stacked]), loop.body.name)
    size = sum([value.dtype.itemsize * prod(value.shape) for value in stacked])
    capacity = loop.most
    if loop.condition is not None and capacity is None:
        capacity = max(_first_capacity(trip_count(loop, [x._on_host() for x in inputs]), size), loop.needed_capacity)
    return _ResidualLoop(loop, body, list(carried_before), capacity)


FIRST_WHILE_LOOP_STACK_BYTES = 1 << 18
LEAST_FIRST_CAPACITY_ITERATIONS, MOST_FIRST_CAPACITY_ITERATIONS = 16, 1024
"""Bytes of the stacks of a loop with a condition before it is known to need more, and bounds of its first capacity."""


def _first_capacity(iterations_done: int, row_bytes: int) -> int:
    """Returns the first capacity in iterations: twice ``iterations_done``, or more if their rows are small."""
    capacity = 1 << max(2 * iterations_done - 1, LEAST_FIRST_CAPACITY_ITERATIONS - 1).bit_length()
    return max(capacity, min(MOST_FIRST_CAPACITY_ITERATIONS, FIRST_WHILE_LOOP_STACK_BYTES // max(row_bytes, 1)))


def _example_iteration_inputs(loop: Loop, inputs: Sequence[Tensor]) -> list[np.ndarray]:
    carried, rows, captured, _ = loop.split_inputs([x._on_host() for x in inputs])
    row = _example_row(loop)
    return [*carried, *[x[row, ...] for x in rows], *captured]


def _example_row(loop: Loop) -> int:
    """Returns the number of a row that all of the loop's row tensors have, as an example of all rows."""
    return 0 if loop.condition is not None or loop.counted else loop.row_number(0, loop.iteration_count_of_rows(None))


class _ResidualLoop(ReturnsResiduals, Loop):
    """A loop with residuals as further results.

    Args:
        loop: the loop itself.
        body: its body, with more results.
        before: the carried values for which it stacks the inputs of each iteration.
        most: with a condition, the capacity.
    """

    def __init__(self, loop: Loop, body: GraphOperation, before: list[int], most: int | None) -> None:
        changes = {"most": most, "origin": loop.origin or loop, "counts": loop.condition is not None}
        super().__init__(loop, body, loop.condition, **loop.constructor_options | changes)
        self._before = {j: loop.gives + position for position, j in enumerate(before)}

    def _backward(self, needs: Flags, have: Flags, inputs: Any, y: Any, g: Any) -> Callable[[Any, Any, Any], Any]:
        return _BackwardLoop(self, self._before, needs, have, inputs, y, g)


class _BackwardLoop:
    """The gradient of a loop as a loop, for given flags of inputs and cotangents."""

    def __init__(
        self, loop: Loop, before: dict[int, int], needs: Flags, have: Flags, inputs: Any, y: Any, g: Any
    ) -> None:
        self._loop, self._needs, self._before = loop, needs, before
        flags, reached = loop.body_dependencies(needs)
        carried, count = loop.carried, len(flags)
        self._carried = [j for j in range(carried) if flags[j]]
        self._rows = [m for m in range(loop.rows) if flags[carried + m]]
        self._captured = [c for c in range(count - carried - loop.rows) if flags[carried + loop.rows + c]]
        self._given = [j for j in range(carried, loop.gives) if have[j] and reached[j]]
        body_have = tuple([j in self._carried or j in self._given for j in range(loop.gives)])
        pullback = self._pullback(flags, body_have, inputs, y, g)
        body = drop_dead(self._body(pullback, inputs, y, g))
        carried_count = len(self._carried) + len(self._captured)
        rows = loop.rows + (loop.gives - carried) + len(self._given)
        body, self._read = without_unread_arguments(body, carried_count)
        self.operation = Loop(
            GraphOperation(body, f"{loop.body.name}_gradient"),
            None,
            carried=carried_count,
            rows=sum([number < carried_count + rows for number in self._read]),
            trips=loop.length,
            limited=False,
            reverse=not loop.reverse,
            name=f"{loop.name}_gradient",
            counted=loop.counts or loop.counted,
            residual_variant=loop_with_residuals,
        )

    def __call__(self, inputs: Sequence[Tensor], y: Sequence[Tensor], g: Sequence[Any]) -> tuple[Tensor, ...]:
        """Returns the cotangents of the inputs that need one, in order."""
        start, rows, captured, _ = self._loop.split_inputs(inputs)
        cotangents = [zeros_like(start[j]) if g[j] is None else g[j] for j in self._carried]
        sums = [zeros_like(captured[c]) for c in self._captured]
        stacks = [*rows, *y[self._loop.carried : self._loop.gives], *[g[j] for j in self._given]]
        count = [y[-1]] if self._loop.counts else [inputs[-1]] if self._loop.counted else []
        arguments = [*cotangents, *sums, *stacks, *captured]
        results = iter(self.operation(*cotangents, *sums, *[arguments[number] for number in self._read], *count))
        carried = {j: next(results) for j in self._carried}
        fixed = {c: next(results) for c in self._captured}
        sliced = {m: next(results) for m in self._rows}
        ends = self._loop.carried, self._loop.carried + self._loop.rows
        return tuple(
            [
                carried[i] if i < ends[0] else sliced[i - ends[0]] if i < ends[1] else fixed[i - ends[1]]
                for i, need in enumerate(self._needs)
                if need
            ]
        )

    def _example_iteration(self, inputs: Any, y: Any, g: Any) -> tuple[list[Any], list[Any], list[Any], list[Any]]:
        """Returns arrays of one iteration: inputs, stacked results, and cotangents of carried and stacked values."""
        loop = self._loop
        start, rows, captured, _ = loop.split_inputs([x._on_host() for x in inputs])
        row = _example_row(loop)
        results = [x._on_host()[row, ...] for x in y[loop.carried : loop.gives]]
        carried = [
            results[self._before[j] - loop.carried] if j in self._before else start[j] for j in range(loop.carried)
        ]
        cotangents = [np.ones(start[j].shape, start[j].dtype) for j in self._carried]
        stacked_cotangents = [g[j]._on_host()[row, ...] for j in self._given]
        return [*carried, *[x[row, ...] for x in rows], *captured], results, cotangents, stacked_cotangents

    def _pullback(self, flags: Flags, have: Flags, inputs: Any, y: Any, g: Any) -> Pullback:
        trip, results, cotangents, stacked_cotangents = self._example_iteration(inputs, y, g)
        # A carried value is known only if it is also among the stacked results.
        return make_pullback(
            self._loop.body,
            flags,
            have,
            [Tensor(x) for x in (*trip, *results, *cotangents, *stacked_cotangents)],
            dense=True,
            returned_values=self._loop.body.graph.results[self._loop.carried :],
        )

    def _body(self, pullback: Pullback, inputs: Any, y: Any, g: Any) -> Graph:
        """Returns the graph of a backward iteration, which updates the cotangents of carried and captured values."""
        loop = self._loop
        trip, results, cotangents, stacked_cotangents = self._example_iteration(inputs, y, g)
        ends = loop.carried, loop.carried + loop.rows
        rows, captured = trip[ends[0] : ends[1]], trip[ends[1] :]
        sums = [np.zeros(captured[c].shape, captured[c].dtype) for c in self._captured]
        arguments = [Tensor(x) for x in (*cotangents, *sums, *rows, *results, *stacked_cotangents, *captured)]
        groups = iter(arguments)
        _, sums_before, row_arguments, result_arguments, stacked_arguments = (
            list(islice(groups, len(group))) for group in (cotangents, sums, rows, results, stacked_cotangents)
        )
        with Recording(arguments) as recorder:
            available = [
                *[
                    result_arguments[self._before[j] - loop.carried] if j in self._before else None
                    for j in range(ends[0])
                ],
                *row_arguments,
                *groups,
                *result_arguments,
                *arguments[: len(cotangents)],
                *stacked_arguments,
            ]
            input_cotangents = run_pullback(pullback, available)
            outputs = [
                zeros_like(arguments[position]) if input_cotangents[j] is None else input_cotangents[j]
                for position, j in enumerate(self._carried)
            ]
            for c, sum_before in zip(self._captured, sums_before, strict=True):
                cotangent = input_cotangents[ends[1] + c]
                outputs.append(sum_before if cotangent is None else TABLE["add"](sum_before, cotangent))
            for m in self._rows:
                cotangent = input_cotangents[ends[0] + m]
                outputs.append(zeros_like(row_arguments[m]) if cotangent is None else cotangent)
        return recorder.graph(outputs)


def run_pullback(pullback: Pullback, tensors: Sequence[Any]) -> list[Any]:
    """Returns the cotangents of a pullback, run operation by operation, so that recorders see each operation.

    Args:
        pullback: dense.
        tensors: inputs, results and cotangents; any for those that it does not use.
    """
    if pullback.operation is None:
        return [None] * len(pullback.forms)
    graph = pullback.operation.graph
    tensors_by_value = arguments_of(graph, [tensors[i] for i in pullback.used])
    run_nodes(graph, tensors_by_value)
    values: list[Value] = list(graph.results)
    return [None if form is None else tensors_by_value[id(values.pop(0))] for form in pullback.forms]


def zeros_like(x: Tensor) -> Tensor:
    """Returns zeros of the shape and dtype of a tensor, as a constant."""
    return constant_tensor(np.zeros(x._array.shape, x._array.dtype))
