"""Loops as one operation: a graph that is run again and again.

A loop carries values from trip to trip, takes one row of each of several tensors in each trip, and stacks what a trip gives
besides. It ends when the rows do, or when a second graph, its condition, says so; or after a number of trips.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastgrad.kernels.running.launch import Launches
from fastgrad.operation import TABLE
from fastgrad.recording import recorders, state_followed
from fastgrad.tensor import Tensor, constant_tensor
from fastgrad.trace.control.graph_operation import GraphOperation
from fastgrad.trace.control.native_loops import launches_of_loop
from fastgrad.trace.control.structured import Flags, Structured, leads
from fastgrad.trace.graphs.graph import Graph, Kind, Node
from fastgrad.trace.graphs.interpret import GuardError
from fastgrad.trace.recording.made_operation import watched

ATTEMPTS = 24
"""How often a loop is made anew for loops within it that have too little room, each time with twice as much."""


class Loop(Structured):
    """Trips of one graph.

    Its inputs are the values carried, tensors of whose rows each trip takes one, what all trips read (captured), and, if it
    is ``limited`` or ``counted``, a number of trips. Its results are what is carried out of the last trip, what each trip
    gives besides, stacked, and, if it ``counts``, the number of trips.

    Args:
        body: takes what is carried, a row of each tensor, and what is captured; gives what is carried on, and more.
        condition: takes the same, without rows; gives one boolean. None where the rows say how many trips there are.
        carried: number of values carried.
        trips: number of rows; None with a condition.
        limited: whether its last input is the greatest number of trips.
        reverse: whether the last row comes first.
        name: shown in graphs, errors and reports.
        most: with a condition, how many trips it is made for; with more it is another way to go, to be recorded anew.
        counts: whether it gives the number of trips, an int64.
        counted: whether its last input is how many of the rows there are trips for.

    Attributes:
        body, condition, carried, trips, limited, reverse, most, counts, counted: as given.
        rows: number of tensors whose rows are taken.
        length: how many rows stacked results have.
        gives: number of results, but for the number of trips.
        room: for how many trips what its gradient reads must have room.
    """

    grows = True

    def __init__(
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
        most: int = 0,
        counts: bool = False,
        counted: bool = False,
    ) -> None:
        super().__init__(name)
        self.body, self.condition, self.carried, self.rows = body, condition, carried, rows
        self.trips, self.limited, self.reverse = trips, limited, reverse
        self.most, self.counts, self.counted = most, counts, counted
        self.length = most if trips is None else trips
        self.checks = body.checks or (condition is not None and condition.checks)
        self.gives = len(body.graph.results)
        self.room = 0
        self._forwards: dict[Flags, Loop] = {}
        self._reduced: dict[tuple[Flags, int], Loop] = {}

    @property
    def graphs(self) -> dict[str, Graph]:
        """What it is made of, for text."""
        condition = {} if self.condition is None else {"condition": self.condition.graph}
        return {**condition, "trip": self.body.graph}

    def parts(self, inputs: Any) -> tuple[list[Any], list[Any], list[Any], Any]:
        """Inputs by what they are: carried, rows, captured, and the number of trips if there is one."""
        listed = list(inputs)
        number = listed.pop() if self.limited or self.counted else None
        ends = self.carried, self.carried + self.rows
        return listed[: ends[0]], listed[ends[0] : ends[1]], listed[ends[1] :], number

    @property
    def is_roomy(self) -> bool:
        """Whether it gives rows for as many trips as it is made for, however many there are."""
        return self.condition is not None and self.gives > self.carried

    def goes_on(self, done: int, carried: list[Any], captured: list[Any], number: Any, bounded: bool = True) -> bool:
        """Whether there is another trip, given arrays; if not ``bounded``, however many it is made for.

        Raises:
            GuardError: it would be more than it is made for.
        """
        if self.condition is None:
            return done < self.total(number)
        if number is not None and done >= int(number):
            return False
        if not self.condition.run(*carried, *captured)[0].reshape(()):
            return False
        if bounded and done >= self.most:
            if not (self.grows and not self.is_roomy and state_followed()):
                raise self.outgrown()
            self.most = 4 * done + 4  # the recording is made for as many
        return True

    def outgrown(self) -> GuardError:
        """The error for more trips than it is made for."""
        return GuardError(Node(Kind.GUARD, ("int", self.most)), self.most + 1)

    def total(self, number: Any) -> int:
        """How many trips there are, if rows say it."""
        return int(number) if self.counted else (self.trips or 0)

    def run(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        """The results."""
        carried, rows, captured, number = self.parts(arrays)
        stacks = self.empty_stacks()
        total = self.total(number)
        done = 0
        while self.goes_on(done, carried, captured, number):
            row = self.row_of(done, total)
            found = self.body.run(*carried, *[x[row, ...] for x in rows], *captured)
            carried = list(found[: self.carried])
            for stack, y in zip(stacks, found[self.carried :], strict=True):
                stack[row] = y
            done += 1
        return (*carried, *stacks, *([np.array(done, np.int64)] if self.counts else []))

    def empty_stacks(self) -> list[np.ndarray]:
        """Memory for what trips give besides."""
        return [np.zeros((self.length, *y.shape), y.dtype) for y in self.body.graph.results[self.carried :]]

    def launches(self, inputs: Any, outputs: Any) -> Launches | None:
        """The kernel of a loop whose trips are all native."""
        return launches_of_loop(self, inputs, outputs)

    def row_of(self, done: int, total: int) -> int:
        """The row that comes after ``done`` of ``total`` trips."""
        return total - 1 - done if self.reverse else done

    def on_tensors(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """The results, by operations."""
        carried, rows, captured, number = self.parts(inputs)
        number = None if number is None else number._array
        sliced = [TABLE["unstack"](x, axis=0) for x in rows]
        sliced = [x if type(x) is tuple else (x,) for x in sliced]
        columns = [[constant_tensor(row) for row in stack] for stack in self.empty_stacks()]
        fixed = [x._array for x in captured]
        total = self.total(number)
        done = 0
        while self.goes_on(done, [x._array for x in carried], fixed, number):
            row = self.row_of(done, total)
            found = self.body(*carried, *[x[row] for x in sliced], *captured)
            carried = list(found[: self.carried])
            for column, y in zip(columns, found[self.carried :], strict=True):
                column[row] = y
            done += 1
        stacked = [TABLE["stack"](*column, axis=0) for column in columns]
        return (*carried, *stacked, *([constant_tensor(np.array(done, np.int64))] if self.counts else []))

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """The results as tensors; recorders are told."""
        if recorders.active:
            flags = watched(inputs)
            if True in flags:
                forward = self.forward(flags, inputs)
                for attempt in itertools.count():
                    try:
                        return super(Loop, forward).__call__(*inputs)[: self.gives + self.counts]
                    except GuardError:
                        if forward is self or self.is_roomy or not state_followed() or attempt > ATTEMPTS:
                            raise
                    # Recording, there is nothing to go back to: whoever had too little room has said how much it needs.
                    self.body.forget()
                    forward = self.forward(flags, inputs, anew=True)
        return super().__call__(*inputs)

    def forward(self, flags: Flags, inputs: Sequence[Tensor], anew: bool = False) -> Loop:
        """The loop with further results, which its gradient reads; as it is where that is found anew each time.

        Args:
            flags: for each input whether gradients with respect to it are wanted.
            inputs: any that the loop takes.
            anew: whether it must be made for the number of trips that there are for these.
        """
        found = None if anew else self._forwards.get(flags)
        if found is None or (found is not self and 0 < found.most < self.room):
            from fastgrad.trace.control.scan_gradient import keeping

            found = self._forwards[flags] = keeping(self, flags, inputs) or self
        return found

    def kept(self, used: Flags) -> Flags:
        """Of the results those that can't be dropped, if nobody reads any but ``used``: what is carried stays."""
        return (*[True] * self.carried, *used[self.carried : self.gives], *[True] * self.counts)

    def with_results(self, kept: Flags) -> Loop:
        """The same loop, for programs that are only run, with fewer results."""
        found = self._reduced.get((kept, self.most))
        if found is None:
            graph = self.body.graph
            results = [value for value, keep in zip(graph.results, kept, strict=False) if keep]
            body = GraphOperation(Graph(graph.nodes, results), self.body.name)
            found = self._reduced[kept, self.most] = Loop(
                body,
                self.condition,
                carried=self.carried,
                rows=self.rows,
                trips=self.trips,
                limited=self.limited,
                reverse=self.reverse,
                name=self.name,
                most=self.most,
                counts=self.counts,
                counted=self.counted,
            )
        return found

    # ---- what depends on what ------------------------------------------------------------------------

    def body_flags(self, flags: Flags) -> tuple[Flags, Flags]:
        """For marked inputs, the body's inputs and results that depend on one of them in some trip."""
        carried, rows, captured, _ = self.parts(flags)
        while True:
            inputs = (*carried, *rows, *captured)
            results = leads(self.body.graph, inputs)
            more = [a or b for a, b in zip(carried, results, strict=False)]
            if more == carried:
                return inputs, results
            carried = more

    def leading(self, needs: Flags, have: Flags) -> Flags:
        """Of the inputs marked in ``needs`` those that results marked in ``have`` depend on."""
        found = [False] * len(needs)
        for place, need in enumerate(needs):
            if need:
                inputs, results = self.body_flags(tuple([other == place for other in range(len(needs))]))
                # What is carried is also what comes out if there is no trip.
                reached = (
                    *[a or b for a, b in zip(inputs, results, strict=False)][: self.carried],
                    *results[self.carried :],
                )
                found[place] = any(h and r for h, r in zip(have, reached, strict=True))
        return tuple(found)


def trips_of(loop: Loop, arrays: Sequence[np.ndarray]) -> int:
    """How many trips a loop with a condition makes.

    Args:
        loop: the loop.
        arrays: its inputs.
    """
    carried, _, captured, number = loop.parts(arrays)
    done = 0
    while loop.goes_on(done, carried, captured, number, bounded=not loop.is_roomy):
        carried = list(loop.body.run(*carried, *captured)[: loop.carried])
        done += 1
    return done
