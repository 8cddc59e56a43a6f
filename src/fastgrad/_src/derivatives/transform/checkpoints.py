"""Checkpoints: the records of a long loop stay below a number of bytes (A. Griewank and A. Walther, Revolve, 2000).

A loop starts with records of all its iterations. When they reach a limit, later iterations share the memory of a segment of records, and
snapshots of the loop's state are stored at some segments' starts. The reverse sweep restores the last snapshot, runs the segment that precedes the
remaining records, and then runs that segment in reverse. The same blocks run again, so the gradients have the same bits.

A segment begins and ends in the loop's head, where the loop would end. So the forward and the reverse sweep meet in the head.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from fastgrad._src.derivatives.analysis.control_flow import ControlFlow, memory_families, memory_written_in
from fastgrad._src.derivatives.ir.operands import Constant, Counter, Root, scalars_among
from fastgrad._src.derivatives.ir.representation import Block, Function
from fastgrad._src.derivatives.ir.statements import Branch, Compute, Load, NextIteration, Size
from fastgrad._src.derivatives.runtime.tape_memory import ALL_STACKS, POPS

if TYPE_CHECKING:
    from fastgrad._src.derivatives.transform.reverse_mode import ReverseMode

BYTES_VARIABLE = "FASTGRAD_CHECKPOINT_BYTES"
DEFAULT_BYTES = 1 << 30
_ALL = 1 << 60
"""More iterations, and more bytes, than there are."""
_BYTES = "8*(values_top + arrays_top) + codes_top"
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
    """A loop with checkpoints, and the text of what happens between its segments.

    Its variables in the text start with the counter's name. They end in:

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
        statements = [statement for block in self.body for statement in block.statements]
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

    # ---- text -----------------------------------------------------------------------------------------------------

    def _write(self, text: str, indent: int = 3) -> None:
        """Writes lines."""
        for line in text.strip("\n").split("\n"):
            self._mode.write(line, indent)

    def _stack_reset_lines(self) -> str:
        """Returns the lines that set the stacks back to where a segment begins."""
        return "\n".join(f"{stack}_top = {self.name}_{stack}" for stack in ALL_STACKS)

    def initial_lines(self) -> list[str]:
        """Returns the lines before the first block."""
        k = self.name
        room = checkpoint_byte_limit() // 4  # the loop's start has one, and the segments after it share another
        if self._reserved is not None:
            values, codes = self._reserved
            room //= 8 * values + codes
        zeros = ["count", "end", "until", "first", "bytes", "snapshots", "slots", "values", "codes", "arrays"]
        lines = [f"{' = '.join(f'{k}_{variable}' for variable in zeros)} = 0"]
        lines += [f"{k}_next = -1", f"{k}_room = {max(room, 1)}"]
        lines += [f"f_{root.name} = 0" for root in self.final]
        return lines

    def write_room_check(self) -> None:
        """Writes what ends the segment before the next iteration if its records fill their room."""
        k = self.name
        if self._reserved is None:
            self._write(f"if {_BYTES} > {k}_bytes + {k}_room:")
            self._write(f"{k}_until = min({k}_until, {k} + 1)", 4)

    def write_blocks(self) -> None:
        """Writes the blocks between segments."""
        k = self.name
        mode = self._mode
        mode.begin_block(self.start)
        self._write(f"{k}_bytes = {_BYTES}\n{k}_until = {k}_end")
        if self._reserved is not None:
            self._write(f"{k}_until = min({k}_end, {k} + 1 + {k}_room)")
            mode.stacks.write_room_reservation(f"(max(0, {k}_until - {k}) + 1)", *self._reserved)
        mode.jump(self.head.number)
        mode.begin_block(self.stop)
        self._write_segment_end()
        mode.begin_block(self._without_end)
        mode.undo_loop_head(self.head)
        self._write(f"{k}_room = {_ALL}\n{k} -= 1")
        mode.jump(self.start)
        mode.begin_block(self.boundary)
        self._write(f"if {k}_first > 0:")
        mode.jump(self._again, 4)
        mode.leave_loop_backward(self.head)
        mode.begin_block(self._again)
        self._write_segment_rerun()
        mode.begin_block(self.reverse_sweep)
        mode.jump(len(mode.flow.blocks) + self.head.number)

    def _write_segment_end(self) -> None:
        k = self.name
        mode, values = self._mode, self._snapshot_values()
        arrays = self._array_names()
        size = " + ".join([str(len(values)), *(f"{array}.size" for array in arrays)])
        self._write(f"if {k} == {k}_end:")
        mode.jump(self.reverse_sweep, 4)
        self._write(f"if {k}_snapshots == 0:")
        self._write(
            f"{k}_slots = snapshot_slots({k}, {k}_count, {_BYTES} - {k}_bytes, 8*({size}), {checkpoint_byte_limit() // 2})",
            4,
        )
        self._write(f"if {k}_slots == 0:", 4)
        mode.jump(self._without_end, 5)
        self._write(f"{k}_next = {k}\n{k}_values = values_top\n{k}_codes = codes_top\n{k}_arrays = arrays_top", 4)
        self._write(
            f"elif {k}_next < 0:\n    {k}_next = next_snapshot({k}_first, {k}, {k}_end, {k}_slots - {k}_snapshots)"
        )
        self._write(self._stack_reset_lines())
        self._write(f"if {k} >= {k}_next:")
        mode.stacks.write_room_test(str(len(values)), "", 4)
        mode.stacks.push(values, indent=4)
        mode.stacks.raise_top(len(values), 4)
        for array in arrays:
            mode.stacks.push_array(array, 4)
        self._write(f"{k}_values = values_top\n{k}_arrays = arrays_top\n{k}_snapshots += 1\n{k}_next = -1", 4)
        self._write(f"{k}_first = {k}\n{k} -= 1")
        mode.jump(self.start)

    def _snapshot_values(self) -> list[str]:
        """Returns the texts of a snapshot's numbers: variables, phis, sizes of arrays, the top of the arrays before, the iteration."""
        k = self.name
        return [
            *(item.name for item in self._variables),
            *(f"p_{number.name}" for number in self._numbers),
            *(f"p_{root.name}.shape[{axis}]" for root in self._arrays for axis in range(root.type.ndim)),
            f"{k}_arrays",
            self.name,
        ]

    def _array_names(self) -> list[str]:
        """Returns the texts of a snapshot's arrays."""
        return [*(f"p_{root.name}" for root in self._arrays), *(root.name for root in self.restored)]

    def _write_segment_rerun(self) -> None:
        """Writes what runs the segment before that which is undone; below the first snapshot its records are there."""
        k = self.name
        mode, count = self._mode, len(self._snapshot_values())
        if self.final:
            self._write(f"if {k}_end == {k}_count:")
        for root in self.final:
            self._write(f"f_{root.name} = new_memory({root.name}.size)", 4)
            self._write(f"save_array(f_{root.name}, 0, {root.name})", 4)
        self._write(
            f"""
{k}_end = {k}_first
if pop_int64(values, {k}_values - 1) == {k}_end:
    {k}_snapshots -= 1
    {k}_values -= {count}
    {k}_arrays = pop_int64(values, {k}_values + {count - 2})
    if {k}_snapshots == 0:
        {k}_first = 0"""
        )
        self._write(self._stack_reset_lines(), 5)
        for offset, item in enumerate(self._variables):
            mode.stacks.pop(item, f"{k}_values + {offset}", 5)
        for root in self.final:
            self._write(f"load_array(f_{root.name}, 0, {root.name})", 5)
            self._write(f"free_memory(f_{root.name})", 5)
        mode.jump(self.reverse_sweep, 5)
        position = count - len(self._variables)
        for number in self._numbers:
            self._write(f"p_{number.name} = pop_{number.type}(values, {k}_values - {position})")
            position -= 1
        for root in self._arrays:
            sizes = [f"pop_int64(values, {k}_values - {position - axis}), " for axis in range(root.type.ndim)]
            self._write(f"p_{root.name} = np.empty(({''.join(sizes)}), {mode.dtype(root.type.dtype)})")
            position -= root.type.ndim
        self._write(self._stack_reset_lines())
        for name in reversed(self._array_names()):
            mode.stacks.pop_array(name)
        self._write(f"arrays_top = {k}_arrays")
        self._write(f"{k}_first = pop_int64(values, {k}_values - 1)\n{k}_next = -1\n{k} = {k}_first - 1")
        mode.jump(self.start)


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
