"""Checkpoints: the records of a long loop stay below a number of bytes (A. Griewank and A. Walther, Revolve, 2000).

A loop starts with records of all its iterations. When they reach a limit, later iterations share the memory of a segment of records, and
snapshots of the loop's state are stored at some segments' starts. The reverse sweep restores the last snapshot, runs the segment that precedes the
remaining records, and then runs that segment in reverse. The same blocks run again, so the gradients have the same bits.

A segment begins and ends in the loop's head, where the loop would end. So the forward and the reverse sweep meet in the head.
"""

from __future__ import annotations

import functools
import operator
import os
from typing import TYPE_CHECKING, Any

from numba import types

from fastgrad._src.derivatives.analysis.control_flow import ControlFlow, memory_families, memory_written_in
from fastgrad._src.derivatives.codegen.tape_memory import ALL_STACKS, POPS
from fastgrad._src.derivatives.ir.operands import Constant, Counter, Root, scalars_among
from fastgrad._src.derivatives.ir.representation import Block, Function, statements_in
from fastgrad._src.derivatives.ir.statements import Branch, Compute, Load, NextIteration, Size
from fastgrad._src.derivatives.output import tree as code
from fastgrad._src.derivatives.transform.emission import incoming, variables_of
from fastgrad._src.derivatives.transform.record_stacks import ARRAYS_TOP, CODES_TOP, VALUES, VALUES_TOP
from fastgrad._src.scalars.formulas import Term, as_term

if TYPE_CHECKING:
    from fastgrad._src.derivatives.transform.reverse_mode import ReverseMode

BYTES_VARIABLE = "FASTGRAD_CHECKPOINT_BYTES"
DEFAULT_BYTES = 1 << 30
_ALL = 1 << 60
"""More iterations, and more bytes, than there are."""
_BYTES = 8 * (VALUES_TOP + ARRAYS_TOP) + CODES_TOP
_SHORT = 16
"""A loop of a constant number of iterations below this has no checkpoints: they cost compile time."""
BLOCKS = 6
"""The number of blocks between the segments of a loop."""


def checkpoint_byte_limit() -> int:
    """Returns the number of bytes that records and snapshots of a loop may have.

    Raises:
        ValueError: ``FASTGRAD_CHECKPOINT_BYTES`` is no number.
    """
    chosen = os.environ.get(BYTES_VARIABLE, "").strip()
    if not chosen:
        return DEFAULT_BYTES
    if not chosen.isdecimal():
        raise ValueError(f"{BYTES_VARIABLE} is {chosen!r}; it is a number of bytes")
    return int(chosen)


