"""Reverse mode: the text of a function that runs forward, then backward from the result's cotangent to those of the arguments.

The blocks of the way back have the numbers of the forward blocks plus their count. Each undoes its block: statements in reverse order, then
phis, then a jump to the way back of the block that came before.
"""

from __future__ import annotations

from collections.abc import Callable

from numba.core import types

from fastgrad.differentiation.activity import Activity
from fastgrad.differentiation.builder import is_natural_number
from fastgrad.differentiation.checkpoints import BLOCKS, CheckpointedLoop
from fastgrad.differentiation.control_flow import ControlFlow, memory_families, written_memory
from fastgrad.differentiation.emission import Derivative, Emitter, scalars_of, zero
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
    Operand,
    Phi,
    Raise,
    Return,
    Root,
    Scalar,
    Size,
    Statement,
    Store,
    View,
    equal_operands,
    literal,
    refuse,
)
from fastgrad.differentiation.jumps import BLOCK_VARIABLE
from fastgrad.differentiation.residuals import Needs, Residuals
from fastgrad.differentiation.tape_memory import ARRAYS, CODES, MAX_CODES, VALUES
from fastgrad.differentiation.values import Items


class ReverseMode(Emitter):
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
        self.activity = Activity(function, flow.blocks, frozenset(positions), is_forward=False, leaf=seed)
        self._collected: Needs | None = None
        self._edge_from: Block | None = None
        self._indent = 3
        self._recomputed: dict[Scalar, str] = {}
        self._started: set[Scalar] = set()
        self._users = self._blocks_of_users()
        self._increments: set[Statement] = set()
        self._through: dict[Statement, Scalar] = {}
        self._find_increments()
        self._block_of_call = {
            statement: block for block in flow.blocks for statement in block.statements if isinstance(statement, Call)
        }
        self._local = {
            scalar
            for scalar in scalars_of(flow.blocks)
            if scalar in self.activity and self._users.get(scalar, set()) <= {scalar.block}
        }
        self.residuals = Residuals(function, flow)
        self._checkpointed: dict[Block, CheckpointedLoop] = {}
        self.residuals.plan(self._needs)
        for head, counter in flow.counted.items():
            loop = CheckpointedLoop(self, counter, 2 * len(flow.blocks) + 1 + BLOCKS * len(self._checkpointed))
            if loop.is_possible():
                self._checkpointed[head] = loop

    # ---- analyses -------------------------------------------------------------------------------------------------

    def _blocks_of_users(self) -> dict[Scalar, set[Block | None]]:
        """Returns the blocks that use each scalar's value; None stands for edges between blocks."""
        users: dict[Scalar, set[Block | None]] = {}

        def use(value: Operand | View, block: Block | None) -> None:
            if isinstance(value, Scalar):
                users.setdefault(value, set()).add(block)

        for block in self.flow.blocks:
            for phi in block.phis:
                for value in phi.incoming.values():
                    use(value, None)
            for statement in block.statements:
                for operand in statement.operands:
                    use(operand, block)
            if isinstance(block.end, Return):
                for value in block.end.values:
                    use(value, block)
        return users

    def _find_increments(self) -> None:
        """Finds ``a[i] = a[i] + e`` with nothing between: the cotangent of ``a[i]`` stays as it is."""
        uses: dict[Scalar, int] = {}
        for block in self.flow.blocks:
            for statement in block.statements:
                for operand in statement.operands:
                    if isinstance(operand, Scalar):
                        uses[operand] = uses.get(operand, 0) + 1
            if isinstance(block.end, Return):
                for value in block.end.values:
                    if isinstance(value, Scalar):
                        uses[value] = uses.get(value, 0) + 1
        for block in self.flow.blocks:
            loads: dict[Scalar, Load] = {}
            for statement in block.statements:
                if isinstance(statement, Load):
                    loads[statement.target] = statement
                elif isinstance(statement, Store):
                    self._note_increment(statement, loads, uses, block)
                    memory = statement.root.memory
                    loads = {target: load for target, load in loads.items() if load.root.memory is not memory}

    def _note_increment(self, store: Store, loads: dict[Scalar, Load], uses: dict[Scalar, int], block: Block) -> None:
        value = store.operands[0]
        definition = value.definition if isinstance(value, Scalar) else None
        if not isinstance(definition, Compute) or definition not in block.statements:
            return
        if uses.get(definition.target) != 1 or self._users[definition.target] != {block}:
            return
        for place, partial in enumerate(definition.partials):
            operand = definition.operands[place]
            load = loads.get(operand) if isinstance(operand, Scalar) and partial == "{g}" else None
            if (
                load is None
                or load.root is not store.root
                or uses[load.target] != 1
                or self._users[load.target] != {block}
            ):
                continue
            if all(map(equal_operands, load.operands, store.operands[1:])):
                self._increments |= {store, load}
                self._through[definition] = load.target
                return

    def _needs(self, block: Block) -> Needs:
        """Returns the scalars that the way back through a block reads directly, and those that its edges read."""
        self._collected = Needs(set(), set())
        lines, self.lines = self.lines, []
        self._way_back(block)
        self.lines = lines
        collected, self._collected = self._collected, None
        return collected

    # ---- values on the way back --------------------------------------------------------------------------------------

    def use(self, operand: Operand) -> str:
        """Returns the text of a number on the way back; writes what computes it again."""
        if isinstance(operand, Constant):
            return literal(operand)
        if self._collected is not None:
            (self._collected.of_block if self._edge_from is None else self._collected.of_edges).add(operand)
            return operand.name
        if self.residuals.is_free(operand) or operand in self.residuals.recorded:
            return operand.name
        if operand in self._recomputed:
            return self._recomputed[operand]
        definition, name = operand.definition, f"r_{operand.name}"
        operands = [self.use(part) for part in definition.operands] if definition is not None else []
        if isinstance(definition, Compute):
            text = definition.text.format(*operands)
        elif isinstance(definition, Load):
            text = self.element(definition.root, operands)
        else:
            assert isinstance(definition, NextIteration)
            text = definition.counter.name
        self.write(f"{name} = {text}", self._indent)
        self._recomputed[operand] = name
        return name

    def _add(self, operand: Operand, text: str, indent: int = 3) -> None:
        """Adds to the cotangent of a number."""
        if not isinstance(operand, Scalar) or operand not in self.activity:
            return
        if operand in self._local and operand not in self._started:
            self._started.add(operand)
            self.write(f"d_{operand.name} = {text}", indent)
        else:
            self.write(f"d_{operand.name} += {text}", indent)

    def _take(self, scalar: Scalar) -> str | None:
        """Returns the text of the cotangent of a number, which is 0 after that; None if nothing was added to it."""
        if scalar in self._local:
            return f"d_{scalar.name}" if scalar in self._started else None
        self.write(f"t_{scalar.name} = d_{scalar.name}")
        self.write(f"d_{scalar.name} = {zero(scalar.type)}")
        return f"t_{scalar.name}"

    def _cotangent_element(self, root: Root, indices: list[Operand]) -> str:
        """Returns the text of the cotangent of an element of an array, which is in a flat array in C order."""
        sizes = [self.use(size) for size in root.dims[1:]]
        return f"d_{root.memory.name}[{self.flat_index(['', *sizes], [self.use(index) for index in indices])}]"

    # ---- the way back ---------------------------------------------------------------------------------------------------

    def _way_back(self, block: Block, choices: list[Block] | None = None) -> None:
        """Writes the way back through a block, to one of ``choices`` if they are known to come before it."""
        loop = self._checkpointed.get(block)
        if loop is not None and choices is None:
            self.write(f"if {loop.name} == {loop.name}_first:")
            self.jump(loop.boundary, 4)
        self._recomputed, self._started = {}, set()
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
        phis = [phi for phi in block.phis if phi.target in self.activity]
        for phi in phis:
            self._take_phi(phi, phis)
        if way is not None and way.kind == "counter" and choices is None:
            self.write(f"w = {self.flow.counted[block].name} == 0")
        self._pop_at_start(block)
        if way is None:
            self.jump(2 * len(self.flow.blocks))
            return

        def leave_to_one_of(choices: list[Block], indent: int) -> None:
            if len(choices) > 1:
                self.write("codes_top -= 1", indent)
                self.write("code = pop_code(codes, codes_top)", indent)
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

    def _leave(self, block: Block, phis: list[Phi], before: Block, indent: int) -> None:
        """Writes the jump from the way back of a block to that of the block that came before it."""
        # The numbers of the block are those of its last run now: nothing that was computed again above counts.
        self._recomputed, self._edge_from, self._indent = {}, before, indent
        for phi in phis:
            self._give_phi(phi, before, indent)
        counter = self.flow.counted.get(before)
        if counter is not None and counter in self.residuals.whole_loops and block not in self.flow.loops[before]:
            self.write(f"{counter.name} = {self._final_number(counter)}", indent)
        self._edge_from, self._indent = None, 3
        loop = self._checkpointed.get(before)
        is_inside = loop is None or block in loop.body
        self.jump(len(self.flow.blocks) + before.number if is_inside else loop.way_back, indent)  # type: ignore[union-attr]

    def _final_number(self, counter: Counter) -> str:
        """Returns the text of a counter's value after its loop."""
        count = self.use(counter.count)
        return count if is_natural_number(counter.count) else f"max({count}, 0)"

    def _pop_at_end(self, block: Block) -> None:
        pushes = self.residuals.pushes(block)
        if pushes:
            self.write(f"values_top -= {len(pushes)}")
        for offset, item in enumerate(pushes):
            if offset >= len(self.residuals.at_start.get(block, [])):
                self.pop(item, f"values_top + {offset}" if offset else "values_top")

    def _pop_at_start(self, block: Block) -> None:
        for offset, item in enumerate(self.residuals.at_start.get(block, [])):
            self.pop(item, f"values_top + {offset}" if offset else "values_top")

    def pop(self, item: Scalar | Counter, position: str, indent: int = 3) -> None:
        """Writes what reads a number from the stack of numbers."""
        type = item.type if isinstance(item, Scalar) else types.int64
        self.write(f"{item.name} = pop_{type}(values, {position})", indent)

    def push_array(self, name: str, indent: int = 3) -> None:
        """Writes what puts the elements of an array on the stack of arrays."""
        self.write(f"arrays = with_room(arrays, arrays_top + {name}.size)", indent)
        self.write(f"save_array(arrays, arrays_top, {name})", indent)
        self.write(f"arrays_top += {name}.size", indent)

    def pop_array(self, name: str) -> None:
        """Writes what takes the elements of an array from the stack of arrays."""
        self.write(f"arrays_top -= {name}.size")
        self.write(f"load_array(arrays, arrays_top, {name})")

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
        return any(isinstance(statement, Call) and self._is_active_call(statement) for statement in block.statements)

    def _undo(self, statement: Statement) -> None:
        if isinstance(statement, Compute) and statement.target in self.activity:
            cotangent = self._take(statement.target)
            if cotangent is None:
                return
            for operand, partial in zip(statement.operands, statement.partials, strict=True):
                is_active = isinstance(operand, Scalar) and operand in self.activity
                if partial is not None and is_active and self._through.get(statement) is not operand:
                    self._add(operand, self._partial(partial, cotangent, statement))
        elif isinstance(statement, Load) and statement.target in self.activity and statement not in self._increments:
            cotangent = self._take(statement.target)
            if cotangent is not None and statement.root in self.activity:
                self.write(f"{self._cotangent_element(statement.root, statement.operands)} += {cotangent}")
        elif isinstance(statement, Store) and statement.root in self.activity:
            element = self._cotangent_element(statement.root, statement.operands[1:])
            self._add(statement.operands[0], element)
            if statement not in self._increments:
                self.write(f"{element} = {zero(statement.root.type.dtype)}")
        elif isinstance(statement, Allocate) and statement.root in self.activity and self._is_buffer(statement.root):
            self._clear(statement.root)
        elif isinstance(statement, Call) and self._is_active_call(statement):
            self._undo_call(statement)

    # ---- calls of functions with adjoints of their own -----------------------------------------------------------------

    def _is_active_call(self, statement: Call) -> bool:
        active = [statement.arguments[position] for position in statement.rule.active]
        parts = [value.root if isinstance(value, View) else value for value in active]
        return any(part in self.activity for part in parts) and any(
            result in self.activity for result in statement.results
        )

    def _saved_arrays(self, statement: Call) -> list[tuple[str, list[Operand], View | Root]]:
        """Returns (variable, sizes, array) of the arrays that the way back through a call reads."""
        arrays: list[tuple[str, list[Operand], View | Root]] = []
        number = statement.results[0].name
        for position, value in enumerate(statement.arguments):
            if isinstance(value, View):
                arrays.append((f"s_{number}_{position}", [axis.size for axis in value.axes], value))
        arrays += [
            (f"s_{result.name}", result.dims, result) for result in statement.results if isinstance(result, Root)
        ]
        return arrays

    def _save_arrays(self, statement: Call) -> None:
        """Writes what keeps the contents of the arrays of a call."""
        for name, _, array in self._saved_arrays(statement):
            text = self.view(array) if isinstance(array, View) else array.name
            if self.flow.is_in_loop(self._block_of_call[statement]):
                self.write(f"b_{name} = {text}")
                self.push_array(f"b_{name}")
            else:
                self.write(f"{name} = contiguous({text})")

    def _undo_call(self, statement: Call) -> None:
        rule = statement.rule
        if rule.adjoint is None:
            raise refuse("this function has no reverse mode", statement.location)
        saved = self._saved_arrays(statement)
        for name, sizes, array in reversed(saved):
            texts = [self.use(size) for size in sizes]
            if self.flow.is_in_loop(self._block_of_call[statement]):
                dtype = array.root.type.dtype if isinstance(array, View) else array.type.dtype
                self.write(f"{name} = np.empty(({''.join(text + ', ' for text in texts)}), {self.dtype(dtype)})")
                self.pop_array(name)
        names = {id(array): name for name, _, array in saved}
        cotangents, results = [], []
        for result in statement.results:
            if isinstance(result, Root):
                dims = [self.use(size) for size in result.dims]
                count, shape = " * ".join(dims) or "1", "".join(size + ", " for size in dims)
                is_active = result in self.activity
                zeros = f"np.zeros(({shape}), {self.dtype(result.type.dtype)})"
                cotangents.append(f"d_{result.name}[:{count}].reshape(({shape})).copy()" if is_active else zeros)
                results.append(names[id(result)])
            else:
                cotangents.append((self._take(result) if result in self.activity else None) or zero(result.type))
                results.append(self.use(result))
        arguments = [names[id(value)] if isinstance(value, View) else self.use(value) for value in statement.arguments]
        targets = [f"e_{statement.results[0].name}_{position}" for position in rule.active]
        call = f"{self.bound(rule.adjoint, 'adjoint')}({', '.join([*cotangents, *results, *arguments])})"
        self.write(f"{''.join(target + ', ' for target in targets)}= {call}")
        for result in statement.results:
            if isinstance(result, Root) and result in self.activity and self._is_buffer(result):
                self._clear(result)
        for position, target in zip(rule.active, targets, strict=True):
            value = statement.arguments[position]
            if isinstance(value, View):
                if value.root in self.activity:
                    self._for_each_element(value, target, 3)
            else:
                self._add(value, target)

    def _partial(self, partial: str, cotangent: str, statement: Compute) -> str:
        operands = [
            self.use(operand) if f"{{{number}}}" in partial else "" for number, operand in enumerate(statement.operands)
        ]
        result = self.use(statement.target) if "{r}" in partial else ""
        return partial.format(*operands, g=cotangent, r=result)

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

    def _for_each_element(self, view: View, source: str, indent: int, is_flat: bool = False) -> None:
        """Writes the loops that add an array to the cotangent of a view."""
        sizes = [self.use(axis.size) for axis in view.axes]
        positions = [self.use(start) for start in view.starts]
        for axis in view.axes:
            self.use(axis.step)
        for size in view.root.dims[1:]:
            self.use(size)
        for number, axis in enumerate(view.axes):
            self.write(f"for q{number} in range({sizes[number]}):", indent + number)
            if axis.root_axis is not None:
                positions[axis.root_axis] += f" + q{number}*{self.use(axis.step)}"
        sizes_of_root = [self.use(size) for size in view.root.dims[1:]]
        target = f"d_{view.root.memory.name}[{self.flat_index(['', *sizes_of_root], positions)}]"
        indices = [f"q{number}" for number in range(len(view.axes))]
        element = f"{source}[{self.flat_index(sizes, indices) if is_flat else ', '.join(indices) or '()'}]"
        self.write(f"{target} += {element}", indent + len(view.axes))

    # ---- phis -----------------------------------------------------------------------------------------------------------

    def _take_phi(self, phi: Phi, phis: list[Phi]) -> None:
        target = phi.target
        if isinstance(target, Scalar):
            self.write(f"t_{target.name} = d_{target.name}")
            self.write(f"d_{target.name} = {zero(target.type)}")
            return
        count = " * ".join(self.use(size) for size in target.dims) or "1"
        self.write(f"t_{target.name} = d_{target.name}[:{count}].copy()")
        self._clear(target)

    def _clear(self, root: Root) -> None:
        count = " * ".join(self.use(size) for size in root.dims if not root.is_growing) or "1"
        count = "" if root.is_growing else count
        self.write(f"d_{root.name}[:{count}] = {zero(root.type.dtype)}")

    def _give_phi(self, phi: Phi, before: Block, indent: int) -> None:
        value = phi.incoming.get(before)
        if isinstance(phi.target, Scalar):
            if isinstance(value, Scalar):
                self._add(value, f"t_{phi.target.name}", indent)
            return
        assert isinstance(value, View)
        if value.root in self.activity:
            self._for_each_element(value, f"t_{phi.target.name}", indent, is_flat=True)

    # ---- the way forward ------------------------------------------------------------------------------------------------

    def _is_buffer(self, root: Root) -> bool:
        """True if an array's cotangent lives in a buffer that its site keeps: the site may run several times, or not at all."""
        if root.kind == "parameter":
            return False
        returns = [block for block in self.flow.blocks if isinstance(block.end, Return)]
        is_certain = all(root.block in self.flow.dominators[block] for block in returns)
        return root.kind == "phi" or root.is_growing or self.flow.is_in_loop(root.block) or not is_certain

    def _forward(self, block: Block) -> None:
        pushes = self.residuals.pushes(block)
        if block not in self.residuals.reserved:
            self.ensure(str(len(pushes)) if pushes else "", "", 3)
        at_start = self.residuals.at_start.get(block, [])
        for offset, item in enumerate(at_start):
            self._push(item, offset)
        for phi in block.phis:
            self.write(f"{phi.target.name} = p_{phi.target.name}")
            if isinstance(phi.target, Root) and phi.target in self.activity:
                self._grow_buffer(phi.target, f"{phi.target.name}.size")
        loop = self._checkpointed.get(block)
        for statement in block.statements:
            if loop is not None and isinstance(statement, NextIteration):
                loop.write_test_of_room()
            self.forward_statement(statement)
            if isinstance(statement, Allocate) and statement.root in self.activity:
                self._make_cotangent(statement.root)
            elif (
                isinstance(statement, Size)
                and statement.root.kind == "local"
                and statement.target is statement.root.dims[-1]
            ):
                if statement.root in self.activity:
                    self._make_cotangent(statement.root)
            elif isinstance(statement, Call) and self._is_active_call(statement):
                self._save_arrays(statement)
            elif isinstance(statement, Grow) and statement.root in self.activity:
                self._grow_buffer(statement.root, f"{statement.root.name}.size")
            elif isinstance(statement, BeginLoop) and statement.counter.head in self._checkpointed:
                self.write(f"{statement.counter.name}_end = {statement.counter.name}_count")
            elif isinstance(statement, BeginLoop) and statement.counter in self.residuals.reservations:
                count = f"(max(0, {statement.counter.name}_count) + 1)"
                self.reserve(count, *self.residuals.reservations[statement.counter], len(self.residuals.pushes(block)))
        for offset, item in enumerate(self.residuals.at_end.get(block, []), len(at_start)):
            self._push(item, offset)
        if pushes:
            self.write(f"values_top += {len(pushes)}")
        end = block.end
        self.go_on(block)
        if isinstance(end, Raise):
            self._release(3)
            self.raise_(end)
        elif isinstance(end, Return):
            self._save_result(end)
            self.jump(len(self.flow.blocks) + block.number)

    def _push(self, item: Scalar | Counter, offset: int) -> None:
        position = f"values_top + {offset}" if offset else "values_top"
        self.write(f"push_value(values, {position}, {item.name})")

    def ensure(self, values: str, codes: str, indent: int) -> None:
        """Writes the test that the stacks have room for more numbers and codes."""
        for count, stack, width in ((values, "values", 8), (codes, "codes", 1)):
            if count:
                self.write(f"if {stack}_top + {count} > {stack}_room:", indent)
                self.write(f"{stack}_room = 2*{stack}_room + {count}", indent + 1)
                self.write(f"{stack} = grow({stack}, {width}, {stack}_room)", indent + 1)

    def reserve(self, count: str, values: int, codes: int, more: int = 0) -> None:
        """Writes the test that the stacks have room for the records of iterations, and for more numbers."""
        self.ensure(f"{count}*{values} + {more}" if values else "", f"{count}*{codes} + 2" if codes else "", 3)

    def _make_cotangent(self, root: Root) -> None:
        count = " * ".join(self.operand(size) for size in root.dims) or "1"
        if self._is_buffer(root):
            self._grow_buffer(root, count)
        else:
            self.write(f"d_{root.name} = np.zeros({count}, {self.dtype(root.type.dtype)})")

    def _grow_buffer(self, root: Root, count: str) -> None:
        self.write(f"if d_{root.name}.size < {count}:")
        self.write(f"d_{root.name} = np.zeros({count}, {self.dtype(root.type.dtype)})", 4)

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
                self.write(f"push_code(codes, codes_top, {choices.index(block)})", indent)
                self.write("codes_top += 1", indent)
        loop = self._checkpointed.get(target)
        self.jump(target.number if loop is None or block in loop.body else loop.start, indent)

    def _save_result(self, end: Return) -> None:
        for number, value in enumerate(end.values):
            text = self.view(value) if isinstance(value, View) else self.operand(value)
            if isinstance(value, View) and len(end.values) and value.root.kind != "local":
                text = f"{text}.copy()"
            self.write(f"result_{number} = {text}")

    def _release(self, indent: int) -> None:
        self.write("release_stacks()", indent)

    # ---- the whole function -------------------------------------------------------------------------------------------

    def check_arrays(self) -> None:
        """Refuses phis of arrays that are written while another name of the same memory is in use.

        The cotangent of such a phi has memory of its own, which is right only if the names do not share writes.
        """
        live = self.flow.live_arrays()
        families = memory_families(self.function)
        for block in self.flow.blocks:
            phis = [phi for phi in block.phis if isinstance(phi.target, Root)]
            written = written_memory(self.flow.blocks_from(block)) if phis else set()
            for phi in phis:
                for before, value in phi.incoming.items():
                    assert isinstance(value, View)
                    memory = value.root.memory
                    if memory is phi.target:
                        continue
                    others = [p for p in phis if p is not phi and p.incoming[before].root.memory is memory]  # type: ignore[union-attr]
                    is_shared = memory in live[block] - {p.target for p in phis} or bool(others)
                    if is_shared and families[memory] & written:
                        raise refuse(
                            "a variable is one of several arrays here, which are written while another variable holds the same array; "
                            "copy the array",
                            phi.location,
                        )

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
        self.check_arrays()
        self._check_codes()
        function = self.function
        for block in self.flow.blocks:
            self.begin_block(block.number)
            self._forward(block)
        for block in self.flow.blocks:
            if isinstance(block.end, Raise):
                continue
            self.begin_block(len(self.flow.blocks) + block.number)
            self._way_back(block)
        for loop in self._checkpointed.values():
            loop.write_blocks()
        self.begin_block(2 * len(self.flow.blocks))
        self._release(3)
        cotangents = [self._cotangent_of(function.arguments[position]) for position in self.positions]
        self.write(f"return {form(self._result_text(), cotangents)}")
        parameters = [f"a_{name}" for name in function.parameters]
        parameters += [f"c_{number}" for number in range(self._result_count())] if self.seed is None else []
        text = "\n".join(self.lines)
        stacks = [
            (name, number, width)
            for name, number, width in (("values", VALUES, 8), ("codes", CODES, 1), ("arrays", ARRAYS, 8))
            if f"({name}, " in text or self._checkpointed
        ]
        body = self._head()
        for name, number, width in stacks:
            body += [f"{name}_top = 0", f"{name} = acquire({number}, {width})", f"{name}_room = capacity({name})"]
        body += [f"{BLOCK_VARIABLE} = 0", "while True:"]
        released = [f"release({number}, {name}, {width})" for name, number, width in stacks]
        lines: list[str] = []
        for line in self.lines:
            if line.strip() == "release_stacks()":
                indent = line[: len(line) - len(line.lstrip())]
                lines += [indent + release for release in released]
            else:
                lines.append(line)
        header = f"def derivative_of_{function.name}({', '.join(parameters)}):"
        self.lines = lines
        return self.result(header, body)

    def _head(self) -> list[str]:
        """Returns the lines before the first block: checks, and what the way back may read without having been set."""
        function = self.function
        lines = self.unpacked_parameters()
        parameters = [root for root in function.roots if root.kind == "parameter"]
        for root in parameters:
            if root.is_written:
                for other in parameters:
                    is_same_record = root.name.startswith("field_") and other.position == root.position
                    if other is not root and not is_same_record:
                        lines.append(f"check_apart({root.name}, {other.name}, '{root.name[2:]}', '{other.name[2:]}')")
        residuals = self.residuals
        kept = sorted(residuals.kept | residuals.recorded, key=lambda scalar: scalar.name)
        lines += [f"{scalar.name} = {zero(scalar.type)}" for scalar in kept if scalar.block is not None]
        active = [
            scalar for scalar in [*scalars_of(self.flow.blocks), *self._parameter_scalars()] if scalar in self.activity
        ]
        lines += [f"d_{scalar.name} = {zero(scalar.type)}" for scalar in active if scalar not in self._local]
        lines += [f"{counter.name} = 0" for counter in function.counters]
        for loop in self._checkpointed.values():
            lines += loop.initial_lines()
        for root in function.roots:
            if root not in self.activity or root.kind == "reshaped":
                continue
            dtype = self.dtype(root.type.dtype)
            if root.kind == "parameter":
                lines.append(f"d_{root.name} = np.zeros({root.name}.size, {dtype})")
            elif self._is_buffer(root):
                lines.append(f"d_{root.name} = np.zeros(0, {dtype})")
        return lines

    def _parameter_scalars(self) -> list[Scalar]:
        return [scalar for scalar in self.function.scalars if scalar.block is None]

    def _result_text(self) -> str:
        return self.structured([f"result_{number}" for number in range(self._result_count())])

    def _result_count(self) -> int:
        return max((len(block.end.values) for block in self.flow.blocks if isinstance(block.end, Return)), default=0)

    def _cotangent_of(self, value: object) -> str:
        if isinstance(value, Items):
            return f"({''.join(self._cotangent_of(item) + ', ' for item in value.values)})"
        if isinstance(value, View):
            root = value.root
            if not root.is_real:
                return "None"
            if root in self.activity:
                return f"d_{root.name}.reshape({root.name}.shape)"
            return f"np.zeros({root.name}.shape, {self.dtype(root.type.dtype)})"
        if isinstance(value, Scalar) and value.is_real:
            return f"d_{value.name}" if value in self.activity else zero(value.type)
        return "None"
