"""Reverse mode: writes the code of a function with a forward sweep, and a reverse sweep from the result's cotangent to the arguments' cotangents.

The number of a block of the reverse sweep is the number of its forward block plus the count of forward blocks. It has the adjoints of the statements in reverse order, then of the
phis, then a jump to the reverse sweep of the previous block.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from numba import types

from fastgrad._src.derivatives.analysis.activity import Activity
from fastgrad._src.derivatives.analysis.aliases import check_aliased_stores
from fastgrad._src.derivatives.analysis.control_flow import ControlFlow, scalars_defined_in
from fastgrad._src.derivatives.analysis.cotangent_arrays import CotangentArrays, unwritten_arrays
from fastgrad._src.derivatives.analysis.residuals import Needs, Residuals
from fastgrad._src.derivatives.codegen.stack_arrays import MOST_ELEMENTS
from fastgrad._src.derivatives.codegen.tape_memory import ALL_STACKS, MAX_CODES
from fastgrad._src.derivatives.functions.argument_types import cotangent_type_of
from fastgrad._src.derivatives.functions.numba_types import is_complex_type
from fastgrad._src.derivatives.ir.call_rules import Callee
from fastgrad._src.derivatives.ir.operands import (
    Constant,
    Counter,
    Root,
    Scalar,
    View,
    leaf_types_of,
    refuse,
    scalars_among,
    zero,
)
from fastgrad._src.derivatives.ir.partials import GUARDS
from fastgrad._src.derivatives.ir.representation import Block, Function
from fastgrad._src.derivatives.ir.statements import (
    Allocate,
    BeginLoop,
    Branch,
    Call,
    Grow,
    NextIteration,
    Raise,
    Return,
    Statement,
    Store,
)
from fastgrad._src.derivatives.ir.values import ArrayList, Complex, Fields, Items, NumberList
from fastgrad._src.derivatives.output import tree as code
from fastgrad._src.derivatives.transform.adjoint import Adjoint
from fastgrad._src.derivatives.transform.adjoint_emission import MET_FLAT, AdjointEmitter
from fastgrad._src.derivatives.transform.checkpoints import BLOCKS, CheckpointedLoop
from fastgrad._src.derivatives.transform.emission import (
    NONE,
    Derivative,
    Emitter,
    cotangent,
    incoming,
    memory_check,
    variables_of,
)
from fastgrad._src.derivatives.transform.record_stacks import (
    CODES_TOP,
    OWNER,
    STACKS,
    VALUES_TOP,
    RecordStacks,
    acquired,
    capacity,
    position,
    released,
)
from fastgrad._src.derivatives.transform.running_extrema import record_last_choices
from fastgrad._src.scalars.formulas import Term
from fastgrad._src.scalars.terms import NOT


class ReverseMode(Emitter):
    """Writes the forward sweep with its records, and the reverse sweep.

    Args:
        function: the function.
        flow: its control flow.
        positions: the numbers of the parameters that have cotangents.
        seed: the number of the result's leaf whose cotangent is 1, those of others being 0. None if they are parameters.
    """

    is_apart = False
    """Whether the reverse sweep is a function of its own."""
    has_checkpoints = True
    """Whether loops may have checkpoints: both ways are one function, which may run a loop again."""

    def __init__(self, function: Function, flow: ControlFlow, positions: tuple[int, ...], seed: int | None) -> None:
        super().__init__(function, flow)
        self.positions = positions
        self.seed = seed
        record_last_choices(function, flow)
        self.activity = self._activity()
        self.activity.check_random_draws(flow.blocks)
        self.arrays = CotangentArrays(function, flow, self.activity, self.is_apart)
        self.adjoint = Adjoint(function, flow, self.activity, self.arrays, seed, self.is_apart)
        if self.adjoint.is_guarded:
            function.globals.update(GUARDS)
        self.calling = {
            block
            for block in flow.blocks
            if any(self.arrays.callee_of(statement) is not None for statement in block.statements)
        }
        self.residuals = Residuals(function, flow, self.known_on_reverse_sweep())
        self.residuals.plan(self._scalars_needed)
        self.stacks = RecordStacks(self)
        self.backward = AdjointEmitter(self, self.adjoint, self.arrays, self.residuals, self.stacks)
        self._checkpointed: dict[Block, CheckpointedLoop] = {}
        for head, counter in flow.counted.items():
            loop = CheckpointedLoop(self, counter, 2 * len(flow.blocks) + 1 + BLOCKS * len(self._checkpointed))
            if loop.is_possible():
                self._checkpointed[head] = loop
        self._rows = {
            head: count
            for head in flow.counted
            if head not in self._checkpointed and (count := self.residuals.record_row_count(head))
        }
        self._row_of = {block: _row_size(flow.counted[head]) for head in self._rows for block in flow.loops[head]}
        self._first_exit = 2 * len(flow.blocks) + 1 + BLOCKS * len(self._checkpointed)
        self._exits: list[Block] = []

    def _activity(self) -> Activity:
        return Activity(self.function, self.flow.blocks, frozenset(self.positions), is_forward=False, leaf=self.seed)

    def known_on_reverse_sweep(self) -> set[Scalar] | None:
        """Returns the numbers that a reverse sweep of its own knows without records; None if it is part of the same function."""
        return None

    def _scalars_needed(self, block: Block) -> Needs:
        """Returns the scalars that the reverse sweep through a block reads directly, and those that its edges read."""
        adjoint, way = self.adjoint.ways[block], self.residuals.reverse_sweep_exit(block)
        of_block = [operand for statement in adjoint.statements for operand in statement.reads]
        if way is not None and way.condition is not None:
            of_block.append(way.condition)
        of_edges = [operand for edge in adjoint.edges.values() for statement in edge for operand in statement.reads]
        of_edges += [
            counter.count for before in adjoint.edges if (counter := self._loop_entered_backward(before, block))
        ]
        return Needs({*scalars_among(of_block)}, {*scalars_among(of_edges)})

    def _loop_entered_backward(self, before: Block, block: Block) -> Counter | None:
        """Returns the counter of the loop that the reverse sweep enters from ``block`` at its head ``before``, if its last number is known."""
        counter = self.flow.counted.get(before)
        is_whole = counter in self.residuals.whole_loops
        return counter if is_whole and block not in self.flow.loops[before] else None

    # ---- the reverse sweep ---------------------------------------------------------------------------------------------------

    def _reverse_sweep(self, block: Block, choices: list[Block] | None = None) -> None:
        """Writes the reverse sweep through a block, to one of ``choices`` if they are known to come before it."""
        loop = self._checkpointed.get(block)
        if loop is not None and choices is None:
            with self.when(code.integer(loop.name) == code.integer(f"{loop.name}_first")):
                self.jump(loop.boundary)
        adjoint = self.adjoint.ways[block]
        self.backward.begin()
        if loop is None and choices is None and block in self.flow.counted and not self._is_innermost(block):
            self._write_zero_skip(block, self.adjoint.nonzero[block], self._write_jump_out_of_loop)
        self._pop_at_end(block)
        for statement in adjoint.statements:
            self.backward.write(statement)
        way = self.residuals.reverse_sweep_exit(block)
        if loop is not None and way is not None and choices is None:
            choices = way.second
        goes_first = code.Variable("w", types.boolean)
        if way is not None and way.kind == "condition":
            assert way.condition is not None
            self.write(code.assign(goes_first, self.backward.use(way.condition)))
        for statement in adjoint.phis:
            self.backward.write(statement)
        if way is not None and way.kind == "counter" and choices is None:
            # LLVM sees that indices are not negative
            self.write(code.assign(goes_first, code.integer(self.flow.counted[block].name) <= 0))
        self._pop_at_start(block)
        if way is None:
            self.jump(2 * len(self.flow.blocks))
            return

        def leave_to_one_of(choices: list[Block]) -> None:
            if len(choices) > 1:
                self.stacks.pop_code()
                for number, before in enumerate(choices[:-1]):
                    with self.when(code.integer("code") == number):
                        self._write_jump_backward(block, before)
            self._write_jump_backward(block, choices[-1])

        if choices is not None:
            if choices == way.second:
                self.write(code.subtract_from(code.integer(self.flow.counted[block].name), 1))
            leave_to_one_of(choices)
        elif way.kind == "only":
            self._write_jump_backward(block, way.first[0])
        elif way.kind == "code":
            leave_to_one_of(way.first)
        else:
            with self.when(goes_first):
                leave_to_one_of(way.first)
            if way.kind == "counter":
                self.write(code.subtract_from(code.integer(self.flow.counted[block].name), 1))
            leave_to_one_of(way.second)

    def _is_innermost(self, head: Block) -> bool:
        body = self.flow.loops[head]
        return not any(other in body and other is not head for other in self.flow.loops)

    def _write_jump_out_of_loop(self, head: Block) -> None:
        """Writes the jump to a block that leaves a loop backward.

        Without it LLVM may turn the test of `_write_zero_skip` into arithmetic, for which each iteration waits.
        """
        if head not in self._exits:
            self._exits.append(head)
        self.jump(self._first_exit + self._exits.index(head))

    def write_loop_exits(self) -> None:
        """Writes the blocks that leave loops backward at any iteration."""
        for number, head in enumerate(self._exits, self._first_exit):
            self.begin_block(number)
            self.leave_loop_backward(head)

    def _write_zero_skip(
        self, head: Block, may_differ: set[Scalar], leave: Callable[[Block], None] | None = None
    ) -> None:
        """Writes the jump to the start of a loop whose reverse sweep would only add zeros: all cotangents that it reads are 0.

        An innermost loop is skipped as a whole, so that LLVM can vectorize it; others are left at any iteration.

        Args:
            head: of the loop.
            may_differ: the cotangents that the loop reads and that may differ from 0.
            leave: writes the jump out of the loop, for loops without records of the first iteration.
        """
        records = self._droppable_records(head)
        if records is None or self._loop_contains_any(self.adjoint.indeterminate, head):
            return
        counter, first = code.integer(self.flow.counted[head].name), records[2]
        nonzero = sorted(
            (scalar for scalar in may_differ if scalar.block in self.flow.loops[head]), key=lambda item: item.name
        )
        doubt = [NOT(MET_FLAT)] if self._loop_contains_any(self.adjoint.doubtful, head) else []
        tests = [counter > first, *doubt, *[cotangent(scalar) == 0.0 for scalar in nonzero]]
        with self.when(code.conjunction(tests)):
            self._drop_records(head, records, counter - 1 if first else counter)
            self.write(code.assign(counter, first))
            if leave is not None and not first:
                leave(head)

    def _write_skip_to_last_choice(self, head: Block, may_differ: set[Scalar]) -> None:
        """Writes where the reverse sweep of a loop begins if it brings the cotangents of running minima and maxima alone."""
        records = self._droppable_records(head)
        nonzero = [scalar for scalar in may_differ if scalar.block in self.flow.loops[head]]
        if (
            records is None
            or records[2]
            or not nonzero
            or not all(scalar in self.function.last_choices for scalar in nonzero)
        ):
            return
        counter = code.integer(self.flow.counted[head].name)
        choices = dict.fromkeys(self.function.last_choices[scalar] for scalar in nonzero)
        places = [self.backward.use(place) for place in sorted(choices, key=lambda place: place.name)]
        last = code.call("max", *places) if len(places) > 1 else places[0]
        self._drop_records(head, records, counter - 1 - last)
        self.write(code.assign(counter, last + 1))

    def _droppable_records(self, head: Block) -> tuple[int, int, int] | None:
        """Returns what ``records_of_iteration`` does, or None also where the reverse sweep of a loop reads cotangents of arrays."""
        reads_arrays = any(self._reads_arrays(block) for block in self.flow.loops[head])
        return None if reads_arrays else self.residuals.records_of_iteration(head)

    def _loop_contains_any(self, statements: frozenset[Statement], head: Block) -> bool:
        """True if a loop has one of some statements."""
        return any(not statements.isdisjoint(block.statements) for block in self.flow.loops[head])

    def _drop_records(self, head: Block, records: tuple[int, int, int], iterations: Term) -> None:
        """Writes what takes the records of a number of iterations of a loop from the stacks."""
        for top, count in zip((VALUES_TOP, CODES_TOP), records, strict=False):
            if count:
                step = 1 if top is VALUES_TOP and head in self._rows else count
                self.write(code.subtract_from(top, iterations * step))

    def _reads_arrays(self, block: Block) -> bool:
        """True if the reverse sweep through a block reads or clears cotangents of arrays."""
        statements = any(
            statement.root in self.activity
            if isinstance(statement, (Allocate, Store))
            else self.activity.is_active_call(statement)
            for statement in block.statements
        )
        return statements or any(root in self.activity for phi in block.phis for root in phi.target.roots)

    def _write_jump_backward(self, block: Block, before: Block) -> None:
        """Writes the jump from the reverse sweep of a block to that of the block that came before it."""
        self.backward.begin()
        for statement in self.adjoint.ways[block].edges[before]:
            self.backward.write(statement)
        counter, loop = self._loop_entered_backward(before, block), self._checkpointed.get(before)
        if counter is not None:
            variable, row = code.integer(counter.name), _row_size(counter)
            self.write(code.assign(variable, self._final_count(counter)))
            if before in self._rows:
                self.write(code.assign(row, variable))
                self.write(code.subtract_from(VALUES_TOP, (self._rows[before] - 1) * row))
            may_differ = self.adjoint.nonzero_at_end[block, before]
            if loop is None:
                self._write_skip_to_last_choice(before, may_differ)
            if loop is None and self._is_innermost(before):
                self._write_zero_skip(before, may_differ)
        is_inside = loop is None or block in loop.body
        self.jump(len(self.flow.blocks) + before.number if is_inside else loop.reverse_sweep)  # type: ignore[union-attr]

    def _final_count(self, counter: Counter) -> Term:
        """Returns a counter's value after its loop."""
        count = self.backward.use(counter.count)
        return count if counter.count.is_natural else code.call("max", count, 0)

    def _pop_at_end(self, block: Block) -> None:
        at_start = [] if block in self.calling else self.residuals.at_start.get(block, [])
        at_end = self.residuals.at_end.get(block, [])
        count, row = len(at_start) + len(at_end), self._row_of.get(block)
        self.stacks.lower_top(count if row is None else min(count, 1))
        for offset, item in enumerate(at_end, len(at_start)):
            self.stacks.pop(item, position(offset, row))

    def _pop_at_start(self, block: Block) -> None:
        at_start = self.residuals.at_start.get(block, [])
        if block in self.calling:
            self.stacks.lower_top(len(at_start))
        for offset, item in enumerate(at_start):
            self.stacks.pop(item, offset)

    # ---- what checkpoints need -----------------------------------------------------------------------------------------

    def loop_end(self, counter: Counter) -> Term:
        """Returns the iteration before which a loop, or its present segment, ends."""
        if counter.head in self._checkpointed:
            return code.integer(f"{counter.name}_until")
        return super().loop_end(counter)

    def write_block_end(self, block: Block) -> None:
        """Writes how the function goes on after the statements of a block; the head of a loop with checkpoints may end a segment."""
        loop = self._checkpointed.get(block)
        if loop is None:
            super().write_block_end(block)
            return
        assert isinstance(block.end, Branch)
        with self.when(self.operand(block.end.condition)):
            self.edge(block, block.end.then)
        with self.when(code.integer(f"{loop.name}_until") < code.integer(f"{loop.name}_count")):
            self.jump(loop.stop)
        self.edge(block, block.end.otherwise)

    def undo_loop_head(self, head: Block) -> None:
        """Writes what a loop's head did to the stack of numbers, and to the numbers that it records, backwards."""
        self.stacks.lower_top(len(self.residuals.recorded_values(head)))
        self._pop_at_start(head)

    def leave_loop_backward(self, head: Block) -> None:
        """Writes the reverse sweep from the first iteration of a loop to what comes before the loop."""
        way = self.residuals.reverse_sweep_exit(head)
        assert way is not None
        self._reverse_sweep(head, way.first)

    # ---- the forward sweep ------------------------------------------------------------------------------------------------

    def _write_forward_block(self, block: Block) -> None:
        at_start, at_end = self.residuals.at_start.get(block, []), self.residuals.at_end.get(block, [])
        is_calling = block in self.calling  # records of the callee come between those of the start and of the end
        count = len(at_start) if is_calling else len(at_start) + len(at_end)
        if block not in self.residuals.reserved:
            self.stacks.write_number_room_test(count)
        self.stacks.push(variables_of(at_start))
        if is_calling:
            self.stacks.raise_top(len(at_start))
        for phi in block.phis:
            self.write(code.assign(phi.target.term, incoming(phi.target)))
            for root in phi.target.roots:
                if root in self.activity:
                    self.grow_buffer(root, code.size(root.term))
        loop = self._checkpointed.get(block)
        results = self._results_by_last_size(block)
        for statement in block.statements:
            if loop is not None and isinstance(statement, NextIteration):
                loop.write_room_check()
            self.location = statement.location
            callee = self.arrays.callee_of(statement)
            if isinstance(statement, Call) and callee is not None:
                self._augmented_call(statement, callee)
            else:
                statement.write(self)
                self._write_residuals(statement, block)
            for root in results.get(statement, ()):
                self.make_cotangent(root)
        if is_calling:
            count = len(at_end)
            self.stacks.write_number_room_test(count)
        row = self._row_of.get(block)
        self.stacks.push(variables_of(at_end), count - len(at_end), row)
        self.stacks.raise_top(count if row is None else min(count, 1))
        self.write_block_end(block)

    def _write_residuals(self, statement: Statement, block: Block) -> None:
        """Writes what the reverse sweep needs of a statement: memory for cotangents and records."""
        if isinstance(statement, (Allocate, Grow)) and statement.root not in self.activity:
            return
        if isinstance(statement, Allocate):
            self.make_cotangent(statement.root)
        elif isinstance(statement, Call) and self.activity.is_active_call(statement):
            self._save_arrays(statement)
        elif isinstance(statement, Grow):
            self.grow_buffer(statement.root, code.size(statement.root.term))
        elif isinstance(statement, BeginLoop) and statement.counter.head in self._checkpointed:
            name = statement.counter.name
            self.write(code.assign(code.integer(f"{name}_end"), code.integer(f"{name}_count")))
        elif isinstance(statement, BeginLoop) and statement.counter in self.residuals.reservations:
            count = code.call("max", 0, code.integer(f"{statement.counter.name}_count"))
            self.stacks.write_room_reservation(
                count + 1, *self.residuals.reservations[statement.counter], len(self.residuals.recorded_values(block))
            )
            if statement.counter.head in self._rows:
                self.write(code.assign(_row_size(statement.counter), count))

    def _results_by_last_size(self, block: Block) -> dict[Statement, list[Root]]:
        """Returns the arrays among the results of a block's calls that have cotangents, by the statement after which all of their sizes are known.

        The result of a function that is not inlined may have sizes that are read after the call, also from another result.
        """
        places = {part: place for place, statement in enumerate(block.statements) for part in statement.definitions}
        results: dict[Statement, list[Root]] = {}
        for statement in block.statements:
            for root in statement.makes if isinstance(statement, Call) else ():
                if root in self.activity:
                    last = max(places[part] for part in (root, *root.dims) if part in places)
                    results.setdefault(block.statements[last], []).append(root)
        return results

    def make_cotangent(self, root: Root) -> None:
        """Writes what gives the cotangent of an array memory."""
        count = code.product([self.operand(size) for size in root.dims])
        if self.arrays.has_buffer_cotangent(root):
            self.grow_buffer(root, count)
        else:
            self.write(code.assign(cotangent(root), self.zeros(root, count)))

    def zeros(self, root: Root, count: Any) -> Term:
        """Returns a flat array of zeros with the dtype of an array."""
        return code.call("np.zeros", count, self.dtype(root.type.dtype))

    def grow_buffer(self, root: Root, count: Term) -> None:
        """Writes what gives the buffer of a cotangent room for ``count`` elements, unless it has its size from the start."""
        if _is_small(root):
            return
        with self.when(code.size(cotangent(root)) < count):
            self.write(code.assign(cotangent(root), self.zeros(root, count)))

    def _save_arrays(self, statement: Call) -> None:
        """Writes what keeps the contents of the arrays of a call."""
        for variable, array in self.arrays.saved_arrays(statement).values():
            if isinstance(array, View):
                contents, count = self.view(array), code.product([*map(self.operand, array.sizes)])
            else:
                contents, count = array.term, code.size(array.term)  # its sizes are read after the call
            if self.arrays.has_recorded_arrays(statement):
                self.stacks.push_array(contents, count)
            else:
                self.write(code.assign(variable, code.call("contiguous", contents)))

    def _augmented_call(self, statement: Call, callee: Callee) -> None:
        """Writes a call that leaves its records on the stacks."""
        views = [(number, value) for number, value in enumerate(statement.arguments) if isinstance(value, View)]
        for number, view in views:
            for other, other_view in views:
                is_checked = number in callee.written and (other > number or other not in callee.written)
                if (
                    is_checked
                    and other != number
                    and other_view.root.memory_owner in self.arrays.families[view.root.memory_owner]
                ):
                    names = view.root.name[2:], other_view.root.name[2:]
                    self.write(memory_check(self.view(view), self.view(other_view), names))
        arguments = [self.argument(value) for value in statement.arguments]
        results = [*[result.term for result in statement.results], *STACKS]
        name = self.derived_call("augmented", callee, unwritten_arrays(statement))
        self.write(code.assign(code.tuple_of(results), code.call(name, *arguments, OWNER, *STACKS)))

    def edge(self, block: Block, target: Block) -> None:
        self.write_phi_values(block, target)
        if block in self._rows and target not in self.flow.loops[block]:
            self.write(code.add_to(VALUES_TOP, (self._rows[block] - 1) * self._row_of[block]))
        way = self.residuals.reverse_sweep_exit(target)
        if way is not None and self.residuals.records_predecessor_code(target):
            choices = way.first if block in way.first else way.second
            if len(choices) > 1:
                if not (target in self.residuals.reserved and block in self.residuals.reserved):
                    self.stacks.write_room_test(None, 1)
                self.stacks.push_code(choices.index(block))
        loop = self._checkpointed.get(target)
        self.jump(target.number if loop is None or block in loop.body else loop.start)

    def write_return(self, block: Block, end: Return) -> None:
        for number, value in enumerate(end.values):
            result = self.argument(value)
            if any(root.kind != "local" for root in value.roots):
                result = code.copied(result)
            self.write(code.assign(code.Variable(f"result_{number}"), result))
        self.jump(len(self.flow.blocks) + block.number)

    # ---- the whole function -------------------------------------------------------------------------------------------

    def _check_code_range(self) -> None:
        """Refuses joins of more ways than the code of a way, a byte, can tell."""
        for block in self.flow.blocks:
            way = self.residuals.reverse_sweep_exit(block)
            if way is not None and max(len(way.first), len(way.second)) > MAX_CODES:
                raise refuse(f"more than {MAX_CODES} ways meet here", self.function.location)

    def derivative(self, form: Callable[[Term, list[Term]], Term]) -> Derivative:
        """Returns the derivative.

        Args:
            form: returns what the derivative returns, of the result and the cotangents of the parameters.
        """
        check_aliased_stores(self.function, self.flow, is_reverse=True)
        self._check_code_range()
        function = self.function
        self.stacks.used.clear()
        for block in self.flow.blocks:
            self.begin_block(block.number)
            self._write_forward_block(block)
        for block in reversed(self.flow.blocks):  # in the order in which they run, Numba infers types in few rounds
            if isinstance(block.end, Raise):
                continue
            self.begin_block(len(self.flow.blocks) + block.number)
            self._reverse_sweep(block)
        self.write_loop_exits()
        for loop in self._checkpointed.values():
            loop.write_blocks()
        uses_all = self.calling or self._checkpointed
        stacks = [name for name in ALL_STACKS if uses_all or name in self.stacks.used]
        self.begin_block(2 * len(self.flow.blocks))
        cotangents = [self._cotangent_of(function.arguments[position]) for position in self.positions]
        returned = code.Variable("returned")
        self.write(code.assign(returned, form(self._result(), cotangents)))
        for name in stacks:  # nothing raises after this
            self.write(released(name))
        self.write(code.Return(returned))
        parameters = self.parameters_of_function()
        cotangents_of_result, parts_of_cotangents = self._parameters_of_result()
        parameters += cotangents_of_result if self.seed is None else []
        prologue = self._prologue()
        prologue += parts_of_cotangents if self.seed is None else []
        prologue += [code.assign(OWNER, code.call("new_owner"))] if stacks else []
        for name in stacks:
            stack = code.integer(name)
            prologue += [
                code.assign(code.integer(f"{name}_top"), code.call("np.int64", 0)),
                code.assign(stack, acquired(name)),
                code.assign(code.integer(f"{name}_room"), capacity(stack)),
            ]
        return self.result(f"derivative_of_{function.name}", parameters, prologue)

    def _prologue(self) -> list[code.Statement]:
        """Returns the statements before the first block: checks, and what the reverse sweep may read without having been set."""
        function = self.function
        statements = self.unpacked_parameters()
        statements += [*self.memory_checks(function), *self.initial_records(), *self.initial_cotangents()]
        for loop in self._checkpointed.values():
            statements += loop.initial_statements()
        statements += [code.assign(MET_FLAT, False)] if self.adjoint.doubtful else []
        for root in function.roots:
            if root not in self.activity or root.kind == "reshaped":
                continue
            if root.kind in ("parameter", "global"):
                zeros = code.call("zero_cotangents", code.size(root.term), self.dtype(root.type.dtype))
                statements.append(code.assign(cotangent(root), zeros))
            elif self.arrays.has_buffer_cotangent(root):
                count = code.product([self.operand(size) for size in root.dims]) if _is_small(root) else 0
                statements.append(code.assign(cotangent(root), self.zeros(root, count)))
        return statements

    def initial_records(self) -> list[code.Statement]:
        """Returns the statements that give what is kept or recorded an initial value, for paths that set none."""
        kept = sorted(self.residuals.kept | self.residuals.recorded, key=lambda scalar: scalar.name)
        numbers = [code.assign(scalar.term, zero(scalar.type)) for scalar in kept if scalar.block is not None]
        counters = [code.assign(code.integer(counter.name), 0) for counter in self.function.counters]
        return [*numbers, *self.initial_row_sizes(), *counters]

    def initial_row_sizes(self) -> list[code.Statement]:
        """Returns the statements that give the sizes of rows a value."""
        return [code.assign(_row_size(self.flow.counted[head]), 0) for head in self._rows]

    def initial_cotangents(self) -> list[code.Statement]:
        """Returns the statements that set the cotangents of numbers to 0."""
        parameters = [scalar for scalar in self.function.scalars if scalar.block is None]
        scalars = [scalar for scalar in [*scalars_defined_in(self.flow.blocks), *parameters] if scalar in self.activity]
        return [
            code.assign(cotangent(scalar), zero(scalar.type)) for scalar in scalars if scalar not in self.adjoint.local
        ]

    def _result(self) -> Term:
        count = max(len(block.results) for block in self.flow.blocks)
        return self.result_of_parts([code.Variable(f"result_{number}") for number in range(count)])

    def _parameters_of_result(self) -> tuple[list[code.Variable], list[code.Statement]]:
        """Returns the parameters that are the cotangents of the result, and statements that give the parts of complex ones names."""
        parameters: list[code.Variable] = []
        statements: list[code.Statement] = []
        count = 0
        for type in leaf_types_of(self.function.result):
            parameter = code.Variable(f"c_{count}")
            if isinstance(type, types.Complex):
                parameter = code.Variable(f"complex_{count}")
                for number, part in enumerate(("real", "imag"), count):
                    statements.append(code.assign(code.Variable(f"c_{number}"), code.attribute(parameter, part)))
                count += 1
            elif is_complex_type(type):
                parameter = code.Variable(f"complex_{count}")
                statements.append(code.assign(code.Variable(f"c_{count}"), code.call("real_parts", parameter)))
            parameters.append(parameter)
            count += 1
        return parameters, statements

    def _cotangent_of(self, value: object) -> Term:
        if isinstance(value, Items):
            return code.tuple_of([self._cotangent_of(item) for item in value.values])
        if isinstance(value, Fields):
            return self._cotangent_of_fields(value)
        if isinstance(value, (NumberList, ArrayList)):
            items = value.data if isinstance(value, NumberList) else value.elements.data
            if not items.root.is_real:
                return NONE
            return code.call("list_like", code.Variable(items.root.field.owner), self._cotangent_of(items))  # type: ignore[union-attr]
        if isinstance(value, View):
            root = value.root
            if not root.is_real:
                return NONE
            shape = code.attribute(root.term, "shape")
            if root in self.activity:
                array = code.reshaped(cotangent(root), shape)
            else:
                array = code.call("np.zeros", shape, self.dtype(root.type.dtype))
            return array if value.parts is None else code.call("complex_of_parts", array)
        if isinstance(value, Complex):
            return self.complex_number(value.type, self._cotangent_of(value.real), self._cotangent_of(value.imag))
        if isinstance(value, Scalar) and value.is_real:
            return cotangent(value) if value in self.activity else zero(value.type)
        return NONE

    def _cotangent_of_fields(self, fields: Fields) -> Term:
        """Writes the cotangent of a record, an array of records or an instance, and returns it."""
        parts = {name: view for name, view in fields.parts.items() if view.root.is_real}
        cotangent_type = cotangent_type_of(fields.type)
        if isinstance(fields.type, types.ClassInstanceType):
            values = [self._cotangent_of(view) for view in parts.values()]
            values = [
                value if view.axes else code.subscript(value, [])
                for value, view in zip(values, parts.values(), strict=True)
            ]
            return code.call(self.bound(cotangent_type, "cotangent").name, *values)
        rank, first = getattr(fields.type, "ndim", 0), next(iter(fields.parts.values())).root
        # The numbers of the sizes are dropped where nothing uses the field.
        shape = [code.size_along(first.term, axis) for axis in range(rank)]
        count = code.product(shape)
        records = code.Variable(f"cotangent_of_{first.name}")
        self.write(code.assign(records, code.call("np.zeros", count, self.bound(cotangent_type, "cotangent"))))
        for field, view in parts.items():
            if view.root in self.activity:
                inner = [code.size_along(view.root.term, axis) for axis in range(rank, len(view.axes))]
                value = code.reshaped(self._cotangent_of(view), code.tuple_of([count, *inner]))
                target = code.subscript(code.call("field_of", records, field), [code.ALL])
                self.write(code.assign(target, value))
        return code.reshaped(records, code.tuple_of(shape))


def _is_small(root: Root) -> bool:
    """True if an array is small and of a constant shape: the buffer of its cotangent has its size from the start."""
    sizes = [size.value for size in root.dims if isinstance(size, Constant)]
    return len(sizes) == len(root.dims) and not root.is_growing and math.prod(sizes) <= MOST_ELEMENTS


def _row_size(counter: Counter) -> code.Variable:
    """Returns the variable of the size of the rows in which a loop records numbers."""
    return code.integer(f"{counter.name}_row")
