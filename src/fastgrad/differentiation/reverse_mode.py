"""Reverse mode: the text of a function that runs forward, then backward from the result's cotangent to those of the arguments.

The blocks of the way back have the numbers of the forward blocks plus their count. Each undoes its block: statements in reverse order, then
phis, then a jump to the way back of the block that came before.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator

from numba.core import types

from fastgrad.differentiation.activity import Activity
from fastgrad.differentiation.aliases import check_stores
from fastgrad.differentiation.checkpoints import BLOCKS, CheckpointedLoop
from fastgrad.differentiation.control_flow import ControlFlow, memory_families
from fastgrad.differentiation.emission import Derivative, scalars_of, zero
from fastgrad.differentiation.increments import Increments
from fastgrad.differentiation.infinite_slopes import statements_before_infinite_slopes
from fastgrad.differentiation.ir import (
    Allocate,
    BeginLoop,
    Block,
    Branch,
    Call,
    Compute,
    Constant,
    Counter,
    Function,
    Grow,
    Load,
    NextIteration,
    Phi,
    Raise,
    Return,
    Root,
    Scalar,
    Size,
    Statement,
    Store,
    View,
    leaf_types_of,
    literal,
    refuse,
)
from fastgrad.differentiation.jumps import BLOCK_VARIABLE
from fastgrad.differentiation.partials import guarded, zero_product
from fastgrad.differentiation.residuals import Needs, Residuals
from fastgrad.differentiation.reverse_calls import ReverseCalls
from fastgrad.differentiation.tape_memory import ALL_STACKS, MAX_CODES
from fastgrad.differentiation.values import Complex, Items


class ReverseMode(ReverseCalls):
    """Writes the way forward with its records, and the way back.

    Args:
        function: the function.
        flow: its control flow.
        positions: the numbers of the parameters that have cotangents.
        seed: the number of the result's leaf whose cotangent is 1, those of others being 0. None if they are parameters.
    """

    def __init__(self, function: Function, flow: ControlFlow, positions: tuple[int, ...], seed: int | None) -> None:
        super().__init__(function, flow)
        self.positions = positions
        self.seed = seed
        self.activity = self._activity()
        self._collected: Needs | None = None
        self._edge_from: Block | None = None
        self._indent = 3
        self._recomputed: dict[Scalar, str] = {}
        self._stacks_in_use: set[str] = set()
        self._nonzero: set[Scalar] = set()
        self._nonzero_at: dict[Block, set[Scalar]] = {block: set() for block in flow.blocks}
        self._increments = Increments(flow)
        self._guarded = statements_before_infinite_slopes(flow)
        if self._guarded:
            function.globals["zero_product"] = zero_product
        self._families = memory_families(function)
        self.calling = {
            block
            for block in flow.blocks
            if any(isinstance(statement, Call) and self._callee_of(statement) for statement in block.statements)
        }
        self._block_of_call = {
            statement: block for block in flow.blocks for statement in block.statements if isinstance(statement, Call)
        }
        self._local = {
            scalar
            for scalar in scalars_of(flow.blocks)
            if scalar in self.activity and self._increments.users.get(scalar, set()) <= {scalar.block}
        }
        self.residuals = Residuals(function, flow, self.known_on_way_back())
        self._checkpointed: dict[Block, CheckpointedLoop] = {}
        self._find_zeros()
        self.residuals.plan(self._needs)
        for head, counter in flow.counted.items():
            loop = CheckpointedLoop(self, counter, 2 * len(flow.blocks) + 1 + BLOCKS * len(self._checkpointed))
            if loop.is_possible():
                self._checkpointed[head] = loop

    has_checkpoints = True
    """Whether both ways are one function, which may run a loop again."""

    def _activity(self) -> Activity:
        return Activity(self.function, self.flow.blocks, frozenset(self.positions), is_forward=False, leaf=self.seed)

    def known_on_way_back(self) -> set[Scalar] | None:
        """Returns the numbers that a way back of its own knows without records; None if it is part of the same function."""
        return None

    # ---- analyses -------------------------------------------------------------------------------------------------

    def _find_zeros(self) -> None:
        """Finds the numbers whose cotangents may differ from 0 where the way back through each block begins.

        The first addition to a cotangent that is 0 is an assignment: LLVM may not drop an addition to 0.0, which would change -0.0.
        """
        sizes: list[int] = []
        while sizes != (sizes := [len(self._nonzero_at[block]) for block in self.flow.blocks]):
            for block in reversed(self.flow.blocks):
                self._needs(block)

    def _needs(self, block: Block) -> Needs:
        """Returns the scalars that the way back through a block reads directly, and those that its edges read."""
        self._collected = Needs(set(), set())
        lines, self.lines = self.lines, []
        self._way_back(block)
        self.lines = lines
        collected, self._collected = self._collected, None
        return collected

    # ---- the way back ---------------------------------------------------------------------------------------------------

    def _way_back(self, block: Block, choices: list[Block] | None = None) -> None:
        """Writes the way back through a block, to one of ``choices`` if they are known to come before it."""
        loop = self._checkpointed.get(block)
        if loop is not None and choices is None:
            self.write(f"if {loop.name} == {loop.name}_first:")
            self.jump(loop.boundary, 4)
        self._recomputed, self._nonzero = {}, set(self._nonzero_at[block])
        if loop is None and block in self.flow.counted and not self._is_innermost(block):
            self._skip_zeros(block, 3)
        self._pop_at_end(block)
        if isinstance(block.end, Return):
            self._seed(block.end)
        for statement in reversed(block.statements):
            self._undo(statement)
        way = self.residuals.way_back(block)
        if loop is not None and way is not None and choices is None:
            choices = way.second
        if way is not None and way.kind == "condition":
            assert way.condition is not None
            self.write(f"w = {self.use(way.condition)}")
        phis = [
            phi
            for phi in block.phis
            if phi.target in self.activity and (isinstance(phi.target, Root) or phi.target in self._nonzero)
        ]
        for phi in phis:
            self._take_phi(phi)
        if way is not None and way.kind == "counter" and choices is None:
            self.write(f"w = {self.flow.counted[block].name} <= 0")  # LLVM sees that indices are not negative
        self._pop_at_start(block)
        if way is None:
            self.jump(2 * len(self.flow.blocks))
            return

        def leave_to_one_of(choices: list[Block], indent: int) -> None:
            if len(choices) > 1:
                self.write("codes_top -= 1", indent)
                self.write(f"code = pop_code({self.stack('codes')}, codes_top)", indent)
                for number, before in enumerate(choices[:-1]):
                    self.write(f"if code == {number}:", indent)
                    self._leave(block, phis, before, indent + 1)
            self._leave(block, phis, choices[-1], indent)

        if choices is not None:
            if choices == way.second:
                self.write(f"{self.flow.counted[block].name} -= 1")
            leave_to_one_of(choices, 3)
        elif way.kind == "only":
            self._leave(block, phis, way.first[0], 3)
        elif way.kind == "code":
            leave_to_one_of(way.first, 3)
        else:
            self.write("if w:")
            leave_to_one_of(way.first, 4)
            if way.kind == "counter":
                self.write(f"{self.flow.counted[block].name} -= 1")
            leave_to_one_of(way.second, 3)

    def _is_innermost(self, head: Block) -> bool:
        body = self.flow.loops[head]
        return not any(other in body and other is not head for other in self.flow.loops)

    def _skip_zeros(self, head: Block, indent: int) -> None:
        """Writes the jump to the start of a loop whose way back would only add zeros: all cotangents that it reads are 0.

        An innermost loop is skipped as a whole, so that LLVM can vectorize it; others are left at any iteration.
        """
        body = self.flow.loops[head]
        records = self.residuals.records_of_iteration(head)
        if records is None or any(self._reads_arrays(block) for block in body):
            return
        values, codes, first = records
        name = self.flow.counted[head].name
        nonzero = sorted(scalar.name for scalar in self._nonzero if scalar.block in body)
        tests = [f"({name} > {first})", *[f"(d_{scalar} == 0.0)" for scalar in nonzero]]
        self.write(f"if {' & '.join(tests)}:", indent)
        distance = f"({name} - 1)" if first else name
        for stack, count in (("values", values), ("codes", codes)):
            if count:
                self.write(f"{stack}_top -= {distance}*{count}", indent + 1)
        self.write(f"{name} = {first}", indent + 1)

    def _reads_arrays(self, block: Block) -> bool:
        """True if the way back through a block reads or clears cotangents of arrays."""
        statements = any(
            statement.root in self.activity
            if isinstance(statement, (Allocate, Store))
            else isinstance(statement, Call) and self.activity.is_active_call(statement)
            for statement in block.statements
        )
        return statements or any(isinstance(phi.target, Root) and phi.target in self.activity for phi in block.phis)

    def _leave(self, block: Block, phis: list[Phi], before: Block, indent: int) -> None:
        """Writes the jump from the way back of a block to that of the block that came before it."""
        # The numbers of the block are those of its last run now: nothing that was computed again above counts.
        self._recomputed, self._edge_from, self._indent = {}, before, indent
        nonzero = set(self._nonzero)
        self._give_phis(block, phis, before, indent)
        self._nonzero_at[before] |= self._nonzero
        counter, loop = self.flow.counted.get(before), self._checkpointed.get(before)
        if counter is not None and counter in self.residuals.whole_loops and block not in self.flow.loops[before]:
            self.write(f"{counter.name} = {self._final_number(counter)}", indent)
            if loop is None and self._is_innermost(before):
                self._skip_zeros(before, indent)
        self._edge_from, self._indent, self._nonzero = None, 3, nonzero
        is_inside = loop is None or block in loop.body
        self.jump(len(self.flow.blocks) + before.number if is_inside else loop.way_back, indent)  # type: ignore[union-attr]

    def _pop_at_end(self, block: Block) -> None:
        at_start = [] if block in self.calling else self.residuals.at_start.get(block, [])
        at_end = self.residuals.at_end.get(block, [])
        if at_start or at_end:
            self.write(f"values_top -= {len(at_start) + len(at_end)}")
        for offset, item in enumerate(at_end, len(at_start)):
            self.pop(item, f"values_top + {offset}" if offset else "values_top")

    def _pop_at_start(self, block: Block) -> None:
        at_start = self.residuals.at_start.get(block, [])
        if at_start and block in self.calling:
            self.write(f"values_top -= {len(at_start)}")
        for offset, item in enumerate(at_start):
            self.pop(item, f"values_top + {offset}" if offset else "values_top")

    # ---- what checkpoints need -----------------------------------------------------------------------------------------

    def end_of(self, counter: Counter) -> str:
        """Returns the text of the iteration before which a loop, or its present segment, ends."""
        return f"{counter.name}_until" if counter.head in self._checkpointed else super().end_of(counter)

    def begin_block(self, number: int) -> None:
        """Writes the test of a block's number."""
        self.write(f"if {BLOCK_VARIABLE} == {number}:", 2)

    def go_on(self, block: Block) -> None:
        """Writes how a block that has successors goes on; the head of a loop with checkpoints may end a segment."""
        loop = self._checkpointed.get(block)
        if loop is None:
            super().go_on(block)
            return
        assert isinstance(block.end, Branch)
        self.write(f"if {self.operand(block.end.condition)}:")
        self.edge(block, block.end.then, 4)
        self.write(f"if {loop.name}_until < {loop.name}_count:")
        self.jump(loop.stop, 4)
        self.edge(block, block.end.otherwise, 3)

    def take_back_records(self, head: Block) -> None:
        """Writes what a loop's head did to the stack of numbers, and to the numbers that it records, backwards."""
        pushes = self.residuals.pushes(head)
        if pushes:
            self.write(f"values_top -= {len(pushes)}")
        self._pop_at_start(head)

    def leave_loop_backward(self, head: Block) -> None:
        """Writes the way back from the first iteration of a loop to what comes before the loop."""
        way = self.residuals.way_back(head)
        assert way is not None
        self._way_back(head, way.first)

    def saves_arrays(self, block: Block) -> bool:
        """True if a block keeps the contents of arrays."""
        return any(
            isinstance(statement, Call) and self.activity.is_active_call(statement) for statement in block.statements
        )

    def _undo(self, statement: Statement) -> None:
        if isinstance(statement, Compute) and statement.target in self.activity:
            cotangent = self._take(statement.target)
            if cotangent is None:
                return
            for operand, partial in zip(statement.operands, statement.partials, strict=True):
                is_active = isinstance(operand, Scalar) and operand in self.activity
                if partial is not None and is_active and self._increments.through.get(statement) is not operand:
                    is_guarded = statement in self._guarded and not statement.has_infinite_slope
                    partial = guarded(partial, statement.target.type) if is_guarded else partial
                    self._add(operand, self._partial(partial, cotangent, statement))
        elif (
            isinstance(statement, Load)
            and statement.target in self.activity
            and statement not in self._increments.statements
        ):
            cotangent = self._take(statement.target)
            if cotangent is not None and statement.root in self.activity:
                line = f"{self._cotangent_element(statement.root, statement.operands)} += {cotangent}"
                guards = " and ".join(f"{self.use(count)} > 0" for count in statement.guards)
                if guards:
                    self.write(f"if {guards}:")
                self.write(line, 4 if guards else 3)
        elif isinstance(statement, Store) and statement.root in self.activity:
            element = self._cotangent_element(statement.root, statement.operands[1:])
            self._add(statement.operands[0], element)
            if statement not in self._increments.statements:
                self.write(f"{element} = {zero(statement.root.type.dtype)}")
        elif isinstance(statement, Allocate) and statement.root in self.activity and self._is_buffer(statement.root):
            self._clear(statement.root)
        elif isinstance(statement, Call) and self._callee_of(statement):
            self._reverse_call(statement)
        elif isinstance(statement, Call) and self.activity.is_active_call(statement):
            self._undo_call(statement)

    # ---- calls of functions that are not inlined ----------------------------------------------------------------------

    def _seed(self, end: Return) -> None:
        for number, value in enumerate(end.values):
            if self.seed is not None:
                if number == self.seed:
                    assert not isinstance(value, View)
                    self._add(value, literal(Constant(1.0, value.type)))
            elif isinstance(value, View):
                if value.root in self.activity:
                    self._for_each_element(value, f"c_{number}", 3)
            else:
                self._add(value, f"c_{number}")

    # ---- phis -----------------------------------------------------------------------------------------------------------

    def _take_phi(self, phi: Phi) -> None:
        target = phi.target
        if isinstance(target, Scalar):
            self._nonzero.discard(target)
            self.write(f"t_{target.name} = d_{target.name}")
            self.write(f"d_{target.name} = {zero(target.type)}")

    def _give_phis(self, block: Block, phis: list[Phi], before: Block, indent: int) -> None:
        """Adds the cotangents of phis to those of the values that they have on the way from ``before``."""
        for phi in phis:
            value = phi.incoming.get(before)
            if isinstance(phi.target, Scalar) and isinstance(value, Scalar):
                self._add(value, f"t_{phi.target.name}", indent)
        arrays = [
            (phi.target, value)
            for phi in phis
            if isinstance(phi.target, Root) and isinstance(value := phi.incoming.get(before), View)
        ]
        moved = self._moved_cotangents(block, arrays)
        added = [(target, value) for target, value in arrays if target not in moved]
        for target, value in added:
            count = " * ".join(self.use(axis.size) for axis in value.axes) or "1"
            if value.root in self.activity:
                self.write(f"t_{target.name} = d_{target.name}[:{count}].copy()", indent)
            self.write(f"d_{target.name}[:{count}] = {zero(target.type.dtype)}", indent)
        for target, source in _exchanges(moved):
            names = f"d_{source.name}, d_{target.name}"
            self.write(f"{names} = exchange({names})", indent)
        for target, value in added:
            if value.root in self.activity:
                self._for_each_element(value, f"t_{target.name}", indent, is_flat=True)

    def _moved_cotangents(self, block: Block, arrays: list[tuple[Root, View]]) -> dict[Root, Root]:
        """Returns for each phi whose cotangent becomes that of another array, as it is, the other array.

        That array's cotangent is 0 at the start of ``block``: it is a phi of the block, too, or nothing uses the array from there on.
        """
        targets = {target for target, _ in arrays}
        moved: dict[Root, Root] = {}
        for target, value in arrays:
            source = value.root.memory
            if (
                value.is_whole()
                and source.kind in ("local", "phi")
                and source in self.activity
                and source.type.dtype == target.type.dtype
                and not (source.is_growing or target.is_growing)
                and source not in moved.values()
                and (source in targets or source not in self._live_arrays[block])
            ):
                moved[target] = source
        return moved

    @functools.cached_property
    def _live_arrays(self) -> dict[Block, set[Root]]:
        return self.flow.live_arrays()

    # ---- the way forward ------------------------------------------------------------------------------------------------

    def _forward(self, block: Block) -> None:
        at_start, at_end = self.residuals.at_start.get(block, []), self.residuals.at_end.get(block, [])
        is_calling = block in self.calling  # records of the callee come between those of the start and of the end
        count = len(at_start) if is_calling else len(at_start) + len(at_end)
        if block not in self.residuals.reserved:
            self.ensure(str(count) if count else "", "", 3)
        for offset, item in enumerate(at_start):
            self._push(item, offset)
        if is_calling and at_start:
            self.write(f"values_top += {len(at_start)}")
        for phi in block.phis:
            self.write(f"{phi.target.name} = p_{phi.target.name}")
            if isinstance(phi.target, Root) and phi.target in self.activity:
                self._grow_buffer(phi.target, f"{phi.target.name}.size")
        loop = self._checkpointed.get(block)
        for statement in block.statements:
            if loop is not None and isinstance(statement, NextIteration):
                loop.write_test_of_room()
            if isinstance(statement, Call) and self._callee_of(statement) is not None:
                self._augmented_call(statement)
                continue
            self.forward_statement(statement)
            self._after_statement(statement, block)
        if is_calling:
            count = len(at_end)
            self.ensure(str(count) if count else "", "", 3)
        for offset, item in enumerate(at_end, count - len(at_end)):
            self._push(item, offset)
        if count:
            self.write(f"values_top += {count}")
        end = block.end
        self.go_on(block)
        if isinstance(end, Raise):
            self.raise_(end)
        elif isinstance(end, Return):
            self.turn(block, end)

    def _after_statement(self, statement: Statement, block: Block) -> None:
        """Writes what the way back needs of a statement: memory for cotangents and records."""
        if isinstance(statement, (Allocate, Size, Grow)) and statement.root not in self.activity:
            return
        if isinstance(statement, Allocate):
            self._make_cotangent(statement.root)
        elif isinstance(statement, Size):
            sizes = [size for size in statement.root.dims if isinstance(size, Scalar)]
            if statement.root.kind == "local" and sizes[-1:] == [statement.target]:
                self._make_cotangent(statement.root)
        elif isinstance(statement, Call) and self.activity.is_active_call(statement):
            self._save_arrays(statement)
        elif isinstance(statement, Grow):
            self._grow_buffer(statement.root, f"{statement.root.name}.size")
        elif isinstance(statement, BeginLoop) and statement.counter.head in self._checkpointed:
            self.write(f"{statement.counter.name}_end = {statement.counter.name}_count")
        elif isinstance(statement, BeginLoop) and statement.counter in self.residuals.reservations:
            count = f"(max(0, {statement.counter.name}_count) + 1)"
            self.reserve(count, *self.residuals.reservations[statement.counter], len(self.residuals.pushes(block)))

    def edge(self, block: Block, target: Block, indent: int) -> None:
        """Writes the values of the target's phis, and the jump."""
        for phi in target.phis:
            value = phi.incoming.get(block)
            if isinstance(phi.target, Root):
                assert isinstance(value, View)
                self.write(f"p_{phi.target.name} = {self.view(value)}", indent)
            else:
                operand = value if isinstance(value, (Constant, Scalar)) else Constant(0, phi.target.type)
                self.write(f"p_{phi.target.name} = {self.converted(operand, phi.target.type)}", indent)
        way = self.residuals.way_back(target)
        if way is not None and self.residuals.writes_code(target):
            choices = way.first if block in way.first else way.second
            if len(choices) > 1:
                if not (target in self.residuals.reserved and block in self.residuals.reserved):
                    self.ensure("", "1", indent)
                self.write(f"push_code({self.stack('codes')}, codes_top, {choices.index(block)})", indent)
                self.write("codes_top += 1", indent)
        loop = self._checkpointed.get(target)
        self.jump(target.number if loop is None or block in loop.body else loop.start, indent)

    def turn(self, block: Block, end: Return) -> None:
        """Writes how the way forward ends."""
        self._save_result(end)
        self.jump(len(self.flow.blocks) + block.number)

    def _save_result(self, end: Return) -> None:
        for number, value in enumerate(end.values):
            text = self.view(value) if isinstance(value, View) else self.operand(value)
            if isinstance(value, View) and len(end.values) and value.root.kind != "local":
                text = f"{text}.copy()"
            self.write(f"result_{number} = {text}")

    # ---- the whole function -------------------------------------------------------------------------------------------

    def _check_codes(self) -> None:
        """Refuses joins of more ways than the code of a way, a byte, can tell."""
        for block in self.flow.blocks:
            way = self.residuals.way_back(block)
            if way is not None and max(len(way.first), len(way.second)) > MAX_CODES:
                raise refuse(f"more than {MAX_CODES} ways meet here", self.function.location)

    def derivative(self, form: Callable[[str, list[str]], str]) -> Derivative:
        """Returns the text of the derivative.

        Args:
            form: returns the text of what the derivative returns, from the texts of the result and of the cotangents of the parameters.
        """
        check_stores(self.function, self.flow, is_reverse=True)
        self._check_codes()
        function = self.function
        self._stacks_in_use.clear()
        for block in self.flow.blocks:
            self.begin_block(block.number)
            self._forward(block)
        for block in reversed(self.flow.blocks):  # in the order in which they run, Numba infers types in few rounds
            if isinstance(block.end, Raise):
                continue
            self.begin_block(len(self.flow.blocks) + block.number)
            self._way_back(block)
        for loop in self._checkpointed.values():
            loop.write_blocks()
        uses_all = self.calling or self._checkpointed
        stacks = {name: stack for name, stack in ALL_STACKS.items() if uses_all or name in self._stacks_in_use}
        self.begin_block(2 * len(self.flow.blocks))
        cotangents = [self._cotangent_of(function.arguments[position]) for position in self.positions]
        self.write(f"returned = {form(self._result_text(), cotangents)}")
        for name, (number, width) in stacks.items():  # nothing raises after this
            self.write(f"release({number}, {name}, {width})")
        self.write("return returned")
        parameters = [f"a_{name}" for name in function.parameters]
        cotangents_of_result, parts_of_cotangents = self._parameters_of_result()
        parameters += cotangents_of_result if self.seed is None else []
        body = self._head()
        body += parts_of_cotangents if self.seed is None else []
        body += ["owner = new_owner()"] if stacks else []
        for name, (number, width) in stacks.items():
            body += [
                f"{name}_top = np.int64(0)",
                f"{name} = acquire(owner, {number}, {width})",
                f"{name}_room = capacity({name})",
            ]
        body += [f"{BLOCK_VARIABLE} = 0", "while True:"]
        header = f"def derivative_of_{function.name}({', '.join(parameters)}):"
        return self.result(header, body)

    def _head(self) -> list[str]:
        """Returns the lines before the first block: checks, and what the way back may read without having been set."""
        function = self.function
        lines = self.unpacked_parameters()
        lines += [*self.checks_of_memory(), *self.initial_records(), *self.initial_cotangents()]
        for loop in self._checkpointed.values():
            lines += loop.initial_lines()
        for root in function.roots:
            if root not in self.activity or root.kind == "reshaped":
                continue
            dtype = self.dtype(root.type.dtype)
            if root.kind in ("parameter", "global"):
                lines.append(f"d_{root.name} = zero_cotangents({root.name}.size, {dtype})")
            elif self._is_buffer(root):
                lines.append(f"d_{root.name} = np.zeros(0, {dtype})")
        return lines

    def initial_records(self) -> list[str]:
        """Returns the lines that give what is kept or recorded a value: some ways do not set it."""
        kept = sorted(self.residuals.kept | self.residuals.recorded, key=lambda scalar: scalar.name)
        lines = [f"{scalar.name} = {zero(scalar.type)}" for scalar in kept if scalar.block is not None]
        return lines + [f"{counter.name} = 0" for counter in self.function.counters]

    def initial_cotangents(self) -> list[str]:
        """Returns the lines that set the cotangents of numbers to 0."""
        scalars = [
            scalar for scalar in [*scalars_of(self.flow.blocks), *self._parameter_scalars()] if scalar in self.activity
        ]
        return [f"d_{scalar.name} = {zero(scalar.type)}" for scalar in scalars if scalar not in self._local]

    def _parameter_scalars(self) -> list[Scalar]:
        return [scalar for scalar in self.function.scalars if scalar.block is None]

    def _result_text(self) -> str:
        return self.structured([f"result_{number}" for number in range(self._result_count())])

    def _parameters_of_result(self) -> tuple[list[str], list[str]]:
        """Returns the parameters that are the cotangents of the result, and lines that give the parts of complex ones names."""
        parameters: list[str] = []
        lines: list[str] = []
        count = 0
        for type in leaf_types_of(self.function.result):
            if isinstance(type, types.NoneType):
                continue
            name = f"c_{count}"
            if isinstance(type, types.Complex):
                name = f"complex_{count}"
                lines += [f"c_{count} = {name}.real", f"c_{count + 1} = {name}.imag"]
                count += 1
            elif isinstance(type, types.Array) and isinstance(type.dtype, types.Complex):
                name = f"complex_{count}"
                lines.append(f"c_{count} = real_parts({name})")
            parameters.append(name)
            count += 1
        return parameters, lines

    def _result_count(self) -> int:
        return max((len(block.end.values) for block in self.flow.blocks if isinstance(block.end, Return)), default=0)

    def _cotangent_of(self, value: object) -> str:
        if isinstance(value, Items):
            return f"({''.join(self._cotangent_of(item) + ', ' for item in value.values)})"
        if isinstance(value, View):
            root = value.root
            if not root.is_real:
                return "None"
            text = f"np.zeros({root.name}.shape, {self.dtype(root.type.dtype)})"
            if root in self.activity:
                text = f"d_{root.name}.reshape({root.name}.shape)"
            return text if value.parts is None else f"complex_of_parts({text})"
        if isinstance(value, Complex):
            return self.complex_number(value.type, self._cotangent_of(value.real), self._cotangent_of(value.imag))
        if isinstance(value, Scalar) and value.is_real:
            return f"d_{value.name}" if value in self.activity else zero(value.type)
        return "None"


def _exchanges(moved: dict[Root, Root]) -> Iterator[tuple[Root, Root]]:
    """Yields pairs of arrays. Their exchanges, in this order, give each value of ``moved`` what its key had."""
    target_of = {source: target for target, source in moved.items()}
    while target_of:
        first = source = next((source for source in target_of if source not in moved), next(iter(target_of)))
        while source in target_of:
            target = target_of.pop(source)
            if target is not first:  # the last exchange of a cycle would undo the others
                yield source, target
            source = target
