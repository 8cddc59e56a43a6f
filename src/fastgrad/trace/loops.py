"""Loops as one operation: a graph that is run again and again.

A loop carries values from trip to trip, takes one row of each of several tensors in each trip, and stacks what a trip gives
besides. It ends when the rows do, or when a second graph, its condition, says so; or after a number of trips.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastgrad.kernels.launch import Launches
from fastgrad.operation import TABLE, Joint
from fastgrad.recording import recorders
from fastgrad.tensor import Tensor
from fastgrad.trace.graph import Graph
from fastgrad.trace.graph_operation import GraphOperation
from fastgrad.trace.made_operation import MadeOperation, watched
from fastgrad.trace.native_loops import launches_of_rows
from fastgrad.trace.structured import ByTape, Flags, Structured, leads, spread_out, wanted


class Loop(Structured):
    """Trips of one graph.

    Its inputs are the values carried, tensors of whose rows each trip takes one, what all trips read (captured), and, if
    ``limited``, the greatest number of trips. Its results are what is carried out of the last trip, and what each trip gives
    besides, stacked.

    Args:
        body: takes what is carried, a row of each tensor, and what is captured; gives what is carried on, and more.
        condition: takes the same, without rows; gives one boolean. None where the rows say how many trips there are.
        carried: number of values carried.
        trips: number of rows; None with a condition.
        limited: whether there is a greatest number of trips.
        reverse: whether the last row comes first.
        name: shown in graphs, errors and reports.

    Attributes:
        body, condition, carried, trips, limited, reverse: as given.
        rows: number of tensors whose rows are taken.
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
    ) -> None:
        super().__init__(name)
        self.body, self.condition, self.carried, self.rows = body, condition, carried, rows
        self.trips, self.limited, self.reverse = trips, limited, reverse
        self.checks = body.checks or (condition is not None and condition.checks)
        self.gives = len(body.graph.results)
        self._forwards: dict[Flags, MadeOperation] = {}
        self._reduced: dict[Flags, Loop] = {}

    @property
    def graphs(self) -> dict[str, Graph]:
        """What it is made of, for text."""
        condition = {} if self.condition is None else {"condition": self.condition.graph}
        return {**condition, "trip": self.body.graph}

    def parts(self, inputs: Any) -> tuple[list[Any], list[Any], list[Any], Any]:
        """Inputs by what they are: carried, rows, captured, and the limit."""
        listed = list(inputs)
        limit = listed.pop() if self.limited else None
        ends = self.carried, self.carried + self.rows
        return listed[: ends[0]], listed[ends[0] : ends[1]], listed[ends[1] :], limit

    def goes_on(self, done: int, carried: list[Any], captured: list[Any], limit: Any) -> bool:
        """Whether there is another trip, given arrays."""
        if limit is not None and done >= int(limit):
            return False
        if self.condition is None:
            return done < (self.trips or 0)
        return bool(self.condition.run(*carried, *captured)[0].reshape(()))

    def run(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        """The results."""
        carried, rows, captured, limit = self.parts(arrays)
        stacks: list[np.ndarray] = []
        done = 0
        while self.goes_on(done, carried, captured, limit):
            row = self.row_of(done)
            found = self.body.run(*carried, *[x[row, ...] for x in rows], *captured)
            carried = list(found[: self.carried])
            self.put(stacks, row, found[self.carried :])
            done += 1
        return (*carried, *stacks)

    def launches(self, inputs: Any, outputs: Any) -> Launches | None:
        """The kernel of a loop over rows whose trips are all native."""
        return launches_of_rows(self, inputs, outputs)

    def row_of(self, done: int) -> int:
        """The row that comes after ``done`` trips."""
        return (self.trips or 0) - 1 - done if self.reverse else done

    def put(self, stacks: list[np.ndarray], row: int, found: tuple[np.ndarray, ...]) -> None:
        """Puts one trip's further results in their places."""
        if found and not stacks:
            stacks += [np.empty((self.trips or 0, *y.shape), y.dtype) for y in found]
        for stack, y in zip(stacks, found, strict=True):
            stack[row] = y

    def on_tensors(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """The results, by operations."""
        carried, rows, captured, limit = self.parts(inputs)
        sliced = [TABLE["unstack"](x, axis=0) for x in rows]
        sliced = [x if type(x) is tuple else (x,) for x in sliced]
        columns: list[Any] = [None] * (self.trips or 0)
        done = 0
        fixed = [x._array for x in captured]
        while self.goes_on(done, [x._array for x in carried], fixed, None if limit is None else limit._array):
            row = self.row_of(done)
            found = self.body(*carried, *[x[row] for x in sliced], *captured)
            carried = list(found[: self.carried])
            if self.trips is not None:
                columns[row] = found[self.carried :]
            done += 1
        return (*carried, *[TABLE["stack"](*column, axis=0) for column in zip(*columns, strict=True)])

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """The results as tensors; recorders are told."""
        if recorders.active:
            flags = watched(inputs)
            if True in flags:
                return self.forward(flags, inputs)(*inputs)[: self.gives]
        return super().__call__(*inputs)

    def forward(self, flags: Flags, inputs: Sequence[Tensor]) -> MadeOperation:
        """The loop with further results, which its gradient reads.

        Args:
            flags: for each input whether gradients with respect to it are wanted.
            inputs: any that the loop takes.
        """
        found = self._forwards.get(flags)
        if found is None:
            if self.trips is not None:
                from fastgrad.trace.scan_gradient import keeping

                found = keeping(self, flags, inputs)
            found = self._forwards[flags] = found or _Forward(self, flags)
        return found

    def kept(self, used: Flags) -> Flags:
        """Of the results those that can't be dropped, if nobody reads any but ``used``: what is carried stays."""
        return (*[True] * self.carried, *used[self.carried :])

    def with_results(self, kept: Flags) -> Loop:
        """The same loop, for programs that are only run, with fewer results."""
        found = self._reduced.get(kept)
        if found is None:
            graph = self.body.graph
            results = [value for value, keep in zip(graph.results, kept, strict=True) if keep]
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


class _Forward(MadeOperation):
    """The loop, with one more result: what each trip gave, which the gradient will read."""

    def __init__(self, loop: Loop, flags: Flags) -> None:
        super().__init__(loop.name)
        self.loop = loop
        self.flags = loop.body_flags(flags)[0]
        self.checks = loop.checks
        self._backwards: dict[tuple[Flags, Flags], _Backward] = {}

    def run(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        """The results, and what is kept as a scalar that holds a Python object."""
        loop = self.loop
        carried, rows, captured, limit = loop.parts(arrays)
        stacks: list[np.ndarray] = []
        trips: list[tuple[np.ndarray, ...]] = []
        variant = None
        while loop.goes_on(len(trips), carried, captured, limit):
            row = loop.row_of(len(trips))
            inputs = [*carried, *[x[row, ...] for x in rows], *captured]
            if variant is None:
                variant = loop.body.variant(self.flags, [Tensor(x) for x in inputs])
            found = variant.run(*inputs)
            carried = list(found[: loop.carried])
            loop.put(stacks, row, found[loop.carried : loop.gives])
            trips.append(found)
        kept = np.empty((), object)
        kept[()] = (variant, trips)
        return (*carried, *stacks, kept)

    @property
    def gradient(self) -> Joint:
        """The rule for tapes."""
        return Joint(self._cotangents, zeros=False)

    def _cotangents(self, needs: Flags, g: Any, y: Any, *inputs: Tensor) -> list[Any]:
        needs, have, given = wanted(needs, g[:-1], inputs)
        needs = self.loop.leading(needs, have)
        if True not in needs:
            return [None] * len(inputs)
        found = self._backwards.get((needs, have))
        if found is None:
            found = self._backwards[needs, have] = _Backward(self.loop, needs, have)
        return spread_out(needs, found(*inputs, y[-1], *given))


class _Backward(MadeOperation):
    """The gradient of a loop: its trips backwards; inputs are those of the loop, what was kept, and cotangents."""

    def __init__(self, loop: Loop, needs: Flags, have: Flags) -> None:
        super().__init__(f"{loop.name}_gradient")
        self.loop, self.needs, self.have = loop, needs, have
        inputs, results = loop.body_flags(needs)
        self.body_needs = inputs
        self.body_have = (
            *[active for active, _ in zip(inputs, range(loop.carried), strict=False)],
            *[h and r for h, r in zip(have[loop.carried :], results[loop.carried :], strict=True)],
        )

    def run(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        """The cotangents."""
        loop, count = self.loop, len(self.needs)
        inputs, (variant, trips) = arrays[:count], arrays[count][()]
        given = spread_out(self.have, arrays[count + 1 :])
        start, rows, captured, _ = loop.parts(inputs)
        carried: list[Any] = [
            (np.zeros(x.shape, x.dtype) if g is None else g) if active else None
            for x, g, active in zip(start, given, self.body_have, strict=False)
        ]
        stacks = [g if h else None for g, h in zip(given[loop.carried :], self.body_have[loop.carried :], strict=True)]
        row_needs = self.body_needs[loop.carried : loop.carried + loop.rows]
        for_rows = [np.empty(x.shape, x.dtype) if need else None for x, need in zip(rows, row_needs, strict=True)]
        sums: list[Any] = [None] * len(captured)
        for done in range(len(trips) - 1, -1, -1):
            row = loop.row_of(done)
            before = trips[done - 1][: loop.carried] if done else start
            cotangents = [c for c in carried if c is not None] + [g[row, ...] for g in stacks if g is not None]
            found = variant.pulled_back(
                self.body_needs,
                (*self.body_have, *[False] * (len(trips[done]) - loop.gives)),
                [*before, *[x[row, ...] for x in rows], *captured, *trips[done], *cotangents],
            )
            carried = [
                None if c is None else np.zeros(c.shape, c.dtype) if f is None else f
                for c, f in zip(carried, found, strict=False)
            ]
            for place, out in enumerate(for_rows):
                if out is not None:
                    one = found[loop.carried + place]
                    out[row] = 0 if one is None else one
            for place, one in enumerate(found[loop.carried + loop.rows :]):
                if one is not None:
                    sums[place] = one if sums[place] is None else np.add(sums[place], one)
        cotangents = [*carried, *for_rows, *sums, None]
        return tuple(
            [
                np.zeros(x.shape, x.dtype) if c is None else c
                for x, c, need in zip(inputs, cotangents, self.needs, strict=False)
                if need
            ]
        )

    @property
    def gradient(self) -> Joint:
        """The rule for tapes."""
        return Joint(self._cotangents, zeros=False)

    def _cotangents(self, needs: Flags, g: Any, y: Any, *inputs: Tensor) -> list[Any]:
        return without_kept(ByTape(self.loop, self.needs, self.have), len(self.needs), needs, g, inputs)


def without_kept(same: ByTape, kept: int, needs: Flags, g: Any, inputs: tuple[Tensor, ...]) -> list[Any]:
    """The cotangents of a gradient with kept values, as those of the same gradient without.

    What was kept follows from the other inputs, so that their derivatives are whole without it.

    Args:
        same: the gradient without kept values.
        kept: which input they are.
        needs, g, inputs: as a gradient rule has them.
    """
    needs, have, given = wanted(needs, g, inputs)
    if True not in needs or True not in have:
        return [None] * len(inputs)
    others = (*needs[:kept], *needs[kept + 1 :])
    found = spread_out(others, ByTape(same, others, have)(*inputs[:kept], *inputs[kept + 1 :], *given))
    return [*found[:kept], None, *found[kept:]]