class CheckpointedLoop:
    """A loop with checkpoints, and the code of what happens between its segments.

    Its variables in the code start with the counter's name. They end in:

    * count: the number of iterations; end: that of iterations that are not yet undone; first: the iteration where the records begin;
    * until: where the segment ends at the latest; room: the iterations or bytes of a segment; bytes: on the stacks when it began;
    * snapshots: stored now; slots: stored at most; next: the iteration of the next snapshot, -1 if not known;
    * values, codes, arrays: the tops of the stacks where a segment begins.

    Attributes:
        name: of the counter.
        head, body: the loop's head and its blocks.
        start, stop, boundary, reverse_sweep: the numbers of the blocks that begin a segment, end it, go on from one segment's reverse sweep to the
            segment before, and enter the loop's reverse sweep.
        phis: the numbers and arrays that the head takes from the iteration before.
        restored: the arrays from before the loop that iterations read, and that the loop or later code writes.
        final: the arrays from before the loop whose contents the reverse sweep changes.
    """

    def __init__(self, mode: ReverseMode, counter: Counter, number: int) -> None:
        assert counter.head is not None
        self._mode = mode
        self.name = counter.name
        self._counter = counter
        self.head = counter.head
        self.body = mode.flow.loops[self.head]
        self.start, self.stop, self._without_end, self.boundary, self._again, self.reverse_sweep = range(
            number, number + BLOCKS
        )
        self.phis = [phi.target for phi in self.head.phis]
        self._arrays = [root for target in self.phis for root in target.roots]
        read = mode.residuals.sources_of_effects()
        self._numbers = [target for target in scalars_among(self.phis) if target in read]
        at_start = mode.residuals.at_start
        self._variables = [item for block in mode.flow.blocks if block in self.body for item in at_start.get(block, [])]
        self.restored, self.final = _written_arrays(mode.function, mode.flow, self.head)
        reserved = mode.residuals.reservations.get(counter)
        # A loop of calls may keep arrays, of which reservations know nothing, and record no number.
        self._reserved = reserved if reserved is not None and any(reserved) else None

    def is_possible(self) -> bool:
        """True if running iterations again does the same, and memory for their records is worth it."""
        mode = self._mode
        statements = list(statements_in(self.body))
        arrays = [*self._arrays, *self.restored, *self.final]
        return (
            mode.has_checkpoints
            and not self._counter.is_internal
            and all(statement.is_repeatable for statement in statements)
            and not any(self.head in body for head, body in mode.flow.loops.items() if head is not self.head)
            and not mode.flow.is_in_loop(self._counter.block)
            and self._exits_only_by_counter()
            and not any(root.is_growing or not root.type.mutable or root.type.dtype not in POPS for root in arrays)
            and all(root.type.layout in "CA" for root in self._arrays)
            and not (isinstance(self._counter.count, Constant) and self._counter.count.value < _SHORT)
            and any(
                block in mode.calling
                or mode.residuals.recorded_values(block)
                or mode.residuals.records_predecessor_code(block)
                or any(map(mode.activity.is_active_call, block.statements))
                for block in self.body
            )
        )

    def _exits_only_by_counter(self) -> bool:
        """True if nothing but the counter ends the loop at its head."""
        end = self.head.end
        head = [statement for statement in self.head.statements if not isinstance(statement, (Compute, Load, Size))]
        return (
            [type(statement) for statement in head] == [NextIteration]
            and isinstance(end, Branch)
            and end.condition is getattr(head[0], "is_valid", None)
            and end.then in self.body
            and end.otherwise not in self.body
        )

    # ---- code -----------------------------------------------------------------------------------------------------

    def _variable(self, ending: str) -> code.Variable:
        """Returns a variable of the loop."""
        return code.integer(f"{self.name}_{ending}")

    @property
    def _iteration(self) -> code.Variable:
        """The variable of the counter."""
        return code.integer(self.name)

    def _assign(self, target: Term, value: Any) -> None:
        self._mode.write(code.assign(target, value))

    def _call(self, name: str, *operands: Any) -> None:
        self._mode.write(code.Evaluate(code.call(name, *operands)))

    def _reset_stacks(self) -> None:
        """Writes what sets the stacks back to where a segment begins."""
        for stack in ALL_STACKS:
            self._assign(code.integer(f"{stack}_top"), self._variable(stack))

    def initial_statements(self) -> list[code.Statement]:
        """Returns the statements before the first block."""
        room = checkpoint_byte_limit() // 4  # the loop's start has one, and the segments after it share another
        if self._reserved is not None:
            values, codes = self._reserved
            room //= 8 * values + codes
        zeros = ["count", "end", "until", "first", "bytes", "snapshots", "slots", "values", "codes", "arrays"]
        return [
            *[code.assign(self._variable(ending), 0) for ending in zeros],
            code.assign(self._variable("next"), -1),
            code.assign(self._variable("room"), max(room, 1)),
            *[code.assign(_contents_of(root), 0) for root in self.final],
        ]

    def write_room_check(self) -> None:
        """Writes what ends the segment before the next iteration if its records fill their room."""
        if self._reserved is None:
            until = self._variable("until")
            with self._mode.when(self._variable("bytes") + self._variable("room") < _BYTES):
                self._assign(until, code.call("min", until, self._iteration + 1))

    def write_blocks(self) -> None:
        """Writes the blocks between segments."""
        mode, iteration = self._mode, self._iteration
        until, end, room = self._variable("until"), self._variable("end"), self._variable("room")
        mode.begin_block(self.start)
        self._assign(self._variable("bytes"), _BYTES)
        self._assign(until, end)
        if self._reserved is not None:
            self._assign(until, code.call("min", end, iteration + 1 + room))
            mode.stacks.write_room_reservation(code.call("max", 0, until - iteration) + 1, *self._reserved)
        mode.jump(self.head.number)
        mode.begin_block(self.stop)
        self._write_segment_end()
        mode.begin_block(self._without_end)
        mode.undo_loop_head(self.head)
        self._assign(room, _ALL)
        mode.write(code.subtract_from(iteration, 1))
        mode.jump(self.start)
        mode.begin_block(self.boundary)
        with mode.when(self._variable("first") > 0):
            mode.jump(self._again)
        mode.leave_loop_backward(self.head)
        mode.begin_block(self._again)
        self._write_segment_rerun()
        mode.begin_block(self.reverse_sweep)
        mode.jump(len(mode.flow.blocks) + self.head.number)

    def _write_segment_end(self) -> None:
        mode, values, iteration = self._mode, self._snapshot_values(), self._iteration
        arrays = self._snapshot_arrays()
        first, end, count = self._variable("first"), self._variable("end"), self._variable("count")
        following, slots, snapshots = self._variable("next"), self._variable("slots"), self._variable("snapshots")
        with mode.when(iteration == end):
            mode.jump(self.reverse_sweep)
        begin = code.If(snapshots == 0)
        mode.write(begin)
        with mode.within(begin.then):
            items = functools.reduce(operator.add, [as_term(len(values)), *map(code.size, arrays)])
            records, limit = _BYTES - self._variable("bytes"), checkpoint_byte_limit() // 2
            self._assign(slots, code.call("snapshot_slots", iteration, count, records, 8 * items, limit))
            with mode.when(slots == 0):
                mode.jump(self._without_end)
            self._assign(following, iteration)
            for stack in ALL_STACKS:
                self._assign(self._variable(stack), code.integer(f"{stack}_top"))
        with mode.within(begin.otherwise), mode.when(following < 0):
            self._assign(following, code.call("next_snapshot", first, iteration, end, slots - snapshots))
        self._reset_stacks()
        with mode.when(iteration >= following):
            mode.stacks.write_number_room_test(len(values))
            mode.stacks.push(values)
            mode.stacks.raise_top(len(values))
            for array in arrays:
                mode.stacks.push_array(array, code.size(array))
            self._assign(self._variable("values"), VALUES_TOP)
            self._assign(self._variable("arrays"), ARRAYS_TOP)
            mode.write(code.add_to(snapshots, 1))
            self._assign(following, -1)
        self._assign(first, iteration)
        mode.write(code.subtract_from(iteration, 1))
        mode.jump(self.start)

    def _snapshot_values(self) -> list[Term]:
        """Returns a snapshot's numbers: variables, phis, sizes of arrays, the top of the arrays before, the iteration."""
        return [
            *variables_of(self._variables),
            *map(incoming, self._numbers),
            *(code.size_along(incoming(root), axis) for root in self._arrays for axis in range(root.type.ndim)),
            self._variable("arrays"),
            self._iteration,
        ]

    def _snapshot_arrays(self) -> list[Term]:
        """Returns a snapshot's arrays."""
        return [*map(incoming, self._arrays), *(root.term for root in self.restored)]

    def _popped(self, type: types.Type, place: Term) -> Term:
        return code.call(f"pop_{type}", VALUES, place)

    def _write_segment_rerun(self) -> None:
        """Writes what runs the segment before that which is undone; below the first snapshot its records are there."""
        mode, count = self._mode, len(self._snapshot_values())
        first, end, snapshots = self._variable("first"), self._variable("end"), self._variable("snapshots")
        values, arrays = self._variable("values"), self._variable("arrays")
        if self.final:
            with mode.when(end == self._variable("count")):
                for root in self.final:
                    self._assign(_contents_of(root), code.call("new_memory", code.size(root.term)))
                    self._call("save_array", _contents_of(root), 0, root.term)
        self._assign(end, first)
        with mode.when(self._popped(types.int64, values - 1) == end):
            mode.write(code.subtract_from(snapshots, 1), code.subtract_from(values, count))
            self._assign(arrays, self._popped(types.int64, values + (count - 2)))
            with mode.when(snapshots == 0):
                self._assign(first, 0)
                self._reset_stacks()
                for offset, item in enumerate(self._variables):
                    mode.stacks.pop(item, values + offset)
                for root in self.final:
                    self._call("load_array", _contents_of(root), 0, root.term)
                    self._call("free_memory", _contents_of(root))
                mode.jump(self.reverse_sweep)
        position = count - len(self._variables)
        for number in self._numbers:
            self._assign(incoming(number), self._popped(number.type, values - position))
            position -= 1
        for root in self._arrays:
            sizes = [self._popped(types.int64, values - (position - axis)) for axis in range(root.type.ndim)]
            self._assign(incoming(root), code.call("np.empty", code.tuple_of(sizes), mode.dtype(root.type.dtype)))
            position -= root.type.ndim
        self._reset_stacks()
        for array in reversed(self._snapshot_arrays()):
            mode.stacks.pop_array(array)
        self._assign(ARRAYS_TOP, arrays)
        self._assign(first, self._popped(types.int64, values - 1))
        self._assign(self._variable("next"), -1)
        self._assign(self._iteration, first - 1)
        mode.jump(self.start)


