"""The gradient of a loop: a loop over rows, from the last iteration to the first.

The forward loop then has further results: the inputs of each iteration and its residuals, stacked, a row for each
iteration. They are the rows of the backward loop. It carries cotangents, and sums the cotangents of the values that all
iterations read. Forward and gradient are both loops over rows, and so are all further derivatives.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from fastgrad.compiler.control_flow.graph_operation import (
    GraphOperation,
    Pullback,
    arguments_of,
    made_pullback,
    run_nodes,
    without_unread_arguments,
)
from fastgrad.compiler.control_flow.loops import Loop, trips_of
from fastgrad.compiler.control_flow.of_graphs import Flags
from fastgrad.compiler.control_flow.structured import spread_out, wanted
from fastgrad.compiler.graph.graph import Graph, Kind, Value
from fastgrad.compiler.graph.interpret import interpret
from fastgrad.compiler.passes.drop_dead import drop_dead
from fastgrad.compiler.recording.record import Recording, apart
from fastgrad.core.operation import TABLE
from fastgrad.core.tensor import Tensor, constant_tensor


def keeping(loop: Loop, flags: Flags, inputs: Sequence[Tensor]) -> Loop | None:
    """Returns a loop that also returns the residuals.

    Args:
        loop: the loop; it is not changed.
        flags: for each input whether gradients with respect to it are wanted.
        inputs: of the loop.

    Returns:
        A loop with more results; None if an iteration's gradient depends on values in Python, which may differ between
        iterations.
    """
    body_flags, reached = loop.body_flags(flags)
    examples = _first_trip_inputs(loop, inputs)
    with apart():
        variant, results = loop.body.ran_forward(
            body_flags, [Tensor(x) for x in examples], lambda forward: interpret(forward.graph, examples)
        )
        graph = variant.graph
        have = (*reached, *[False] * (len(graph.results) - loop.gives))
        cotangents = [np.ones_like(y) for y, present in zip(results, have, strict=True) if present]
        tensors = [Tensor(x) for x in (*examples, *results, *cotangents)]
        pullback = made_pullback(variant, body_flags, have, tensors, dense=True)
    if pullback.operation is not None and any(node.kind is Kind.GUARD for node in pullback.operation.graph.nodes):
        return None
    argument_values = {node.payload: node.outputs[0] for node in graph.nodes if node.kind is Kind.ARGUMENT}
    carried_before = {j: argument_values[j] for j in range(loop.carried) if j in argument_values}
    read = [graph.results[i - len(examples)] for i in pullback.used if 0 <= i - len(examples) < len(graph.results)]
    besides = graph.results[loop.carried : loop.gives]
    present = {id(value) for value in (*argument_values.values(), *besides)}
    residuals = list({id(value): value for value in read if id(value) not in present}.values())
    stacked = [*besides, *carried_before.values(), *residuals]
    body = GraphOperation(Graph(graph.nodes, [*graph.results[: loop.carried], *stacked]), loop.body.name)
    size = sum([value.dtype.itemsize * prod(value.shape) for value in stacked])
    capacity = loop.most
    if loop.condition is not None and capacity is None:
        capacity = max(_room(trips_of(loop, [x._on_host() for x in inputs]), size), loop.room)
    return _Keeping(loop, body, list(carried_before), capacity)


ROOM = 1 << 18
LEAST, MOST = 16, 1024
"""Bytes of the stacks of a loop with a condition before it is known to need more, and bounds of its first capacity."""


def _room(done: int, size: int) -> int:
    """Returns the capacity: twice the number of iterations so far, or as many as a little memory holds."""
    capacity = 1 << max(2 * done - 1, LEAST - 1).bit_length()
    return max(capacity, min(MOST, ROOM // max(size, 1)))


def _first_trip_inputs(loop: Loop, inputs: Sequence[Tensor]) -> list[np.ndarray]:
    carried, rows, captured, _ = loop.parts([x._on_host() for x in inputs])
    row = _some_row(loop)
    return [*carried, *[x[row, ...] for x in rows], *captured]


def _some_row(loop: Loop) -> int:
    """Returns a row that all tensors have."""
    return 0 if loop.condition is not None or loop.counted else loop.row_of(0, loop.total(None))


class _Keeping(Loop):
    """A loop that also returns the residuals.

    Args:
        loop: the loop itself.
        body: its body, with more results.
        before: the carried values for which it stacks the inputs of each iteration.
        most: with a condition, the capacity.
    """

    def __init__(self, loop: Loop, body: GraphOperation, before: list[int], most: int | None) -> None:
        changes = {"most": most, "origin": loop.origin or loop, "counts": loop.condition is not None}
        super().__init__(body, loop.condition, **loop.options | changes)
        self._made_of = loop  # keeps it alive, so that equal loops are the same object (equal_graphs.py)
        self._before = {j: loop.gives + position for position, j in enumerate(before)}
        self._backwards: dict[tuple[Flags, Flags], _BackwardLoop] = {}

    def keeping(self, flags: Flags, inputs: Sequence[Tensor]) -> None:
        """Returns None: the residuals are among the results already."""

    def _cotangents(self, needs: Flags, g: Any, y: Any, *inputs: Tensor) -> list[Any]:
        g, y = (g, y) if type(y) is tuple else ((g,), (y,))
        needs, have, _ = wanted(needs, g, inputs)
        have = have[: self.gives]
        needs = self.leading(needs, have)
        if True not in needs:
            return [None] * len(inputs)
        backward_loop = self._backwards.get((needs, have))
        if backward_loop is None:
            backward_loop = self._backwards[needs, have] = _BackwardLoop(self, self._before, needs, have, inputs, y, g)
        return spread_out(needs, backward_loop(inputs, y, g))


class _BackwardLoop:
    """The backward loop, for certain cotangents."""

    def __init__(
        self, loop: Loop, before: dict[int, int], needs: Flags, have: Flags, inputs: Any, y: Any, g: Any
    ) -> None:
        self._loop, self._needs, self._before = loop, needs, before
        flags, reached = loop.body_flags(needs)
        carried, count = loop.carried, len(flags)
        self._carried = [j for j in range(carried) if flags[j]]
        self._rows = [m for m in range(loop.rows) if flags[carried + m]]
        self._captured = [c for c in range(count - carried - loop.rows) if flags[carried + loop.rows + c]]
        self._given = [j for j in range(carried, loop.gives) if have[j] and reached[j]]
        body_have = tuple([j in self._carried or j in self._given for j in range(loop.gives)])
        with apart():
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
        )

    def __call__(self, inputs: Sequence[Tensor], y: Sequence[Tensor], g: Sequence[Any]) -> tuple[Tensor, ...]:
        """Returns the cotangents of the inputs that need one, in order."""
        start, rows, captured, _ = self._loop.parts(inputs)
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

    def _trip(self, inputs: Any, y: Any, g: Any) -> tuple[list[Any], list[Any], list[Any], list[Any]]:
        """Returns arrays of one iteration: inputs, stacked results, and cotangents of carried and stacked values."""
        loop = self._loop
        start, rows, captured, _ = loop.parts([x._on_host() for x in inputs])
        row = _some_row(loop)
        results = [x._on_host()[row, ...] for x in y[loop.carried : loop.gives]]
        carried = [
            results[self._before[j] - loop.carried] if j in self._before else start[j] for j in range(loop.carried)
        ]
        cotangents = [np.ones(start[j].shape, start[j].dtype) for j in self._carried]
        stacked_cotangents = [g[j]._on_host()[row, ...] for j in self._given]
        return [*carried, *[x[row, ...] for x in rows], *captured], results, cotangents, stacked_cotangents

    def _pullback(self, flags: Flags, have: Flags, inputs: Any, y: Any, g: Any) -> Pullback:
        trip, results, cotangents, stacked_cotangents = self._trip(inputs, y, g)
        # A carried value is known only if it is also among the stacked results.
        return made_pullback(
            self._loop.body,
            flags,
            have,
            [Tensor(x) for x in (*trip, *results, *cotangents, *stacked_cotangents)],
            dense=True,
            given=self._loop.body.graph.results[self._loop.carried :],
        )

    def _body(self, pullback: Pullback, inputs: Any, y: Any, g: Any) -> Graph:
        """Returns the graph of a backward iteration: from cotangents, sums, rows of inputs, results and cotangents."""
        loop = self._loop
        trip, results, cotangents, stacked_cotangents = self._trip(inputs, y, g)
        ends = loop.carried, loop.carried + loop.rows
        rows, captured = trip[ends[0] : ends[1]], trip[ends[1] :]
        sums = [np.zeros(captured[c].shape, captured[c].dtype) for c in self._captured]
        arguments = [Tensor(x) for x in (*cotangents, *sums, *rows, *results, *stacked_cotangents, *captured)]
        positions = _ArgumentPositions(len(cotangents), len(sums), len(rows), len(results), len(stacked_cotangents))
        with Recording(arguments) as recorder:
            available = [
                *[
                    arguments[positions.result(self._before[j] - loop.carried)] if j in self._before else None
                    for j in range(ends[0])
                ],
                *[arguments[positions.row(m)] for m in range(len(rows))],
                *[arguments[positions.captured(c)] for c in range(len(captured))],
                *[arguments[positions.result(k)] for k in range(len(results))],
                *arguments[: len(cotangents)],
                *[arguments[positions.given(k)] for k in range(len(stacked_cotangents))],
            ]
            input_cotangents = ran(pullback, available)
            outputs = [
                zeros_like(arguments[position]) if input_cotangents[j] is None else input_cotangents[j]
                for position, j in enumerate(self._carried)
            ]
            for position, c in enumerate(self._captured, len(cotangents)):
                cotangent = input_cotangents[ends[1] + c]
                outputs.append(
                    arguments[position] if cotangent is None else TABLE["add"](arguments[position], cotangent)
                )
            for m in self._rows:
                cotangent = input_cotangents[ends[0] + m]
                outputs.append(zeros_like(arguments[positions.row(m)]) if cotangent is None else cotangent)
        return recorder.graph(outputs)


class _ArgumentPositions:
    """Numbers of the arguments of a backward iteration."""

    def __init__(self, *counts: int) -> None:
        cotangents, sums, rows, results, stacked = counts
        self._rows = cotangents + sums
        self._results = self._rows + rows
        self._given = self._results + results
        self._captured = self._given + stacked

    def row(self, number: int) -> int:
        """Returns the number of a row of an input."""
        return self._rows + number

    def result(self, number: int) -> int:
        """Returns the number of a row of a result."""
        return self._results + number

    def given(self, number: int) -> int:
        """Returns the number of a row of a cotangent."""
        return self._given + number

    def captured(self, number: int) -> int:
        """Returns the number of a value that all iterations read."""
        return self._captured + number


def ran(pullback: Pullback, tensors: Sequence[Any]) -> list[Any]:
    """Runs a pullback as single operations, so that recorders see each of them.

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
