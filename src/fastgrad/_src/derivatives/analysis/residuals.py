"""Chooses for each residual of the reverse sweep: keep, recompute or record.

A number that the reverse sweep needs is kept in its variable if its block runs once. It is recomputed if that is cheap and reads no array that
the function writes later. Otherwise it is recorded. So overwriting arrays is safe.

| where a number comes from on the way back | for numbers | file |
| --- | --- | --- |
| its variable | of blocks that run once | `residuals.py: kept` |
| computed again | that are cheap, of operands that are there | `residuals.py` |
| the counter of the loop | that follow from a counted loop's iteration | `transform/reverse_mode.py` |
| a row, one for each number | of counted loops, 2 to 8 in an iteration | `transform/record_stacks.py` |
| a stack | of all other loops and branches | `transform/record_stacks.py` |
| a snapshot, from which the loop runs again | of loops whose iterations can be repeated | `transform/checkpoints.py` |
| the iteration that gave the last value | of a running minimum or maximum | `transform/running_extrema.py` |
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from fastgrad._src.derivatives.analysis.control_flow import (
    ControlFlow,
    add_reachable,
    defined_scalars,
    memory_families,
    written_memory,
)
from fastgrad._src.derivatives.ir.operands import (
    Counter,
    Operand,
    Scalar,
    View,
    operands_of_view,
    scalars_among,
    views_among,
)
from fastgrad._src.derivatives.ir.representation import Block, Function, statements_in
from fastgrad._src.derivatives.ir.statements import Branch, Compute, Load, NextIteration

RECOMPUTATION_LIMIT = 8
"""A number is computed again if that costs at most this much, where an addition costs 1 and a load 2."""
MAX_ROWS = 8
"""The largest number of records of an iteration that are stored in rows. Each row is a separate stream of stores."""
_INFINITE = 10**9


class Needs(NamedTuple):
    """The scalars that the reverse sweep through a block reads directly.

    Attributes:
        of_block: those that it reads before it undoes the block's phis: they have the values of the block's present run.
        of_edges: those that it reads after that: they have the values of the run before.
    """

    of_block: set[Scalar]
    of_edges: set[Scalar]


Reader = Block | tuple[Block]
"""The reverse sweep through a block, or after its phis are undone."""


class Way(NamedTuple):
    """How the reverse sweep finds the block that came before a join.

    Attributes:
        kind: "only", "condition", "counter" or "code".
        condition: the number that decides, of kind "condition".
        first: the blocks that came before if the condition holds, or if the loop begins.
        second: the others.
    """

    kind: str
    condition: Operand | None
    first: list[Block]
    second: list[Block]


class Residuals:
    """What is kept, computed again or recorded.

    Args:
        function: the function.
        flow: its control flow.
        known: if the reverse sweep is a function of its own, the numbers that it knows without records. Then ``kept`` are those whose last values it
            gets from the forward sweep.

    Attributes:
        recorded: the scalars that are recorded.
        kept: the scalars whose variables are read on the reverse sweep.
        at_end: for each block the scalars that are recorded when it ends: only its own reverse sweep reads them, or those of blocks before.
        read_before: the latter.
        at_start: for each block the scalars and counters whose last values are recorded when it begins again.
        whole_loops: the counters of loops that end when their count is reached, never before: their last number is known.
        reserved: the blocks of loops whose room on the stacks is reserved before the loop.
        reservations: for the counter of such a loop the numbers and codes of an iteration.
    """

    def __init__(self, function: Function, flow: ControlFlow, known: set[Scalar] | None = None) -> None:
        self._flow = flow
        self._known = known
        self.recorded: set[Scalar] = set()
        self.kept: set[Scalar] = set()
        self.at_end: dict[Block, list[Scalar]] = {}
        self.read_before: set[Scalar] = set()
        self.at_start: dict[Block, list[Scalar | Counter]] = {}
        self.whole_loops = {counter for head, counter in flow.counted.items() if flow.ends_at_head(head)}
        self.reserved: set[Block] = set()
        self.reservations: dict[Counter, tuple[int, int]] = {}
        self._order: dict[Scalar, int] = {}
        for block in flow.blocks:
            for target in scalars_among(phi.target for phi in block.phis):
                self._order[target] = len(self._order)
            for statement in block.statements:
                for target in defined_scalars(statement):
                    self._order[target] = len(self._order)
                if isinstance(statement, Compute):  # the reverse sweep alone computes some operands
                    for operand in scalars_among(statement.operands):
                        self._order.setdefault(operand, len(self._order))
        self._final_loads = self._find_final_loads(function)

    def _find_final_loads(self, function: Function) -> set[Scalar]:
        """Returns the scalars that are loaded from memory which keeps its contents from then on: the reverse sweep may read it again."""
        flow = self._flow
        families = memory_families(function)
        returns = [block for block in flow.blocks if block.returns]
        # Then the reverse sweep is a function of its own: it has the arrays that nothing writes.
        is_apart = self._known is not None
        lasting = {
            root
            for root in function.roots
            if (root.kind in ("parameter", "global") and not (is_apart and root.is_written))
            or (
                root.kind in ("local", "reshaped")
                and not is_apart
                and not root.is_growing
                and not flow.is_in_loop(root.block)
                and all(root.block in flow.dominators[block] for block in returns)
            )
        }
        changed_after = flow.memory_written_after()
        loads = set()
        for block in flow.blocks:
            changed = set(changed_after[block])
            for statement in reversed(block.statements):
                changed |= written_memory(statement)
                if isinstance(statement, Load) and statement.root in lasting:
                    memory = statement.root.memory_owner
                    if memory in lasting and not families[memory] & changed:
                        loads.add(statement.target)
        return loads

    def needs_no_record(self, operand: Operand) -> bool:
        """True if the variable of ``operand`` has one value, which the reverse sweep finds in it."""
        if self._known is not None:
            return operand.block is None or operand in self._known
        return not self._flow.is_in_loop(operand.block)

    def plan(self, needs_of_block: Callable[[Block], Needs]) -> None:
        """Decides.

        Args:
            needs_of_block: returns what the reverse sweep through a block reads. It may ask for the decisions so far.
        """
        needs: dict[Scalar, set[Reader]] = {}
        for _ in range(2):  # whether a join asks a condition again depends on what is recorded
            needs = self._readers_by_scalar(needs_of_block)
            direct = sorted(
                (scalar for scalar in needs if not self.needs_no_record(scalar)), key=self._order.__getitem__
            )
            self.recorded |= {scalar for scalar in direct if not self._is_recomputable(scalar)}
            for scalar in direct:
                if scalar not in self.recorded and self.recomputation_cost(scalar) > RECOMPUTATION_LIMIT:
                    self.recorded |= self._cheap_outer_sources(scalar) or {scalar}
        readers = self._reverse_sweep_readers(needs)
        for scalar in sorted(readers, key=self._order.__getitem__):
            if scalar in self.recorded:
                # Its block's reverse sweep comes before those that read it. What reverse sweeps read after they have undone their phis has the
                # value of the run before, so it says nothing.
                comes_after = scalar.block is not None and all(
                    isinstance(reader, Block) and scalar.block not in self._flow.dominators[reader]
                    for reader in readers[scalar]
                )
                if comes_after:
                    self.read_before.add(scalar)
                if scalar.block is not None and (comes_after or readers[scalar] == {scalar.block}):
                    self.at_end.setdefault(scalar.block, []).append(scalar)
                elif scalar.block is not None and self._flow.is_in_loop(scalar.block):
                    self.at_start.setdefault(scalar.block, []).append(scalar)
                else:
                    self.kept.add(scalar)
        for counter in self._flow.counted.values():
            if self._flow.is_in_loop(counter.block) and counter not in self.whole_loops:
                self.at_start.setdefault(counter.block, []).append(counter)
        self._find_reservable_loops()

    def _readers_by_scalar(self, needs_of_block: Callable[[Block], Needs]) -> dict[Scalar, set[Reader]]:
        """Returns the blocks and edges whose reverse sweep reads a number itself."""
        readers: dict[Scalar, set[Reader]] = {}
        for block in self._flow.blocks:
            of_block, of_edges = needs_of_block(block)
            for scalar in of_block:
                readers.setdefault(scalar, set()).add(block)
            for scalar in of_edges:
                readers.setdefault(scalar, set()).add((block,))
        return readers

    def _is_recomputable(self, scalar: Operand) -> bool:
        definition = scalar.definition
        if isinstance(definition, Load):
            return scalar in self._final_loads
        if isinstance(definition, NextIteration):
            return scalar is definition.target and definition.counter.head in self._flow.counted
        return isinstance(definition, Compute)

    def recomputation_cost(self, operand: Operand, visited: dict[Operand, int] | None = None) -> int:
        """Returns the cost of computing a number again from what is kept."""
        if self.needs_no_record(operand) or operand in self.recorded:
            return 0
        visited = {} if visited is None else visited
        if operand in visited:
            return visited[operand]
        visited[operand] = _INFINITE
        if self._is_recomputable(operand) and operand.definition is not None:
            costs = [self.recomputation_cost(part, visited) for part in operand.definition.uses]
            visited[operand] = operand.definition.cost + sum(costs)
        return visited[operand]

    def _cheap_outer_sources(self, scalar: Scalar) -> set[Scalar]:
        """Returns numbers of outer loops whose records, fewer than those of ``scalar``, make it cheap to compute again; none if there are none."""
        sources: set[Scalar] = set()
        visited: set[Operand] = set()
        pending: list[Operand] = [scalar]
        while pending:
            operand = pending.pop()
            if not isinstance(operand, Scalar) or operand in visited:
                continue
            visited.add(operand)
            if self._loop_depth(operand) < self._loop_depth(scalar):
                if self.recomputation_cost(operand) > RECOMPUTATION_LIMIT // 2:
                    sources.add(operand)
            elif self._is_recomputable(operand) and operand.definition is not None:
                pending += operand.definition.uses
            elif not self.needs_no_record(operand) and operand not in self.recorded:
                return set()
        self.recorded |= sources
        is_cheap = self.recomputation_cost(scalar) <= RECOMPUTATION_LIMIT
        self.recorded -= sources
        return sources if is_cheap else set()

    def _loop_depth(self, scalar: Scalar) -> int:
        return sum(scalar.block in body for body in self._flow.loops.values())

    def _reverse_sweep_readers(self, needs: dict[Scalar, set[Reader]]) -> dict[Scalar, set[Reader]]:
        """Returns the reverse sweeps that read a number, directly or to compute another one."""
        readers: dict[Scalar, set[Reader]] = {}
        pending = [(scalar, reader) for scalar, found in needs.items() for reader in found]
        while pending:
            scalar, reader = pending.pop()
            if self.needs_no_record(scalar):
                self.kept.add(scalar)
                continue
            if reader in readers.setdefault(scalar, set()):
                continue
            readers[scalar].add(reader)
            if scalar not in self.recorded and scalar.definition is not None:
                pending += [(part, reader) for part in scalars_among(scalar.definition.uses)]
        return readers

    def reverse_sweep_exit(self, block: Block) -> Way | None:
        """Returns how the reverse sweep leaves a block; None at the start of the function."""
        before = self._flow.predecessors[block]
        if not before:
            return None
        if len(before) == 1:
            return Way("only", None, before, [])
        if block in self._flow.counted:
            body = self._flow.loops[block]
            return Way("counter", None, [b for b in before if b not in body], [b for b in before if b in body])
        if len(before) == 2:
            way = self._exit_by_condition(block, before)
            if way is not None:
                return way
        return Way("code", None, before, [])

    def _exit_by_condition(self, block: Block, before: list[Block]) -> Way | None:
        flow = self._flow
        for dominator in flow.nearest_dominators(block):
            end = dominator.end
            if not isinstance(end, Branch) or end.then is end.otherwise:
                continue

            def sides(come_from: Block, dominator: Block = dominator, end: Branch = end) -> set[bool]:
                result = set()
                for side, target in ((True, end.then), (False, end.otherwise)):
                    other = end.otherwise if side else end.then
                    is_edge = come_from is dominator and target is block and other is not block
                    is_within = (
                        target is not block
                        and flow.predecessors[target] == [dominator]
                        and target in flow.dominators[come_from]
                    )
                    if is_edge or is_within:
                        result.add(side)
                return result

            first, second = sides(before[0]), sides(before[1])
            is_told = len(first) == len(second) == 1 and first != second
            if is_told and self.recomputation_cost(end.condition) <= RECOMPUTATION_LIMIT:
                if_true, if_false = before if True in first else before[::-1]
                return Way("condition", end.condition, [if_true], [if_false])
        return None

    def records_predecessor_code(self, block: Block) -> bool:
        """True if the way into ``block`` is recorded as a code."""
        way = self.reverse_sweep_exit(block)
        if way is None or way.kind in ("only", "condition"):
            return False
        return way.kind == "code" or len(way.first) > 1 or len(way.second) > 1

    def recorded_values(self, block: Block) -> list[Scalar | Counter]:
        """Returns what a block records, in the order of the records."""
        return [*self.at_start.get(block, []), *self.at_end.get(block, [])]

    def records_of_iteration(self, head: Block) -> tuple[int, int, int] | None:
        """Returns the numbers and codes that each iteration of a counted loop records; None if their number is not known.

        The third item is the first iteration whose records can be dropped unread: 1 if those of iteration 0 have values from before the loop.
        """
        flow = self._flow
        body = flow.loops[head]
        if flow.counted.get(head) not in self.whole_loops:
            return None
        way = self.reverse_sweep_exit(head)
        assert way is not None
        values, codes = len(self.recorded_values(head)), int(len(way.second) > 1)
        for block in body - {head}:
            own_values, own_codes = len(self.recorded_values(block)), self.records_predecessor_code(block)
            is_once = flow.runs_each_iteration(block, head) and not flow.is_in_inner_loop(block, head)
            if (own_values or own_codes) and not is_once:
                return None
            values, codes = values + own_values, codes + own_codes
        return values, codes, int(any(self.at_start.get(block) for block in body - {head}))

    def record_row_count(self, head: Block) -> int:
        """Returns how many rows the records of a loop form: one for each number that an iteration records. 0 if they are no rows.

        A row has the numbers of successive iterations, so that LLVM can vectorize the loop where it compares addresses: rows are apart.
        """
        records = self.records_of_iteration(head) if self._flow.counted.get(head) in self.reservations else None
        pushing = [block for block in self._flow.loops[head] if self.recorded_values(block)]
        if records is None or records[2] or len(pushing) != 1 or head in pushing:
            return 0
        return records[0] if 2 <= records[0] <= MAX_ROWS else 0

    def sources_of_effects(self) -> set[Scalar]:
        """Returns the numbers from which records, arrays, branches and errors follow. The others lead to the function's result alone."""
        phis: dict[Scalar, list[Operand | View]] = {}
        needed: list[Operand] = [*self.kept, *self.recorded]
        for block in self._flow.blocks:
            for phi in block.phis:
                if isinstance(phi.target, Scalar):
                    phis[phi.target] = list(phi.incoming.values())
                else:
                    needed += [
                        number for view in views_among(phi.incoming.values()) for number in operands_of_view(view)
                    ]
            for statement in block.statements:
                needed += [] if statement.is_pure else statement.uses
            if block.end.condition is not None:
                needed.append(block.end.condition)

        def inputs_of(scalar: Scalar) -> list[Scalar]:
            uses = [] if scalar.definition is None else scalar.definition.uses
            return scalars_among([*phis.get(scalar, []), *uses])

        return add_reachable(set(), scalars_among(needed), inputs_of)

    def _find_reservable_loops(self) -> None:
        """Finds the innermost counted loops that are left only when their count is reached."""
        flow = self._flow
        for head, counter in flow.counted.items():
            body = flow.loops[head]
            has_inner_loop = any(other is not head and other in body for other in flow.loops)
            calls = any(statement.callee is not None for statement in statements_in(body))
            if calls or has_inner_loop or counter not in self.whole_loops or counter.block.successors != [head]:
                continue
            self.reserved |= body
            self.reservations[counter] = (
                sum(len(self.recorded_values(block)) for block in body),
                sum(self.records_predecessor_code(block) for block in body),
            )