def _contents_of(root: Root) -> code.Variable:
    """Returns the variable of the address where the contents of an array are kept."""
    return code.integer(f"f_{root.name}")


def _written_arrays(function: Function, flow: ControlFlow, head: Block) -> tuple[list[Root], list[Root]]:
    """Returns the arrays from before a loop whose contents a snapshot has, and those that running iterations again changes."""
    body = flow.loops[head]
    families = memory_families(function)
    used: list[Root] = []
    read: set[Root] = set()
    for block in flow.blocks:
        for phi in block.phis:
            used += [
                root.memory_owner for before, value in phi.incoming.items() if before in body for root in value.roots
            ]
        for statement in block.statements if block in body else []:
            used += [root.memory_owner for root in statement.arrays]
            read.update(*(families[root.memory_owner] for root in statement.reads))
    written = set().union(*map(memory_written_in, flow.reachable_blocks(head)))
    written_in_loop = set().union(*map(memory_written_in, body))
    outer = [root for root in dict.fromkeys(used) if root.block not in body]

    def is_in(root: Root, memories: set[Root]) -> bool:
        return bool(families[root] & memories)

    restored = [root for root in outer if root in read and is_in(root, written)]
    final = [root for root in outer if root in restored or is_in(root, written_in_loop)]
    return restored, final
