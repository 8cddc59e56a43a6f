"""Loops as one operation: a graph that is run again and again.

A loop carries values from trip to trip, takes one row of each of several tensors in each trip, and stacks what a trip gives
besides. It ends when the rows do, or when a second graph, its condition, says so; or after a number of trips.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastgrad.compiler.control_flow.graph_operation import GraphOperation
from fastgrad.compiler.control_flow.native_loops import launches_of_loop
from fastgrad.compiler.control_flow.of_graphs import Flags
from fastgrad.compiler.control_flow.structured import Structured, leads
from fastgrad.compiler.graph.graph import Graph, Kind, Node
from fastgrad.compiler.graph.interpret import GuardError
from fastgrad.kernels.runtime.launch import Launches
from fastgrad.operation import TABLE
from fastgrad.placement import moved
from fastgrad.tensor import Tensor, constant_tensor


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
        most: with a condition and stacked results, for how many trips they have room; with more it is another way to go.
        origin: with ``most``, the loop without, of which this one was made.
        counts: whether it gives the number of trips, an int64.
        counted: whether its last input is how many of the rows there are trips for.

    Attributes:
        body, condition, carried, trips, limited, reverse, most, origin, counts, counted: as given.
        rows: number of tensors whose rows are taken.
        length: how many rows stacked results have.
        gives: number of results, but for the number of trips.
        room: for how many trips those made of it turned out to need room: the only thing about a loop that changes, as equal
            loops are one object (equal_graphs.py).
    """

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
        most: int | None = None,
        origin: Loop | None = None,
        counts: bool = False,
        counted: bool = False,
    ) -> None:
        super().__init__(name)
        self.body, self.condition, self.carried, self.rows = body, condition, carried, rows
        self.trips, self.limited, self.reverse = trips, limited, reverse
        self.most, self.origin, self.counts, self.counted = most, origin, counts, counted
        self.length = most or trips or 0
        self.checks = body.checks or (condition is not None and condition.checks)
        self.gives = len(body.graph.results)
        self.room = 0
        self._reduced: dict[Flags, Loop] = {}

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
    def rooms(self) -> list[Loop]:  # type: ignore[override]  # computed, as it is one of them
        """Loops in it that are made for a number of trips."""
        inner = [self.body] if self.condition is None else [self.body, self.condition]
        return [*([] if self.most is None else [self]), *[loop for part in inner for loop in part.rooms]]

    def goes_on(self, done: int, carried: list[Any], captured: list[Any], number: Any) -> bool:
        """Whether there is another trip, given arrays.

        Raises:
            GuardError: there is no room for it.
        """
        if self.condition is None:
            return done < self.total(number)
        if number is not None and done >= int(number):
            return False
        if not self.condition.run(*carried, *captured)[0].reshape(()):
            return False
        if self.most is not None and done >= self.most:
            raise self.outgrown()
        return True

    def outgrown(self) -> GuardError:
        """The error for more trips than there is room for; the loop that it was made of will be given more."""
        assert self.most is not None
        assert self.origin is not None
        self.origin.room = max(self.origin.room, 2 * self.most)
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
        number = None if number is None else number._on_host()
        sliced = [TABLE["unstack"](x, axis=0) for x in rows]
        sliced = [x if type(x) is tuple else (x,) for x in sliced]
        columns = [[constant_tensor(row) for row in stack] for stack in self.empty_stacks()]
        fixed = [x._on_host() for x in captured]
        total = self.total(number)
        done = 0
        while self.goes_on(done, [x._on_host() for x in carried], fixed, number):
            row = self.row_of(done, total)
            found = self.body(*carried, *[x[row] for x in sliced], *captured)
            carried = list(found[: self.carried])
            for column, y in zip(columns, found[self.carried :], strict=True):
                column[row] = y
            done += 1
        stacked = [TABLE["stack"](*column, axis=0) for column in columns]
        return (*carried, *stacked, *([constant_tensor(np.array(done, np.int64))] if self.counts else []))

    @property
    def result_count(self) -> int:
        """How many results it has."""
        return self.gives + self.counts

    def keeping(self, flags: Flags, inputs: Sequence[Tensor]) -> Loop | None:
        """The loop with further results, which its gradient reads; None where that is found anew each time."""
        from fastgrad.compiler.control_flow.scan_gradient import keeping

        return keeping(self, flags, inputs)

    def kept(self, used: Flags) -> Flags:
        """Of the results those that can't be dropped, if nobody reads any but ``used``: what is carried stays."""
        return (*[True] * self.carried, *used[self.carried : self.gives], *[True] * self.counts)

    def with_results(self, kept: Flags) -> Loop:
        """The same loop, for programs that are only run, with fewer results."""
        found = self._reduced.get(kept)
        if found is None:
            graph = self.body.graph
            results = [value for value, keep in zip(graph.results, kept, strict=False) if keep]
            body = GraphOperation(Graph(graph.nodes, results), self.body.name)
            found = self._reduced[kept] = Loop(
                body,
                self.condition,
                carried=self.carried,
                rows=self.rows,
                trips=self.trips,
                limited=self.limited,
                reverse=self.reverse,
                name=self.name,
                most=self.most if len(results) > self.carried else None,
                origin=self.origin,
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
    carried, _, captured, number = loop.parts([moved(array, None) for array in arrays])
    done = 0
    while loop.goes_on(done, carried, captured, number):
        carried = list(loop.body.run(*carried, *captured)[: loop.carried])
        done += 1
    return done
